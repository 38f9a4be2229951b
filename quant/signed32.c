/*
 * signed32.c - Q4_0 and Q5_0: blocks of 32 signed codes and a scale. 4.5 and 5.5 bits per number.
 *
 *   number i = d * (code[i] - half)        half is 8 or 16
 *
 *   q4_0  byte 0  d   binary16             q5_0  byte 0  d   binary16
 *              2  qs  16 bytes                        2  qh  32 bits: bit i is bit 4 of code i
 *                                                     6  qs  16 bytes
 *   qs: byte j holds bits 3-0 of code j (low nibble) and of code j + 16 (high nibble)
 */
#include "block32.h"
#include "quant.h"
#include "refine_runs.h"

/* Without importance the number of the largest magnitude gets the code 0, so that it is met exactly. */
static float plain_codes(const float *x, int half, uint8_t code[QK])
{
	float amax = 0, max = 0;
	for (int i = 0; i < QK; i++)
		if (amax < fabsf(x[i])) {
			amax = fabsf(x[i]);
			max = x[i];
		}
	float d = max / -half, inverse = d != 0 ? 1 / d : 0;
	for (int i = 0; i < QK; i++) {
		int l = (int8_t)truncate_int(x[i] * inverse + (half + 0.5f));
		code[i] = l < 2 * half - 1 ? l : 2 * half - 1;
	}
	return d;
}

static void encode(const struct block32 *e, const float *src, uint8_t *dst, size_t n, const float *importance)
{
	float variance = importance ? search_sum_squares(src, n) / n : 0, w[QK], d;
	for (size_t i = 0; i < n; i += QK, dst += e->bytes) {
		uint8_t code[QK];
		if (importance) {
			search_importance(src + i, importance + i, variance, QK, w);
			d = search_signed(QK, -e->lo, src + i, w, code);
		} else {
			d = plain_codes(src + i, -e->lo, code);
		}
		e->store(dst, d, 0, code);
	}
}

static void decode_q4_0(const void *const *plane, float *dst, size_t n)
{
	const struct block_q4_0 *b = plane[0];
	for (; n; n -= QK, b++) {
		float d = float_of_half(b->d);
		for (int i = 0; i < QK; i++)
			*dst++ = ((b->qs[i % 16] >> i / 16 * 4 & 15) - 8) * d;
	}
}

const struct block32 block32_q4_0 = {
	.lo = -8, .hi = 7, .bytes = sizeof(struct block_q4_0), .store = store_q4_0};

static void encode_q4_0(const float *src, void *const *plane, size_t n, const float *weights)
{
	encode(&block32_q4_0, src, plane[0], n, weights);
}

static void decode_q5_0(const void *const *plane, float *dst, size_t n)
{
	const struct block_q5_0 *b = plane[0];
	for (; n; n -= QK, b++) {
		float d = float_of_half(b->d);
		for (int i = 0; i < QK; i++) {
			int code = (b->qs[i % 16] >> i / 16 * 4 & 15) | (b->qh >> i & 1) << 4;
			*dst++ = (code - 16) * d;
		}
	}
}

const struct block32 block32_q5_0 = {
	.lo = -16, .hi = 15, .bytes = sizeof(struct block_q5_0), .store = store_q5_0};

static void encode_q5_0(const float *src, void *const *plane, size_t n, const float *weights)
{
	encode(&block32_q5_0, src, plane[0], n, weights);
}

const struct heft_encoding quant_q4_0 = {
	.name = "q4_0",
	.about = "4-bit codes, a half as scale per 32",
	.block = QK,
	.class = QUANT_BLOCK,
	.n_planes = 1,
	.plane = {{"data", 1, QK, sizeof(struct block_q4_0)}},
	.codes = CODES(struct block_q4_0, qs, qs, 0, 0xff, 16),
	.decode = decode_q4_0,
	.encode = encode_q4_0,
	.refine = refine_q4_0,
};

const struct heft_encoding quant_q5_0 = {
	.name = "q5_0",
	.about = "5-bit codes, a half as scale per 32",
	.block = QK,
	.class = QUANT_BLOCK,
	.n_planes = 1,
	.plane = {{"data", 1, QK, sizeof(struct block_q5_0)}},
	.codes = CODES(struct block_q5_0, qh, qs, 0, 0xff, 32),
	.decode = decode_q5_0,
	.encode = encode_q5_0,
	.refine = refine_q5_0,
};
