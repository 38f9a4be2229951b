/*
 * compare_avx512.c - compare.c's sums with 8 doubles at a time. The square of a float is exact in a double, as is the
 * product of two, so that a fused addition rounds the same; the square of an error is not.
 */
#if defined(__x86_64__)
#include "../compare.h"

#include <immintrin.h>

#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#define INLINE static inline __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"), always_inline))

struct half { /* 8 lanes */
	__m512d sum_sq, sum_sq_out, dot, sum_sq_err, max_err;
};

INLINE void add(struct half *h, __m256 x, __m256 y)
{
	__m512d a = _mm512_cvtps_pd(x), b = _mm512_cvtps_pd(y), err = _mm512_sub_pd(a, b);
	h->sum_sq = _mm512_fmadd_pd(a, a, h->sum_sq);
	h->sum_sq_out = _mm512_fmadd_pd(b, b, h->sum_sq_out);
	h->dot = _mm512_fmadd_pd(a, b, h->dot);
	h->sum_sq_err = _mm512_add_pd(h->sum_sq_err, _mm512_mul_pd(err, err));
	h->max_err = _mm512_max_pd(_mm512_abs_pd(err), h->max_err);
}

INLINE struct half load(const struct compare_lanes *l, int at)
{
	return (struct half){_mm512_loadu_pd(l->sum_sq + at), _mm512_loadu_pd(l->sum_sq_out + at),
			     _mm512_loadu_pd(l->dot + at), _mm512_loadu_pd(l->sum_sq_err + at),
			     _mm512_loadu_pd(l->max_err + at)};
}

INLINE void store(const struct half *h, struct compare_lanes *l, int at)
{
	_mm512_storeu_pd(l->sum_sq + at, h->sum_sq);
	_mm512_storeu_pd(l->sum_sq_out + at, h->sum_sq_out);
	_mm512_storeu_pd(l->dot + at, h->dot);
	_mm512_storeu_pd(l->sum_sq_err + at, h->sum_sq_err);
	_mm512_storeu_pd(l->max_err + at, h->max_err);
}

/* NaN of both kinds and both infinities. */
INLINE __mmask16 not_finite(__m512 v)
{
	return _mm512_fpclass_ps_mask(v, 0x01 | 0x80 | 0x08 | 0x10);
}

static TARGET void plain(const float *x, const float *y, size_t n, struct compare_lanes *l)
{
	struct half low = load(l, 0), high = load(l, 8);
	for (size_t i = 0; i < n; i += COMPARE_LANES) {
		__m512 a = _mm512_loadu_ps(x + i), b = _mm512_loadu_ps(y + i);
		__mmask16 bad = not_finite(a) | not_finite(b);
		if (bad) { /* a pair that is left out adds zeros */
			a = _mm512_maskz_mov_ps((__mmask16)~bad, a);
			b = _mm512_maskz_mov_ps((__mmask16)~bad, b);
			l->nonfinite += (uint64_t)__builtin_popcount(bad);
		}
		add(&low, _mm512_castps512_ps256(a), _mm512_castps512_ps256(b));
		add(&high, _mm512_extractf32x8_ps(a, 1), _mm512_extractf32x8_ps(b, 1));
	}
	store(&low, l, 0);
	store(&high, l, 8);
}

/* 8 pairs; nothing is added for those that are not good. */
INLINE void add_weighted(__m512d *sq, __m512d *err, const float *x, const float *y, const float *w, __mmask8 good)
{
	__m512d a = _mm512_cvtps_pd(_mm256_loadu_ps(x)), e = _mm512_sub_pd(a, _mm512_cvtps_pd(_mm256_loadu_ps(y)));
	__m512d weight = _mm512_cvtps_pd(_mm256_loadu_ps(w));
	*sq = _mm512_mask_add_pd(*sq, good, *sq, _mm512_mul_pd(weight, _mm512_mul_pd(a, a)));
	*err = _mm512_mask_add_pd(*err, good, *err, _mm512_mul_pd(weight, _mm512_mul_pd(e, e)));
}

static TARGET void weighted(const float *x, const float *y, const float *w, size_t n, struct compare_weighted_lanes *l)
{
	__m512d sq[2] = {_mm512_loadu_pd(l->sq), _mm512_loadu_pd(l->sq + 8)};
	__m512d err[2] = {_mm512_loadu_pd(l->err), _mm512_loadu_pd(l->err + 8)};
	for (size_t i = 0; i < n; i += COMPARE_LANES) {
		unsigned good = (__mmask16) ~(not_finite(_mm512_loadu_ps(x + i)) | not_finite(_mm512_loadu_ps(y + i)));
		add_weighted(&sq[0], &err[0], x + i, y + i, w + i, (__mmask8)good);
		add_weighted(&sq[1], &err[1], x + i + 8, y + i + 8, w + i + 8, (__mmask8)(good >> 8));
	}
	for (int k = 0; k < 2; k++) {
		_mm512_storeu_pd(l->sq + 8 * k, sq[k]);
		_mm512_storeu_pd(l->err + 8 * k, err[k]);
	}
}

const struct compare_ops compare_avx512 = {plain, weighted};
#endif
