/*
 * iq2_lanes.h - the encoders of IQ2_XXS, IQ2_XS and IQ2_S with LANES runs at a time, one in each lane, doing what
 * quant/iq2.c does with each. To be included after a lanes_ISA.h and its near_ISA.h.
 *
 * Where groups are off the grid their near points take the lanes in place of the runs: near_key().
 */
#ifndef QUANT_IQ2_LANES_H
#define QUANT_IQ2_LANES_H

#include "iq2.h"
#include "lanes.h"
#include "quant.h"

enum {
	IQ2_CHUNK = 4,	   /* super-blocks at once, so that all lanes are used */
	IQ2_OFF = 1 << 16, /* beside a point: rounding each number by itself did not give it */
};

/* LANES runs at work. Points are packed. */
struct iq2_lanes {
	const struct iq2 *q;
	const struct grid *g;
	struct lanes_runs r;
	float wx[IQ2_MAX_RUN][LANES], root[IQ2_MAX_RUN][LANES];
};
typedef int32_t iq2_points[IQ2_MAX_GROUPS][LANES];

LANE_FN void iq2_lanes_weights(struct iq2_lanes *s, vf variance, bool importance)
{
	for (int i = 0; i < s->q->run; i++) {
		vf x = v_load(s->r.x[i]), w = v_set(1);
		if (importance)
			w = v_load(s->r.w[i]);
		if (importance || s->q->even)
			w = w * v_sqrt(variance + x * x);
		else
			w = v_set(0.25f) * variance + x * x;
		v_store(s->r.w[i], w);
		v_store(s->root[i], v_sqrt(w));
	}
}

/* Takes the signs of a group off x; they return as a number of 8 bits. */
LANE_FN vf iq2_lanes_signs(bool even, float w[][LANES], float x[][LANES])
{
	vf zero = v_set(0), one = v_set(1), parity = one, at = zero, least = v_set(0), signs = zero;
	for (int i = 0; i < IQ2_GROUP; i++) {
		vf v = v_load(x[i]), loss = v_load(w[i]) * v * v;
		vm less = v_lt(loss, least);
		parity = v_pick(v_le(zero, v), parity, -parity);
		at = i ? v_pick(less, v_set((float)i), at) : at;
		least = i ? v_pick(less, loss, least) : loss;
	}
	vm odd = v_lt(parity, even ? zero : v_set(-2));
	for (int i = IQ2_GROUP - 1; i >= 0; i--) {
		vf v = v_load(x[i]);
		vm flip = m_and(odd, v_eq(at, v_set((float)i)));
		vf minus = v_pick(v_le(zero, v), zero, one);
		v = v_pick(v_le(zero, v), v, -v);
		v_store(x[i], v_pick(flip, -v, v));
		signs = signs + signs + v_pick(flip, one - minus, minus);
	}
	return signs;
}

/* ---- search_positive() in lanes -------------------------------------------------------------------------------- */

enum { FIT_TOP = 4, FIT_ROUNDS = 5 };

LANE_FN vi iq2_lanes_fit_code(vf v)
{
	return i_clamp(v_nearest_int(v), INT32_MIN, FIT_TOP);
}

LANE_FN vf iq2_lanes_fit_error(const struct iq2_lanes *s, vf inverse, bool first)
{
	vf error = v_set(0), scale = v_set(1) / inverse;
	for (int i = 0; i < IQ2_MAX_RUN; i++) {
		vf x = v_load(s->r.x[i]);
		vi code = first ? i_and(v_nearest_int(inverse * x), i_set(255)) : iq2_lanes_fit_code(inverse * x);
		vf diff = x - scale * v_float(code);
		error += v_load(s->r.w[i]) * diff * diff;
	}
	return error;
}

/* One round of moving a code at a time; where one moved. */
LANE_FN unsigned iq2_lanes_fit_round(const struct iq2_lanes *s, float code[][LANES], vf *sum_xl, vf *sum_l2)
{
	unsigned moved = 0;
	vf zero = v_set(0);
	for (int i = 0; i < IQ2_MAX_RUN; i++) {
		vf w = v_load(s->r.w[i]), wx = v_load(s->wx[i]), l = v_load(code[i]);
		vf xl = *sum_xl - wx * l, l2 = *sum_l2 - w * l * l;
		vm move = m_and(v_lt(zero, xl), v_lt(zero, l2));
		vi to_code = iq2_lanes_fit_code(v_load(s->r.x[i]) * l2 / xl);
		vf to = v_float(to_code);
		move = m_and(move, v_ne(to, l));
		xl += wx * to;
		l2 += w * to * to;
		move = m_and(move, v_lt(*sum_xl * *sum_xl * l2, xl * xl * *sum_l2));
		v_store(code[i], v_pick(move, v_float(i_and(to_code, i_set(255))), l));
		*sum_xl = v_pick(move, xl, *sum_xl);
		*sum_l2 = v_pick(move, l2, *sum_l2);
		moved |= m_bits(move);
	}
	return moved;
}

