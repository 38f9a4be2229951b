/*
 * ternary.c - TQ1_0 and TQ2_0: 256 codes of -1, 0 and 1 with a scale. 1.6875 and 2.0625 bits per number.
 *
 *   number i = d * (code[i] - 1)
 *
 *   tq1_0  byte   0  qs  48 bytes of 5 codes (quant/ternary.h): byte j < 32 holds codes j, j + 32 ... j + 128;
 *                        byte 32 + j holds codes 160 + j, 176 + j ... 224 + j
 *                48  qh  4 bytes of 4 codes and a zero: byte j holds codes 240 + j, 244 + j, 248 + j, 252 + j
 *                52  d   binary16
 *
 *   tq2_0  byte   0  qs  64 bytes: byte l of each 32 holds codes l, l + 32, l + 64, l + 96 of each 128, low bits first
 *                64  d   binary16
 *
 * Importance changes nothing.
 */
#include "ternary.h"
#include "bits.h"
#include "blocks.h"
#include "quant.h"
#include "refine_values.h"

/* The scale is the largest magnitude; a NaN is forgotten at the next number. */
static uint16_t codes(const float *x, uint8_t code[QK_K])
{
	float d = 0;
	for (int i = 0; i < QK_K; i++)
		d = d > fabsf(x[i]) ? d : fabsf(x[i]);
	float inverse = d != 0 ? 1 / d : 0;
	for (int i = 0; i < QK_K; i++) { /* NaN, and what is beyond 64 bits, become 0 */
		float whole = roundf(x[i] * inverse);
		code[i] = (uint8_t)(1 + (fabsf(whole) < 0x1p63f ? (int64_t)whole : 0));
	}
	return half_of_float(d);
}

static void unpack(const uint8_t *from, int n, int digits, float d, float *dst)
{
	for (int j = 0; j < n; j++)
		for (int k = 0; k < digits; k++)
			dst[j + k * n] = (float)(tq1_digit(from[j], k) - 1) * d;
}

static void decode_tq1_0(const void *const *plane, float *dst, size_t n)
{
	const struct block_tq1_0 *b = plane[0];
	for (; n; n -= QK_K, b++, dst += QK_K) {
		float d = float_of_half(b->d);
		unpack(b->qs, 32, 5, d, dst);
		unpack(b->qs + 32, 16, 5, d, dst + 160);
		unpack(b->qh, 4, 4, d, dst + 240);
	}
}

static void encode_tq1_0(const float *src, void *const *plane, size_t n, const float *weights)
{
	struct block_tq1_0 *b = plane[0];
	for (; n; n -= QK_K, b++, src += QK_K) {
		uint8_t code[QK_K];
		b->d = codes(src, code);
		tq1_pack_block(code, b);
	}
}

static void decode_tq2_0(const void *const *plane, float *dst, size_t n)
{
	const struct block_tq2_0 *b = plane[0];
	for (; n; n -= QK_K, b++) {
		float d = float_of_half(b->d);
		for (int i = 0; i < QK_K; i++)
			*dst++ = (float)((b->qs[i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3) - 1) * d;
	}
}

static void encode_tq2_0(const float *src, void *const *plane, size_t n, const float *weights)
{
	struct block_tq2_0 *b = plane[0];
	for (; n; n -= QK_K, b++, src += QK_K) {
		uint8_t code[QK_K];
		b->d = codes(src, code);
		for (int i = 0; i < QK_K; i++)
			code[i] &= 3;
		pack_quarters(b->qs, code);
	}
}

/* ---- effort ---------------------------------------------------------------------------------------------------- */

/* clang-format off */
static const float tries[] = {
	0.6f, 0.678f, 0.7661f, 0.8657f, 0.9783f, 1.105f, 1.249f, 1.412f, 1.595f, 1.802f, 2.037f, 2.302f, 2.601f,
	2.939f, 3.321f, 3.753f, 4.24f, 4.792f, 5.415f, 6.118f, 6.914f, 7.813f, 8.828f, 9.976f, 11.27f, 12.74f,
};
/* clang-format on */

static void values_to_codes(const struct refine_run *r, uint16_t d, const float *x, uint8_t code[QK_K])
{
	float value[QK_K];
	refine_values(r, x, float_of_half(d), value);
	for (int i = 0; i < QK_K; i++)
		code[i] = (uint8_t)(value[i] + 1);
}

#define RUN {REFINE_TERNARY, QK_K, sizeof tries / sizeof *tries, tries}
static const struct refine_run run = RUN;

static void put_tq1_0(void *block, uint16_t d, const float *x)
{
	uint8_t code[QK_K];
	values_to_codes(&run, d, x, code);
	tq1_pack_block(code, block);
	((struct block_tq1_0 *)block)->d = d;
}

static void put_tq2_0(void *block, uint16_t d, const float *x)
{
	uint8_t code[QK_K];
	values_to_codes(&run, d, x, code);
	pack_quarters(((struct block_tq2_0 *)block)->qs, code);
	((struct block_tq2_0 *)block)->d = d;
}

void refine_tq1_0(const struct value_ops *ops, const float *src, void *dst, size_t n, const float *weights)
{
	static const struct refine_halves t = {RUN, sizeof(struct block_tq1_0), put_tq1_0};
	refine_halves(&t, ops, src, dst, n, weights);
}

void refine_tq2_0(const struct value_ops *ops, const float *src, void *dst, size_t n, const float *weights)
{
	static const struct refine_halves t = {RUN, sizeof(struct block_tq2_0), put_tq2_0};
	refine_halves(&t, ops, src, dst, n, weights);
}

static void scalar_refine_tq1_0(const float *src, void *const *plane, size_t n, const float *weights)
{
	refine_tq1_0(&value_scalar, src, plane[0], n, weights);
}

static void scalar_refine_tq2_0(const float *src, void *const *plane, size_t n, const float *weights)
{
	refine_tq2_0(&value_scalar, src, plane[0], n, weights);
}

const struct heft_encoding quant_tq1_0 = {
	.name = "tq1_0",
	.about = "ternary codes, five in a byte, a half as scale per 256",
	.block = QK_K,
	.class = QUANT_BLOCK,
	.n_planes = 1,
	.plane = {{"data", 1, QK_K, sizeof(struct block_tq1_0)}},
	.codes = CODES(struct block_tq1_0, qs, qh, 0, 0xff, 3),
	.decode = decode_tq1_0,
	.encode = encode_tq1_0,
	.refine = scalar_refine_tq1_0,
};

const struct heft_encoding quant_tq2_0 = {
	.name = "tq2_0",
	.about = "ternary codes of 2 bits, a half as scale per 256",
	.block = QK_K,
	.class = QUANT_BLOCK,
	.n_planes = 1,
	.plane = {{"data", 1, QK_K, sizeof(struct block_tq2_0)}},
	.codes = CODES(struct block_tq2_0, qs, qs, 0, 0xaa, 3),
	.decode = decode_tq2_0,
	.encode = encode_tq2_0,
	.refine = scalar_refine_tq2_0,
};
