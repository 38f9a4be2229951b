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
};
