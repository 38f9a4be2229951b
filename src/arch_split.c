/*
 * arch_split.c - map rows that split a tensor, read right to left: the parts become one again.
 *
 *	source --A--> whole --take--> slice --B--> part      A, take, B: a row's operations; A is the same in all rows
 *
 * Where A and B are nothing, the parts are joined along the axis that they were taken from. Else they are joined as flat vectors: B's inverse works
 * on its own stretch, the stretches are woven together, and A's inverse, or what the first row says behind `back`, makes the source of it.
 *
 *	a a a a b b         the parts, one behind the other
 *	a' a' a' a' b' b'   at(): each by the inverse of its B
 *	a' a' b' a' a' b'   ungroup: in turn, for each index before the axis (for each row, where the rows take every second or third)
 *
 * Refuses slices that leave something between them or have another shape than the parts in the file.
 */
#include "arch_rows.h"

#include <string.h>

/* ---- which rows can ---- */

static bool same_left(const struct row *a, const struct row *b)
{
	return !a->skip && !b->skip && a->n_left == 1 && b->n_left == 1 && a->file == b->file && !strcmp(a->left->text, b->left->text);
}

/* The place of take() among the operations, n_ops where there is none. */
static int take_of(const struct row *row)
{
	int i = 0;
	while (i < row->n_ops && (row->op[i].kind != OP_TAKE || row->op[i].join))
		i++;
	return i;
}

static bool only_moves(const struct op_row *op, int n)
{
	for (int i = 0; i < n; i++)
		if (op_calculates(op[i].kind) || op[i].kind == OP_AT)
			return false;
	return true;
}

static bool joins_again(const struct arch *a, const struct row *row, const struct row *head)
{
	int t = take_of(row);
	return t < row->n_ops && !row->partial && t == take_of(head) && only_moves(row->op, row->n_ops) &&
	       (head->n_back || arch_ops_invert(a, row->op, t)) && arch_ops_invert(a, row->op + t + 1, row->n_ops - t - 1) &&
	       (row == head || !row->n_back);
}

const struct row *arch_split_head(const struct arch *a, const struct row *row)
{
	const struct rows *rules = &a->rows[ROW_RULE];
	const struct row *head = NULL;
	for (size_t i = 0; i < rules->n; i++) {
		const struct row *r = rules->row[i];
		if (!same_left(r, row))
			continue;
		head = head ? head : r;
		if (!joins_again(a, r, head))
			return NULL;
	}
	return head && head->twin && !pattern_has(row->left, a->sym.e) ? head : NULL;
}

/* ---- the parts ---- */

struct joining {
	struct arch_run *run;
	const struct split_whole *split;
	struct weight *w;
	const struct row *row[SPLIT_PARTS];
	struct shape slice[SPLIT_PARTS]; /* of each part before its B */
	struct op *undo[SPLIT_PARTS];    /* B's inverse */
	int n_undo[SPLIT_PARTS], n;
	struct shape whole;
	int axis;
	bool in_turn; /* the rows take every n-th */
};

static uint64_t elements(const struct shape *s, int from)
{
	uint64_t n = 1;
	for (int i = from; i < s->rank; i++)
		n *= s->dim[i];
	return n;
}

static int add_part(struct joining *j, const struct row *row)
{
	struct arch_run *r = j->run;
	int t = take_of(row), n = row->n_ops - t - 1, i = j->n;
	const struct heft_tensor *part = i < SPLIT_PARTS ? j->split->part[i] : NULL;
	if (!part)
		return heft_fail(r->err, HEFT_E_TENSOR_MISSING, "'%s' lacks the part that %s:%d takes", j->split->name, row->file, row->line);
	struct shape s = { .rank = part->rank }, next;
	memcpy(s.dim, part->dim, sizeof(s.dim));
	j->row[i] = row;
	j->n_undo[i] = n;
	j->undo[i] = arena_array(r->arena, (size_t)n, sizeof(**j->undo));
	if (arch_invert_ops(&r->env, row->op + t + 1, n, j->undo[i]))
		return -1;
	for (int k = 0; k < n; k++, s = next)
		if (op_shape(&j->undo[i][k], &s, &next, r->err))
			return -1;
	j->slice[i] = s;
	j->n++;
	return elements(&s, 0) ? 0 : heft_fail(r->err, HEFT_E_SHAPE, "'%s' is empty", part->name);
}

