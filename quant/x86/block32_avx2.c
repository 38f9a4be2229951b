/*
 * block32_avx2.c - encoders of the blocks of 32: without importance one block in four vectors, with it one in each lane.
 * Where a NaN makes the order of numbers matter, the scalar code does the work.
 */
#if defined(__x86_64__)
#include "lanes_avx2.h"

#include "../bits.h"
#include "../block32_lanes.h"

#include <float.h>

#define TARGET LANES_TARGET
#define INLINE LANE_FN

extern const struct heft_encoding quant_q8_0;

struct numbers {
	__m256 v[4];
};

INLINE struct numbers load_block(const float *src)
{
	struct numbers x;
	for (int i = 0; i < 4; i++)
		x.v[i] = _mm256_loadu_ps(src + 8 * i);
	return x;
}

INLINE float max_of_8(__m256 v)
{
	__m128 m = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
	m = _mm_max_ps(m, _mm_movehl_ps(m, m));
	return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
}

INLINE __m256 magnitude(__m256 v)
{
	return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), v);
}

/* The largest magnitude; NaN are passed over. */
INLINE float largest_magnitude(const struct numbers *x)
{
	__m256 m = _mm256_setzero_ps();
	for (int i = 0; i < 4; i++)
		m = _mm256_max_ps(magnitude(x->v[i]), m);
	return max_of_8(m);
}

/* Bit i: number i (its magnitude, where `bare`) is f. */
INLINE uint32_t where(const struct numbers *x, float f, bool bare)
{
	uint32_t bits = 0;
	for (int i = 0; i < 4; i++) {
		__m256 v = bare ? magnitude(x->v[i]) : x->v[i];
		bits |= (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(v, _mm256_set1_ps(f), _CMP_EQ_OQ)) << 8 * i;
	}
	return bits;
}

