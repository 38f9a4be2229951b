/*
 * scheme.h - how a target stores the matrix of a Linear: several tensors that are made of one weight, a strip of its rows at a time.
 *
 *   up_proj.weight  BF16 [O, I]  ->  up_proj.weight_packed  I32  [O, I/8]    codes, one unit per 1 x 8
 *                                    up_proj.weight_scale   BF16 [O, I/128]  one unit per 1 x 128
 *                                    up_proj.weight_shape   I64  [2]         one unit
 *
 * Each is a plane of the scheme's encoding, whose geometry says where the units of a strip lie, so that strips are written in any order and
 * no tensor is ever held whole. Units of a strip lie row by row; in the file they may be turned, column after column:
 *
 *   up_proj.weight  BF16 [O, I]  ->  up_proj.qweight        I32  [I/8, O]    codes, one unit per 1 x 8, turned (src/gather.h)
 */
#ifndef TARGET_SCHEME_H
#define TARGET_SCHEME_H

#include "../../base/arena.h"
#include "../../base/err.h"
#include "../../base/json.h"
#include "../../quant/nf4.h"
#include "../../quant/quant.h"
#include "../../quant/scaled.h"

enum { SCHEME_NUMBERS = 4 };
#define SCHEME_ALL UINT32_MAX /* rows or cols of a plane: all of the matrix's */
/* Shapes of a plane's tensor, where its units lie as ever. */
enum scheme_dims {
	SCHEME_MATRIX, /* rows and columns of units; a unit of several elements is a vector */
	SCHEME_VECTOR, /* rows of units */
	SCHEME_SCALAR, /* no dimension */
	SCHEME_BLOCKS, /* [rows, 1, columns, 1] */
	SCHEME_TURNED, /* [columns, rows]: here units lie column after column */
	SCHEME_GROUPS, /* [rows, columns, elements of a unit] */
	SCHEME_ROWS,   /* [rows, elements of all columns' units] */
};
enum { SCHEME_CODES, SCHEME_SCALES }; /* planes of every scheme */

/* What the user and the weight say. */
struct scheme_options {
	const struct heft_encoding *real; /* float type of the weight: f32, f16 or bf16 */
	uint32_t group;                   /* columns of a group; SCHEME_ALL: a row is one; 0: as the target has it */
};

struct scheme;
struct scheme_strip {
	const float *src;    /* whole rows */
	const float *importance; /* of each column, or NULL: all alike */
	struct scaled_gain *gain; /* what a search adds to; NULL: nobody asks */
	bool decoded;        /* the numbers may be codes of it already (scheme_finds()): those are looked for first */
	uint64_t rows, cols, of; /* of: rows of the matrix */
	const float *number; /* what the scheme measured of the matrix, SCHEME_NUMBERS; NULL where it measures nothing */
};

/* A first pass over the rows of a matrix, for what all of it must be known of before any can be encoded. Each strip of them leaves floats in their
 * own place, so that strips may come in any order, by any number of threads; of all of them a few numbers are made. */
struct scheme_measure {
	uint64_t (*count)(const struct scheme *s, uint64_t rows, uint64_t cols); /* floats of the first rows */
	void (*strip)(const struct scheme *s, const struct scheme_strip *t, float *out);
	void (*sum)(const struct scheme *s, const float *all, size_t n, float *number); /* SCHEME_NUMBERS, which are zero before */
	bool early;  /* sizes or configuration depend on it: when the plan is made; else when it is carried out */
	bool shared; /* matrices that runtimes fuse (linear_set()) get the largest of each number */
};

struct scheme {
	struct heft_encoding enc;                      /* name and planes; it has no decode() */
	const char *suffix[QUANT_MAX_PLANES];          /* of each plane's tensor, instead of ".weight" */
	const struct heft_encoding *type[QUANT_MAX_PLANES]; /* whose elements are the units; smaller ones lie in one dimension */
	struct scaled scaled;
	uint32_t group;                                /* columns that share a scale; SCHEME_ALL: a row's; for the target's own use */
	enum scheme_dims dims[QUANT_MAX_PLANES];
	bool search;                                   /* for a scale with less error, where there are several to choose from */
	uint32_t strip;                                /* rows that are encoded together: multiples of it, but for the last */
	uint32_t even_rows, even_cols;                 /* what a matrix's must be multiples of */
	uint32_t kernel_rows, kernel_cols;             /* the same for runtimes' kernels; 0: any. Of an expert half the columns do */
	int zeros, biases, shape, whole, nested;       /* planes, or 0; nested: scales of the scales */
	unsigned zero_less;                            /* what is taken off the zero points that are stored, which wrap around */
	bool shuffled;                                 /* codes and zero points stand as AWQ has them in words of eight rows */
	const struct nf4_table *table;                 /* codes are of it, in blocks that run through the rows: planes see rows * cols rows of 1 */
	const struct heft_encoding *through;           /* type that numbers have before they are measured; NULL: the weight's */
	const char *ct_format, *ct_activations;        /* compressed-tensors: its name of the layout; the JSON of input_activations, NULL: none */
	const char *algorithm, *algorithm_groups;      /* ModelOpt: its name of the layout; the JSON of config_groups, NULL: none */
	const struct scheme_measure *measure;          /* or NULL */
	/* Bytes of plane p, of rows SCHEME_ALL, which shapes tell, and numbers that were measured early (NULL before that); to dst where that is not
	 * NULL. NULL: no plane is such a one. */
	size_t (*once)(const struct scheme *s, int p, uint64_t rows, uint64_t cols, const float *number, uint8_t *dst);
};

