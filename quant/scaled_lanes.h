/*
 * scaled_lanes.h - scaled_range() and scaled_codes() with vectors, number by number what scaled.c says; to be included after what vectors.h
 * wants. Numbers are a multiple of VECTOR_WIDTH.
 */
#ifndef QUANT_SCALED_LANES_H
#define QUANT_SCALED_LANES_H

#include "scaled.h"
#include "vectors.h"

VECTOR_FN vec_i v_is_nan(vec_f v)
{
	return v != v;
}

VECTOR_FN vec_f v_bf16(vec_f v)
{
	vec_u u = (vec_u)v; /* that of NaN may wrap around */

	return v_pick(v_is_nan(v), v, (vec_f)((u + 0x7fff + (u >> 16 & 1)) & 0xffff0000));
}

VECTOR_FN vec_f v_f16(vec_f v)
{
	vec_i sign = (vec_i)v & INT32_MIN, mag = (vec_i)v & 0x7fffffff, round = (vec_i)(((vec_u)mag + 0xfff + ((vec_u)mag >> 13 & 1)) & ~0x1fffu);
	vec_f small = (vec_f)mag + 0.5f - 0.5f; /* below 2^-14 the adder rounds at the last place */

	round = i_pick(round >= 0x47800000, (vec_i){ 0 } + 0x7f800000, round);
	round = i_pick(mag < 0x38800000, (vec_i)small, round);
	return v_pick(v_is_nan(v), v, (vec_f)(round | sign));
}

VECTOR_FN vec_f v_real(enum scaled_real real, vec_f v)
{
	return real == SCALED_F32 ? v : real == SCALED_F16 ? v_f16(v) : v_bf16(v);
}

VECTOR_FN void put_bytes(vec_i code, uint8_t *to)
{
	vec_b b = __builtin_convertvector(code & 0xff, vec_b);

	memcpy(to, &b, sizeof b);
}

VECTOR_FN void put_floats(vec_f v, float *to)
{
	memcpy(to, &v, sizeof v);
}

/* ---- codes of each kind: from what numbers come to ---- */

struct scaled_put {
	float step;
	float zero, half, first; /* of integers: the zero point's code, how many are negative, the code whose byte is 0 */
	bool minus, inner;       /* -0 keeps its sign; ties to the code nearer to 0 */
};

VECTOR_FN void put_integers(const struct scaled_put *p, vec_f v, uint8_t *code, float *back)
{
	vec_f q = v_near(v_within(v, -p->half, p->half - 1));

	q = v_pick(v_is_nan(v), v_all(p->zero), q);
	put_bytes(__builtin_convertvector(q - p->first, vec_i), code);
	put_floats((q - p->zero) * p->step, back);
}

VECTOR_FN void put_e4m3(const struct scaled_put *p, vec_f v, uint8_t *code, float *back)
{
	vec_i mag = (vec_i)v & 0x7fffffff, sign = (vec_i)v & INT32_MIN;
	vec_i c = (vec_i)(((vec_u)mag + 0x7ffff + ((vec_u)mag >> 20 & 1) - 0x3c000000) >> 20);
	vec_f value;

	c = i_pick(mag < 0x3c800000, (vec_i)((vec_f)mag + 0x1p14f) - 0x46800000, c);
	c = i_pick(mag >= 0x43e00000, (vec_i){ 0 } + 0x7e, c);
	c = i_pick(mag > 0x7f800000, (vec_i){ 0 } + 0x7f, c);
	value = v_pick(c < 8, __builtin_convertvector(c, vec_f) * 0x1p-9f, (vec_f)((c << 20) + (120 << 23)));
	value = v_pick(c == 0x7f, v_all(__builtin_nanf("")), (vec_f)((vec_i)value | sign));
	put_bytes(c | (sign >> 24 & 0x80), code);
	put_floats(value * p->step, back);
}

VECTOR_FN void put_e2m1(const struct scaled_put *p, vec_f v, uint8_t *code, float *back)
{
	vec_f a = (vec_f)((vec_i)v & 0x7fffffff), value;
	vec_i odd = p->inner ? (a > 0.75f) + (a > 1.75f) + (a > 3.5f) : (a >= 0.75f) + (a >= 1.75f) + (a >= 3.5f);
	vec_i c = -((a > 0.25f) + (a > 1.25f) + (a > 2.5f) + (a > 5) + odd);
	vec_i negative = p->minus ? ((vec_i)v < 0) & ~v_is_nan(v) : v < 0;

	negative = p->inner ? negative & (c > 0) : negative;
	value = v_pick(c < 2, __builtin_convertvector(c, vec_f) * 0.5f, (vec_f)((c << 22) + (126 << 23)));
	value = (vec_f)((vec_i)value | (negative & INT32_MIN));
	put_bytes(c | (negative & 8), code);
	put_floats(value * p->step, back);
}

/* ---- all numbers ---- */

/* What numbers come to: the quotient, rounded or not, or to an integer too; or the product with a factor. */
enum scaled_way { WAY_QUOTIENT, WAY_ROUNDED, WAY_NEAR, WAY_FACTOR };

VECTOR_FN vec_f come_to(enum scaled_way way, enum scaled_real real, float by, vec_f x)
{
	vec_f v = way == WAY_FACTOR ? x * by : way == WAY_QUOTIENT ? x / by : v_real(real, x / by);

	return way == WAY_NEAR ? v_near(v) : v;
}

