/*
 * f32.c - F32: IEEE 754 binary32, as it is, NaN payloads included.
 */
#include "quant.h"

#include <string.h>

static void decode(const void *const *plane, float *dst, size_t n)
{
	memcpy(dst, plane[0], n * sizeof *dst);
}

static void encode(const float *src, void *const *plane, size_t n, const float *weights)
{
	memcpy(plane[0], src, n * sizeof *src);
}

const struct heft_encoding quant_f32 = {
	.name = "f32",
	.about = "32-bit float",
	.block = 1,
	.class = QUANT_FLOAT,
	.n_planes = 1,
	.plane = {{"data", 1, 1, sizeof(float)}},
	.decode = decode,
	.encode = encode,
};
