/*
 * iq1_lanes.h - the searches of iq1_s.c and iq1_m.c with LANES runs at a time, one in each lane; the points near a group
 * LANES at a time. To be included after a lanes_ISA.h.
 *
 * Runs are sorted by counting: a number's rank is how many others come before it, and its weight goes where the rank
 * says. A run with a NaN, whose ranks make no order, finds nothing, as in the scalar code.
 */
#ifndef QUANT_IQ1_LANES_H
#define QUANT_IQ1_LANES_H

#include "iq1.h"
#include "lanes.h"

#include <float.h>

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

/* What the numbers above each place add, for a shift up and down. */
struct lanes_upper {
	float xq[2][IQ1_MAX_RUN + 1][LANES], q2[2][IQ1_MAX_RUN + 1][LANES];
};

LANE_FN void lanes_iq1_s_upper(const struct lanes_iq1_sums *s, struct lanes_upper *u)
{
	for (int m = 0; m < 2; m++) {
		vf top = v_set(iq1_level[m][2]);
		for (int i = 0; i <= 32; i++) {
			v_store(u->xq[m][i], (v_load(s->wx[0][32]) - v_load(s->wx[0][i])) * top);
			v_store(u->q2[m][i], (v_load(s->w[0][32]) - v_load(s->w[0][i])) * top * top);
		}
	}
}

/* Improvements are rare; a cut that is better in no lane is only measured. */
LANE_FN void lanes_iq1_s_cut(const struct lanes_iq1_sums *s, struct lanes_cut *c)
{
	struct lanes_upper u;
	vf up = v_set(iq1_level[0][0]), down = v_set(iq1_level[1][0]), middle = v_set(IQ1_DELTA);
	lanes_iq1_s_upper(s, &u);
	for (int first = 0; first <= 32; first++) {
		vf wx = v_load(s->wx[0][first]), w = v_load(s->w[0][first]);
		vf xq_up = wx * up, xq_down = wx * down, q2_up = w * up * up, q2_down = w * down * down;
		for (int second = first; second <= 32; second++) {
			vf xq = (v_load(s->wx[0][second]) - wx) * middle;
			vf q2 = (v_load(s->w[0][second]) - w) * middle * middle;
			vf xq0 = xq_up + xq + v_load(u.xq[0][second]), xq1 = xq_down - xq + v_load(u.xq[1][second]);
			vf q20 = q2_up + q2 + v_load(u.q2[0][second]), q21 = q2_down + q2 + v_load(u.q2[1][second]);
			if (!m_bits(m_or(lanes_beats(c, xq0, q20), lanes_beats(c, xq1, q21))))
				continue;
			lanes_take(c, xq0, q20, first, second, 0);
			lanes_take(c, xq1, q21, first, second, 15);
		}
	}
}

/* A group's share of the sums of iq1_m.c's group_fit() that does not depend on the second cut. */
struct lanes_lower {
	vf wx, top_xq[2], q2[2];
};

LANE_FN void lanes_iq1_m_lower(const struct lanes_iq1_sums *s, int g, int first, struct lanes_lower *l)
{
	vf w = v_load(s->w[g][first]), all_wx = v_load(s->wx[g][16]), all_w = v_load(s->w[g][16]);
	l->wx = v_load(s->wx[g][first]);
	for (int m = 0; m < 2; m++) {
		vf top = v_set(iq1_level[m][2]), lower = v_set(m ? 1.25f : 0.75f);
		l->top_xq[m] = all_wx * top;
		l->q2[m] = w * lower + all_w * top * top;
	}
}

