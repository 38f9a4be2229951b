/*
 * packed.h - modules that a checkpoint stores quantized: several tensors that are one weight.
 *
 *   up_proj.weight            F8_E4M3 [576, 7168]  plane 0, codes  \
 *   up_proj.weight_scale_inv  F32 [5, 56]          plane 1, scales  >  up_proj.weight [576, 7168], "fp8_e4m3 128x128"
 *   up_proj.input_scale       F32 []               left out        /
 *
 * A layout (src/packed/NAME.c, a row in src/packed/list.h) says which tensors belong together and what their planes are. They
 * are joined once, when a model is opened, so that the family, the plan and every tool see the weight alone. What is stored
 * decides, module by module; the configuration is asked only where names, types and shapes leave a question open.
 *
 * The values are float32: code times scale, in the order of operations of the library that owns the layout.
 */
#ifndef PACKED_H
#define PACKED_H

#include "../base/arena.h"
#include "../base/err.h"
#include "../base/json.h"
#include "../quant/quant.h"

/* ---- reading ---------------------------------------------------------------------------------------------------- */

struct packed;

/* n numbers of one row, from column `col` on, to dst: floats, or bytes of another encoding. plane[p] stands at the unit of plane p
 * that holds the first of them; row and col are those within the matrix. Planes need no alignment. A repack function says false where the
 * codes are not on the grid after all, against what was said of them. */
typedef void packed_decode_fn(const struct packed *k, const void *const *plane, uint64_t row, uint64_t col, float *dst, size_t n);
typedef bool packed_repack_fn(const struct packed *k, const void *const *plane, uint64_t row, uint64_t col, void *dst, size_t n);

/* Where rows do not lie together in the planes (words that run down a column): n whole rows from `row` on, of all matrices one after
 * another. `scratch` has the bytes that k->scratch says. */
typedef int packed_strip_fn(const struct heft_model *m, const struct heft_tensor *t, uint64_t row, uint64_t n, float *dst, void *scratch,
			    struct heft_err *err);

struct packed_repack { /* ends with to NULL */
	const char *to;      /* an encoding of one plane whose grid the codes are on already: no value changes, but for rounded scales */
	packed_repack_fn *fn;
	bool stays;          /* the reference's converter leaves such codes as they are, whatever type is asked for */
	bool rounds;         /* scales may be rounded to what the encoding has: how much that does is measured */
	const char *refusal; /* what it means where fn says false; NULL: it does not */
};

enum { PACKED_PARTS = 8 };
#define PACKED_ALL UINT32_MAX /* rows or cols of a plane that has one unit for all of a matrix's */

/* How the planes of a tensor go together. Tensors that are stored alike share one. */
struct packed {
	struct heft_encoding enc; /* the tensor's: the name says all (two of one name are one); block, class, planes with their geometry.
				   * It has no decode(). Units lie row by row, matrix after matrix; the last of a row, of a column may be ragged. */
	packed_decode_fn *decode;
	packed_strip_fn *strip;   /* instead of decode */
	uint32_t strip_rows;      /* rows of a strip: a good number to decode at a time */
	size_t scratch;           /* bytes that strip() wants */
	const struct packed_repack *repack; /* or NULL */
	quant_decode_fn *codes, *scales;    /* of plane 0 and 1 where they are numbers; for the layout's own use, as all that follows */
	uint32_t bits, group;
	uint32_t param[4];
	bool multiples;           /* numbers are whole multiples of a scale that some columns in a row share: codes that integers can take over */
	bool turns;               /* the library holds each matrix the other way round: so do targets that keep its names */
	const struct packed *straight; /* of a turned tensor: the kind of the one that it turns */
};

struct packed_scratch { /* of one thread; zero-initialise */
	uint8_t *bytes;
	size_t n_bytes;
	float *strip;        /* strip_rows rows from strip_row on of one tensor */
	size_t n_strip;
	const struct heft_tensor *strip_of;
	uint64_t strip_row;
};
void packed_scratch_release(struct packed_scratch *s);

/* Elements first .. first+n, row-major, of a tensor that has t->packed. Any, where the block is 1; else multiples of it. */
int packed_read(const struct heft_model *m, const struct heft_tensor *t, uint64_t first, size_t n, float *dst, struct packed_scratch *s,
		struct heft_err *err);
/* The tensor, packed or not, with the last two dimensions changed about, read in strips; NULL where it is no matrix of whole blocks both
 * ways. */
