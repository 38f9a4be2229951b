/*
 * scaled.c - codes that share a scale: see scaled.h.
 */
#include "scaled.h"

#include <math.h>

#include "bits.h"
#include "quant.h"

#define E4M3_MAX 448.0f
#define E4M3_LEAST 0x1p-9f

static inline float rounded(enum scaled_real real, float v)
{
	return real == SCALED_F32 ? v : real == SCALED_F16 ? float_of_half(half_of_float(v)) : float_of_bf16(bf16_of_float(v));
}

/* The smallest number that has all bits of precision. */
static float tiny(enum scaled_real real)
{
	return real == SCALED_F16 ? 0x1p-14f : 0x1p-126f;
}

float scaled_round(enum scaled_real real, float v)
{
	return rounded(real, v);
}

enum scaled_real scaled_stored(const struct scaled *s)
{
	return s->scale == SCALED_GPTQ || s->scale == SCALED_AWQ ? SCALED_F16 : s->real;
}

float scaled_step(enum scaled_real real)
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

const struct scaled_ops *scaled_kernel(void)
{
#if defined(__x86_64__)
	if (quant_isa_allowed(QUANT_AVX512))
		return &scaled_avx512;
	if (quant_isa_allowed(QUANT_AVX2))
		return &scaled_avx2;
#endif
	return NULL;
}

void scaled_empty(const struct scaled *s, float *lo, float *hi)
{
	bool empty = s->scale == SCALED_AWQ || s->scale == SCALED_AFFINE;

	*lo = empty ? INFINITY : 0;
	*hi = empty ? -INFINITY : 0;
}

void scaled_range(const float *x, size_t n, float *lo, float *hi)
{
	const struct scaled_ops *ops = scaled_kernel();
	size_t whole = ops ? n / ops->width * ops->width : 0;
	float a, b;

	if (whole)
		ops->range(x, whole, lo, hi);
	a = *lo;
	b = *hi;
	for (size_t i = whole; i < n; i++) {
		a = x[i] < a ? x[i] : a;
		b = x[i] > b ? x[i] : b;
	}
	*lo = a;
	*hi = b;
}

static float e4m3(float f)
{
	return float_of_e4m3(e4m3_of_float(f));
}

/* ---- codes ---- */

/* What numbers come to before they are rounded to codes. What has met a `whole` is F32. */
static float quotient(const struct scaled *s, const struct scaled_unit *u, float x)
{
	if (s->scale == SCALED_INVERSE)
		return x * u->factor;
	return scaled_rounds(s) ? rounded(s->real, x / u->step) : x / u->step;
}

static void codes_integer(const struct scaled *s, const struct scaled_unit *u, const float *x, size_t n, uint8_t *code, float *back)
{
	int half = 1 << (s->bits - 1);
	float zero = (float)u->zero;

	for (size_t i = 0; i < n; i++) {
		float v = rounded(s->real, quotient(s, u, x[i]) + zero);
		int q = v == v ? (int)to_even(clamped(v, (float)-half, (float)(half - 1))) : u->zero;

		code[i] = (uint8_t)(q + (s->twos ? 0 : half));
		back[i] = (float)(q - u->zero) * u->step;
	}
}

static void codes_e4m3(const struct scaled *s, const struct scaled_unit *u, const float *x, size_t n, uint8_t *code, float *back)
{
	for (size_t i = 0; i < n; i++) {
		code[i] = e4m3_of_float(quotient(s, u, x[i]));
		back[i] = float_of_e4m3(code[i]) * u->step;
	}
}

/* Round to nearest, ties to even; NaN is 0, and so is -0 without `minus`; what rounds to zero keeps its sign. */
static uint8_t e2m1_of_float(float f, enum scaled_code kind)
{
	float a = fabsf(f);
	int odd = kind == SCALED_E2M1_INNER ? (a > 0.75f) + (a > 1.75f) + (a > 3.5f) : (a >= 0.75f) + (a >= 1.75f) + (a >= 3.5f);
	int code = (a > 0.25f) + (a > 1.25f) + (a > 2.5f) + (a > 5) + odd;
	bool negative = f < 0 || (kind == SCALED_E2M1_MINUS && f == 0 && signbit(f));

	return (uint8_t)(code | (negative && (code || kind != SCALED_E2M1_INNER)) << 3);
}

