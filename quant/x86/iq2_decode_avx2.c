/*
 * iq2_decode_avx2.c - decoders of IQ2_XXS, IQ2_XS and IQ2_S: a group of 8 numbers at a time.
 */
#if defined(__x86_64__)
#include "../bits.h"
#include "../blocks.h"
#include "../grid.h"
#include "../quant.h"

#include <immintrin.h>

#define TARGET __attribute__((target("avx2,f16c")))
#define INLINE static inline __attribute__((target("avx2,f16c"), always_inline))

/* The magnitudes of the levels, in both halves, times the scale. */
INLINE __m256 magnitudes(float d, int code)
{
	return _mm256_mul_ps(_mm256_set1_ps(d * (0.5f + (float)code) * 0.25f),
			     _mm256_setr_ps(8, 25, 43, 0, 8, 25, 43, 0));
}

INLINE void put_group(float *dst, unsigned point, unsigned signs, __m256 magnitude)
{
	const __m256i down = _mm256_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14),
		      up = _mm256_setr_epi32(31, 30, 29, 28, 27, 26, 25, 24);
	__m256 v = _mm256_permutevar_ps(magnitude, _mm256_srlv_epi32(_mm256_set1_epi32((int)point), down));
	__m256i sign = _mm256_sllv_epi32(_mm256_set1_epi32((int)signs), up);
	sign = _mm256_and_si256(sign, _mm256_set1_epi32(INT32_MIN));
	_mm256_storeu_ps(dst, _mm256_xor_ps(v, _mm256_castsi256_ps(sign)));
}

/* Seven signs, and the eighth that makes their number even. */
INLINE unsigned all_signs(unsigned seven)
{
	unsigned fold = seven ^ seven >> 4;
	return seven | (0x6996u >> (fold & 15) & 1) << 7;
}

static TARGET void decode_xxs(const void *const *plane, float *dst, size_t n)
{
	const struct block_iq2_xxs *b = plane[0];
	const uint16_t *point = grid_get(GRID_IQ2_XXS)->point;
	for (; n; n -= QK_K, b++) {
		float d = _cvtsh_ss(b->d);
		for (int j = 0; j < QK_K / 32; j++, dst += 32) {
			uint32_t index = b->qs[j][0], rest = b->qs[j][1];
			__m256 magnitude = magnitudes(d, (int)(rest >> 28));
			for (int k = 0; k < 4; k++)
				put_group(dst + 8 * k, point[index >> 8 * k & 255], all_signs(rest >> 7 * k & 127),
					  magnitude);
		}
	}
}

static TARGET void decode_xs(const void *const *plane, float *dst, size_t n)
{
	const struct block_iq2_xs *b = plane[0];
	const uint16_t *point = grid_get(GRID_IQ2_XS)->point;
	for (; n; n -= QK_K, b++) {
		float d = _cvtsh_ss(b->d);
		for (int j = 0; j < QK_K / 16; j++, dst += 16) {
			__m256 magnitude = magnitudes(d, b->scales[j / 2] >> j % 2 * 4 & 15);
			for (int k = 0; k < 2; k++) {
				unsigned q = b->qs[2 * j + k];
				put_group(dst + 8 * k, point[q & 511], all_signs(q >> 9), magnitude);
			}
		}
	}
}

static TARGET void decode_s(const void *const *plane, float *dst, size_t n)
{
	const struct block_iq2_s *b = plane[0];
	const uint16_t *point = grid_get(GRID_IQ2_S)->point;
	for (; n; n -= QK_K, b++) {
		float d = _cvtsh_ss(b->d);
		for (int j = 0; j < QK_K / 16; j++, dst += 16) {
			__m256 magnitude = magnitudes(d, b->scales[j / 2] >> j % 2 * 4 & 15);
			unsigned high = b->qh[j / 2] >> j % 2 * 4;
			for (int k = 0; k < 2; k++)
				put_group(dst + 8 * k, point[b->qs[2 * j + k] | (high >> 2 * k & 3) << 8],
					  b->signs[2 * j + k], magnitude);
		}
	}
}

const struct quant_kernel kernel_iq2_xxs_decode_avx2 = {.encoding = "iq2_xxs", .isa = QUANT_AVX2, .decode = decode_xxs};
const struct quant_kernel kernel_iq2_xs_decode_avx2 = {.encoding = "iq2_xs", .isa = QUANT_AVX2, .decode = decode_xs};
const struct quant_kernel kernel_iq2_s_decode_avx2 = {.encoding = "iq2_s", .isa = QUANT_AVX2, .decode = decode_s};
#endif
