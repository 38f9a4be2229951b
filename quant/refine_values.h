/*
 * refine_values.h - what --effort high does with the encodings whose codes choose among a few values times a scale: the scale is
 * searched among many more than the encoder tries, each number takes the nearest value, and the error that counts is
 * the squared one, times the weights where there are any.
 */
#ifndef QUANT_REFINE_VALUES_H
#define QUANT_REFINE_VALUES_H

#include "quant.h"

enum refine_grid {
	REFINE_IQ4,	 /* iq4_value */
	REFINE_FP4,	 /* fp4_value */
	REFINE_TERNARY,	 /* -1 0 1 */
	REFINE_QUARTERS, /* -1 0 1 2 */
	REFINE_SIGNS,	 /* -1 1 */
};

enum {
	REFINE_CHUNK = 4096, /* numbers at a time */
	REFINE_MIN_RUN = 16,
	REFINE_MAX_RUN = 256,
	REFINE_RUNS = REFINE_CHUNK / REFINE_MIN_RUN,
};

/* Numbers that share a scale. */
struct refine_run {
	enum refine_grid grid;
	int size, n_tries;
	const float *tries; /* the number of the largest magnitude is scaled to each of these, to begin with */
};

/* Sums over a run x whose values are q, once for each of n runs; w NULL: all weights are 1. */
struct refine_sums {
	float xq[REFINE_RUNS], q2[REFINE_RUNS]; /* of w x q, of w q q: the best scale for these values is xq / q2 */
	float error[REFINE_RUNS];		/* of w (x - scale q)^2 */
};
struct value_ops {
	/* The best scales that were found. */
	void (*fit)(const struct refine_run *r, const float *x, const float *w, size_t n, float *scale,
		    struct refine_sums *s);
	/* The sums for given scales. */
	void (*sums)(const struct refine_run *r, const float *x, const float *w, size_t n, const float *scale,
		     struct refine_sums *s);
};
extern const struct value_ops value_scalar;

/* The values, in units of the scale, that sums() takes for a run. */
void refine_values(const struct refine_run *r, const float *x, float scale, float *value);

/* A refine function of an encoding, over the primitives that take its time. */
typedef void refine_with_fn(const struct value_ops *ops, const float *src, void *dst, size_t n, const float *weights);
refine_with_fn refine_iq4_nl, refine_iq4_xs, refine_mxfp4, refine_nvfp4, refine_q1_0, refine_q2_0, refine_tq1_0,
	refine_tq2_0;

/* Encodings with one half as scale per block: the driver. put() writes a block. */
struct refine_halves {
	struct refine_run run;
	size_t bytes; /* of a block */
	void (*put)(void *block, uint16_t d, const float *x);
};
void refine_halves(const struct refine_halves *t, const struct value_ops *ops, const float *src, void *dst, size_t n,
		   const float *weights);

/* Names of all of them and their rows, for kernels. */
#define REFINE_KERNEL(name, isa_name, isa_value)                                                                       \
	static void lanes_refine_##name(const float *src, void *const *plane, size_t n, const float *weights)          \
	{                                                                                                              \
		refine_##name(&lanes_value_ops, src, plane[0], n, weights);                                           \
	}                                                                                                              \
	const struct quant_kernel kernel_##name##_refine_##isa_name = {                                                \
		.encoding = #name,                                                                                     \
		.isa = isa_value,                                                                                      \
		.refine = lanes_refine_##name,                                                                         \
	};
#define REFINE_KERNELS(isa_name, isa_value)                                                                            \
	REFINE_KERNEL(iq4_nl, isa_name, isa_value)                                                                     \
	REFINE_KERNEL(iq4_xs, isa_name, isa_value)                                                                     \
	REFINE_KERNEL(mxfp4, isa_name, isa_value)                                                                      \
	REFINE_KERNEL(nvfp4, isa_name, isa_value)                                                                      \
	REFINE_KERNEL(q1_0, isa_name, isa_value)                                                                       \
	REFINE_KERNEL(q2_0, isa_name, isa_value)                                                                       \
	REFINE_KERNEL(tq1_0, isa_name, isa_value)                                                                      \
	REFINE_KERNEL(tq2_0, isa_name, isa_value)

#endif
