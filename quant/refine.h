/*
 * refine.h - what --effort high shares: the error of a block, and the rule that only a smaller one replaces bytes.
 *
 * The error is sum of w[i] * (x[i] - y[i])^2, y being the numbers that the encoding's scalar decode() gives; w is the
 * importance of the column, 1 where there is none. It is computed in double in one order for every machine: number i is
 * added to lane i mod 16, then the lanes are added in halves (0 + 8, 1 + 9 ..., 0 + 4 ..., 0 + 2, 0 + 1). A search may
 * measure its tries as it likes; quant_refine() keeps the encoder's bytes where what it found is no better, so that no
 * block, and no tensor, is ever worse. An error that is not a number is smaller than nothing: such blocks stay as they are.
 */
#ifndef QUANT_REFINE_H
#define QUANT_REFINE_H

#include "quant.h"

enum { REFINE_BLOCK = 256 }; /* most numbers in a block */

/* w may be NULL; n is a multiple of 16, at most REFINE_BLOCK. */
double refine_error(const float *x, const float *y, const float *w, size_t n);

/* Error of one block of e as its bytes stand. */
double refine_block_error(const struct heft_encoding *e, const float *x, const float *w, const void *block);

/* Copies `candidate` over `block`, and its error to *error, where that is less than *error. True where it did. */
bool refine_keep(const struct heft_encoding *e, const float *x, const float *w, const void *candidate, void *block,
		 double *error);

#endif
