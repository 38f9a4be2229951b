/*
 * f16.c - F16: IEEE 754 binary16. Rounds to nearest, ties to even; what is too large becomes infinity.
 */
#include "bits.h"
#include "quant.h"

static void decode(const void *const *plane, float *dst, size_t n)
{
	const uint8_t *p = plane[0];
	for (size_t i = 0; i < n; i++)
		dst[i] = float_of_half(load16(p + 2 * i));
}

static void encode(const float *src, void *const *plane, size_t n, const float *weights)
{
	uint8_t *p = plane[0];
	for (size_t i = 0; i < n; i++)
		store16(p + 2 * i, half_of_float(src[i]));
}

const struct heft_encoding quant_f16 = {
	.name = "f16",
	.about = "16-bit float (IEEE half): 10 bits of mantissa, up to 65504",
	.block = 1,
	.class = QUANT_FLOAT,
	.n_planes = 1,
	.plane = {{"data", 1, 1, sizeof(uint16_t)}},
	.decode = decode,
	.encode = encode,
};
