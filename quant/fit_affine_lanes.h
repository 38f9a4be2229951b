/*
 * fit_affine_lanes.h - the search of fit_affine.c, a run in each lane; to be included after a lanes_ISA.h (for the scalar one: lanes_scalar.h).
 *
 * Each lane adds up its run from the first number to the last: sums do not depend on the number of lanes.
 */
#ifndef QUANT_FIT_AFFINE_LANES_H
#define QUANT_FIT_AFFINE_LANES_H

#include <float.h>

#include "fit_affine.h"
#include "lanes.h"

enum { ALL = ABREAST, FITS = 3 }; /* tries at a time: numbers are loaded once; times that the best is improved */

struct affine_runs {
	float x[FIT_AFFINE_MOST][LANES], w[FIT_AFFINE_MOST][LANES]; /* x: from the middle of the run's range */
	float middle[LANES], range[LANES];
	int run;
	bool weighted;
	float most;      /* the largest code */
	vf sum_x, sum_w; /* with the weights */
	vf gain, a, b;   /* of the best codes: by how much a * code + b makes the error less than zeros' */
};

struct affine_line {
	float scale[ALL][LANES], bias[ALL][LANES];
};

/* The code of a number as a float; NaN has one, too. */
LANE_FN vf v_code_of(vf x, vf inverse, vf zero, vf most)
{
	return v_round(v_max(v_min(x * inverse + zero, most), v_set(0)));
}

/* Codes of four scales around a zero, and the line that fits each best. */
LANE_FN void affine_attempt_all(struct affine_runs *r, const vf scale[ALL], vf zero, bool weighted)
{
	vf inverse[ALL], xc[ALL], cc[ALL], sc[ALL], most = v_set(r->most);

	EACH(k) {
		inverse[k] = v_set(1) / scale[k];
		xc[k] = cc[k] = sc[k] = v_set(0);
	}
	for (int i = 0; i < r->run; i++) {
		vf x = v_load(r->x[i]), w = weighted ? v_load(r->w[i]) : v_set(1);

		EACH(k) {
			vf c = v_code_of(x, inverse[k], zero, most), wc = c;

			if (weighted)
				wc = w * c;
			xc[k] += wc * x;
			cc[k] += wc * c;
			sc[k] += wc;
		}
	}
	EACH(k) {
		vf det = r->sum_w * cc[k] - sc[k] * sc[k];
		vf a = (r->sum_w * xc[k] - sc[k] * r->sum_x) / det, b = (cc[k] * r->sum_x - sc[k] * xc[k]) / det, gain = a * xc[k] + b * r->sum_x;
		vm better = m_and(m_and(v_lt(v_set(0), det), v_le(v_set(FLT_MIN), a)), v_lt(r->gain, gain));

		r->gain = v_pick(better, gain, r->gain);
		r->a = v_pick(better, a, r->a);
		r->b = v_pick(better, b, r->b);
	}
}

LANE_FN void affine_attempt(struct affine_runs *r, vf scale, float first, float step, vf zero)
{
	vf by[ALL];

	EACH(k) by[k] = scale * v_set(first + step * (float)k);
	if (r->weighted)
		affine_attempt_all(r, by, zero, true);
	else
		affine_attempt_all(r, by, zero, false);
}

/* Squared errors of four stored lines; of each lane the first that is least. */
LANE_FN void affine_errors(const struct affine_runs *r, const struct affine_line *line, int first, vf *least, vf *best, bool weighted)
{
	vf inverse[ALL], scale[ALL], bias[ALL], zero[ALL], sum[ALL], most = v_set(r->most);

	EACH(k) {
		scale[k] = v_load(line->scale[k]);
		bias[k] = v_load(line->bias[k]) - v_load(r->middle);
		inverse[k] = v_set(1) / scale[k];
		zero[k] = v_set(0) - bias[k] * inverse[k];
		sum[k] = v_set(0);
	}
	for (int i = 0; i < r->run; i++) {
		vf x = v_load(r->x[i]), w = weighted ? v_load(r->w[i]) : v_set(1);

		EACH(k) {
			vf d = x - (v_code_of(x, inverse[k], zero[k], most) * scale[k] + bias[k]);

			d = d * d;
			if (weighted)
				d = w * d;
			sum[k] += d;
		}
	}
	EACH(k) {
		vm better = v_lt(sum[k], *least);

		*least = v_pick(better, sum[k], *least);
		*best = v_pick(better, v_set((float)(first + k)), *best);
	}
}

