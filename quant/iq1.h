/*
 * iq1.h - what IQ1_S and IQ1_M share: a number is its run's scale times a level, and a level is -1, 0 or 1, shifted by an
 * eighth up or down. Eight levels at a time are a point of a grid of 2048 (quant/grid.h).
 *
 * The search of a run's scale sorts the run and tries all pairs of cuts between three levels, with each shift. An
 * encoder is written once, over a search of many runs; a faster kernel is the same encoder with another search.
 */
#ifndef QUANT_IQ1_H
#define QUANT_IQ1_H

#include "blocks.h"
#include "grid.h"
#include "quant.h"

enum {
	IQ1_GROUP = 8,	     /* numbers of a point of the grid */
	IQ1_MAX_RUN = 32,
	IQ1_MAX_GROUPS = IQ1_MAX_RUN / IQ1_GROUP,
	IQ1_CHUNK = 16 * QK_K, /* numbers that are searched at once, so that wide kernels find enough runs */
	IQ1_SCALE_TOP = 7,
};

/* What a search finds for a run. */
struct iq1_found {
	float scale;		      /* never negative */
	uint8_t minus;		      /* bit g: the levels of group g are shifted down */
	uint16_t index[IQ1_MAX_GROUPS]; /* of the points */
};

/* What takes an encoder's time. */
struct iq1_ops {
	/* Weights of n numbers, whole super-blocks; importance NULL: their squares. */
	void (*weights)(const float *x, const float *importance, size_t n, float *w);
	/* x: n runs one after another; w: their numbers' weights. */
	void (*search)(const float *x, const float *w, size_t n, struct iq1_found *found);
};

void iq1_s_encode(const struct iq1_ops *ops, const float *src, void *const *plane, size_t n, const float *weights);
void iq1_m_encode(const struct iq1_ops *ops, const float *src, void *const *plane, size_t n, const float *weights);

#define IQ1_DELTA 0.125f
/* Runs whose numbers are all below count as zeros. */
#define IQ1_S_LIMIT 1e-12f
#define IQ1_M_LIMIT 1e-7f

/* What codes 0, 1 and 2 are worth, shifted up and shifted down. */
static const float iq1_level[2][3] = {{-0.875f, 0.125f, 1.125f}, {-1.125f, -0.125f, 0.875f}};

static inline const float *iq1_levels(unsigned minus, int group)
{
	return iq1_level[minus >> group & 1];
}

/* grid_slot() of a point of 8 levels: digits of 2 bits, then of 9, then of 81. */
static inline unsigned iq1_slot(unsigned packed)
{
	packed = (packed & 0x3333) + 3 * (packed >> 2 & 0x3333);
	packed = (packed & 0x0f0f) + 9 * (packed >> 4 & 0x0f0f);
	return (packed & 0xff) + 81 * (packed >> 8);
}

/* Scales as odd multiples of d: 2 * code + 1. */
int iq1_scale_code(float scale, float inverse);

void iq1_weights(const float *x, const float *importance, size_t n, float *w);

/* The order of a run's numbers from the least up; of equals the first comes first. */
void iq1_sort(const float *x, int run, uint8_t *order);

bool iq1_is_zero(const float *x, int run, float limit);

/* A run's best pair of cuts, before the grid: sorted numbers below `first` are code 0, those from `second` on 2. */
struct iq1_cut {
	float scale, score;
	int first, second;
	uint8_t minus;
};

/* The points of a run that was cut, each the grid's nearest where the codes are no point, and the scale that then fits. */
void iq1_place(const float *x, const float *w, int run, const uint8_t *order, const struct iq1_cut *cut,
	       struct iq1_found *found);

#endif
