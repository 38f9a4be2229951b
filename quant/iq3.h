/*
 * iq3.h - what IQ3_XXS and IQ3_S have in common. Both round the magnitudes of four numbers side by side, a group, to a
 * point of a grid, keep the signs apart, and give each run of 32 numbers a scale of 4 bits, odd multiples of a half
 * that stands for 256 numbers.
 *
 *   number = d * (2 * scale + 1) * value of its level, with its sign            (a quarter of that for IQ3_XXS)
 *
 * Encoding searches each run: for several scales it rounds the run's groups to the grid, and keeps the scale whose
 * points, with the best factor for them, have the least weighted error.
 */
#ifndef QUANT_IQ3_H
#define QUANT_IQ3_H

#include "blocks.h"
#include "grid.h"

#include <stdbool.h>
#include <stddef.h>

enum {
	IQ3_RUN = 32,
	IQ3_RUNS = QK_K / IQ3_RUN,
	IQ3_GROUP = 4,
	IQ3_GROUPS = IQ3_RUN / IQ3_GROUP,
	IQ3_LEVELS = 8,
	IQ3_TOP = 15, /* value of the highest level */
};
#define IQ3_TRY_STEP 0.2f /* of the value that the largest number gets, from try to try */

/* What a level is worth in a search. */
extern const float iq3_value[IQ3_LEVELS];

/* The numbers of a run as the search takes them. */
struct iq3_run {
	float x[IQ3_RUN];    /* magnitudes; of signs that the format cannot hold, one is changed and that number negative */
	float w[IQ3_RUN];    /* weights */
	float root[IQ3_RUN]; /* their square roots: weights of the numbers in a group, among the points near it */
	float max;	     /* the largest x */
	bool tame;	     /* for kernels: all are finite, and so will be their sums */
};

/* What a block of 256 numbers says. */
struct iq3_code {
	uint16_t d;
	uint8_t scale[IQ3_RUNS];
	uint16_t point[IQ3_RUNS][IQ3_GROUPS]; /* of the grid, packed */
	uint8_t signs[IQ3_RUNS][4];	      /* bit i: number i of 8 is negative */
};

/* One of the two encodings. */
struct iq3 {
	enum grid_id grid;
	const float *level; /* what a level is worth in a file, in odd multiples of half a scale */
	int tries;	 /* scales tried on either side of the one that makes the largest number the highest level */
	float least;	 /* runs whose numbers are all below are empty */
	bool even_signs; /* of 8 numbers an even number is negative */
	bool settle_all; /* once a scale is found, all groups are rounded again, not only those that were off the grid */
	float larger;	 /* than what the search found is the scale of a block: the search leans to small ones */
	size_t block;	 /* bytes */
	void (*pack)(const struct iq3_code *c, void *block);
	void (*forget)(unsigned runs, void *block); /* what happens to blocks with empty runs; NULL: nothing */
};
extern const struct iq3 iq3_xxs, iq3_s;

/* What kernels do in lanes. */
struct iq3_ops {
	/* Makes a run and its signs of 32 numbers. */
	void (*prepare)(const struct iq3 *k, const float *src, const float *importance, float variance,
			struct iq3_run *r, uint8_t signs[4]);
	/* The scale of a run, 0 or negative too, and its points. */
	float (*search)(const struct iq3 *k, const struct iq3_run *r, uint16_t point[IQ3_GROUPS]);
};
extern const struct iq3_ops iq3_scalar;

void iq3_prepare(const struct iq3 *k, const float *src, const float *importance, float variance, struct iq3_run *r,
		 uint8_t signs[4]);
float iq3_search(const struct iq3 *k, const struct iq3_run *r, uint16_t point[IQ3_GROUPS]);

void iq3_encode(const struct iq3 *k, const struct iq3_ops *ops, const float *src, void *dst, size_t n,
		const float *weights);

/* Bit i: number i of 8 is negative. */
uint8_t iq3_signs(const float *src);

/* Where an odd number of 8 signs say negative, the number that matters least changes its own. */
void iq3_make_even(struct iq3_run *r, uint8_t signs[4]);

/* Each number of a group to its nearest level: what the grid calls a slot, in 4 dimensions one with the packed point. */
unsigned iq3_slot(const float *x, float inverse);

/* The scale that fits a run's points best; `scale` where any does. */
float iq3_fit(const struct iq3_run *r, const uint16_t point[IQ3_GROUPS], float scale);

#endif
