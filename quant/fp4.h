/*
 * fp4.h - E2M1 numbers, doubled to be integers, and the scales that MXFP4 and NVFP4 give them.
 *
 *   E2M1   s ee m                0 0.5 1 1.5 2 3 4 6
 *   E8M0   eeeeeeee              2^(e - 127)
 *   UE4M3  0 eeee mmm            bias 7; 0 and 127 are zero here
 */
#ifndef QUANT_FP4_H
#define QUANT_FP4_H

#include "bits.h"

static const int8_t fp4_value[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

/* Half of an E8M0 scale, since the values are doubled: exact. Code 255 is a number here, not NaN. */
static inline float fp4_scale_of_e8m0(uint8_t e)
{
	return float_of(e < 2 ? 0x200000u << (e & 1) : (uint32_t)(e - 1) << 23);
}

/* Half of a UE4M3 scale: exact. Bit 7 counts for nothing, except that 255 is no zero. */
static inline float fp4_scale_of_ue4m3(uint8_t s)
{
	int exp = s >> 3 & 15, man = s & 7;
	if (s == 0x7f)
		return 0;
	return exp ? float_of((uint32_t)(exp + 119) << 23 | (uint32_t)man << 20) : (float)man * 0x1p-10f;
}

#define FP4_UE4M3_MAX 0x7e

/* The scale whose 6 is amax: halves of its last place go up; 256 and more, which are 15 in the exponent, become 448. */
static inline uint8_t fp4_ue4m3_of_amax(float amax)
{
	float scale = amax / 6;
	uint32_t rounded = bits_of(scale) + 0x80000;
	int exp = (int)(bits_of(scale) >> 23) - 120;
	if (!(scale > 0))
		return 0;
	if (exp <= 0) {
		int man = (int)(scale * 512 + 0.5f);
		return man < 7 ? man : 7;
	}
	return rounded >= 135u << 23 ? FP4_UE4M3_MAX : (rounded >> 20) - (120 << 3);
}

/* floorf(log2f(amax)): the logarithm of a number a few places below a power of two rounds to that of the power. */
static inline int fp4_floor_log2(float amax)
{
	uint32_t u = bits_of(amax);
	int e = u >> 23 ? (int)(u >> 23) - 127 : -118 - __builtin_clz(u);
	uint32_t next = e >= -127 ? (uint32_t)(e + 128) << 23 : 1u << (e + 150);
	unsigned size = e < 0 ? -e - 1 : e; /* log2f() has the places of this number: ln 2 = 2839/4096 of them round */
	unsigned limit = size ? (2839u << (31 - __builtin_clz(size))) >> 12 : 0;
	return e + (next - u <= limit >> (e < -126 ? -126 - e : 0));
}

/* The scale whose largest exponent is that of amax; below 2^-125 it wraps, as a byte does. */
static inline uint8_t fp4_e8m0_of_amax(float amax)
{
	return amax > 0 && amax < INFINITY ? fp4_floor_log2(amax) + 125 : 0;
}

#endif