LANE_FN vf iq2_lanes_fit(const struct iq2_lanes *s, vf max)
{
	float code[IQ2_MAX_RUN][LANES];
	vf zero = v_set(0), inverse = v_set(FIT_TOP) / max, sum_xl = zero, sum_l2 = zero;
	vf best = iq2_lanes_fit_error(s, inverse, true);
	for (int i = -4; i <= 4; i++) {
		vf try = v_set(0.1f * (float)i + FIT_TOP) / max, error;
		if (i == 0)
			continue;
		error = iq2_lanes_fit_error(s, try, false);
		vm better = v_lt(error, best);
		best = v_pick(better, error, best);
		inverse = v_pick(better, try, inverse);
	}
	for (int i = 0; i < IQ2_MAX_RUN; i++) {
		vi whole = iq2_lanes_fit_code(inverse * v_load(s->r.x[i]));
		vf l = v_float(whole), w = v_load(s->r.w[i]);
		v_store(code[i], v_float(i_and(whole, i_set(255))));
		sum_xl += v_load(s->wx[i]) * l;
		sum_l2 += w * l * l;
	}
	for (int round = 0; round < FIT_ROUNDS && iq2_lanes_fit_round(s, code, &sum_xl, &sum_l2); round++)
		;
	return v_pick(v_lt(zero, sum_l2), sum_xl / sum_l2, zero);
}

/* ---- the search on the grid ------------------------------------------------------------------------------------ */

/* What each level of each number of group k adds to the error. */
LANE_FN void iq2_lanes_terms(const struct iq2_lanes *s, int k, vf scale, float *term)
{
	for (int i = 0; i < IQ2_GROUP; i++) {
		vf x = v_load(s->r.x[k * IQ2_GROUP + i]), root = v_load(s->root[k * IQ2_GROUP + i]);
		vf one = scale * v_set(iq2_value[0]) - x, three = scale * v_set(iq2_value[1]) - x;
		vf five = scale * v_set(iq2_value[2]) - x;
		five = root * five * five;
		turn4(root * one * one, root * three * three, five, five, term + 4 * LANES * i);
	}
}

LANE_FN void iq2_lanes_slots(const struct iq2_lanes *s, int k, vf inverse, int32_t *slot)
{
	vi at = i_set(0);
	for (int i = IQ2_GROUP - 1; i >= 0; i--) {
		vf v = v_set(0.5f) * (inverse * v_load(s->r.x[k * IQ2_GROUP + i]) - v_set(1));
		at = i_add(i_add(i_add(at, at), at), i_clamp(v_nearest_int(v), 0, 2));
	}
	i_store(slot, at);
}

/* The work on near points, LANES of them per item: position in grid.list | lane << IQ2_LANE. There are no branches on
 * what a lane needs, since they would be guessed wrong. */
enum {
	IQ2_LANE = 20,
	IQ2_MANY = 8,				/* more items for a lane are rare */
	IQ2_MAX_ITEMS = 304 + LANES + IQ2_MANY, /* no list is longer than 304 */
};

/* Lists the items of lanes in `which` whose slots are off the grid; key[lane]: the first point of the lane's list, as
 * worst. */
LANE_FN int iq2_lanes_items(const struct grid *g, const int32_t *slot, unsigned which, uint32_t *item, uint64_t *key)
{
	int items = 0;
	for (unsigned lane = 0; lane < LANES; lane++) {
		const struct grid_near *near = &g->near[slot[lane]];
		uint32_t first = near->first | lane << IQ2_LANE;
		int n = (near->n + LANES - 1) / LANES & near->index >> 15 & -(int)(which >> lane & 1);
		key[lane] = (uint64_t)UINT32_MAX << 32 | near->first;
		for (int j = 0; j < IQ2_MANY; j++)
			item[items + j] = first + (uint32_t)(j * LANES);
		for (int j = IQ2_MANY; j < n; j++)
			item[items + j] = first + (uint32_t)(j * LANES);
		items += n;
	}
	return items;
}

