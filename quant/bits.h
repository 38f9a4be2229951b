/*
 * bits.h - number formats at the level of bits: half and brain floats, the two roundings, unaligned access.
 *
 *   binary16   s eeeee mmmmmmmmmm          bias 15
 *   bfloat16   s eeeeeeee mmmmmmm          the upper half of a binary32
 *   binary32   s eeeeeeee mmmmmmmmmmmmmmmmmmmmmmm
 */
#ifndef QUANT_BITS_H
#define QUANT_BITS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "planes are little-endian and are read as they lie");

static inline uint32_t bits_of(float f)
{
	uint32_t u;
	memcpy(&u, &f, sizeof u);
	return u;
}

static inline float float_of(uint32_t u)
{
	float f;
	memcpy(&f, &u, sizeof f);
	return f;
}

static inline uint16_t load16(const void *p)
{
	uint16_t v;
	memcpy(&v, p, sizeof v);
	return v;
}

static inline uint32_t load32(const void *p)
{
	uint32_t v;
	memcpy(&v, p, sizeof v);
	return v;
}

static inline uint64_t load64(const void *p)
{
	uint64_t v;
	memcpy(&v, p, sizeof v);
	return v;
}

static inline void store16(void *p, uint16_t v)
{
	memcpy(p, &v, sizeof v);
}

static inline void store32(void *p, uint32_t v)
{
	memcpy(p, &v, sizeof v);
}

static inline void store64(void *p, uint64_t v)
{
	memcpy(p, &v, sizeof v);
}

/* Eight bytes, each `byte`. */
static inline uint64_t bytes_of(uint8_t byte)
{
	return byte * 0x0101010101010101u;
}

/* binary16 to binary32: exact; a NaN keeps its payload and becomes quiet. */
static inline float float_of_half(uint16_t h)
{
	uint32_t sign = (uint32_t)(h & 0x8000) << 16, exp = h >> 10 & 0x1f, man = h & 0x3ff;
	if (exp == 0) /* zero and subnormals: man * 2^-24 is exact */
		return float_of(sign | bits_of((float)man * 0x1p-24f));
	if (exp == 0x1f)
		return float_of(sign | 0x7f800000 | man << 13 | (man ? 0x400000 : 0));
	return float_of(sign | (exp + 112) << 23 | man << 13);
}

/* binary32 to binary16: round to nearest, ties to even; every NaN becomes the one quiet NaN of its sign. */
static inline uint16_t half_of_float(float f)
{
	uint32_t u = bits_of(f), mag = u & 0x7fffffff;
	uint16_t sign = u >> 16 & 0x8000;
	if (mag >= 0x47800000) /* 2^16 and above, infinity, NaN */
		return sign | (mag > 0x7f800000 ? 0x7e00 : 0x7c00);
	if (mag < 0x38800000) /* below 2^-14: let the adder round at the last place of a subnormal half */
		return sign | (uint16_t)(bits_of(float_of(mag) + 0.5f) - 0x3f000000);
	mag += 0xfff + (mag >> 13 & 1); /* a carry into the exponent is right, also up to infinity */
	return sign | (uint16_t)((mag - 0x38000000) >> 13);
}

static inline float float_of_bf16(uint16_t b)
{
	return float_of((uint32_t)b << 16);
}

/* binary32 to bfloat16: round to nearest, ties to even; a NaN keeps the upper part of its payload and becomes quiet. */
static inline uint16_t bf16_of_float(float f)
{
	uint32_t u = bits_of(f);
	if ((u & 0x7fffffff) > 0x7f800000)
		return u >> 16 | 0x40;
	return (u + 0x7fff + (u >> 16 & 1)) >> 16;
}

/* Nearest integer, ties to even, by adding 1.5 * 2^23. Outside +-2^22 the result is what the sum's low bits say, and
 * the bytes of a file depend on it: (int)rintf(f) is not the same function. */
static inline int nearest_int(float f)
{
	return (int)(bits_of(f + 12582912.0f) & 0x7fffff) - 0x400000;
}

/* Toward zero; what does not fit an int32 gives INT32_MIN on every machine. */
static inline int32_t truncate_int(float f)
{
	return f >= -0x1p31f && f < 0x1p31f ? (int32_t)f : INT32_MIN;
}

static inline int clamp_int(int v, int lo, int hi)
{
	return v < lo ? lo : v > hi ? hi : v;
}

#endif
