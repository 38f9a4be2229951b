/*
 * op.h - operations between a source tensor and an output tensor: where each output row comes from.
 *
 * A weight is one output tensor: one or more sources, combined (one, stacked on a new axis 0, joined along an axis or as vectors), then a chain
 * of operations. Shapes are worked out when planning; data moves as a map from output rows to source runs. Axes are outermost first.
 */
#ifndef OP_H
#define OP_H

#include "../base/arena.h"
#include "../base/err.h"

enum op_kind {
	OP_VIEW,    /* arg: dims, one may be -1: same elements, new shape */
	OP_PERM,    /* arg: axes: axis i of the result is axis arg[i] of the input */
	OP_TAKE,    /* arg: axis, start, n (-1: to the end), step */
	OP_AT,      /* arg: axis, start, n; sub: shape-keeping ops on that slice */
	OP_REGROUP, /* arg: n, s1, s2 ...: rows are n groups of parts s1, s2 ...; all first parts first */
	OP_UNGROUP, /* the inverse */
	OP_ROPE,    /* arg: heads [, dim]: in each head of `dim` rows (default: all) halves become interleaved pairs */
	OP_UNROPE,  /* the inverse */
	OP_PAD,     /* arg: axis, n; x: value: grow to n */
	OP_PICK,    /* arg: axis, then the row numbers */
	OP_ADD,     /* x */
	OP_MUL,     /* x */
	OP_NEGEXP,  /* -exp(v) */
	OP_LOGNEG,  /* the inverse */
	OP_SOFTPLUS,
};

/* Changes numbers, element by element, and moves none. */
static inline bool op_calculates(enum op_kind kind)
{
	return kind >= OP_ADD;
}

struct op {
	enum op_kind kind;
	int n_args;
	const int64_t *arg;
	double x;
	const struct op *sub; /* OP_AT */
	int n_sub;
};

/* at() with arithmetic inside: weight_shape has seen that nothing else is inside, and that nothing moves behind it. */
static inline bool op_calculates_slice(const struct op *op)
{
	return op->kind == OP_AT && op->n_sub && op_calculates(op->sub[0].kind);
}

struct shape {
	int rank;
	uint64_t dim[HEFT_MAX_RANK];
};

enum combine { COMBINE_ONE, COMBINE_STACK, COMBINE_JOIN, COMBINE_FLAT /* joined as vectors, whatever their shapes */ };

/* One output tensor. Arrays lie in the arena of whoever made it. */
struct weight {
	const char *name;           /* as written */
	struct shape shape;         /* after the operations; filled by weight_shape */
	const struct heft_tensor *const *source;
	size_t n_sources;
	enum combine combine;
	int join_axis;
	const struct op *op;
	int n_ops;
	const struct heft_encoding *forced; /* the family's `type` row, or NULL */
	bool as_asked;              /* the same: not F32 where the runtime's rules would have it */
	const char *quant;          /* how its target's section wants it stored, "no": not as codes; NULL: nothing is said */
	bool as_stored;             /* its target's section leaves it its own type */
	const float *generated;     /* a `gen` row's values (F32, n_sources 0), or NULL */
};

/* The shape of one operation's result; refuses what does not fit. */
int op_shape(const struct op *op, const struct shape *in, struct shape *out, struct heft_err *err);
/* Fills w->shape from its sources and operations. */
int weight_shape(struct weight *w, struct heft_err *err);
/* Text for people: "copy", "stack 8", "rope(32)", "join(0) take(0, 0, 64)". */
const char *weight_describe(const struct weight *w, struct arena *a);
/* Only moves rows or elements: no arithmetic, no padding value. */
bool weight_moves_only(const struct weight *w);

#endif
