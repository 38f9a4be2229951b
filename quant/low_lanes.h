/*
 * low_lanes.h - the encoders of Q1_0, Q2_0, TQ1_0, TQ2_0 and Q8_K with LANES numbers of one block at a time. To be
 * included after a lanes_ISA.h. Blocks whose scale has no finite inverse, and where it matters those with NaN, go to the
 * scalar code.
 */
#ifndef QUANT_LOW_LANES_H
#define QUANT_LOW_LANES_H

#include "bits.h"
#include "blocks.h"
#include "lanes.h"
#include "quant.h"
#include "ternary.h"

#include <float.h>

extern const struct heft_encoding quant_q2_0, quant_q8_k, quant_tq1_0, quant_tq2_0;

/* ---- Q1_0 ------------------------------------------------------------------------------------------------------ */

/* Sums of magnitudes of LANES blocks, each front to back. */
LANE_FN vf lanes_magnitudes(const float *src, size_t blocks)
{
	vf sum = v_set(0);
	for (int i = 0; i < QK1; i += QK) {
		float x[QK][LANES];
		lanes_load_strided(src + i, QK1, QK, blocks, x);
		for (int j = 0; j < QK; j++)
			sum += v_abs(v_load(x[j]));
	}
	return sum;
}

LANE_FN void lanes_signs(const float *x, uint8_t qs[QK1 / 8])
{
	memset(qs, 0, QK1 / 8);
	for (int i = 0; i < QK1; i += LANES) {
		unsigned bits = m_bits(v_le(v_set(0), v_load(x + i)));
		for (int k = 0; k < LANES; k += 8)
			qs[(i + k) / 8] |= (uint8_t)(bits >> k << i % 8);
	}
}

static LANES_TARGET void lanes_encode_q1_0(const float *src, void *const *plane, size_t n, const float *weights)
{
	struct block_q1_0 *b = plane[0];
	for (size_t at = 0, blocks = n / QK1; at < blocks; at += LANES) {
		float d[LANES];
		v_store(d, lanes_magnitudes(src + at * QK1, blocks - at) / v_set(QK1));
		for (size_t k = 0; k < LANES && at + k < blocks; k++, b++) {
			b->d = half_of_float(d[k]);
			lanes_signs(src + (at + k) * QK1, b->qs);
		}
	}
}

/* ---- Q2_0, TQ1_0, TQ2_0 ---------------------------------------------------------------------------------------- */

/* 0 to 2 for the nearest of -1, 0 and 1 to numbers that are no larger; halves go outward. NaN gives 0. */
LANE_FN void lanes_thirds(const float *x, int n, float inverse, uint8_t *code)
{
	for (int i = 0; i < n; i += LANES) {
		vf v = v_load(x + i) * v_set(inverse);
		vi up = i_add_where(i_set(0), v_lt(v_set(-0.5f), v), i_set(1));
		i_store_bytes(code + i, i_add_where(up, v_le(v_set(0.5f), v), i_set(1)));
	}
}

static LANES_TARGET void lanes_encode_q2_0(const float *src, void *const *plane, size_t n, const float *weights)
{
	struct block_q2_0 *b = plane[0];
	for (; n; n -= QK2, b++, src += QK2) {
		uint8_t code[QK2];
		float d = lanes_largest(src, QK2), inverse = d > 0 ? 1 / d : 0;
		if (!(inverse <= FLT_MAX)) {
			quant_q2_0.encode(src, (void *[]){b}, QK2, NULL);
			continue;
		}
		b->d = half_of_float(d);
		lanes_thirds(src, QK2, inverse, code);
		for (int i = 0; i < QK2; i += 4) /* four codes to one byte, the topmost of the product */
			b->qs[i / 4] = (uint8_t)(load32(code + i) * 0x01041040u >> 24);
	}
}

/* False: the scalar code is asked. */
LANE_FN bool lanes_ternary(const float *src, uint16_t *half, uint8_t code[QK_K])
{
	float d = lanes_largest(src, QK_K), inverse = d != 0 ? 1 / d : 0;
	if (!(inverse <= FLT_MAX) || lanes_have_nan(src, QK_K))
		return false;
	*half = half_of_float(d);
	lanes_thirds(src, QK_K, inverse, code);
	return true;
}

static LANES_TARGET void lanes_encode_tq1_0(const float *src, void *const *plane, size_t n, const float *weights)
{
	struct block_tq1_0 *b = plane[0];
	for (; n; n -= QK_K, b++, src += QK_K) {
		uint8_t code[QK_K];
		uint16_t d;
		if (lanes_ternary(src, &d, code)) {
			b->d = d;
			tq1_pack_block(code, b);
		} else {
			quant_tq1_0.encode(src, (void *[]){b}, QK_K, NULL);
		}
	}
}

static LANES_TARGET void lanes_encode_tq2_0(const float *src, void *const *plane, size_t n, const float *weights)
{
	struct block_tq2_0 *b = plane[0];
	for (; n; n -= QK_K, b++, src += QK_K) {
		uint8_t code[QK_K];
		uint16_t d;
		if (lanes_ternary(src, &d, code)) {
			b->d = d;
			pack_quarters(b->qs, code);
		} else {
			quant_tq2_0.encode(src, (void *[]){b}, QK_K, NULL);
		}
	}
}

/* ---- Q8_K ------------------------------------------------------------------------------------------------------ */

/* The first number of the magnitude amax. */
LANE_FN float lanes_first_of(const float *x, float amax)
{
	for (int i = 0; i < QK_K; i += LANES) {
		unsigned found = m_bits(v_eq(v_abs(v_load(x + i)), v_set(amax)));
		if (found)
			return x[i + __builtin_ctz(found)];
	}
	return 0;
}

static LANES_TARGET void lanes_encode_q8_k(const float *src, void *const *plane, size_t n, const float *weights)
{
	struct block_q8_k *b = plane[0];
	for (; n; n -= QK_K, b++, src += QK_K) {
		float max = lanes_first_of(src, lanes_largest(src, QK_K)), inverse = -127 / max;
		if (max == 0) {
			memset(b, 0, sizeof *b);
			continue;
		}
		b->d = 1 / inverse;
		for (int i = 0; i < QK_K; i += LANES) {
			vi code = v_nearest_int(v_set(inverse) * v_load(src + i));
			i_store_bytes((uint8_t *)b->qs + i, i_and(i_clamp(code, INT32_MIN, 127), i_set(255)));
		}
		for (int j = 0; j < QK_K / 16; j++) {
			int sum = 0;
			for (int i = 0; i < 16; i++)
				sum += b->qs[16 * j + i];
			b->bsums[j] = (int16_t)sum;
		}
	}
}

#define LOW_KERNEL(name, isa_name, isa_value)                                                                          \
	const struct quant_kernel kernel_##name##_##isa_name = {                                                       \
		.encoding = #name,                                                                                     \
		.isa = isa_value,                                                                                      \
		.encode = lanes_encode_##name,                                                                         \
	};

#define LOW_KERNELS(isa_name, isa_value)                                                                               \
	LOW_KERNEL(q1_0, isa_name, isa_value)                                                                          \
	LOW_KERNEL(q2_0, isa_name, isa_value)                                                                          \
	LOW_KERNEL(tq1_0, isa_name, isa_value)                                                                         \
	LOW_KERNEL(tq2_0, isa_name, isa_value)                                                                         \
	LOW_KERNEL(q8_k, isa_name, isa_value)

#endif
