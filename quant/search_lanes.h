/*
 * search_lanes.h - the searches of search.h for ABREAST * LANES runs at a time, one in each lane. To be included after a
 * lanes_ISA.h.
 *
 * Every lane does what the scalar search does with its run: the same operations in the same order, a condition becoming
 * a choice between two results. One thing is done otherwise: codes are rounded as floats and not through
 * nearest_int()'s bits. The two agree while the rounded value stays within +-2^22 (a zero may get a sign, which no sum
 * shows), and because all operations are monotonic it is enough to look at the run's two ends. A lane that fails the
 * test, or holds a NaN, is `wild`, and its run is the scalar code's to search.
 */
#ifndef QUANT_SEARCH_LANES_H
#define QUANT_SEARCH_LANES_H

#include "lanes.h"

#define TAME 0x1p21f
#define DESCENT_ROUNDS 5

typedef float lanes_code[SEARCH_MAX_RUN][LANES];

/* What a search found for the runs of one vector. */
struct lanes_found {
	vf scale, min;	  /* min as search_affine() gives it */
	vf inverse, base; /* the codes: inverse * (x - base), rounded and clamped; base is 0 where they are signed */
	vm empty;	  /* the codes are the least */
	unsigned wild;	  /* bit k: lane k is wild */
};

/* The codes that a search found, less lo: as bytes, code[i][k] for number i of run k. */
LANE_FN void lanes_found_codes(int run, const struct lanes_runs *r, const struct lanes_found *f, int lo, int hi,
			       uint8_t code[][LANES])
{
	for (int i = 0; i < run; i++) {
		vf v = f->inverse * (v_load(r->x[i]) - f->base);
		vi l = v_nearest_int(v_pick(f->empty, v_set(lo), v));
		i_store_bytes(code[i], i_sub(i_clamp(l, lo, hi), i_set(lo)));
	}
}

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
	vf min, best;		 /* so far; min has search_affine()'s sign turned */
	vm tame;
};

/* Lanes where inverse * (x - min) stays in the range of v_round; NaN does not. */
LANE_FN vm lanes_tame(const struct lanes_affine *a, vf inverse)
{
	vm above = v_le(v_abs(inverse * (a->hi - a->min)), v_set(TAME));
	return m_and(above, v_le(v_abs(inverse * (a->lo - a->min)), v_set(TAME)));
}

LANE_FN void lanes_range(int run, const struct lanes_runs *r, struct lanes_affine *a)
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

LANE_FN void lanes_error(const struct search_affine *s, int run, const struct lanes_runs r[ABREAST],
			 const lanes_code code[ABREAST], const vf scale[ABREAST], const vf min[ABREAST],
			 vf error[ABREAST])
{
	EACH(g)
		error[g] = v_set(0);
	if (s->absolute)
		for (int i = 0; i < run; i++)
			EACH(g) {
				vf diff = scale[g] * v_load(code[g][i]) + min[g] - v_load(r[g].x[i]);
				error[g] += v_load(r[g].w[i]) * v_abs(diff);
			}
	else
		for (int i = 0; i < run; i++)
			EACH(g) {
				vf diff = scale[g] * v_load(code[g][i]) + min[g] - v_load(r[g].x[i]);
				error[g] += v_load(r[g].w[i]) * (diff * diff);
			}
}

struct lanes_sums {
	vf l, l2, xl; /* of codes, their squares, their products with the numbers; all times weights */
};

/* Codes for a divided range. */
LANE_FN void lanes_divide(const struct search_affine *s, int run, const struct lanes_runs r[ABREAST],
			  const vf inverse[ABREAST], const struct lanes_affine a[ABREAST], lanes_code code[ABREAST],
			  struct lanes_sums out[ABREAST])
{
	vf zero = v_set(0), top = v_set(s->top), l[ABREAST], l2[ABREAST], xl[ABREAST];
	EACH(g)
		l[g] = l2[g] = xl[g] = zero;
	for (int i = 0; i < run; i++)
		EACH(g) {
			vf x = v_load(r[g].x[i]), q = v_clamp(v_round(inverse[g] * (x - a[g].min)), zero, top);
			vf wq = v_load(r[g].w[i]) * q;
			v_store(code[g][i], q);
			l[g] += wq;
			l2[g] += wq * q;
			xl[g] += wq * x;
		}
	EACH(g)
		out[g] = (struct lanes_sums){l[g], l2[g], xl[g]};
}

