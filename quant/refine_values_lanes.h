/*
 * refine_values_lanes.h - the primitives of refine_values.h with LANES runs at a time, one in each lane. To be included after a
 * lanes_ISA.h (for the scalar ones: lanes_scalar.h) and, for IQ4,
 *
 *   vf lanes_value(vf scaled)    the value nearest to a number within +-150
 */
#ifndef QUANT_REFINE_LANES_H
#define QUANT_REFINE_LANES_H

#include "lanes.h"
#include "refine_values.h"

struct refine_lanes {
	float x[REFINE_MAX_RUN][LANES], w[REFINE_MAX_RUN][LANES];
};

LANE_FN vf refine_round(vf scaled, float lo, float hi)
{
	return v_round(v_clamp(scaled, v_set(lo), v_set(hi)));
}

/* E2M1, doubled: steps of 1 up to 4, of 2 up to 8, then 12. */
LANE_FN vf refine_nearest_fp4(vf scaled)
{
	vf size = v_min(v_abs(scaled), v_set(12)), near = v_round(size);
	vf mid = v_set(2) * v_round(v_set(0.5f) * size), far = v_set(4) * v_round(v_set(0.25f) * size);
	vf q = v_pick(v_lt(size, v_set(4)), near, v_pick(v_lt(size, v_set(8)), mid, far));
	return v_pick(v_lt(scaled, v_set(0)), -q, q);
}

LANE_FN vf refine_nearest(enum refine_grid grid, vf scaled)
{
	switch (grid) {
	case REFINE_IQ4:
		return lanes_value(v_clamp(scaled, v_set(-150), v_set(150)));
	case REFINE_FP4:
		return refine_nearest_fp4(scaled);
	case REFINE_TERNARY:
		return refine_round(scaled, -1, 1);
	case REFINE_QUARTERS:
		return refine_round(scaled, -1, 2);
	default:
		return v_pick(v_lt(scaled, v_set(0)), v_set(-1), v_set(1));
	}
}

LANE_FN void refine_load(const struct refine_run *r, const float *x, const float *w, size_t n, struct refine_lanes *l)
{
	lanes_load(x, r->size, n, l->x);
	if (w)
		lanes_load(w, r->size, n, l->w);
	for (int i = 0; i < r->size && !w; i++)
		v_store(l->w[i], v_set(1));
}

struct refine_fit {
	vf inverse, xq, q2;
};

/* Two scales at once: each is a chain of additions, which the other one's fill. */
LANE_FN void refine_sum_two(const struct refine_run *r, const struct refine_lanes *l, struct refine_fit *a,
			    struct refine_fit *b)
{
	a->xq = a->q2 = b->xq = b->q2 = v_set(0);
	for (int i = 0; i < r->size; i++) {
		vf x = v_load(l->x[i]), w = v_load(l->w[i]);
		vf p = refine_nearest(r->grid, a->inverse * x), wp = w * p;
		vf q = refine_nearest(r->grid, b->inverse * x), wq = w * q;
		a->xq += wp * x;
		a->q2 += wp * p;
		b->xq += wq * x;
		b->q2 += wq * q;
	}
}

struct refine_best {
	vf scale, gain, xq, q2; /* gain: by how much the scale makes the error less than that of zeros */
};

LANE_FN void refine_take(const struct refine_fit *f, struct refine_best *best)
{
	vf scale = f->xq / f->q2, gain = scale * f->xq;
	vm better = v_lt(best->gain, gain);
	best->gain = v_pick(better, gain, best->gain);
	best->scale = v_pick(better, scale, best->scale);
	best->xq = v_pick(better, f->xq, best->xq);
	best->q2 = v_pick(better, f->q2, best->q2);
}

LANE_FN vf refine_extreme(const struct refine_run *r, const struct refine_lanes *l)
{
	vf amax = v_set(0), max = v_set(0);
	for (int i = 0; i < r->size; i++) {
		vf x = v_load(l->x[i]), size = v_abs(x);
		max = v_pick(v_lt(amax, size), x, max);
		amax = v_max(size, amax);
	}
	return max;
}

