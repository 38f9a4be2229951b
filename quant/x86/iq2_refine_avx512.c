/*
 * iq2_refine_avx512.c - the nearest point of a grid among 16 at a time.
 */
#if defined(__x86_64__)
#include "lanes_avx512.h"

#include "../iq2_refine.h"

#include <float.h>

/* For two numbers: what level + 4 * next level cost, as errors and as wrong signs. */
struct pair {
	vf error, wrong;
};

LANE_FN struct pair pair_of(const float *x, const float *w, float scale)
{
	const vf low = _mm512_setr_ps(8, 25, 43, 0, 8, 25, 43, 0, 8, 25, 43, 0, 8, 25, 43, 0);
	const vf high = _mm512_setr_ps(8, 8, 8, 8, 25, 25, 25, 25, 43, 43, 43, 43, 0, 0, 0, 0);
	vf m = v_set(scale) * low, next = v_set(scale) * high, a = v_set(x[0]) - m, b = v_set(x[1]) - next;
	return (struct pair){v_set(w[0]) * (a * a) + v_set(w[1]) * (b * b),
			     v_min(v_set(w[0] * x[0]) * (m * v_set(4)), v_set(w[1] * x[1]) * (next * v_set(4)))};
}

LANE_FN vf error_of(const struct pair pair[4], bool odd, vi p)
{
	vi q = _mm512_srli_epi32(p, 4), r = _mm512_srli_epi32(p, 8), s = _mm512_srli_epi32(p, 12);
	vf error = (_mm512_permutexvar_ps(p, pair[0].error) + _mm512_permutexvar_ps(q, pair[1].error)) +
		   (_mm512_permutexvar_ps(r, pair[2].error) + _mm512_permutexvar_ps(s, pair[3].error));
	if (odd)
		error += v_min(v_min(_mm512_permutexvar_ps(p, pair[0].wrong), _mm512_permutexvar_ps(q, pair[1].wrong)),
			       v_min(_mm512_permutexvar_ps(r, pair[2].wrong), _mm512_permutexvar_ps(s, pair[3].wrong)));
	return error;
}

LANE_FN float nearest_by(const struct grid *g, const struct iq2_group *group, bool odd, float scale, uint16_t *point)
{
	struct pair pair[4];
	vf least = v_set(FLT_MAX);
	vi at = i_set(0);
	for (int i = 0; i < 4; i++)
		pair[i] = pair_of(group->x + 2 * i, group->w + 2 * i, scale);
	for (int j = 0; j < g->points; j += LANES) {
		vi p = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(g->point + j)));
		vf error = error_of(pair, odd, p);
		vm less = v_lt(error, least);
		least = v_pick(less, error, least);
		at = _mm512_mask_mov_epi32(at, less, i_set(j));
	}
	at = _mm512_add_epi32(at, _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
	float best = _mm512_reduce_min_ps(least);
	*point = g->point[_mm512_mask_reduce_min_epu32(v_eq(least, v_set(best)), at)];
	return best;
}

static LANES_TARGET float nearest(const struct grid *g, const struct iq2_group *group, float scale, uint16_t *point)
{
	return group->odd ? nearest_by(g, group, true, scale, point) : nearest_by(g, group, false, scale, point);
}

IQ2_REFINE_KERNELS(avx512, QUANT_AVX512, nearest)
#endif