LANE_FN void lanes_iq1_m_cut(const struct lanes_iq1_sums *s, struct lanes_cut *c)
{
	for (int first = 0; first <= 16; first++) {
		struct lanes_lower l[2];
		lanes_iq1_m_lower(s, 0, first, &l[0]);
		lanes_iq1_m_lower(s, 1, first, &l[1]);
		for (int second = first; second <= 16; second++) {
			vf xq[2][2], q2[2][2], sum_xq[4], sum_q2[4];
			for (int g = 0; g < 2; g++)
				for (int m = 0; m < 2; m++) {
					xq[g][m] = l[g].top_xq[m] - (v_load(s->wx[g][second]) + l[g].wx);
					q2[g][m] = v_load(s->w[g][second]) * v_set(m ? -0.75f : -1.25f) + l[g].q2[m];
				}
			for (int i = 0; i < 4; i++) {
				sum_xq[i] = xq[0][i / 2] + xq[1][i % 2];
				sum_q2[i] = q2[0][i / 2] + q2[1][i % 2];
			}
			vm any = m_or(m_or(lanes_beats(c, sum_xq[0], sum_q2[0]), lanes_beats(c, sum_xq[1], sum_q2[1])),
				      m_or(lanes_beats(c, sum_xq[2], sum_q2[2]), lanes_beats(c, sum_xq[3], sum_q2[3])));
			for (int i = 0; i < 4 && m_bits(any); i++)
				lanes_take(c, sum_xq[i], sum_q2[i], first, second, i / 2 | i % 2 << 1);
		}
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

/* The place of the first of the least. */
LANE_FN int lanes_first_least(vf cost, vf at)
{
	float costs[LANES], ats[LANES];
	int place = 0;
	v_store(costs, cost);
	v_store(ats, at);
	for (int k = 1; k < LANES; k++)
		if (costs[k] < costs[place] || (costs[k] == costs[place] && ats[k] < ats[place]))
			place = k;
	return (int)ats[place] + place;
}

/* grid_nearest() in lanes. */
LANE_FN unsigned lanes_nearest(const struct grid *g, const struct grid_near *near, const float *x, const float *w,
			       float scale, const float *level)
{
	const uint16_t *list = g->list + near->first;
	const float four[4] = {level[0], level[1], level[2]};
	vf value = v_set(scale) * v_load_fours(four), cost[IQ1_GROUP], least = v_set(FLT_MAX), place = v_set(0);
	for (int i = 0; i < IQ1_GROUP; i++) {
		vf diff = value - v_set(x[i]);
		cost[i] = v_set(w[i]) * diff * diff;
	}
	for (int at = 0; at < near->n; at += LANES) {
		words points = (words)i_load_words(list + at);
		vf sum = v_of_four(cost[0], (vi)points);
		for (int i = 1; i < IQ1_GROUP; i++)
			sum += v_of_four(cost[i], (vi)(points >> 2 * i));
		vm better = v_lt(sum, least);
		least = v_pick(better, sum, least);
		place = v_pick(better, v_set((float)at), place);
	}
	return list[lanes_first_least(least, place)];
}

LANE_FN void lanes_place(int run, const float *x, const float *w, size_t n, struct lanes_iq1 *l, struct iq1_found *found)
{
	const struct grid *grid = grid_get(GRID_IQ1_S);
	memset(l->moved, 0, sizeof l->moved);
	memset(l->packed, 0, sizeof l->packed);
	for (size_t k = 0; k < n; k++, x += run, w += run) {
		memset(&found[k], 0, sizeof found[k]);
		if (l->empty[k] != 0)
			continue;
		found[k].minus = (uint8_t)l->minus[k];
		for (int g = 0; g < run / IQ1_GROUP; g++) {
			const struct grid_near *near = grid->near + l->slot[g][k];
			unsigned packed = grid->list[near->first];
			if (near->index < 0) {
				l->moved[k] = 1;
				packed = lanes_nearest(grid, near, x + g * IQ1_GROUP, w + g * IQ1_GROUP, l->scale[k],
						       iq1_levels(found[k].minus, g));
				near = grid->near + grid_slot(grid, packed);
			}
			found[k].index[g] = (uint16_t)near->index;
			l->packed[g][k] = (int32_t)packed;
		}
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
		float scale[LANES];
		size_t here = n - at < LANES ? n - at : LANES;
		lanes_load(x + at * run, run, here, l.r.x);
		lanes_load(w + at * run, run, here, l.r.w);
		lanes_rank(run, &l.r, l.rank);
		lanes_add_up(run, run == 16 ? 2 : 1, &l, &s);
		run == 16 ? lanes_iq1_m_cut(&s, &c) : lanes_iq1_s_cut(&s, &c);
		v_store(l.empty, v_pick(lanes_empty(run, &l.r, limit, &c), v_set(1), v_set(0)));
		lanes_slots(run, &l, &c);
		lanes_place(run, x + at * run, w + at * run, here, &l, found + at);
		v_store(scale, lanes_refit(run, &l));
		for (size_t k = 0; k < here; k++)
			found[at + k].scale = l.empty[k] != 0 ? 0 : scale[k];
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

#define IQ1_KERNEL(name_, isa_name, isa_value)                                                                         \
	static void encode_##name_(const float *src, void *const *plane, size_t n, const float *weights)               \
	{                                                                                                              \
		name_##_encode(lanes_##name_##_search, src, plane, n, weights);                                        \
	}                                                                                                              \
	const struct quant_kernel kernel_##name_##_##isa_name = {                                                      \
		.encoding = #name_,                                                                                    \
		.isa = isa_value,                                                                                      \
		.encode = encode_##name_,                                                                              \
	};

#endif
