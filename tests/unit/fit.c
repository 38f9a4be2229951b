/*
 * fit.c - the search for scales: never worse than rounding to nearest, near the best that there is, the same from every kernel; ties and
 * edges.
 */
#include "quant/fit_affine.h"
#include "quant/quant.h"
#include "tests/tap.h"

#include <math.h>
#include <string.h>

enum { MOST = 300 };

static uint32_t state = 1;

static float uniform(void)
{
	state = state * 1664525 + 1013904223;
	return (float)(state >> 8) * 0x1p-24f;
}

static float bell(void)
{
	float v = 0;

	for (int i = 0; i < 12; i++)
		v += uniform();
	return (v - 6) * 0.02f;
}

static struct scaled_gain gain;

struct result {
	struct scaled_unit unit;
	uint8_t code[MOST];
	float back[MOST];
};

static void nearest(const struct scaled *s, const float *x, size_t n, struct result *r)
{
	float lo = 0, hi = 0;

	scaled_range(x, n, &lo, &hi);
	r->unit = scaled_unit(s, lo, hi);
	scaled_codes(s, &r->unit, x, n, r->code, r->back);
}

static double error(const float *x, const float *y, const float *w, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (w ? w[i] : 1) * ((double)x[i] - y[i]) * ((double)x[i] - y[i]);
	return sum;
}

/* What the stored scale, zero point and codes stand for is what `back` says. */
static bool consistent(const struct scaled *s, const struct result *r, size_t n)
{
	static const float e2m1[16] = { 0, 0.5f, 1, 1.5f, 2, 3, 4, 6, -0.0f, -0.5f, -1, -1.5f, -2, -3, -4, -6 };
	int half = s->twos ? 0 : 1 << (s->bits - 1);

	if (s->scale == SCALED_REAL && scaled_round(s->real, r->unit.scale) != r->unit.scale)
		return false;
	for (size_t i = 0; i < n; i++) {
		float q = s->code >= SCALED_E2M1 ? e2m1[r->code[i]] : (float)((s->twos ? (int8_t)r->code[i] : r->code[i]) - half - r->unit.zero);

		if (q * r->unit.step != r->back[i] || (s->code < SCALED_E2M1 && !s->twos && r->code[i] >= 1 << s->bits))
			return false;
	}
	return true;
}

static const struct kind {
	const char *name;
	struct scaled s;
	double gain; /* least mean gain on bell-shaped numbers, groups of 128 (32, 16) */
	size_t n;
} kinds[] = {
	{ "4-bit integers", { SCALED_INTEGER, SCALED_REAL, 4, false, false, false, SCALED_BF16, 0 }, 0.14, 128 },
	{ "4-bit integers, zero points", { SCALED_INTEGER, SCALED_REAL, 4, true, false, false, SCALED_F16, 0 }, 0.08, 128 },
	{ "4-bit integers, scales of either sign", { .scale = SCALED_REAL, .bits = 4, .negative = true, .real = SCALED_F16 }, 0.2, 128 },
	{ "8-bit integers", { SCALED_INTEGER, SCALED_REAL, 8, false, false, true, SCALED_F32, 0 }, 0.0, 128 },
	{ "e2m1, e8m0", { SCALED_E2M1, SCALED_E8M0, 4, false, false, false, SCALED_BF16, 0 }, 0.005, 32 },
	{ "e2m1, e4m3 under a whole", { SCALED_E2M1, SCALED_DIVIDED, 4, false, false, false, SCALED_BF16, 2688 / 0.25f }, 0.1, 16 },
	{ "e2m1 with inner ties, e8m0 up", { SCALED_E2M1_INNER, SCALED_E8M0_UP, 4, false, false, false, SCALED_F32, 0 }, 0.02, 32 },
	{ "e2m1 with inner ties, e4m3 alone", { SCALED_E2M1_INNER, SCALED_ALONE, 4, false, false, false, SCALED_F32, 0 }, 0.1, 16 },
	{ "e2m1, e4m3 times a whole", { SCALED_E2M1, SCALED_MULTIPLIED, 4, false, false, false, SCALED_BF16, 0.25f / 2688 }, 0.1, 16 },
};