/* Measures the largest magnitude, shared: number[0]. number[1] is the type that it is rounded to (enum scaled_real). */
extern const struct scheme_measure scheme_most;

/* Codes and scales of the strip to plane[]; each stands at the strip's first unit. `back`: the numbers that they stand for. `code` is room for
 * one row's columns. */
void scheme_encode(const struct scheme *s, const struct scheme_strip *t, void *const *plane, float *back, uint8_t *code);
/* Has it room for the codes of blocks of e, and their scale and bias, as they are? Then those of the strip's numbers, in blocks row by row; t->src
 * and what a search wants are not looked at. `code` as above. false: a bias is too large for its type. */
bool scheme_holds(const struct scheme *s, const struct heft_encoding *e);
bool scheme_take(const struct scheme *s, const struct scheme_strip *t, const struct heft_encoding *e, const void *blocks, void *const *plane, uint8_t *code);
/* The tensor of plane p of a matrix of rows x cols: its bytes; its shape goes to dim (4 at most), the rank to *rank. number: as in a strip. */
uint64_t scheme_tensor(const struct scheme *s, int p, uint64_t rows, uint64_t cols, const float *number, int *rank, uint64_t *dim);
/* Offset in plane p of the units that begin with this row, a multiple of `strip`; where it is turned, in the part of the strips before. */
uint64_t scheme_offset(const struct scheme *s, int p, uint64_t row, uint64_t cols);
/* Is plane p one of once()? It is written with the first strip: its bytes, to dst where that is not NULL. */
bool scheme_is_once(const struct scheme *s, int p);
uint64_t scheme_once(const struct scheme *s, int p, uint64_t rows, uint64_t cols, const float *number, void *dst);
bool scheme_turns(const struct scheme *s); /* any plane */

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

/* Is there a choice between scales, which an importance matrix can weigh? */
bool scheme_searches(const struct scheme *s);
/* Are codes looked for in numbers that were decoded? */
bool scheme_finds(const struct scheme *s);

/* For the targets: fill a scheme that is zero. */
void scheme_add(struct scheme *s, const char *suffix, const struct heft_encoding *type, struct quant_plane unit);
enum scaled_real scheme_real(const struct heft_encoding *real);
/* Packed integers, which Marlin and its kin read in tiles of 128 x 64. */
void scheme_tiles(struct scheme *s);
/* Groups of integers: as o says, else `group`. Refuses those that no kernel serves. Sets the name too: "NAME g128". */
int scheme_group(struct scheme *s, const struct scheme_options *o, uint32_t group, const char *name, struct arena *a, struct heft_err *err);

/* ---- compressed-tensors (src/target/ct.c) ---- */

/* 8-bit floats; one scale per rows x cols numbers. */
void ct_float(struct scheme *s, const struct scheme_options *o, uint32_t rows, uint32_t cols, const char *name);
/* 8-bit integers, one scale per row. */
void ct_integer8(struct scheme *s, const struct scheme_options *o);
/* 4- or 8-bit floats; one power of two per 32 columns. */
void ct_mx(struct scheme *s, const struct scheme_options *o, enum scaled_code code, const char *name);
/* 4-bit floats, one 8-bit float per 16 columns, which a number of the matrix divides or multiplies; the suffixes are the caller's. */
void ct_nvfp4(struct scheme *s, const struct scheme_options *o, enum scaled_scale scale, const char *const *suffix);
/* Packed integers of 4 or 8 bits; `group` is what o does not say. */
int ct_integer(struct scheme *s, const struct scheme_options *o, unsigned bits, uint32_t group, bool zeros, struct arena *a, struct heft_err *err);

/* quantization_config, of one scheme or of several. The schemes above have ct_format; ct_activations is a target's. */
void ct_config(struct jbuf *b, const struct scheme *s, const struct scheme_names *ignore);
void ct_mix(struct jbuf *b, const struct scheme_use *use, size_t n, const struct scheme_names *ignore);

/* ---- GPTQ (src/target/gptq.c) ---- */

int gptq_scheme(struct scheme *s, const struct scheme_options *o, unsigned bits, struct arena *a, struct heft_err *err);
void gptq_config(struct jbuf *b, const struct scheme *s, const struct scheme_names *stays);
void gptq_mix(struct jbuf *b, const struct scheme_use *use, size_t n, const struct scheme_names *stays); /* of several widths */

/* ---- bitsandbytes (src/target/bnb.c) ---- */

/* Codes of a table, their scales quantized in turn or not; the name of the scheme, and that of the tensor that holds its state behind the module's. */
void bnb_table(struct scheme *s, const struct scheme_options *o, const struct nf4_table *t, bool nested, const char *name, const char *state);
void bnb_config(struct jbuf *b, const struct scheme *s, const struct scheme_names *stays);

/* ---- ModelOpt (src/target/modelopt.c) ---- */

/* quantization_config, and hf_quant_config.json, of a scheme that has an algorithm; its group goes there where it has one. */
void modelopt_config(struct jbuf *b, const struct scheme *s, const struct scheme_names *stays);
void modelopt_file(struct jbuf *b, const struct scheme *s, const struct scheme_names *stays);

/* What `write` makes of each, each once. */
struct scheme_names scheme_each(const struct scheme_names *names, const char *(*write)(const char *module, struct arena *a), struct arena *a);
/* "[", names, "]" */
void scheme_list(struct jbuf *b, const struct scheme_names *names);

#endif