const struct heft_tensor *packed_turned(const struct heft_tensor *t, struct arena *a);
/* The type of scales that integer codes are multiplied with: f16, bf16 or f32; NULL: codes are no integers, or are looked up. */
const struct heft_encoding *packed_scale_type(const struct packed *k);
/* NULL: the layout's codes are not on that encoding's grid. */
const struct packed_repack *packed_repacker(const struct heft_tensor *t, const struct heft_encoding *to);
/* The same elements, multiples of to's block, as bytes of `to`, by packed_repacker()'s function. */
int packed_read_bytes(const struct heft_model *m, const struct heft_tensor *t, const struct heft_encoding *to, uint64_t first, size_t n,
		      void *dst, struct packed_scratch *s, struct heft_err *err);

/* ---- joining ---------------------------------------------------------------------------------------------------- */

/* What the checkpoint says about itself: quantization_config of config.json, or the file that stands for it. */
struct packed_config {
	const struct json *root;   /* NULL: nothing is said */
	const char *method;        /* "fp8", "compressed-tensors", "modelopt", "gptq", ... as written; "" where nothing is said */
	const char *file;          /* for messages */
};
/* The text that it is in, to be freed; NULL where nothing is said, or what is said cannot be read: others complain of that. */
struct json_doc *packed_config_find(struct packed_config *out, const struct heft_model *m);
/* compressed-tensors: the member of config_groups whose targets name the module; NULL where none does. */
const struct json *packed_config_group(const struct packed_config *c, const char *module);

enum packed_use {
	PACKED_PLANE = 0,      /* .plane says which */
	PACKED_OPTIONAL = 1,   /* need not be there */
	PACKED_UNUSED = 2,     /* vanishes (sizes that shapes tell already, scales of activations) */
	PACKED_OWN = 4,        /* nothing else has this ending: one that no layout takes is an error */
};

struct packed_part {
	const char *suffix;    /* behind the module's name; NULL ends the table */
	int plane;
	unsigned use;          /* of packed_use */
};

struct packed_module {
	const char *name;      /* "model.layers.0.mlp.up_proj" */
	const struct heft_tensor *part[PACKED_PARTS]; /* as in the layout's table; NULL: not there */
	const struct packed_config *config;
	const struct heft_model *model;
	struct arena *arena;
	/* filled by the layout's fit() */
	struct source *made[PACKED_PARTS]; /* where a part's bytes are read instead of where they stand, as many; NULL: there */
	struct packed kind;    /* zeroed before */
	int rank;
	uint64_t dim[HEFT_MAX_RANK];
};

struct packed_layout {
	const char *name;
	const char *weight;    /* what the joined tensor's name ends with behind the module's: ".weight", or "" */
	struct packed_part part[PACKED_PARTS + 1]; /* the first is the one that tells: each tensor with this ending is asked about */
	/* Are these tensors of this layout? 0: yes, and kind, rank and dim are filled; 1: no (err says why, for the case that no other
	 * layout takes them); -1: yes, but they cannot be read. Parts that must be there are. That the parts of planes have exactly the
	 * bytes that the geometry asks for is checked behind it. */
	int (*fit)(struct packed_module *m, struct heft_err *err);
};
const struct packed_layout *packed_layout_at(size_t i); /* NULL past the end */

/* Joins what belongs together in the model's list, which becomes shorter. Tells the sink of scales without weights, weights without
 * scales, and shapes that do not fit. Reads configuration files and what is small. */
int packed_join(struct heft_model *m, struct sink *sink, struct heft_err *err);

struct family;
/* For GGUF: the factor of an NVFP4 weight becomes a weight of its own. Reads the factors. */
int packed_split_factors(struct family *f, const struct heft_model *m, struct arena *a, struct heft_err *err);

/* ---- for the layouts ---- */

/* n bytes of plane p, from its byte `offset` on: for strip(). */
int packed_read_plane(const struct heft_model *m, const struct heft_tensor *t, int p, uint64_t offset, void *dst, size_t n, struct heft_err *err);

/* Rows and columns of the last two dimensions (a vector is one row), and how many such matrices there are. */
struct packed_shape {
	uint64_t matrices, rows, cols;
};
struct packed_shape packed_shape(int rank, const uint64_t *dim);
bool packed_is(const struct heft_tensor *t, const char *encodings); /* "f32 f16 bf16": t's is one of them */
const char *packed_dims(const struct heft_tensor *t, struct arena *a); /* "F32 [5, 56]", for messages */
/* Reads all of a tensor that is read while joining, no stream, as its bytes are. */
int packed_bytes(const struct packed_module *m, const struct heft_tensor *t, void *dst, struct heft_err *err);
/* Part i is a matrix of rows x cols units of `unit` bytes (all of it), whose columns are what the plane wants as rows. */
int packed_turn(struct packed_module *m, int i, uint64_t rows, uint64_t cols, uint32_t unit, struct heft_err *err);
/* Reads a small tensor (at most n numbers, floats of any kind, no stream) while joining. */
int packed_small(const struct packed_module *m, const struct heft_tensor *t, float *dst, size_t n, struct heft_err *err);

#endif
