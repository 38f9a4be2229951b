/*
 * iq1_lanes.h - the searches of iq1_s.c and iq1_m.c with LANES runs at a time, one in each lane; the points near a group
 * LANES at a time. To be included after a lanes_ISA.h.
 *
 * Runs are sorted by counting: a number's rank is how many others come before it, and its weight goes where the rank
 * says. A run with a NaN, whose ranks make no order, finds nothing, as in the scalar code.
 */
#ifndef QUANT_IQ1_LANES_H
#define QUANT_IQ1_LANES_H

#include "iq1_refine.h"
#include "lanes.h"

#include <float.h>
#include <limits.h>
#include <math.h>

#if defined(__clang__)
#define UNROLLED _Pragma("clang loop unroll(full)")
#else
#define UNROLLED _Pragma("GCC unroll 8")
#endif

typedef int32_t words __attribute__((vector_size(4 * LANES)));

/* Sums over the sorted numbers up to each place; of either group where they are kept apart. */
struct lanes_iq1_sums {
	float wx[2][IQ1_MAX_RUN + 1][LANES], w[2][IQ1_MAX_RUN + 1][LANES];
};

struct lanes_cut {
	vf scale, score, first, second, minus;
};

/* What becomes of LANES runs. */
struct lanes_iq1 {
	struct lanes_runs r;
	float rank[IQ1_MAX_RUN][LANES];
	float scale[LANES], minus[LANES], empty[LANES], moved[LANES];
	int32_t slot[IQ1_MAX_GROUPS][LANES], packed[IQ1_MAX_GROUPS][LANES];
};

LANE_FN vi words_load(const int32_t *p)
{
	words w;
	memcpy(&w, p, sizeof w);
	return (vi)w;
}

LANE_FN void words_store(int32_t *p, vi v)
{
	words w = (words)v;
	memcpy(p, &w, sizeof w);
}

/* Sums of squares of LANES super-blocks, one in each lane. */
LANE_FN void lanes_squares(const float *x, size_t blocks, float sum[LANES])
{
	float turned[32][LANES];
	vf all = v_set(0);
	for (int at = 0; at < QK_K; at += 32) {
		lanes_load_strided(x + at, QK_K, 32, blocks, turned);
		for (int i = 0; i < 32; i++)
			all += v_load(turned[i]) * v_load(turned[i]);
	}
	v_store(sum, all);
}

static LANES_TARGET void lanes_iq1_weights(const float *x, const float *importance, size_t n, float *w)
{
	for (size_t block = 0; block < n / QK_K && importance; block += LANES) {
		float sum[LANES];
		lanes_squares(x + block * QK_K, n / QK_K - block, sum);
		for (size_t i = block * QK_K; i < n && i < (block + LANES) * QK_K; i += LANES) {
			vf v = v_load(x + i), variance = v_set(2 * sum[i / QK_K - block] / QK_K);
			v_store(w + i, v_load(importance + i) * v_sqrt(variance + v * v));
		}
	}
	for (size_t i = 0; i < n && !importance; i += LANES)
		v_store(w + i, v_load(x + i) * v_load(x + i));
}

LANE_FN void lanes_rank(int run, const struct lanes_runs *r, float rank[][LANES])
{
	vf zero = v_set(0), one = v_set(1);
	for (int i = 0; i < run; i++)
		v_store(rank[i], v_set((float)(run - 1 - i)));
	for (int i = 0; i < run; i++) {
		vf x = v_load(r->x[i]), own = v_load(rank[i]);
		for (int j = i + 1; j < run; j++) {
			vf after = v_pick(v_lt(v_load(r->x[j]), x), zero, one);
			own -= after;
			v_store(rank[j], v_load(rank[j]) + after);
		}
		v_store(rank[i], own);
	}
}

