/*
 * arch_invert.c - map rows read right to left: each tensor of a GGUF finds the row that makes such a name, and becomes
 * what stands on the row's left side, by the inverse operations in the inverse order.
 *
 *	one for one      the operations backwards
 *	{e} stacked      one slice for each place
 *	rows that split  joined again: arch_split.c
 *
 * Whether this gives back what the family would make of the result is not decided here: arch_back.c runs it forward.
 */
#include "arch_rows.h"

#include <string.h>

enum { WEIGHTS_LIMIT = 1 << 18, STEPS_PER_SLICE = 4096, SLICE_OPS = 2 };

/* ---- which rows have an inverse ---- */

static const struct part *captured_part(const struct row *row, int symbol)
{
	for (int i = 0; i < row->left->n; i++)
		if (row->left->part[i].kind != PART_TEXT && row->left->part[i].symbol == symbol && symbol >= 0)
			return &row->left->part[i];
	return NULL;
}

/* The capture that a hole of the right side shows as it is, or NULL. */
static const struct part *shown_part(const struct row *row, const struct part *hole)
{
	if (hole->kind != PART_EXPR || hole->expr->n != 1 || hole->expr->code[0].op != X_NAME)
		return NULL;
	return captured_part(row, hole->expr->code[0].a);
}

static bool is_shown(const struct row *row, int symbol)
{
	for (int i = 0; i < row->right->n; i++)
		if (shown_part(row, &row->right->part[i]) == captured_part(row, symbol))
			return true;
	return false;
}

/* A hole that stands for the same text in every name: its expression asks for no capture. */
static bool is_constant(const struct row *row, const struct part *hole)
{
	if (hole->kind != PART_EXPR)
		return hole->kind == PART_TEXT;
	for (int i = 0; i < hole->expr->n; i++)
		if (hole->expr->code[i].op == X_NAME && captured_part(row, hole->expr->code[i].a))
			return false;
	return true;
}

/* Can the right side be read as a pattern? */
static bool shows_captures(const struct row *row)
{
	for (int i = 0; i < row->right->n; i++)
		if (row->right->part[i].kind != PART_REPEAT && !is_constant(row, &row->right->part[i]) && !shown_part(row, &row->right->part[i]))
			return false;
	return true;
}

static const char *names_no_inverse(const struct arch *a, const struct row *row)
{
	if (row->n_left != 1)
		return "several tensors are joined";
	if (!shows_captures(row))
		return "the name is worked out";
	for (int i = 0; i < row->left->n; i++) {
		const struct part *p = &row->left->part[i];
		if (p->kind == PART_ANY || (p->kind == PART_NUMBER && p->symbol != a->sym.e && !is_shown(row, p->symbol)))
			return "a part of the name is lost";
	}
	return NULL;
}

static bool asks_shape(const struct arch *a, const struct op_row *op)
{
	for (int i = 0; i < op->n_args; i++)
		for (int k = 0; k < op->arg[i]->n; k++)
			if (op->arg[i]->code[k].op == X_NAME && op->arg[i]->code[k].a == a->sym.shape)
				return true;
	return false;
}

static bool has_inverse(enum op_kind kind)
{
	return kind == OP_PERM || kind == OP_AT || kind == OP_REGROUP || kind == OP_UNGROUP || kind == OP_ROPE || kind == OP_UNROPE ||
	       kind == OP_ADD || kind == OP_MUL || kind == OP_NEGEXP || kind == OP_LOGNEG;
}

bool arch_ops_invert(const struct arch *a, const struct op_row *op, int n)
{
	for (int i = 0; i < n; i++) {
		if (op[i].join || !has_inverse(op[i].kind) || asks_shape(a, &op[i]))
			return false;
		for (int k = 0; k < op[i].n_sub; k++) /* at() does not nest */
			if (!has_inverse(op[i].sub[k].kind) || asks_shape(a, &op[i].sub[k]))
				return false;
	}
	return true;
}

static const char *row_no_inverse(const struct arch *a, const struct row *row)
{
	const char *why = names_no_inverse(a, row);
	if (why || arch_split_head(a, row) || row->n_back)
		return why;
	if (row->partial)
		return "it takes a part";
	return arch_ops_invert(a, row->op, row->n_ops) ? NULL : "an operation has no inverse";
}

const char *arch_no_inverse(const struct arch *a, const struct row *row)
{
	const struct rows *rules = &a->rows[ROW_RULE];
	for (size_t i = 0; i < rules->n; i++) /* another spelling of the same will do */
		if (!rules->row[i]->skip && !strcmp(rules->row[i]->right->text, row->right->text) && !row_no_inverse(a, rules->row[i]))
			return NULL;
	return row_no_inverse(a, row);
}

/* ---- operations ---- */