/* The points of group k of those lanes that are in `which`. */
LANE_FN void iq2_lanes_round(const struct iq2_lanes *s, int k, vf inverse, vf scale, unsigned which, int32_t *point)
{
	float term[IQ2_GROUP * 4 * LANES];
	int32_t slot[LANES];
	uint32_t item[IQ2_MAX_ITEMS];
	uint64_t key[LANES];
	iq2_lanes_slots(s, k, inverse, slot);
	iq2_lanes_terms(s, k, scale, term);
	int items = iq2_lanes_items(s->g, slot, which, item, key);
	for (int j = 0; j < items; j++) {
		uint32_t lane = item[j] >> IQ2_LANE, at = item[j] & ((1u << IQ2_LANE) - 1);
		uint64_t one = near_key(term + lane % 4 * LANES + lane / 4 * 4, s->g->list, at);
		key[lane] = one < key[lane] ? one : key[lane];
	}
	for (int lane = 0; lane < LANES; lane++) {
		int found = s->g->list[(uint32_t)key[lane]] | (s->g->near[slot[lane]].index & IQ2_OFF);
		point[lane] = which >> lane & 1 ? found : point[lane];
	}
}

LANE_FN void iq2_lanes_sums(const struct iq2_lanes *s, iq2_points point, vf *sum_xq, vf *sum_q2)
{
	*sum_xq = *sum_q2 = v_set(0);
	for (int i = 0; i < s->q->run; i++) {
		vi level = i_and(i_down(i_load(point[i / IQ2_GROUP]), i % IQ2_GROUP * 2), i_set(3));
		vf q = v_float(i_add(i_add(level, level), i_set(1)));
		*sum_xq += v_load(s->wx[i]) * q;
		*sum_q2 += v_load(s->r.w[i]) * q * q;
	}
}

/* Rounds anew, with the scale found, the groups that need it. */
LANE_FN vf iq2_lanes_settle(const struct iq2_lanes *s, vf scale, unsigned zeros, iq2_points point)
{
	vf zero = v_set(0), sum_xq, sum_q2, any = zero;
	vm positive = v_lt(zero, scale);
	for (int k = 0; k < s->q->run / IQ2_GROUP; k++) {
		vf off = v_float(i_and(i_load(point[k]), i_set(IQ2_OFF)));
		vm need = s->q->fit ? positive : m_and(positive, v_lt(zero, off));
		any = v_pick(need, v_set(1), any);
		iq2_lanes_round(s, k, v_set(1) / scale, scale, m_bits(need) & ~zeros, point[k]);
	}
	iq2_lanes_sums(s, point, &sum_xq, &sum_q2);
	return v_pick(m_and(v_lt(zero, any), v_lt(zero, sum_q2)), sum_xq / sum_q2, scale);
}

LANE_FN vf iq2_lanes_maximum(const struct iq2_lanes *s)
{
	vf max = v_load(s->r.x[0]);
	for (int i = 1; i < s->q->run; i++)
		max = v_max(max, v_load(s->r.x[i]));
	return max;
}

/* Scales, and points; *zeros: the lanes that have neither. */
LANE_FN vf iq2_lanes_search(struct iq2_lanes *s, unsigned *zeros, iq2_points point)
{
	int groups = s->q->run / IQ2_GROUP;
	vf zero = v_set(0), extent = iq2_lanes_maximum(s), scale, best = zero, sum_xq, sum_q2;
	*zeros = m_bits(v_lt(extent, v_set(s->q->too_small)));
	memset(point, 0, sizeof(iq2_points));
	for (int i = 0; i < s->q->run; i++)
		v_store(s->wx[i], v_load(s->r.w[i]) * v_load(s->r.x[i]));
	if (s->q->fit) {
		scale = iq2_lanes_fit(s, extent);
		extent = scale * v_set(3);
		*zeros |= m_bits(v_le(extent, zero));
	} else {
		scale = extent / v_set(IQ2_TOP);
	}
	for (int i = -s->q->tries; i <= s->q->tries; i++) {
		iq2_points try = {0};
		vf inverse = v_set(IQ2_TOP + (float)i * 0.1f) / extent;
		for (int k = 0; k < groups; k++)
			iq2_lanes_round(s, k, inverse, v_set(1) / inverse, ((1u << LANES) - 1) & ~*zeros, try[k]);
		iq2_lanes_sums(s, try, &sum_xq, &sum_q2);
		vm better = m_and(v_lt(zero, sum_q2), v_lt(best * sum_q2, sum_xq * sum_xq));
		scale = v_pick(better, sum_xq / sum_q2, scale);
		best = v_pick(better, scale * sum_xq, best);
		for (int k = 0; k < groups; k++)
			i_store(point[k], i_pick(better, i_load(try[k]), i_load(point[k])));
	}
	return iq2_lanes_settle(s, scale, *zeros, point);
}

