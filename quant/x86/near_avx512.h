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

LANE_FN uint64_t near_key(const float *term, const uint16_t *list, uint32_t at)
{
	vi p = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(list + at)));
	vf sum = v_set(0);
	for (int i = 0; i < 8; i++)
		sum += _mm512_permutevar_ps(_mm512_broadcast_f32x4(_mm_loadu_ps(term + 4 * LANES * i)),
					    _mm512_srli_epi32(p, (unsigned)(2 * i)));
	sum = v_min(sum, v_set(FLT_MAX));
	__m256 m8 = _mm256_min_ps(_mm512_castps512_ps256(sum), _mm512_extractf32x8_ps(sum, 1));
	__m128 m = _mm_min_ps(_mm256_castps256_ps128(m8), _mm256_extractf128_ps(m8, 1));
	m = _mm_min_ps(m, _mm_movehl_ps(m, m));
	m = _mm_min_ss(m, _mm_movehdup_ps(m));
	unsigned first = (unsigned)__builtin_ctz(v_eq(sum, _mm512_broadcastss_ps(m)));
	return (uint64_t)(uint32_t)_mm_extract_epi32(_mm_castps_si128(m), 0) << 32 | (at + first);
}

#endif
