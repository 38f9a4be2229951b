/*
 * octets.h - 8 floats at a time, for 8 and for 16 lanes: a table of 8 to look up in, and the least of 8.
 */
#ifndef QUANT_OCTETS_H
#define QUANT_OCTETS_H

typedef float octet __attribute__((vector_size(32)));

/* Sum over i of cost[i][field i of 3 bits] for each of 8 words. */
LANE_FN octet octet_costs(const uint16_t *words, const octet cost[4])
{
	__m256i at = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)words));
	octet sum = _mm256_permutevar8x32_ps(cost[0], at);
	sum += _mm256_permutevar8x32_ps(cost[1], _mm256_srli_epi32(at, 3));
	sum += _mm256_permutevar8x32_ps(cost[2], _mm256_srli_epi32(at, 6));
	sum += _mm256_permutevar8x32_ps(cost[3], _mm256_srli_epi32(at, 9));
	return sum;
}

/* The place of the first of the least; none is NaN. */
LANE_FN int octet_least(octet v, float *least)
{
	__m256 m = _mm256_min_ps(v, _mm256_permute2f128_ps(v, v, 1));
	m = _mm256_min_ps(m, _mm256_permute_ps(m, 0x4e));
	m = _mm256_min_ps(m, _mm256_permute_ps(m, 0xb1));
	*least = _mm256_cvtss_f32(m);
	return __builtin_ctz((unsigned)_mm256_movemask_ps(_mm256_cmp_ps(v, m, _CMP_EQ_OQ)));
}

#endif
