/*
 * coreml_write.h - what the files that write packages share: coreml_plan.c decides what changes, coreml_users.c by whom it is used,
 * coreml_write.c where it comes to lie, coreml_edit.c makes the program, coreml_codes.c and coreml_palette.c the numbers.
 */
#ifndef COREML_WRITE_H
#define COREML_WRITE_H

#include "../../base/map.h"
#include "coreml.h"
#include "heft_coreml.h"

enum coreml_grid { COREML_FLOATS, COREML_INTEGERS, COREML_TABLE };

struct coreml_scheme {
	const char *name;      /* "int4" */
	enum coreml_grid grid;
	uint32_t dtype, bits;
	bool is_signed;        /* symmetric around 0; else the range from least to most, 0 included */
	int least_opset;       /* CoreML6: int8 and tables of one size; CoreML8: the rest */
};

enum { COREML_OPERANDS = 3, COREML_RANK = HEFT_MAX_RANK };

struct coreml_operand_out { /* a blob that is written */
	const char *param;
	uint32_t dtype;
	int rank;
	uint64_t dim[COREML_RANK], count, size, offset; /* offset: of its metadata */
};

struct coreml_change { /* of one constant */
	const struct coreml_scheme *scheme; /* NULL: it stays */
	uint32_t group;                     /* as heft_job.group_size has it; 0: the usual */
	const struct heft_tensor *tensor;
	const struct coreml_op *op;
	const struct heft_encoding *out;    /* of the constant's output */
	const char *type;                   /* of the new operation */
	bool attributes;                    /* operands are attributes, as before CoreML8 */
	int axis;                           /* of output channels */
	uint64_t n[COREML_RANK];            /* parts along each dimension */
	struct coreml_operand_out operand[COREML_OPERANDS];
	int n_operands;
};

/* ---- coreml_users.c ---- */

struct coreml_users { /* outputs of operations and those who use them, by scope and name */
	struct map map;   /* to an index of use */
	struct coreml_use {
		const struct coreml_op *op; /* that makes it; NULL: an input of the function */
		unsigned kinds;             /* bits: in which ways it is used */
	} *use;
	size_t n, cap;
};
void coreml_users_find(struct coreml_users *u, const struct coreml_program *p, struct arena *a);
/* Axes of output and input channels; false where its users want different ones. */
bool coreml_axes(const struct coreml_users *u, const struct coreml_op *op, int rank, int *out, int *in);

/* ---- coreml_plan.c, coreml_write.c ---- */

struct coreml_piece { /* of the new weight.bin: a value that stays, or an operand of a change */
	const struct coreml_dtype_info *dtype;
	uint64_t from, size, count, offset; /* from: bytes in the old file */
	const struct coreml_change *change; /* NULL: it stays */
	int operand;
};

struct coreml_pattern {
	enum coreml_rule { COREML_IGNORE, COREML_TARGETS, COREML_TYPE } rule;
	const char *text;
	struct regex *regex;
	const struct coreml_scheme *scheme; /* COREML_TYPE, with the group that it names, or 0 */
	uint32_t group;
	bool used;
};

struct coreml_plan {
	struct heft_coreml_plan pub; /* first */
	struct arena *arena;
	struct heft_model *m;
	const struct heft_job *job;
	const struct coreml_scheme *scheme; /* of -t */
	struct coreml_users users;
	struct coreml_pattern *pattern;
	size_t n_patterns;
	struct coreml_change *change; /* one per item */
	struct coreml_piece *piece;
	size_t n_pieces, cap_pieces;
	struct map by_offset; /* of old values -> new offset */
	struct heft_str program;
	uint64_t next, end;   /* of weight.bin: where the next value goes; its size */
	int threads;
	bool force;
};
uint64_t coreml_room(uint64_t size); /* of a value with its metadata */
/* Gives every value its place; makes the program. Again where it was done before. */
int coreml_place(struct coreml_plan *p, struct heft_err *err);

/* ---- coreml_rules.c: --ignore, --targets, --tensor-type ---- */

const struct coreml_scheme *coreml_scheme_find(const char *name); /* any case; NULL where unknown */
int coreml_rules_open(struct coreml_plan *p, struct heft_err *err);
/* What --ignore does not match, and --targets does where there is one; its scheme and group, by -t or by the first rule that matches. */
bool coreml_rules_find(struct coreml_plan *p, const char *name, struct coreml_change *c);
/* Refuses a pattern that no constant answered to. */
int coreml_rules_check(const struct coreml_plan *p, struct heft_err *err);

/* ---- coreml_edit.c ---- */

struct coreml_edit { /* bytes that replace some of the program's */
	uint64_t begin, end;
	const char *text;
	size_t n;
	uint32_t frame; /* the innermost message that they lie in */
};
/* The operation that makes the constant anew, as an edit. */
struct coreml_edit coreml_edit_op(const struct coreml_program *p, const struct coreml_change *c, struct arena *a);
/* The same value at another place of weight.bin. */
struct coreml_edit coreml_edit_offset(const struct coreml_value *v, uint64_t offset, struct arena *a);
/* The whole program with the edits, and the lengths of all messages around them. Sorts the edits; there is room for p->n_frames more. */
struct heft_str coreml_edit_all(const struct coreml_program *p, struct coreml_edit *edit, size_t n, struct arena *a);

/* ---- coreml_codes.c, coreml_palette.c ---- */

/* Hands over bytes of operand i, from its byte `at` on. */
typedef int coreml_put_fn(void *ctx, int operand, uint64_t at, const void *bytes, size_t n, struct heft_err *err);
struct coreml_watch {
	const volatile int *stop; /* or NULL */
	struct pace *pace;        /* bytes that are read are added; or NULL */
};
/* Makes the operands of a change; *error: the sums of what that did to the numbers. 1: the constant holds a number that cannot be compressed,
 * some operands may have been handed over. */
int coreml_encode(const struct heft_model *m, const struct coreml_change *c, int threads, const struct coreml_watch *watch, coreml_put_fn *put, void *ctx,
		  struct heft_error *error, struct heft_err *err);
/* Can all numbers be compressed, to integers or with a table: are they finite, and such as f16 has them? 1: yes; 0: no; -1: they cannot be read. */
int coreml_finite(const struct heft_model *m, const struct heft_tensor *t, bool table, struct heft_err *err);

/* The k values with the least sum of squared distances to n distinct ascending points of some weight each: exact, but for the rounding of
 * sums. Ascending to out; the last is repeated where there are fewer points. */
void coreml_kmeans(const float *point, const uint32_t *weight, uint32_t n, uint32_t k, float *out);

#endif
