/*
 * scaled_affine.c - integers with a scale and a bias, as MLX makes them (0.32, quantize() on a processor): see scaled.h.
 *
 *   number = code * scale + bias, code 0 to 2^bits - 1
 *
 *   lo                0                    hi       the edge is what is farther from 0: that number is kept exact, and so is 0, which falls on a
 *   |--+--+--+--+--+--+--+--+--+--+--+--+--|        code of its own. From hi codes count downwards: the scale is less than 0.
 *                                        edge
 *
 *   step = max((hi - lo) / (2^bits - 1), 1e-7), less than 0 where hi is the edge
 *   n = round(edge / step); where that is 0, scale = step and bias = 0; else scale = edge / n and bias = edge
 *   code = round((x - bias) / scale), within its bits
 *
 * Each operation is rounded to F32, ties to even; codes are made before the scale is rounded to its type. Numbers are of that type already, and
 * so is their edge. A group that has no number has the scale and the codes of zeros; a NaN has code 0.
 */
#include "scaled.h"

#include <math.h>

#define LEAST_STEP 1e-7f

struct scaled_unit scaled_affine_unit(const struct scaled *s, float lo, float hi)
{
	bool low, none = !(lo <= hi);
	float step, edge, n;

	lo = none ? 0 : lo;
	hi = none ? 0 : hi;
	low = fabsf(lo) > fabsf(hi);
	edge = low ? lo : hi;
	step = (hi - lo) / (float)((1u << s->bits) - 1);
	step = step > LEAST_STEP ? step : LEAST_STEP;
	step = low ? step : -step;
	n = rintf(edge / step);
	if (n != 0)
		step = edge / n;
	return (struct scaled_unit){ .scale = scaled_round(s->real, step), .step = step, .factor = step, .bias = n != 0 ? scaled_round(s->real, edge) : 0 };
}

void scaled_affine_codes(const struct scaled *s, const struct scaled_unit *u, const float *x, size_t n, uint8_t *code, float *back)
{
	float most = (float)((1u << s->bits) - 1);

	for (size_t i = 0; i < n; i++) {
		float v = rintf((x[i] - u->bias) / u->factor), product;

		v = v > most ? most : v > 0 ? v : 0;
		product = v * u->scale;
		code[i] = (uint8_t)v;
		back[i] = product + u->bias;
	}
}
