/*
 * kquant_lanes.h - the primitives of kquant.h for LANES runs at a time, one in each lane. To be included after a
 * lanes_ISA.h.
 *
 * Every lane does what the scalar search does with its run: the same operations in the same order, a condition becoming
 * a choice between two results. One thing is done otherwise: codes are rounded as floats and not through
 * nearest_int()'s bits. The two agree while the rounded value stays within +-2^22, and because all operations are
 * monotonic it is enough to look at the run's two ends. A lane that fails the test, or holds a NaN, is `wild`, and its
 * run is searched again by the scalar code.
 */
#ifndef QUANT_KQUANT_LANES_H
#define QUANT_KQUANT_LANES_H

#include "kquant.h"
#include "lanes.h"

#define TAME 0x1p21f
#define DESCENT_ROUNDS 5

/* ---- affine ---------------------------------------------------------------------------------------------------- */

LANE_FN void lanes_own_weights(const struct search_affine *s, int run, struct lanes_runs *r)
{
	vf sum = v_set(0), base;
	for (int i = 0; i < run; i++)
		sum += v_load(r->x[i]) * v_load(r->x[i]);
	base = v_sqrt(sum / v_set(run));
	for (int i = 0; i < run; i++) {
		vf a = v_abs(v_load(r->x[i])), b = base + a;
		v_store(r->w[i], s->plain_abs ? a : b);
	}
}

struct lanes_affine {
	vf lo, hi, sum_w, sum_x; /* of the numbers */
	vf scale, min, best;	 /* so far */
	vm tame;
};

/* Lanes where inverse * (x - min) stays in the range of v_round; NaN does not. */
LANE_FN vm lanes_tame(const struct lanes_affine *a, vf inverse)
{
	vm above = v_le(v_abs(inverse * (a->hi - a->min)), v_set(TAME));
	return m_and(above, v_le(v_abs(inverse * (a->lo - a->min)), v_set(TAME)));
}

LANE_FN void lanes_range(const struct search_affine *s, int run, const struct lanes_runs *r, struct lanes_affine *a)
{
	a->lo = a->hi = v_load(r->x[0]);
	a->sum_w = v_load(r->w[0]);
	a->sum_x = a->sum_w * a->lo;
	for (int i = 1; i < run; i++) {
		vf x = v_load(r->x[i]), w = v_load(r->w[i]);
		a->lo = v_min(x, a->lo);
		a->hi = v_max(x, a->hi);
		a->sum_w += w;
		a->sum_x += w * x;
	}
	a->min = v_min(v_set(0), a->lo);
	a->tame = v_eq(a->sum_x, a->sum_x);
}

LANE_FN vf lanes_error(const struct search_affine *s, int run, const struct lanes_runs *r, float code[][LANES],
		       vf scale, vf min)
{
	vf error = v_set(0);
	if (s->absolute)
		for (int i = 0; i < run; i++)
			error += v_load(r->w[i]) * v_abs(scale * v_load(code[i]) + min - v_load(r->x[i]));
	else
		for (int i = 0; i < run; i++) {
			vf diff = scale * v_load(code[i]) + min - v_load(r->x[i]);
			error += v_load(r->w[i]) * (diff * diff);
		}
	return error;
}

/* One try: codes for a divided range, the best scale and minimum for them, taken where the error is less. */
LANE_FN void lanes_try(const struct search_affine *s, int run, const struct lanes_runs *r, float parts,
		       struct lanes_affine *a)
{
	float code[SEARCH_MAX_RUN][LANES];
	vf inverse = v_set(parts) / (a->hi - a->min), zero = v_set(0), top = v_set(s->top);
	vf sum_l = zero, sum_l2 = zero, sum_xl = zero;
	for (int i = 0; i < run; i++) {
		vf x = v_load(r->x[i]);
		vf l = v_clamp(v_round(inverse * (x - a->min)), zero, top), wl = v_load(r->w[i]) * l;
		v_store(code[i], l);
		sum_l += wl;
		sum_l2 += wl * l;
		sum_xl += wl * x;
	}
	vf det = a->sum_w * sum_l2 - sum_l * sum_l;
	vf scale = (a->sum_w * sum_xl - a->sum_x * sum_l) / det, min = (sum_l2 * a->sum_x - sum_l * sum_xl) / det;
	vm above = v_lt(zero, min);
	scale = v_pick(above, sum_xl / sum_l2, scale);
	min = v_pick(above, zero, min);
	vf error = lanes_error(s, run, r, code, scale, min);
	vm better = m_and(v_lt(zero, det), v_lt(error, a->best));
	a->tame = m_and(a->tame, lanes_tame(a, inverse));
	a->best = v_pick(better, error, a->best);
	a->scale = v_pick(better, scale, a->scale);
	a->min = v_pick(better, min, a->min);
}

