/*
 * iq3_lanes.h - the search of iq3.c with the scales that are tried side by side in the lanes. To be included after a
 * lanes_ISA.h.
 *
 * Each lane does what the scalar code does with its scale, in the same order. Neighbouring scales mostly round a group
 * to one slot, so that the points near it are looked through once for all of them. A run whose sums might overflow, or
 * that has a NaN, is left to the scalar code.
 */
#ifndef QUANT_IQ3_LANES_H
#define QUANT_IQ3_LANES_H

#include "iq3_refine.h"
#include "lanes.h"
#include <math.h>

enum { TRIES = 32 }; /* room for them, a multiple of LANES and of OCTETS */

struct lanes_tries {
	int n;
	float inverse[TRIES];
	float value[TRIES + 1][IQ3_LEVELS]; /* times the scale */
	int32_t slot[IQ3_GROUPS][TRIES], point[IQ3_GROUPS][TRIES];
	float sum_xq[TRIES], sum_q2[TRIES];
};
typedef int32_t words __attribute__((vector_size(4 * LANES)));

static const float number[TRIES] = {0,	1,  2,	3,  4,	5,  6,	7,  8,	9,  10, 11, 12, 13, 14, 15,
				    16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};

LANE_FN void lanes_scales(const struct iq3 *k, float max, struct lanes_tries *t)
{
	float scale[TRIES];
	t->n = 2 * k->tries + 1;
	for (int at = 0; at < TRIES; at += LANES) {
		vf step = v_load(number + at) - v_set((float)k->tries);
		vf inverse = (v_set(IQ3_TOP) + step * v_set(IQ3_TRY_STEP)) / v_set(max);
		v_store(t->inverse + at, inverse);
		v_store(scale + at, v_set(1) / inverse);
	}
	for (int at = 0; at <= TRIES; at++)
		for (int level = 0; level < IQ3_LEVELS; level++)
			t->value[at][level] = scale[at % TRIES] * iq3_value[level];
}

LANE_FN void lanes_slots(const float *x, const struct lanes_tries *t, int32_t *slot)
{
	vf half = v_set(0.5f), one = v_set(1);
	for (int at = 0; at < TRIES; at += LANES) {
		words found = {0};
		for (int i = 0; i < IQ3_GROUP; i++) {
			vf scaled = half * (v_load(t->inverse + at) * v_set(x[i]) - one);
			found |= (words)i_clamp(v_nearest_int(scaled), 0, IQ3_LEVELS - 1) << 3 * i;
		}
		memcpy(slot + at, &found, sizeof found);
	}
}

/* ---- points ---------------------------------------------------------------------------------------------------- */

/* What each level costs a number. */
LANE_FN vo octets_costs(vo value, float x, float root)
{
	vo diff = value - o_set(x);
	return o_set(root) * diff * diff;
}

/* Of 8 points of a list, for each of OCTETS lists, the nearest; value: those of the levels, times the scale. */
LANE_FN void octets_nearest(const uint16_t *const list[OCTETS], const float *x, const float *root, vo value,
			    float *least, int *place)
{
	o_least(o_look_up(list, octets_costs(value, x[0], root[0]), octets_costs(value, x[1], root[1]),
			  octets_costs(value, x[2], root[2]), octets_costs(value, x[3], root[3])),
		least, place);
}

/* The nearest of all points of one list. */
LANE_FN float octets_list(const uint16_t *all, int n, const float *x, const float *root, vo value, unsigned *point)
{
	float least = INFINITY, low[2];
	int place = 0, found[2];
	for (int from = 0; from < n; from += 8 * OCTETS) {
		const uint16_t *list[2] = {all + from, all + from + 8}; /* what follows the end is the first again */
		octets_nearest(list, x, root, value, low, found);
		for (int i = 0; i < OCTETS; i++) {
			place = low[i] < least ? from + 8 * i + found[i] : place;
			least = low[i] < least ? low[i] : least;
		}
	}
	*point = all[place];
	return least;
}