/* Tries two at a time (an odd last one twice); then the values for the best scale give a scale that is better yet. */
LANE_FN void refine_search(const struct refine_run *r, const struct refine_lanes *l, struct refine_best *best)
{
	struct refine_fit a, b;
	vf max = refine_extreme(r, l);
	best->scale = best->gain = best->xq = best->q2 = v_set(0);
	for (int k = 0; k < r->n_tries; k += 2) {
		a.inverse = v_set(r->tries[k]) / max;
		b.inverse = v_set(r->tries[k + 1 < r->n_tries ? k + 1 : k]) / max;
		refine_sum_two(r, l, &a, &b);
		refine_take(&a, best);
		refine_take(&b, best);
	}
	for (int round = 0; round < 3; round++) { /* and one a little beside it */
		a.inverse = v_set(1) / best->scale;
		b.inverse = a.inverse * v_set(round & 1 ? 0.99f : 1.01f);
		refine_sum_two(r, l, &a, &b);
		refine_take(&a, best);
		refine_take(&b, best);
	}
}

LANE_FN void refine_fit_runs(const struct refine_run *r, const float *x, const float *w, size_t n, float *scale,
			     struct refine_sums *s)
{
	for (size_t at = 0; at < n; at += LANES) {
		struct refine_lanes l;
		struct refine_best best;
		size_t skip = at * (size_t)r->size;
		refine_load(r, x + skip, w ? w + skip : NULL, n - at, &l);
		refine_search(r, &l, &best);
		lanes_put(best.scale, n - at, scale + at);
		lanes_put(best.xq, n - at, s->xq + at);
		lanes_put(best.q2, n - at, s->q2 + at);
	}
}

LANE_FN void refine_sum_runs(const struct refine_run *r, const float *x, const float *w, size_t n, const float *scale,
			     struct refine_sums *s)
{
	for (size_t at = 0; at < n; at += LANES) {
		struct refine_lanes l;
		float all[LANES];
		size_t skip = at * (size_t)r->size;
		vf zero = v_set(0), xq = zero, q2 = zero, error = zero;
		refine_load(r, x + skip, w ? w + skip : NULL, n - at, &l);
		for (size_t k = 0; k < LANES; k++)
			all[k] = scale[at + k < n ? at + k : at];
		vf d = v_load(all), inverse = v_pick(v_ne(d, zero), v_set(1) / d, zero);
		for (int i = 0; i < r->size; i++) {
			vf v = v_load(l.x[i]), q = refine_nearest(r->grid, inverse * v), wq = v_load(l.w[i]) * q;
			vf diff = v - d * q;
			xq += wq * v;
			q2 += wq * q;
			error += v_load(l.w[i]) * (diff * diff);
		}
		lanes_put(xq, n - at, s->xq + at);
		lanes_put(q2, n - at, s->q2 + at);
		lanes_put(error, n - at, s->error + at);
	}
}

/* One function per grid, so that the compiler sees which it is. */
#define REFINE_EACH_GRID(CALL)                                                                                         \
	switch (r->grid) {                                                                                             \
	case REFINE_IQ4:                                                                                               \
		CALL(REFINE_IQ4, 32);                                                                                  \
		break;                                                                                                 \
	case REFINE_FP4:                                                                                               \
		CALL(REFINE_FP4, r->size);                                                                             \
		break;                                                                                                 \
	case REFINE_TERNARY:                                                                                           \
		CALL(REFINE_TERNARY, 256);                                                                             \
		break;                                                                                                 \
	case REFINE_QUARTERS:                                                                                          \
		CALL(REFINE_QUARTERS, 64);                                                                             \
		break;                                                                                                 \
	case REFINE_SIGNS:                                                                                             \
		CALL(REFINE_SIGNS, 128);                                                                               \
		break;                                                                                                 \
	}

static LANES_TARGET void lanes_refine_fit(const struct refine_run *r, const float *x, const float *w, size_t n,
					  float *scale, struct refine_sums *s)
{
#define CALL(name, numbers)                                                                                            \
	refine_fit_runs(&(struct refine_run){name, numbers, r->n_tries, r->tries}, x, w, n, scale, s)
	REFINE_EACH_GRID(CALL)
#undef CALL
}

static LANES_TARGET void lanes_refine_sums(const struct refine_run *r, const float *x, const float *w, size_t n,
					   const float *scale, struct refine_sums *s)
{
#define CALL(name, numbers) refine_sum_runs(&(struct refine_run){name, numbers, 0, NULL}, x, w, n, scale, s)
	REFINE_EACH_GRID(CALL)
#undef CALL
}

#endif