/* Runs from `at` on: numbers from the middle of their range, and their sums. */
LANE_FN void affine_load(const struct fit_affine_runs *from, size_t at, struct affine_runs *r)
{
	vf lo, hi, middle;

	r->run = (int)from->run;
	r->weighted = from->w != NULL;
	r->most = (float)((1u << from->s->bits) - 1);
	lanes_load(from->x + at * from->run, r->run, from->n - at, r->x);
	if (r->weighted)
		lanes_load(from->w + at * from->run, r->run, from->n - at, r->w);
	lo = hi = v_load(r->x[0]);
	for (int i = 1; i < r->run; i++) {
		lo = v_min(v_load(r->x[i]), lo);
		hi = v_max(v_load(r->x[i]), hi);
	}
	middle = lo + (hi - lo) * v_set(0.5f);
	v_store(r->middle, middle);
	v_store(r->range, hi - lo);
	r->sum_x = r->sum_w = v_set(0);
	for (int i = 0; i < r->run; i++) {
		vf x = v_load(r->x[i]) - middle, w = r->weighted ? v_load(r->w[i]) : v_set(1);

		v_store(r->x[i], x);
		r->sum_x += w * x;
		r->sum_w += w;
	}
	r->gain = r->a = r->b = v_set(0);
}

/* Ranges from a little above that of all numbers down to a narrower one, then what the best codes ask for. */
LANE_FN void affine_search(struct affine_runs *r, float step)
{
	affine_attempt(r, v_load(r->range) * v_set(1 / r->most), 1.0f - step * 2.5f, step, v_set(r->most * 0.5f));
	for (int k = 0; k < FITS; k++)
		affine_attempt(r, r->a, 1 - step / 4, step / 4, v_set(0) - r->b / r->a);
}

/* Lines from `first` on. */
LANE_FN void affine_lines(const struct scaled *s, int first, const float *scale, const float *center, struct affine_line *l)
{
	for (int t = 0; t < ALL; t++)
		for (int i = 0; i < LANES; i++) {
			struct fit_line one = fit_affine_line(s, first + t, scale[i], center[i]);

			l->scale[t][i] = one.scale;
			l->bias[t][i] = one.bias;
		}
}

LANE_FN void affine_store(const struct affine_runs *r, const struct scaled *s, size_t n, struct fit_line *line)
{
	float scale[LANES], center[LANES], at[LANES];
	vf least = v_set(INFINITY), best = v_set(0);
	struct affine_line l;

	v_store(scale, r->a);
	v_store(center, r->b + r->a * v_set(r->most * 0.5f) + v_load(r->middle));
	for (int k = 0; k < fit_affine_lines(s->bits); k += ALL) {
		affine_lines(s, k, scale, center, &l);
		if (r->weighted)
			affine_errors(r, &l, k, &least, &best, true);
		else
			affine_errors(r, &l, k, &least, &best, false);
	}
	v_store(at, best);
	for (size_t i = 0; i < n && i < LANES; i++)
		line[i] = fit_affine_line(s, (int)at[i], scale[i], center[i]);
}

LANES_TARGET static void lanes_lines(const struct fit_affine_runs *from, struct fit_line *line)
{
	struct affine_runs r;

	for (size_t at = 0; at < from->n; at += LANES) {
		affine_load(from, at, &r);
		affine_search(&r, fit_affine_step(from->s->bits));
		affine_store(&r, from->s, from->n - at, line + at);
	}
}

#endif
