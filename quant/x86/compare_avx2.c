/*
 * compare_avx2.c - compare.c's sums with 4 doubles at a time. The 16 lanes of 5 sums do not fit the registers at once,
 * so that each of two halves runs over a piece that the first-level cache holds.
 */
#if defined(__x86_64__)
#include "../compare.h"

#include <immintrin.h>

#define TARGET __attribute__((target("avx2")))

enum { PIECE = 1024 };

struct half { /* 8 lanes */
	__m256d sum_sq[2], sum_sq_out[2], dot[2], sum_sq_err[2], max_err[2];
};

static inline TARGET void add(struct half *h, int k, __m128 x, __m128 y)
{
	__m256d a = _mm256_cvtps_pd(x), b = _mm256_cvtps_pd(y), err = _mm256_sub_pd(a, b);
	h->sum_sq[k] = _mm256_add_pd(h->sum_sq[k], _mm256_mul_pd(a, a));
	h->sum_sq_out[k] = _mm256_add_pd(h->sum_sq_out[k], _mm256_mul_pd(b, b));
	h->dot[k] = _mm256_add_pd(h->dot[k], _mm256_mul_pd(a, b));
	h->sum_sq_err[k] = _mm256_add_pd(h->sum_sq_err[k], _mm256_mul_pd(err, err));
	h->max_err[k] = _mm256_max_pd(_mm256_andnot_pd(_mm256_set1_pd(-0.0), err), h->max_err[k]);
}

static inline TARGET __m256 is_finite(__m256 v)
{
	const __m256 exponent = _mm256_castsi256_ps(_mm256_set1_epi32(0x7f800000));
	__m256i at_top =
		_mm256_cmpeq_epi32(_mm256_castps_si256(_mm256_and_ps(v, exponent)), _mm256_castps_si256(exponent));
	return _mm256_castsi256_ps(_mm256_xor_si256(at_top, _mm256_set1_epi32(-1)));
}

/* Pairs x[0..7], x[16..23] ... below n. A pair that is left out adds zeros. */
static TARGET uint64_t run(struct half *to, const float *x, const float *y, size_t n)
{
	struct half h = *to;
	uint64_t left_out = 0;
	for (size_t i = 0; i < n; i += COMPARE_LANES) {
		__m256 a = _mm256_loadu_ps(x + i), b = _mm256_loadu_ps(y + i);
		__m256 good = _mm256_and_ps(is_finite(a), is_finite(b));
		int mask = _mm256_movemask_ps(good);
		if (mask != 0xff) {
			a = _mm256_and_ps(a, good);
			b = _mm256_and_ps(b, good);
			left_out += 8 - (uint64_t)__builtin_popcount((unsigned)mask);
		}
		add(&h, 0, _mm256_castps256_ps128(a), _mm256_castps256_ps128(b));
		add(&h, 1, _mm256_extractf128_ps(a, 1), _mm256_extractf128_ps(b, 1));
	}
	*to = h;
	return left_out;
}

static TARGET void load(struct half *h, const struct compare_lanes *l, int at)
{
	for (int k = 0; k < 2; k++, at += 4) {
		h->sum_sq[k] = _mm256_loadu_pd(l->sum_sq + at);
		h->sum_sq_out[k] = _mm256_loadu_pd(l->sum_sq_out + at);
		h->dot[k] = _mm256_loadu_pd(l->dot + at);
		h->sum_sq_err[k] = _mm256_loadu_pd(l->sum_sq_err + at);
		h->max_err[k] = _mm256_loadu_pd(l->max_err + at);
	}
}

static TARGET void store(const struct half *h, struct compare_lanes *l, int at)
{
	for (int k = 0; k < 2; k++, at += 4) {
		_mm256_storeu_pd(l->sum_sq + at, h->sum_sq[k]);
		_mm256_storeu_pd(l->sum_sq_out + at, h->sum_sq_out[k]);
		_mm256_storeu_pd(l->dot + at, h->dot[k]);
		_mm256_storeu_pd(l->sum_sq_err + at, h->sum_sq_err[k]);
		_mm256_storeu_pd(l->max_err + at, h->max_err[k]);
	}
}

static TARGET void plain(const float *x, const float *y, size_t n, struct compare_lanes *l)
{
	struct half h[2];
	load(&h[0], l, 0);
	load(&h[1], l, 8);
	for (size_t at = 0; at < n; at += PIECE) {
		size_t size = n - at < PIECE ? n - at : PIECE;
		l->nonfinite += run(&h[0], x + at, y + at, size);
		l->nonfinite += run(&h[1], x + at + 8, y + at + 8, size);
	}
	store(&h[0], l, 0);
	store(&h[1], l, 8);
}

/* 4 pairs; zeros are added for those that are not good. */
static inline TARGET void add_weighted(__m256d *sq, __m256d *err, __m128 x, __m128 y, __m128 w, __m128 good)
{
	__m256d a = _mm256_cvtps_pd(x), e = _mm256_sub_pd(a, _mm256_cvtps_pd(y)), weight = _mm256_cvtps_pd(w);
	__m256d keep = _mm256_castsi256_pd(_mm256_cvtepi32_epi64(_mm_castps_si128(good)));
	*sq = _mm256_add_pd(*sq, _mm256_and_pd(keep, _mm256_mul_pd(weight, _mm256_mul_pd(a, a))));
	*err = _mm256_add_pd(*err, _mm256_and_pd(keep, _mm256_mul_pd(weight, _mm256_mul_pd(e, e))));
}

static TARGET void weighted(const float *x, const float *y, const float *w, size_t n, struct compare_weighted_lanes *l)
{
	__m256d sq[4], err[4];
	for (int k = 0; k < 4; k++) {
		sq[k] = _mm256_loadu_pd(l->sq + 4 * k);
		err[k] = _mm256_loadu_pd(l->err + 4 * k);
	}
	for (size_t i = 0; i < n; i += COMPARE_LANES)
		for (int k = 0; k < 4; k += 2) {
			__m256 a = _mm256_loadu_ps(x + i + 4 * k), b = _mm256_loadu_ps(y + i + 4 * k);
			__m256 c = _mm256_loadu_ps(w + i + 4 * k), good = _mm256_and_ps(is_finite(a), is_finite(b));
			add_weighted(&sq[k], &err[k], _mm256_castps256_ps128(a), _mm256_castps256_ps128(b),
				     _mm256_castps256_ps128(c), _mm256_castps256_ps128(good));
			add_weighted(&sq[k + 1], &err[k + 1], _mm256_extractf128_ps(a, 1), _mm256_extractf128_ps(b, 1),
				     _mm256_extractf128_ps(c, 1), _mm256_extractf128_ps(good, 1));
		}
	for (int k = 0; k < 4; k++) {
		_mm256_storeu_pd(l->sq + 4 * k, sq[k]);
		_mm256_storeu_pd(l->err + 4 * k, err[k]);
	}
}

const struct compare_ops compare_avx2 = {plain, weighted};
#endif