static void invert_perm(struct op *op, struct arena *a)
{
	int64_t *arg = arena_array(a, (size_t)op->n_args, sizeof(*arg));
	for (int i = 0; i < op->n_args; i++)
		if (op->arg[i] >= 0 && op->arg[i] < op->n_args) /* op_shape refuses others */
			arg[op->arg[i]] = i;
	op->arg = arg;
}

static int invert_op(struct env *e, const struct op_row *row, struct op *op)
{
	static const enum op_kind inverse[] = { [OP_REGROUP] = OP_UNGROUP, [OP_UNGROUP] = OP_REGROUP, [OP_ROPE] = OP_UNROPE,
						[OP_UNROPE] = OP_ROPE, [OP_NEGEXP] = OP_LOGNEG, [OP_LOGNEG] = OP_NEGEXP };
	if (arch_make_op(e, row, op))
		return -1;
	switch (op->kind) {
	case OP_PERM:
		invert_perm(op, e->arena);
		return 0;
	case OP_ADD:
		op->x = -op->x;
		return 0;
	case OP_MUL:
		op->x = 1 / op->x;
		return 0;
	case OP_AT:
		return 0;
	default:
		op->kind = inverse[op->kind];
		return 0;
	}
}

int arch_invert_ops(struct env *e, const struct op_row *row, int n, struct op *op)
{
	for (int i = 0; i < n; i++) {
		const struct op_row *from = &row[n - 1 - i];
		struct op *sub = arena_array(e->arena, (size_t)from->n_sub, sizeof(*sub));
		if (invert_op(e, from, &op[i]))
			return -1;
		for (int k = 0; k < from->n_sub; k++)
			if (invert_op(e, &from->sub[from->n_sub - 1 - k], &sub[k]))
				return -1;
		op[i].sub = sub;
		op[i].n_sub = from->n_sub;
	}
	return 0;
}

/* ---- tensors ---- */

struct inverse { /* a row and the pattern of what it makes */
	const struct row *row, *head; /* head: of the rows that split one tensor, or NULL */
	struct pattern made;
	const char *why; /* it has no inverse */
};

struct inverting {
	struct arch_run *run;
	struct inverse *inverse;
	size_t n;
	size_t cap_weights, cap_drops;
	struct map joints; /* by name: index in joint */
	struct split_whole *joint;
	size_t n_joints, cap_joints;
};

static int make_pattern(struct env *e, const struct row *row, struct pattern *p)
{
	*p = *row->right;
	for (int i = 0; i < p->n; i++) {
		struct part *part = &p->part[i];
		const struct pattern alone = { .part = { *part }, .n = 1 };
		if (part->kind == PART_REPEAT) { /* of several outputs one comes back: finish_names */
			*part = (struct part){ .kind = PART_NUMBER, .symbol = part->symbol };
			continue;
		}
		if (!is_constant(row, part)) {
			*part = *shown_part(row, part);
			continue;
		}
		const char *text = template_make(e, &alone);
		if (!text)
			return -1;
		*part = (struct part){ .kind = PART_TEXT, .text = { text, strlen(text) }, .symbol = -1 };
	}
	return 0;
}

static int collect(struct inverting *v)
{
	const struct arch *a = v->run->arch;
	const struct rows *rules = &a->rows[ROW_RULE];
	v->inverse = arena_array(v->run->arena, rules->n, sizeof(*v->inverse));
	for (size_t i = 0; i < rules->n; i++) {
		const struct row *row = rules->row[i];
		if (row->skip)
			continue;
		struct inverse *x = &v->inverse[v->n++];
		*x = (struct inverse){ .row = row, .why = row_no_inverse(a, row) };
		if (shows_captures(row) && make_pattern(&v->run->env, row, &x->made))
			return -1;
		if (!x->why)
			x->head = arch_split_head(a, row);
	}
	return 0;
}

static struct weight *add_weight(struct inverting *v, const char *name)
{
	struct arch_result *out = v->run->out;
	out->weight = arena_grow(v->run->arena, out->weight, &v->cap_weights, out->n_weights + 1, sizeof(*out->weight));
	out->weight[out->n_weights] = (struct weight){ .name = name };
	return &out->weight[out->n_weights++];
}

static void add_source(struct inverting *v, struct weight *w, const struct heft_tensor *t)
{
	const struct heft_tensor **source = arena_alloc(v->run->arena, sizeof(*source));
	*source = t;
	w->source = source;
	w->n_sources = 1;
}

