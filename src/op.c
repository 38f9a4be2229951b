/*
 * op.c - shapes of operations, and what they are called. Refuses what does not fit the shape that it is for.
 */
#include "op.h"

#include "../base/json.h"
#include "op_map.h"

#include <inttypes.h>
#include <string.h>

static bool shape_count(const struct shape *s, int from, uint64_t *out)
{
	uint64_t n = 1;

	for (int i = from; i < s->rank; i++)
		if (__builtin_mul_overflow(n, s->dim[i], &n))
			return false;
	*out = n;
	return true;
}

uint64_t shape_inner(const struct shape *s, int axis)
{
	uint64_t n = 1;

	shape_count(s, axis + 1, &n);
	return n;
}

/* ---- shapes ---- */

static int bad_axis(int64_t axis, const struct shape *in, const char *name, struct heft_err *err)
{
	if (axis >= 0 && axis < in->rank)
		return 0;
	return heft_fail(err, HEFT_E_SHAPE, "%s: axis %" PRId64 " of a tensor of rank %d", name, axis, in->rank);
}

static int view_shape(const struct op *op, const struct shape *in, struct shape *out, struct heft_err *err)
{
	uint64_t total = 0, known = 1;
	int open = -1;

	shape_count(in, 0, &total);
	out->rank = op->n_args;
	for (int i = 0; i < op->n_args; i++) {
		if (op->arg[i] == -1 && open < 0)
			open = i;
		else if (op->arg[i] < 0 || __builtin_mul_overflow(known, (uint64_t)op->arg[i], &known))
			return heft_fail(err, HEFT_E_SHAPE, "view: bad dimension %" PRId64, op->arg[i]);
		else
			out->dim[i] = (uint64_t)op->arg[i];
	}
	if (open >= 0 && known && total % known == 0)
		out->dim[open] = total / known;
	else if (open >= 0 || known != total)
		return heft_fail(err, HEFT_E_SHAPE, "view: %" PRIu64 " elements do not fill the shape", total);
	return 0;
}

static int perm_shape(const struct op *op, const struct shape *in, struct shape *out, struct heft_err *err)
{
	unsigned seen = 0;

	if (op->n_args != in->rank)
		return heft_fail(err, HEFT_E_SHAPE, "perm: %d axes for a tensor of rank %d", op->n_args, in->rank);
	for (int i = 0; i < op->n_args; i++) {
		if (bad_axis(op->arg[i], in, "perm", err))
			return -1;
		seen |= 1u << op->arg[i];
		out->dim[i] = in->dim[op->arg[i]];
	}
	if (seen != (1u << in->rank) - 1)
		return heft_fail(err, HEFT_E_SHAPE, "perm: an axis stands twice");
	return 0;
}

uint64_t op_take_step(const struct op *op)
{
	return op->n_args > 3 && op->arg[3] > 0 ? (uint64_t)op->arg[3] : 1;
}

/* start, n of take() and at() against the axis; n -1 reaches to the end */
static int slice(const struct op *op, const struct shape *in, const char *name, uint64_t *start, uint64_t *n,
		 struct heft_err *err)
{
	uint64_t dim, step = op->kind == OP_TAKE ? op_take_step(op) : 1;

	if (op->n_args < 3 || bad_axis(op->arg[0], in, name, err))
		return op->n_args < 3 ? heft_fail(err, HEFT_E_SHAPE, "%s: needs axis, start, count", name) : -1;
	dim = in->dim[op->arg[0]];
	if (op->arg[1] < 0 || (uint64_t)op->arg[1] > dim || op->arg[2] < -1)
		return heft_fail(err, HEFT_E_SHAPE, "%s: %" PRId64 " is outside of %" PRIu64 " rows", name, op->arg[1], dim);
	*start = (uint64_t)op->arg[1];
	*n = op->arg[2] < 0 ? (dim - *start + step - 1) / step : (uint64_t)op->arg[2];
	if (*n && (*n - 1 > (dim - *start) / step || *start + (*n - 1) * step >= dim))
		return heft_fail(err, HEFT_E_SHAPE, "%s: %" PRIu64 " from %" PRIu64 " pass the end of %" PRIu64 " rows", name, *n,
				 *start, dim);
	return 0;
}

