/*
 * diff.h - comparing pairs of weights: diff.c finds and walks them, diff_tile.c compares a piece.
 */
#ifndef DIFF_H
#define DIFF_H

#include "../quant/quant.h"
#include "tile.h"

struct diff_pair {
	const struct heft_model *model[2];
	struct tile_plan plan[2];
	const struct heft_encoding *stored; /* of the first's sources, where all have one */
	const struct diff_exact *exact; /* compare stored numbers, not floats; or NULL */
};

struct diff_scratch { /* of one thread; zero-initialise */
	struct tile_scratch tile;
	void *value[2];
};
void diff_scratch_release(struct diff_scratch *s);

/* Weights of one shape. */
int diff_pair_init(struct diff_pair *p, const struct heft_model *const model[2], const struct weight *const weight[2],
		   struct heft_err *err);
/* Adds the sums of elements first .. first+n, n <= TILE_ELEMENTS; details: the histogram, too, but not of integers and doubles. NULL: none. */
int diff_tile(const struct diff_pair *p, uint64_t first, size_t n, struct diff_scratch *s, struct quant_sums *sums, struct quant_details *details,
	      struct heft_err *err);

#endif
