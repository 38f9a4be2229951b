/*
 * decode_low_avx2.c - decoders of the small types: IQ4, the 4-bit floats, 1 and 2-bit codes, Q8_1 and Q8_K.
 */
#if defined(__x86_64__)
#include "decode_avx2.h"

#include "../bits.h"
#include "../blocks.h"
#include "../fp4.h"
#include "../iq4.h"
#include "../quant.h"

/* dst = scale * value[code] for 32 or 16 codes of 4 bits: those of the low nibbles come first. */
INLINE void put_values(float *dst, const uint8_t *qs, __m128i value, float scale)
{
	__m128i q = load_bytes(qs);
	put_signed(dst, _mm_shuffle_epi8(value, field(q, 0, 15)), scale);
	put_signed(dst + 16, _mm_shuffle_epi8(value, field(q, 4, 15)), scale);
}

INLINE void put_values_16(float *dst, const uint8_t *qs, __m128i value, float scale)
{
	__m128i q = _mm_loadl_epi64((const __m128i *)qs);
	q = _mm_and_si128(_mm_unpacklo_epi64(q, _mm_srli_epi16(q, 4)), _mm_set1_epi8(15));
	put_signed(dst, _mm_shuffle_epi8(value, q), scale);
}

INLINE __m128i iq4_values(void)
{
	return _mm_setr_epi8(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113);
}

static TARGET void decode_iq4_nl(const void *const *plane, float *dst, size_t n)
{
	const struct block_iq4_nl *b = plane[0];
	for (; n; n -= QK, b++, dst += QK)
		put_values(dst, b->qs, iq4_values(), _cvtsh_ss(b->d));
}

static TARGET void decode_iq4_xs(const void *const *plane, float *dst, size_t n)
{
	const struct block_iq4_xs *b = plane[0];
	for (; n; n -= QK_K, b++) {
		float d = _cvtsh_ss(b->d);
		for (int j = 0; j < IQ4_RUNS; j++, dst += QK)
			put_values(dst, b->qs + j * QK / 2, iq4_values(), d * (float)iq4_xs_scale(b, j));
	}
}

static TARGET void decode_mxfp4(const void *const *plane, float *dst, size_t n)
{
	const struct block_mxfp4 *b = plane[0];
	for (; n; n -= QK, b++, dst += QK)
		put_values(dst, b->qs, load_bytes(fp4_value), fp4_scale_of_e8m0(b->e));
}

static TARGET void decode_nvfp4(const void *const *plane, float *dst, size_t n)
{
	const struct block_nvfp4 *b = plane[0];
	for (; n; n -= QK_NVFP4, b++)
		for (int j = 0; j < QK_NVFP4 / 16; j++, dst += 16)
			put_values_16(dst, b->qs + 8 * j, load_bytes(fp4_value), fp4_scale_of_ue4m3(b->d[j]));
}

static TARGET void decode_q1_0(const void *const *plane, float *dst, size_t n)
{
	const __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
	const struct block_q1_0 *b = plane[0];
	for (; n; n -= QK1, b++)
		for (int j = 0; j < QK1 / 8; j++, dst += 8) {
			__m256i set = _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(b->qs[j]), bit), bit);
			__m256 sign = _mm256_andnot_ps(_mm256_castsi256_ps(set), _mm256_set1_ps(-0.0f));
			_mm256_storeu_ps(dst, _mm256_xor_ps(_mm256_set1_ps(_cvtsh_ss(b->d)), sign));
		}
}

static TARGET void decode_q2_0(const void *const *plane, float *dst, size_t n)
{
	const __m256i shift = _mm256_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14);
	const struct block_q2_0 *b = plane[0];
	for (; n; n -= QK2, b++)
		for (int j = 0; j < QK2 / 8; j++, dst += 8) {
			__m256i q = _mm256_srlv_epi32(_mm256_set1_epi32(load16(b->qs + 2 * j)), shift);
			q = _mm256_sub_epi32(_mm256_and_si256(q, _mm256_set1_epi32(3)), _mm256_set1_epi32(1));
			_mm256_storeu_ps(dst, _mm256_mul_ps(_mm256_cvtepi32_ps(q), _mm256_set1_ps(_cvtsh_ss(b->d))));
		}
}

static TARGET void decode_tq2_0(const void *const *plane, float *dst, size_t n)
{
	const struct block_tq2_0 *b = plane[0];
	for (; n; n -= QK_K, b++)
		for (int j = 0; j < QK_K / 16; j++, dst += 16) {
			__m128i q = load_bytes(b->qs + j / 8 * 32 + j % 2 * 16);
			q = _mm_and_si128(_mm_srl_epi16(q, _mm_cvtsi32_si128(j % 8 / 2 * 2)), _mm_set1_epi8(3));
			put_signed(dst, _mm_sub_epi8(q, _mm_set1_epi8(1)), _cvtsh_ss(b->d));
		}
}

/* Digit k of 16 bytes, 0 to 2: quant/ternary.h. */
INLINE __m128i digits(__m128i bytes, int power)
{
	__m256i word = _mm256_mullo_epi16(_mm256_cvtepu8_epi16(bytes), _mm256_set1_epi16((short)power));
	word = _mm256_mullo_epi16(_mm256_and_si256(word, _mm256_set1_epi16(255)), _mm256_set1_epi16(3));
	word = _mm256_srli_epi16(word, 8);
	return _mm_packus_epi16(_mm256_castsi256_si128(word), _mm256_extracti128_si256(word, 1));
}

static TARGET void decode_tq1_0(const void *const *plane, float *dst, size_t n)
{
	static const uint8_t power[5] = {1, 3, 9, 27, 81};
	const __m128i one = _mm_set1_epi8(1);
	const struct block_tq1_0 *b = plane[0];
	for (; n; n -= QK_K, b++, dst += QK_K) {
		float d = _cvtsh_ss(b->d), last[16];
		for (int k = 0; k < 5; k++) {
			put_signed(dst + 32 * k, _mm_sub_epi8(digits(load_bytes(b->qs), power[k]), one), d);
			put_signed(dst + 32 * k + 16, _mm_sub_epi8(digits(load_bytes(b->qs + 16), power[k]), one), d);
			put_signed(dst + 160 + 16 * k, _mm_sub_epi8(digits(load_bytes(b->qs + 32), power[k]), one), d);
		}
		for (int k = 0; k < 4; k++) { /* 4 codes of 16 that count */
			put_signed(last, _mm_sub_epi8(digits(_mm_cvtsi32_si128((int)load32(b->qh)), power[k]), one), d);
			_mm_storeu_ps(dst + 240 + 4 * k, _mm_loadu_ps(last));
		}
	}
}

static TARGET void decode_q8_1(const void *const *plane, float *dst, size_t n)
{
	const struct block_q8_1 *b = plane[0];
	for (; n; n -= QK, b++)
		for (int j = 0; j < QK; j += 16, dst += 16)
			put_signed(dst, load_bytes(b->qs + j), _cvtsh_ss(b->d));
}

static TARGET void decode_q8_k(const void *const *plane, float *dst, size_t n)
{
	const struct block_q8_k *b = plane[0];
	for (; n; n -= QK_K, b++)
		for (int j = 0; j < QK_K; j += 16, dst += 16)
			put_signed(dst, load_bytes(b->qs + j), b->d);
}

DECODER(iq4_nl)
DECODER(iq4_xs)
DECODER(mxfp4)
DECODER(nvfp4)
DECODER(q1_0)
DECODER(q2_0)
DECODER(tq1_0)
DECODER(tq2_0)
DECODER(q8_1)
DECODER(q8_k)
#endif