static int at_shape(const struct op *op, const struct shape *in, struct heft_err *err)
{
	struct shape part = *in, next;
	uint64_t start, n;

	if (slice(op, in, "at", &start, &n, err))
		return -1;
	part.dim[op->arg[0]] = n;
	for (int i = 0; i < op->n_sub; i++) {
		if (op->sub[i].kind == OP_AT)
			return heft_fail(err, HEFT_E_SHAPE, "at: cannot stand inside at");
		if (op_shape(&op->sub[i], &part, &next, err))
			return -1;
		part = next;
	}
	for (int i = 0; i < in->rank; i++)
		if (part.rank != in->rank || part.dim[i] != (i == op->arg[0] ? n : in->dim[i]))
			return heft_fail(err, HEFT_E_SHAPE, "at: its operations must keep the shape");
	return 0;
}

static int regroup_shape(const struct op *op, const struct shape *in, struct heft_err *err)
{
	uint64_t rows = 0;

	for (int i = 1; i < op->n_args; i++) {
		if (op->arg[i] <= 0 || __builtin_add_overflow(rows, (uint64_t)op->arg[i], &rows))
			return heft_fail(err, HEFT_E_SHAPE, "regroup: bad part %" PRId64, op->arg[i]);
	}
	if (op->n_args < 2 || in->rank < 1 || op->arg[0] <= 0 || __builtin_mul_overflow(rows, (uint64_t)op->arg[0], &rows) ||
	    rows != in->dim[0])
		return heft_fail(err, HEFT_E_SHAPE, "regroup: groups and parts do not give the tensor's rows");
	return 0;
}

uint64_t op_rope_dim(const struct op *op, uint64_t rows)
{
	return op->n_args > 1 ? (uint64_t)op->arg[1] : rows / (uint64_t)op->arg[0];
}

static int rope_shape(const struct op *op, const struct shape *in, struct heft_err *err)
{
	uint64_t rows = in->rank ? in->dim[0] : 0;

	if (op->n_args < 1 || op->arg[0] <= 0 || (op->n_args > 1 && op->arg[1] <= 0) || rows % (uint64_t)op->arg[0] ||
	    op_rope_dim(op, rows) > rows / (uint64_t)op->arg[0] || op_rope_dim(op, rows) % 2)
		return heft_fail(err, HEFT_E_SHAPE, "rope: %" PRIu64 " rows are not %" PRId64 " heads of an even size", rows,
				 op->n_args ? op->arg[0] : 0);
	return 0;
}

static int pad_shape(const struct op *op, const struct shape *in, struct shape *out, struct heft_err *err)
{
	if (op->n_args < 2 || bad_axis(op->arg[0], in, "pad", err))
		return op->n_args < 2 ? heft_fail(err, HEFT_E_SHAPE, "pad: needs axis and count") : -1;
	if (op->arg[1] < 0 || (uint64_t)op->arg[1] < in->dim[op->arg[0]])
		return heft_fail(err, HEFT_E_SHAPE, "pad: %" PRIu64 " rows do not fit in %" PRId64, in->dim[op->arg[0]], op->arg[1]);
	out->dim[op->arg[0]] = (uint64_t)op->arg[1];
	return 0;
}

static int pick_shape(const struct op *op, const struct shape *in, struct shape *out, struct heft_err *err)
{
	if (op->n_args < 1 || bad_axis(op->arg[0], in, "pick", err))
		return op->n_args < 1 ? heft_fail(err, HEFT_E_SHAPE, "pick: needs an axis") : -1;
	for (int i = 1; i < op->n_args; i++)
		if (op->arg[i] < 0 || (uint64_t)op->arg[i] >= in->dim[op->arg[0]])
			return heft_fail(err, HEFT_E_SHAPE, "pick: no row %" PRId64, op->arg[i]);
	out->dim[op->arg[0]] = (uint64_t)op->n_args - 1;
	return 0;
}