LANE_FN void lanes_add_up(int run, int groups, const struct lanes_iq1 *l, struct lanes_iq1_sums *s)
{
	memset(s, 0, sizeof *s);
	for (int i = 0; i < run; i++) {
		int32_t rank[LANES];
		float wx[LANES];
		int g = groups > 1 ? i / IQ1_GROUP : 0;
		words_store(rank, v_nearest_int(v_load(l->rank[i])));
		v_store(wx, v_load(l->r.w[i]) * v_load(l->r.x[i]));
		for (int k = 0; k < LANES; k++) {
			s->wx[g][rank[k] + 1][k] = wx[k];
			s->w[g][rank[k] + 1][k] = l->r.w[i][k];
		}
	}
	for (int g = 0; g < groups; g++)
		for (int i = 0; i < run; i++) {
			v_store(s->wx[g][i + 1], v_load(s->wx[g][i]) + v_load(s->wx[g][i + 1]));
			v_store(s->w[g][i + 1], v_load(s->w[g][i]) + v_load(s->w[g][i + 1]));
		}
}

/* ---- the best cut ---------------------------------------------------------------------------------------------- */

LANE_FN vm lanes_beats(const struct lanes_cut *c, vf xq, vf q2)
{
	return v_lt(c->score * q2, xq * xq);
}

LANE_FN void lanes_take(struct lanes_cut *c, vf xq, vf q2, int first, int second, int minus)
{
	vm better = m_and(v_lt(v_set(0), q2), lanes_beats(c, xq, q2));
	vf scale = xq / q2;
	c->scale = v_pick(better, scale, c->scale);
	c->score = v_pick(better, scale * xq, c->score);
	c->first = v_pick(better, v_set((float)first), c->first);
	c->second = v_pick(better, v_set((float)second), c->second);
	c->minus = v_pick(better, v_set((float)minus), c->minus);
}

/* Where only scores above what some cut reaches can win, the search need not meet the lower ones: the reference's
 * rounding lets one score win over another that is above it by some 2^-22, and of 1122 cuts the least and the last that
 * win so are within 2^-10. Numbers near the ends of the range, where rounding is coarser, start from nothing. */
LANE_FN vf lanes_start(vf reached, vf all_w)
{
	vm tame = m_and(v_lt(v_set(0x1p-60f), reached), v_lt(reached, v_set(0x1p60f)));
	tame = m_and(tame, m_and(v_lt(v_set(0x1p-50f), all_w), v_lt(all_w, v_set(0x1p60f))));
	return v_pick(tame, reached * v_set(1 - 0x1p-8f), v_set(-FLT_MAX));
}

/* Sums of weight * level * number and of weight * level^2 for each choice of shifts that iq1_s has (2) and iq1_m (4). */
struct lanes_fit {
	vf xq[4], q2[4];
};

/* What the numbers from each place up add, for a shift up and down. */
struct lanes_upper {
	float xq[2][IQ1_MAX_RUN + 1][LANES], q2[2][IQ1_MAX_RUN + 1][LANES];
};

LANE_FN void lanes_iq1_s_upper(const struct lanes_iq1_sums *s, struct lanes_upper *u)
{
	UNROLLED
	for (int m = 0; m < 2; m++) {
		vf top = v_set(iq1_level[m][2]);
		for (int i = 0; i <= 32; i++) {
			v_store(u->xq[m][i], (v_load(s->wx[0][32]) - v_load(s->wx[0][i])) * top);
			v_store(u->q2[m][i], (v_load(s->w[0][32]) - v_load(s->w[0][i])) * top * top);
		}
	}
}

LANE_FN void lanes_iq1_s_fit(const struct lanes_iq1_sums *s, const struct lanes_upper *u, int first, int second,
			     struct lanes_fit *f)
{
	vf middle = v_set(IQ1_DELTA), wx = v_load(s->wx[0][first]), w = v_load(s->w[0][first]);
	vf xq = (v_load(s->wx[0][second]) - wx) * middle, q2 = (v_load(s->w[0][second]) - w) * middle * middle;
	UNROLLED
	for (int m = 0; m < 2; m++) {
		vf low = v_set(iq1_level[m][0]);
		f->xq[m] = wx * low + (m ? -xq : xq) + v_load(u->xq[m][second]);
		f->q2[m] = w * low * low + q2 + v_load(u->q2[m][second]);
	}
}