LANE_FN unsigned lanes_search_affine(const struct search_affine *s, int run, const struct lanes_runs *r, vf *scale,
				     vf *min)
{
	struct lanes_affine a;
	float code[SEARCH_MAX_RUN][LANES];
	lanes_range(s, run, r, &a);
	vm flat = v_eq(a.hi, a.min);
	vf flat_min = a.min, inverse = v_set(s->top) / (a.hi - a.min);
	a.scale = v_set(1) / inverse;
	a.tame = m_and(a.tame, lanes_tame(&a, inverse));
	for (int i = 0; i < run; i++)
		v_store(code[i], v_clamp(v_round(inverse * (v_load(r->x[i]) - a.min)), v_set(0), v_set(s->top)));
	a.best = lanes_error(s, run, r, code, a.scale, a.min);
	for (int i = 0; i <= s->steps; i++)
		lanes_try(s, run, r, s->first + s->step * i + s->top, &a);
	*scale = v_pick(flat, v_set(0), a.scale);
	*min = -v_pick(flat, flat_min, a.min);
	return m_wild(m_or(a.tame, flat));
}

LANE_FN void lanes_affine_runs(const struct search_affine *s, int run, const float *x, const float *w, size_t n,
			       float *scale, float *min)
{
	for (size_t at = 0; at < n; at += LANES) {
		struct lanes_runs r;
		vf out_scale, out_min;
		lanes_load(x + at * run, run, n - at, r.x);
		if (w)
			lanes_load(w + at * run, run, n - at, r.w);
		else
			lanes_own_weights(s, run, &r);
		unsigned wild = lanes_search_affine(s, run, &r, &out_scale, &out_min);
		lanes_put(out_scale, n - at, scale + at);
		lanes_put(out_min, n - at, min + at);
		for (size_t k = at; wild && k < n; k++, wild >>= 1)
			if (wild & 1)
				kquant_scalar.affine(s, x + k * run, w ? w + k * run : NULL, 1, scale + k, min + k);
	}
}

/* Twice, so that the compiler sees how long a run is. */
static LANES_TARGET void lanes_affine(const struct search_affine *s, const float *x, const float *w, size_t n,
				      float *scale, float *min)
{
	if (s->run == 16)
		lanes_affine_runs(s, 16, x, w, n, scale, min);
	else
		lanes_affine_runs(s, 32, x, w, n, scale, min);
}

/* ---- signed ---------------------------------------------------------------------------------------------------- */

/* r->x holds the numbers, r->w the weights, wx their product. */
LANE_FN void lanes_signed_sums(int run, int half, const struct lanes_runs *r, float wx[][LANES], vf inverse, vf *sum_xl,
			       vf *sum_l2)
{
	vf lo = v_set(-half), hi = v_set(half - 1);
	*sum_xl = *sum_l2 = v_set(0);
	for (int i = 0; i < run; i++) {
		vf l = v_clamp(v_round(inverse * v_load(r->x[i])), lo, hi);
		*sum_xl += v_load(wx[i]) * l;
		*sum_l2 += v_load(r->w[i]) * l * l;
	}
}

LANE_FN unsigned lanes_search_signed(int run, int half, const struct lanes_runs *r, vf *out)
{
	float wx[SEARCH_MAX_RUN][LANES];
	vf amax, max, sum_xl, sum_l2, zero = v_set(0);
	for (int i = 0; i < run; i++)
		v_store(wx[i], v_load(r->w[i]) * v_load(r->x[i]));
	lanes_extreme(run, r, &amax, &max);
	vm empty = v_lt(amax, v_set(TOO_SMALL));
	vf inverse = v_set(-half) / max;
	lanes_signed_sums(run, half, r, wx, inverse, &sum_xl, &sum_l2);
	/* the tries go up to half + 0.9: twice the first bounds them all */
	vm tame = m_and(v_le(v_abs(inverse) * amax, v_set(TAME / 2)), v_eq(sum_xl, sum_xl));
	vf scale = v_pick(v_ne(sum_l2, zero), sum_xl / sum_l2, zero), best = scale * sum_xl;
	for (int i = -9; i <= 9; i++) {
		if (i == 0)
			continue;
		inverse = v_set(-(half + 0.1f * i)) / max;
		lanes_signed_sums(run, half, r, wx, inverse, &sum_xl, &sum_l2);
		vm better = m_and(v_lt(zero, sum_l2), v_lt(best * sum_l2, sum_xl * sum_xl));
		vf fit = sum_xl / sum_l2;
		scale = v_pick(better, fit, scale);
		best = v_pick(better, fit * sum_xl, best);
	}
	*out = v_pick(empty, zero, scale);
	return m_wild(m_or(tame, empty));
}

