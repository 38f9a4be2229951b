/*
 * op_map.c - the way back from an element of a weight to its source.
 *
 * Every operation that moves data is a map of indices. op_back() turns the index of an element of its result into the index of that element in
 * its input. Runs: an aligned block of `grain` consecutive elements of the result is a block of consecutive elements of one
 * source; op_grain() shrinks it where an operation cuts blocks.
 */
#include "op_map.h"

#include <string.h>

/* ---- runs ---- */

static uint64_t gcd(uint64_t a, uint64_t b)
{
	while (b) {
		uint64_t t = a % b;

		a = b;
		b = t;
	}
	return a;
}

/* The shapes of at()'s slice, before and after each of its operations. */
static bool at_stages(const struct op *op, const struct shape *in, struct shape *stage)
{
	int axis = (int)op->arg[0];
	struct heft_err err;

	if (op->n_sub > OP_MAP_MAX)
		return false;
	stage[0] = *in;
	stage[0].dim[axis] = op->arg[2] < 0 ? in->dim[axis] - (uint64_t)op->arg[1] : (uint64_t)op->arg[2];
	for (int i = 0; i < op->n_sub; i++)
		if (op_shape(&op->sub[i], &stage[i], &stage[i + 1], &err))
			return false;
	return true;
}

/* The grain after an operation whose input has grain g: an aligned block of the result must stay one run of the input. */
static uint64_t op_grain(const struct op *op, const struct shape *in, const struct shape *out, uint64_t g)
{
	struct shape stage[OP_MAP_MAX + 1];
	uint64_t inner, cut = 0;
	int axis = op->n_args ? (int)op->arg[0] : 0;

	switch (op->kind) {
	case OP_PERM:
		inner = 1;
		for (int i = in->rank - 1; i >= 0 && op->arg[i] == i; i--)
			inner *= in->dim[i];
		return gcd(g, inner);
	case OP_TAKE:
		inner = shape_inner(in, axis);
		if (op_take_step(op) > 1)
			return gcd(g, inner);
		if (inner * in->dim[axis] != shape_inner(in, -1)) /* the axis is not the outermost that counts */
			cut = gcd(out->dim[axis], in->dim[axis]);
		return gcd(g, gcd(cut, (uint64_t)op->arg[1]) * inner);
	case OP_AT:
		if (op_calculates_slice(op))
			return g;
		inner = shape_inner(in, axis) * gcd(gcd((uint64_t)op->arg[1], op->arg[2] < 0 ? 0 : (uint64_t)op->arg[2]), in->dim[axis]);
		g = gcd(g, inner);
		if (!at_stages(op, in, stage))
			return gcd(g, 1);
		for (int i = 0; i < op->n_sub; i++)
			g = op_grain(&op->sub[i], &stage[i], &stage[i + 1], g);
		return g;
	case OP_REGROUP:
	case OP_UNGROUP:
		for (int i = 1; i < op->n_args; i++)
			cut = gcd(cut, (uint64_t)op->arg[i]);
		return gcd(g, cut * shape_inner(in, 0));
	case OP_ROPE:
	case OP_UNROPE:
		return gcd(g, shape_inner(in, 0));
	case OP_PAD:
		return gcd(g, gcd(in->dim[axis], out->dim[axis]) * shape_inner(in, axis));
	case OP_PICK:
		return gcd(g, shape_inner(in, axis));
	default:
		return g;
	}
}

static uint64_t combined_grain(const struct weight *w)
{
	uint64_t g = 0;

	for (size_t i = 0; i < w->n_sources; i++) {
		struct shape s;

		shape_of_tensor(w->source[i], &s);
		g = gcd(g, w->combine == COMBINE_JOIN ? shape_inner(&s, w->join_axis - 1) : shape_inner(&s, -1));
	}
	return g;
}

int op_map_init(struct op_map *m, const struct weight *w, struct heft_err *err)
{
	if (w->n_ops > OP_MAP_MAX)
		return heft_fail(err, HEFT_E_LIMIT, "'%s': more than %d operations", w->name, OP_MAP_MAX);
	m->weight = w;
	if (weight_combined_shape(w, &m->stage[0], err))
		return -1;
	m->grain = combined_grain(w);
	for (int i = 0; i < w->n_ops; i++) {
		if (op_shape(&w->op[i], &m->stage[i], &m->stage[i + 1], err))
			return -1;
		m->grain = op_grain(&w->op[i], &m->stage[i], &m->stage[i + 1], m->grain);
	}
	if (!m->grain)
		m->grain = 1;
	return 0;
}

/* ---- indices ---- */

static void unflatten(const struct shape *s, uint64_t flat, uint64_t *index)
{
	for (int i = s->rank - 1; i >= 0; i--) {
		index[i] = flat % s->dim[i];
		flat /= s->dim[i];
	}
}

static uint64_t flatten(const struct shape *s, const uint64_t *index)
{
	uint64_t flat = 0;

	for (int i = 0; i < s->rank; i++)
		flat = flat * s->dim[i] + index[i];
	return flat;
}

