/*
 * half_avx2.c - F16 and BF16 at the speed of memory. What lies beyond whole vectors goes to the scalar code.
 */
#if defined(__x86_64__)
#include "../quant.h"

#include <immintrin.h>

#define TARGET __attribute__((target("avx2,f16c")))

extern const struct heft_encoding quant_f16, quant_bf16;

/* ---- F16 ------------------------------------------------------------------------------------------------------- */

static TARGET void decode_f16(const void *const *plane, float *dst, size_t n)
{
	const uint8_t *p = plane[0];
	size_t i = 0;
	for (; i + 8 <= n; i += 8)
		_mm256_storeu_ps(dst + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(p + 2 * i))));
	quant_f16.decode((const void *[]){p + 2 * i}, dst + i, n - i);
}

static TARGET void encode_f16(const float *src, void *const *plane, size_t n, const float *weights)
{
	uint8_t *p = plane[0];
	size_t i = 0;
	for (; i + 8 <= n; i += 8) {
		__m256 v = _mm256_loadu_ps(src + i);
		if (_mm256_movemask_ps(_mm256_cmp_ps(v, v, _CMP_UNORD_Q))) /* the instruction keeps payloads */
			quant_f16.encode(src + i, (void *[]){p + 2 * i}, 8, NULL);
		else
			_mm_storeu_si128((__m128i *)(p + 2 * i), _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
	}
	quant_f16.encode(src + i, (void *[]){p + 2 * i}, n - i, NULL);
}

/* ---- BF16 ------------------------------------------------------------------------------------------------------ */

static TARGET void decode_bf16(const void *const *plane, float *dst, size_t n)
{
	const uint8_t *p = plane[0];
	size_t i = 0;
	for (; i + 8 <= n; i += 8) {
		__m256i v = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(p + 2 * i)));
		_mm256_storeu_si256((__m256i *)(dst + i), _mm256_slli_epi32(v, 16));
	}
	quant_bf16.decode((const void *[]){p + 2 * i}, dst + i, n - i);
}

static inline TARGET __m256i bf16_of_8(const float *src)
{
	__m256 v = _mm256_loadu_ps(src);
	__m256i u = _mm256_castps_si256(v), upper = _mm256_srli_epi32(u, 16);
	__m256i up = _mm256_add_epi32(_mm256_set1_epi32(0x7fff), _mm256_and_si256(upper, _mm256_set1_epi32(1)));
	__m256i rounded = _mm256_srli_epi32(_mm256_add_epi32(u, up), 16),
		quiet = _mm256_or_si256(upper, _mm256_set1_epi32(0x40));
	__m256 nan = _mm256_cmp_ps(v, v, _CMP_UNORD_Q);
	return _mm256_blendv_epi8(rounded, quiet, _mm256_castps_si256(nan));
}

static TARGET void encode_bf16(const float *src, void *const *plane, size_t n, const float *weights)
{
	uint8_t *p = plane[0];
	size_t i = 0;
	for (; i + 16 <= n; i += 16) {
		__m256i v = _mm256_packus_epi32(bf16_of_8(src + i), bf16_of_8(src + i + 8));
		_mm256_storeu_si256((__m256i *)(p + 2 * i), _mm256_permute4x64_epi64(v, 0xd8));
	}
	quant_bf16.encode(src + i, (void *[]){p + 2 * i}, n - i, NULL);
}

const struct quant_kernel kernel_f16_avx2 = {
	.encoding = "f16", .isa = QUANT_AVX2, .decode = decode_f16, .encode = encode_f16};
const struct quant_kernel kernel_bf16_avx2 = {
	.encoding = "bf16", .isa = QUANT_AVX2, .decode = decode_bf16, .encode = encode_bf16};
#endif
