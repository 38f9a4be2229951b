/*
 * coreml.h - ML Programs of Core ML: a folder whose weights are constants of a program.
 *
 *   X.mlpackage/Manifest.json                                   coreml_open.c     which files
 *   X.mlpackage/Data/com.apple.CoreML/model.mlmodel             coreml_program.c  protobuf: operations with constants; coreml_names.c
 *   X.mlpackage/Data/com.apple.CoreML/weights/weight.bin        coreml_blob.c     the constants' numbers
 *
 * A constant is an operation "const", or one of those that make numbers of compressed ones ("constexpr_..."): coreml_values.c. To the rest
 * of heft each is a tensor, named as its output is.
 *
 * Facts: mlmodel/format/Model.proto and MIL.proto, mlmodel/src/MILBlob/Blob/StorageFormat.hpp, and the operations' definitions in
 * coremltools/converters/mil/mil/ops/defs/iOS16|iOS18/compression.py of coremltools 9.
 */
#ifndef COREML_H
#define COREML_H

#include "../../base/arena.h"
#include "../../base/err.h"
#include "../../base/source.h"
#include "../packed.h"

/* MIL.proto's DataType, those that constants may have. */
enum coreml_dtype {
	COREML_BOOL = 1, COREML_STRING = 2, COREML_F16 = 10, COREML_F32 = 11, COREML_F64 = 12, COREML_BF16 = 13, COREML_I8 = 21, COREML_I16 = 22,
	COREML_I32 = 23, COREML_I64 = 24, COREML_I4 = 25, COREML_U8 = 31, COREML_U16 = 32, COREML_U32 = 33, COREML_U64 = 34, COREML_U4 = 35,
	COREML_U2 = 36, COREML_U1 = 37, COREML_U6 = 38, COREML_U3 = 39,
};

struct coreml_dtype_info {
	uint32_t dtype, blob; /* number in the program; in weight.bin (0: not there) */
	uint32_t bits;
	const char *name;
	const char *encoding; /* heft's, where it has whole bytes; or NULL */
};
const struct coreml_dtype_info *coreml_dtype(uint32_t dtype); /* NULL where heft does not know it */

struct coreml_type { /* of a tensor */
	uint32_t dtype;   /* 0: no tensor */
	int rank;         /* -1: it, or a dimension, is not known before the program runs */
	const uint64_t *dim; /* outermost first */
};

enum { COREML_NONE = UINT32_MAX };

/* A message that encloses others: when something in it changes its length, so does the number in front of it. */
struct coreml_frame {
	uint64_t length_at, begin, end;
	uint32_t parent; /* COREML_NONE: it is the whole file */
};

enum coreml_place { COREML_NOWHERE, COREML_BLOB, COREML_BYTES, COREML_NUMBERS };

struct coreml_value {
	struct coreml_type type;
	enum coreml_place place; /* NUMBERS: an integer, or floats as 4 bytes each at at..end; BYTES: as they are; NOWHERE: something else */
	uint64_t at, end;    /* BYTES, NUMBERS: in the file */
	uint64_t blob;       /* BLOB: offset of its metadata in weight.bin */
	uint64_t blob_at, blob_end; /* BLOB: the field that holds the offset; empty where it is 0 */
	uint32_t blob_frame;
	int64_t integer;     /* the first of NUMBERS that are integers or truth values */
};

struct coreml_param { /* of an operation: an input with one argument, or an attribute */
	const char *name;
	const char *ref;     /* output of another operation; NULL: a value */
	struct coreml_value *value;
	bool attribute;
};

struct coreml_op {
	uint64_t begin, end; /* of its field in the file */
	uint32_t frame;      /* its own: the parent is the block's */
	uint32_t scope;      /* in which function's block it stands */
	const char *type, *output; /* name of its first output */
	struct coreml_type out;
	const struct coreml_param *param;
	size_t n_params;
	size_t n_outputs;
};

struct coreml_scope { /* a function for one set of operations */
	const char *function, *opset; /* "main", "CoreML8" */
};

struct coreml_name { /* of what a function's operations, blocks and inputs make or take */
	const char *name;
	uint64_t at;         /* in the file */
	uint32_t function;
	bool made;
};

