/*
 * decode_avx2.c - decoders of the simple block encodings and the k-quants.
 */
#if defined(__x86_64__)
#include "decode_avx2.h"

#include "../bits.h"
#include "../blocks.h"
#include "../quant.h"

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

static TARGET void decode_q4_0(const void *const *plane, float *dst, size_t n)
{
	const struct block_q4_0 *b = plane[0];
	for (; n; n -= QK, b++, dst += QK) {
		float d = _cvtsh_ss(b->d);
		__m128i q = load_bytes(b->qs);
		put_signed(dst, _mm_sub_epi8(field(q, 0, 15), _mm_set1_epi8(8)), d);
		put_signed(dst + 16, _mm_sub_epi8(field(q, 4, 15), _mm_set1_epi8(8)), d);
	}
}

static TARGET void decode_q4_1(const void *const *plane, float *dst, size_t n)
{
	const struct block_q4_1 *b = plane[0];
	for (; n; n -= QK, b++, dst += QK) {
		float d = _cvtsh_ss(b->d), m = _cvtsh_ss(b->m);
		__m128i q = load_bytes(b->qs);
		put_affine(dst, field(q, 0, 15), d, m);
		put_affine(dst + 16, field(q, 4, 15), d, m);
	}
}

static TARGET void decode_q5_0(const void *const *plane, float *dst, size_t n)
{
	const struct block_q5_0 *b = plane[0];
	for (; n; n -= QK, b++, dst += QK) {
		float d = _cvtsh_ss(b->d);
		__m128i q = load_bytes(b->qs);
		for (int h = 0; h < 2; h++) {
			__m128i code =
				_mm_or_si128(h ? field(q, 4, 15) : field(q, 0, 15), spread_bits(b->qh >> 16 * h));
			put_signed(dst + 16 * h, _mm_sub_epi8(code, _mm_set1_epi8(16)), d);
		}
	}
}

static TARGET void decode_q5_1(const void *const *plane, float *dst, size_t n)
{
	const struct block_q5_1 *b = plane[0];
	for (; n; n -= QK, b++, dst += QK) {
		float d = _cvtsh_ss(b->d), m = _cvtsh_ss(b->m);
		__m128i q = load_bytes(b->qs);
		put_affine(dst, _mm_or_si128(field(q, 0, 15), spread_bits(b->qh)), d, m);
		put_affine(dst + 16, _mm_or_si128(field(q, 4, 15), spread_bits(b->qh >> 16)), d, m);
	}
}

static TARGET void decode_q2_k(const void *const *plane, float *dst, size_t n)
{
	const struct block_q2_k *b = plane[0];
	for (; n; n -= QK_K, b++) {
		float d = _cvtsh_ss(b->d), dmin = _cvtsh_ss(b->dmin);
		for (int j = 0; j < QK_K / 16; j++, dst += 16) {
			__m128i q = load_bytes(b->qs + j / 8 * 32 + j % 2 * 16);
			q = _mm_and_si128(_mm_srl_epi16(q, _mm_cvtsi32_si128(j % 8 / 2 * 2)), _mm_set1_epi8(3));
			put_affine(dst, q, d * (b->scales[j] & 15), -(dmin * (b->scales[j] >> 4)));
		}
	}
}

static TARGET void decode_q3_k(const void *const *plane, float *dst, size_t n)
{
	const struct block_q3_k *b = plane[0];
	for (; n; n -= QK_K, b++) {
		float d = _cvtsh_ss(b->d);
		for (int j = 0; j < QK_K / 16; j++, dst += 16) {
			__m128i q = load_bytes(b->qs + j / 8 * 32 + j % 2 * 16), h = load_bytes(b->hmask + j % 2 * 16);
			q = _mm_and_si128(_mm_srl_epi16(q, _mm_cvtsi32_si128(j % 8 / 2 * 2)), _mm_set1_epi8(3));
			h = _mm_and_si128(_mm_srl_epi16(h, _mm_cvtsi32_si128(j / 2)), _mm_set1_epi8(1));
			q = _mm_sub_epi8(_mm_or_si128(q, _mm_slli_epi16(h, 2)), _mm_set1_epi8(4));
			put_signed(dst, q, d * unpack_scale_q3(b->scales, j));
		}
	}
}

static TARGET void decode_q4_k(const void *const *plane, float *dst, size_t n)
{
	const struct block_q4_k *b = plane[0];
	for (; n; n -= QK_K, b++) {
		float d = _cvtsh_ss(b->d), dmin = _cvtsh_ss(b->dmin);
		for (int j = 0; j < QK_K / 32; j++)
			for (int h = 0; h < 2; h++, dst += 16) {
				uint8_t scale, min;
				__m128i q = load_bytes(b->qs + j / 2 * 32 + 16 * h);
				unpack_scale_min(b->scales, j, &scale, &min);
				put_affine(dst, j % 2 ? field(q, 4, 15) : field(q, 0, 15), d * scale, -(dmin * min));
			}
	}
}

static TARGET void decode_q5_k(const void *const *plane, float *dst, size_t n)
{
	const struct block_q5_k *b = plane[0];
	for (; n; n -= QK_K, b++) {
		float d = _cvtsh_ss(b->d), dmin = _cvtsh_ss(b->dmin);
		for (int j = 0; j < QK_K / 32; j++)
			for (int h = 0; h < 2; h++, dst += 16) {
				uint8_t scale, min;
				__m128i q = load_bytes(b->qs + j / 2 * 32 + 16 * h), high = load_bytes(b->qh + 16 * h);
				unpack_scale_min(b->scales, j, &scale, &min);
				high = _mm_and_si128(_mm_srl_epi16(high, _mm_cvtsi32_si128(j)), _mm_set1_epi8(1));
				q = _mm_or_si128(j % 2 ? field(q, 4, 15) : field(q, 0, 15), _mm_slli_epi16(high, 4));
				put_affine(dst, q, d * scale, -(dmin * min));
			}
	}
}

static TARGET void decode_q6_k(const void *const *plane, float *dst, size_t n)
{
	const struct block_q6_k *b = plane[0];
	for (; n; n -= QK_K, b++) {
		float d = _cvtsh_ss(b->d);
		for (int j = 0; j < QK_K / 16; j++, dst += 16) {
			int half = j / 8, quarter = j % 8 / 2, l = j % 2 * 16;
			__m128i low = load_bytes(b->ql + half * 64 + quarter % 2 * 32 + l),
				high = load_bytes(b->qh + half * 32 + l);
			low = quarter / 2 ? field(low, 4, 15) : field(low, 0, 15);
			high = _mm_and_si128(_mm_srl_epi16(high, _mm_cvtsi32_si128(2 * quarter)), _mm_set1_epi8(3));
			low = _mm_sub_epi8(_mm_or_si128(low, _mm_slli_epi16(high, 4)), _mm_set1_epi8(32));
			put_signed(dst, low, d * b->scales[j]);
		}
	}
}

DECODER(q8_0)
DECODER(q4_0)
DECODER(q4_1)
DECODER(q5_0)
DECODER(q5_1)
DECODER(q2_k)
DECODER(q3_k)
DECODER(q4_k)
DECODER(q5_k)
DECODER(q6_k)
#endif
