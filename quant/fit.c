/*
 * fit.c - the search for a scale and a zero point: see fit.h.
 */
#include "fit.h"

#include <math.h>

#include "bits.h"
#include "fit_affine.h"
#include "quant.h"

#define VECTOR_TARGET
#define VECTOR_WIDTH 4
#include "fit_lanes.h"

const struct fit_ops fit_scalar = { lanes_sums, lanes_error, lanes_error_of, lanes_error_e2m1, lanes_codes };

const struct fit_ops *fit_kernel(void)
{
#if defined(__x86_64__)
	if (quant_isa_allowed(QUANT_AVX512))
		return &fit_avx512;
	if (quant_isa_allowed(QUANT_AVX2))
		return &fit_avx2;
#endif
	return &fit_scalar;
}

struct fit {
	const struct scaled *s;
	const struct fit_ops *ops;
	const float *x, *w;
	size_t n;
	float sum_x, sum_w;  /* with the weights; only for zero points */
	struct fit_try best; /* of the tries, by `gain` */
	float gain;          /* by how much its best scale makes the error less than zeros' */
	float scale;         /* that best scale */
	float sign;          /* of scales */
	struct fit_sums sums;
};

static bool sensible(const struct fit *f, const struct fit_try *t)
{
	return t->scale * f->sign > 0 && isfinite(1 / t->scale) && isfinite(t->scale) && t->zero >= t->lo && t->zero <= t->hi;
}

/* Those that make no sense are tried as the best one. */
static void attempt(struct fit *f, const float scale[FIT_TRIES], const float zero[FIT_TRIES])
{
	struct fit_try t[FIT_TRIES];
	struct fit_sums s[FIT_TRIES];

	for (int k = 0; k < FIT_TRIES; k++) {
		t[k] = (struct fit_try){ scale[k], zero[k], f->best.lo, f->best.hi, 0 };
		if (!sensible(f, &t[k]))
			t[k] = f->best;
	}
	f->ops->sums(t, f->x, f->w, f->n, f->s->zeros, s);
	for (int k = 0; k < FIT_TRIES; k++) {
		float gain = s[k].qq > 0 && s[k].xq * f->sign > 0 ? s[k].xq * s[k].xq / s[k].qq : 0;

		if (!(gain > f->gain))
			continue;
		f->gain = gain;
		f->best = t[k];
		f->scale = s[k].xq / s[k].qq;
		f->sums = s[k];
	}
}

static void attempt_scales(struct fit *f, float scale, float first, float step)
{
	float s[FIT_TRIES], z[FIT_TRIES];

	for (int k = 0; k < FIT_TRIES; k++) {
		s[k] = scale * (first + step * (float)k);
		z[k] = f->best.zero;
	}
	attempt(f, s, z);
}

/* The zero point that the best codes would like: x ~ a q + b, with b = 0 where it is right. */
static float better_zero(const struct fit *f)
{
	const struct fit_sums *s = &f->sums;
	float det = f->sum_w * s->qq - s->q * s->q, a = (f->sum_w * s->xq - s->q * f->sum_x) / det, b = (s->qq * f->sum_x - s->q * s->xq) / det;
	float moved = rintf(f->best.zero - b / a);

	return det > 0 && a > 0 && moved >= f->best.lo && moved <= f->best.hi ? moved : f->best.zero;
}

static void attempt_zeros(struct fit *f)
{
	float zero = f->best.zero, scale = f->scale;

	attempt(f, (float[]){ scale, scale, scale, scale }, (float[]){ better_zero(f), zero - 1, zero + 1, zero });
}

static void weigh(struct fit *f)
{
	for (size_t i = 0; i < f->n; i++) {
		f->sum_x += f->w ? f->w[i] * f->x[i] : f->x[i];
		f->sum_w += f->w ? f->w[i] : 1;
	}
}

/* From half of the scale that rounding to nearest has to a little above it, then around the best, then what its codes ask for. */
static void search(struct fit *f, float scale)
{
	if (f->s->zeros)
		weigh(f);
	attempt_scales(f, scale, 0.46f, 0.08f);
	attempt_scales(f, scale, 0.78f, 0.08f);
	if (!(f->gain > 0))
		return;
	attempt_scales(f, f->best.scale, 0.96f, 0.02f);
	for (int k = 0; k < 2; k++) {
		if (f->s->zeros)
			attempt_zeros(f);
		attempt_scales(f, f->scale, 0.99f, 0.01f);
	}
}