static void codes_e2m1(const struct scaled *s, const struct scaled_unit *u, const float *x, size_t n, uint8_t *code, float *back)
{
	static const float value[16] = { 0, 0.5f, 1, 1.5f, 2, 3, 4, 6, -0.0f, -0.5f, -1, -1.5f, -2, -3, -4, -6 };

	for (size_t i = 0; i < n; i++) {
		code[i] = e2m1_of_float(quotient(s, u, x[i]), s->code);
		back[i] = value[code[i]] * u->step;
	}
}

static const struct code {
	float most;   /* 0: by the bits */
	int exponent; /* of most */
	void (*codes)(const struct scaled *s, const struct scaled_unit *u, const float *x, size_t n, uint8_t *code, float *back);
} codes[] = {
	[SCALED_INTEGER] = { 0, 0, codes_integer },
	[SCALED_E4M3] = { E4M3_MAX, 8, codes_e4m3 },
	[SCALED_E2M1] = { 6, 2, codes_e2m1 },
	[SCALED_E2M1_MINUS] = { 6, 2, codes_e2m1 },
	[SCALED_E2M1_INNER] = { 6, 2, codes_e2m1 },
};

void scaled_codes(const struct scaled *s, const struct scaled_unit *u, const float *x, size_t n, uint8_t *code, float *back)
{
	const struct scaled_ops *ops = scaled_kernel();
	bool affine = s->scale == SCALED_AFFINE, half = !affine && s->scale >= SCALED_GPTQ;
	size_t whole = ops && (!half || scaled_half_once(s, u)) ? n / ops->width * ops->width : 0;

	if (whole)
		ops->codes(s, u, x, whole, code, back);
	(affine ? scaled_affine_codes : half ? scaled_half_codes : codes[s->code].codes)(s, u, x + whole, n - whole, code + whole, back + whole);
}

/* ---- scales ---- */

static float most_of(const struct scaled *s)
{
	return codes[s->code].most > 0 ? codes[s->code].most : (float)((1u << s->bits) - 1) / 2;
}

static float nonzero(float scale, float otherwise)
{
	return scale == 0 ? otherwise : scale;
}

static struct scaled_unit with_zeros(const struct scaled *s, float lo, float hi)
{
	float low = -(float)(1u << (s->bits - 1));
	float scale = rounded(s->real, rounded(s->real, hi - lo) / (float)((1u << s->bits) - 1));
	float zero = rounded(s->real, low - rounded(s->real, lo / scale));

	scale = nonzero(scale, scaled_step(s->real));
	return (struct scaled_unit){ .scale = scale, .step = scale, .zero = zero == zero ? (int)to_even(clamped(zero, low, -low - 1)) : 0 };
}

static struct scaled_unit real(const struct scaled *s, float most)
{
	float scale = nonzero(rounded(s->real, most / most_of(s)), scaled_step(s->real));

	return (struct scaled_unit){ .scale = scale, .step = scale };
}

static struct scaled_unit plain(const struct scaled *s, float most)
{
	float scale = most > 0 ? nonzero(most / most_of(s), 0x1p-149f) : 1;

	return (struct scaled_unit){ .scale = scale, .step = scale };
}

static struct scaled_unit inverse(const struct scaled *s, float most)
{
	float factor = most > 0 ? 1 / most * most_of(s) : 1; /* torch divides a number by a tensor so */

	return (struct scaled_unit){ .scale = 1 / factor, .step = 1 / factor, .factor = factor };
}

