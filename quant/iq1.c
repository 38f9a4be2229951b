/*
 * iq1.c - what the scalar encoders of IQ1_S and IQ1_M share: weights, sorting, and the way of a cut run onto the grid.
 */
#include "iq1.h"
#include "bits.h"
#include "search.h"

void iq1_weights(const float *x, const float *importance, size_t n, float *w)
{
	for (size_t i = 0; i < n && importance; i += QK_K)
		search_importance(x + i, importance + i, 2 * search_sum_squares(x + i, QK_K) / QK_K, QK_K, w + i);
	for (size_t i = 0; i < n && !importance; i++)
		w[i] = x[i] * x[i];
}

void iq1_sort(const float *x, int run, uint8_t *order)
{
	for (int i = 0; i < run; i++) {
		int at = i;
		for (; at && x[i] < x[order[at - 1]]; at--)
			order[at] = order[at - 1];
		order[at] = (uint8_t)i;
	}
}

bool iq1_is_zero(const float *x, int run, float limit)
{
	float max = 0;
	for (int i = 0; i < run; i++)
		max = fabsf(x[i]) > max ? fabsf(x[i]) : max;
	return max < limit;
}

int iq1_scale_code(float scale, float inverse)
{
	return clamp_int(nearest_int(0.5f * (inverse * scale - 1)), 0, IQ1_SCALE_TOP);
}

static unsigned pack(const uint8_t code[IQ1_GROUP])
{
	unsigned packed = 0;
	for (int i = 0; i < IQ1_GROUP; i++)
		packed |= (unsigned)code[i] << 2 * i;
	return packed;
}

/* The codes that a cut means. A negative scale turns levels around, and with them the shifts. */
static void cut_codes(int run, const uint8_t *order, const struct iq1_cut *cut, uint8_t *code, struct iq1_found *found)
{
	bool turned = cut->scale < 0;
	for (int i = 0; i < run; i++)
		code[order[i]] = turned ? 2 - (i >= cut->first) - (i >= cut->second)
					: (i >= cut->first) + (i >= cut->second);
	found->scale = turned ? -cut->scale : cut->scale;
	found->minus = cut->minus ^ (turned ? (1u << run / IQ1_GROUP) - 1 : 0);
}

void iq1_place(const float *x, const float *w, int run, const uint8_t *order, const struct iq1_cut *cut,
	       struct iq1_found *found)
{
	const struct grid *g = grid_get(GRID_IQ1_S);
	uint8_t code[IQ1_MAX_RUN];
	float sum_xq = 0, sum_q2 = 0;
	bool moved = false;
	cut_codes(run, order, cut, code, found);
	for (int k = 0; k < run; k += IQ1_GROUP) {
		const float *level = iq1_levels(found->minus, k / IQ1_GROUP);
		unsigned packed = pack(code + k);
		const struct grid_near *near = g->near + iq1_slot(packed);
		if (near->index < 0) {
			moved = true;
			packed = grid_nearest(g, near, x + k, w + k, found->scale, level);
			near = g->near + iq1_slot(packed);
		}
		found->index[k / IQ1_GROUP] = (uint16_t)near->index;
		for (int i = 0; i < IQ1_GROUP; i++) {
			float q = level[grid_level(g, packed, i)], wq = w[k + i] * q;
			sum_xq += wq * x[k + i];
			sum_q2 += wq * q;
		}
	}
	if (moved && sum_xq > 0 && sum_q2 > 0)
		found->scale = sum_xq / sum_q2;
	if (!(found->scale >= 0)) /* sums that overflow; the reference ends here */
		found->scale = 0;
}
