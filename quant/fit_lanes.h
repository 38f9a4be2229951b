/*
 * fit_lanes.h - the loops of fit.h with vectors; to be included after what vectors.h wants.
 *
 * Sums are in 16 lanes whatever the width: narrower vectors go over the numbers once for each part of the lanes.
 */
#ifndef QUANT_FIT_LANES_H
#define QUANT_FIT_LANES_H

#include "fit.h"

#include "vectors.h"

enum { FIT_LANES = 16, FIT_PARTS = FIT_LANES / VECTOR_WIDTH };

#if defined(__clang__)
#define FIT_EACH(k) _Pragma("clang loop unroll(full)") for (int k = 0; k < FIT_TRIES; k++)
#else
#define FIT_EACH(k) _Pragma("GCC unroll 4") for (int k = 0; k < FIT_TRIES; k++)
#endif

/* Nearest within lo and hi. */
VECTOR_FN vec_f v_code(const struct fit_try *t, vec_f inverse, vec_f x)
{
	return v_near(v_within(x * inverse + t->zero, t->lo, t->hi));
}

/* ---- over all numbers, the last of which may be less than 16 ---- */

VECTOR_FN float v_sum(vec_f part[FIT_PARTS])
{
	float a[VECTOR_WIDTH];

	for (int half = FIT_PARTS / 2; half; half /= 2)
		for (int p = 0; p < half; p++)
			part[p] += part[p + half];
	/* cppcheck-suppress bufferAccessOutOfBounds */
	memcpy(a, part, sizeof a); /* one vector, whose width cppcheck does not know */
	for (int half = VECTOR_WIDTH / 2; half; half /= 2)
		for (int i = 0; i < half; i++)
			a[i] += a[i + half];
	return a[0];
}

struct fit_wide { /* a vector's numbers as doubles */
	vec_d half[2];
};

VECTOR_FN double d_sum(struct fit_wide sum[FIT_PARTS])
{
	vec_d part[2 * FIT_PARTS];
	double a[VECTOR_WIDTH / 2];

	memcpy(part, sum, sizeof part);
	for (int half = FIT_PARTS; half; half /= 2)
		for (int p = 0; p < half; p++)
			part[p] += part[p + half];
	/* cppcheck-suppress bufferAccessOutOfBounds */
	memcpy(a, part, sizeof a);
	for (int half = VECTOR_WIDTH / 4; half; half /= 2)
		for (int i = 0; i < half; i++)
			a[i] += a[i + half];
	return a[0];
}

/* The numbers behind the last whole 16, and zeros: those have the zero point's code, no error and no weight. */
struct fit_tail {
	float x[FIT_LANES], w[FIT_LANES], y[FIT_LANES];
};

VECTOR_FN void tail_of(struct fit_tail *t, const float *x, const float *w, const float *y, size_t n)
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
	vec_f xq[FIT_TRIES], qq[FIT_TRIES], q[FIT_TRIES], inverse[FIT_TRIES];
};

VECTOR_FN void add_sums(struct fit_vectors *v, const struct fit_try *t, const float *x, const float *w, bool zeros)
{
	vec_f at = v_read(x), by = w ? v_read(w) : v_all(1);

	FIT_EACH(k) {
		vec_f q = v_code(&t[k], v->inverse[k], at) - t[k].zero, wq = w ? by * q : q;

		v->xq[k] += wq * at;
		v->qq[k] += wq * q;
		if (zeros)
			v->q[k] += wq;
	}
}

VECTOR_FN void sum_all(const struct fit_try *t, const float *x, const float *w, size_t n, struct fit_sums *s, bool zeros)
{
	vec_f xq[FIT_TRIES][FIT_PARTS], qq[FIT_TRIES][FIT_PARTS], sq[FIT_TRIES][FIT_PARTS];
	struct fit_tail tail;

	if (n % FIT_LANES)
		tail_of(&tail, x, w, NULL, n);
	for (int p = 0; p < FIT_PARTS; p++) {
		struct fit_vectors v = { 0 };
		size_t i = (size_t)p * VECTOR_WIDTH, end = n / FIT_LANES * FIT_LANES;

		FIT_EACH(k)
			v.inverse[k] = v_all(1 / t[k].scale);
		for (; i < end; i += FIT_LANES)
			add_sums(&v, t, x + i, w ? w + i : NULL, zeros);
		if (n % FIT_LANES)
			add_sums(&v, t, tail.x + p * VECTOR_WIDTH, w ? tail.w + p * VECTOR_WIDTH : NULL, zeros);
		FIT_EACH(k) {
			xq[k][p] = v.xq[k];
			qq[k][p] = v.qq[k];
			sq[k][p] = v.q[k];
		}
	}
	for (int k = 0; k < FIT_TRIES; k++)
		s[k] = (struct fit_sums){ v_sum(xq[k]), v_sum(qq[k]), zeros ? v_sum(sq[k]) : 0 };
}