/* A scale, as it is stored, is the unit's where its codes' error is less. */
static void take(const struct fit *f, float scale, struct scaled_unit *u, double *error)
{
	struct fit_try t = f->best;
	double now;

	t.scale = scaled_round(scaled_stored(f->s), scale);
	if (!sensible(f, &t))
		return;
	now = f->ops->error_of(&t, f->x, f->w, f->n);
	if (!(now < *error))
		return;
	*error = now;
	u->scale = u->step = t.scale;
	u->zero = (int)t.zero;
}

/* GPTQ's scale has no room for the upper half of numbers that are all positive. */
static bool any_negative(const float *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (x[i] < 0)
			return true;
	return false;
}

/* *least: of the best that is known. true: this is better. */
static bool fit_sign(struct fit f, float before, struct scaled_unit *u, double *least)
{
	float between = scaled_step(scaled_stored(f.s));
	double error = *least;

	f.best.scale = before;
	search(&f, before);
	if (!(f.gain > 0))
		return false;
	take(&f, f.scale, u, least);
	take(&f, f.scale * (1 + between), u, least); /* neighbours among the scales that can be stored */
	take(&f, f.scale * (1 - between), u, least);
	return *least < error;
}

static double fit_integers(const struct scaled *s, struct scaled_unit *u, const float *x, const float *w, size_t n, double error, uint8_t *code, float *back)
{
	float low = -(float)(1u << (s->bits - 1)), before = s->scale == SCALED_GPTQ && !any_negative(x, n) ? 2 * u->scale : u->scale;
	struct fit f = { .s = s, .ops = fit_kernel(), .x = x, .w = w, .n = n, .sign = 1, .best = { before, (float)u->zero, low, -low - 1, 0 } };
	bool better = fit_sign(f, before, u, &error);

	if (s->negative) {
		f.sign = -1;
		better |= fit_sign(f, -before, u, &error);
	}
	if (better)
		f.ops->codes(&(struct fit_try){ u->scale, (float)u->zero, low, -low - 1, s->twos ? 0 : low }, x, n, code, back);
	return error;
}

/* ---- e2m1: the scales are few ---- */

static double fit_e2m1(const struct scaled *s, struct scaled_unit *u, const float *x, const float *w, size_t n, double error, uint8_t *code, float *back)
{
	const struct fit_ops *ops = fit_kernel();
	int byte = scaled_byte(s, u->scale), near = scaled_is_power(s) ? 1 : 6;
	struct scaled_unit best = *u;
	double least = error;

	for (int b = byte - near; b <= byte + near; b++) {
		struct scaled_unit t;
		double now;

		if (b == byte || !scaled_unit_of(s, b, &t))
			continue;
		now = ops->error_e2m1(t.step, x, w, n);
		if (now < least) {
			least = now;
			best = t;
		}
	}
	if (!(least < error))
		return error;
	*u = best;
	scaled_codes(s, u, x, n, code, back);
	return least;
}

static bool has_integers(const struct scaled *s)
{
	return s->code == SCALED_INTEGER && (s->scale == SCALED_REAL || s->scale == SCALED_GPTQ || s->scale == SCALED_AWQ);
}

bool fit_searches(const struct scaled *s)
{
	return has_integers(s) || s->scale == SCALED_AFFINE || (s->code >= SCALED_E2M1 && s->scale != SCALED_REAL);
}

void fit_codes(const struct scaled *s, struct scaled_unit *u, const float *x, const float *w, size_t n, uint8_t *code, float *back,
	       struct scaled_gain *gain)
{
	double error;

	if (s->scale == SCALED_AFFINE) {
		fit_affine(&(struct fit_affine_runs){ s, x, w, n, 1 }, u, code, back, gain);
		return;
	}
	error = fit_searches(s) ? fit_kernel()->error(x, w, back, n) : 0;
	if (!(error > 0) || !isfinite(error) || (has_integers(s) && !(u->scale > 0)))
		return;
	gain->nearest += error;
	gain->found += (has_integers(s) ? fit_integers : fit_e2m1)(s, u, x, w, n, error, code, back);
}