int op_shape(const struct op *op, const struct shape *in, struct shape *out, struct heft_err *err)
{
	uint64_t start, n;

	*out = *in;
	switch (op->kind) {
	case OP_VIEW:
		return op->n_args > HEFT_MAX_RANK ? heft_fail(err, HEFT_E_SHAPE, "view: too many dimensions")
						  : view_shape(op, in, out, err);
	case OP_PERM:
		return perm_shape(op, in, out, err);
	case OP_TAKE:
		if (slice(op, in, "take", &start, &n, err))
			return -1;
		out->dim[op->arg[0]] = n;
		return 0;
	case OP_AT:
		return at_shape(op, in, err);
	case OP_REGROUP:
	case OP_UNGROUP:
		return regroup_shape(op, in, err);
	case OP_ROPE:
	case OP_UNROPE:
		return rope_shape(op, in, err);
	case OP_PAD:
		return pad_shape(op, in, out, err);
	case OP_PICK:
		return pick_shape(op, in, out, err);
	case OP_ADD:
	case OP_MUL:
	case OP_NEGEXP:
	case OP_LOGNEG:
	case OP_SOFTPLUS:
		return 0;
	}
	return heft_fail(err, HEFT_E_INTERNAL, "no such operation");
}

/* ---- combining sources ---- */

void shape_of_tensor(const struct heft_tensor *t, struct shape *s)
{
	s->rank = t->rank;
	memcpy(s->dim, t->dim, sizeof s->dim);
}

static bool same_but_axis(const struct shape *a, const struct shape *b, int axis)
{
	if (a->rank != b->rank)
		return false;
	for (int i = 0; i < a->rank; i++)
		if (i != axis && a->dim[i] != b->dim[i])
			return false;
	return true;
}

static int flat_shape(const struct weight *w, struct shape *out, struct heft_err *err)
{
	*out = (struct shape){ .rank = 1 };
	for (size_t i = 0; i < w->n_sources; i++) {
		struct shape s;
		uint64_t n;

		shape_of_tensor(w->source[i], &s);
		if (!shape_count(&s, 0, &n) || __builtin_add_overflow(out->dim[0], n, &out->dim[0]))
			return heft_fail(err, HEFT_E_SHAPE, "'%s': too many elements", w->name);
	}
	return 0;
}

int weight_combined_shape(const struct weight *w, struct shape *out, struct heft_err *err)
{
	struct shape first, s;
	int axis = w->combine == COMBINE_JOIN ? w->join_axis : -1;

	if (w->combine == COMBINE_FLAT)
		return flat_shape(w, out, err);
	shape_of_tensor(w->source[0], &first);
	*out = first;
	if (w->combine == COMBINE_JOIN && (axis < 0 || axis >= first.rank))
		return heft_fail(err, HEFT_E_SHAPE, "'%s': no axis %d to join along", w->name, axis);
	for (size_t i = 1; i < w->n_sources; i++) {
		shape_of_tensor(w->source[i], &s);
		if (!same_but_axis(&first, &s, axis))
			return heft_fail(err, HEFT_E_SHAPE, "'%s': '%s' and '%s' differ in shape", w->name, w->source[0]->name,
					 w->source[i]->name);
		if (axis >= 0 && __builtin_add_overflow(out->dim[axis], s.dim[axis], &out->dim[axis]))
			return heft_fail(err, HEFT_E_SHAPE, "'%s': too many rows", w->name);
	}
	if (w->combine == COMBINE_STACK) {
		if (first.rank >= HEFT_MAX_RANK)
			return heft_fail(err, HEFT_E_SHAPE, "'%s': too many dimensions", w->name);
		out->rank = first.rank + 1;
		memcpy(out->dim + 1, first.dim, (HEFT_MAX_RANK - 1) * sizeof *first.dim);
		out->dim[0] = w->n_sources;
	}
	return 0;
}

