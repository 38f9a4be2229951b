/*
 * iq4_nl_lanes.h - IQ4_NL's encoder with LANES blocks at a time, one in each lane, doing what quant/iq4_nl.c does with
 * each. To be included after a lanes_ISA.h.
 */
#ifndef QUANT_IQ4_NL_LANES_H
#define QUANT_IQ4_NL_LANES_H

#include "bits.h"
#include "blocks.h"
#include "iq4_nl.h"
#include "lanes.h"
#include "quant.h"

LANE_FN void lanes_weights(struct lanes_runs *r, bool importance)
{
	vf sum = v_set(0);
	for (int i = 0; i < QK; i++)
		sum += v_load(r->x[i]) * v_load(r->x[i]);
	vf variance = sum * v_set(2.0f / QK);
	for (int i = 0; i < QK; i++) {
		vf square = v_load(r->x[i]) * v_load(r->x[i]);
		if (importance)
			square = v_load(r->w[i]) * v_sqrt(variance + square);
		v_store(r->w[i], square);
	}
}

LANE_FN void lanes_sums(const struct lanes_runs *r, vf inverse, vf *sum_xq, vf *sum_q2)
{
	*sum_xq = *sum_q2 = v_set(0);
	for (int i = 0; i < QK; i++) {
		vf x = v_load(r->x[i]), scaled = inverse * x, q = v_set(iq4_nl_value[0]);
		for (int k = 0; k < 15; k++)
			q = v_pick(v_lt(scaled, v_set(iq4_nl_middle[k])), q, v_set(iq4_nl_value[k + 1]));
		vf wq = v_load(r->w[i]) * q;
		*sum_xq += wq * x;
		*sum_q2 += wq * q;
	}
}

LANE_FN vf lanes_search(const struct lanes_runs *r)
{
	vf amax, max, sum_xq, sum_q2, zero = v_set(0);
	lanes_extreme(QK, r, &amax, &max);
	lanes_sums(r, v_set(1) / (-max / v_set(iq4_nl_value[0])), &sum_xq, &sum_q2);
	vf d = v_pick(v_lt(zero, sum_q2), sum_xq / sum_q2, zero), best = d * sum_xq;
	for (int i = -IQ4_NL_TRIES; i <= IQ4_NL_TRIES; i++) {
		lanes_sums(r, v_set((float)i + iq4_nl_value[0]) / max, &sum_xq, &sum_q2);
		vm better = m_and(v_lt(zero, sum_q2), v_lt(best * sum_q2, sum_xq * sum_xq));
		vf fit = sum_xq / sum_q2;
		d = v_pick(better, fit, d);
		best = v_pick(better, fit * sum_xq, best);
	}
	return v_pick(v_lt(amax, v_set(TOO_SMALL)), zero, d);
}

/* code[i][k] = code of number i of block k. */
LANE_FN void lanes_nearest(const struct lanes_runs *r, vf d, uint8_t code[QK][LANES])
{
	vf zero = v_set(0), inverse = v_pick(v_ne(d, zero), v_set(1) / d, zero);
	for (int i = 0; i < QK; i++) {
		vf scaled = inverse * v_load(r->x[i]);
		vi index = i_set(0);
		for (int k = 0; k < 15; k++)
			index = i_add_unless(index, v_lt(scaled, v_set(iq4_nl_middle[k])));
		i_store_bytes(code[i], index);
	}
}

static LANES_TARGET void lanes_encode_iq4_nl(const float *src, void *const *plane, size_t n, const float *weights)
{
	struct block_iq4_nl *b = plane[0];
	for (size_t at = 0, blocks = n / QK; at < blocks; at += LANES) {
		struct lanes_runs r;
		float d[LANES];
		uint8_t code[QK][LANES], one[QK];
		lanes_load(src + at * QK, QK, blocks - at, r.x);
		if (weights)
			lanes_load(weights + at * QK, QK, blocks - at, r.w);
		lanes_weights(&r, weights != NULL);
		vf found = lanes_search(&r);
		lanes_nearest(&r, found, code);
		v_store(d, found);
		for (size_t k = 0; k < LANES && at + k < blocks; k++, b++) {
			for (int i = 0; i < QK; i++)
				one[i] = code[i][k];
			b->d = half_of_float(d[k]);
			pack_halves(b->qs, one);
		}
	}
}

#define IQ4_NL_KERNEL(isa_name, isa_value)                                                                             \
	const struct quant_kernel kernel_iq4_nl_##isa_name = {                                                         \
		.encoding = "iq4_nl",                                                                                  \
		.isa = isa_value,                                                                                      \
		.encode = lanes_encode_iq4_nl,                                                                         \
	};

#endif
