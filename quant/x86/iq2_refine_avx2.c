/*
 * iq2_refine_avx2.c - the nearest point of a grid among 8 at a time.
 */
#if defined(__x86_64__)
#include "lanes_avx2.h"

#include "../iq2_refine.h"

#include <float.h>

/* For a number: what the levels cost, in both halves. */
struct costs {
	vf error, wrong;
};

LANE_FN struct costs costs_of(float x, float w, float scale)
{
	vf m = v_set(scale) * _mm256_setr_ps(8, 25, 43, 0, 8, 25, 43, 0), diff = v_set(x) - m;
	return (struct costs){v_set(w) * (diff * diff), v_set(w * x) * (m * v_set(4))};
}

/* Of four numbers. */
LANE_FN vf half_error(const struct costs c[4], vi p)
{
	return (_mm256_permutevar_ps(c[0].error, p) + _mm256_permutevar_ps(c[1].error, _mm256_srli_epi32(p, 2))) +
	       (_mm256_permutevar_ps(c[2].error, _mm256_srli_epi32(p, 4)) +
		_mm256_permutevar_ps(c[3].error, _mm256_srli_epi32(p, 6)));
}

LANE_FN vf half_wrong(const struct costs c[4], vi p)
{
	vf low = v_min(_mm256_permutevar_ps(c[0].wrong, p), _mm256_permutevar_ps(c[1].wrong, _mm256_srli_epi32(p, 2)));
	vf high = v_min(_mm256_permutevar_ps(c[2].wrong, _mm256_srli_epi32(p, 4)),
			_mm256_permutevar_ps(c[3].wrong, _mm256_srli_epi32(p, 6)));
	return v_min(low, high);
}

LANE_FN float nearest_by(const struct grid *g, const struct iq2_group *group, bool odd, float scale, uint16_t *point)
{
	struct costs c[IQ2_GROUP];
	vf least = v_set(FLT_MAX);
	vi at = i_set(0);
	float error_of[LANES];
	int32_t at_of[LANES], best = 0;
	for (int i = 0; i < IQ2_GROUP; i++)
		c[i] = costs_of(group->x[i], group->w[i], scale);
	for (int j = 0; j < g->points; j += LANES) {
		vi p = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(g->point + j)));
		vi high = _mm256_srli_epi32(p, 8);
		vf error = half_error(c, p) + half_error(c + 4, high);
		if (odd)
			error += v_min(half_wrong(c, p), half_wrong(c + 4, high));
		vm less = v_lt(error, least);
		least = v_pick(less, error, least);
		at = _mm256_blendv_epi8(at, i_set(j), _mm256_castps_si256(less));
	}
	v_store(error_of, least);
	_mm256_storeu_si256((__m256i *)at_of, at);
	for (int i = 1; i < LANES; i++)
		if (error_of[i] < error_of[best] || (error_of[i] == error_of[best] && at_of[i] < at_of[best]))
			best = i;
	*point = g->point[at_of[best] + best];
	return error_of[best];
}

static LANES_TARGET float nearest(const struct grid *g, const struct iq2_group *group, float scale, uint16_t *point)
{
	return group->odd ? nearest_by(g, group, true, scale, point) : nearest_by(g, group, false, scale, point);
}

IQ2_REFINE_KERNELS(avx2, QUANT_AVX2, nearest)
#endif