/* Numbers are calculated last, so what is calculated on a slice must be the same slice of the result. */
static int check_sliced_arithmetic(const struct weight *w, struct heft_err *err)
{
	bool late = false;

	for (int i = 0; i < w->n_ops; i++) {
		const struct op *op = &w->op[i];
		bool here = op_calculates_slice(op), mixed = false;

		for (int k = 1; k < op->n_sub; k++)
			mixed |= op_calculates(op->sub[k].kind) != here;
		if (mixed || (late && !here && !op_calculates(op->kind)))
			return heft_fail(err, HEFT_E_SHAPE, "'%s': arithmetic inside at() must stand alone there, and behind all that moves", w->name);
		late |= here;
	}
	return 0;
}

int weight_shape(struct weight *w, struct heft_err *err)
{
	struct shape in;
	uint64_t n;

	if (w->generated)
		return 0;
	if (!w->n_sources || weight_combined_shape(w, &w->shape, err))
		return w->n_sources ? -1 : heft_fail(err, HEFT_E_INTERNAL, "'%s' has no source", w->name);
	for (int i = 0; i < w->n_ops; i++) {
		struct heft_err why;

		in = w->shape;
		if (op_shape(&w->op[i], &in, &w->shape, &why))
			return heft_fail(err, why.code, "'%s' from '%s': %s", w->name, w->source[0]->name, why.text);
	}
	if (!shape_count(&w->shape, 0, &n))
		return heft_fail(err, HEFT_E_SHAPE, "'%s': too many elements", w->name);
	return check_sliced_arithmetic(w, err);
}

/* ---- text ---- */

static const char *const op_names[] = {
	[OP_VIEW] = "view", [OP_PERM] = "perm", [OP_TAKE] = "take", [OP_AT] = "at", [OP_REGROUP] = "regroup",
	[OP_UNGROUP] = "ungroup", [OP_ROPE] = "rope", [OP_UNROPE] = "unrope", [OP_PAD] = "pad", [OP_PICK] = "pick",
	[OP_ADD] = "add", [OP_MUL] = "mul", [OP_NEGEXP] = "negexp", [OP_LOGNEG] = "logneg", [OP_SOFTPLUS] = "softplus",
};

static void describe_ops(struct jbuf *b, const struct op *op, int n)
{
	for (int i = 0; i < n; i++) {
		jbuf_printf(b, "%s%s(", b->n ? " " : "", op_names[op[i].kind]);
		for (int k = 0; k < op[i].n_args && k < 8; k++)
			jbuf_printf(b, "%s%" PRId64, k ? ", " : "", op[i].arg[k]);
		if (op[i].kind == OP_ADD || op[i].kind == OP_MUL)
			jbuf_printf(b, "%g", op[i].x);
		if (op[i].n_args > 8)
			jbuf_printf(b, ", ...");
		if (op[i].n_sub) /* at() does not nest, so this goes one level down */
			describe_ops(b, op[i].sub, op[i].n_sub);
		jbuf_printf(b, ")");
	}
}

const char *weight_describe(const struct weight *w, struct arena *a)
{
	struct jbuf b = { 0 };
	const char *s;

	if (w->generated)
		return "generate";
	if (w->combine == COMBINE_STACK)
		jbuf_printf(&b, "stack %zu", w->n_sources);
	else if (w->combine == COMBINE_JOIN)
		jbuf_printf(&b, "join(%d)", w->join_axis);
	else if (w->combine == COMBINE_FLAT)
		jbuf_printf(&b, "join flat");
	if (w->n_sources && w->source[0]->lora)
		jbuf_printf(&b, "%slora", b.n ? " " : "");
	describe_ops(&b, w->op, w->n_ops);
	s = b.n ? arena_memdup(a, b.p, b.n) : "copy";
	jbuf_release(&b);
	return s;
}

bool weight_moves_only(const struct weight *w)
{
	for (int i = 0; i < w->n_ops; i++) {
		const struct op *op = &w->op[i];

		if (op_calculates(op->kind) || op->kind == OP_PAD)
			return false;
		for (int k = 0; k < op->n_sub; k++)
			if (op_calculates(op->sub[k].kind) || op->sub[k].kind == OP_PAD)
				return false;
	}
	for (size_t i = 0; i < w->n_sources; i++)
		if (w->source[i]->lora)
			return false;
	return !w->generated;
}
