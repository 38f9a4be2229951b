/*
 * iq4_lanes.h - the primitives of iq4.h in lanes: the search with LANES runs at a time, one in each lane, doing what
 * quant/iq4.c does with each; the codes with LANES numbers of one run at a time. To be included after a lanes_ISA.h and
 *
 *   vf lanes_value(vf scaled)    the value nearest to a number within +-140
 *
 * That is enough for the search: the tries scale a run's largest number to 134 at most. A run that holds an infinity or
 * a NaN is `wild`, and is searched again by the scalar code.
 */
#ifndef QUANT_IQ4_LANES_H
#define QUANT_IQ4_LANES_H

#include "iq4.h"
#include "lanes.h"
#include "quant.h"

#include <float.h>

static LANES_TARGET void lanes_squares(const float *x, size_t run, size_t n, float *sum)
{
	for (size_t at = 0; at < n; at += LANES) {
		vf sums = v_set(0);
		for (size_t i = 0; i < run; i += QK) {
			float part[QK][LANES];
			lanes_load_strided(x + at * run + i, run, QK, n - at, part);
			for (int j = 0; j < QK; j++)
				sums += v_load(part[j]) * v_load(part[j]);
		}
		lanes_put(sums, n - at, sum + at);
	}
}

LANE_FN void lanes_weights(struct lanes_runs *r, const float *variance, size_t n)
{
	float all[LANES];
	for (size_t k = 0; k < LANES && variance; k++)
		all[k] = variance[k < n ? k : 0];
	for (int i = 0; i < QK; i++) {
		vf square = v_load(r->x[i]) * v_load(r->x[i]);
		if (variance)
			square = v_load(r->w[i]) * v_sqrt(v_load(all) + square);
		v_store(r->w[i], square);
	}
}

struct lanes_fit {
	vf inverse, sum_xq, sum_q2;
};

/* Two tries at once: each is a chain of additions, which the other one's fill. */
LANE_FN void lanes_sums(const struct lanes_runs *r, struct lanes_fit *a, struct lanes_fit *b)
{
	a->sum_xq = a->sum_q2 = b->sum_xq = b->sum_q2 = v_set(0);
	for (int i = 0; i < QK; i++) {
		vf x = v_load(r->x[i]), w = v_load(r->w[i]);
		vf q = lanes_value(a->inverse * x), p = lanes_value(b->inverse * x), wq = w * q, wp = w * p;
		a->sum_xq += wq * x;
		a->sum_q2 += wq * q;
		b->sum_xq += wp * x;
		b->sum_q2 += wp * p;
	}
}

LANE_FN void lanes_take_better(const struct lanes_fit *f, vf *d, vf *best)
{
	vm better = m_and(v_lt(v_set(0), f->sum_q2), v_lt(*best * f->sum_q2, f->sum_xq * f->sum_xq));
	vf fit = f->sum_xq / f->sum_q2;
	*d = v_pick(better, fit, *d);
	*best = v_pick(better, fit * f->sum_xq, *best);
}

LANE_FN unsigned lanes_search(const struct lanes_runs *r, vf *out)
{
	struct lanes_fit a, b;
	vf amax, max, zero = v_set(0);
	vm tame = v_le(v_abs(v_load(r->x[0])), v_set(FLT_MAX));
	for (int i = 1; i < QK; i++)
		tame = m_and(tame, v_le(v_abs(v_load(r->x[i])), v_set(FLT_MAX)));
	lanes_extreme(QK, r, &amax, &max);
	a.inverse = v_set(1) / (-max / v_set(iq4_value[0]));
	b.inverse = v_set(-IQ4_TRIES + iq4_value[0]) / max;
	lanes_sums(r, &a, &b);
	vf d = v_pick(v_lt(zero, a.sum_q2), a.sum_xq / a.sum_q2, zero), best = d * a.sum_xq;
	lanes_take_better(&b, &d, &best);
	for (int i = -IQ4_TRIES + 1; i <= IQ4_TRIES; i += 2) {
		a.inverse = v_set((float)i + iq4_value[0]) / max;
		b.inverse = v_set((float)i + 1 + iq4_value[0]) / max;
		lanes_sums(r, &a, &b);
		lanes_take_better(&a, &d, &best);
		lanes_take_better(&b, &d, &best);
	}
	vm empty = v_lt(amax, v_set(TOO_SMALL));
	*out = v_pick(empty, zero, d);
	return m_wild(tame);
}

static LANES_TARGET void lanes_search_runs(const float *x, const float *importance, const float *variance, size_t n,
					   float *scale)
{
	for (size_t at = 0; at < n; at += LANES) {
		struct lanes_runs r;
		vf found;
		lanes_load(x + at * QK, QK, n - at, r.x);
		if (importance)
			lanes_load(importance + at * QK, QK, n - at, r.w);
		lanes_weights(&r, importance ? variance + at : NULL, n - at);
		unsigned wild = lanes_search(&r, &found);
		lanes_put(found, n - at, scale + at);
		for (size_t k = at; wild && k < n; k++, wild >>= 1)
			if (wild & 1)
				iq4_scalar.search(x + k * QK, importance ? importance + k * QK : NULL, variance + k, 1,
						  scale + k);
	}
}

static LANES_TARGET void lanes_codes(const float *x, float inverse, uint8_t *qs)
{
	uint8_t code[QK];
	for (int i = 0; i < QK; i += LANES) {
		vf scaled = v_set(inverse) * v_load(x + i);
		vi index = i_set(0);
		for (int k = 0; k < 15; k++)
			index = i_add_unless(index, v_lt(scaled, v_set(iq4_middle[k])));
		i_store_bytes(code + i, index);
	}
	pack_halves(qs, code);
}

static const struct iq4_ops lanes_ops = {lanes_squares, lanes_search_runs, lanes_codes};

#define IQ4_KERNEL(name, isa_name, isa_value)                                                                          \
	static void encode_##name(const float *src, void *const *plane, size_t n, const float *weights)                \
	{                                                                                                              \
		iq4_encode_##name(&lanes_ops, src, plane[0], n, weights);                                              \
	}                                                                                                              \
	const struct quant_kernel kernel_iq4_##name##_##isa_name = {                                                   \
		.encoding = "iq4_" #name,                                                                              \
		.isa = isa_value,                                                                                      \
		.encode = encode_##name,                                                                               \
	};

#define IQ4_KERNELS(isa_name, isa_value)                                                                               \
	IQ4_KERNEL(nl, isa_name, isa_value)                                                                            \
	IQ4_KERNEL(xs, isa_name, isa_value)

#endif