/* Up from 1.75 times a power of two on. Below the type's normal numbers there is zero alone, which has 1 in F16 for the least scale. */
static struct scaled_unit e8m0(const struct scaled *s, float most)
{
	float least = tiny(s->real);
	int top = (int)(bits_of(most < least ? least : most) + 0x200000) >> 23, none = s->real == SCALED_F16 ? 127 : 0;
	int e = most < 0.75f * least ? none : top - codes[s->code].exponent;
	float scale = e > 0 ? float_of((uint32_t)e << 23) : 0x1p-127f;

	return (struct scaled_unit){ .scale = scale, .step = scale };
}

static struct scaled_unit e8m0_up(const struct scaled *s, float most)
{
	float least = rounded(s->real, most / most_of(s));
	uint32_t up = (bits_of(least) + 0x7fffff) >> 23;
	float scale = least > 0 ? float_of((up > 1 ? up < 254 ? up : 254 : 1) << 23) : 1;

	return (struct scaled_unit){ .scale = scale, .step = scale };
}

/* A step of 1 makes all codes 0 where the scale is. */
static struct scaled_unit alone(const struct scaled *s, float most)
{
	float scale = e4m3(rounded(s->real, most / most_of(s)));

	return (struct scaled_unit){ .scale = scale, .step = nonzero(scale, 1) };
}

static struct scaled_unit divided(const struct scaled *s, float most)
{
	float scale = nonzero(e4m3(rounded(s->real, most / most_of(s)) * s->whole), 0.125f);

	return (struct scaled_unit){ .scale = scale, .step = scale / s->whole };
}

static struct scaled_unit multiplied(const struct scaled *s, float most)
{
	float scale = nonzero(most / (most_of(s) * s->whole), 1);

	scale = e4m3(scale > E4M3_LEAST ? scale : E4M3_LEAST);
	return (struct scaled_unit){ .scale = scale, .step = scale * s->whole };
}

static struct scaled_unit (*const units[])(const struct scaled *s, float most) = {
	[SCALED_REAL] = real,
	[SCALED_PLAIN] = plain,
	[SCALED_INVERSE] = inverse,
	[SCALED_E8M0] = e8m0,
	[SCALED_DIVIDED] = divided,
	[SCALED_MULTIPLIED] = multiplied,
	[SCALED_E8M0_UP] = e8m0_up,
	[SCALED_ALONE] = alone,
};

struct scaled_unit scaled_unit(const struct scaled *s, float lo, float hi)
{
	if (s->scale == SCALED_AFFINE)
		return scaled_affine_unit(s, lo, hi);
	if (s->scale >= SCALED_GPTQ)
		return scaled_half_unit(s, lo, hi);
	return s->zeros ? with_zeros(s, lo, hi) : units[s->scale](s, -lo > hi ? -lo : hi);
}

float scaled_whole(const struct scaled *s, float most)
{
	float all = E4M3_MAX * most_of(s), v = s->scale == SCALED_DIVIDED ? all / most : most / all;

	if (s->scale == SCALED_DIVIDED && rounded(s->real, v) < INFINITY) /* F16 ends early: the library's 1 would lose every small tensor */
		v = rounded(s->real, v);
	return v > 0 && v < INFINITY ? v : 1;
}

uint8_t scaled_byte(const struct scaled *s, float scale)
{
	return scaled_is_power(s) ? (uint8_t)(bits_of(scale) >> 23) : e4m3_of_float(scale);
}

bool scaled_unit_of(const struct scaled *s, int byte, struct scaled_unit *u)
{
	bool power = scaled_is_power(s);
	float scale;

	if (byte < 1 || byte > (power ? 0xfe : 0x7e))
		return false;
	scale = power ? float_of((uint32_t)byte << 23) : float_of_e4m3((uint8_t)byte);
	*u = (struct scaled_unit){ .scale = scale, .step = scale };
	if (s->scale == SCALED_DIVIDED)
		u->step = scale / s->whole;
	if (s->scale == SCALED_MULTIPLIED)
		u->step = scale * s->whole;
	return u->step > 0 && isfinite(1 / u->step);
}
