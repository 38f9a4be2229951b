/*
 * refine_runs.h - what --effort high does to encodings whose numbers are scale * code - minimum: a block is runs of
 * numbers that share a scale (and a minimum), which are whole codes against one half (and a second) of the block.
 *
 *   number i of run j = d * scale[j] * code[i] - dmin * min[j]
 *
 * Simple encodings are blocks of one run, whose scale and minimum are 1.
 *
 * The search is written once, over the primitives of refine_ops that take its time; these are written in lanes, and in
 * one lane they are the specification (refine_lanes.h, refine_scalar.c).
 */
#ifndef QUANT_REFINE_RUNS_H
#define QUANT_REFINE_RUNS_H

#include "quant.h"

enum {
	REFINE_CHUNK = 1024, /* numbers that are searched at once, so that wide lanes find enough runs */
	REFINE_RUNS = REFINE_CHUNK / 16,
};

/* The parts of a block, whatever its bits. */
struct refine_parts {
	uint16_t d, dmin;
	int8_t scale[16];
	uint8_t min[16];
	uint8_t code[256]; /* less lo */
};

/* How many codes of a scale, and of a minimum, are tried on either side. */
struct refine_reach {
	int scale, min;
};

/* n tries: first, first + step ... */
struct refine_tries {
	float first, step;
	int n;
};

struct refine_shape {
	const struct heft_encoding *encoding;
	int run, runs;		/* numbers of a run, runs of a block */
	int lo, hi;		/* least and largest code */
	int scale_lo, scale_hi; /* both 1: d is the scale */
	int min_hi;		/* 0: no minimum; 1: dmin is the minimum, of either sign */
	/* A run alone: its largest number is this many scales; with a minimum: this much is cut off either end of its
	 * range, in parts of hi to the range. With weights the ends may matter little: farther. */
	struct refine_tries fit, fit_weighted;
	/* The largest scale (minimum) of a block gets this code. */
	struct refine_tries d, dmin;
	struct refine_reach around, around_best; /* at these tries; at least squares' */
	void (*unpack)(const void *block, struct refine_parts *p); /* all but the codes of numbers */
	void (*pack)(void *block, const struct refine_parts *p);
};
extern const struct refine_shape refine_shape_q4_0, refine_shape_q4_1, refine_shape_q5_0, refine_shape_q5_1,
	refine_shape_q8_0, refine_shape_q2_k, refine_shape_q3_k, refine_shape_q4_k, refine_shape_q5_k,
	refine_shape_q6_k;

/* All work on n runs one after another in x; w: weights of the numbers, or NULL for 1. */
struct refine_ops {
	/* The scale and minimum that serve each run best. */
	void (*fit)(const struct refine_shape *s, const float *x, const float *w, size_t n, float *scale, float *min);
	/* The best codes of scale and minimum around the given ones, for the d and dmin of each run; their errors. */
	void (*around)(const struct refine_shape *s, struct refine_reach reach, const float *x, const float *w,
		       size_t n, const float *d, const float *dmin, float *scale, float *min, float *error);
	/* Sums over each run, for least squares: of w, w * code, w * code^2, w * rest, w * rest * code. */
	void (*sums)(const struct refine_shape *s, const float *x, const float *w, size_t n, const float *scale,
		     const float *min, float (*sum)[5]);
};
extern const struct refine_ops refine_scalar;

/* quant_refine_fn by these primitives. */
void refine_runs(const struct refine_shape *s, const struct refine_ops *ops, const float *src, void *dst, size_t n,
		 const float *weights);

/* The same by the scalar ones, for the encodings' rows. */
quant_refine_fn refine_q4_0, refine_q4_1, refine_q5_0, refine_q5_1, refine_q8_0, refine_q2_k, refine_q3_k, refine_q4_k,
	refine_q5_k, refine_q6_k;

#endif
