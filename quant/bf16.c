/*
 * bf16.c - BF16: bfloat16, the upper half of a binary32. Rounds to nearest, ties to even.
 */
#include "bits.h"
#include "quant.h"

static void decode(const void *const *plane, float *dst, size_t n)
{
	const uint8_t *p = plane[0];
	for (size_t i = 0; i < n; i++)
		dst[i] = float_of_bf16(load16(p + 2 * i));
}

static void encode(const float *src, void *const *plane, size_t n, const float *weights)
{
	uint8_t *p = plane[0];
	for (size_t i = 0; i < n; i++)
		store16(p + 2 * i, bf16_of_float(src[i]));
}

const struct heft_encoding quant_bf16 = {
	.name = "bf16",
	.about = "16-bit float (bfloat16): 7 bits of mantissa, the range of f32",
	.block = 1,
	.class = QUANT_FLOAT,
	.n_planes = 1,
	.plane = {{"data", 1, 1, sizeof(uint16_t)}},
	.decode = decode,
	.encode = encode,
};
