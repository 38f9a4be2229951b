/*
 * fit_affine.c - the search for a scale and a bias: see fit.h.
 *
 *   number = code * scale + bias     code 0 to 2^bits - 1
 *
 * Numbers are looked at from the middle of their range. Ranges from that of all numbers down to a narrower one give codes; those say which scale and
 * bias would fit them best, by least squares, and these are tried in turn. Of what is best, scales and biases nearby that can be stored are tried,
 * with both signs: the one whose bias is at the near end loses less where biases are rounded.
 */
#include "fit.h"

#include <math.h>
#include <string.h>

#include "quant.h"

enum { MOST = 128, TRIES = 2, FITS = 3 };

struct line { /* a scale and a bias, as they are stored */
	float scale, bias;
};

struct affine {
	const struct scaled *s;
	const struct fit_ops *ops;
	const float *x, *w; /* x: from the middle */
	size_t n;
	float middle, most; /* most: the largest code */
	float sum_x, sum_w; /* with the weights */
	float gain, a, b;   /* of the best codes: by how much a * (code - zero) + b makes the error less than zeros' */
	float zero;
};

/* Codes of four scales around a zero, and what they ask for. */
static void attempt(struct affine *f, const float scale[FIT_TRIES], float zero)
{
	struct fit_try t[FIT_TRIES];
	struct fit_sums s[FIT_TRIES];

	for (int k = 0; k < FIT_TRIES; k++)
		t[k] = (struct fit_try){ scale[k], zero, 0, f->most, 0 };
	f->ops->sums(t, f->x, f->w, f->n, true, s);
	for (int k = 0; k < FIT_TRIES; k++) {
		float det = f->sum_w * s[k].qq - s[k].q * s[k].q;
		float a = (f->sum_w * s[k].xq - s[k].q * f->sum_x) / det, b = (s[k].qq * f->sum_x - s[k].q * s[k].xq) / det;
		float gain = a * s[k].xq + b * f->sum_x;

		if (!(det > 0) || !(a > 0) || !isfinite(1 / a) || !(gain > f->gain))
			continue;
		f->gain = gain;
		f->a = a;
		f->b = b;
		f->zero = zero;
	}
}

static void attempt_scales(struct affine *f, float scale, float first, float step, float zero)
{
	float s[FIT_TRIES];

	for (int k = 0; k < FIT_TRIES; k++)
		s[k] = scale * (first + step * (float)k);
	attempt(f, s, zero);
}

/* Wide codes lose little at the ends: their ranges are hardly narrowed. */
static void search(struct affine *f, float scale)
{
	float step = f->s->bits > 5 ? 0.01f : f->s->bits > 3 ? 0.04f : 0.07f;

	for (int k = 0; k < TRIES; k++)
		attempt_scales(f, scale, 1.0f + step / 2 - step * (float)(FIT_TRIES * (k + 1) - 1), step, f->most / 2);
	for (int k = 0; k < FITS && f->gain > 0; k++)
		attempt_scales(f, f->a, 1 - step / 4, step / 4, f->zero - f->b / f->a);
}

static double error_of(const struct affine *f, struct line l)
{
	struct fit_try t = { l.scale, (f->middle - l.bias) / l.scale, 0, f->most, 0 };

	if (!isfinite(1 / l.scale) || !isfinite(t.scale) || !isfinite(t.zero))
		return INFINITY;
	return f->ops->error_of(&t, f->x, f->w, f->n);
}

/* The middle of the codes stays where it is; biases nearby. */
static void take(const struct affine *f, float scale, float center, struct line *best, double *least)
{
	float between = scaled_step(f->s->real), bias;

	scale = scaled_round(f->s->real, scale);
	bias = center - scale * (f->most / 2);
	for (int k = -1; k <= 1; k++) {
		struct line l = { scale, scaled_round(f->s->real, bias * (1 + between * (float)k)) };
		double error = error_of(f, l);

		if (error < *least) {
			*least = error;
			*best = l;
		}
	}
}

static struct line stored(const struct affine *f, double least)
{
	float between = scaled_step(f->s->real), center = f->middle + f->b + f->a * (f->most / 2 - f->zero);
	struct line best = { 0 };

	for (int sign = -1; sign <= 1; sign += 2)
		for (int k = -1; k <= 1; k++)
			take(f, (float)sign * f->a * (1 + between * (float)k), center, &best, &least);
	return best;
}

static void put_codes(const struct affine *f, struct line l, const float *x, uint8_t *code, float *back)
{
	for (size_t i = 0; i < f->n; i++) {
		float v = rintf((x[i] - l.bias) / l.scale), product;

		v = v > f->most ? f->most : v > 0 ? v : 0;
		product = v * l.scale;
		code[i] = (uint8_t)v;
		back[i] = product + l.bias;
	}
}

double fit_affine(const struct scaled *s, struct scaled_unit *u, const float *x, const float *w, size_t n, double error, uint8_t *code, float *back)
{
	struct affine f = { .s = s, .ops = fit_kernel(), .w = w, .n = n, .most = (float)((1u << s->bits) - 1) };
	float lo = INFINITY, hi = -INFINITY, near[MOST], value[MOST];
	uint8_t found[MOST];
	struct line l;
	double now;

	scaled_range(x, n, &lo, &hi);
	if (n > MOST || !isfinite(hi - lo) || !(hi > lo))
		return error;
	f.middle = lo + (hi - lo) / 2;
	f.x = near;
	for (size_t i = 0; i < n; i++) {
		near[i] = x[i] - f.middle;
		f.sum_x += w ? w[i] * near[i] : near[i];
		f.sum_w += w ? w[i] : 1;
	}
	search(&f, (hi - lo) / f.most);
	l = stored(&f, error);
	if (!(f.gain > 0) || l.scale == 0)
		return error;
	put_codes(&f, l, x, found, value);
	now = f.ops->error(x, w, value, n);
	if (!(now < error))
		return error;
	memcpy(code, found, n);
	memcpy(back, value, n * sizeof *back);
	*u = (struct scaled_unit){ .scale = l.scale, .factor = l.scale, .bias = l.bias };
	return now;
}