LANE_FN vf lanes_reached(vf reached, const struct lanes_fit *f, int fits)
{
	UNROLLED
	for (int m = 0; m < fits; m++)
		reached = v_max(f->xq[m] * f->xq[m] / f->q2[m], reached);
	return reached;
}

/* Improvements are rare; a cut that is better in no lane is only measured. */
LANE_FN void lanes_take_any(struct lanes_cut *c, const struct lanes_fit *f, int fits, int first, int second)
{
	vm any = lanes_beats(c, f->xq[0], f->q2[0]);
	UNROLLED
	for (int m = 1; m < fits; m++)
		any = m_or(any, lanes_beats(c, f->xq[m], f->q2[m]));
	if (!m_bits(any))
		return;
	UNROLLED
	for (int m = 0; m < fits; m++)
		lanes_take(c, f->xq[m], f->q2[m], first, second, fits == 4 ? m / 2 | m % 2 << 1 : 15 * m);
}

LANE_FN void lanes_iq1_s_cut(const struct lanes_iq1_sums *s, struct lanes_cut *c)
{
	struct lanes_upper u;
	struct lanes_fit f;
	vf reached = v_set(0);
	lanes_iq1_s_upper(s, &u);
	for (int first = 8; first <= 12; first += 2)
		for (int second = 20; second <= 24; second += 2) {
			lanes_iq1_s_fit(s, &u, first, second, &f);
			reached = lanes_reached(reached, &f, 2);
		}
	c->score = lanes_start(reached, v_load(s->w[0][32]));
	for (int first = 0; first <= 32; first++)
		for (int second = first; second <= 32; second++) {
			lanes_iq1_s_fit(s, &u, first, second, &f);
			lanes_take_any(c, &f, 2, first, second);
		}
}

/* The terms of iq1_m.c's group_fit(), by group and shift: `top` is the highest level's, those of q2 depend on one cut. */
struct lanes_terms {
	vf top[2][2];
	float lower[2][2][17][LANES], upper[2][2][17][LANES];
};

LANE_FN void lanes_iq1_m_terms(const struct lanes_iq1_sums *s, struct lanes_terms *t)
{
	UNROLLED
	for (int g = 0; g < 2; g++)
		UNROLLED
		for (int m = 0; m < 2; m++) {
			vf top = v_set(iq1_level[m][2]), all = v_load(s->w[g][16]) * top * top;
			t->top[g][m] = v_load(s->wx[g][16]) * top;
			for (int i = 0; i <= 16; i++) {
				v_store(t->lower[g][m][i], v_load(s->w[g][i]) * v_set(m ? 1.25f : 0.75f) + all);
				v_store(t->upper[g][m][i], v_load(s->w[g][i]) * v_set(m ? -0.75f : -1.25f));
			}
		}
}

LANE_FN void lanes_iq1_m_fit(const struct lanes_iq1_sums *s, const struct lanes_terms *t, int first, int second,
			     struct lanes_fit *f)
{
	vf xq[2][2], q2[2][2];
	UNROLLED
	for (int g = 0; g < 2; g++) {
		vf cuts = v_load(s->wx[g][second]) + v_load(s->wx[g][first]);
		UNROLLED
		for (int m = 0; m < 2; m++) {
			xq[g][m] = t->top[g][m] - cuts;
			q2[g][m] = v_load(t->upper[g][m][second]) + v_load(t->lower[g][m][first]);
		}
	}
	UNROLLED
	for (int i = 0; i < 4; i++) {
		f->xq[i] = xq[0][i / 2] + xq[1][i % 2];
		f->q2[i] = q2[0][i / 2] + q2[1][i % 2];
	}
}

LANE_FN void lanes_iq1_m_cut(const struct lanes_iq1_sums *s, struct lanes_cut *c)
{
	struct lanes_terms t;
	struct lanes_fit f;
	vf reached = v_set(0);
	lanes_iq1_m_terms(s, &t);
	for (int first = 4; first <= 6; first++)
		for (int second = 10; second <= 12; second++) {
			lanes_iq1_m_fit(s, &t, first, second, &f);
			reached = lanes_reached(reached, &f, 4);
		}
	c->score = lanes_start(reached, v_load(s->w[0][16]) + v_load(s->w[1][16]));
	for (int first = 0; first <= 16; first++)
		for (int second = first; second <= 16; second++) {
			lanes_iq1_m_fit(s, &t, first, second, &f);
			lanes_take_any(c, &f, 4, first, second);
		}
}

