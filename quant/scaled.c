/*
 * scaled.c - codes that share a scale: see scaled.h.
 */
#include "scaled.h"

#include <math.h>

#include "bits.h"

#define E4M3_MAX 448.0f

static float rounded(enum scaled_real real, float v)
{
	return real == SCALED_F32 ? v : real == SCALED_F16 ? float_of_half(half_of_float(v)) : float_of_bf16(bf16_of_float(v));
}

static float epsilon(enum scaled_real real)
{
	return real == SCALED_F32 ? 0x1p-23f : real == SCALED_F16 ? 0x1p-10f : 0x1p-7f;
}

/* Round to nearest, ties to even, after what is too large became the largest. */
static uint8_t e4m3_of_float(float f)
{
	uint32_t u = bits_of(f), mag = u & 0x7fffffff;
	uint8_t sign = u >> 24 & 0x80;

	if (mag >= 0x43e00000) /* 448 and above, NaN */
		return sign | (mag > 0x7f800000 ? 0x7f : 0x7e);
	if (mag < 0x3c800000) /* below 2^-6: let the adder round at the last place of a subnormal */
		return sign | (uint8_t)(bits_of(float_of(mag) + 0x1p14f) - 0x46800000);
	mag += 0x7ffff + (mag >> 20 & 1);
	return sign | (uint8_t)((mag - 0x3c000000) >> 20);
}

static float float_of_e4m3(uint8_t b)
{
	unsigned exp = b >> 3 & 15, man = b & 7;
	float v = exp ? float_of((exp + 120) << 23 | man << 20) : (float)man * 0x1p-9f;

	return (b & 0x7f) == 0x7f ? NAN : b & 0x80 ? -v : v;
}

/* Codes are few: no tie is lost where the sum's last place is 1. */
static float to_even(float v)
{
	return v + 12582912.0f - 12582912.0f;
}

static float clamped(float v, float lo, float hi)
{
	return v > hi ? hi : v > lo ? v : lo;
}

void scaled_range(const float *x, size_t n, float *lo, float *hi)
{
	float a = *lo, b = *hi;

	for (size_t i = 0; i < n; i++) {
		a = x[i] < a ? x[i] : a;
		b = x[i] > b ? x[i] : b;
	}
	*lo = a;
	*hi = b;
}

static struct scaled_unit unit_inverse(float most)
{
	float factor = most > 0 ? 1 / most * E4M3_MAX : 1; /* torch divides a number by a tensor so */

	return (struct scaled_unit){ .scale = 1 / factor, .factor = factor };
}

struct scaled_unit scaled_unit(const struct scaled *s, float lo, float hi)
{
	float levels = s->bits ? (float)((1u << s->bits) - 1) : 2 * E4M3_MAX, low = -(float)(1u << (s->bits ? s->bits - 1 : 0));
	float most = -lo > hi ? -lo : hi;
	struct scaled_unit u = { 0 };

	if (s->inverse)
		return unit_inverse(most);
	u.scale = s->zeros ? rounded(s->real, rounded(s->real, hi - lo) / levels) : rounded(s->real, most / (levels / 2));
	if (s->zeros) {
		float zero = rounded(s->real, low - rounded(s->real, lo / u.scale));

		u.zero = zero == zero ? (int)to_even(clamped(zero, low, -low - 1)) : 0;
	}
	if (u.scale == 0)
		u.scale = epsilon(s->real);
	return u;
}

static void codes_e4m3(const struct scaled *s, const struct scaled_unit *u, const float *x, size_t n, uint8_t *code, float *back)
{
	for (size_t i = 0; i < n; i++) {
		/* the zero point that is added makes -0 a plain zero */
		code[i] = e4m3_of_float(s->inverse ? x[i] * u->factor : rounded(s->real, x[i] / u->scale) + 0.0f);
		back[i] = float_of_e4m3(code[i]) * u->scale;
	}
}

void scaled_codes(const struct scaled *s, const struct scaled_unit *u, const float *x, size_t n, uint8_t *code, float *back)
{
	int half = 1 << (s->bits ? s->bits - 1 : 0);
	float zero = (float)u->zero;

	if (!s->bits) {
		codes_e4m3(s, u, x, n, code, back);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		float v = rounded(s->real, rounded(s->real, x[i] / u->scale) + zero);
		int q = v == v ? (int)to_even(clamped(v, (float)-half, (float)(half - 1))) : u->zero;

		code[i] = (uint8_t)(q + half);
		back[i] = (float)(q - u->zero) * u->scale;
	}
}
