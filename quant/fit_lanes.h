/*
 * fit_lanes.h - the loops of fit.h with vectors. To be included after
 *
 *   #define FIT_TARGET    attributes of each function
 *   #define FIT_WIDTH     numbers in a vector: 4, 8 or 16
 *
 * Sums are in 16 lanes whatever the width: narrower vectors go over the numbers once for each part of the lanes.
 */
#ifndef QUANT_FIT_LANES_H
#define QUANT_FIT_LANES_H

#include "fit.h"

#include <string.h>

#pragma GCC diagnostic ignored "-Wpsabi" /* how vectors are passed: all is inlined */

enum { FIT_LANES = 16, FIT_PARTS = FIT_LANES / FIT_WIDTH };

typedef float fit_v __attribute__((vector_size(4 * FIT_WIDTH)));
typedef int32_t fit_i __attribute__((vector_size(4 * FIT_WIDTH)));
typedef double fit_d __attribute__((vector_size(8 * FIT_WIDTH)));
typedef uint8_t fit_b __attribute__((vector_size(FIT_WIDTH)));

#define FIT_FN static inline __attribute__((always_inline)) FIT_TARGET
#if defined(__clang__)
#define FIT_EACH(k) _Pragma("clang loop unroll(full)") for (int k = 0; k < FIT_TRIES; k++)
#else
#define FIT_EACH(k) _Pragma("GCC unroll 4") for (int k = 0; k < FIT_TRIES; k++)
#endif

FIT_FN fit_v v_all(float f)
{
	return f - (fit_v){ 0 };
}

FIT_FN fit_v v_read(const float *x)
{
	fit_v v;

	memcpy(&v, x, sizeof v);
	return v;
}

FIT_FN fit_v v_pick(fit_i mask, fit_v yes, fit_v no)
{
	return (fit_v)((mask & (fit_i)yes) | (~mask & (fit_i)no));
}

/* Ties to even; less than 2^22. */
FIT_FN fit_v v_near(fit_v v)
{
	return v + 12582912.0f - 12582912.0f;
}

/* Nearest within lo and hi. */
FIT_FN fit_v v_code(const struct fit_try *t, fit_v inverse, fit_v x)
{
	fit_v v = x * inverse + t->zero;

	v = v_pick(v > t->lo, v, v_all(t->lo));
	v = v_pick(v < t->hi, v, v_all(t->hi));
	return v_near(v);
}

/* ---- over all numbers, the last of which may be less than 16 ---- */

FIT_FN float v_sum(const fit_v part[FIT_PARTS])
{
	float a[FIT_LANES];

	memcpy(a, part, sizeof a);
	for (int half = FIT_LANES / 2; half; half /= 2)
		for (int i = 0; i < half; i++)
			a[i] += a[i + half];
	return a[0];
}

FIT_FN double d_sum(const fit_d part[FIT_PARTS])
{
	double a[FIT_LANES];

	memcpy(a, part, sizeof a);
	for (int half = FIT_LANES / 2; half; half /= 2)
		for (int i = 0; i < half; i++)
			a[i] += a[i + half];
	return a[0];
}

/* The numbers behind the last whole 16, and zeros: those have the zero point's code, no error and no weight. */
struct fit_tail {
	float x[FIT_LANES], w[FIT_LANES], y[FIT_LANES];
};

FIT_FN void tail_of(struct fit_tail *t, const float *x, const float *w, const float *y, size_t n)
{
	size_t whole = n / FIT_LANES * FIT_LANES;

	memset(t, 0, sizeof *t);
	memcpy(t->x, x + whole, (n - whole) * sizeof *x);
	if (w)
		memcpy(t->w, w + whole, (n - whole) * sizeof *w);
	if (y)
		memcpy(t->y, y + whole, (n - whole) * sizeof *y);
}

struct fit_vectors {
	fit_v xq[FIT_TRIES], qq[FIT_TRIES], q[FIT_TRIES], inverse[FIT_TRIES];
};

FIT_FN void add_sums(struct fit_vectors *v, const struct fit_try *t, const float *x, const float *w, bool zeros)
{
	fit_v at = v_read(x), by = w ? v_read(w) : v_all(1);

	FIT_EACH(k) {
		fit_v q = v_code(&t[k], v->inverse[k], at) - t[k].zero, wq = w ? by * q : q;

		v->xq[k] += wq * at;
		v->qq[k] += wq * q;
		if (zeros)
			v->q[k] += wq;
	}
}

FIT_FN void sum_all(const struct fit_try *t, const float *x, const float *w, size_t n, struct fit_sums *s, bool zeros)
{
	fit_v xq[FIT_TRIES][FIT_PARTS], qq[FIT_TRIES][FIT_PARTS], sq[FIT_TRIES][FIT_PARTS];
	struct fit_tail tail;

	if (n % FIT_LANES)
		tail_of(&tail, x, w, NULL, n);
	for (int p = 0; p < FIT_PARTS; p++) {
		struct fit_vectors v = { 0 };
		size_t i = (size_t)p * FIT_WIDTH, end = n / FIT_LANES * FIT_LANES;

		FIT_EACH(k)
			v.inverse[k] = v_all(1 / t[k].scale);
		for (; i < end; i += FIT_LANES)
			add_sums(&v, t, x + i, w ? w + i : NULL, zeros);
		if (n % FIT_LANES)
			add_sums(&v, t, tail.x + p * FIT_WIDTH, w ? tail.w + p * FIT_WIDTH : NULL, zeros);
		FIT_EACH(k) {
			xq[k][p] = v.xq[k];
			qq[k][p] = v.qq[k];
			sq[k][p] = v.q[k];
		}
	}
	for (int k = 0; k < FIT_TRIES; k++)
		s[k] = (struct fit_sums){ v_sum(xq[k]), v_sum(qq[k]), zeros ? v_sum(sq[k]) : 0 };
}

