/*
 * q3_k.c - Q3_K: 256 numbers in 16 runs of 16; codes of 3 bits, a 6-bit scale per run, both signed.
 * 3.4375 bits per number.
 *
 *   number i of run j = d * (scale[j] - 32) * (code[i] - 4)
 *
 *   byte   0  hmask  32 bytes: bit k of byte l is bit 2 of the code of number 32k + l
 *         32  qs     64 bytes of bits 1-0: byte l of each half holds numbers l, l + 32, l + 64, l + 96 of its 128
 *         96  scales 12 bytes, bits from 7 to 0:
 *                    s[0..7]   scale[8..15] bits 3-0 | scale[0..7] bits 3-0
 *                    s[8..11]  bits 5-4 of scale[12..15] | scale[8..11] | scale[4..7] | scale[0..3]
 *        108  d      binary16
 */
#include "bits.h"
#include "kquant.h"
#include "refine_runs.h"

enum { RUN = KQUANT_SIGNED_RUN, RUNS = QK_K / RUN, HALF = 4, SCALE_HALF = 32 };

static void decode(const void *const *plane, float *dst, size_t n)
{
	const struct block_q3_k *b = plane[0];
	for (; n; n -= QK_K, b++) {
		float d = float_of_half(b->d);
		for (int j = 0; j < RUNS; j++) {
			const uint8_t *q = b->qs + j / 8 * 32 + j % 2 * RUN, *h = b->hmask + j % 2 * RUN;
			float ds = d * unpack_scale_q3(b->scales, j);
			for (int l = 0; l < RUN; l++) {
				int code = (q[l] >> j % 8 / 2 * 2 & 3) | (h[l] >> j / 2 & 1) << 2;
				*dst++ = ds * (code - HALF);
			}
		}
	}
}

static void search(struct kquant_chunk *c, size_t runs)
{
	if (c->w)
		c->ops->symmetric(HALF, c->x, c->w, runs, c->scale, NULL);
	else
		c->ops->descent(HALF, c->x, runs, c->scale);
	if (c->w) /* the scales by the same search: RUNS are as many as RUN */
		c->ops->symmetric(SCALE_HALF, c->scale, c->sum, runs / RUNS, c->d, c->scale_code);
}

static void searched(const struct kquant_chunk *c, size_t at, uint8_t *code)
{
	if (c->w)
		search_signed(RUN, HALF, c->x + at, c->w + at, code);
	else
		search_descent(RUN, HALF, c->x + at, code);
}

/* The 6-bit scales; returns d. */
static float scale_codes(const struct kquant_chunk *c, size_t at, uint8_t code[RUNS])
{
	const float *scale = c->scale + at / RUN;
	float amax = 0, max = 0;
	if (c->w) {
		memcpy(code, c->scale_code + at / RUN, RUNS);
		return c->d[at / QK_K];
	}
	for (int j = 0; j < RUNS; j++)
		if (fabsf(scale[j]) > amax) {
			amax = fabsf(scale[j]);
			max = scale[j];
		}
	memset(code, 0, RUNS);
	if (max == 0)
		return 0;
	float inverse = -(float)SCALE_HALF / max;
	for (int j = 0; j < RUNS; j++) /* a byte between rounding and clamping: what does not fit it wraps */
		code[j] = clamp_int((int8_t)nearest_int(inverse * scale[j]), -SCALE_HALF, SCALE_HALF - 1) + SCALE_HALF;
	return 1 / inverse;
}

static void finish(const struct kquant_chunk *c, size_t at, void *block)
{
	struct block_q3_k *b = block;
	uint8_t code[QK_K], scale[RUNS];
	b->d = half_of_float(scale_codes(c, at, scale));
	pack_scales_q3(b->scales, scale);
	for (int j = 0; j < RUNS; j++)
		kquant_codes(c, at + j * RUN, 0, float_of_half(b->d) * unpack_scale_q3(b->scales, j), code + j * RUN);
	pack_quarters(b->qs, code);
	pack_bit(b->hmask, code, 2);
}

const struct kquant kquant_q3 = {
	.run = RUN,
	.lo = -HALF,
	.hi = HALF - 1,
	.block = sizeof(struct block_q3_k),
	.variance = 2,
	.search = search,
	.searched = searched,
	.finish = finish,
};

static void encode(const float *src, void *const *plane, size_t n, const float *weights)
{
	kquant_encode(&kquant_q3, &kquant_scalar, src, plane[0], n, weights);
}

const struct heft_encoding quant_q3_k = {
	.name = "q3_k",
	.about = "3-bit codes, 6-bit scale per 16, super-blocks of 256",
	.block = QK_K,
	.class = QUANT_BLOCK,
	.n_planes = 1,
	.plane = {{"data", 1, QK_K, sizeof(struct block_q3_k)}},
	.codes = CODES(struct block_q3_k, hmask, qs, 0, 0xff, 8),
	.decode = decode,
	.encode = encode,
	.refine = refine_q3_k,
};
