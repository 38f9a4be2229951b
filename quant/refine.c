/*
 * refine.c - the error measure of --effort high.
 */
#include "refine.h"

#include <string.h>

enum { LANES = 16 };

double refine_error(const float *x, const float *y, const float *w, size_t n)
{
	double lane[LANES] = {0};
	for (size_t i = 0; i < n; i++) {
		double diff = (double)x[i] - y[i];
		lane[i % LANES] += w ? w[i] * (diff * diff) : diff * diff;
	}
	for (int half = LANES / 2; half; half /= 2)
		for (int i = 0; i < half; i++)
			lane[i] += lane[i + half];
	return lane[0];
}

double refine_block_error(const struct heft_encoding *e, const float *x, const float *w, const void *block)
{
	float y[REFINE_BLOCK];
	const void *plane[QUANT_MAX_PLANES] = {block};
	e->decode(plane, y, e->block);
	return refine_error(x, y, w, e->block);
}

bool refine_keep(const struct heft_encoding *e, const float *x, const float *w, const void *candidate, void *block,
		 double *error)
{
	double try = refine_block_error(e, x, w, candidate);
	if (!(try < *error))
		return false;
	memcpy(block, candidate, e->plane[0].bytes);
	*error = try;
	return true;
}
