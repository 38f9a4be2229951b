/*
 * iq3_lanes.h - the search of iq3.c with the scales that are tried in lanes: rounding and sums for LANES scales at a
 * time, and the errors of 8 points of a grid at a time. To be included after a lanes_ISA.h and its octets.
 *
 * The order of every sum is that of the scalar code. A run whose sums might overflow, or with a NaN, is left to it.
 */
#ifndef QUANT_IQ3_LANES_H
#define QUANT_IQ3_LANES_H

#include "iq3.h"
#include "lanes.h"
#include "quant.h"

#include <math.h>

typedef int32_t words __attribute__((vector_size(4 * LANES)));

struct lanes_tries {
	int n;
	float inverse[IQ3_MAX_TRIES], scale[IQ3_MAX_TRIES];
	int32_t slot[IQ3_GROUPS][IQ3_MAX_TRIES], point[IQ3_GROUPS][IQ3_MAX_TRIES];
	float sum_xq[IQ3_MAX_TRIES], sum_q2[IQ3_MAX_TRIES];
};

LANE_FN vi words_load(const int32_t *p)
{
	words w;
	memcpy(&w, p, sizeof w);
	return (vi)w;
}

LANE_FN void lanes_slots(const struct iq3_run *r, struct lanes_tries *t)
{
	vf half = v_set(0.5f), one = v_set(1);
	for (int at = 0; at < t->n; at += LANES) {
		vf inverse = v_load(t->inverse + at);
		for (int j = 0; j < IQ3_GROUPS; j++) {
			words slot = {0};
			for (int i = 0; i < IQ3_GROUP; i++) {
				vf x = v_set(r->x[4 * j + i]);
				vi level = i_clamp(v_nearest_int(half * (inverse * x - one)), 0, IQ3_LEVELS - 1);
				slot |= (words)level << 3 * i;
			}
			memcpy(&t->slot[j][at], &slot, sizeof slot);
		}
	}
}

/* What each of a number's levels costs: sums of four such are the errors of points. */
LANE_FN void octet_levels(const float *x, const float *root, float scale, octet cost[IQ3_GROUP])
{
	octet value;
	memcpy(&value, iq3_value, sizeof value);
	for (int i = 0; i < IQ3_GROUP; i++) {
		octet diff = scale * value - x[i];
		cost[i] = root[i] * diff * diff;
	}
}

LANE_FN unsigned octet_nearest(const struct grid *g, unsigned slot, const octet cost[IQ3_GROUP])
{
	const struct grid_near *near = &g->near[slot];
	const uint16_t *list = g->list + near->first;
	float least, next;
	unsigned best = list[octet_least(octet_costs(list, cost), &least)];
	for (int at = 8; at < near->n; at += 8) {
		int place = octet_least(octet_costs(list + at, cost), &next);
		if (next < least) {
			least = next;
			best = list[at + place];
		}
	}
	return best;
}

LANE_FN void lanes_points(const struct grid *g, const struct iq3_run *r, struct lanes_tries *t)
{
	octet cost[IQ3_GROUP];
	for (int j = 0; j < IQ3_GROUPS; j++)
		for (int at = 0; at < t->n; at++) {
			octet_levels(r->x + 4 * j, r->root + 4 * j, t->scale[at], cost);
			t->point[j][at] = (int32_t)octet_nearest(g, (unsigned)t->slot[j][at], cost);
		}
}

LANE_FN void lanes_try_sums(const struct iq3_run *r, struct lanes_tries *t)
{
	for (int at = 0; at < t->n; at += LANES) {
		vf sum_xq = v_set(0), sum_q2 = v_set(0);
		for (int i = 0; i < IQ3_RUN; i++) {
			words point = (words)words_load(&t->point[i / 4][at]);
			words level = point >> 3 * (i % 4) & 7;
			vf q = v_float((vi)(2 * level + 1));
			sum_xq += v_set(r->w[i] * r->x[i]) * q;
			sum_q2 += v_set(r->w[i]) * q * q;
		}
		v_store(t->sum_xq + at, sum_xq);
		v_store(t->sum_q2 + at, sum_q2);
	}
}

