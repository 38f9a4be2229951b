/*
 * iq3_refine.h - what --effort high does with blocks of IQ3_XXS and IQ3_S.
 */
#ifndef QUANT_IQ3_REFINE_H
#define QUANT_IQ3_REFINE_H

#include "iq3.h"
#include "quant.h"

extern const struct heft_encoding quant_iq3_xxs, quant_iq3_s;

/* Of n points of a list the nearest, of several the first: the least sum of w[i] * (value[level] - x[i])^2, which is
 * returned. The list is filled up to a multiple of 16 with what may be looked at. */
typedef float iq3_nearest_fn(const uint16_t *list, int n, const float *x, const float *w, const float *value,
			     unsigned *point);
iq3_nearest_fn iq3_nearest;

void iq3_refine(const struct iq3 *k, const struct heft_encoding *e, iq3_nearest_fn *nearest, const float *src,
		void *dst, size_t n, const float *weights);

#endif
