/*
 * q8_k.c - Q8_K: 256 signed bytes and a float as scale. 9.125 bits per number.
 *
 *   number i = d * qs[i]
 *
 *   byte   0  d      binary32
 *          4  qs     256 signed bytes
 *        260  bsums  16 signed 16-bit integers: the sums of 16 codes each
 *
 * The number of the largest magnitude, the first of equals, gets the code -127. Importance changes nothing.
 */
#include "bits.h"
#include "blocks.h"
#include "quant.h"

static void decode(const void *const *plane, float *dst, size_t n)
{
	const struct block_q8_k *b = plane[0];
	for (; n; n -= QK_K, b++)
		for (int i = 0; i < QK_K; i++)
			*dst++ = b->d * (float)b->qs[i];
}

static float extreme(const float *x)
{
	float amax = 0, max = 0;
	for (int i = 0; i < QK_K; i++)
		if (fabsf(x[i]) > amax) {
			amax = fabsf(x[i]);
			max = x[i];
		}
	return max;
}

static void encode(const float *src, void *const *plane, size_t n, const float *weights)
{
	struct block_q8_k *b = plane[0];
	for (; n; n -= QK_K, b++, src += QK_K) {
		float max = extreme(src), inverse = -127 / max;
		memset(b, 0, sizeof *b);
		if (max == 0)
			continue;
		b->d = 1 / inverse;
		for (int i = 0; i < QK_K; i++) {
			int code = nearest_int(inverse * src[i]);
			b->qs[i] = (int8_t)(code < 127 ? code : 127);
			b->bsums[i / 16] += b->qs[i];
		}
	}
}

const struct heft_encoding quant_q8_k = {
	.name = "q8_k",
	.about = "8-bit codes, a float as scale, super-blocks of 256",
	.block = QK_K,
	.class = QUANT_BLOCK,
	.n_planes = 1,
	.plane = {{"data", 1, QK_K, sizeof(struct block_q8_k)}},
	.codes = CODES(struct block_q8_k, qs, qs, 0x80, 0x7f, 256),
	.decode = decode,
	.encode = encode,
	.not_for_weights = true,
};