/* ---- onto the grid --------------------------------------------------------------------------------------------- */

/* Runs that are all zeros, have a NaN, or no cut. */
LANE_FN vm lanes_empty(int run, const struct lanes_runs *r, float limit, const struct lanes_cut *c)
{
	vm empty = v_lt(c->first, v_set(0));
	vf max = v_set(0);
	for (int i = 0; i < run; i++) {
		vf x = v_load(r->x[i]);
		max = v_max(v_abs(x), max);
		empty = m_or(empty, v_ne(x, x));
	}
	return m_or(empty, v_lt(max, v_set(limit)));
}

/* The slots of the codes that a cut means. */
LANE_FN void lanes_slots(int run, struct lanes_iq1 *l, const struct lanes_cut *c)
{
	vf zero = v_set(0), one = v_set(1);
	vm turned = v_lt(c->scale, zero);
	for (int g = 0; g < run / IQ1_GROUP; g++) {
		vf slot = zero;
		for (int i = IQ1_GROUP - 1; i >= 0; i--) {
			vf rank = v_load(l->rank[g * IQ1_GROUP + i]);
			vf code = v_pick(v_lt(rank, c->first), zero, one) + v_pick(v_lt(rank, c->second), zero, one);
			slot = slot * v_set(3) + v_pick(turned, v_set(2) - code, code);
		}
		words_store(l->slot[g], v_nearest_int(slot));
	}
	v_store(l->scale, v_pick(turned, -c->scale, c->scale));
	v_store(l->minus, v_pick(turned, v_set((float)((1 << run / IQ1_GROUP) - 1)) - c->minus, c->minus));
}

/* The first place of the least cost; at[k] is where lane k found its own. */
LANE_FN int lanes_first_least(vf cost, vf at, float *least)
{
	float ats[LANES];
	int place = INT_MAX;
	*least = v_least(cost);
	v_store(ats, at);
	for (unsigned who = m_bits(v_eq(cost, v_set(*least))); who; who &= who - 1) {
		int k = __builtin_ctz(who), here = (int)ats[k] + k;
		place = here < place ? here : place;
	}
	return place;
}

/* grid_nearest() in lanes; the error is infinite where none is below FLT_MAX. */
LANE_FN unsigned lanes_nearest(const struct grid *g, const struct grid_near *near, const float *x, const float *w,
			       float scale, const float *level, float *error)
{
	const uint16_t *list = g->list + near->first;
	const float four[4] = {level[0], level[1], level[2]};
	vf value = v_set(scale) * v_load_fours(four), cost[IQ1_GROUP], least = v_set(FLT_MAX), place = v_set(0);
	UNROLLED
	for (int i = 0; i < IQ1_GROUP; i++) {
		vf diff = value - v_set(x[i]);
		cost[i] = v_set(w[i]) * diff * diff;
	}
	for (int at = 0; at < near->n; at += LANES) {
		words points = (words)i_load_words(list + at);
		vf sum = v_of_four(cost[0], (vi)points);
		UNROLLED
		for (int i = 1; i < IQ1_GROUP; i++)
			sum += v_of_four(cost[i], (vi)(points >> 2 * i));
		vm better = v_lt(sum, least);
		least = v_pick(better, sum, least);
		place = v_pick(better, v_set((float)at), place);
	}
	unsigned packed = list[lanes_first_least(least, place, error)];
	*error = *error < FLT_MAX ? *error : INFINITY;
	return packed;
}

/* A group whose codes are no point. */
struct lanes_off {
	uint8_t lane, group;
};

