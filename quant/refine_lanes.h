/*
 * refine_lanes.h - the primitives of refine_runs.h for LANES runs at a time, one in each lane. To be included after a
 * lanes_ISA.h; lanes_scalar.h makes the specification.
 */
#ifndef QUANT_REFINE_LANES_H
#define QUANT_REFINE_LANES_H

#include "bits.h"
#include "lanes.h"
#include "refine_runs.h"

LANE_FN void lanes_load_runs(const float *x, const float *w, int run, size_t n, struct lanes_runs *r)
{
	lanes_load(x, run, n, r->x);
	if (w)
		lanes_load(w, run, n, r->w);
	else
		for (int i = 0; i < run; i++)
			v_store(r->w[i], v_set(1));
}

/* Values of a try: scale * code - min. */
struct lanes_step {
	vf scale, min, inverse;
};

LANE_FN struct lanes_step lanes_step(vf scale, vf min)
{
	vf zero = v_set(0);
	return (struct lanes_step){scale, min, v_pick(v_ne(scale, zero), v_set(1) / scale, zero)};
}

LANE_FN vf lanes_code(const struct lanes_step *t, vf x, vf lo, vf hi)
{
	return v_clamp(v_round((x + t->min) * t->inverse), lo, hi);
}

LANE_FN vf lanes_run_error(const struct refine_shape *s, int run, const struct lanes_runs *r, struct lanes_step t)
{
	vf error = v_set(0), lo = v_set(s->lo), hi = v_set(s->hi);
	for (int i = 0; i < run; i++) {
		vf x = v_load(r->x[i]);
		vf rest = x + t.min - t.scale * lanes_code(&t, x, lo, hi);
		error += v_load(r->w[i]) * (rest * rest);
	}
	return error;
}

struct lanes_sums {
	vf w, q, qq, r, rq, rr;
};

LANE_FN struct lanes_sums lanes_run_sums(const struct refine_shape *s, int run, const struct lanes_runs *r,
					 struct lanes_step t)
{
	vf zero = v_set(0), lo = v_set(s->lo), hi = v_set(s->hi);
	struct lanes_sums a = {zero, zero, zero, zero, zero, zero};
	for (int i = 0; i < run; i++) {
		vf x = v_load(r->x[i]), w = v_load(r->w[i]);
		vf q = lanes_code(&t, x, lo, hi), rest = x + t.min - t.scale * q, wq = w * q, wr = w * rest;
		a.w += w;
		a.q += wq;
		a.qq += wq * q;
		a.r += wr;
		a.rq += wr * q;
		a.rr += wr * rest;
	}
	return a;
}

/* ---- fit ------------------------------------------------------------------------------------------------------- */

struct lanes_fit {
	vf scale, min, error;
};

LANE_FN void lanes_better(struct lanes_fit *best, vm also, vf scale, vf min, vf error)
{
	vm better = m_and(also, v_lt(error, best->error));
	best->scale = v_pick(better, scale, best->scale);
	best->min = v_pick(better, min, best->min);
	best->error = v_pick(better, error, best->error);
}

/* A try of codes by a scale, and the scale that fits these codes best: by what remains, so that nothing cancels. */
LANE_FN void lanes_try_scale(const struct refine_shape *s, int run, const struct lanes_runs *r, vf scale,
			     struct lanes_fit *best)
{
	vf zero = v_set(0);
	struct lanes_sums a = lanes_run_sums(s, run, r, lanes_step(scale, zero));
	vf more = a.rq / a.qq;
	lanes_better(best, v_lt(zero, a.qq), scale + more, zero, a.rr - more * a.rq);
}

LANE_FN void lanes_fit_scale(const struct refine_shape *s, int run, const struct lanes_runs *r,
			     const struct refine_tries *tries, struct lanes_fit *best)
{
	vf amax, max;
	lanes_extreme(run, r, &amax, &max);
	for (int i = 0; i < tries->n; i++) {
		vf scale = amax / v_set(tries->first + tries->step * i);
		lanes_try_scale(s, run, r, scale, best);
		lanes_try_scale(s, run, r, -scale, best);
	}
	for (int i = 0; i < 2; i++)
		lanes_try_scale(s, run, r, best->scale, best);
}

