/*
 * grid.h - the grids of the IQ encodings. An encoder rounds 8 (or 4) numbers at once to a point of a grid of 256 to
 * 2048, whose index is all that a file holds of them.
 *
 * A coordinate of a point is a level: 0 to 2 in the grids of 8 dimensions, 0 to 7 in those of 4. What a level is worth,
 * the encoding says. Points are written in two ways:
 *
 *   packed  `bits` bits per level, the first number's lowest: 16 or 12 bits
 *   slot    the sum of level[i] * levels^i, so that every point that there could be has one below GRID_SLOTS
 *
 * Rounding each number by itself gives a slot, which may be off the grid; the grid then offers the near points to
 * choose among by error: the 1 to 3 shells of least distance, in the order of distance, then of index.
 */
#ifndef QUANT_GRID_H
#define QUANT_GRID_H

#include <stdint.h>

enum grid_id { GRID_IQ2_XXS, GRID_IQ2_XS, GRID_IQ2_S, GRID_IQ1_S, GRID_IQ3_XXS, GRID_IQ3_S, GRIDS };

enum {
	GRID_SLOTS = 6561, /* 3^8; 8^4 is less */
	GRID_PAD = 16,	   /* a list of near points is repeated from its first up to a multiple of this many */
};

/* What a slot has. On the grid the list is the point itself. */
struct grid_near {
	uint32_t first; /* of the list, in grid.list */
	uint16_t n;	/* points in it, without those that repeat */
	int16_t index;	/* of the point; -1: off the grid */
};

struct grid {
	int dims, bits, levels, points;
	const uint16_t *point;	      /* packed, by index */
	const struct grid_near *near; /* by slot */
	const uint16_t *list;	      /* packed points */
};

/* Built by the first call for it; lives for ever. For any thread. */
const struct grid *grid_get(enum grid_id id);

static inline int grid_level(const struct grid *g, unsigned packed, int i)
{
	return packed >> g->bits * i & ((1 << g->bits) - 1);
}

int grid_slot(const struct grid *g, unsigned packed);

/* Of a list that point (packed) which is nearest to x, the first of several: the least sum of w[i] * (scale *
 * value[level] - x[i])^2. Where no sum is below infinity it is the first point. */
unsigned grid_nearest(const struct grid *g, const struct grid_near *near, const float *x, const float *w, float scale,
		      const float *value);

/* Bit s: slot s is a point. */
extern const uint64_t grid_points_iq2_xxs[103], grid_points_iq2_xs[103], grid_points_iq2_s[103], grid_points_iq1_s[103];
extern const uint64_t grid_points_iq3_xxs[64], grid_points_iq3_s[64];

#endif
