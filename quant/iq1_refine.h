/*
 * iq1_refine.h - --effort high for IQ1_S and IQ1_M: with a few values of a super-block's d, every code of the scale and
 * both shifts are tried for each run, and d is fitted to what they chose.
 *
 * A try rounds each number to its nearest level. That is the least error a try can have; only where it is below what
 * has been reached are groups that it leaves off the grid placed among the points near them. Written once, over the two
 * primitives of iq1_refine_ops that take its time.
 */
#ifndef QUANT_IQ1_REFINE_H
#define QUANT_IQ1_REFINE_H

#include "iq1.h"

enum { IQ1_TRY_RUNS = 16, IQ1_SCALES = IQ1_SCALE_TOP + 1 };

/* What rounding makes of the groups of some runs: errors, and slots of the grid. By scale code, shift, group, run. */
struct iq1_tries {
	float error[IQ1_SCALES][2][IQ1_MAX_GROUPS][IQ1_TRY_RUNS];
	int32_t slot[IQ1_SCALES][2][IQ1_MAX_GROUPS][IQ1_TRY_RUNS];
};

struct iq1_refine_ops {
	/* n runs in x, at most IQ1_TRY_RUNS; d: of each run's super-block. */
	void (*round)(int run, const float *x, const float *w, size_t n, const float *d, struct iq1_tries *t);
	/* grid_nearest(), and its error, infinite where none is below FLT_MAX. */
	unsigned (*nearest)(const struct grid *g, const struct grid_near *near, const float *x, const float *w,
			    float scale, const float *level, float *error);
};

/* Between codes 0 and 1, and 1 and 2, shifted up and down. */
static const float iq1_middle[2][2] = {{-0.375f, 0.625f}, {-0.625f, 0.375f}};

/* What a code counts for in a slot. */
static const int32_t iq1_digit[IQ1_GROUP] = {1, 3, 9, 27, 81, 243, 729, 2187};

/* The parts of a super-block. */
struct iq1_parts {
	uint16_t d;
	uint8_t scale[QK_K / 16];
	struct iq1_found run[QK_K / 16]; /* their scale is not used */
};

void iq1_s_refine(const struct iq1_refine_ops *ops, const float *src, void *const *plane, size_t n, const float *weights);
void iq1_m_refine(const struct iq1_refine_ops *ops, const float *src, void *const *plane, size_t n, const float *weights);

quant_refine_fn iq1_s_refine_scalar, iq1_m_refine_scalar;

/* quant/iq1_s.c, quant/iq1_m.c */
void iq1_s_pack(const struct iq1_parts *p, void *block);
void iq1_m_pack(const struct iq1_parts *p, void *block);
float iq1_s_d(const void *block);
float iq1_m_d(const void *block);

#endif
