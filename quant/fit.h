/*
 * fit.h - a better scale (and zero point) for numbers that share one, than rounding to nearest under the largest number's gives.
 *
 *   error = sum of w[i] * (x[i] - value[i])^2        w: importance of the column, 1 where there is none
 *
 *   integers with real scales    scales from half of the largest number's to a little above it are tried; the codes that one gives say which
 *                                scale (and zero) would fit them best, by least squares, and that one is tried again
 *   integers with a bias         the same for scale and bias (fit_affine.c)
 *   e2m1 with e8m0 scales        one power of two less, one more
 *   e2m1 with e4m3 scales        the six below, the six above
 *   all others                   8-bit floats are as good under any scale, and those of a library without a choice stay
 *
 * What is found replaces codes and scale only where its error is less, as they are stored: no run is ever worse. Sums are in 16 lanes,
 * number i in lane i mod 16, and then in halves: the same on every machine.
 */
#ifndef QUANT_FIT_H
#define QUANT_FIT_H

#include "scaled.h"

/* Are the numbers codes of this kind already, times one scale that can be stored (those of a checkpoint that was quantized)? Then *u, code and
 * back are that, and nothing is lost. Integers only; false for nothing but zeros. Of several scales the least counts. */
bool fit_exact(const struct scaled *s, struct scaled_unit *u, const float *x, size_t n, uint8_t *code, float *back);

/* The same for codes with a scale and a bias: fills *u alone. Scale and codes are the numbers' own; the bias, a multiple of the scale, is rounded
 * to its type. */
bool fit_exact_line(const struct scaled *s, struct scaled_unit *u, const float *x, size_t n);

/* Is there anything to search for? */
bool fit_searches(const struct scaled *s);

/* Improves what scaled_unit() and scaled_codes() gave for x: *u, code and back. w may be NULL. Adds to *gain. */
void fit_codes(const struct scaled *s, struct scaled_unit *u, const float *x, const float *w, size_t n, uint8_t *code, float *back,
	       struct scaled_gain *gain);

/* ---- the loops that take the time, as each instruction set has them ---- */

enum { FIT_TRIES = 4 }; /* at a time: each is a chain of additions, and numbers are loaded once */

struct fit_try {
	float scale, zero; /* zero in codes: -2^(bits-1) and up */
	float lo, hi;      /* least and largest code */
	float first;       /* the code whose byte is 0 */
};
struct fit_sums {
	float xq, qq, q; /* of w x q, w q q, w q; q: code minus zero */
};
struct fit_ops {
	/* Of FIT_TRIES tries; sums of q only with zeros. */
	void (*sums)(const struct fit_try *t, const float *x, const float *w, size_t n, bool zeros, struct fit_sums *s);
	double (*error)(const float *x, const float *w, const float *back, size_t n);
	double (*error_of)(const struct fit_try *t, const float *x, const float *w, size_t n); /* of what codes() would give */
	double (*error_e2m1)(float step, const float *x, const float *w, size_t n);
	void (*codes)(const struct fit_try *t, const float *x, size_t n, uint8_t *code, float *back);
};
const struct fit_ops *fit_kernel(void);
extern const struct fit_ops fit_scalar, fit_avx2, fit_avx512;

#endif
