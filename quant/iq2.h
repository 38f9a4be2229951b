/*
 * iq2.h - what IQ2_XXS, IQ2_XS and IQ2_S share, for their encoders in lanes as well.
 *
 * Numbers are encoded in groups of 8: signs apart, magnitudes as a point of a grid whose levels 0, 1, 2 stand for 1, 3,
 * 5 in the search (8, 25, 43 eighths in the decoder: a little more than the search believes). A run of 16 or 32 shares
 * a scale.
 */
#ifndef QUANT_IQ2_H
#define QUANT_IQ2_H

#include "blocks.h"
#include "grid.h"

#include <stdbool.h>
#include <stddef.h>

enum {
	IQ2_GROUP = 8,
	IQ2_MAX_RUN = 32,
	IQ2_MAX_GROUPS = IQ2_MAX_RUN / IQ2_GROUP,
	IQ2_MAX_RUNS = QK_K / 16, /* of a super-block */
	IQ2_TOP = 5,		  /* what the last level stands for */
};
extern const float iq2_value[3];
extern const float iq2_magnitude[4]; /* in the decoder, where the scale is iq2_scale(); the last is no level */

static inline float iq2_scale(float d, int code)
{
	return d * (0.5f + (float)code) * 0.25f;
}

/* What the search finds. */
struct iq2_run {
	float scale;
	uint16_t point[IQ2_MAX_GROUPS]; /* packed */
	uint8_t signs[IQ2_MAX_GROUPS];	/* bit i: number i is negative */
};

struct iq2 {
	enum grid_id grid;
	int run;
	int tries; /* to each side of the first scale, a tenth of a level apart */
	bool fit;  /* the first scale is fitted to levels without a grid, and at last all groups are rounded anew; else
		    * it  is that of the largest number, and only groups off the grid are */
	bool even; /* seven bits hold the signs of a group: the eighth makes their number even */
	float spread;	 /* the variance around a number is this times the mean square of its super-block */
	float too_small; /* a run below this is all zeros */
	float shrink;	 /* of the super-block's scale at last */
	size_t block;	 /* bytes */
	void (*unpack)(const void *block, uint16_t *d, uint8_t *scale);
	void (*pack)(void *block, uint16_t d, const uint8_t *scale, const struct grid *g, const struct iq2_run *run);
};
extern const struct iq2 iq2_xxs, iq2_xs, iq2_s;

/* The weights of numbers: search_importance()'s; without importance those of IQ2_S, which are its own, while for the
 * others every column has the importance 1. */
void iq2_weights(const struct iq2 *q, const float *x, const float *importance, float variance, size_t n, float *w);

/* The super-block's bytes. */
void iq2_finish(const struct iq2 *q, struct iq2_run *run, void *block);

#endif
