/*
 * quant.h - encodings: ways to store numbers as bytes. Pure functions, no I/O, no allocation.
 *
 * An encoding stores a row of numbers in 1 to 6 planes (codes, scales ...). A plane's geometry says how many bytes
 * stand for how many rows and columns, so that the engine can find the bytes of a row without knowing the encoding: Q4_K
 * is one plane of 144 bytes per 1x256; block FP8 is a plane of 1 byte per 1x1 and one of 4 bytes per 128x128.
 *
 * Rows: decode and encode work on `n` numbers, the pointers standing at the first of them; n is a multiple of `block`.
 * Where all planes have rows == 1, several whole rows may be passed as one. `weights` is the importance of each of the
 * n columns, or NULL; with weights a call is one row, since some encodings weigh a number against its whole row. Planes
 * need no alignment.
 *
 * The scalar C of an encoding (quant/NAME.c) is its specification, held to the reference implementation's bytes. A
 * faster kernel (quant/kernels.h) must give the same bytes for every input.
 */
#ifndef QUANT_H
#define QUANT_H

#include "heft.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUANT_MAX_PLANES 6

typedef void quant_decode_fn(const void *const *plane, float *dst, size_t n);
typedef void quant_encode_fn(const float *src, void *const *plane, size_t n, const float *weights);
/* The search of --effort high: `plane` holds what encode() made of src; the codes and scales with the least squared error (times weights,
 * where there are any) that are found for each block replace them. They may be no better: quant_refine() looks. */
typedef void quant_refine_fn(const float *src, void *const *plane, size_t n, const float *weights);

enum quant_class {
	QUANT_FLOAT,   /* a float type: F32, F16, BF16, F64 */
	QUANT_INTEGER, /* carried as it is */
	QUANT_BLOCK,   /* lossy codes with scales */
};

struct quant_plane {
	const char *name;   /* "data", "scale" */
	uint32_t rows, cols; /* numbers that one unit stands for */
	uint32_t bytes;     /* of one unit */
};

struct heft_encoding {
	const char *name;  /* lower case: "q4_k" */
	const char *about; /* one line for people */
	uint32_t block;    /* numbers along a row that belong together: a row is a multiple of it */
	enum quant_class class;
	uint8_t n_planes;
	struct quant_plane plane[QUANT_MAX_PLANES];
	quant_decode_fn *decode;
	quant_encode_fn *encode; /* NULL: only read */
	quant_refine_fn *refine; /* NULL: encode() does all there is */
	bool needs_weights;	 /* encode() is not defined without weights */
	bool not_for_weights;	 /* no runtime computes with weights stored so; what such files hold can be read */
	/* Where a block holds its codes, and the bytes that make all of them the lowest or the highest; levels 0: not that simple. */
	struct quant_codes {
		uint16_t at, bytes;
		uint8_t low, high;
		uint16_t levels;
	} codes;
};

/* The table, in quant/list.h's order. */
const struct heft_encoding *quant_at(size_t i);            /* NULL past the end */
const struct heft_encoding *quant_find(const char *name);  /* any case; NULL where unknown */

/* Bytes of plane p for rows x cols numbers; false where it overflows or cols is no multiple of the block. */
bool quant_plane_size(const struct heft_encoding *e, int p, uint64_t rows, uint64_t cols, uint64_t *out);

/* Best function for this processor (or what HEFT_CPU=scalar|avx2|avx512|neon allows); NULL where there is none. */
quant_decode_fn *quant_decoder(const struct heft_encoding *e);
quant_encode_fn *quant_encoder(const struct heft_encoding *e);
quant_refine_fn *quant_refiner(const struct heft_encoding *e);

/* All that --effort high does to the bytes of encode(): the best refine function, then the blocks' gain (quant/refine.c). No block's
 * (weighted) squared error grows. Does nothing where the encoding has no refine function. */
void quant_refine(const struct heft_encoding *e, const float *src, void *const *plane, size_t n, const float *weights);

/* A faster kernel for one encoding on one instruction set. */
enum quant_isa { QUANT_SCALAR, QUANT_NEON, QUANT_AVX2, QUANT_AVX512 };
struct quant_kernel {
	const char *encoding;
	enum quant_isa isa;
	quant_decode_fn *decode; /* NULL: not by this kernel */
	quant_encode_fn *encode;
	quant_refine_fn *refine;
};
const struct quant_kernel *quant_kernel_at(size_t i); /* NULL past the end; also those that this processor cannot run */
bool quant_isa_usable(enum quant_isa isa);            /* this processor has it (HEFT_CPU is not asked) */
const char *quant_isa_name(enum quant_isa isa);
bool quant_isa_allowed(enum quant_isa isa);           /* this processor has it, and HEFT_CPU allows it */
bool quant_limit_known(void); /* false: HEFT_CPU holds a word that is no quant_isa_name(); it limits nothing */

/* Sums of heft_error over n pairs, in an order that does not depend on the instruction set. */
struct quant_sums {
	double sum_sq, sum_sq_out, dot, sum_sq_err, max_err;
	double weighted_sq, weighted_err;
	double nearest, found; /* squared errors before and after a search for scales */
	uint64_t nonfinite;
};
struct quant_details {
	uint64_t clippable, clipped;
	uint64_t histogram[HEFT_ERROR_BINS];
};
/* These add to *s or *d. */
void quant_compare(const float *x, const float *y, size_t n, struct quant_sums *s);
void quant_compare_weighted(const float *x, const float *y, const float *w, size_t n, struct quant_sums *s); /* the weighted sums only */
void quant_histogram(const float *x, const float *y, size_t n, struct quant_details *d);
/* Of n numbers x, a multiple of the block, which of their codes in `bytes` clip them. Nothing where e->codes has no levels. */
void quant_clipping(const struct heft_encoding *e, const void *bytes, const float *x, size_t n,
		    struct quant_details *d);

#endif