/* Takes the points that codes are; of groups where they are none, makes a list. No processor foresees which these are. */
LANE_FN int lanes_on_grid(int run, size_t n, struct lanes_iq1 *l, struct lanes_off *off)
{
	const struct grid *grid = grid_get(GRID_IQ1_S);
	int n_off = 0;
	for (size_t k = 0; k < n; k++)
		for (int g = 0; g < run / IQ1_GROUP; g++) {
			const struct grid_near *near = grid->near + l->slot[g][k];
			l->packed[g][k] = grid->list[near->first];
			off[n_off] = (struct lanes_off){(uint8_t)k, (uint8_t)g};
			n_off += (near->index < 0) & (l->empty[k] == 0);
		}
	return n_off;
}

LANE_FN void lanes_place(int run, const float *x, const float *w, size_t n, struct lanes_iq1 *l)
{
	const struct grid *grid = grid_get(GRID_IQ1_S);
	struct lanes_off off[IQ1_MAX_GROUPS * LANES + 1];
	memset(l->moved, 0, sizeof l->moved);
	memset(l->packed, 0, sizeof l->packed);
	int n_off = lanes_on_grid(run, n, l, off);
	for (int i = 0; i < n_off; i++) {
		int k = off[i].lane, g = off[i].group, at = k * run + g * IQ1_GROUP;
		l->moved[k] = 1;
		float error;
		l->packed[g][k] = (int32_t)lanes_nearest(grid, grid->near + l->slot[g][k], x + at, w + at, l->scale[k],
							 iq1_levels((unsigned)l->minus[k], g), &error);
	}
}

/* What was found for n runs. */
LANE_FN void lanes_found(int run, size_t n, const struct lanes_iq1 *l, vf fitted, struct iq1_found *found)
{
	const struct grid *grid = grid_get(GRID_IQ1_S);
	float scale[LANES];
	v_store(scale, fitted);
	for (size_t k = 0; k < n; k++) {
		memset(&found[k], 0, sizeof found[k]);
		if (l->empty[k] != 0)
			continue;
		found[k].scale = scale[k];
		found[k].minus = (uint8_t)l->minus[k];
		for (int g = 0; g < run / IQ1_GROUP; g++)
			found[k].index[g] = (uint16_t)grid->near[iq1_slot((unsigned)l->packed[g][k])].index;
	}
}

/* The scales that fit the points. */
LANE_FN vf lanes_refit(int run, const struct lanes_iq1 *l)
{
	vf sum_xq = v_set(0), sum_q2 = v_set(0), zero = v_set(0), scale = v_load(l->scale);
	words minus = (words)v_nearest_int(v_load(l->minus));
	for (int i = 0; i < run; i++) {
		int g = i / IQ1_GROUP;
		words code = (words)words_load(l->packed[g]) >> 2 * (i % IQ1_GROUP) & 3;
		words eighths = 8 * code - 7 - 2 * (minus >> g & 1);
		vf q = v_float((vi)eighths) * v_set(IQ1_DELTA), wq = v_load(l->r.w[i]) * q;
		sum_xq += wq * v_load(l->r.x[i]);
		sum_q2 += wq * q;
	}
	vm fits = m_and(m_and(v_lt(zero, sum_xq), v_lt(zero, sum_q2)), v_ne(v_load(l->moved), zero));
	scale = v_pick(fits, sum_xq / sum_q2, scale);
	return v_pick(v_le(zero, scale), scale, zero);
}

LANE_FN void lanes_iq1_search(int run, float limit, const float *x, const float *w, size_t n, struct iq1_found *found)
{
	for (size_t at = 0; at < n; at += LANES) {
		struct lanes_iq1 l;
		struct lanes_iq1_sums s;
		struct lanes_cut c = {v_set(0), v_set(-FLT_MAX), v_set(-1), v_set(-1), v_set(0)};
		size_t here = n - at < LANES ? n - at : LANES;
		lanes_load(x + at * run, run, here, l.r.x);
		lanes_load(w + at * run, run, here, l.r.w);
		lanes_rank(run, &l.r, l.rank);
		lanes_add_up(run, run == 16 ? 2 : 1, &l, &s);
		run == 16 ? lanes_iq1_m_cut(&s, &c) : lanes_iq1_s_cut(&s, &c);
		v_store(l.empty, v_pick(lanes_empty(run, &l.r, limit, &c), v_set(1), v_set(0)));
		lanes_slots(run, &l, &c);
		lanes_place(run, x + at * run, w + at * run, here, &l);
		lanes_found(run, here, &l, lanes_refit(run, &l), found + at);
	}
}

