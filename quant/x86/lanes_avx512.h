/*
 * lanes_avx512.h - the words of lanes_avx2.h for 16 lanes, conditions in mask registers.
 */
#ifndef QUANT_LANES_AVX512_H
#define QUANT_LANES_AVX512_H

#include <immintrin.h>
#include <stdint.h>

#define LANES 16
#define LANES_TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,f16c")))
#define LANE_FN static inline __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,f16c"), always_inline))

#include "turn.h"

typedef __m512 vf;
typedef __m512i vi;
typedef __mmask16 vm;

/* clang-format off */
LANE_FN vf v_set(float f) { return _mm512_set1_ps(f); }
LANE_FN vf v_load(const float *p) { return _mm512_loadu_ps(p); }
LANE_FN void v_store(float *p, vf v) { _mm512_storeu_ps(p, v); }
LANE_FN vf v_sqrt(vf a) { return _mm512_sqrt_ps(a); }
LANE_FN vf v_abs(vf a) { return _mm512_abs_ps(a); }
LANE_FN vf v_min(vf a, vf b) { return _mm512_min_ps(a, b); }
LANE_FN vf v_max(vf a, vf b) { return _mm512_max_ps(a, b); }
LANE_FN vf v_round(vf a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
LANE_FN vm v_lt(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
LANE_FN vm v_le(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ); }
LANE_FN vm v_eq(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
LANE_FN vm v_ne(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_NEQ_UQ); }
LANE_FN vm m_and(vm a, vm b) { return a & b; }
LANE_FN vm m_or(vm a, vm b) { return a | b; }
LANE_FN unsigned m_bits(vm a) { return a; }
LANE_FN vf v_pick(vm m, vf yes, vf no) { return _mm512_mask_blend_ps(m, no, yes); }
LANE_FN vi v_bits(vf a) { return _mm512_castps_si512(a); }
LANE_FN vf v_float(vi a) { return _mm512_cvtepi32_ps(a); }
LANE_FN vi i_set(int i) { return _mm512_set1_epi32(i); }
LANE_FN vi i_and(vi a, vi b) { return _mm512_and_si512(a, b); }
LANE_FN vi i_sub(vi a, vi b) { return _mm512_sub_epi32(a, b); }
LANE_FN vi i_clamp(vi a, int lo, int hi) { return _mm512_min_epi32(_mm512_max_epi32(a, i_set(lo)), i_set(hi)); }
LANE_FN vi i_truncate(vf a) { return _mm512_cvttps_epi32(a); }
LANE_FN float v_largest(vf a) { return _mm512_reduce_max_ps(a); }
LANE_FN vi i_add_unless(vi a, vm m) { return _mm512_mask_add_epi32(a, (vm)~m, a, i_set(1)); }
/* LANES words; 4 floats, again and again; of those the one that the low 2 bits of each lane say */
LANE_FN vi i_load_words(const uint16_t *p) { return _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p)); }
LANE_FN vf v_load_fours(const float *p) { return _mm512_broadcast_f32x4(_mm_loadu_ps(p)); }
LANE_FN vf v_of_four(vf table, vi at) { return _mm512_permutevar_ps(table, at); }
LANE_FN float v_least(vf a) { return _mm512_reduce_min_ps(a); } /* none is NaN */
LANE_FN vi i_add_where(vi a, vm m, vi b) { return _mm512_mask_add_epi32(a, m, a, b); }
/* clang-format on */

LANE_FN void i_store_bytes(uint8_t *p, vi a)
{
	_mm_storeu_si128((__m128i *)p, _mm512_cvtepi32_epi8(a));
}

LANE_FN void i_store_32(uint8_t *p, const vi q[2], int top)
{
	for (int i = 0; i < 2; i++) {
		__m128i bytes = _mm_min_epi8(_mm512_cvtepi32_epi8(q[i]), _mm_set1_epi8((char)top));
		_mm_storeu_si128((__m128i *)(p + 16 * i), bytes);
	}
}

#endif