static uint64_t regroup_back(const struct op *op, uint64_t row)
{
	uint64_t groups = (uint64_t)op->arg[0], width = 0, before = 0;

	for (int i = 1; i < op->n_args; i++)
		width += (uint64_t)op->arg[i];
	for (int i = 1; i < op->n_args; i++) {
		uint64_t part = (uint64_t)op->arg[i];

		if (row < groups * part)
			return row / part * width + before + row % part;
		row -= groups * part;
		before += part;
	}
	return row;
}

static uint64_t ungroup_back(const struct op *op, uint64_t row)
{
	uint64_t groups = (uint64_t)op->arg[0], width = 0, base = 0, at;

	for (int i = 1; i < op->n_args; i++)
		width += (uint64_t)op->arg[i];
	if (!width) /* op_shape lets no such operation in */
		return row;
	at = row % width;
	for (int i = 1; i < op->n_args; i++) {
		uint64_t part = (uint64_t)op->arg[i];

		if (at < part)
			return base + row / width * part + at;
		at -= part;
		base += groups * part;
	}
	return row;
}

static uint64_t rope_back(const struct op *op, uint64_t rows, uint64_t row)
{
	uint64_t head = rows / (uint64_t)op->arg[0], dim = op_rope_dim(op, rows), at = row % head;

	if (at >= dim)
		return row;
	at = op->kind == OP_ROPE ? at % 2 * (dim / 2) + at / 2 : at % (dim / 2) * 2 + at / (dim / 2);
	return row - row % head + at;
}

/* Turns the index of an element of the result into that of the input. False: a padding value, no source. */
static bool op_back(const struct op *op, const struct shape *in, const struct shape *out, uint64_t *index)
{
	uint64_t was[HEFT_MAX_RANK];
	int axis = op->n_args ? (int)op->arg[0] : 0;

	switch (op->kind) {
	case OP_VIEW:
		unflatten(in, flatten(out, index), index);
		break;
	case OP_PERM:
		memcpy(was, index, sizeof was);
		for (int i = 0; i < out->rank; i++)
			index[op->arg[i]] = was[i];
		break;
	case OP_TAKE:
		index[axis] = (uint64_t)op->arg[1] + index[axis] * op_take_step(op);
		break;
	case OP_REGROUP:
		index[0] = regroup_back(op, index[0]);
		break;
	case OP_UNGROUP:
		index[0] = ungroup_back(op, index[0]);
		break;
	case OP_ROPE:
	case OP_UNROPE:
		index[0] = rope_back(op, in->dim[0], index[0]);
		break;
	case OP_PAD:
		return index[axis] < in->dim[axis];
	case OP_PICK:
		index[axis] = (uint64_t)op->arg[1 + index[axis]];
		break;
	default:
		break;
	}
	return true;
}

static bool at_back(const struct op *op, const struct shape *in, uint64_t *index)
{
	struct shape stage[OP_MAP_MAX + 1];
	int axis = (int)op->arg[0];
	uint64_t start = (uint64_t)op->arg[1], n = op->arg[2] < 0 ? in->dim[axis] - start : (uint64_t)op->arg[2];

	if (index[axis] < start || index[axis] - start >= n || !at_stages(op, in, stage))
		return true;
	index[axis] -= start;
	for (int i = op->n_sub - 1; i >= 0; i--)
		op_back(&op->sub[i], &stage[i], &stage[i + 1], index);
	index[axis] += start;
	return true;
}

bool op_map_locate(const struct op_map *m, uint64_t flat, size_t *source, uint64_t *element)
{
	const struct weight *w = m->weight;
	const struct shape *s = &m->stage[w->n_ops];
	uint64_t index[HEFT_MAX_RANK] = { 0 };

	if (w->n_ops) {
		unflatten(s, flat, index);
		for (int i = w->n_ops - 1; i >= 0; i--) {
			const struct op *op = &w->op[i];

			if (!(op->kind == OP_AT ? at_back(op, &m->stage[i], index)
						: op_back(op, &m->stage[i], &m->stage[i + 1], index)))
				return false;
		}
		flat = flatten(&m->stage[0], index);
	}
	*source = 0;
	*element = flat;
	if (w->combine == COMBINE_STACK) {
		uint64_t each = shape_inner(&m->stage[0], 0);

		*source = (size_t)(flat / each);
		*element = flat % each;
	} else if (w->combine == COMBINE_FLAT) {
		struct shape part;

		for (shape_of_tensor(w->source[0], &part); *element >= shape_inner(&part, -1); shape_of_tensor(w->source[*source], &part)) {
			*element -= shape_inner(&part, -1);
			++*source;
		}
	} else if (w->combine == COMBINE_JOIN) {
		struct shape part;

		unflatten(&m->stage[0], flat, index);
		while (index[w->join_axis] >= w->source[*source]->dim[w->join_axis])
			index[w->join_axis] -= w->source[(*source)++]->dim[w->join_axis];
		shape_of_tensor(w->source[*source], &part);
		*element = flatten(&part, index);
	}
	return true;
}
