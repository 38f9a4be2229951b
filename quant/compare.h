/*
 * compare.h - the parts of quant_compare() that a faster kernel shares.
 */
#ifndef QUANT_COMPARE_H
#define QUANT_COMPARE_H

#include "quant.h"

enum { COMPARE_LANES = 16 };

struct compare_lanes {
	double sum_sq[COMPARE_LANES], sum_sq_out[COMPARE_LANES], dot[COMPARE_LANES], sum_sq_err[COMPARE_LANES];
	double max_err[COMPARE_LANES];
	uint64_t nonfinite;
};

struct compare_weighted_lanes {
	double sq[COMPARE_LANES], err[COMPARE_LANES];
};

/* These add n pairs, number i to lane i mod COMPARE_LANES. The faster ones want a multiple of COMPARE_LANES. */
typedef void compare_fn(const float *x, const float *y, size_t n, struct compare_lanes *l);
typedef void compare_weighted_fn(const float *x, const float *y, const float *w, size_t n, struct compare_weighted_lanes *l);
struct compare_ops {
	compare_fn *plain;
	compare_weighted_fn *weighted;
};
const struct compare_ops *compare_kernel(enum quant_isa isa); /* NULL where there is none */
extern const struct compare_ops compare_scalar, compare_avx2, compare_avx512, compare_neon;

#endif