/* The best scale and minimum for given codes; the lanes that have one. */
LANE_FN vm lanes_fit(const struct lanes_affine *a, const struct lanes_sums *s, vf *scale, vf *min)
{
	vf zero = v_set(0), det = a->sum_w * s->l2 - s->l * s->l;
	*scale = (a->sum_w * s->xl - a->sum_x * s->l) / det;
	*min = (s->l2 * a->sum_x - s->l * s->xl) / det;
	vm above = v_lt(zero, *min);
	*scale = v_pick(above, s->xl / s->l2, *scale);
	*min = v_pick(above, zero, *min);
	return v_lt(zero, det);
}

/* One try: codes for a divided range, the best scale and minimum for them, taken where the error is less. */
LANE_FN void lanes_try(const struct search_affine *s, int run, const struct lanes_runs r[ABREAST], float parts,
		       struct lanes_affine a[ABREAST], struct lanes_found out[ABREAST])
{
	lanes_code code[ABREAST];
	struct lanes_sums sum[ABREAST];
	vf inverse[ABREAST], scale[ABREAST], min[ABREAST], error[ABREAST];
	vm able[ABREAST];
	EACH(g)
		inverse[g] = v_set(parts) / (a[g].hi - a[g].min);
	lanes_divide(s, run, r, inverse, a, code, sum);
	EACH(g)
		able[g] = lanes_fit(&a[g], &sum[g], &scale[g], &min[g]);
	lanes_error(s, run, r, code, scale, min, error);
	EACH(g) {
		vm better = m_and(able[g], v_lt(error[g], a[g].best));
		a[g].tame = m_and(a[g].tame, lanes_tame(&a[g], inverse[g]));
		out[g].scale = v_pick(better, scale[g], out[g].scale);
		out[g].inverse = v_pick(better, inverse[g], out[g].inverse);
		out[g].base = v_pick(better, a[g].min, out[g].base);
		a[g].best = v_pick(better, error[g], a[g].best);
		a[g].min = v_pick(better, min[g], a[g].min);
	}
}

LANE_FN void lanes_search_affine(const struct search_affine *s, int run, const struct lanes_runs r[ABREAST],
				 struct lanes_found out[ABREAST])
{
	struct lanes_affine a[ABREAST];
	struct lanes_sums sum[ABREAST];
	lanes_code code[ABREAST];
	vf inverse[ABREAST], scale[ABREAST], first_min[ABREAST], error[ABREAST], zero = v_set(0);
	EACH(g) {
		lanes_range(run, &r[g], &a[g]);
		out[g].empty = v_eq(a[g].hi, a[g].min);
		first_min[g] = out[g].base = a[g].min;
		out[g].inverse = inverse[g] = v_set(s->top) / (a[g].hi - a[g].min);
		out[g].scale = scale[g] = v_set(1) / inverse[g];
		a[g].tame = m_and(a[g].tame, lanes_tame(&a[g], inverse[g]));
	}
	lanes_divide(s, run, r, inverse, a, code, sum);
	lanes_error(s, run, r, code, scale, first_min, error);
	EACH(g)
		a[g].best = error[g];
	for (int i = 0; i <= s->steps; i++)
		lanes_try(s, run, r, s->first + s->step * i + s->top, a, out);
	EACH(g) {
		out[g].scale = v_pick(out[g].empty, zero, out[g].scale);
		out[g].min = -v_pick(out[g].empty, first_min[g], a[g].min);
		out[g].wild = m_wild(m_or(a[g].tame, out[g].empty));
	}
}

/* ---- signed ---------------------------------------------------------------------------------------------------- */

/* r->x holds the numbers, r->w the weights, wx their product. */
LANE_FN void lanes_signed_sums(int run, int half, const struct lanes_runs r[ABREAST], const lanes_code wx[ABREAST],
			       const vf inverse[ABREAST], vf sum_xl[ABREAST], vf sum_l2[ABREAST])
{
	vf lo = v_set(-half), hi = v_set(half - 1), xl[ABREAST], l2[ABREAST];
	EACH(g)
		xl[g] = l2[g] = v_set(0);
	for (int i = 0; i < run; i++)
		EACH(g) {
			vf l = v_clamp(v_round(inverse[g] * v_load(r[g].x[i])), lo, hi);
			xl[g] += v_load(wx[g][i]) * l;
			l2[g] += v_load(r[g].w[i]) * l * l;
		}
	EACH(g) {
		sum_xl[g] = xl[g];
		sum_l2[g] = l2[g];
	}
}

