/*
 * decode_avx2.h - what the decoders share: the codes of 16 numbers are gathered in bytes, then scaled 8 at a time.
 */
#ifndef QUANT_DECODE_AVX2_H
#define QUANT_DECODE_AVX2_H

#include <immintrin.h>
#include <stdint.h>

#define TARGET __attribute__((target("avx2,f16c")))
#define INLINE static inline __attribute__((target("avx2,f16c"), always_inline))

INLINE __m128i load_bytes(const void *p)
{
	return _mm_loadu_si128(p);
}

/* 16 fields of `mask`, `shift` bits up in their bytes. */
INLINE __m128i field(__m128i bytes, int shift, int mask)
{
	return _mm_and_si128(_mm_srli_epi16(bytes, shift), _mm_set1_epi8((char)mask));
}

/* Bit i of the 16 as bit 4 of byte i. */
INLINE __m128i spread_bits(uint32_t bits)
{
	const __m128i which = _mm_set1_epi64x((long long)0x8040201008040201),
		      upper = _mm_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
	__m128i b = _mm_and_si128(_mm_shuffle_epi8(_mm_cvtsi32_si128((int)bits), upper), which);
	return _mm_and_si128(_mm_cmpeq_epi8(b, which), _mm_set1_epi8(16));
}

/* dst = scale * code for 16 signed bytes. */
INLINE void put_signed(float *dst, __m128i code, float scale)
{
	for (int i = 0; i < 2; i++, code = _mm_srli_si128(code, 8)) {
		__m256 v = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(code));
		_mm256_storeu_ps(dst + 8 * i, _mm256_mul_ps(_mm256_set1_ps(scale), v));
	}
}

/* dst = scale * code + add for 16 unsigned bytes. */
INLINE void put_affine(float *dst, __m128i code, float scale, float add)
{
	for (int i = 0; i < 2; i++, code = _mm_srli_si128(code, 8)) {
		__m256 v = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(code));
		v = _mm256_mul_ps(_mm256_set1_ps(scale), v);
		_mm256_storeu_ps(dst + 8 * i, _mm256_add_ps(v, _mm256_set1_ps(add)));
	}
}

#define DECODER(name)                                                                                                  \
	const struct quant_kernel kernel_##name##_decode_avx2 = {                                                      \
		.encoding = #name,                                                                                     \
		.isa = QUANT_AVX2,                                                                                     \
		.decode = decode_##name,                                                                               \
	};

#endif
