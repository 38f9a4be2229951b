/*
 * fit_affine.c - the search for a scale and a bias: see fit.h.
 *
 *   number = code * scale + bias     code 0 to 2^bits - 1
 *
 * Numbers are looked at from the middle of their range. Four ranges, from a little above that of all numbers down to a narrower one, give codes;
 * those say which scale and bias would fit them best, by least squares, and four scales around the best are tried in turn. Of what is found, lines
 * nearby that can be stored are tried: with both signs, as the one whose bias is at the near end loses less where biases are rounded, then with the
 * next scale down, and for wide codes the next one up and the next bias.
 */
#include "fit_affine.h"

#include <math.h>
#include <string.h>

#include "lanes_scalar.h"
#include "quant.h"

#include "fit_affine_lanes.h"

const struct fit_affine_ops fit_affine_scalar = { lanes_lines };

static const struct fit_affine_ops *kernel(void)
{
#if defined(__x86_64__)
	if (quant_isa_allowed(QUANT_AVX512))
		return &fit_affine_avx512;
	if (quant_isa_allowed(QUANT_AVX2))
		return &fit_affine_avx2;
#elif defined(__aarch64__)
	if (quant_isa_allowed(QUANT_NEON))
		return &fit_affine_neon;
#endif
	return &fit_affine_scalar;
}

struct fit_line fit_affine_line(const struct scaled *s, int at, float scale, float center)
{
	static const struct {
		float scale, bias;
	} off[] = { { 0, 0 }, { -1, 0 }, { 1, 0 }, { 0, -1 } };
	float between = scaled_step(s->real), bias;

	scale = scaled_round(s->real, (at % 2 ? scale : -scale) * (1 + between * off[at / 2].scale));
	bias = center - scale * ((float)((1u << s->bits) - 1) * 0.5f);
	return (struct fit_line){ scale, scaled_round(s->real, bias * (1 + between * off[at / 2].bias)) };
}

/* What has codes of less error under its line, has it. */
static void take(const struct fit_affine_runs *r, size_t at, struct fit_line l, struct scaled_unit *u, uint8_t *code, float *back, struct scaled_gain *gain)
{
	const float *x = r->x + at * r->run, *w = r->w ? r->w + at * r->run : NULL;
	struct scaled_unit found = { .scale = l.scale, .factor = l.scale, .bias = l.bias };
	double before = fit_kernel()->error(x, w, back, r->run), now;
	float value[FIT_AFFINE_MOST];
	uint8_t codes[FIT_AFFINE_MOST];

	if (!(before > 0) || !isfinite(before))
		return;
	gain->nearest += before;
	gain->found += before;
	if (!isfinite(1 / l.scale) || !isfinite(l.bias))
		return;
	scaled_codes(r->s, &found, x, r->run, codes, value);
	now = fit_kernel()->error(x, w, value, r->run);
	if (!(now < before))
		return;
	gain->found += now - before;
	memcpy(code, codes, r->run);
	memcpy(back, value, r->run * sizeof *back);
	*u = found;
}

void fit_affine(const struct fit_affine_runs *r, struct scaled_unit *u, uint8_t *code, float *back, struct scaled_gain *gain)
{
	struct fit_affine_runs now = *r;
	struct fit_line line[FIT_AFFINE_RUNS] = { 0 };
	bool fits = r->run <= FIT_AFFINE_MOST && r->run % FIT_AFFINE_EVEN == 0;

	for (size_t at = 0; at < r->n; at += now.n) {
		now.n = r->n - at < FIT_AFFINE_RUNS ? r->n - at : FIT_AFFINE_RUNS;
		now.x = r->x + at * r->run;
		now.w = r->w ? r->w + at * r->run : NULL;
		if (fits)
			kernel()->lines(&now, line);
		for (size_t k = 0; k < now.n; k++)
			take(&now, k, line[k], &u[at + k], code + (at + k) * r->run, back + (at + k) * r->run, gain);
	}
}
