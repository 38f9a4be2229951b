/*
 * near_avx2.h - more words for lanes: those that the searches on grids need. To be included after lanes_avx2.h.
 *
 * Of a list of near points the nearest is found by tables: term[i] has 4 floats, what number i adds to the error of a
 * point with level 0, 1, 2, 3 there. The lanes here are points, not runs: their errors are added up side by side, each
 * in the order of the numbers.
 */
#ifndef QUANT_NEAR_AVX2_H
#define QUANT_NEAR_AVX2_H

#include <float.h>

/* clang-format off */
LANE_FN vi i_load(const int32_t *p) { return _mm256_loadu_si256((const __m256i *)p); }
LANE_FN void i_store(int32_t *p, vi a) { _mm256_storeu_si256((__m256i *)p, a); }
LANE_FN vi i_add(vi a, vi b) { return _mm256_add_epi32(a, b); }
LANE_FN vi i_down(vi a, int n) { return _mm256_srl_epi32(a, _mm_cvtsi32_si128(n)); }
LANE_FN vi i_pick(vm m, vi yes, vi no) { return _mm256_blendv_epi8(no, yes, _mm256_castps_si256(m)); }
/* clang-format on */

/* out[(lane % 4) * LANES + lane / 4 * 4 ...] = the lane's a, b, c, d. */
LANE_FN void turn4(vf a, vf b, vf c, vf d, float *out)
{
	vf ab = _mm256_unpacklo_ps(a, b), cd = _mm256_unpacklo_ps(c, d);
	v_store(out, _mm256_shuffle_ps(ab, cd, 0x44));
	v_store(out + LANES, _mm256_shuffle_ps(ab, cd, 0xee));
	ab = _mm256_unpackhi_ps(a, b), cd = _mm256_unpackhi_ps(c, d);
	v_store(out + 2 * LANES, _mm256_shuffle_ps(ab, cd, 0x44));
	v_store(out + 3 * LANES, _mm256_shuffle_ps(ab, cd, 0xee));
}

/* Of LANES near points from list[at] on the least error (above) and the position of the first that has it (below): of
 * such keys the least is that of the nearest point. What is not below infinity counts as the largest float. Tables are
 * 4 * LANES floats apart, as turn4() writes them. */
LANE_FN uint64_t near_key(const float *term, const uint16_t *list, uint32_t at)
{
	vi p = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(list + at)));
	vf sum = v_set(0);
	for (int i = 0; i < 8; i++)
		sum += _mm256_permutevar_ps(_mm256_broadcast_ps((const __m128 *)(term + 4 * LANES * i)),
					    _mm256_srli_epi32(p, 2 * i));
	sum = v_min(sum, v_set(FLT_MAX));
	__m128 m = _mm_min_ps(_mm256_castps256_ps128(sum), _mm256_extractf128_ps(sum, 1));
	m = _mm_min_ps(m, _mm_movehl_ps(m, m));
	m = _mm_min_ss(m, _mm_movehdup_ps(m));
	unsigned first = (unsigned)__builtin_ctz(m_bits(v_eq(sum, _mm256_broadcastss_ps(m))));
	return (uint64_t)(uint32_t)_mm_extract_epi32(_mm_castps_si128(m), 0) << 32 | (at + first);
}

#endif