struct coreml_program {
	const uint8_t *bytes;
	uint64_t size;
	uint64_t version;    /* of the specification */
	struct coreml_frame *frame; /* outer ones first */
	size_t n_frames, cap_frames;
	struct coreml_op *op;
	size_t n_ops, cap_ops;
	struct coreml_scope *scope;
	size_t n_scopes, cap_scopes;
	size_t n_blobs;      /* values in weight.bin */
	struct coreml_name *name;
	size_t n_names, cap_names;
};

/* Takes a program apart; `bytes` are borrowed, all else lies in the arena. Refuses what is no ML Program. */
int coreml_parse(struct coreml_program *out, const void *bytes, uint64_t size, const char *file, struct arena *a, struct heft_err *err);
const struct coreml_param *coreml_param(const struct coreml_op *op, const char *name); /* NULL where it has none */
/* coreml_names.c: refuses names that are taken and that nothing makes, and constants that go round in a circle. parse() asks it. */
int coreml_check_names(const struct coreml_program *p, const char *file, struct heft_err *err);
/* Elements of a type; false where it is not known or overflows. */
bool coreml_count(const struct coreml_type *t, uint64_t *out);

/* ---- weight.bin ---- */

struct coreml_extent {
	uint64_t offset, size;
};
/* The bytes of a value of the program, checked against what is there: its metadata, its type, its size. */
int coreml_blob_find(struct source *weights, const struct coreml_value *v, struct coreml_extent *out, struct heft_err *err);
/* Its first 64 bytes. *count: how many blobs it says that it has. */
int coreml_blob_header(struct source *weights, uint32_t *count, struct heft_err *err);

/* ---- constants ---- */

struct coreml_operand { /* one input of an operation that makes numbers */
	struct coreml_type type;
	int plane;           /* of the tensor; -1: there is none */
};

enum coreml_kind { COREML_PLAIN, COREML_AFFINE, COREML_BLOCKWISE, COREML_PALETTE };

/* How a tensor's numbers are made: its `packed` is the first member of one. */
struct coreml_const {
	struct packed packed;
	const struct coreml_op *op;
	enum coreml_kind kind;
	const struct heft_encoding *out; /* numbers are rounded to it */
	const struct coreml_dtype_info *code;
	struct coreml_operand scale, offset; /* COREML_PALETTE: scale is the table */
	int axis;            /* COREML_AFFINE */
};

/* Which part (scale, table) an element belongs to: the sum of i[d] / run[d] * stride[d]. */
struct coreml_parts {
	uint64_t run[HEFT_MAX_RANK], stride[HEFT_MAX_RANK], count;
};
/* n[d]: how many parts there are along a dimension; it divides the tensor's. */
void coreml_parts(struct coreml_parts *p, const struct heft_tensor *t, const uint64_t *n);
/* That of the first element of a row, which counts through all dimensions but the last. */
uint64_t coreml_part(const struct coreml_parts *p, const struct heft_tensor *t, uint64_t row);

void coreml_round(const struct heft_encoding *e, float *x, uint64_t n); /* to what a float type holds */
/* `rows` whole rows from `row` on of any tensor of a package; *s is the thread's, zero at first. */
int coreml_read(const struct heft_model *m, const struct heft_tensor *t, uint64_t row, uint64_t rows, float *dst, struct packed_scratch *s,
		struct heft_err *err);

/* Fills the tensor of a constant. 1: it is none, has no shape, is no value of weight.bin, or one that heft does not read. */
int coreml_tensor(struct heft_tensor *t, struct heft_model *m, const struct coreml_op *op, struct heft_err *err);

/* ---- packages ---- */

struct coreml {
	struct coreml_program program;
	const char *dir;       /* the package */
	const char *model;     /* path of model.mlmodel in it */
	const char *weights;   /* path of weight.bin in it; NULL: there is none */
	const struct coreml_op **op; /* of each tensor */
};

bool coreml_is_package(const char *path); /* a folder that ends in .mlpackage, or holds Manifest.json */
bool coreml_path_is_inside(const char *path); /* "a/b" with nothing that leads elsewhere */
int coreml_open(struct heft_model *m, struct sink *sink, struct heft_err *err);

#endif