VECTOR_TARGET static void lanes_sums(const struct fit_try *t, const float *x, const float *w, size_t n, bool zeros, struct fit_sums *s)
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

VECTOR_FN struct fit_wide v_wide(vec_f v)
{
	vec_h h[2];

	memcpy(h, &v, sizeof h);
	return (struct fit_wide){ { __builtin_convertvector(h[0], vec_d), __builtin_convertvector(h[1], vec_d) } };
}

VECTOR_FN void add_error(struct fit_wide *sum, vec_f x, vec_f y, const float *w)
{
	struct fit_wide a = v_wide(x), b = v_wide(y), by;

	if (w)
		by = v_wide(v_read(w));
	for (int k = 0; k < 2; k++) {
		vec_d d = a.half[k] - b.half[k];

		sum->half[k] += w ? d * d * by.half[k] : d * d;
	}
}

VECTOR_TARGET static double lanes_error(const float *x, const float *w, const float *back, size_t n)
{
	struct fit_wide sum[FIT_PARTS] = { 0 };
	size_t end = n / FIT_LANES * FIT_LANES;
	struct fit_tail tail;

	for (size_t i = 0; i < end; i += FIT_LANES)
		for (int p = 0, at = 0; p < FIT_PARTS; p++, at += VECTOR_WIDTH)
			add_error(&sum[p], v_read(x + i + at), v_read(back + i + at), w ? w + i + at : NULL);
	if (end < n) {
		tail_of(&tail, x, w, back, n);
		for (int p = 0, at = 0; p < FIT_PARTS; p++, at += VECTOR_WIDTH)
			add_error(&sum[p], v_read(tail.x + at), v_read(tail.y + at), w ? tail.w + at : NULL);
	}
	return d_sum(sum);
}

/* Steps of a half up to 2, of 1 up to 4, then 6. */
VECTOR_FN vec_f v_e2m1(vec_f v)
{
	vec_i sign = (vec_i)v & (int32_t)0x80000000;
	vec_f size = (vec_f)((vec_i)v & 0x7fffffff), q;

	size = v_pick(size < 6, size, v_all(6));
	q = v_pick(size < 4, v_near(size), v_near(size * 0.5f) * 2);
	q = v_pick(size < 2, v_near(size * 2) * 0.5f, q);
	return (vec_f)((vec_i)q | sign);
}

VECTOR_FN void try_error(struct fit_wide *sum, const struct fit_try *t, vec_f inverse, const float *x, const float *w, bool integer)
{
	vec_f v = v_read(x), code = integer ? v_code(t, inverse, v) - t->zero : v_e2m1(v / t->scale); /* as scaled_codes() has it */

	add_error(sum, v, code * t->scale, w);
}

VECTOR_FN double error_all(const struct fit_try *t, const float *x, const float *w, size_t n, bool integer)
{
	vec_f inverse = v_all(1 / t->scale);
	struct fit_wide sum[FIT_PARTS] = { 0 };
	size_t end = n / FIT_LANES * FIT_LANES;
	struct fit_tail tail;

	for (size_t i = 0; i < end; i += FIT_LANES)
		for (int p = 0, at = 0; p < FIT_PARTS; p++, at += VECTOR_WIDTH)
			try_error(&sum[p], t, inverse, x + i + at, w ? w + i + at : NULL, integer);
	if (end < n) {
		tail_of(&tail, x, w, NULL, n);
		for (int p = 0, at = 0; p < FIT_PARTS; p++, at += VECTOR_WIDTH)
			try_error(&sum[p], t, inverse, tail.x + at, w ? tail.w + at : NULL, integer);
	}
	return d_sum(sum);
}

VECTOR_TARGET static double lanes_error_of(const struct fit_try *t, const float *x, const float *w, size_t n)
{
	return error_all(t, x, w, n, true);
}

VECTOR_TARGET static double lanes_error_e2m1(float step, const float *x, const float *w, size_t n)
{
	return error_all(&(struct fit_try){ .scale = step }, x, w, n, false);
}

VECTOR_FN void put_codes(const struct fit_try *t, vec_f inverse, const float *x, uint8_t *code, float *back)
{
	vec_f q = v_code(t, inverse, v_read(x)), y = (q - t->zero) * t->scale;
	vec_b b = __builtin_convertvector(__builtin_convertvector(q - t->first, vec_i), vec_b);

	memcpy(code, &b, sizeof b);
	memcpy(back, &y, sizeof y);
}

VECTOR_TARGET static void lanes_codes(const struct fit_try *t, const float *x, size_t n, uint8_t *code, float *back)
{
	vec_f inverse = v_all(1 / t->scale);
	size_t end = n / VECTOR_WIDTH * VECTOR_WIDTH;
	struct fit_tail tail;
	uint8_t last[VECTOR_WIDTH];

	for (size_t i = 0; i < end; i += VECTOR_WIDTH)
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
