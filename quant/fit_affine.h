/*
 * fit_affine.h - a better scale and bias for numbers that share them: see fit.h. Runs are searched side by side, as many as an instruction set
 * has lanes; what is found does not depend on how many.
 */
#ifndef QUANT_FIT_AFFINE_H
#define QUANT_FIT_AFFINE_H

#include "fit.h"

enum { FIT_AFFINE_MOST = 128, FIT_AFFINE_EVEN = 8, FIT_AFFINE_RUNS = 16 }; /* numbers in a run, in multiples; runs at a time */

/* Runs of one length, one after another, of a row. */
struct fit_affine_runs {
	const struct scaled *s;
	const float *x, *w; /* w may be NULL */
	size_t run, n;      /* run: 32, 64 or 128 */
};

/* Improves what scaled_unit() and scaled_codes() gave for the runs, as fit_codes() does for one. */
void fit_affine(const struct fit_affine_runs *r, struct scaled_unit *u, uint8_t *code, float *back, struct scaled_gain *gain);

/* ---- the loop that takes the time, as each instruction set has it ---- */


struct fit_line { /* as they are stored; scale 0: nothing was found */
	float scale, bias;
};
struct fit_affine_ops {
	/* The best line of each run; for runs of FIT_AFFINE_MOST numbers at most, in multiples of FIT_AFFINE_EVEN. */
	void (*lines)(const struct fit_affine_runs *r, struct fit_line *line);
};
extern const struct fit_affine_ops fit_affine_scalar, fit_affine_avx2, fit_affine_avx512, fit_affine_neon;

/* Ranges that are tried are this part of that of all numbers apart: wide codes lose little at the ends. */
static inline float fit_affine_step(unsigned bits)
{
	return bits < 5 ? 0.11f : bits < 6 ? 0.05f : bits < 8 ? 0.03f : 0.02f;
}

/* Lines that are tried as they are stored: where steps are small, the rounding of scales and biases is felt. */
static inline int fit_affine_lines(unsigned bits)
{
	return bits < 5 ? 4 : 8;
}

/* Line `at` of those, around one that is not stored: its scale, and the number that the middle of the codes stands for. */
struct fit_line fit_affine_line(const struct scaled *s, int at, float scale, float center);

#endif