static void test_gain(const struct kind *k, bool weighted)
{
	double before = 0, after = 0;
	bool worse = false, good = true;

	for (int run = 0; run < 400; run++) {
		float x[MOST], w[MOST];
		struct result r;
		double a, b;

		for (size_t i = 0; i < k->n; i++) {
			x[i] = scaled_round(k->s.real, bell());
			w[i] = uniform() * uniform() + 0.01f;
		}
		nearest(&k->s, x, k->n, &r);
		a = error(x, r.back, weighted ? w : NULL, k->n);
		fit_codes(&k->s, &r.unit, x, weighted ? w : NULL, k->n, r.code, r.back, &gain);
		b = error(x, r.back, weighted ? w : NULL, k->n);
		worse |= b > a * (1 + 1e-12);
		good &= consistent(&k->s, &r, k->n);
		before += a;
		after += b;
	}
	ok(!worse, "%s%s: no run is worse", k->name, weighted ? ", weighted" : "");
	ok(good, "%s%s: codes and scale stand for the numbers", k->name, weighted ? ", weighted" : "");
	ok(after < before * (1 - k->gain), "%s%s: the error is %.3f of nearest's", k->name, weighted ? ", weighted" : "", after / before);
}

/* All scales of a fine grid, all zero points: what the search may miss is little. */
static void test_best(bool zeros)
{
	struct scaled s = { SCALED_INTEGER, SCALED_REAL, 4, zeros, false, false, SCALED_F32, 0 };
	double found = 0, best = 0;

	for (int run = 0; run < 40; run++) {
		float x[64];
		struct result r;
		double least = INFINITY;

		for (int i = 0; i < 64; i++)
			x[i] = bell() + (zeros ? 0.03f : 0);
		nearest(&s, x, 64, &r);
		for (int k = 0; k < 600; k++)
			for (int z = zeros ? -8 : 0; z <= (zeros ? 7 : 0); z++) {
				float step = r.unit.scale * (0.4f + (float)k * 0.0012f), y[64];

				for (int i = 0; i < 64; i++) {
					float q = rintf(x[i] / step) + (float)z;

					y[i] = ((q < -8 ? -8 : q > 7 ? 7 : q) - (float)z) * step;
				}
				least = fmin(least, error(x, y, NULL, 64));
			}
		fit_codes(&s, &r.unit, x, NULL, 64, r.code, r.back, &gain);
		found += error(x, r.back, NULL, 64);
		best += least;
	}
	ok(found < best * 1.03, "%s: within 3%% of the best of all scales (%.4f)", zeros ? "zero points" : "no zero points", found / best);
}

static bool same(const struct result *a, const struct result *b, size_t n)
{
	return a->unit.scale == b->unit.scale && a->unit.zero == b->unit.zero && !memcmp(a->code, b->code, n) && !memcmp(a->back, b->back, n * sizeof *a->back);
}

static void test_edges(const struct kind *k)
{
	float x[MOST] = { 0 };
	struct result before, after;
	static const size_t lengths[] = { 1, 7, 15, 16, 17, 31, 33, 200, 299 };

	nearest(&k->s, x, k->n, &before);
	after = before;
	fit_codes(&k->s, &after.unit, x, NULL, k->n, after.code, after.back, &gain);
	ok(same(&before, &after, k->n), "%s: zeros stay", k->name);
	for (size_t i = 0; i < k->n; i++)
		x[i] = bell();
	x[3] = NAN;
	nearest(&k->s, x, k->n, &before);
	after = before;
	fit_codes(&k->s, &after.unit, x, NULL, k->n, after.code, after.back, &gain);
	ok(!memcmp(before.code, after.code, k->n) && before.unit.scale == after.unit.scale, "%s: what is no number leaves a run as it is", k->name);
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		size_t n = lengths[i];

		for (size_t j = 0; j < n; j++)
			x[j] = bell();
		memset(after.code, 0xaa, sizeof after.code);
		nearest(&k->s, x, n, &after);
		fit_codes(&k->s, &after.unit, x, NULL, n, after.code, after.back, &gain);
		ok(consistent(&k->s, &after, n) && after.code[n] == 0xaa, "%s: %zu numbers", k->name, n);
	}
	for (size_t j = 0; j < 64; j++)
		x[j] = bell() * 1e-38f;
	nearest(&k->s, x, 64, &before);
	after = before;
	fit_codes(&k->s, &after.unit, x, NULL, 64, after.code, after.back, &gain);
	ok(error(x, after.back, NULL, 64) <= error(x, before.back, NULL, 64), "%s: subnormal numbers", k->name);
}

