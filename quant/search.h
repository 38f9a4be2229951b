/*
 * search.h - the searches for the scale of a run of numbers: what makes the block encodings good, and slow.
 *
 * Each tries several scales, rounds the run with each and keeps the one with the least weighted error. Ties, and every
 * order of float operations, are part of the specification: a file's bytes depend on them. Runs are 16 or 32 long (8 or
 * 16 for scales).
 */
#ifndef QUANT_SEARCH_H
#define QUANT_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEARCH_MAX_RUN 32

/* x ~ scale * code - min, code 0 to top, min never negative. */
struct search_affine {
	int run; /* numbers that share a scale */
	int top;
	float first, step; /* the tries: (max - min) is divided into top + first, top + first + step ... */
	int steps;	   /* parts: steps + 1 tries */
	bool absolute;	   /* the error is |diff|, not its square */
	bool plain_abs;	   /* own weights are |x|; else |x| + rms of the run */
};
float search_affine(const struct search_affine *s, const float *x, const float *w, uint8_t *code, float *min);

/* The weights that s gives a run where the user has none. */
void search_affine_weights(const struct search_affine *s, const float *x, float *w);

/* x ~ scale * (code - half), code 0 to 2*half - 1, by 18 tries around the largest number's scale. w NULL: x*x. */
float search_signed(int run, int half, const float *x, const float *w, uint8_t *code);

/* The same aim, by moving one code at a time while that helps: q3_k without importance. The weights are x*x. */
float search_descent(int run, int half, const float *x, uint8_t *code);

/* x ~ scale * code for numbers that are not negative, code 0 to top: tries, then one code at a time. For scales. */
float search_positive(int run, int top, const float *x, const float *w, uint8_t *code);

/* Importance of a number: that of its column, more where the number is large against the variance around it. */
void search_importance(const float *x, const float *importance, float variance, size_t n, float *w);

/* Sum of squares, front to back. */
float search_sum_squares(const float *x, size_t n);

#endif
