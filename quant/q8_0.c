/*
 * q8_0.c - Q8_0 and Q8_1: blocks of 32 signed bytes and a scale. 8.5 and 9 bits per number.
 *
 *   number i = d * qs[i]
 *
 *   q8_0  byte   0  d   binary16          q8_1  byte   0  d   binary16
 *                2  qs  32 signed bytes                2  s   binary16: d times the sum of the codes
 *                                                      4  qs  32 signed bytes
 *
 * Codes round half away from zero, against the scale before it became a half. Importance changes nothing.
 */
#include "bits.h"
#include "blocks.h"
#include "quant.h"
#include "refine_runs.h"

static void decode_run(const int8_t *qs, float d, float *dst)
{
	for (int i = 0; i < QK; i++)
		dst[i] = qs[i] * d;
}

/* The scale. */
static float codes(const float *x, int8_t *qs)
{
	float amax = 0;
	for (int i = 0; i < QK; i++)
		amax = amax > fabsf(x[i]) ? amax : fabsf(x[i]); /* a NaN is forgotten at the next number */
	float d = amax / 127, inverse = d != 0 ? 1 / d : 0;
	for (int i = 0; i < QK; i++)
		qs[i] = (int8_t)truncate_int(roundf(x[i] * inverse));
	return d;
}

static void decode_q8_0(const void *const *plane, float *dst, size_t n)
{
	const struct block_q8_0 *b = plane[0];
	for (; n; n -= QK, b++, dst += QK)
		decode_run(b->qs, float_of_half(b->d), dst);
}

static void encode_q8_0(const float *src, void *const *plane, size_t n, const float *weights)
{
	struct block_q8_0 *b = plane[0];
	for (; n; n -= QK, b++, src += QK)
		b->d = half_of_float(codes(src, b->qs));
}

static void decode_q8_1(const void *const *plane, float *dst, size_t n)
{
	const struct block_q8_1 *b = plane[0];
	for (; n; n -= QK, b++, dst += QK)
		decode_run(b->qs, float_of_half(b->d), dst);
}

static void encode_q8_1(const float *src, void *const *plane, size_t n, const float *weights)
{
	struct block_q8_1 *b = plane[0];
	for (; n; n -= QK, b++, src += QK) {
		float d = codes(src, b->qs);
		int sum = 0;
		for (int i = 0; i < QK; i++)
			sum += b->qs[i];
		b->d = half_of_float(d);
		b->s = half_of_float((float)sum * d);
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
	.decode = decode_q8_0,
	.encode = encode_q8_0,
	.refine = refine_q8_0,
};

const struct heft_encoding quant_q8_1 = {
	.name = "q8_1",
	.about = "8-bit codes, a half as scale and one of their sum per 32",
	.block = QK,
	.class = QUANT_BLOCK,
	.n_planes = 1,
	.plane = {{"data", 1, QK, sizeof(struct block_q8_1)}},
	.codes = CODES(struct block_q8_1, qs, qs, 0x80, 0x7f, 256),
	.decode = decode_q8_1,
	.encode = encode_q8_1,
	.not_for_weights = true,
};