static int measure(struct joining *j)
{
	struct arch_run *r = j->run;
	const struct row *head = j->split->head;
	int64_t axis;
	if (!head || expr_eval_int(&r->env, head->op[take_of(head)].arg[0], &axis))
		return -1;
	j->whole = j->slice[0];
	j->axis = (int)axis;
	if (axis < 0 || axis >= j->whole.rank)
		return heft_fail(r->err, HEFT_E_SHAPE, "'%s': no axis %lld to join along", j->split->name, (long long)axis);
	for (int i = 1; i < j->n; i++) {
		struct shape as = j->slice[i];
		as.dim[axis] = j->slice[0].dim[axis];
		if (as.rank != j->slice[0].rank || memcmp(as.dim, j->slice[0].dim, (size_t)as.rank * sizeof(*as.dim)) ||
		    __builtin_add_overflow(j->whole.dim[axis], j->slice[i].dim[axis], &j->whole.dim[axis]))
			return heft_fail(r->err, HEFT_E_SHAPE, "'%s' and '%s' do not join along axis %d", j->split->part[0]->name,
					 j->split->part[i]->name, j->axis);
	}
	return 0;
}

/* Does the row's take() give this part of the whole, at its place? */
static int check_slice(struct joining *j, int i, uint64_t at)
{
	struct arch_run *r = j->run;
	const struct row *row = j->row[i];
	struct op op;
	struct shape s;
	if (arch_bind_shape(&r->env, r->arch->sym.shape, &j->whole) || arch_make_op(&r->env, &row->op[take_of(row)], &op) ||
	    op_shape(&op, &j->whole, &s, r->err))
		return -1;
	bool turns = op.n_args > 3 && op.arg[3] > 1;
	if (!i)
		j->in_turn = turns;
	bool placed = turns ? op.arg[3] == j->n && op.arg[1] == i : (uint64_t)op.arg[1] == at;
	if (op.arg[0] != j->axis || turns != j->in_turn || !placed || s.dim[j->axis] != j->slice[i].dim[j->axis])
		return heft_fail(r->err, HEFT_E_SHAPE, "'%s' is not the part of '%s' that %s:%d takes", j->split->part[i]->name, j->w->name,
				 row->file, row->line);
	return 0;
}

static int check_slices(struct joining *j)
{
	uint64_t at = 0;
	for (int i = 0; i < j->n; i++) {
		if (check_slice(j, i, at))
			return -1;
		at += j->slice[i].dim[j->axis];
	}
	return 0;
}

/* A stands in every row; another one would have made other parts. */
static int check_before(struct joining *j)
{
	struct arch_run *r = j->run;
	int n = take_of(j->row[0]);
	for (int i = 1; i < j->n; i++)
		for (int k = 0; k < n; k++) {
			struct op a, b;
			if (arch_bind_shape(&r->env, r->arch->sym.shape, &j->whole) || arch_make_op(&r->env, &j->row[0]->op[k], &a) ||
			    arch_make_op(&r->env, &j->row[i]->op[k], &b))
				return -1;
			if (a.kind != b.kind || a.n_args != b.n_args || memcmp(a.arg, b.arg, (size_t)a.n_args * sizeof(*a.arg)))
				return heft_fail(r->err, HEFT_E_SHAPE, "%s:%d: what stands before take() differs from %s:%d", j->row[i]->file,
						 j->row[i]->line, j->row[0]->file, j->row[0]->line);
		}
	return 0;
}

/* ---- the whole ---- */

static struct op *put(struct joining *j, enum op_kind kind, int n_args)
{
	struct op *op = (struct op *)&j->w->op[j->w->n_ops++];
	*op = (struct op){ .kind = kind, .n_args = n_args, .arg = arena_array(j->run->arena, (size_t)n_args, sizeof(*op->arg)) };
	return op;
}

static void set_view(struct op *op, const struct shape *s, struct arena *a)
{
	int64_t *arg = arena_array(a, HEFT_MAX_RANK, sizeof(*arg));
	for (int i = 0; i < s->rank; i++)
		arg[i] = (int64_t)s->dim[i];
	*op = (struct op){ .kind = OP_VIEW, .n_args = s->rank, .arg = arg };
}