VECTOR_FN void all_integers(const struct scaled_put *p, enum scaled_way way, enum scaled_real real, float by, const float *x, size_t n, uint8_t *code, float *back)
{
	for (size_t i = 0; i < n; i += VECTOR_WIDTH)
		put_integers(p, v_real(real, come_to(way, real, by, v_read(x + i)) + p->zero), code + i, back + i);
}

VECTOR_FN void all_e4m3(const struct scaled_put *p, enum scaled_way way, enum scaled_real real, float by, const float *x, size_t n, uint8_t *code, float *back)
{
	for (size_t i = 0; i < n; i += VECTOR_WIDTH)
		put_e4m3(p, come_to(way, real, by, v_read(x + i)), code + i, back + i);
}

VECTOR_FN void all_e2m1(const struct scaled_put *p, enum scaled_way way, enum scaled_real real, float by, const float *x, size_t n, uint8_t *code, float *back)
{
	for (size_t i = 0; i < n; i += VECTOR_WIDTH)
		put_e2m1(p, come_to(way, real, by, v_read(x + i)), code + i, back + i);
}

/* A loop for each type, of which the compiler takes the tests out. */
#define SCALED_EACH(all)                                                                                                                          \
	do {                                                                                                                                      \
		if (way == WAY_FACTOR)                                                                                                            \
			all(&p, WAY_FACTOR, SCALED_F32, u->factor, x, n, code, back);                                                             \
		else if (way == WAY_QUOTIENT)                                                                                                     \
			all(&p, WAY_QUOTIENT, SCALED_F32, u->step, x, n, code, back);                                                             \
		else if (s->real == SCALED_BF16)                                                                                                  \
			all(&p, WAY_ROUNDED, SCALED_BF16, u->step, x, n, code, back);                                                             \
		else if (s->real == SCALED_F16)                                                                                                   \
			all(&p, WAY_ROUNDED, SCALED_F16, u->step, x, n, code, back);                                                              \
		else                                                                                                                              \
			all(&p, WAY_ROUNDED, SCALED_F32, u->step, x, n, code, back);                                                              \
	} while (0)

/* Of scaled_half.c: what is beyond the codes stays so when it is rounded. */
VECTOR_FN void all_half(const struct scaled *s, const struct scaled_put *p, float by, const float *x, size_t n, uint8_t *code, float *back)
{
	if (s->scale == SCALED_AWQ)
		all_integers(p, WAY_NEAR, SCALED_F16, by, x, n, code, back);
	else
		all_integers(p, WAY_NEAR, SCALED_F32, by, x, n, code, back);
}

/* Of scaled_affine.c: codes are within their bits before they are rounded, and so after. */
VECTOR_FN void all_affine(const struct scaled_unit *u, float most, const float *x, size_t n, uint8_t *code, float *back)
{
	for (size_t i = 0; i < n; i += VECTOR_WIDTH) {
		vec_f v = v_near(v_within((v_read(x + i) - u->bias) / u->factor, 0, most));

		put_bytes(__builtin_convertvector(v, vec_i), code + i);
		put_floats(v * u->scale + u->bias, back + i);
	}
}

/* Of scaled_half.c only what scaled_half_once() names. Integers have a way that is rounded. */
VECTOR_TARGET static void lanes_codes(const struct scaled *s, const struct scaled_unit *u, const float *x, size_t n, uint8_t *code, float *back)
{
	float half = (float)(1u << (s->bits - 1));
	struct scaled_put p = { .step = u->step, .zero = (float)u->zero, .half = half, .first = s->twos ? 0 : -half, .minus = s->code == SCALED_E2M1_MINUS,
				.inner = s->code == SCALED_E2M1_INNER };
	enum scaled_way way = s->scale == SCALED_INVERSE ? WAY_FACTOR : scaled_rounds(s) ? WAY_ROUNDED : WAY_QUOTIENT;

	if (s->scale == SCALED_AFFINE)
		all_affine(u, 2 * half - 1, x, n, code, back);
	else if (s->scale >= SCALED_GPTQ)
		all_half(s, &p, u->factor, x, n, code, back);
	else if (s->code == SCALED_INTEGER)
		SCALED_EACH(all_integers);
	else if (s->code == SCALED_E4M3)
		SCALED_EACH(all_e4m3);
	else
		SCALED_EACH(all_e2m1);
}

/* NaN is neither less nor more than anything. */
VECTOR_TARGET static void lanes_range(const float *x, size_t n, float *lo, float *hi)
{
	vec_f a = v_all(*lo), b = v_all(*hi);
	float low[VECTOR_WIDTH], high[VECTOR_WIDTH];

	for (size_t i = 0; i < n; i += VECTOR_WIDTH) {
		vec_f v = v_read(x + i);

		a = v_pick(v < a, v, a);
		b = v_pick(v > b, v, b);
	}
	memcpy(low, &a, sizeof low);
	memcpy(high, &b, sizeof high);
	for (int half = VECTOR_WIDTH / 2; half; half /= 2)
		for (int i = 0; i < half; i++) {
			low[i] = low[i + half] < low[i] ? low[i + half] : low[i];
			high[i] = high[i + half] > high[i] ? high[i + half] : high[i];
		}
	*lo = low[0];
	*hi = high[0];
}

#endif