/* Codes times a scale, of every width, are found again; a number beside them is not. */
static void test_exact(void)
{
	static const struct {
		const char *name;
		struct scaled s;
		int lo, hi;
	} rows[] = {
		{ "4 bits", { .scale = SCALED_REAL, .bits = 4, .real = SCALED_F16 }, -8, 7 },
		{ "4 bits of bf16", { .scale = SCALED_REAL, .bits = 4, .real = SCALED_BF16 }, -8, 7 },
		{ "4 bits, GPTQ", { .scale = SCALED_GPTQ, .bits = 4, .real = SCALED_BF16 }, -8, 7 },
		{ "4 bits, zero points", { .scale = SCALED_REAL, .bits = 4, .zeros = true, .real = SCALED_F16 }, -3, 12 },
		{ "8 bits, two's complement", { .scale = SCALED_REAL, .bits = 8, .twos = true, .real = SCALED_F32 }, -128, 127 },
		{ "8 bits, zero points", { .scale = SCALED_AWQ, .bits = 8, .zeros = true, .real = SCALED_F32 }, -1, 254 },
		{ "4 bits, scales of either sign", { .scale = SCALED_REAL, .bits = 4, .negative = true, .real = SCALED_F16 }, -7, 8 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct scaled *s = &rows[i].s;
		bool found = true, refused = true;

		for (int run = 0; run < 200; run++) {
			float scale = scaled_round(scaled_stored(s), 0.001f + uniform()), x[96];
			struct result r;

			for (int k = 0; k < 96; k++)
				x[k] = scale * (float)(rows[i].lo + (int)(uniform() * (float)(rows[i].hi - rows[i].lo + 1)));
			x[run % 96] = scale * (float)rows[i].hi;
			x[(run + 1) % 96] = scale * (float)rows[i].lo;
			found &= fit_exact(s, &r.unit, x, 96, r.code, r.back) && !memcmp(r.back, x, sizeof x) && consistent(s, &r, 96);
			x[(run + 2) % 96] = scale * 0.3f;
			x[(run + 3) % 96] = scale * 0.71f;
			refused &= !fit_exact(s, &r.unit, x, 96, r.code, r.back);
		}
		ok(found, "exact: %s are found", rows[i].name);
		ok(refused, "exact: %s: what lies between is not", rows[i].name);
	}
}

static void test_no_grid(void)
{
	struct scaled s = { .scale = SCALED_REAL, .bits = 4, .real = SCALED_F32 };
	struct result r;

	ok(!fit_exact(&s, &r.unit, (float[4]){ 0, 0, 0, 0 }, 4, r.code, r.back), "exact: zeros have no scale");
	ok(!fit_exact(&s, &r.unit, (float[4]){ 1, NAN, 2, 3 }, 4, r.code, r.back), "exact: what is no number has none");
	ok(!fit_exact(&s, &r.unit, (float[4]){ 1, INFINITY, 2, 3 }, 4, r.code, r.back), "exact: infinity has none");
	ok(!fit_exact(&s, &r.unit, (float[4]){ 8, 1, 2, -3 }, 4, r.code, r.back), "exact: 8 steps up are one too many");
	ok(fit_exact(&s, &r.unit, (float[4]){ -8, 1, 2, -3 }, 4, r.code, r.back) && r.unit.scale == 1, "exact: 8 steps down are not");
	s.real = SCALED_BF16;
	ok(!fit_exact(&s, &r.unit, (float[2]){ 7 * 1.001953125f, 1.001953125f }, 2, r.code, r.back), "exact: a scale that cannot be stored is none");
}

/* Numbers of codes with a zero point: the scale is found again, and no number is farther than the bias is rounded by. */
static void test_exact_line(void)
{
	static const enum scaled_real reals[] = { SCALED_F16, SCALED_BF16 }; /* of F32 the products are rounded */
	struct scaled_unit u;
	int lost = 0, coarse = 0, inexact = 0;

	for (int run = 0; run < 600; run++) {
		struct scaled s = { .scale = SCALED_AFFINE, .bits = run % 7 == 6 ? 8 : 2 + (unsigned)run % 5, .real = reals[run / 4 % 2] };
		int top = (1 << s.bits) - 1, zero = run % 4 ? (int)(uniform() * (float)(top + 1)) : 1 << (s.bits - 1);
		float scale = scaled_round(s.real, 0.001f + uniform()), x[64], back[64], off;
		uint8_t code[64];

		for (int k = 0; k < 64; k++)
			x[k] = (float)((int)(uniform() * (float)(top + 1)) - zero) * scale;
		x[run % 64] = (float)(top - zero) * scale;
		x[(run + 1) % 64] = (float)-zero * scale;
		if (!fit_exact_line(&s, &u, x, 64) || u.scale != scale) {
			lost++;
			continue;
		}
		scaled_affine_codes(&s, &u, x, 64, code, back);
		off = fabsf(u.bias + (float)zero * scale);
		coarse += off > fabsf(scaled_round(s.real, (float)-zero * scale) + (float)zero * scale);
		for (int k = 0; k < 64; k++)
			inexact += fabsf(back[k] - x[k]) > off + 1e-6f * fabsf(x[k]) + 1e-6f * scale;
		inexact += run % 4 == 0 && off != 0; /* the middle is a power of two */
	}
	is_int(lost, 0, "exact lines: scales are found");
	is_int(coarse, 0, "exact lines: no bias is rounded by more than that of the numbers' own zero point");
	is_int(inexact, 0, "exact lines: codes and numbers stay");
	ok(!fit_exact_line(&(struct scaled){ .scale = SCALED_AFFINE, .bits = 4 }, &u, (float[4]){ 0, 0, 0, 0 }, 4), "exact lines: zeros have no scale");
	ok(!fit_exact_line(&(struct scaled){ .scale = SCALED_AFFINE, .bits = 4 }, &u, (float[4]){ -8, 1, 2, NAN }, 4), "exact lines: what is no number has none");
	ok(!fit_exact_line(&(struct scaled){ .scale = SCALED_AFFINE, .bits = 4 }, &u, (float[4]){ -8, 1, 2, 8 }, 4), "exact lines: 16 steps are one too many");
	ok(fit_exact_line(&(struct scaled){ .scale = SCALED_AFFINE, .bits = 4 }, &u, (float[4]){ -16, -1, -2, -3 }, 4) && u.scale == 1 && u.bias == -16,
	   "exact lines: a zero point of 2^bits");
	ok(!fit_exact_line(&(struct scaled){ .scale = SCALED_AFFINE, .bits = 4, .real = SCALED_F16 }, &u, (float[4]){ 65504 * -16.0f, -65504, 65504 * -2.0f, 65504 * -3.0f }, 4),
	   "exact lines: a bias that F16 cannot hold is none");
}

/* The loops of each instruction set, number by number. */
static void test_kernels(const struct fit_ops *ops, enum quant_isa isa)
{
	bool good = true;

	for (int run = 0; run < 300 && quant_isa_usable(isa); run++) {
		size_t n = 1 + (size_t)(uniform() * 200);
		float x[MOST], w[MOST], back[2][MOST];
		uint8_t code[2][MOST];
		struct fit_try t[FIT_TRIES];
		struct fit_sums s[2][FIT_TRIES];

		for (size_t i = 0; i < n; i++) {
			x[i] = run % 3 ? bell() : (float)((int)(uniform() * 64) - 32) * 0.5f; /* ties */
			w[i] = uniform();
		}
		for (int k = 0; k < FIT_TRIES; k++)
			t[k] = (struct fit_try){ run % 3 ? 0.002f + uniform() * 0.01f : 1, (float)(run % 5), -8, 7, run % 2 ? -8 : 0 };
		for (int i = 0; i < 2; i++) {
			const struct fit_ops *o = i ? ops : &fit_scalar;

			o->sums(t, x, run % 2 ? w : NULL, n, run % 4 < 2, s[i]);
			o->codes(&t[0], x, n, code[i], back[i]);
		}
		good &= !memcmp(s[0], s[1], sizeof s[0]) && !memcmp(code[0], code[1], n) && !memcmp(back[0], back[1], n * sizeof *back[0]);
		good &= fit_scalar.error(x, w, back[0], n) == ops->error(x, w, back[0], n) && fit_scalar.error_of(t, x, NULL, n) == ops->error_of(t, x, NULL, n);
		good &= ops->error_of(t, x, NULL, n) == ops->error(x, NULL, back[0], n);
		good &= fit_scalar.error_e2m1(t[0].scale, x, w, n) == ops->error_e2m1(t[0].scale, x, w, n);
	}
	ok(good, "%s: the bytes of the scalar loops", quant_isa_name(isa));
}

enum { RUNS = 40 };

/* Of a bell, of multiples of a step, of numbers whose range is wider than floats are, of a few that are none, of one number alone. */
static float run_number(int kind, size_t i)
{
	if (kind == 3 && i % 31 == 7)
		return i % 62 == 7 ? NAN : -INFINITY;
	if (kind == 2)
		return bell() * (i % 5 ? 1e38f : 3e-39f);
	return kind == 4 ? 0.25f : kind == 1 ? (float)((int)(uniform() * 64) - 20) * 0.5f : bell();
}

/* Lines of runs side by side are those of each alone, of every instruction set. */
static void test_affine_kernels(const struct fit_affine_ops *ops, enum quant_isa isa)
{
	static float x[RUNS * FIT_AFFINE_MOST], w[RUNS * FIT_AFFINE_MOST];
	static const unsigned widths[] = { 2, 3, 4, 5, 6, 8 };
	bool good = true;

	for (int round = 0; round < 60 && quant_isa_usable(isa); round++) {
		struct scaled s = { .scale = SCALED_AFFINE, .bits = widths[round % 6], .real = (enum scaled_real)(round % 3) };
		struct fit_affine_runs r = { &s, x, round % 2 ? w : NULL, 32u << round % 3, 1 + (size_t)(uniform() * RUNS) };
		struct fit_line line[2][RUNS];

		for (size_t i = 0; i < r.n * r.run; i++) {
			x[i] = run_number(round % 5, i);
			w[i] = i % 7 ? uniform() : 0;
		}
		memset(line, 0, sizeof line);
		fit_affine_scalar.lines(&r, line[0]);
		ops->lines(&r, line[1]);
		for (size_t i = 0; i < r.n; i++)
			for (int k = 0; k < 2; k++)
				if (!isfinite(line[k][i].scale) || !isfinite(line[k][i].bias)) /* NaN has more than one */
					line[k][i] = (struct fit_line){ 0 };
		good &= !memcmp(line[0], line[1], sizeof line[0]);
	}
	ok(good, "%s: the lines of the scalar loop", quant_isa_name(isa));
}

int main(void)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		test_gain(&kinds[i], false);
		test_gain(&kinds[i], true);
		test_edges(&kinds[i]);
	}
	test_best(false);
	test_best(true);
	test_exact();
	test_no_grid();
	test_exact_line();
	test_kernels(&fit_scalar, QUANT_SCALAR);
	test_affine_kernels(&fit_affine_scalar, QUANT_SCALAR);
#if defined(__x86_64__)
	test_kernels(&fit_avx2, QUANT_AVX2);
	test_kernels(&fit_avx512, QUANT_AVX512);
	test_affine_kernels(&fit_affine_avx2, QUANT_AVX2);
	test_affine_kernels(&fit_affine_avx512, QUANT_AVX512);
#elif defined(__aarch64__)
	test_affine_kernels(&fit_affine_neon, QUANT_NEON);
#endif
	return done();
}
