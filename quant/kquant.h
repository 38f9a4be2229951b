/*
 * kquant.h - what the k-quants share: a super-block of 256 numbers in runs of 16 or 32, a scale (and a minimum) for
 * each run found by a search, and these scales quantized in turn against one or two halves.
 *
 * An encoder is written once, over the primitives of kquant_ops that take its time. A faster kernel is the same
 * encoder with other primitives (quant/x86/kquant_avx2.c), so that only those have to be proven.
 */
#ifndef QUANT_KQUANT_H
#define QUANT_KQUANT_H

#include "blocks.h"
#include "quant.h"
#include "search.h"

enum {
	KQUANT_BLOCKS = 16, /* super-blocks that are searched at once, so that wide kernels find enough runs */
	KQUANT_CHUNK = KQUANT_BLOCKS * QK_K,
	KQUANT_RUNS = KQUANT_CHUNK / 16,
	KQUANT_SIGNED_RUN = 16, /* of every k-quant whose codes are signed */
};

/* Each works on n runs one after another in x (w: weights of the numbers). code: of each number, or NULL. */
struct kquant_ops {
	/* Scales and minimums. w NULL: the search's own weights. */
	void (*affine)(const struct search_affine *s, const float *x, const float *w, size_t n, float *scale,
		       float *min);
	void (*symmetric)(int half, const float *x, const float *w, size_t n, float *scale, uint8_t *code);
	void (*descent)(int half, const float *x, size_t n, float *scale);
	void (*positive)(int run, int top, const float *x, const float *w, size_t n, float *scale, uint8_t *code);
	/* w = importance * sqrt(factor * mean square of the super-block + square), for n numbers. */
	void (*weigh)(float factor, const float *x, const float *importance, size_t n, float *w);
	void (*sums)(int run, const float *w, size_t n, float *sum); /* of each run, front to back */
	/* code[i] = (x[i] + shift) / d rounded, between lo and hi, less lo. n is a multiple of 16. */
	void (*codes)(const float *x, size_t n, float shift, float d, int lo, int hi, uint8_t *code);
};
extern const struct kquant_ops kquant_scalar;

/* A chunk of super-blocks at work. */
struct kquant_chunk {
	const struct kquant *k;
	const struct kquant_ops *ops;
	const float *x;
	const float *w; /* weights of the numbers, or NULL: the search's own */
	float scale[2 * KQUANT_RUNS]; /* of each run; behind them, min */
	float *min;
	/* With weights: the same as codes, against d[block]; dmin likewise. */
	uint8_t scale_code[2 * KQUANT_RUNS];
	float d[2 * KQUANT_BLOCKS];
	float sum[2 * KQUANT_RUNS]; /* of each run's weights, and once more for min */
	float weight[KQUANT_CHUNK]; /* where w may point */
};

/* One k-quant. */
struct kquant {
	int run, lo, hi; /* numbers per scale; least and largest code */
	int scale_top;	 /* largest code of a scale, where all are positive */
	size_t block;	 /* bytes of a super-block */
	/* A number weighs importance * sqrt(variance * mean square of its super-block + its square); 0: importance. */
	float variance;
	const struct search_affine *own, *weighted; /* without and with importance; NULL where codes are signed */
	/* Fills scale and min; the codes that this found for a run; encodes the super-block at x[at]. */
	void (*search)(struct kquant_chunk *c, size_t runs);
	void (*searched)(const struct kquant_chunk *c, size_t at, uint8_t *code);
	void (*finish)(const struct kquant_chunk *c, size_t at, void *block);
};
extern const struct kquant kquant_q2, kquant_q3, kquant_q4, kquant_q5, kquant_q6;

void kquant_encode(const struct kquant *k, const struct kquant_ops *ops, const float *src, void *dst, size_t n,
		   const float *weights);

/* search and searched of the affine ones. */
void kquant_search_affine(struct kquant_chunk *c, size_t runs);
void kquant_searched_affine(const struct kquant_chunk *c, size_t at, uint8_t *code);

/* Scales and minimums of the super-block at x[at] as codes 0 to scale_top against *d and *dmin (halves). */
void kquant_scales(const struct kquant_chunk *c, size_t at, uint8_t *scale, uint8_t *min, uint16_t *d, uint16_t *dmin);

/* Codes of the run at x[at] from its final scale, less lo. Where that is zero they are those of the search: this is
 * rare, so that fast searches need not return codes. */
void kquant_codes(const struct kquant_chunk *c, size_t at, float shift, float d, uint8_t *code);

#endif