/* B's inverse on the part's own stretch. */
static void put_stretch(struct joining *j, int i, uint64_t at)
{
	struct arena *a = j->run->arena;
	uint64_t n = elements(&j->slice[i], 0);
	struct shape part = { .rank = j->split->part[i]->rank }, flat = { .rank = 1, .dim = { n } };
	struct op *sub = arena_array(a, (size_t)j->n_undo[i] + 2, sizeof(*sub));
	if (!j->n_undo[i])
		return;
	struct op *op = put(j, OP_AT, 3);
	memcpy(part.dim, j->split->part[i]->dim, sizeof(part.dim));
	set_view(&sub[0], &part, a);
	memcpy(sub + 1, j->undo[i], (size_t)j->n_undo[i] * sizeof(*sub));
	set_view(&sub[j->n_undo[i] + 1], &flat, a);
	((int64_t *)op->arg)[0] = 0;
	((int64_t *)op->arg)[1] = (int64_t)at;
	((int64_t *)op->arg)[2] = (int64_t)n;
	op->sub = sub;
	op->n_sub = j->n_undo[i] + 2;
}

static void weave(struct joining *j)
{
	struct op *op = put(j, OP_UNGROUP, j->n + 1);
	int64_t *arg = (int64_t *)op->arg;
	uint64_t inner = elements(&j->whole, j->axis + 1), groups = elements(&j->slice[0], 0) / elements(&j->slice[0], j->axis);
	arg[0] = (int64_t)(j->in_turn ? groups * j->slice[0].dim[j->axis] : groups);
	for (int i = 0; i < j->n; i++)
		arg[i + 1] = (int64_t)(j->in_turn ? inner : inner * j->slice[i].dim[j->axis]);
}

static int undo_before(struct joining *j)
{
	struct arch_run *r = j->run;
	const struct row *head = j->split->head;
	int n = head->n_back ? head->n_back : take_of(head);
	struct op *op = (struct op *)j->w->op + j->w->n_ops;
	j->w->n_ops += n;
	return head->n_back ? arch_make_ops(r, head->back, n, j->whole, op) : arch_invert_ops(&r->env, head->op, n, op);
}

static int join_flat(struct joining *j)
{
	uint64_t at = 0;
	const struct row *head = j->split->head;
	size_t room = SPLIT_PARTS + 2 + (size_t)(head->n_ops > head->n_back ? head->n_ops : head->n_back);
	j->w->combine = COMBINE_FLAT;
	j->w->op = arena_array(j->run->arena, room, sizeof(*j->w->op));
	for (int i = 0; i < j->n; i++) {
		put_stretch(j, i, at);
		at += elements(&j->slice[i], 0);
	}
	weave(j);
	set_view(put(j, OP_VIEW, 0), &j->whole, j->run->arena);
	return undo_before(j);
}

static int join_plain(struct joining *j)
{
	j->w->combine = COMBINE_JOIN;
	j->w->join_axis = j->axis;
	return 0;
}

static bool is_plain(const struct joining *j)
{
	for (int i = 0; i < j->n; i++)
		if (j->row[i]->n_ops != 1)
			return false;
	return !j->in_turn && !j->split->head->n_back;
}

int arch_unsplit(struct arch_run *r, const struct split_whole *s, struct weight *w)
{
	struct joining j = { .run = r, .split = s, .w = w };
	int bound = r->env.n_bind, rc = 0;
	for (int i = 0; i < s->n_captures && !rc; i++)
		rc = env_bind(&r->env, s->capture[i].symbol, s->capture[i].value);
	for (const struct row *row = s->head; row && !rc; row = row->twin)
		rc = add_part(&j, row);
	rc = rc || measure(&j) || check_slices(&j) || check_before(&j);
	if (!rc) {
		w->source = (const struct heft_tensor *const *)arena_memdup(r->arena, s->part, sizeof(s->part));
		w->n_sources = (size_t)j.n;
		rc = (is_plain(&j) ? join_plain(&j) : join_flat(&j)) || weight_shape(w, r->err);
	}
	r->env.n_bind = bound;
	return rc ? -1 : 0;
}
