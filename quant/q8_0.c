/*
 * q8_0.c - Q8_0: blocks of 32 signed bytes and a scale. 8.5 bits per number.
 *
 *   number i = d * qs[i]
 *
 *   byte   0  d   binary16
 *          2  qs  32 signed bytes
 *
 * Codes round half away from zero, against the scale before it became a half.
 */
#include "bits.h"
#include "blocks.h"
#include "quant.h"

static void decode(const void *const *plane, float *dst, size_t n)
{
	const struct block_q8_0 *b = plane[0];
	for (; n; n -= QK, b++) {
		float d = float_of_half(b->d);
		for (int i = 0; i < QK; i++)
			*dst++ = b->qs[i] * d;
	}
}

static void encode(const float *src, void *const *plane, size_t n, const float *weights)
{
	struct block_q8_0 *b = plane[0];
	for (; n; n -= QK, b++, src += QK) {
		float amax = 0;
		for (int i = 0; i < QK; i++)
			amax = amax > fabsf(src[i]) ? amax : fabsf(src[i]); /* a NaN is forgotten at the next number */
		float d = amax / 127, inverse = d != 0 ? 1 / d : 0;
		b->d = half_of_float(d);
		for (int i = 0; i < QK; i++)
			b->qs[i] = (int8_t)truncate_int(roundf(src[i] * inverse));
	}
}

const struct heft_encoding quant_q8_0 = {
	.name = "q8_0",
	.about = "8-bit codes, a half as scale per 32",
	.block = QK,
	.class = QUANT_BLOCK,
	.n_planes = 1,
	.plane = {{"data", 1, QK, sizeof(struct block_q8_0)}},
	.codes = CODES(struct block_q8_0, qs, qs, 0x80, 0x7f, 256),
	.decode = decode,
	.encode = encode,
};
