/*
 * scaled_half.c - integers with a scale, as the libraries make them in whose files F16 is the type of scales or of weights: see scaled.h.
 *
 *   GPTQ   all in F32: scale = (hi - lo) / (2^bits - 1), where lo = -hi = -max|x| if any number is negative, else 0
 *          code = round(x / scale) + 2^(bits-1), and the same once more of what that is in the weight's type; the scale is stored as F16
 *                                                                                   GPTQModel 5 (Quantizer, RTN, pack_block)
 *   AWQ    all in F16: scale = (hi - lo) / 15, of a range of 1e-5 at least, code = round(x / scale) + zero,
 *          zero = -round(lo / scale)                                                AutoAWQ 0.2.9 (pseudo_quantize_tensor)
 *   INT8   scale = max|x|, code = round(x * (1 / scale * 127)), in F32              bitsandbytes 0.50 (int8_vectorwise_quant)
 *
 * Codes stop at both ends. GPTQ's rule loses the upper half of numbers that are all positive: so does the library. A group of zeros has GPTQ's
 * scale of one from -1 to 1, and INT8's 0. A scale beyond F16, for which the libraries write an infinity, is F16's largest number.
 */
#include "scaled.h"

#include <math.h>

#include "bits.h"

#define F16_MAX 65504.0f
#define AWQ_RANGE 0x1.5p-17f /* F16 of 1e-5 */

static float half(float v)
{
	return float_of_half(half_of_float(v));
}

static float stored(float scale)
{
	float v = half(scale);

	return v > F16_MAX ? F16_MAX : v;
}

/* To an integer, ties to even, not beyond what codes can be. NaN stays. */
static float to_code(float v)
{
	v = v > 256 ? 256 : v < -256 ? -256 : v;
	return v + 12582912.0f - 12582912.0f;
}

static struct scaled_unit unit_gptq(const struct scaled *s, float lo, float hi)
{
	float most = -lo > hi ? -lo : hi, scale;

	if (lo < 0)
		lo = -most;
	if (most == 0) {
		lo = -1;
		most = 1;
	}
	scale = (most - lo) / (float)((1u << s->bits) - 1);
	return (struct scaled_unit){ .scale = stored(scale), .step = stored(scale), .factor = scale };
}

static struct scaled_unit unit_awq(const struct scaled *s, float lo, float hi)
{
	float range = lo <= hi ? half(hi - lo) : 0, scale, zero;
	int low = 1 << (s->bits - 1);

	scale = stored((range > AWQ_RANGE ? range : AWQ_RANGE) / (float)((1u << s->bits) - 1));
	zero = lo <= hi ? -to_code(half(lo / scale)) : 0;
	zero = zero > (float)(2 * low - 1) ? (float)(2 * low - 1) : zero > 0 ? zero : 0;
	return (struct scaled_unit){ .scale = scale, .step = scale, .factor = scale, .zero = (int)zero - low };
}

struct scaled_unit scaled_half_unit(const struct scaled *s, float lo, float hi)
{
	float most = -lo > hi ? -lo : hi;

	if (s->scale == SCALED_GPTQ)
		return unit_gptq(s, lo, hi);
	if (s->scale == SCALED_AWQ)
		return unit_awq(s, lo, hi);
	return (struct scaled_unit){ .scale = most, .step = most / 127, .factor = 1 / most * 127 };
}

static void codes_int8(const struct scaled_unit *u, const float *x, size_t n, uint8_t *code, float *back)
{
	for (size_t i = 0; i < n; i++) {
		float v = to_code(x[i] * u->factor);
		int q = v == v ? (int)v : 0;
		float product = (float)q * u->scale;

		code[i] = (uint8_t)(int8_t)q;
		back[i] = product * 7.874015718698502e-3f;
	}
}

/* GPTQ's second round. It only tells where F16 is coarser than the codes: among its smallest numbers. */
static float again(const struct scaled_unit *u, float code, int low)
{
	float product = u->factor * code, shift = (float)low * u->factor;

	return to_code((half(product) + shift) / u->factor) - (float)low;
}

static bool is_twice(const struct scaled *s, const struct scaled_unit *u)
{
	return s->scale == SCALED_GPTQ && s->real == SCALED_F16 && u->factor < 0x1p-20f;
}

bool scaled_half_once(const struct scaled *s, const struct scaled_unit *u)
{
	return s->scale != SCALED_INT8 && !is_twice(s, u);
}

void scaled_half_codes(const struct scaled *s, const struct scaled_unit *u, const float *x, size_t n, uint8_t *code, float *back)
{
	int low = 1 << (s->bits - 1);
	bool twice = is_twice(s, u);

	if (s->scale == SCALED_INT8) {
		codes_int8(u, x, n, code, back);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		float quotient = x[i] / u->factor, v = to_code(s->scale == SCALED_AWQ ? half(quotient) : quotient);
		int q = v == v ? (int)v + u->zero : u->zero;

		q = q < -low ? -low : q > low - 1 ? low - 1 : q;
		if (twice) {
			q = (int)again(u, (float)q, low);
			q = q < -low ? -low : q > low - 1 ? low - 1 : q;
		}
		code[i] = (uint8_t)(q + low);
		back[i] = (float)(q - u->zero) * u->scale;
	}
}
