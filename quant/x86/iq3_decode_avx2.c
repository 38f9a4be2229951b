/*
 * iq3_decode_avx2.c - decoders of IQ3_XXS and IQ3_S: the values of the 8 levels, times the scale of a run, are a
 * table in a register, in which the levels of two points are looked up at once.
 */
#if defined(__x86_64__)
#include "../bits.h"
#include "../iq3.h"
#include "../quant.h"

#include <immintrin.h>

#define TARGET __attribute__((target("avx2,f16c")))
#define INLINE static inline __attribute__((target("avx2,f16c"), always_inline))

/* 8 numbers: of levels 0-3 of two packed points, bit i of signs making number i negative. */
INLINE void put_points(float *dst, __m256 value, unsigned low, unsigned high, unsigned signs)
{
	const __m256i field = _mm256_setr_epi32(0, 3, 6, 9, 0, 3, 6, 9),
		      to_sign = _mm256_setr_epi32(31, 30, 29, 28, 27, 26, 25, 24);
	__m256i points = _mm256_set_m128i(_mm_set1_epi32((int)high), _mm_set1_epi32((int)low));
	__m256i sign = _mm256_sllv_epi32(_mm256_set1_epi32((int)signs), to_sign);
	sign = _mm256_and_si256(sign, _mm256_set1_epi32(INT32_MIN));
	__m256 v = _mm256_permutevar8x32_ps(value, _mm256_srlv_epi32(points, field)); /* by the lowest 3 bits */
	_mm256_storeu_ps(dst, _mm256_xor_ps(v, _mm256_castsi256_ps(sign)));
}

static TARGET void decode_iq3_xxs(const void *const *plane, float *dst, size_t n)
{
	const uint16_t *point = grid_get(GRID_IQ3_XXS)->point;
	const struct block_iq3_xxs *b = plane[0];
	const __m256 level = _mm256_setr_ps(4, 12, 20, 28, 36, 44, 52, 62);
	for (; n; n -= QK_K, b++)
		for (int run = 0; run < IQ3_RUNS; run++) {
			uint32_t word = b->signs[run];
			float d = _cvtsh_ss(b->d) * (0.5f + (word >> 28)) * 0.5f;
			__m256 value = _mm256_mul_ps(_mm256_set1_ps(d), level);
			const uint8_t *qs = b->qs + run * IQ3_GROUPS;
			for (int i = 0; i < IQ3_GROUPS; i += 2, dst += 8, word >>= 7) {
				unsigned signs = (word & 127) | (unsigned)__builtin_parity(word & 127) << 7;
				put_points(dst, value, point[qs[i]], point[qs[i + 1]], signs);
			}
		}
}

static TARGET void decode_iq3_s(const void *const *plane, float *dst, size_t n)
{
	const uint16_t *point = grid_get(GRID_IQ3_S)->point;
	const struct block_iq3_s *b = plane[0];
	const __m256 level = _mm256_setr_ps(1, 3, 5, 7, 9, 11, 13, 15);
	for (; n; n -= QK_K, b++)
		for (int run = 0; run < IQ3_RUNS; run++) {
			float d = _cvtsh_ss(b->d) * (1 + 2 * (b->scales[run / 2] >> run % 2 * 4 & 15));
			__m256 value = _mm256_mul_ps(_mm256_set1_ps(d), level);
			const uint8_t *qs = b->qs + run * IQ3_GROUPS;
			unsigned high = (unsigned)b->qh[run] << 8;
			for (int i = 0; i < IQ3_GROUPS; i += 2, dst += 8, high >>= 2)
				put_points(dst, value, point[qs[i] | (high & 256)],
					   point[qs[i + 1] | (high >> 1 & 256)], b->signs[4 * run + i / 2]);
		}
}

#define DECODER(name)                                                                                                  \
	const struct quant_kernel kernel_##name##_decode_avx2 = {                                                      \
		.encoding = #name,                                                                                     \
		.isa = QUANT_AVX2,                                                                                     \
		.decode = decode_##name,                                                                               \
	};

DECODER(iq3_xxs)
DECODER(iq3_s)
#endif