LANE_FN void lanes_search_signed(int run, int half, const struct lanes_runs r[ABREAST], struct lanes_found out[ABREAST])
{
	lanes_code wx[ABREAST];
	vf amax[ABREAST], max[ABREAST], sum_xl[ABREAST], sum_l2[ABREAST], inverse[ABREAST], best[ABREAST];
	vf zero = v_set(0);
	vm tame[ABREAST];
	EACH(g) {
		for (int i = 0; i < run; i++)
			v_store(wx[g][i], v_load(r[g].w[i]) * v_load(r[g].x[i]));
		lanes_extreme(run, &r[g], &amax[g], &max[g]);
		out[g].empty = v_lt(amax[g], v_set(TOO_SMALL));
		out[g].inverse = inverse[g] = v_set(-half) / max[g];
		out[g].base = out[g].min = zero;
	}
	lanes_signed_sums(run, half, r, wx, inverse, sum_xl, sum_l2);
	EACH(g) { /* the tries go up to half + 0.9: twice the first bounds them all */
		tame[g] = m_and(v_le(v_abs(inverse[g]) * amax[g], v_set(TAME / 2)), v_eq(sum_xl[g], sum_xl[g]));
		out[g].scale = v_pick(v_ne(sum_l2[g], zero), sum_xl[g] / sum_l2[g], zero);
		best[g] = out[g].scale * sum_xl[g];
	}
	for (int i = -9; i <= 9; i++) {
		if (i == 0)
			continue;
		EACH(g)
			inverse[g] = v_set(-(half + 0.1f * i)) / max[g];
		lanes_signed_sums(run, half, r, wx, inverse, sum_xl, sum_l2);
		EACH(g) {
			vm better = m_and(v_lt(zero, sum_l2[g]), v_lt(best[g] * sum_l2[g], sum_xl[g] * sum_xl[g]));
			vf fit = sum_xl[g] / sum_l2[g];
			out[g].scale = v_pick(better, fit, out[g].scale);
			out[g].inverse = v_pick(better, inverse[g], out[g].inverse);
			best[g] = v_pick(better, fit * sum_xl[g], best[g]);
		}
	}
	EACH(g) {
		out[g].scale = v_pick(out[g].empty, zero, out[g].scale);
		out[g].wild = m_wild(m_or(tame[g], out[g].empty));
	}
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
LANE_FN void lanes_search_descent(int run, int half, const struct lanes_runs r[ABREAST], vf out[ABREAST])
{
	lanes_code code[ABREAST];
	vf amax[ABREAST], max, inverse, sum_xl[ABREAST], sum_l2[ABREAST], zero = v_set(0);
	EACH(g) {
		lanes_extreme(run, &r[g], &amax[g], &max);
		inverse = v_set(-half) / max;
		sum_xl[g] = sum_l2[g] = zero;
		for (int i = 0; i < run; i++) {
			vf x = v_load(r[g].x[i]), w = x * x;
			vf l = v_float(i_clamp(v_nearest_int(inverse * x), -half, half - 1));
			v_store(code[g][i], l);
			sum_xl[g] += w * x * l;
			sum_l2[g] += w * l * l;
		}
	}
	unsigned moved = 1;
	for (int round = 0; round < DESCENT_ROUNDS && moved; round++) {
		moved = 0;
		for (int i = 0; i < run; i++)
			EACH(g) {
				vf l = v_load(code[g][i]);
				moved |= m_bits(lanes_move(half, v_load(r[g].x[i]), &l, &sum_xl[g], &sum_l2[g]));
				v_store(code[g][i], l);
			}
	}
	EACH(g) {
		vf scale = v_pick(v_lt(zero, sum_l2[g]), sum_xl[g] / sum_l2[g], zero);
		out[g] = v_pick(v_lt(amax[g], v_set(TOO_SMALL)), zero, scale);
	}
}

/* ---- positive -------------------------------------------------------------------------------------------------- */

/* Codes are integers from beginning to end, as in the scalar code: no lane is wild. */
LANE_FN vi i_at_most(vi a, int top)
{
	return i_clamp(a, INT32_MIN, top);
}

LANE_FN vi i_byte(vi a)
{
	return i_and(a, i_set(255));
}

/* The divisor among `top` and 8 around it with the least error. */
LANE_FN void lanes_positive_inverse(int run, int top, const struct lanes_runs r[ABREAST], const vf max[ABREAST],
				    vf inverse[ABREAST])
{
	vf best[ABREAST], error[ABREAST], try[ABREAST];
	EACH(g) {
		inverse[g] = v_set(top) / max[g];
		best[g] = v_set(0);
	}
	for (int i = 0; i < run; i++)
		EACH(g) {
			vf x = v_load(r[g].x[i]), l = v_float(i_byte(v_nearest_int(inverse[g] * x)));
			vf diff = x - v_set(1) / inverse[g] * l;
			best[g] += v_load(r[g].w[i]) * diff * diff;
		}
	for (int k = -4; k <= 4; k++) {
		if (k == 0)
			continue;
		EACH(g) {
			try[g] = v_set(0.1f * k + top) / max[g];
			error[g] = v_set(0);
		}
		for (int i = 0; i < run; i++)
			EACH(g) {
				vf x = v_load(r[g].x[i]), l = v_float(i_at_most(v_nearest_int(try[g] * x), top));
				vf diff = x - v_set(1) / try[g] * l;
				error[g] += v_load(r[g].w[i]) * diff * diff;
			}
		EACH(g) {
			vm better = v_lt(error[g], best[g]);
			best[g] = v_pick(better, error[g], best[g]);
			inverse[g] = v_pick(better, try[g], inverse[g]);
		}
	}
}

/* Moves the code of one scale where that helps; returns the lanes that moved. */
LANE_FN vm lanes_positive_move(int top, vf x, vf w, vf *code, vf *sum_xl, vf *sum_l2)
{
	vf zero = v_set(0), wx = w * x, xl = *sum_xl - wx * *code, l2 = *sum_l2 - w * *code * *code;
	vm able = m_and(v_lt(zero, xl), v_lt(zero, l2));
	vi to = i_at_most(v_nearest_int(x * l2 / xl), top);
	vf l = v_float(to);
	able = m_and(able, v_ne(l, *code));
	xl += wx * l;
	l2 += w * l * l;
	able = m_and(able, v_lt(*sum_xl * *sum_xl * l2, xl * xl * *sum_l2));
	*code = v_pick(able, v_float(i_byte(to)), *code);
	*sum_xl = v_pick(able, xl, *sum_xl);
	*sum_l2 = v_pick(able, l2, *sum_l2);
	return able;
}

LANE_FN void lanes_search_positive(int run, int top, const struct lanes_runs r[ABREAST], vf scale[ABREAST],
				   lanes_code code[ABREAST])
{
	vf max[ABREAST], inverse[ABREAST], sum_xl[ABREAST], sum_l2[ABREAST], zero = v_set(0);
	unsigned moved = 1;
	EACH(g) {
		max[g] = sum_xl[g] = sum_l2[g] = zero;
		for (int i = 0; i < run; i++)
			max[g] = v_max(max[g], v_load(r[g].x[i]));
	}
	lanes_positive_inverse(run, top, r, max, inverse);
	for (int i = 0; i < run; i++)
		EACH(g) {
			vf x = v_load(r[g].x[i]), w = v_load(r[g].w[i]);
			vi l = i_at_most(v_nearest_int(inverse[g] * x), top);
			v_store(code[g][i], v_float(i_byte(l)));
			sum_xl[g] += w * x * v_float(l);
			sum_l2[g] += w * v_float(l) * v_float(l);
		}
	for (int round = 0; round < DESCENT_ROUNDS && moved; round++) {
		moved = 0;
		for (int i = 0; i < run; i++)
			EACH(g) {
				vf x = v_load(r[g].x[i]), w = v_load(r[g].w[i]), l = v_load(code[g][i]);
				moved |= m_bits(lanes_positive_move(top, x, w, &l, &sum_xl[g], &sum_l2[g]));
				v_store(code[g][i], l);
			}
	}
	EACH(g) {
		vm empty = v_lt(max[g], v_set(TOO_SMALL));
		vf fit = v_pick(v_lt(zero, sum_l2[g]), sum_xl[g] / sum_l2[g], zero);
		scale[g] = v_pick(empty, zero, fit);
		for (int i = 0; i < run; i++)
			v_store(code[g][i], v_pick(empty, zero, v_load(code[g][i])));
	}
}

#endif
