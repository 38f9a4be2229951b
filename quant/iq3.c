/*
 * iq3.c - the encoder that IQ3_XXS and IQ3_S share: weights, signs, and the search for a run's scale and points.
 */
#include "iq3.h"
#include "bits.h"
#include "search.h"

const float iq3_value[IQ3_LEVELS] = {1, 3, 5, 7, 9, 11, 13, 15};

static void sums(const struct iq3_run *r, const uint16_t point[IQ3_GROUPS], float *sum_xq, float *sum_q2)
{
	*sum_xq = *sum_q2 = 0;
	for (int i = 0; i < IQ3_RUN; i++) {
		float q = iq3_value[point[i / 4] >> 3 * (i % 4) & 7];
		*sum_xq += r->w[i] * r->x[i] * q;
		*sum_q2 += r->w[i] * q * q;
	}
}

unsigned iq3_slot(const float *x, float inverse)
{
	unsigned slot = 0;
	for (int i = 0; i < IQ3_GROUP; i++)
		slot |= (unsigned)clamp_int(nearest_int(0.5f * (inverse * x[i] - 1)), 0, IQ3_LEVELS - 1) << 3 * i;
	return slot;
}

/* Rounds the groups in `which`; returns those that were off the grid. */
static unsigned round_groups(const struct iq3 *k, const struct iq3_run *r, float inverse, float scale, unsigned which,
			     uint16_t point[IQ3_GROUPS])
{
	const struct grid *g = grid_get(k->grid);
	unsigned off = 0;
	for (int j = 0; j < IQ3_GROUPS; j++) {
		if (!(which >> j & 1))
			continue;
		unsigned slot = iq3_slot(r->x + 4 * j, inverse);
		point[j] = grid_nearest(g, &g->near[slot], r->x + 4 * j, r->root + 4 * j, scale, iq3_value);
		off |= (unsigned)(point[j] != slot) << j;
	}
	return off;
}

float iq3_fit(const struct iq3_run *r, const uint16_t point[IQ3_GROUPS], float scale)
{
	float sum_xq, sum_q2;
	sums(r, point, &sum_xq, &sum_q2);
	return sum_q2 > 0 ? sum_xq / sum_q2 : scale;
}

float iq3_search(const struct iq3 *k, const struct iq3_run *r, uint16_t point[IQ3_GROUPS])
{
	uint16_t tried[IQ3_GROUPS];
	float best = 0, scale = r->max / IQ3_TOP, sum_xq, sum_q2;
	unsigned off = k->settle_all ? 0xff : 0;
	memset(point, 0, IQ3_GROUPS * sizeof *point);
	for (int t = -k->tries; t <= k->tries; t++) {
		float inverse = (IQ3_TOP + t * IQ3_TRY_STEP) / r->max;
		unsigned now_off = round_groups(k, r, inverse, 1 / inverse, 0xff, tried);
		sums(r, tried, &sum_xq, &sum_q2);
		if (sum_q2 > 0 && sum_xq * sum_xq > best * sum_q2) {
			scale = sum_xq / sum_q2;
			best = scale * sum_xq;
			off = now_off;
			memcpy(point, tried, sizeof tried);
		}
	}
	if (!off || !(scale > 0))
		return scale;
	round_groups(k, r, 1 / scale, scale, k->settle_all ? 0xff : off, point);
	return iq3_fit(r, point, scale);
}

/* ---- blocks ---------------------------------------------------------------------------------------------------- */

uint8_t iq3_signs(const float *src)
{
	uint8_t signs = 0;
	for (int i = 0; i < 8; i++)
		signs |= !(src[i] >= 0) << i;
	return signs;
}

void iq3_make_even(struct iq3_run *r, uint8_t signs[4])
{
	for (int i = 0; i < 4; i++) {
		float *x = r->x + 8 * i, *w = r->w + 8 * i;
		int least = 0;
		if (!__builtin_parity(signs[i]))
			continue;
		for (int j = 1; j < 8; j++)
			if (w[j] * x[j] * x[j] < w[least] * x[least] * x[least])
				least = j;
		x[least] = -x[least];
		signs[i] ^= 1 << least;
	}
}

void iq3_prepare(const struct iq3 *k, const float *src, const float *importance, float variance, struct iq3_run *r,
		    uint8_t signs[4])
{
	if (importance)
		search_importance(src, importance, variance, IQ3_RUN, r->w);
	for (int i = 0; i < IQ3_RUN && !importance; i++)
		r->w[i] = src[i] * src[i];
	for (int i = 0; i < IQ3_RUN; i++)
		r->root[i] = sqrtf(r->w[i]);
	for (int i = 0; i < IQ3_RUN; i++)
		r->x[i] = src[i] >= 0 ? src[i] : -src[i];
	for (int i = 0; i < 4; i++)
		signs[i] = iq3_signs(src + 8 * i);
	if (k->even_signs)
		iq3_make_even(r, signs);
	r->max = r->x[0];
	for (int i = 1; i < IQ3_RUN; i++)
		r->max = r->max > r->x[i] ? r->max : r->x[i];
}

const struct iq3_ops iq3_scalar = {iq3_prepare, iq3_search};

/* What is found for 256 numbers before their scales are codes. */
struct found {
	struct iq3_code code;
	float scale[IQ3_RUNS], max_scale;
	unsigned empty; /* bit r: run r has no numbers worth keeping */
};

static void find_run(const struct iq3 *k, const struct iq3_ops *ops, const struct iq3_run *r, int run, struct found *f)
{
	uint8_t *signs = f->code.signs[run];
	if (r->max < k->least) {
		f->empty |= 1u << run;
		memset(signs, 0, sizeof f->code.signs[run]);
		return;
	}
	float scale = ops->search(k, r, f->code.point[run]);
	for (int i = 0; i < 4 && scale < 0; i++)
		signs[i] = ~signs[i];
	f->scale[run] = scale < 0 ? -scale : scale;
	f->max_scale = f->max_scale > f->scale[run] ? f->max_scale : f->scale[run];
}

static void code_scales(const struct iq3 *k, struct found *f)
{
	float d = f->max_scale / 31, inverse = 1 / d;
	if (f->max_scale == 0)
		return;
	f->code.d = half_of_float(d * k->larger);
	for (int run = 0; run < IQ3_RUNS; run++)
		f->code.scale[run] = clamp_int(nearest_int(0.5f * (inverse * f->scale[run] - 1)), 0, 15);
}

void iq3_encode(const struct iq3 *k, const struct iq3_ops *ops, const float *src, void *dst, size_t n,
		const float *weights)
{
	uint8_t *block = dst;
	for (size_t at = 0; at < n; at += QK_K, block += k->block) {
		struct found f = {0};
		struct iq3_run r;
		float variance = 2 * search_sum_squares(src + at, QK_K) / QK_K;
		for (int run = 0; run < IQ3_RUNS; run++) {
			size_t from = at + (size_t)run * IQ3_RUN;
			ops->prepare(k, src + from, weights ? weights + from : NULL, variance, &r, f.code.signs[run]);
			find_run(k, ops, &r, run, &f);
		}
		code_scales(k, &f);
		k->pack(&f.code, block);
		if (f.empty && k->forget)
			k->forget(f.empty, block);
	}
}
