/*
 * f8_fnuz.c - F8_E4M3FNUZ and F8_E5M2FNUZ: the 8-bit floats of AMD's CDNA3, without scales. Only read.
 *
 *   e4m3fnuz   s eeee mmm   bias 8
 *   e5m2fnuz   s eeeee mm   bias 16     both: no infinity, no negative zero: 0x80 is the one NaN
 */
#include "bits.h"
#include "quant.h"

static float value_of(uint8_t b, int mantissa, uint32_t bias)
{
	uint32_t sign = (uint32_t)(b & 0x80) << 24, exp = (uint32_t)(b & 0x7f) >> mantissa, man = b & ((1u << mantissa) - 1);
	uint32_t unit = 127 + 1 - bias - (uint32_t)mantissa; /* exponent of the least number */

	if (b == 0x80)
		return float_of(0x7fc00000);
	if (!exp)
		return float_of(sign | bits_of((float)man * float_of(unit << 23)));
	return float_of(sign | (exp + 127 - bias) << 23 | man << (23 - mantissa));
}

static void decode_e4m3fnuz(const void *const *plane, float *dst, size_t n)
{
	const uint8_t *p = plane[0];

	for (size_t i = 0; i < n; i++)
		dst[i] = value_of(p[i], 3, 8);
}

static void decode_e5m2fnuz(const void *const *plane, float *dst, size_t n)
{
	const uint8_t *p = plane[0];

	for (size_t i = 0; i < n; i++)
		dst[i] = value_of(p[i], 2, 16);
}

const struct heft_encoding quant_f8_e4m3fnuz = {
	.name = "f8_e4m3fnuz",
	.about = "8-bit float, 3 bits of mantissa, up to 240, no infinity, one zero",
	.block = 1,
	.class = QUANT_FLOAT,
	.n_planes = 1,
	.plane = {{"data", 1, 1, 1}},
	.decode = decode_e4m3fnuz,
};

const struct heft_encoding quant_f8_e5m2fnuz = {
	.name = "f8_e5m2fnuz",
	.about = "8-bit float, 2 bits of mantissa, up to 57344, no infinity, one zero",
	.block = 1,
	.class = QUANT_FLOAT,
	.n_planes = 1,
	.plane = {{"data", 1, 1, 1}},
	.decode = decode_e5m2fnuz,
};