/* The same for scale and minimum; a minimum of the wrong sign becomes 0. */
LANE_FN void lanes_try_affine(const struct refine_shape *s, int run, const struct lanes_runs *r, vf scale, vf min,
			      struct lanes_fit *best)
{
	vf zero = v_set(0);
	struct lanes_sums a = lanes_run_sums(s, run, r, lanes_step(scale, min));
	vf det = a.w * a.qq - a.q * a.q;
	vf more = (a.w * a.rq - a.q * a.r) / det, less = (a.q * a.rq - a.qq * a.r) / det;
	vf to = min + less;
	if (s->min_hi > 1) { /* with the minimum at 0 the rest is larger by -min, the scale fits alone */
		vm below = v_lt(to, zero);
		less = v_pick(below, -min, less);
		more = v_pick(below, (a.rq + less * a.q) / a.qq, more);
		to = v_pick(below, zero, to);
	}
	vf error = a.rr + more * more * a.qq + less * less * a.w - v_set(2) * (more * a.rq - less * a.r) -
		   v_set(2) * more * less * a.q;
	lanes_better(best, v_lt(zero, det), scale + more, to, error);
}

LANE_FN void lanes_fit_affine(const struct refine_shape *s, int run, const struct lanes_runs *r,
			      const struct refine_tries *tries, struct lanes_fit *best)
{
	vf lo = v_load(r->x[0]), hi = lo;
	for (int i = 1; i < run; i++) {
		lo = v_min(v_load(r->x[i]), lo);
		hi = v_max(v_load(r->x[i]), hi);
	}
	if (s->min_hi > 1)
		lo = v_min(v_set(0), lo);
	vf part = (hi - lo) / v_set(s->hi);
	for (int i = 0; i < tries->n; i++)
		for (int j = 0; j < tries->n; j++) {
			vf from = lo + part * v_set(tries->first + tries->step * i);
			vf to = hi - part * v_set(tries->first + tries->step * j);
			lanes_try_affine(s, run, r, (to - from) / v_set(s->hi), -from, best);
		}
	for (int i = 0; i < 2; i++)
		lanes_try_affine(s, run, r, best->scale, best->min, best);
}

LANE_FN void lanes_fit_runs(const struct refine_shape *s, int run, const float *x, const float *w, size_t n,
			    float *scale, float *min)
{
	for (size_t at = 0; at < n; at += LANES) {
		struct lanes_runs r;
		struct lanes_fit best = {v_set(0), v_set(0), v_set(INFINITY)};
		lanes_load_runs(x + at * run, w ? w + at * run : NULL, run, n - at, &r);
		if (s->min_hi)
			lanes_fit_affine(s, run, &r, w ? &s->fit_weighted : &s->fit, &best);
		else
			lanes_fit_scale(s, run, &r, w ? &s->fit_weighted : &s->fit, &best);
		lanes_put(best.scale, n - at, scale + at);
		lanes_put(best.min, n - at, min + at);
	}
}

static LANES_TARGET void lanes_fit(const struct refine_shape *s, const float *x, const float *w, size_t n, float *scale,
				   float *min)
{
	if (s->run == 16)
		lanes_fit_runs(s, 16, x, w, n, scale, min);
	else
		lanes_fit_runs(s, 32, x, w, n, scale, min);
}

/* ---- around ------------------------------------------------------------------------------------------------------ */

LANE_FN vf lanes_get(const float *from, size_t n)
{
	float all[LANES];
	for (size_t k = 0; k < LANES; k++)
		all[k] = from[k < n ? k : 0];
	return v_load(all);
}

/* The runs' mean numbers. */
LANE_FN vf lanes_mean(int run, const struct lanes_runs *r)
{
	vf sum = v_set(0), weight = sum;
	for (int i = 0; i < run; i++) {
		sum += v_load(r->w[i]) * v_load(r->x[i]);
		weight += v_load(r->w[i]);
	}
	return v_pick(v_lt(v_set(0), weight), sum / weight, v_set(0));
}

/* What lanes_around_runs() has of its runs: the halves of their blocks; the codes around which it tries. */
struct lanes_middle {
	vf d, dmin, scale, min, mean;
};

/* The code of the minimum that keeps the mean code where a scale code is changed: most of a change is made good so. */
LANE_FN vf lanes_min_code(const struct lanes_middle *a, vf scale)
{
	vf zero = v_set(0), dm = a->dmin * a->min;
	vf change = v_pick(v_ne(a->scale, zero), (scale - a->scale) / a->scale, zero);
	vf code = v_round(change * (a->mean + dm) / a->dmin);
	return a->min + v_pick(v_eq(code, code), code, zero);
}

LANE_FN void lanes_try_around(const struct refine_shape *s, int run, const struct lanes_runs *r,
			      const struct lanes_middle *a, struct refine_reach reach, struct lanes_fit *best)
{
	for (int i = -reach.scale; i <= reach.scale; i++) {
		vf scale = v_clamp(a->scale + v_set(i), v_set(s->scale_lo), v_set(s->scale_hi));
		vf middle = s->min_hi > 1 ? lanes_min_code(a, scale) : a->min;
		for (int j = -reach.min; j <= reach.min; j++) {
			vf min = v_clamp(middle + v_set(j), v_set(s->min_hi == 1), v_set(s->min_hi));
			vf e = lanes_run_error(s, run, r, lanes_step(a->d * scale, a->dmin * min));
			lanes_better(best, v_eq(e, e), scale, min, e);
		}
	}
}