FIT_TARGET static void lanes_sums(const struct fit_try *t, const float *x, const float *w, size_t n, bool zeros, struct fit_sums *s)
{
	if (w && zeros)
		sum_all(t, x, w, n, s, true);
	else if (w)
		sum_all(t, x, w, n, s, false);
	else if (zeros)
		sum_all(t, x, NULL, n, s, true);
	else
		sum_all(t, x, NULL, n, s, false);
}

FIT_FN fit_d v_wide(fit_v v)
{
	return __builtin_convertvector(v, fit_d);
}

FIT_FN fit_d v_error(fit_v x, fit_v y, const float *w)
{
	fit_d d = v_wide(x) - v_wide(y);

	return w ? d * d * v_wide(v_read(w)) : d * d;
}

FIT_TARGET static double lanes_error(const float *x, const float *w, const float *back, size_t n)
{
	fit_d sum[FIT_PARTS] = { 0 };
	size_t end = n / FIT_LANES * FIT_LANES;
	struct fit_tail tail;

	for (size_t i = 0; i < end; i += FIT_LANES)
		for (int p = 0, at = 0; p < FIT_PARTS; p++, at += FIT_WIDTH)
			sum[p] += v_error(v_read(x + i + at), v_read(back + i + at), w ? w + i + at : NULL);
	if (end < n) {
		tail_of(&tail, x, w, back, n);
		for (int p = 0, at = 0; p < FIT_PARTS; p++, at += FIT_WIDTH)
			sum[p] += v_error(v_read(tail.x + at), v_read(tail.y + at), w ? tail.w + at : NULL);
	}
	return d_sum(sum);
}

/* Steps of a half up to 2, of 1 up to 4, then 6. */
FIT_FN fit_v v_e2m1(fit_v v)
{
	fit_i sign = (fit_i)v & (int32_t)0x80000000;
	fit_v size = (fit_v)((fit_i)v & 0x7fffffff), q;

	size = v_pick(size < 6, size, v_all(6));
	q = v_pick(size < 4, v_near(size), v_near(size * 0.5f) * 2);
	q = v_pick(size < 2, v_near(size * 2) * 0.5f, q);
	return (fit_v)((fit_i)q | sign);
}

FIT_FN fit_d try_error(const struct fit_try *t, fit_v inverse, const float *x, const float *w, bool integer)
{
	fit_v v = v_read(x), code = integer ? v_code(t, inverse, v) - t->zero : v_e2m1(v / t->scale); /* as scaled_codes() has it */

	return v_error(v, code * t->scale, w);
}

FIT_FN double error_all(const struct fit_try *t, const float *x, const float *w, size_t n, bool integer)
{
	fit_v inverse = v_all(1 / t->scale);
	fit_d sum[FIT_PARTS] = { 0 };
	size_t end = n / FIT_LANES * FIT_LANES;
	struct fit_tail tail;

	for (size_t i = 0; i < end; i += FIT_LANES)
		for (int p = 0, at = 0; p < FIT_PARTS; p++, at += FIT_WIDTH)
			sum[p] += try_error(t, inverse, x + i + at, w ? w + i + at : NULL, integer);
	if (end < n) {
		tail_of(&tail, x, w, NULL, n);
		for (int p = 0, at = 0; p < FIT_PARTS; p++, at += FIT_WIDTH)
			sum[p] += try_error(t, inverse, tail.x + at, w ? tail.w + at : NULL, integer);
	}
	return d_sum(sum);
}

FIT_TARGET static double lanes_error_of(const struct fit_try *t, const float *x, const float *w, size_t n)
{
	return error_all(t, x, w, n, true);
}

FIT_TARGET static double lanes_error_e2m1(float step, const float *x, const float *w, size_t n)
{
	return error_all(&(struct fit_try){ .scale = step }, x, w, n, false);
}

FIT_FN void put_codes(const struct fit_try *t, fit_v inverse, const float *x, uint8_t *code, float *back)
{
	fit_v q = v_code(t, inverse, v_read(x)), y = (q - t->zero) * t->scale;
	fit_b b = __builtin_convertvector(__builtin_convertvector(q - t->first, fit_i), fit_b);

	memcpy(code, &b, sizeof b);
	memcpy(back, &y, sizeof y);
}

FIT_TARGET static void lanes_codes(const struct fit_try *t, const float *x, size_t n, uint8_t *code, float *back)
{
	fit_v inverse = v_all(1 / t->scale);
	size_t end = n / FIT_WIDTH * FIT_WIDTH;
	struct fit_tail tail;
	uint8_t last[FIT_WIDTH];

	for (size_t i = 0; i < end; i += FIT_WIDTH)
		put_codes(t, inverse, x + i, code + i, back + i);
	if (end == n)
		return;
	memset(tail.x, 0, sizeof tail.x);
	memcpy(tail.x, x + end, (n - end) * sizeof *x);
	put_codes(t, inverse, tail.x, last, tail.y);
	memcpy(code + end, last, n - end);
	memcpy(back + end, tail.y, (n - end) * sizeof *back);
}

#endif
