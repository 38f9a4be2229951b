/*
 * low.c - Q1_0 and Q2_0: codes of 1 and 2 bits with a scale. 1.125 and 2.25 bits per number.
 *
 *   q1_0  number i = code[i] ? d : -d             blocks of 128
 *
 *     byte   0  d   binary16
 *            2  qs  16 bytes: bit i % 8 of byte i / 8 is code i
 *
 *   q2_0  number i = d * (code[i] - 1)            blocks of 64
 *
 *     byte   0  d   binary16
 *            2  qs  16 bytes: code i is 2 bits of byte i / 4, from bit i % 4 * 2 up
 *
 * Q2_0's encoder never gives the code 3. Importance changes nothing.
 */
#include "bits.h"
#include "blocks.h"
#include "quant.h"
#include "refine_values.h"

static void decode_q1_0(const void *const *plane, float *dst, size_t n)
{
	const struct block_q1_0 *b = plane[0];
	for (; n; n -= QK1, b++) {
		float d = float_of_half(b->d);
		for (int i = 0; i < QK1; i++)
			*dst++ = b->qs[i / 8] >> i % 8 & 1 ? d : -d;
	}
}

static void encode_q1_0(const float *src, void *const *plane, size_t n, const float *weights)
{
	struct block_q1_0 *b = plane[0];
	for (; n; n -= QK1, b++, src += QK1) {
		float sum = 0;
		memset(b->qs, 0, sizeof b->qs);
		for (int i = 0; i < QK1; i++) {
			sum += fabsf(src[i]);
			b->qs[i / 8] |= (src[i] >= 0) << i % 8;
		}
		b->d = half_of_float(sum / QK1);
	}
}

static void decode_q2_0(const void *const *plane, float *dst, size_t n)
{
	const struct block_q2_0 *b = plane[0];
	for (; n; n -= QK2, b++) {
		float d = float_of_half(b->d);
		for (int i = 0; i < QK2; i++)
			*dst++ = (float)((b->qs[i / 4] >> i % 4 * 2 & 3) - 1) * d;
	}
}

static void encode_q2_0(const float *src, void *const *plane, size_t n, const float *weights)
{
	struct block_q2_0 *b = plane[0];
	for (; n; n -= QK2, b++, src += QK2) {
		uint8_t code[QK2];
		float d = 0;
		for (int i = 0; i < QK2; i++)
			d = fabsf(src[i]) > d ? fabsf(src[i]) : d;
		float inverse = d > 0 ? 1 / d : 0;
		b->d = half_of_float(d);
		for (int i = 0; i < QK2; i++) /* NaN goes the way of the least integer */
			code[i] = clamp_int(truncate_int(roundf(src[i] * inverse)), -1, 2) + 1;
		pack_fours(b->qs, code);
	}
}

/* ---- effort ---------------------------------------------------------------------------------------------------- */

/* clang-format off */
static const float q2_0_tries[] = {
	0.8f, -0.8f, 0.92f, -0.92f, 1.058f, -1.058f, 1.217f, -1.217f, 1.399f, -1.399f, 1.609f, -1.609f, 1.85f,
	-1.85f, 2.128f, -2.128f, 2.447f, -2.447f, 2.814f, -2.814f, 3.236f, -3.236f, 3.722f, -3.722f, 4.28f,
	-4.28f, 4.922f, -4.922f, 5.661f, -5.661f, 6.51f, -6.51f,
};
/* clang-format on */
static const float q1_0_tries[] = {1};
static const struct refine_run q1_0_run = {REFINE_SIGNS, QK1, 1, q1_0_tries};

#define Q2_0_RUN {REFINE_QUARTERS, QK2, sizeof q2_0_tries / sizeof *q2_0_tries, q2_0_tries}
static const struct refine_run q2_0_run = Q2_0_RUN;

static void put_q1_0(void *block, uint16_t d, const float *x)
{
	struct block_q1_0 *b = block;
	b->d = d;
	float value[QK1];
	refine_values(&q1_0_run, x, float_of_half(d), value);
	memset(b->qs, 0, sizeof b->qs);
	for (int i = 0; i < QK1; i++)
		b->qs[i / 8] |= (value[i] > 0) << i % 8;
}

static void put_q2_0(void *block, uint16_t d, const float *x)
{
	struct block_q2_0 *b = block;
	float value[QK2];
	uint8_t code[QK2];
	refine_values(&q2_0_run, x, float_of_half(d), value);
	for (int i = 0; i < QK2; i++)
		code[i] = (uint8_t)(value[i] + 1);
	b->d = d;
	pack_fours(b->qs, code);
}

void refine_q1_0(const struct value_ops *ops, const float *src, void *dst, size_t n, const float *weights)
{
	static const struct refine_halves t = {{REFINE_SIGNS, QK1, 1, q1_0_tries}, sizeof(struct block_q1_0), put_q1_0};
	refine_halves(&t, ops, src, dst, n, weights);
}

void refine_q2_0(const struct value_ops *ops, const float *src, void *dst, size_t n, const float *weights)
{
	static const struct refine_halves t = {Q2_0_RUN, sizeof(struct block_q2_0), put_q2_0};
	refine_halves(&t, ops, src, dst, n, weights);
}

static void scalar_refine_q1_0(const float *src, void *const *plane, size_t n, const float *weights)
{
	refine_q1_0(&value_scalar, src, plane[0], n, weights);
}

static void scalar_refine_q2_0(const float *src, void *const *plane, size_t n, const float *weights)
{
	refine_q2_0(&value_scalar, src, plane[0], n, weights);
}

const struct heft_encoding quant_q1_0 = {
	.name = "q1_0",
	.about = "signs, a half as scale per 128",
	.block = QK1,
	.class = QUANT_BLOCK,
	.n_planes = 1,
	.plane = {{"data", 1, QK1, sizeof(struct block_q1_0)}},
	.codes = CODES(struct block_q1_0, qs, qs, 0, 0xff, 2),
	.decode = decode_q1_0,
	.encode = encode_q1_0,
	.refine = scalar_refine_q1_0,
};

const struct heft_encoding quant_q2_0 = {
	.name = "q2_0",
	.about = "2-bit codes, a half as scale per 64",
	.block = QK2,
	.class = QUANT_BLOCK,
	.n_planes = 1,
	.plane = {{"data", 1, QK2, sizeof(struct block_q2_0)}},
	.codes = CODES(struct block_q2_0, qs, qs, 0, 0xff, 4),
	.decode = decode_q2_0,
	.encode = encode_q2_0,
	.refine = scalar_refine_q2_0,
};