/* The nearest points of one group for all scales: of the first 8 points of all lists, then of the next 8 of those that
 * are longer, and so on. Which are, no processor foresees. */
LANE_FN void lanes_points(const struct grid *g, const float *x, const float *root, const struct lanes_tries *t,
			  const int32_t *slot, int32_t *point)
{
	const uint16_t *list[TRIES], *longer[TRIES];
	float least[TRIES], low[TRIES];
	int place[TRIES], which[TRIES], n = 0;
	for (int at = 0; at < TRIES; at++)
		list[at] = g->list + g->near[slot[at]].first;
	for (int at = 0; at < t->n; at += OCTETS)
		octets_nearest(list + at, x, root, o_load(t->value[at], t->value[at + 1]), least + at, place + at);
	for (int at = 0; at < t->n; at++) {
		point[at] = list[at][place[at]];
		which[n] = at;
		n += g->near[slot[at]].n > 8;
	}
	for (int from = 8, now; n; from += 8) {
		for (int i = 0; i < n; i++)
			longer[i] = list[which[i]] + from;
		longer[n] = longer[0];
		which[n] = which[0];
		for (int i = 0; i < n; i += OCTETS)
			octets_nearest(longer + i, x, root, o_load(t->value[which[i]], t->value[which[i + 1]]), low + i,
				       place + i);
		now = n;
		n = 0;
		for (int i = 0; i < now; i++) {
			int at = which[i];
			point[at] = low[i] < least[at] ? longer[i][place[i]] : point[at];
			least[at] = low[i] < least[at] ? low[i] : least[at];
			which[n] = at;
			n += g->near[slot[at]].n > from + 8;
		}
	}
}

/* ---- runs ------------------------------------------------------------------------------------------------------ */

LANE_FN void lanes_sums(const struct iq3_run *r, struct lanes_tries *t)
{
	for (int at = 0; at < t->n; at += LANES) {
		vf sum_xq = v_set(0), sum_q2 = v_set(0);
		for (int i = 0; i < IQ3_RUN; i++) {
			words level;
			memcpy(&level, &t->point[i / 4][at], sizeof level);
			vf q = v_float((vi)((level >> 3 * (i % 4) & 7) * 2 + 1));
			sum_xq += v_set(r->w[i] * r->x[i]) * q;
			sum_q2 += v_set(r->w[i]) * q * q;
		}
		v_store(t->sum_xq + at, sum_xq);
		v_store(t->sum_q2 + at, sum_q2);
	}
}

/* The best of the tries; -1 where none is better than nothing. */
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

/* The scale of the best try and its points; returns the groups that were off the grid. */
LANE_FN unsigned lanes_tried(const struct iq3 *k, const struct iq3_run *r, uint16_t point[IQ3_GROUPS], float *scale)
{
	struct lanes_tries t;
	unsigned off = 0;
	lanes_scales(k, r->max, &t);
	for (int j = 0; j < IQ3_GROUPS; j++) {
		lanes_slots(r->x + 4 * j, &t, t.slot[j]);
		lanes_points(grid_get(k->grid), r->x + 4 * j, r->root + 4 * j, &t, t.slot[j], t.point[j]);
	}
	lanes_sums(r, &t);
	int best = best_try(&t, scale);
	for (int j = 0; j < IQ3_GROUPS; j++) {
		point[j] = best < 0 ? 0 : t.point[j][best];
		off |= (unsigned)(best < 0 ? k->settle_all : t.point[j][best] != t.slot[j][best]) << j;
	}
	return off;
}

LANE_FN float lanes_settle(const struct iq3 *k, const struct iq3_run *r, float scale, unsigned off,
			   uint16_t point[IQ3_GROUPS])
{
	const struct grid *g = grid_get(k->grid);
	vo value = o_set(scale) * o_load(iq3_value, iq3_value);
	for (int j = 0; j < IQ3_GROUPS; j++) {
		const float *x = r->x + 4 * j, *root = r->root + 4 * j;
		unsigned found;
		if (!(off >> j & 1))
			continue;
		const struct grid_near *near = &g->near[iq3_slot(x, 1 / scale)];
		octets_list(g->list + near->first, near->n, x, root, value, &found);
		point[j] = found;
	}
	return iq3_fit(r, point, scale);
}

