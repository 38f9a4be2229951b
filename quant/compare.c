/*
 * compare.c - error sums over pairs of numbers, in one order for every machine: number i is added to lane i mod 16, and
 * at the end of a call the lanes are added in halves: 0 + 8, 1 + 9 ..., then 0 + 4 ..., 0 + 2, 0 + 1.
 */
#include "compare.h"
#include "quant.h"

#include <math.h>

static double fold(double v[COMPARE_LANES])
{
	for (int half = COMPARE_LANES / 2; half; half /= 2)
		for (int i = 0; i < half; i++)
			v[i] += v[i + half];
	return v[0];
}

static void compare_fold(struct compare_lanes *l, struct quant_sums *s)
{
	s->sum_sq += fold(l->sum_sq);
	s->sum_sq_out += fold(l->sum_sq_out);
	s->dot += fold(l->dot);
	s->sum_sq_err += fold(l->sum_sq_err);
	for (int i = 0; i < COMPARE_LANES; i++)
		s->max_err = l->max_err[i] > s->max_err ? l->max_err[i] : s->max_err;
	s->nonfinite += l->nonfinite;
}

static void compare_plain(const float *x, const float *y, size_t n, struct compare_lanes *l)
{
	for (size_t i = 0; i < n; i++) {
		double a = x[i], b = y[i], err = a - b;
		size_t k = i % COMPARE_LANES;
		if (!isfinite(x[i]) || !isfinite(y[i])) {
			l->nonfinite++;
			continue;
		}
		l->sum_sq[k] += a * a;
		l->sum_sq_out[k] += b * b;
		l->dot[k] += a * b;
		l->sum_sq_err[k] += err * err;
		l->max_err[k] = fabs(err) > l->max_err[k] ? fabs(err) : l->max_err[k];
	}
}

static void compare_weighted(const float *x, const float *y, const float *w, size_t n, struct compare_weighted_lanes *l)
{
	for (size_t i = 0; i < n; i++) {
		double a = x[i], e = a - (double)y[i];
		if (!isfinite(x[i]) || !isfinite(y[i]))
			continue;
		l->sq[i % COMPARE_LANES] += w[i] * (a * a);
		l->err[i % COMPARE_LANES] += w[i] * (e * e);
	}
}

const struct compare_ops compare_scalar = {compare_plain, compare_weighted};

const struct compare_ops *compare_kernel(enum quant_isa isa)
{
	switch (isa) {
	case QUANT_SCALAR:
		return &compare_scalar;
#if defined(__x86_64__)
	case QUANT_AVX2:
		return &compare_avx2;
	case QUANT_AVX512:
		return &compare_avx512;
#elif defined(__aarch64__)
	case QUANT_NEON:
		return &compare_neon;
#endif
	default:
		return NULL;
	}
}

static const struct compare_ops *fastest(void)
{
	enum quant_isa isa = QUANT_AVX512;
	while (!compare_kernel(isa) || !quant_isa_allowed(isa))
		isa--;
	return compare_kernel(isa);
}

void quant_compare(const float *x, const float *y, size_t n, struct quant_sums *s)
{
	struct compare_lanes l = {0};
	size_t whole = n - n % COMPARE_LANES;
	fastest()->plain(x, y, whole, &l);
	compare_plain(x + whole, y + whole, n - whole, &l);
	compare_fold(&l, s);
}

void quant_compare_weighted(const float *x, const float *y, const float *w, size_t n, struct quant_sums *s)
{
	struct compare_weighted_lanes l = {0};
	size_t whole = n - n % COMPARE_LANES;
	fastest()->weighted(x, y, w, whole, &l);
	compare_weighted(x + whole, y + whole, w + whole, n - whole, &l);
	s->weighted_sq += fold(l.sq);
	s->weighted_err += fold(l.err);
}