/* Whether no sum can overflow: no level's value times a scale exceeds 16 times the largest number. */
LANE_FN bool lanes_run_tame(const struct iq3_run *r)
{
	vf sum_x = v_set(0), sum_w = v_set(0);
	float x[LANES], w[LANES], all_x = 0, all_w = 0;
	for (int i = 0; i < IQ3_RUN; i += LANES) {
		sum_x += v_abs(v_load(r->x + i));
		sum_w += v_load(r->w + i) + v_load(r->root + i);
	}
	v_store(x, sum_x);
	v_store(w, sum_w);
	for (int k = 0; k < LANES; k++) {
		all_x += x[k];
		all_w += w[k];
	}
	return isfinite(all_x * all_x * all_w * 0x1p20f) && isfinite(all_w * 0x1p20f) && isfinite(all_x * 0x1p20f);
}

/* The best of the tries, and the groups that were off the grid in it; -1: none is better than nothing. */
static int best_try(const struct lanes_tries *t, float *scale)
{
	float best = 0;
	int found = -1;
	for (int at = 0; at < t->n; at++)
		if (t->sum_q2[at] > 0 && t->sum_xq[at] * t->sum_xq[at] > best * t->sum_q2[at]) {
			*scale = t->sum_xq[at] / t->sum_q2[at];
			best = *scale * t->sum_xq[at];
			found = at;
		}
	return found;
}

LANE_FN float lanes_settle(const struct iq3 *k, const struct iq3_run *r, float scale, unsigned which,
			   uint16_t point[IQ3_GROUPS])
{
	const struct grid *g = grid_get(k->grid);
	float sum_xq, sum_q2;
	octet cost[IQ3_GROUP];
	for (int j = 0; j < IQ3_GROUPS; j++) {
		if (!(which >> j & 1))
			continue;
		octet_levels(r->x + 4 * j, r->root + 4 * j, scale, cost);
		point[j] = octet_nearest(g, iq3_slot(r->x + 4 * j, 1 / scale), cost);
	}
	iq3_sums(r, point, &sum_xq, &sum_q2);
	return sum_q2 > 0 ? sum_xq / sum_q2 : scale;
}

static LANES_TARGET float lanes_iq3_search(const struct iq3 *k, const struct iq3_run *r, uint16_t point[IQ3_GROUPS])
{
	struct lanes_tries t = {.n = 2 * k->tries + 1};
	float scale = r->max / IQ3_TOP;
	unsigned off = k->settle_all ? 0xff : 0;
	if (!lanes_run_tame(r))
		return iq3_search(k, r, point);
	for (int at = 0; at < t.n; at++) {
		t.inverse[at] = (IQ3_TOP + (at - k->tries) * IQ3_TRY_STEP) / r->max;
		t.scale[at] = 1 / t.inverse[at];
	}
	lanes_slots(r, &t);
	lanes_points(grid_get(k->grid), r, &t);
	lanes_try_sums(r, &t);
	int best = best_try(&t, &scale);
	for (int j = 0; j < IQ3_GROUPS; j++)
		point[j] = best < 0 ? 0 : t.point[j][best];
	if (best >= 0)
		off = 0;
	for (int j = 0; j < IQ3_GROUPS && best >= 0; j++)
		off |= (unsigned)(t.point[j][best] != t.slot[j][best]) << j;
	if (!off || !(scale > 0))
		return scale;
	return lanes_settle(k, r, scale, k->settle_all ? 0xff : off, point);
}

#define IQ3_KERNEL(name_, isa_name, isa_value)                                                                         \
	static void encode_##name_(const float *src, void *const *plane, size_t n, const float *weights)               \
	{                                                                                                              \
		iq3_encode(&name_, lanes_iq3_search, src, plane[0], n, weights);                                       \
	}                                                                                                              \
	const struct quant_kernel kernel_##name_##_##isa_name = {                                                      \
		.encoding = #name_,                                                                                    \
		.isa = isa_value,                                                                                      \
		.encode = encode_##name_,                                                                              \
	};

#endif