/* The low bytes of 32 integers. */
INLINE __m256i low_bytes(const __m256i q[4])
{
	const __m256i low = _mm256_set1_epi32(0xff);
	__m256i a = _mm256_packus_epi32(_mm256_and_si256(q[0], low), _mm256_and_si256(q[1], low));
	__m256i b = _mm256_packus_epi32(_mm256_and_si256(q[2], low), _mm256_and_si256(q[3], low));
	return _mm256_permutevar8x32_epi32(_mm256_packus_epi16(a, b), _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

/* half_of_float() of what is no NaN. */
INLINE uint16_t half(float f)
{
	return _cvtss_sh(f, _MM_FROUND_TO_NEAREST_INT);
}

/* ---- Q8_0 ------------------------------------------------------------------------------------------------------ */

/* roundf(), truncated to an integer: halves away from zero. What is added is the number below a half: a half itself would
 * carry 0.49999997 over; a half plus this number is rounded up to one. */
INLINE __m256i round_away(__m256 v)
{
	__m256 below_half = _mm256_set1_ps(0x1.fffffep-2f), sign = _mm256_and_ps(v, _mm256_set1_ps(-0.0f));
	return _mm256_cvttps_epi32(_mm256_add_ps(v, _mm256_or_ps(below_half, sign)));
}

INLINE bool has_nan(const struct numbers *x)
{
	__m256 a = _mm256_cmp_ps(x->v[0], x->v[1], _CMP_UNORD_Q), b = _mm256_cmp_ps(x->v[2], x->v[3], _CMP_UNORD_Q);
	return _mm256_movemask_ps(_mm256_or_ps(a, b));
}

static TARGET void encode_q8_0(const float *src, void *const *plane, size_t n, const float *weights)
{
	struct block_q8_0 *b = plane[0];
	for (; n; n -= QK, b++, src += QK) {
		struct numbers x = load_block(src);
		__m256i q[4];
		if (has_nan(&x)) {
			quant_q8_0.encode(src, (void *[]){b}, QK, NULL);
			continue;
		}
		float d = largest_magnitude(&x) / 127, inverse = d != 0 ? 1 / d : 0;
		b->d = half(d);
		for (int i = 0; i < 4; i++)
			q[i] = round_away(_mm256_mul_ps(x.v[i], _mm256_set1_ps(inverse)));
		_mm256_storeu_si256((__m256i *)b->qs, low_bytes(q));
	}
}

/* ---- 4 and 5 bits ---------------------------------------------------------------------------------------------- */

/* Codes: ((x - base) * inverse + offset) truncated, at most top. */
INLINE __m256i codes(const struct numbers *x, float base, float inverse, float offset, int top)
{
	__m256i q[4];
	for (int i = 0; i < 4; i++) {
		__m256 v = _mm256_mul_ps(_mm256_sub_ps(x->v[i], _mm256_set1_ps(base)), _mm256_set1_ps(inverse));
		q[i] = _mm256_cvttps_epi32(_mm256_add_ps(v, _mm256_set1_ps(offset)));
	}
	return _mm256_min_epi8(low_bytes(q), _mm256_set1_epi8((char)top));
}

/* The scale; the number of the largest magnitude, the first of equals, gets the code 0. */
INLINE float signed_block(const float *src, int half, __m256i *code)
{
	struct numbers x = load_block(src);
	float amax = largest_magnitude(&x);
	float max = amax > 0 ? src[__builtin_ctz(where(&x, amax, true))] : 0;
	float d = max / (float)-half, inverse = d != 0 ? 1 / d : 0;
	*code = codes(&x, 0, inverse, (float)half + 0.5f, 2 * half - 1);
	return d;
}

/* The first of the numbers that are f: a zero has a sign, and it is written. */
INLINE float first_of(const struct numbers *x, const float *src, float f)
{
	uint32_t found = where(x, f, false);
	return found ? src[__builtin_ctz(found)] : f;
}

INLINE float affine_block(const float *src, int top, float *out_min, __m256i *code)
{
	struct numbers x = load_block(src);
	__m256 lo = _mm256_set1_ps(-FLT_MAX), hi = lo; /* lo is the largest of -x */
	for (int i = 0; i < 4; i++) {
		lo = _mm256_max_ps(_mm256_xor_ps(x.v[i], _mm256_set1_ps(-0.0f)), lo);
		hi = _mm256_max_ps(x.v[i], hi);
	}
	float min = first_of(&x, src, -max_of_8(lo)), max = first_of(&x, src, max_of_8(hi));
	float d = (max - min) / (float)top, inverse = d != 0 ? 1 / d : 0;
	*code = codes(&x, min, inverse, 0.5f, top);
	*out_min = min;
	return d;
}

INLINE void store_nibbles(uint8_t qs[QK / 2], __m256i code)
{
	code = _mm256_and_si256(code, _mm256_set1_epi8(15));
	__m128i high = _mm_slli_epi16(_mm256_extracti128_si256(code, 1), 4);
	_mm_storeu_si128((__m128i *)qs, _mm_or_si128(_mm256_castsi256_si128(code), high));
}

INLINE uint32_t fifth_bits(__m256i code)
{
	return (uint32_t)_mm256_movemask_epi8(_mm256_slli_epi16(code, 3));
}

static TARGET void plain_q4_0(const float *src, void *const *plane, size_t n, const float *weights)
{
	struct block_q4_0 *b = plane[0];
	for (; n; n -= QK, b++, src += QK) {
		__m256i code;
		b->d = half(signed_block(src, 8, &code));
		store_nibbles(b->qs, code);
	}
}

static TARGET void plain_q5_0(const float *src, void *const *plane, size_t n, const float *weights)
{
	struct block_q5_0 *b = plane[0];
	for (; n; n -= QK, b++, src += QK) {
		__m256i code;
		b->d = half(signed_block(src, 16, &code));
		b->qh = fifth_bits(code);
		store_nibbles(b->qs, code);
	}
}

static TARGET void plain_q4_1(const float *src, void *const *plane, size_t n, const float *weights)
{
	struct block_q4_1 *b = plane[0];
	for (; n; n -= QK, b++, src += QK) {
		__m256i code;
		float min;
		b->d = half_of_float(affine_block(src, 15, &min, &code));
		b->m = half_of_float(min);
		store_nibbles(b->qs, code);
	}
}

static TARGET void plain_q5_1(const float *src, void *const *plane, size_t n, const float *weights)
{
	struct block_q5_1 *b = plane[0];
	for (; n; n -= QK, b++, src += QK) {
		__m256i code;
		float min;
		b->d = half_of_float(affine_block(src, 31, &min, &code));
		b->m = half_of_float(min);
		b->qh = fifth_bits(code);
		store_nibbles(b->qs, code);
	}
}

BLOCK32_ENCODER(q4_0, plain_q4_0)
BLOCK32_ENCODER(q4_1, plain_q4_1)
BLOCK32_ENCODER(q5_0, plain_q5_0)
BLOCK32_ENCODER(q5_1, plain_q5_1)

BLOCK32_KERNEL(q8_0, avx2, QUANT_AVX2)
BLOCK32_KERNEL(q4_0, avx2, QUANT_AVX2)
BLOCK32_KERNEL(q4_1, avx2, QUANT_AVX2)
BLOCK32_KERNEL(q5_0, avx2, QUANT_AVX2)
BLOCK32_KERNEL(q5_1, avx2, QUANT_AVX2)
#endif
