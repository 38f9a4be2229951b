/*
 * scheme.h - how a target stores the matrix of a Linear: several tensors that are made of one weight, a strip of its rows at a time.
 *
 *   up_proj.weight  BF16 [O, I]  ->  up_proj.weight_packed  I32  [O, I/8]    codes, one unit per 1 x 8
 *                                    up_proj.weight_scale   BF16 [O, I/128]  one unit per 1 x 128
 *                                    up_proj.weight_shape   I64  [2]         one unit
 *
 * Each is a plane of the scheme's encoding, whose geometry says where the units of a strip lie, so that strips are written in any order and
 * no tensor is ever held whole.
 */
#ifndef TARGET_SCHEME_H
#define TARGET_SCHEME_H

#include "../../base/arena.h"
#include "../../base/err.h"
#include "../../base/json.h"
#include "../../quant/quant.h"
#include "../../quant/scaled.h"

#define SCHEME_ALL UINT32_MAX /* rows or cols of a plane: all of the matrix's */
enum { SCHEME_CODES, SCHEME_SCALES }; /* planes of every scheme */

/* What the user and the weight say. */
struct scheme_options {
	const struct heft_encoding *real; /* float type of the weight: f32, f16 or bf16 */
	uint32_t group;                   /* columns of a group; SCHEME_ALL: a row is one; 0: as the target has it */
};

struct scheme {
	struct heft_encoding enc;                      /* name and planes; it has no decode() */
	const char *suffix[QUANT_MAX_PLANES];          /* of each plane's tensor, instead of ".weight" */
	const struct heft_encoding *type[QUANT_MAX_PLANES]; /* whose elements are the units; smaller ones lie in one dimension */
	struct scaled scaled;
	uint32_t strip;                                /* rows that are encoded together: multiples of it, but for the last */
	uint32_t even_rows, even_cols;                 /* what a matrix's must be multiples of */
	int zeros, shape;                              /* planes, or 0 */
};

struct scheme_strip {
	const float *src;  /* whole rows */
	uint64_t rows, cols, of; /* of: rows of the matrix */
};

/* Codes and scales of the strip to plane[]; each stands at the strip's first unit. `back`: the numbers that they stand for. `code` is room for
 * one row's columns. */
void scheme_encode(const struct scheme *s, const struct scheme_strip *t, void *const *plane, float *back, uint8_t *code);
/* The tensor of plane p of a matrix of rows x cols: its bytes; its shape goes to dim, the rank to *rank. */
uint64_t scheme_tensor(const struct scheme *s, int p, uint64_t rows, uint64_t cols, int *rank, uint64_t *dim);
/* Offset in plane p of the units that begin with this row, a multiple of `strip`. */
uint64_t scheme_offset(const struct scheme *s, int p, uint64_t row, uint64_t cols);

/* Names of modules for the configuration. */
struct scheme_names {
	const char *const *name;
	size_t n;
};
/* Modules that are stored alike. */
struct scheme_use {
	const struct target *target;
	const struct scheme *scheme;
	struct scheme_names modules;
	size_t cap;
};

/* For the targets: fill a scheme that is zero. */
void scheme_add(struct scheme *s, const char *suffix, const struct heft_encoding *type, struct quant_plane unit);
enum scaled_real scheme_real(const struct heft_encoding *real);

/* ---- compressed-tensors (src/target/ct.c) ---- */

/* 8-bit floats; one scale per rows x cols numbers. */
void ct_float(struct scheme *s, const struct scheme_options *o, uint32_t rows, uint32_t cols, const char *name);
/* Packed integers of 4 or 8 bits; `group` is what o does not say. */
int ct_integer(struct scheme *s, const struct scheme_options *o, unsigned bits, uint32_t group, bool zeros, struct arena *a, struct heft_err *err);

/* quantization_config; activations: the JSON of input_activations. ignore NULL: only what a group says besides its modules. */
void ct_config(struct jbuf *b, const struct scheme *s, const struct scheme_names *ignore, const char *format, const char *activations);
/* For targets whose config() is ct_config(). */
void ct_mix(struct jbuf *b, const struct scheme_use *use, size_t n, const struct scheme_names *ignore);
/* "[", names, "]" */
void scheme_list(struct jbuf *b, const struct scheme_names *names);

#endif