/* ---- encoders -------------------------------------------------------------------------------------------------- */

static inline void iq2_lanes_result(const struct iq2 *q, float scale, int lane, iq2_points point, float sign[][LANES],
				    struct iq2_run *run)
{
	run->scale = scale < 0 ? -scale : scale;
	for (int k = 0; k < q->run / IQ2_GROUP; k++) {
		uint8_t signs = (uint8_t)sign[k][lane];
		run->point[k] = point[k][lane] & 0xffff;
		run->signs[k] = scale < 0 ? ~signs : signs;
	}
}

/* n runs, not more than LANES, and their variances. */
LANE_FN void iq2_lanes_runs(struct iq2_lanes *s, const float *src, const float *weights, const float *variance,
			    size_t n, struct iq2_run *run)
{
	float sign[IQ2_MAX_GROUPS][LANES] = {0}, scale[LANES];
	iq2_points point;
	unsigned zeros;
	lanes_load(src, s->q->run, n, s->r.x);
	if (weights)
		lanes_load(weights, s->q->run, n, s->r.w);
	iq2_lanes_weights(s, v_load(variance), weights != NULL);
	for (int k = 0; k < s->q->run / IQ2_GROUP; k++)
		v_store(sign[k], iq2_lanes_signs(s->q->even, s->r.w + k * IQ2_GROUP, s->r.x + k * IQ2_GROUP));
	v_store(scale, iq2_lanes_search(s, &zeros, point));
	for (size_t lane = 0; lane < n; lane++)
		if (!(zeros >> lane & 1))
			iq2_lanes_result(s->q, scale[lane], (int)lane, point, sign, &run[lane]);
}

LANE_FN void iq2_lanes_encode(const struct iq2 *q, const float *src, void *dst, size_t n, const float *weights)
{
	struct iq2_lanes s = {.q = q, .g = grid_get(q->grid)};
	size_t per = QK_K / (size_t)q->run;
	for (size_t at = 0, blocks = n / QK_K; at < blocks; at += IQ2_CHUNK) {
		size_t chunk = blocks - at < IQ2_CHUNK ? blocks - at : IQ2_CHUNK, runs = chunk * per;
		struct iq2_run run[IQ2_CHUNK * IQ2_MAX_RUNS] = {0};
		float variance[IQ2_CHUNK * IQ2_MAX_RUNS + LANES] = {0};
		const float *x = src + at * QK_K, *w = weights ? weights + at * QK_K : NULL;
		for (size_t j = 0; j < runs; j++)
			variance[j] =
			    j % per ? variance[j - 1] : q->spread * search_sum_squares(x + j / per * QK_K, QK_K) / QK_K;
		for (size_t j = 0; j < runs; j += LANES)
			iq2_lanes_runs(&s, x + j * q->run, w ? w + j * q->run : NULL, variance + j,
				       runs - j < LANES ? runs - j : LANES, run + j);
		for (size_t b = 0; b < chunk; b++, dst = (char *)dst + q->block)
			iq2_finish(q, run + b * per, dst);
	}
}

#define IQ2_KERNEL(isa_name, isa_value, name)                                                                          \
	static LANES_TARGET void lanes_encode_##name(const float *src, void *const *plane, size_t n,                   \
						     const float *weights)                                             \
	{                                                                                                              \
		iq2_lanes_encode(&name, src, plane[0], n, weights);                                                    \
	}                                                                                                              \
	const struct quant_kernel kernel_##name##_##isa_name = {                                                       \
	    .encoding = #name,                                                                                         \
	    .isa = isa_value,                                                                                          \
	    .encode = lanes_encode_##name,                                                                             \
	};

#define IQ2_KERNELS(isa_name, isa_value)                                                                               \
	IQ2_KERNEL(isa_name, isa_value, iq2_xxs)                                                                       \
	IQ2_KERNEL(isa_name, isa_value, iq2_xs)                                                                        \
	IQ2_KERNEL(isa_name, isa_value, iq2_s)

#endif
