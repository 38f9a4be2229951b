/*
 * simple_avx2.c - F16, BF16 and Q8_0 at the speed of memory. What lies beyond whole vectors goes to the scalar code.
 */
#if defined(__x86_64__)
#include "../bits.h"
#include "../blocks.h"
#include "../quant.h"

#include <immintrin.h>

#define TARGET __attribute__((target("avx2,f16c")))

extern const struct heft_encoding quant_f16, quant_bf16, quant_q8_0;

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
	__m256i rounded = _mm256_srli_epi32(_mm256_add_epi32(u, up), 16), quiet = _mm256_or_si256(upper, _mm256_set1_epi32(0x40));
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

/* ---- Q8_0 ------------------------------------------------------------------------------------------------------ */

static TARGET void decode_q8_0(const void *const *plane, float *dst, size_t n)
{
	const struct block_q8_0 *b = plane[0];
	for (; n; n -= QK, b++, dst += QK) {
		__m256 d = _mm256_set1_ps(_cvtsh_ss(b->d));
		for (int i = 0; i < QK; i += 8) {
			__m256i q = _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(b->qs + i)));
			_mm256_storeu_ps(dst + i, _mm256_mul_ps(_mm256_cvtepi32_ps(q), d));
		}
	}
}

/* roundf(): halves away from zero. Truncates, then looks at what was cut off (exact), so that no sum can round. */
static inline TARGET __m256 round_away(__m256 v)
{
	const __m256 sign = _mm256_set1_ps(-0.0f);
	__m256 whole = _mm256_round_ps(v, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC);
	__m256 cut = _mm256_andnot_ps(sign, _mm256_sub_ps(v, whole));
	__m256 one = _mm256_or_ps(_mm256_and_ps(v, sign), _mm256_set1_ps(1));
	return _mm256_add_ps(whole, _mm256_and_ps(_mm256_cmp_ps(cut, _mm256_set1_ps(0.5f), _CMP_GE_OQ), one));
}

static inline TARGET float largest_of_8(__m256 v)
{
	__m128 m = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
	m = _mm_max_ps(m, _mm_movehl_ps(m, m));
	return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
}

static TARGET void encode_q8_0(const float *src, void *const *plane, size_t n, const float *weights)
{
	const __m256 sign = _mm256_set1_ps(-0.0f);
	struct block_q8_0 *b = plane[0];
	for (; n; n -= QK, b++, src += QK) {
		__m256 v[4], amax = _mm256_setzero_ps(), nan = amax;
		__m256i q[4];
		for (int i = 0; i < 4; i++) {
			v[i] = _mm256_loadu_ps(src + 8 * i);
			amax = _mm256_max_ps(amax, _mm256_andnot_ps(sign, v[i]));
			nan = _mm256_or_ps(nan, _mm256_cmp_ps(v[i], v[i], _CMP_UNORD_Q));
		}
		if (_mm256_movemask_ps(nan)) { /* what a NaN does to the maximum depends on the order */
			quant_q8_0.encode(src, (void *[]){b}, QK, NULL);
			continue;
		}
		float d = largest_of_8(amax) / 127, inverse = d != 0 ? 1 / d : 0;
		b->d = half_of_float(d);
		for (int i = 0; i < 4; i++) /* the low byte, as the scalar conversion leaves it */
			q[i] = _mm256_and_si256(_mm256_cvttps_epi32(round_away(_mm256_mul_ps(v[i], _mm256_set1_ps(inverse)))),
						_mm256_set1_epi32(0xff));
		__m256i bytes = _mm256_packus_epi16(_mm256_packus_epi32(q[0], q[1]), _mm256_packus_epi32(q[2], q[3]));
		bytes = _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
		_mm256_storeu_si256((__m256i *)b->qs, bytes);
	}
}

const struct quant_kernel kernel_f16_avx2 = {.encoding = "f16", .isa = QUANT_AVX2, .decode = decode_f16, .encode = encode_f16};
const struct quant_kernel kernel_bf16_avx2 = {.encoding = "bf16", .isa = QUANT_AVX2, .decode = decode_bf16, .encode = encode_bf16};
const struct quant_kernel kernel_q8_0_avx2 = {.encoding = "q8_0", .isa = QUANT_AVX2, .decode = decode_q8_0, .encode = encode_q8_0};
#endif
