/*
 * lanes_avx2.h - the words that the searches in lanes are written in, for 8 lanes. Arithmetic is the compiler's own on
 * vectors.
 *
 * v_min(a, b) is a < b ? a : b and v_max(a, b) is a > b ? a : b, also for NaN and for zeros of both signs: the operand
 * order counts.
 */
#ifndef QUANT_LANES_AVX2_H
#define QUANT_LANES_AVX2_H

#include <immintrin.h>
#include <stdint.h>

#define LANES 8
#define LANES_TARGET __attribute__((target("avx2,f16c")))
#define LANE_FN static inline __attribute__((target("avx2,f16c"), always_inline))

#include "turn.h"

typedef __m256 vf;  /* floats */
typedef __m256i vi; /* 32-bit integers */
typedef __m256 vm;  /* a condition per lane */

/* clang-format off */
LANE_FN vf v_set(float f) { return _mm256_set1_ps(f); }
LANE_FN vf v_load(const float *p) { return _mm256_loadu_ps(p); }
LANE_FN void v_store(float *p, vf v) { _mm256_storeu_ps(p, v); }
LANE_FN vf v_sqrt(vf a) { return _mm256_sqrt_ps(a); }
LANE_FN vf v_abs(vf a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
LANE_FN vf v_min(vf a, vf b) { return _mm256_min_ps(a, b); }
LANE_FN vf v_max(vf a, vf b) { return _mm256_max_ps(a, b); }
LANE_FN vf v_round(vf a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); } /* ties to even */
LANE_FN vm v_lt(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
LANE_FN vm v_le(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_LE_OQ); }
LANE_FN vm v_eq(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_EQ_OQ); }
LANE_FN vm v_ne(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_NEQ_UQ); } /* true for NaN */
LANE_FN vm m_and(vm a, vm b) { return _mm256_and_ps(a, b); }
LANE_FN vm m_or(vm a, vm b) { return _mm256_or_ps(a, b); }
LANE_FN unsigned m_bits(vm a) { return (unsigned)_mm256_movemask_ps(a); }
LANE_FN vf v_pick(vm m, vf yes, vf no) { return _mm256_blendv_ps(no, yes, m); }
LANE_FN vi v_bits(vf a) { return _mm256_castps_si256(a); }
LANE_FN vf v_float(vi a) { return _mm256_cvtepi32_ps(a); }
LANE_FN vi i_set(int i) { return _mm256_set1_epi32(i); }
LANE_FN vi i_and(vi a, vi b) { return _mm256_and_si256(a, b); }
LANE_FN vi i_sub(vi a, vi b) { return _mm256_sub_epi32(a, b); }
LANE_FN vi i_clamp(vi a, int lo, int hi) { return _mm256_min_epi32(_mm256_max_epi32(a, i_set(lo)), i_set(hi)); }
/* Toward zero; what does not fit gives INT32_MIN. */
LANE_FN vi i_truncate(vf a) { return _mm256_cvttps_epi32(a); }
/* a, and one more where not m */
LANE_FN vi i_add_unless(vi a, vm m) { return _mm256_add_epi32(a, _mm256_add_epi32(_mm256_castps_si256(m), i_set(1))); }
/* LANES words; 4 floats, again and again; of those the one that the low 2 bits of each lane say */
LANE_FN vi i_load_words(const uint16_t *p) { return _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p)); }
LANE_FN vf v_load_fours(const float *p) { return _mm256_broadcast_ps((const __m128 *)p); }
LANE_FN vf v_of_four(vf table, vi at) { return _mm256_permutevar_ps(table, at); }
/* a, and b where m */
LANE_FN vi i_add_where(vi a, vm m, vi b) { return _mm256_add_epi32(a, _mm256_and_si256(_mm256_castps_si256(m), b)); }
/* clang-format on */

/* The largest lane; none is NaN. */
LANE_FN float v_largest(vf a)
{
	__m128 m = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
	m = _mm_max_ps(m, _mm_movehl_ps(m, m));
	return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
}

/* The low bytes of the lanes, which hold 0 to 255. */
LANE_FN void i_store_bytes(uint8_t *p, vi a)
{
	__m128i words = _mm_packus_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
	_mm_storel_epi64((__m128i *)p, _mm_packus_epi16(words, words));
}

/* The least lane; none is NaN. */
LANE_FN float v_least(vf a)
{
	__m128 m = _mm_min_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
	m = _mm_min_ps(m, _mm_movehl_ps(m, m));
	return _mm_cvtss_f32(_mm_min_ss(m, _mm_movehdup_ps(m)));
}

/* The low bytes of 32 integers, as signed ones at most top. */
LANE_FN void i_store_32(uint8_t *p, const vi q[4], int top)
{
	const vi low = i_set(0xff), order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
	vi a = _mm256_packus_epi32(i_and(q[0], low), i_and(q[1], low));
	vi b = _mm256_packus_epi32(i_and(q[2], low), i_and(q[3], low));
	vi bytes = _mm256_permutevar8x32_epi32(_mm256_packus_epi16(a, b), order);
	_mm256_storeu_si256((__m256i *)p, _mm256_min_epi8(bytes, _mm256_set1_epi8((char)top)));
}

#endif