/* The chain that undoes a row's: with room for the slice of a stack behind it. */
static int chain(struct inverting *v, const struct row *row, const struct heft_tensor *t, struct op **op, int *n)
{
	struct arch_run *r = v->run;
	struct shape shape = { .rank = t->rank };
	memcpy(shape.dim, t->dim, sizeof(shape.dim));
	*n = row->n_back ? row->n_back : row->n_ops;
	*op = arena_array(r->arena, (size_t)*n + SLICE_OPS, sizeof(**op));
	return row->n_back ? arch_make_ops(r, row->back, *n, shape, *op) : arch_invert_ops(&r->env, row->op, *n, *op);
}

/* One of a stack: a slice of its first axis, without it. */
static void slice(struct arena *a, struct op *op, int64_t place, const struct shape *stack)
{
	int64_t *take = arena_array(a, 3, sizeof(*take)), *view = arena_array(a, HEFT_MAX_RANK, sizeof(*view));
	take[1] = place;
	take[2] = 1;
	for (int i = 1; i < stack->rank; i++)
		view[i - 1] = (int64_t)stack->dim[i];
	op[0] = (struct op){ .kind = OP_TAKE, .n_args = 3, .arg = take };
	op[1] = (struct op){ .kind = OP_VIEW, .n_args = stack->rank - 1, .arg = view };
}

static int add_stack(struct inverting *v, const struct row *row, const struct heft_tensor *t, const struct op *op, int n,
		     const struct shape *shape)
{
	struct arch_run *r = v->run;
	if (shape->rank < 2 || shape->dim[0] > WEIGHTS_LIMIT - r->out->n_weights)
		return heft_fail(r->err, HEFT_E_SHAPE, "'%s' is no stack, or the model has more than %d tensors", t->name, WEIGHTS_LIMIT);
	r->env.budget += shape->dim[0] * STEPS_PER_SLICE;
	for (uint64_t i = 0; i < shape->dim[0]; i++) {
		int bound = r->env.n_bind;
		if (env_charge(&r->env, 64) || env_bind(&r->env, r->arch->sym.e, v_int((int64_t)i)))
			return -1;
		const char *name = pattern_make(&r->env, row->left);
		r->env.n_bind = bound;
		if (!name)
			return -1;
		struct weight *w = add_weight(v, name);
		struct op *own = (struct op *)arena_memdup(r->arena, op, (size_t)(n + SLICE_OPS) * sizeof(*op));
		slice(r->arena, own + n, (int64_t)i, shape);
		add_source(v, w, t);
		w->op = own;
		w->n_ops = n + SLICE_OPS;
		if (weight_shape(w, r->err))
			return -1;
	}
	return 0;
}

static int add_one(struct inverting *v, const struct row *row, const struct heft_tensor *t)
{
	struct arch_run *r = v->run;
	struct weight made = { .name = t->name };
	struct op *op;
	int n;
	add_source(v, &made, t);
	if (chain(v, row, t, &op, &n))
		return -1;
	made.op = op;
	made.n_ops = n;
	if (weight_shape(&made, r->err))
		return -1;
	if (pattern_has(row->left, r->arch->sym.e) && !is_shown(row, r->arch->sym.e))
		return add_stack(v, row, t, op, n, &made.shape);
	made.name = pattern_make(&r->env, row->left);
	if (!made.name)
		return -1;
	*add_weight(v, made.name) = made;
	return 0;
}

/* ---- splits ---- */

static int place_of(const struct row *head, const struct row *row)
{
	int place = 0;
	for (; head && head != row; head = head->twin)
		place++;
	return place;
}

static int add_part(struct inverting *v, const struct inverse *x, const struct heft_tensor *t)
{
	struct arch_run *r = v->run;
	const char *name = pattern_make(&r->env, x->row->left);
	int place = place_of(x->head, x->row);
	bool found;
	if (!name)
		return -1;
	struct map_slot *slot = map_put(&v->joints, name, strlen(name), &found);
	if (!found) {
		v->joint = arena_grow(r->arena, v->joint, &v->cap_joints, v->n_joints + 1, sizeof(*v->joint));
		slot->value.i = (int64_t)v->n_joints;
		struct split_whole *j = &v->joint[v->n_joints++];
		*j = (struct split_whole){ .head = x->head, .name = name, .at = v->run->out->n_weights };
		for (int i = r->env.bind_base; i < r->env.n_bind && j->n_captures < SPLIT_PARTS; i++)
			j->capture[j->n_captures++] = r->env.bind[i];
		add_weight(v, name);
	}
	struct split_whole *j = &v->joint[slot->value.i];
	if (place >= SPLIT_PARTS || j->head != x->head || j->part[place])
		return heft_fail(r->err, HEFT_E_DUPLICATE, "'%s' becomes a part of '%s' that is there already", t->name, name);
	j->part[place] = t;
	return 0;
}

/* ---- all ---- */

static bool is_generated(const struct arch_run *r, const char *name)
{
	const struct rows *gen = &r->arch->rows[ROW_GEN];
	for (size_t i = 0; i < gen->n; i++)
		if (!strcmp(gen->row[i]->name, name))
			return true;
	return false;
}

