/*
 * detail.c - what is measured only when it is asked for: a histogram of errors, and clipping.
 *
 * A number is clipped where it lies beyond the values that its block can stand for, by more than half a step. These are
 * found without knowing the encoding: the block is decoded twice more, all codes at their lowest and at their highest.
 */
#include "quant.h"

#include <math.h>
#include <string.h>

enum { CHUNK = 1024, MAX_BLOCK_BYTES = 512 };

/* The exponent stands in the bits; whatever is below 2^-39 falls into the first bin, denormals too. */
static int bin_of(float err)
{
	uint32_t bits;
	memcpy(&bits, &err, sizeof bits);
	int exponent = (int)(bits >> 23 & 0xff) - 127, bin = exponent + 41;
	return bin < 1 ? 1 : bin < HEFT_ERROR_BINS ? bin : HEFT_ERROR_BINS - 1;
}

void quant_histogram(const float *x, const float *y, size_t n, struct quant_details *d)
{
	for (size_t i = 0; i < n; i++) {
		float err = x[i] - y[i];
		if (isfinite(err))
			d->histogram[err == 0 ? 0 : bin_of(err)]++;
	}
}

/* The values of a block with one byte in place of all its codes. */
static void decode_end(const struct heft_encoding *e, const uint8_t *block, uint8_t code, float *dst)
{
	uint8_t copy[MAX_BLOCK_BYTES];
	const void *plane[1] = {copy};
	memcpy(copy, block, e->plane[0].bytes);
	memset(copy + e->codes.at, code, e->codes.bytes);
	e->decode(plane, dst, e->block);
}

static uint64_t count_clipped(const float *x, const float *a, const float *b, size_t n, float step)
{
	uint64_t clipped = 0;
	for (size_t i = 0; i < n; i++) {
		float low = a[i] < b[i] ? a[i] : b[i], high = a[i] < b[i] ? b[i] : a[i], half = (high - low) * step / 2;
		clipped += x[i] > high + half || x[i] < low - half;
	}
	return clipped;
}

void quant_clipping(const struct heft_encoding *e, const void *bytes, const float *x, size_t n,
		    struct quant_details *d)
{
	float low[CHUNK], high[CHUNK];
	const uint8_t *block = bytes;
	if (!e->codes.levels || e->block > CHUNK || e->plane[0].bytes > MAX_BLOCK_BYTES)
		return;
	for (size_t i = 0; i < n; i += e->block, block += e->plane[0].bytes) {
		decode_end(e, block, e->codes.low, low);
		decode_end(e, block, e->codes.high, high);
		d->clipped += count_clipped(x + i, low, high, e->block, 1.0f / (float)(e->codes.levels - 1));
	}
	d->clippable += n;
}