static LANES_TARGET float lanes_iq3_search(const struct iq3 *k, const struct iq3_run *r, uint16_t point[IQ3_GROUPS])
{
	if (!r->tame)
		return iq3_search(k, r, point);
	float scale = r->max / IQ3_TOP;
	unsigned off = lanes_tried(k, r, point, &scale);
	if (!off || !(scale > 0))
		return scale;
	return lanes_settle(k, r, scale, k->settle_all ? 0xff : off, point);
}

/* ---- preparation ----------------------------------------------------------------------------------------------- */

/* The sum of a number and its weights is finite, and small enough that no sum of the search can overflow: no level's
 * value times a scale exceeds 16 times the largest number. */
LANE_FN bool lanes_tame(const struct iq3_run *r)
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

/* Where an odd number of 8 is negative, the one that matters least changes its sign. */
LANE_FN void octets_even(const float *src, struct iq3_run *r, uint8_t signs[4])
{
	float unused[4];
	int least[4];
	for (int i = 0; i < 4; i += OCTETS) {
		vo x = o_load(src + 8 * i, src + 8 * i + 8);
		o_least(o_load(r->w + 8 * i, r->w + 8 * i + 8) * x * x, unused + i, least + i);
	}
	for (int i = 0; i < 4; i++) {
		bool odd = __builtin_parity(signs[i]);
		float *x = &r->x[8 * i + least[i]];
		*x = odd ? -*x : *x;
		signs[i] ^= odd << least[i];
	}
}

static LANES_TARGET void lanes_prepare(const struct iq3 *k, const float *src, const float *importance, float variance,
				       struct iq3_run *r, uint8_t signs[4])
{
	uint32_t negative = 0;
	vf max = v_set(0);
	float maxima[LANES];
	for (int i = 0; i < IQ3_RUN; i += LANES) {
		vf x = v_load(src + i), w = x * x;
		if (importance)
			w = v_load(importance + i) * v_sqrt(v_set(variance) + w);
		v_store(r->x + i, v_abs(x));
		v_store(r->w + i, w);
		v_store(r->root + i, v_sqrt(w));
		negative |= m_bits(v_lt(x, v_set(0))) << i;
	}
	r->tame = lanes_tame(r);
	if (!r->tame) {
		iq3_prepare(k, src, importance, variance, r, signs);
		return;
	}
	memcpy(signs, &negative, 4);
	if (k->even_signs)
		octets_even(src, r, signs);
	for (int i = 0; i < IQ3_RUN; i += LANES)
		max = v_max(v_load(r->x + i), max);
	v_store(maxima, max);
	r->max = maxima[0];
	for (int i = 1; i < LANES; i++)
		r->max = maxima[i] > r->max ? maxima[i] : r->max;
}

static const struct iq3_ops lanes_ops = {lanes_prepare, lanes_iq3_search};

static LANES_TARGET float lanes_nearest(const uint16_t *list, int n, const float *x, const float *w, const float *value,
					unsigned *point)
{
	return octets_list(list, n, x, w, o_load(value, value), point);
}

#define IQ3_KERNEL(name, isa_name, isa_value)                                                                          \
	static void encode_##name(const float *src, void *const *plane, size_t n, const float *weights)                \
	{                                                                                                              \
		iq3_encode(&name, &lanes_ops, src, plane[0], n, weights);                                        \
	}                                                                                                              \
	static void refine_##name(const float *src, void *const *plane, size_t n, const float *weights)                \
	{                                                                                                              \
		iq3_refine(&name, &quant_##name, lanes_nearest, src, plane[0], n, weights);                            \
	}                                                                                                              \
	const struct quant_kernel kernel_##name##_##isa_name = {                                                       \
		.encoding = #name,                                                                                     \
		.isa = isa_value,                                                                                      \
		.encode = encode_##name,                                                                               \
		.refine = refine_##name,                                                                               \
	};

#endif
