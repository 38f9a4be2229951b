/*
 * exact.c - finds the codes in numbers that are codes times a scale: the largest number is some code's, and that tells the scale.
 */
#include "fit.h"

#include <math.h>
#include <string.h>

struct grid {
	float scale;
	int lo, hi; /* the numbers' multiples of it */
};

static float multiple(float x, float scale)
{
	return x / scale + 12582912.0f - 12582912.0f;
}

static bool all_on(struct grid *g, const float *x, size_t n)
{
	float lo = INFINITY, hi = -INFINITY;

	for (size_t i = 0; i < n; i++) {
		float q = multiple(x[i], g->scale);

		if (q * g->scale != x[i])
			return false;
		lo = q < lo ? q : lo;
		hi = q > hi ? q : hi;
	}
	g->lo = (int)lo;
	g->hi = (int)hi;
	return true;
}

/* Where zero, which has a code itself, lies among them, so that both ends are within; AWQ's makers let the least number have the least code. */
static bool place(const struct scaled *s, struct grid *g, int *zero)
{
	int half = 1 << (s->bits - 1);

	g->lo = g->lo < 0 ? g->lo : 0;
	g->hi = g->hi > 0 ? g->hi : 0;
	*zero = 0;
	if (s->zeros) {
		*zero = -half - g->lo;
		return *zero < half && g->hi + *zero < half;
	}
	if (g->lo >= -half && g->hi < half)
		return true;
	if (!s->negative || -g->hi < -half || -g->lo >= half)
		return false;
	g->scale = -g->scale;
	return true;
}

static void put(const struct scaled *s, struct scaled_unit *u, const struct grid *g, int zero, const float *x, size_t n, uint8_t *code, float *back)
{
	int first = s->twos ? 0 : -(1 << (s->bits - 1));

	*u = (struct scaled_unit){ .scale = g->scale, .step = g->scale, .factor = g->scale, .zero = zero };
	for (size_t i = 0; i < n; i++)
		code[i] = (uint8_t)((int)multiple(x[i], g->scale) + zero - first);
	memcpy(back, x, n * sizeof *x);
}

/* Of the codes that zero can have or would have, so that both ends are within, the one whose bias is rounded least. */
static bool place_line(const struct scaled *s, const struct grid *g, struct scaled_unit *u)
{
	float least = INFINITY;

	for (int zero = -g->lo; zero + g->hi < 1 << s->bits; zero++) {
		float bias = zero ? (float)-zero * g->scale : 0, stored = scaled_round(s->real, bias), off = fabsf(stored - bias);

		if (off < least) {
			*u = (struct scaled_unit){ .scale = g->scale, .step = g->scale, .factor = g->scale, .bias = stored };
			least = off;
		}
	}
	return isfinite(least);
}

static float largest(const float *x, size_t n)
{
	float most = 0;

	for (size_t i = 0; i < n; i++)
		most = fabsf(x[i]) > most || x[i] != x[i] ? fabsf(x[i]) : most;
	return most;
}

/* The scale by which `most`, the largest number, is k steps; are all the others whole steps, too? */
static bool grid_of(struct grid *g, enum scaled_real real, float most, int k, const float *x, size_t n)
{
	g->scale = scaled_round(real, most / (float)k);
	return g->scale * (float)k == most && all_on(g, x, n);
}

bool fit_exact(const struct scaled *s, struct scaled_unit *u, const float *x, size_t n, uint8_t *code, float *back)
{
	float most = s->code == SCALED_INTEGER ? largest(x, n) : 0;
	struct grid g;
	int zero;

	if (!(most > 0) || !isfinite(most))
		return false;
	for (int k = (1 << (s->bits - !s->zeros)) - s->zeros; k > 0; k--) {
		if (!grid_of(&g, scaled_stored(s), most, k, x, n) || !place(s, &g, &zero))
			continue;
		put(s, u, &g, zero, x, n, code, back);
		return true;
	}
	return false;
}

bool fit_exact_line(const struct scaled *s, struct scaled_unit *u, const float *x, size_t n)
{
	float most = largest(x, n);
	struct grid g;

	if (!(most > 0) || !isfinite(most))
		return false;
	for (int k = 1 << s->bits; k > 0; k--)
		if (grid_of(&g, s->real, most, k, x, n) && place_line(s, &g, u))
			return true;
	return false;
}
