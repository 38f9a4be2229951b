/*
 * octets_avx2.h - OCTETS times 8 floats in a vector: each a table of 8 that is looked up by 3-bit fields, or 8 errors
 * of which the least is wanted.
 */
#ifndef QUANT_OCTETS_AVX2_H
#define QUANT_OCTETS_AVX2_H

#include <math.h>

#define OCTETS 1
typedef __m256 vo;

/* clang-format off */
LANE_FN vo o_set(float f) { return _mm256_set1_ps(f); }
LANE_FN vo o_load(const float *a, const float *b) { return (void)b, _mm256_loadu_ps(a); }
/* clang-format on */

/* The sums of a, b, c and d, each at the place that 3 bits of a word say, the lowest for a. 8 words of each list. */
LANE_FN vo o_look_up(const uint16_t *const list[OCTETS], vo a, vo b, vo c, vo d)
{
	__m256i at = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)list[0]));
	vo sum = _mm256_permutevar8x32_ps(a, at) + _mm256_permutevar8x32_ps(b, _mm256_srli_epi32(at, 3));
	sum += _mm256_permutevar8x32_ps(c, _mm256_srli_epi32(at, 6));
	sum += _mm256_permutevar8x32_ps(d, _mm256_srli_epi32(at, 9));
	return sum;
}

/* The place of the first of the least of each 8; NaN counts as infinite, which is what min_ps() makes of it. */
LANE_FN void o_least(vo v, float least[OCTETS], int place[OCTETS])
{
	v = _mm256_min_ps(v, _mm256_set1_ps(INFINITY));
	vo m = _mm256_min_ps(v, _mm256_permute2f128_ps(v, v, 1));
	m = _mm256_min_ps(m, _mm256_permute_ps(m, 0x4e));
	m = _mm256_min_ps(m, _mm256_permute_ps(m, 0xb1));
	least[0] = _mm256_cvtss_f32(m);
	place[0] = __builtin_ctz((unsigned)_mm256_movemask_ps(_mm256_cmp_ps(v, m, _CMP_EQ_OQ)));
}

#endif
