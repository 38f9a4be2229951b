/*
 * iq2_refine.h - what --effort high does to IQ2_XXS, IQ2_XS and IQ2_S, over the one primitive that takes its time.
 */
#ifndef QUANT_IQ2_REFINE_H
#define QUANT_IQ2_REFINE_H

#include "iq2.h"
#include "quant.h"

/* A group of 8 numbers. */
struct iq2_group {
	const float *x; /* magnitudes */
	const float *w;
	bool odd; /* one sign must be wrong */
};

/* The point of least error for a scale among all of the grid, of several the first, and its error; where none is below
 * infinity, the first and FLT_MAX. The error is (t0 + t1 + (t2 + t3)) + (t4 + t5 + (t6 + t7)), t = w * ((x - m) * (x - m))
 * where m is the scale times the level's magnitude; if a sign must be wrong, the least of w * x * (m * 4) is added. */
typedef float iq2_nearest_fn(const struct grid *g, const struct iq2_group *group, float scale, uint16_t *point);
extern iq2_nearest_fn iq2_nearest;

void iq2_refine(const struct heft_encoding *e, const struct iq2 *q, iq2_nearest_fn *nearest, const float *src, void *dst,
		size_t n, const float *weights);

extern const struct heft_encoding quant_iq2_xxs, quant_iq2_xs, quant_iq2_s;

/* refine() of an encoding, by a primitive. */
#define IQ2_REFINE(name, nearest)                                                                                      \
	static void refine_##name(const float *src, void *const *plane, size_t n, const float *weights)                \
	{                                                                                                              \
		iq2_refine(&quant_##name, &name, nearest, src, plane[0], n, weights);                                  \
	}

#define IQ2_REFINE_KERNEL(isa_name, isa_value, name, nearest)                                                          \
	IQ2_REFINE(name, nearest)                                                                                      \
	const struct quant_kernel kernel_##name##_refine_##isa_name = {                                                \
		.encoding = #name,                                                                                     \
		.isa = isa_value,                                                                                      \
		.refine = refine_##name,                                                                               \
	};

#define IQ2_REFINE_KERNELS(isa_name, isa_value, nearest)                                                               \
	IQ2_REFINE_KERNEL(isa_name, isa_value, iq2_xxs, nearest)                                                       \
	IQ2_REFINE_KERNEL(isa_name, isa_value, iq2_xs, nearest)                                                        \
	IQ2_REFINE_KERNEL(isa_name, isa_value, iq2_s, nearest)

#endif
