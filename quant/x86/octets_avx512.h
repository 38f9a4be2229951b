/*
 * octets_avx512.h - the words of octets_avx2.h for two octets in a vector.
 */
#ifndef QUANT_OCTETS_AVX512_H
#define QUANT_OCTETS_AVX512_H

#include <math.h>

#define OCTETS 2
typedef __m512 vo;

/* clang-format off */
LANE_FN vo o_set(float f) { return _mm512_set1_ps(f); }
/* clang-format on */

LANE_FN vo o_load(const float *a, const float *b)
{
	return _mm512_insertf32x8(_mm512_castps256_ps512(_mm256_loadu_ps(a)), _mm256_loadu_ps(b), 1);
}

/* 3 bits of each word, and 8 more in the second octet. */
LANE_FN __m512i o_field(__m512i words)
{
	const __m512i upper = _mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 8, 8, 8, 8, 8, 8, 8, 8);
	return _mm512_ternarylogic_epi32(words, _mm512_set1_epi32(7), upper, 0xea); /* (words & 7) | upper */
}

LANE_FN vo o_look_up(const uint16_t *const list[OCTETS], vo a, vo b, vo c, vo d)
{
	__m256i both = _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)list[0]));
	both = _mm256_inserti128_si256(both, _mm_loadu_si128((const __m128i *)list[1]), 1);
	__m512i at = _mm512_cvtepu16_epi32(both);
	vo sum = _mm512_permutexvar_ps(o_field(at), a);
	sum += _mm512_permutexvar_ps(o_field(_mm512_srli_epi32(at, 3)), b);
	sum += _mm512_permutexvar_ps(o_field(_mm512_srli_epi32(at, 6)), c);
	sum += _mm512_permutexvar_ps(o_field(_mm512_srli_epi32(at, 9)), d);
	return sum;
}

LANE_FN void o_least(vo v, float least[OCTETS], int place[OCTETS])
{
	v = _mm512_min_ps(v, _mm512_set1_ps(INFINITY));
	vo m = _mm512_min_ps(v, _mm512_shuffle_f32x4(v, v, 0xb1));
	m = _mm512_min_ps(m, _mm512_permute_ps(m, 0x4e));
	m = _mm512_min_ps(m, _mm512_permute_ps(m, 0xb1));
	unsigned equal = _mm512_cmp_ps_mask(v, m, _CMP_EQ_OQ);
	_mm_store_ss(&least[0], _mm512_castps512_ps128(m));
	_mm_store_ss(&least[1], _mm512_extractf32x4_ps(m, 2));
	place[0] = __builtin_ctz(equal);
	place[1] = __builtin_ctz(equal >> 8);
}

#endif
