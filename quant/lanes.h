/*
 * lanes.h - what the searches in lanes share: LANES runs of numbers at a time, one in each lane. To be included after a
 * lanes_ISA.h.
 */
#ifndef QUANT_LANES_H
#define QUANT_LANES_H

#include "search.h"

#include <string.h>

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 4")
#endif

#define TOO_SMALL 1e-15f /* a run below this is all zeros */

struct lanes_runs {
	float x[SEARCH_MAX_RUN][LANES], w[SEARCH_MAX_RUN][LANES];
};

/* to[i][k] = number i of the run that begins at number k * stride. Lanes beyond n repeat the first. */
LANE_FN void lanes_load_strided(const float *from, size_t stride, int run, size_t n, float to[][LANES])
{
	const float *p[LANES];
	for (size_t k = 0; k < LANES; k++)
		p[k] = from + (k < n ? k : 0) * stride;
	for (int i = 0; i < run; i += TURN)
		for (int k = 0; k < LANES; k += TURN)
			turn(p + k, i, &to[i][k]);
}

/* The same where runs lie one after another. */
LANE_FN void lanes_load(const float *from, int run, size_t n, float to[][LANES])
{
	lanes_load_strided(from, run, run, n, to);
}

LANE_FN void lanes_put(vf v, size_t n, float *to)
{
	float all[LANES];
	v_store(all, v);
	memcpy(to, all, (n < LANES ? n : LANES) * sizeof *to);
}

/* ---- vectors abreast: a search's sums are chains of additions, each waiting for the one before; searches that take
 * turns use the time */

enum { ABREAST = 4 };
#define EACH(g) UNROLL for (int g = 0; g < ABREAST; g++)

/* Runs from `at` on, of n; w may be NULL. Vectors beyond n repeat the last. */
LANE_FN void lanes_load_abreast(const float *x, const float *w, int run, size_t at, size_t n, struct lanes_runs r[ABREAST])
{
	for (int g = 0; g < ABREAST; g++, at += at + LANES < n ? LANES : 0) {
		lanes_load(x + at * run, run, n - at, r[g].x);
		if (w)
			lanes_load(w + at * run, run, n - at, r[g].w);
	}
}

LANE_FN void lanes_put_abreast(const vf v[ABREAST], size_t at, size_t n, float *to)
{
	for (int g = 0; g < ABREAST && at < n; g++, at += LANES)
		lanes_put(v[g], n - at, to + at);
}

/* nearest_int() itself. */
LANE_FN vi v_nearest_int(vf a)
{
	return i_sub(i_and(v_bits(a + v_set(12582912.0f)), i_set(0x7fffff)), i_set(0x400000));
}

LANE_FN unsigned m_wild(vm tame)
{
	return ~m_bits(tame) & ((1u << LANES) - 1);
}

LANE_FN vf v_clamp(vf a, vf lo, vf hi)
{
	return v_min(v_max(a, lo), hi);
}

/* The largest magnitude of n numbers, a multiple of LANES, one after another; NaN are passed over. */
LANE_FN float lanes_largest(const float *x, int n)
{
	vf amax = v_set(0);
	for (int i = 0; i < n; i += LANES)
		amax = v_max(v_abs(v_load(x + i)), amax);
	return v_largest(amax);
}

LANE_FN bool lanes_have_nan(const float *x, int n)
{
	vf sum = v_set(0);
	for (int i = 0; i < n; i += LANES)
		sum += v_load(x + i) * v_set(0); /* infinities, too */
	return m_bits(v_ne(sum, sum)) != 0;
}

/* The largest magnitude of each run, and the first number that has it. */
LANE_FN void lanes_extreme(int run, const struct lanes_runs *r, vf *amax, vf *max)
{
	*amax = *max = v_set(0);
	for (int i = 0; i < run; i++) {
		vf x = v_load(r->x[i]), ax = v_abs(x);
		*max = v_pick(v_lt(*amax, ax), x, *max);
		*amax = v_max(ax, *amax);
	}
}

#endif