LANE_FN void lanes_around_runs(const struct refine_shape *s, int run, struct refine_reach reach, const float *x,
			     const float *w, size_t n, const float *d, const float *dmin, float *scale, float *min, float *error)
{
	for (size_t at = 0; at < n; at += LANES) {
		struct lanes_runs r;
		struct lanes_fit best = {v_set(0), v_set(0), v_set(INFINITY)};
		struct lanes_middle a = {lanes_get(d + at, n - at), lanes_get(dmin + at, n - at),
					 lanes_get(scale + at, n - at), lanes_get(min + at, n - at), v_set(0)};
		lanes_load_runs(x + at * run, w ? w + at * run : NULL, run, n - at, &r);
		if (s->min_hi > 1)
			a.mean = lanes_mean(run, &r);
		lanes_try_around(s, run, &r, &a, reach, &best);
		lanes_put(best.scale, n - at, scale + at);
		lanes_put(best.min, n - at, min + at);
		lanes_put(best.error, n - at, error + at);
	}
}

static LANES_TARGET void lanes_around(const struct refine_shape *s, struct refine_reach reach, const float *x,
				    const float *w, size_t n, const float *d, const float *dmin, float *scale, float *min, float *error)
{
	if (s->run == 16)
		lanes_around_runs(s, 16, reach, x, w, n, d, dmin, scale, min, error);
	else
		lanes_around_runs(s, 32, reach, x, w, n, d, dmin, scale, min, error);
}

/* ---- sums ------------------------------------------------------------------------------------------------------ */

LANE_FN void lanes_sums_runs(const struct refine_shape *s, int run, const float *x, const float *w, size_t n,
			     const float *scale, const float *min, float (*sum)[5])
{
	for (size_t at = 0; at < n; at += LANES) {
		struct lanes_runs r;
		float out[5][LANES];
		lanes_load_runs(x + at * run, w ? w + at * run : NULL, run, n - at, &r);
		struct lanes_sums a = lanes_run_sums(
			s, run, &r, lanes_step(lanes_get(scale + at, n - at), lanes_get(min + at, n - at)));
		v_store(out[0], a.w);
		v_store(out[1], a.q);
		v_store(out[2], a.qq);
		v_store(out[3], a.r);
		v_store(out[4], a.rq);
		for (size_t k = 0; k < LANES && at + k < n; k++)
			for (int i = 0; i < 5; i++)
				sum[at + k][i] = out[i][k];
	}
}

static LANES_TARGET void lanes_sums_of(const struct refine_shape *s, const float *x, const float *w, size_t n,
					const float *scale, const float *min, float (*sum)[5])
{
	if (s->run == 16)
		lanes_sums_runs(s, 16, x, w, n, scale, min, sum);
	else
		lanes_sums_runs(s, 32, x, w, n, scale, min, sum);
}

static const struct refine_ops lanes_refine_ops = {lanes_fit, lanes_around, lanes_sums_of};

/* The row of one encoding. */
#define REFINE_KERNEL(name, isa_name, isa_value)                                                                       \
	static void refine_##name##_##isa_name(const float *src, void *const *plane, size_t n, const float *weights)   \
	{                                                                                                              \
		refine_runs(&refine_shape_##name, &lanes_refine_ops, src, plane[0], n, weights);                       \
	}                                                                                                              \
	const struct quant_kernel kernel_##name##_refine_##isa_name = {                                                \
		.encoding = #name,                                                                                     \
		.isa = isa_value,                                                                                      \
		.refine = refine_##name##_##isa_name,                                                                  \
	};

#define REFINE_KERNELS(isa_name, isa_value)                                                                            \
	REFINE_KERNEL(q4_0, isa_name, isa_value)                                                                       \
	REFINE_KERNEL(q4_1, isa_name, isa_value)                                                                       \
	REFINE_KERNEL(q5_0, isa_name, isa_value)                                                                       \
	REFINE_KERNEL(q5_1, isa_name, isa_value)                                                                       \
	REFINE_KERNEL(q8_0, isa_name, isa_value)                                                                       \
	REFINE_KERNEL(q2_k, isa_name, isa_value)                                                                       \
	REFINE_KERNEL(q3_k, isa_name, isa_value)                                                                       \
	REFINE_KERNEL(q4_k, isa_name, isa_value)                                                                       \
	REFINE_KERNEL(q5_k, isa_name, isa_value)                                                                       \
	REFINE_KERNEL(q6_k, isa_name, isa_value)

#endif
