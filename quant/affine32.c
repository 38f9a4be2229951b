/*
 * affine32.c - Q4_1 and Q5_1: blocks of 32 codes, a scale and a minimum. 5 and 6 bits per number.
 *
 *   number i = d * code[i] + m
 *
 *   q4_1  byte 0  d   binary16             q5_1  byte 0  d   binary16
 *              2  m   binary16                        2  m   binary16
 *              4  qs  16 bytes                        4  qh  32 bits: bit i is bit 4 of code i
 *                                                     8  qs  16 bytes
 *   qs: byte j holds bits 3-0 of code j (low nibble) and of code j + 16 (high nibble)
 */
#include "bits.h"
#include "blocks.h"
#include "quant.h"
#include "search.h"

#include <float.h>

static float plain_codes(const float *x, int top, float *out_min, uint8_t code[QK])
{
	float min = FLT_MAX, max = -FLT_MAX;
	for (int i = 0; i < QK; i++) {
		if (x[i] < min)
			min = x[i];
		if (x[i] > max)
			max = x[i];
	}
	float d = (max - min) / top, inverse = d != 0 ? 1 / d : 0;
	for (int i = 0; i < QK; i++) {
		int l = (int8_t)truncate_int((x[i] - min) * inverse + 0.5f);
		code[i] = l < top ? l : top;
	}
	*out_min = min;
	return d;
}

static float best_codes(const float *x, int top, const float *importance, float variance, float *min, uint8_t code[QK])
{
	const struct search_affine s = {.run = QK, .top = top, .first = -0.9f, .step = 0.05f, .steps = 36};
	float w[QK];
	if (!importance)
		return plain_codes(x, top, min, code);
	search_importance(x, importance, variance, QK, w);
	float d = search_affine(&s, x, w, code, min);
	*min = -*min;
	return d;
}

static void decode_q4_1(const void *const *plane, float *dst, size_t n)
{
	const struct block_q4_1 *b = plane[0];
	for (; n; n -= QK, b++) {
		float d = float_of_half(b->d), m = float_of_half(b->m);
		for (int i = 0; i < QK; i++)
			*dst++ = (b->qs[i % 16] >> i / 16 * 4 & 15) * d + m;
	}
}

static void encode_q4_1(const float *src, void *const *plane, size_t n, const float *weights)
{
	struct block_q4_1 *b = plane[0];
	float variance = weights ? search_sum_squares(src, n) / n : 0, min;
	for (size_t i = 0; i < n; i += QK, b++) {
		uint8_t code[QK];
		b->d = half_of_float(best_codes(src + i, 15, weights ? weights + i : NULL, variance, &min, code));
		b->m = half_of_float(min);
		pack_halves(b->qs, code);
	}
}

static void decode_q5_1(const void *const *plane, float *dst, size_t n)
{
	const struct block_q5_1 *b = plane[0];
	for (; n; n -= QK, b++) {
		float d = float_of_half(b->d), m = float_of_half(b->m);
		for (int i = 0; i < QK; i++) {
			int code = (b->qs[i % 16] >> i / 16 * 4 & 15) | (b->qh >> i & 1) << 4;
			*dst++ = code * d + m;
		}
	}
}

static void encode_q5_1(const float *src, void *const *plane, size_t n, const float *weights)
{
	struct block_q5_1 *b = plane[0];
	float variance = weights ? search_sum_squares(src, n) / n : 0, min;
	for (size_t i = 0; i < n; i += QK, b++) {
		uint8_t code[QK];
		b->d = half_of_float(best_codes(src + i, 31, weights ? weights + i : NULL, variance, &min, code));
		b->m = half_of_float(min);
		b->qh = pack_halves(b->qs, code);
	}
}

const struct heft_encoding quant_q4_1 = {
	.name = "q4_1",
	.about = "4-bit codes, halves as scale and minimum per 32",
	.block = QK,
	.class = QUANT_BLOCK,
	.n_planes = 1,
	.plane = {{"data", 1, QK, sizeof(struct block_q4_1)}},
	.codes = CODES(struct block_q4_1, qs, qs, 0, 0xff, 16),
	.decode = decode_q4_1,
	.encode = encode_q4_1,
};

const struct heft_encoding quant_q5_1 = {
	.name = "q5_1",
	.about = "5-bit codes, halves as scale and minimum per 32",
	.block = QK,
	.class = QUANT_BLOCK,
	.n_planes = 1,
	.plane = {{"data", 1, QK, sizeof(struct block_q5_1)}},
	.codes = CODES(struct block_q5_1, qh, qs, 0, 0xff, 32),
	.decode = decode_q5_1,
	.encode = encode_q5_1,
};