LANE_FN void lanes_symmetric_runs(int run, int half, const float *x, const float *w, size_t n, float *scale)
{
	for (size_t at = 0; at < n; at += LANES) {
		struct lanes_runs r;
		vf out;
		lanes_load(x + at * run, run, n - at, r.x);
		if (w)
			lanes_load(w + at * run, run, n - at, r.w);
		for (int i = 0; i < run && !w; i++)
			v_store(r.w[i], v_load(r.x[i]) * v_load(r.x[i]));
		unsigned wild = lanes_search_signed(run, half, &r, &out);
		lanes_put(out, n - at, scale + at);
		for (size_t k = at; wild && k < n; k++, wild >>= 1)
			if (wild & 1)
				kquant_scalar.symmetric(run, half, x + k * run, w ? w + k * run : NULL, 1, scale + k);
	}
}

static LANES_TARGET void lanes_symmetric(int run, int half, const float *x, const float *w, size_t n, float *scale)
{
	if (run == 16)
		lanes_symmetric_runs(16, half, x, w, n, scale);
	else
		lanes_symmetric_runs(32, half, x, w, n, scale);
}

/* Moves the code of number i where that helps; returns the lanes that moved. */
LANE_FN vm lanes_move(int half, vf x, vf *code, vf *sum_xl, vf *sum_l2)
{
	vf zero = v_set(0), l = *code, w = x * x, wx = w * x;
	vf xl = *sum_xl - wx * l, l2 = *sum_l2 - w * l * l;
	vm able = v_lt(zero, xl);
	vf to = v_float(i_clamp(v_nearest_int(x * l2 / xl), -half, half - 1));
	able = m_and(able, v_ne(to, l));
	xl += wx * to;
	l2 += w * to * to;
	able = m_and(able, m_and(v_lt(zero, l2), v_lt(*sum_xl * *sum_xl * l2, xl * xl * *sum_l2)));
	*code = v_pick(able, to, l);
	*sum_xl = v_pick(able, xl, *sum_xl);
	*sum_l2 = v_pick(able, l2, *sum_l2);
	return able;
}

/* A lane that moved nothing in one round would move nothing in the next: all lanes can go on together. */
LANE_FN vf lanes_search_descent(int run, int half, const struct lanes_runs *r)
{
	float code[SEARCH_MAX_RUN][LANES];
	vf amax, max, sum_xl = v_set(0), sum_l2 = v_set(0), zero = v_set(0);
	lanes_extreme(run, r, &amax, &max);
	vf inverse = v_set(-half) / max;
	for (int i = 0; i < run; i++) {
		vf x = v_load(r->x[i]), w = x * x, l = v_float(i_clamp(v_nearest_int(inverse * x), -half, half - 1));
		v_store(code[i], l);
		sum_xl += w * x * l;
		sum_l2 += w * l * l;
	}
	unsigned moved = 1;
	for (int round = 0; round < DESCENT_ROUNDS && moved; round++) {
		moved = 0;
		for (int i = 0; i < run; i++) {
			vf l = v_load(code[i]);
			moved |= m_bits(lanes_move(half, v_load(r->x[i]), &l, &sum_xl, &sum_l2));
			v_store(code[i], l);
		}
	}
	vf scale = v_pick(v_lt(zero, sum_l2), sum_xl / sum_l2, zero);
	return v_pick(v_lt(amax, v_set(TOO_SMALL)), zero, scale);
}

static LANES_TARGET void lanes_descent(int run, int half, const float *x, size_t n, float *scale)
{
	run = run == 16 ? 16 : 32;
	for (size_t at = 0; at < n; at += LANES) {
		struct lanes_runs r;
		lanes_load(x + at * run, run, n - at, r.x);
		lanes_put(lanes_search_descent(run, half, &r), n - at, scale + at);
	}
}

static LANES_TARGET void lanes_codes(const float *x, size_t n, float shift, float d, int lo, int hi, uint8_t *code)
{
	for (size_t i = 0; i < n; i += LANES) {
		vi l = v_nearest_int((v_load(x + i) + v_set(shift)) / v_set(d));
		i_store_bytes(code + i, i_sub(i_clamp(l, lo, hi), i_set(lo)));
	}
}

static const struct kquant_ops lanes_ops = {lanes_affine, lanes_symmetric, lanes_descent, lanes_codes};

/* The row of one k-quant, by its bits. */
#define KQUANT_KERNEL(bits, isa_name, isa_value)                                                                       \
	static void encode_q##bits(const float *src, void *const *plane, size_t n, const float *weights)               \
	{                                                                                                              \
		kquant_encode(&kquant_q##bits, &lanes_ops, src, plane[0], n, weights);                                 \
	}                                                                                                              \
	const struct quant_kernel kernel_q##bits##_k_##isa_name = {                                                    \
		.encoding = "q" #bits "_k",                                                                            \
		.isa = isa_value,                                                                                      \
		.encode = encode_q##bits,                                                                              \
	};

#endif
