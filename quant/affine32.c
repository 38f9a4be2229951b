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
#include "block32.h"
#include "quant.h"
#include "refine_runs.h"

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

static void encode(const struct block32 *e, const float *src, uint8_t *dst, size_t n, const float *importance)
{
	float variance = importance ? search_sum_squares(src, n) / n : 0, w[QK], d, min;
	for (size_t i = 0; i < n; i += QK, dst += e->bytes) {
		uint8_t code[QK];
		if (importance) {
			search_importance(src + i, importance + i, variance, QK, w);
			d = search_affine(e->search, src + i, w, code, &min);
			min = -min;
		} else {
			d = plain_codes(src + i, e->hi, &min, code);
		}
		e->store(dst, d, min, code);
	}
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

static const struct search_affine search_q4_1 = {.run = QK, .top = 15, .first = -0.9f, .step = 0.05f, .steps = 36};
const struct block32 block32_q4_1 = {
	.lo = 0, .hi = 15, .search = &search_q4_1, .bytes = sizeof(struct block_q4_1), .store = store_q4_1};

static void encode_q4_1(const float *src, void *const *plane, size_t n, const float *weights)
{
	encode(&block32_q4_1, src, plane[0], n, weights);
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

static const struct search_affine search_q5_1 = {.run = QK, .top = 31, .first = -0.9f, .step = 0.05f, .steps = 36};
const struct block32 block32_q5_1 = {
	.lo = 0, .hi = 31, .search = &search_q5_1, .bytes = sizeof(struct block_q5_1), .store = store_q5_1};

static void encode_q5_1(const float *src, void *const *plane, size_t n, const float *weights)
{
	encode(&block32_q5_1, src, plane[0], n, weights);
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
	.refine = refine_q4_1,
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
	.refine = refine_q5_1,
};
