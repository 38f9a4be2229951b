/*
 * near_avx512.h - the words of near_avx2.h for 16 lanes. To be included after lanes_avx512.h.
 */
#ifndef QUANT_NEAR_AVX512_H
#define QUANT_NEAR_AVX512_H

#include <float.h>

/* clang-format off */
LANE_FN vi i_load(const int32_t *p) { return _mm512_loadu_si512(p); }
LANE_FN void i_store(int32_t *p, vi a) { _mm512_storeu_si512(p, a); }
LANE_FN vi i_add(vi a, vi b) { return _mm512_add_epi32(a, b); }
LANE_FN vi i_down(vi a, int n) { return _mm512_srl_epi32(a, _mm_cvtsi32_si128(n)); }
LANE_FN vi i_pick(vm m, vi yes, vi no) { return _mm512_mask_blend_epi32(m, no, yes); }
/* clang-format on */

LANE_FN void turn4(vf a, vf b, vf c, vf d, float *out)
{
	vf ab = _mm512_unpacklo_ps(a, b), cd = _mm512_unpacklo_ps(c, d);
	v_store(out, _mm512_shuffle_ps(ab, cd, 0x44));
	v_store(out + LANES, _mm512_shuffle_ps(ab, cd, 0xee));
	ab = _mm512_unpackhi_ps(a, b), cd = _mm512_unpackhi_ps(c, d);
	v_store(out + 2 * LANES, _mm512_shuffle_ps(ab, cd, 0x44));
	v_store(out + 3 * LANES, _mm512_shuffle_ps(ab, cd, 0xee));
}

LANE_FN unsigned near_best(const float *term, const uint16_t *list, int n)
{
	vf best = v_set(FLT_MAX);
	vi at = i_set(0), j = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
	for (int k = 0; k < n; k += LANES) {
		vi p = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(list + k)));
		vf sum = v_set(0);
		for (int i = 0; i < 8; i++)
			sum += _mm512_permutevar_ps(_mm512_broadcast_f32x4(_mm_loadu_ps(term + 4 * LANES * i)),
						    _mm512_srli_epi32(p, (unsigned)(2 * i)));
		vm better = v_lt(sum, best);
		best = v_pick(better, sum, best);
		at = i_pick(better, j, at);
		j = i_add(j, i_set(LANES));
	}
	vm least = v_eq(best, v_set(_mm512_reduce_min_ps(best)));
	return list[n <= LANES ? (unsigned)__builtin_ctz(least) : _mm512_mask_reduce_min_epu32(least, at)];
}

#endif
