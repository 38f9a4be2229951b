/*
 * f64.c - F64: IEEE 754 binary64. Decoding rounds to binary32.
 */
#include "quant.h"

#include <string.h>

static void decode(const void *const *plane, float *dst, size_t n)
{
	const uint8_t *p = plane[0];
	for (size_t i = 0; i < n; i++) {
		double v;
		memcpy(&v, p + i * sizeof v, sizeof v);
		dst[i] = (float)v;
	}
}

static void encode(const float *src, void *const *plane, size_t n, const float *weights)
{
	uint8_t *p = plane[0];
	for (size_t i = 0; i < n; i++) {
		double v = src[i];
		memcpy(p + i * sizeof v, &v, sizeof v);
	}
}

const struct heft_encoding quant_f64 = {
	.name = "f64",
	.about = "64-bit float",
	.block = 1,
	.class = QUANT_FLOAT,
	.n_planes = 1,
	.plane = {{"data", 1, 1, sizeof(double)}},
	.decode = decode,
	.encode = encode,
	.not_for_weights = true,
};