static LANES_TARGET void lanes_iq1_s_search(const float *x, const float *w, size_t n, struct iq1_found *found)
{
	lanes_iq1_search(32, IQ1_S_LIMIT, x, w, n, found);
}

static LANES_TARGET void lanes_iq1_m_search(const float *x, const float *w, size_t n, struct iq1_found *found)
{
	lanes_iq1_search(16, IQ1_M_LIMIT, x, w, n, found);
}

/* ---- refining: iq1_refine_ops ---------------------------------------------------------------------------------- */

LANE_FN void lanes_round_group(const float (*x)[LANES], const float (*w)[LANES], vf scale, int minus, float *error,
			       int32_t *slot)
{
	vf low = scale * v_set(iq1_level[minus][0]), middle = scale * v_set(iq1_level[minus][1]);
	vf high = scale * v_set(iq1_level[minus][2]), sum = v_set(0), slots = v_set(0);
	vf first = scale * v_set(iq1_middle[minus][0]), second = scale * v_set(iq1_middle[minus][1]);
	UNROLLED
	for (int i = 0; i < IQ1_GROUP; i++) {
		vf v = v_load(x[i]), one = v_set((float)iq1_digit[i]), two = v_set((float)(2 * iq1_digit[i]));
		vm is_low = v_lt(v, first), is_middle = v_lt(v, second);
		vf diff = v_pick(is_low, low, v_pick(is_middle, middle, high)) - v;
		sum += v_load(w[i]) * diff * diff;
		slots += v_pick(is_low, v_set(0), v_pick(is_middle, one, two));
	}
	v_store(error, sum);
	words_store(slot, v_nearest_int(slots));
}

static LANES_TARGET void lanes_iq1_round(int run, const float *x, const float *w, size_t n, const float *d,
					 struct iq1_tries *t)
{
	for (size_t at = 0; at < n; at += LANES) {
		struct lanes_runs r;
		lanes_load(x + at * (size_t)run, run, n - at, r.x);
		lanes_load(w + at * (size_t)run, run, n - at, r.w);
		for (int code = 0; code < IQ1_SCALES; code++)
			for (int minus = 0; minus < 2; minus++)
				for (int g = 0; g < run / IQ1_GROUP; g++)
					lanes_round_group(r.x + g * IQ1_GROUP, r.w + g * IQ1_GROUP,
							  v_load(d + at) * v_set((float)(2 * code + 1)), minus,
							  &t->error[code][minus][g][at], &t->slot[code][minus][g][at]);
	}
}

static LANES_TARGET unsigned lanes_iq1_nearest(const struct grid *g, const struct grid_near *near, const float *x,
					       const float *w, float scale, const float *level, float *error)
{
	return lanes_nearest(g, near, x, w, scale, level, error);
}

static const struct iq1_refine_ops lanes_iq1_refine_ops = {lanes_iq1_round, lanes_iq1_nearest};

#define IQ1_KERNEL(name_, isa_name, isa_value)                                                                         \
	static const struct iq1_ops ops_##name_ = {lanes_iq1_weights, lanes_##name_##_search};                         \
	static void encode_##name_(const float *src, void *const *plane, size_t n, const float *weights)               \
	{                                                                                                              \
		name_##_encode(&ops_##name_, src, plane, n, weights);                                                  \
	}                                                                                                              \
	static void refine_##name_(const float *src, void *const *plane, size_t n, const float *weights)               \
	{                                                                                                              \
		name_##_refine(&lanes_iq1_refine_ops, src, plane, n, weights);                                         \
	}                                                                                                              \
	const struct quant_kernel kernel_##name_##_##isa_name = {                                                      \
		.encoding = #name_,                                                                                    \
		.isa = isa_value,                                                                                      \
		.encode = encode_##name_,                                                                              \
		.refine = refine_##name_,                                                                              \
	};

#endif