static void drop(struct inverting *v, const struct heft_tensor *t)
{
	struct arch_result *out = v->run->out;
	out->drop = arena_grow(v->run->arena, out->drop, &v->cap_drops, out->n_drops + 1, sizeof(*out->drop));
	out->drop[out->n_drops++] = (struct arch_drop){ t->name, "the configuration says it" };
}

/* Does the row make this name? 1 with its captures bound, 0, -1. */
static int makes(struct arch_run *r, const struct inverse *x, const char *name)
{
	int bound = r->env.n_bind;
	bool holds;
	int rc = x->made.n ? pattern_match(&r->env, &x->made, name) : 0;
	if (rc == 1 && x->row->when)
		rc = expr_eval_bool(&r->env, x->row->when, &holds) ? -1 : holds;
	if (rc != 1)
		r->env.n_bind = bound;
	return rc;
}

static int invert(struct inverting *v, const struct heft_tensor *t)
{
	struct arch_run *r = v->run;
	const struct inverse *stuck = NULL;
	int rc;
	for (size_t i = 0; i < v->n; i++) {
		const struct inverse *x = &v->inverse[i];
		if ((rc = makes(r, x, t->name)) < 0)
			return -1;
		if (rc && !x->why)
			return x->head ? add_part(v, x, t) : add_one(v, x->row, t);
		if (rc && !stuck)
			stuck = x;
		r->env.n_bind = r->env.bind_base;
	}
	if (!stuck && r->arch->target) { /* the source's own name */
		struct weight *w = add_weight(v, t->name);
		add_source(v, w, t);
		return weight_shape(w, r->err);
	}
	if (!stuck)
		return heft_fail(r->err, HEFT_E_UNMAPPED, "no row of family %s makes '%s'", r->arch->rows[ROW_ARCH].row[0]->name, t->name);
	return heft_fail(r->err, HEFT_E_UNMAPPED, "%s:%d: the row that makes '%s' has no inverse: %s", stuck->row->file, stuck->row->line,
			 t->name, stuck->why);
}

static int invert_all(struct inverting *v)
{
	struct arch_run *r = v->run;
	for (size_t i = 0; i < r->in->n_tensors; i++) {
		const struct heft_tensor *t = &r->in->tensor[i];
		if (env_charge(&r->env, 64))
			return -1;
		if (r->out->n_weights >= WEIGHTS_LIMIT)
			return heft_fail(r->err, HEFT_E_LIMIT, "the model has more than %d tensors", WEIGHTS_LIMIT);
		if (is_generated(r, t->name))
			drop(v, t);
		else if (invert(v, t))
			return -1;
		r->env.n_bind = r->env.bind_base;
	}
	for (size_t i = 0; i < v->n_joints; i++)
		if (arch_unsplit(v->run, &v->joint[i], &v->run->out->weight[v->joint[i].at]))
			return -1;
	return 0;
}

/* The name by the unpre rows that hold for it. */
static const char *unpre(struct arch_run *r, const char *name)
{
	const struct rows *rows = &r->arch->rows[ROW_UNPRE];
	for (size_t i = 0; i < rows->n && name; i++) {
		struct pattern whole = *rows->row[i]->left;
		bool holds = false;
		if (whole.n < PATTERN_PARTS && !whole.to_end)
			whole.part[whole.n++] = (struct part){ .kind = PART_ANY, .symbol = -1 };
		int rc = pattern_match(&r->env, &whole, name);
		if (rc < 0 || (rc == 1 && expr_eval_bool(&r->env, rows->row[i]->when, &holds)))
			return NULL;
		r->env.n_bind = r->env.bind_base;
		if (holds)
			name = pattern_rewrite(&r->env, rows->row[i]->left, rows->row[i]->right, name);
	}
	return name;
}

static int finish_names(struct arch_run *r)
{
	struct map seen;
	int rc = 0;
	map_init(&seen);
	for (size_t i = 0; i < r->out->n_weights && !rc; i++) {
		struct weight *w = &r->out->weight[i];
		bool found = false;
		w->name = unpre(r, w->name);
		if (!w->name)
			rc = -1;
		else if (map_put(&seen, w->name, strlen(w->name), &found), found)
			rc = heft_fail(r->err, HEFT_E_DUPLICATE, "several tensors would come back as '%s'", w->name);
	}
	map_release(&seen);
	return rc;
}

int arch_invert(struct arch_run *r)
{
	struct inverting v = { .run = r };
	map_init(&v.joints);
	int rc = collect(&v) || invert_all(&v) || finish_names(r) ? -1 : 0;
	map_release(&v.joints);
	return rc;
}
