/*
 * f8.c - F8_E4M3, F8_E5M2 and F8_E8M0: the 8-bit floats, without scales. Only read.
 *
 *   e4m3 (FN)  s eeee mmm   bias 7; no infinity, 0x7f and 0xff are NaN
 *   e5m2       s eeeee mm   bias 15; the upper half of a binary16
 *   e8m0       eeeeeeee     2^(e - 127); 0xff is NaN
 */
#include "bits.h"
#include "quant.h"

#include <math.h>

#define SIGNED(b, v) ((b) & 0x80 ? -(v) : (v))
#define EXP(b) ((b) >> 3 & 15)
#define MAN(b) ((b) & 7)
#define E4M3(b)                                                                                                        \
	SIGNED(b, ((b) & 0x7f) == 0x7f ? NAN : EXP(b) ? (float)(8 + MAN(b)) * (float)(1 << EXP(b)) * 0x1p-10f : (float)MAN(b) * 0x1p-9f),
#define E4M3_4(b) E4M3(b) E4M3((b) + 1) E4M3((b) + 2) E4M3((b) + 3)
#define E4M3_16(b) E4M3_4(b) E4M3_4((b) + 4) E4M3_4((b) + 8) E4M3_4((b) + 12)
#define E4M3_64(b) E4M3_16(b) E4M3_16((b) + 16) E4M3_16((b) + 32) E4M3_16((b) + 48)

/* Weights of 8 bits are many: one load for each, no branch. */
static const float e4m3[256] = { E4M3_64(0) E4M3_64(64) E4M3_64(128) E4M3_64(192) };

static float float_of_e8m0(uint8_t b)
{
	return float_of(b == 0xff ? 0x7fc00000 : b ? (uint32_t)b << 23 : 0x400000);
}

static void decode_e8m0(const void *const *plane, float *dst, size_t n)
{
	const uint8_t *p = plane[0];
	for (size_t i = 0; i < n; i++)
		dst[i] = float_of_e8m0(p[i]);
}

static void decode_e4m3(const void *const *plane, float *dst, size_t n)
{
	const uint8_t *p = plane[0];
	for (size_t i = 0; i < n; i++)
		dst[i] = e4m3[p[i]];
}

static void decode_e5m2(const void *const *plane, float *dst, size_t n)
{
	const uint8_t *p = plane[0];
	for (size_t i = 0; i < n; i++)
		dst[i] = float_of_half((uint16_t)(p[i] << 8));
}

const struct heft_encoding quant_f8_e4m3 = {
	.name = "f8_e4m3",
	.about = "8-bit float, 3 bits of mantissa, up to 448, no infinity",
	.block = 1,
	.class = QUANT_FLOAT,
	.n_planes = 1,
	.plane = {{"data", 1, 1, 1}},
	.decode = decode_e4m3,
};

const struct heft_encoding quant_f8_e5m2 = {
	.name = "f8_e5m2",
	.about = "8-bit float, 2 bits of mantissa, up to 57344",
	.block = 1,
	.class = QUANT_FLOAT,
	.n_planes = 1,
	.plane = {{"data", 1, 1, 1}},
	.decode = decode_e5m2,
};

const struct heft_encoding quant_f8_e8m0 = {
	.name = "f8_e8m0",
	.about = "8-bit power of two, a scale",
	.block = 1,
	.class = QUANT_FLOAT,
	.n_planes = 1,
	.plane = {{"data", 1, 1, 1}},
	.decode = decode_e8m0,
};
