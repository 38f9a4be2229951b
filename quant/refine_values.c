/*
 * refine_values.c - the scalar primitives of refine_values.h, and the driver of the encodings that have one half as scale per block.
 */
#include "refine_values.h"
#include "bits.h"
#include "iq4.h"
#include "lanes_scalar.h"

LANE_FN vf lanes_value(vf scaled)
{
	int code = 0;
	for (int k = 0; k < 15; k++)
		code += !(scaled < iq4_middle[k]);
	return iq4_value[code];
}

#include "refine_values_lanes.h"

const struct value_ops value_scalar = {lanes_refine_fit, lanes_refine_sums};

void refine_values(const struct refine_run *r, const float *x, float scale, float *value)
{
	float inverse = scale != 0 ? 1 / scale : 0;
	for (int i = 0; i < r->size; i++)
		value[i] = refine_nearest(r->grid, inverse * x[i]);
}

/* A chunk of n blocks. */
static void refine_blocks(const struct refine_halves *t, const struct value_ops *ops, const float *x, uint8_t *block,
			  size_t n, const float *w)
{
	struct refine_sums s;
	float scale[REFINE_RUNS];
	ops->fit(&t->run, x, w, n, scale, &s);
	for (size_t i = 0; i < n; i++)
		if (isfinite(scale[i]))
			t->put(block + i * t->bytes, half_of_float(scale[i]), x + i * (size_t)t->run.size);
}

void refine_halves(const struct refine_halves *t, const struct value_ops *ops, const float *src, void *dst, size_t n,
		   const float *weights)
{
	uint8_t *block = dst;
	for (size_t at = 0, size; at < n; at += size) {
		size = n - at < REFINE_CHUNK ? n - at : REFINE_CHUNK;
		size_t blocks = size / (size_t)t->run.size;
		refine_blocks(t, ops, src + at, block, blocks, weights ? weights + at : NULL);
		block += blocks * t->bytes;
	}
}
