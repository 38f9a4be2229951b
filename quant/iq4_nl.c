/*
 * iq4_nl.c - IQ4_NL: blocks of 32 codes that choose among 16 unevenly spaced values, and a scale. 4.5 bits per number.
 *
 *   number i = d * value[code[i]]
 *
 *   byte   0  d   binary16
 *          2  qs  16 bytes: byte j holds code j (low nibble) and code j + 16 (high nibble)
 */
#include "iq4_nl.h"
#include "bits.h"
#include "blocks.h"
#include "quant.h"
#include "search.h"

#define TOO_SMALL 1e-15f

/* The index of the nearest value, of two at one distance the upper, is the number of middles that x is not below. Near
 * a middle the distances to both values are exact, so that comparing with the middle is comparing the distances. */
static void nearest_values(const float *restrict x, float inverse, int32_t *restrict code)
{
	memset(code, 0, QK * sizeof *code);
	for (int k = 0; k < 15; k++)
		for (int i = 0; i < QK; i++)
			code[i] += !(inverse * x[i] < iq4_nl_middle[k]);
}

static void sums(const float *x, const float *w, float inverse, float *sum_xq, float *sum_q2)
{
	int32_t code[QK];
	nearest_values(x, inverse, code);
	*sum_xq = *sum_q2 = 0;
	for (int i = 0; i < QK; i++) {
		float q = iq4_nl_value[code[i]];
		*sum_xq += w[i] * q * x[i];
		*sum_q2 += w[i] * q * q;
	}
}

static float search(const float *x, const float *w)
{
	float amax = 0, max = 0, sum_xq, sum_q2;
	for (int i = 0; i < QK; i++)
		if (fabsf(x[i]) > amax) {
			amax = fabsf(x[i]);
			max = x[i];
		}
	if (amax < TOO_SMALL)
		return 0;
	sums(x, w, 1 / (-max / iq4_nl_value[0]), &sum_xq, &sum_q2);
	float d = sum_q2 > 0 ? sum_xq / sum_q2 : 0, best = d * sum_xq;
	for (int i = -IQ4_NL_TRIES; i <= IQ4_NL_TRIES; i++) {
		sums(x, w, (i + iq4_nl_value[0]) / max, &sum_xq, &sum_q2);
		if (sum_q2 > 0 && sum_xq * sum_xq > best * sum_q2) {
			d = sum_xq / sum_q2;
			best = d * sum_xq;
		}
	}
	return d;
}

static void decode(const void *const *plane, float *dst, size_t n)
{
	const struct block_iq4_nl *b = plane[0];
	for (; n; n -= QK, b++) {
		float d = float_of_half(b->d);
		for (int i = 0; i < QK; i++)
			*dst++ = d * iq4_nl_value[b->qs[i % 16] >> i / 16 * 4 & 15];
	}
}

static void encode(const float *src, void *const *plane, size_t n, const float *weights)
{
	struct block_iq4_nl *b = plane[0];
	for (; n; n -= QK, b++, src += QK) {
		float w[QK];
		uint8_t code[QK];
		int32_t index[QK];
		if (weights)
			search_importance(src, weights, search_sum_squares(src, QK) * (2.0f / QK), QK, w);
		for (int i = 0; i < QK && !weights; i++)
			w[i] = src[i] * src[i];
		float d = search(src, w), inverse = d != 0 ? 1 / d : 0;
		b->d = half_of_float(d);
		nearest_values(src, inverse, index);
		for (int i = 0; i < QK; i++)
			code[i] = index[i];
		pack_halves(b->qs, code);
		weights = weights ? weights + QK : NULL;
	}
}

const struct heft_encoding quant_iq4_nl = {
	.name = "iq4_nl",
	.about = "4-bit codes for uneven steps, a half as scale per 32",
	.block = QK,
	.class = QUANT_BLOCK,
	.n_planes = 1,
	.plane = {{"data", 1, QK, sizeof(struct block_iq4_nl)}},
	.codes = CODES(struct block_iq4_nl, qs, qs, 0, 0xff, 16),
	.decode = decode,
	.encode = encode,
};
