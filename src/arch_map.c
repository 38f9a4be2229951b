/*
 * arch_map.c - every source tensor finds its row; sources of one output come together as a weight; nothing may be left
 * over, double or missing.
 */
#include "arch_rows.h"

#include <stdlib.h>
#include <string.h>

enum { CAPTURES = 8 };

struct piece { /* one source of a weight */
	int64_t place; /* {e}, or the position among joined patterns */
	const struct heft_tensor *tensor;
};

struct build { /* a weight being made */
	struct weight w;
	const struct row *row;
	struct binding capture[CAPTURES];
	int n_captures;
	bool stack;
	struct piece *piece;
	size_t n, cap;
};

struct mapping {
	struct arch_run *run;
	struct map by_name; /* of outputs: index in build */
	struct build *build;
	size_t n, cap;
	uint64_t *used;     /* by source: elements that outputs took, where a row takes only a part */
	bool *whole;        /* by source: not counted */
	int symbol_l;
};

/* Findings of an expression stand in r->err; they are passed on as findings about a tensor. */
static int tell_error(struct arch_run *r, const char *tensor)
{
	struct heft_err e = *r->err;
	return arch_tell(r, e.code, tensor, NULL, "%s", e.text);
}

static const char *rewrite(struct arch_run *r, const char *name)
{
	const struct rows *pre = &r->arch->rows[ROW_PRE];
	for (size_t i = 0; i < pre->n && name; i++) {
		bool holds;
		if (expr_eval_bool(&r->env, pre->row[i]->when, &holds))
			return NULL;
		if (holds)
			name = pattern_rewrite(&r->env, pre->row[i]->left, pre->row[i]->right, name);
	}
	return name;
}

/* Does a row take this name? 1 with its captures bound and *place set, 0, -1. */
static int row_takes(struct arch_run *r, const struct row *row, const char *name, int *place)
{
	struct env *e = &r->env;
	int bound = e->n_bind;
	for (int k = 0; k < row->n_left; k++) {
		bool holds;
		int rc = pattern_match(e, &row->left[k], name);
		if (rc == 1 && row->when) {
			rc = expr_eval_bool(e, row->when, &holds) ? -1 : holds;
		}
		*place = k;
		if (rc)
			return rc;
		e->n_bind = bound;
	}
	return 0;
}

static int64_t captured(const struct env *e, int symbol)
{
	int64_t v = -1;
	for (int i = e->bind_base; i < e->n_bind; i++)
		if (e->bind[i].symbol == symbol)
			v_as_int(&e->bind[i].value, &v);
	return v;
}

static struct build *new_build(struct mapping *m, const struct row *row, const char *name)
{
	struct arch_run *r = m->run;
	if (m->n == m->cap)
		m->build = arena_grow(r->arena, m->build, &m->cap, m->n + 1, sizeof(*m->build));
	struct build *b = &m->build[m->n++];
	*b = (struct build){ .row = row, .w.name = name };
	if (!row)
		return b;
	b->stack = pattern_has(&row->left[0], r->arch->sym.e);
	for (int i = 0; i < row->right->n && b->stack; i++) {
		const struct part *p = &row->right->part[i];
		for (int k = 0; p->expr && k < p->expr->n; k++)
			if (p->expr->code[k].op == X_NAME && p->expr->code[k].a == r->arch->sym.e)
				b->stack = false;
	}
	for (int i = r->env.bind_base; i < r->env.n_bind && b->n_captures < CAPTURES; i++)
		if (r->env.bind[i].symbol != r->arch->sym.e)
			b->capture[b->n_captures++] = r->env.bind[i];
	return b;
}

static int add_named(struct mapping *m, const struct row *row, int place, const struct heft_tensor *t, const char *name)
{
	struct arch_run *r = m->run;
	bool found;
	struct map_slot *slot = map_put(&m->by_name, name, strlen(name), &found);
	if (!found) {
		slot->value.i = (int64_t)m->n;
		new_build(m, row, name);
	}
	struct build *b = &m->build[slot->value.i];
	if (found && (b->row != row || !row || (!b->stack && row->n_left == 1)))
		return arch_tell(r, HEFT_E_DUPLICATE, t->name, NULL, "it becomes '%s', and so does '%s'", name,
			b->piece[0].tensor->name);
	if (b->n == b->cap)
		b->piece = arena_grow(r->arena, b->piece, &b->cap, b->n + 1, sizeof(*b->piece));
	b->piece[b->n++] = (struct piece){ b->stack ? captured(&r->env, r->arch->sym.e) : place, t };
	return 0;
}

static int add_piece(struct mapping *m, const struct row *row, int place, const struct heft_tensor *t)
{
	const char *name = template_make(&m->run->env, row->right);
	return name ? add_named(m, row, place, t, name) : tell_error(m->run, t->name);
}

/* One row and one source: one output, or several where the template repeats. */
static int apply_row(struct mapping *m, const struct row *row, int place, const struct heft_tensor *t)
{
	struct env *e = &m->run->env;
	const struct part *repeat = NULL;
	struct value list;
	m->run->taken[row->number]++;
	for (int i = 0; i < row->right->n; i++)
		if (row->right->part[i].kind == PART_REPEAT)
			repeat = &row->right->part[i];
	if (!repeat)
		return add_piece(m, row, place, t);
	if (expr_eval(e, repeat->expr, &list) || (list.kind != V_LIST && env_fail(e, "a name repeats over a list")))
		return tell_error(m->run, t->name);
	m->whole[t - m->run->in->tensor] = true;
	int bound = e->n_bind, rc = 0;
	for (size_t i = 0; i < list.list.n && !rc; i++) {
		struct value v = v_load(list.list.item[i], e->arena);
		rc = env_bind(e, repeat->symbol, v) || add_piece(m, row, place, t) ? -1 : 0;
		e->n_bind = bound;
	}
	return rc;
}

static int drop(struct arch_run *r, size_t *cap, const struct heft_tensor *t, const struct row *row)
{
	struct arch_result *out = r->out;
	if (out->n_drops == *cap)
		out->drop = arena_grow(r->arena, out->drop, cap, out->n_drops + 1, sizeof(*out->drop));
	out->drop[out->n_drops++] = (struct arch_drop){ t->name,
		row->name ? arena_strdup(r->arena, row->name) : "not used by the runtime" };
	return 0;
}

static int map_source(struct mapping *m, const struct heft_tensor *t, const char *name, size_t *drops)
{
	struct arch_run *r = m->run;
	const struct rows *rules = &r->arch->rows[ROW_RULE];
	for (size_t i = 0; i < rules->n; i++) {
		const struct row *row = rules->row[i];
		int place, rc = row_takes(r, row, name, &place);
		if (rc < 0)
			return tell_error(r, t->name);
		if (!rc)
			continue;
		r->out->n_taken++;
		if (row->skip) {
			r->taken[row->number]++;
			return drop(r, drops, t, row);
		}
		int64_t l = captured(&r->env, m->symbol_l);
		if (r->layers >= 0 && l >= r->layers)
			return arch_tell(r, HEFT_E_UNMAPPED, t->name, "check the number of layers in the configuration",
				"it is of layer %lld, the model has %lld layers", (long long)l, (long long)r->layers);
		rc = apply_row(m, row, place, t);
		for (row = row->twin; row && !rc; row = row->twin) {
			bool holds;
			if (expr_eval_bool(&r->env, row->when, &holds))
				return tell_error(r, t->name);
			rc = holds ? apply_row(m, row, 0, t) : 0;
		}
		return rc;
	}
	if (r->arch->target)
		return add_named(m, NULL, 0, t, arena_strdup(r->arena, name));
	return arch_tell(r, HEFT_E_UNMAPPED, t->name, "a family file with a row for it can be given with --arch FILE",
			 "family %s has no row for it", r->out->name);
}

static int map_sources(struct mapping *m)
{
	struct arch_run *r = m->run;
	size_t drops = 0;
	for (size_t i = 0; i < r->in->n_tensors; i++) {
		const struct heft_tensor *t = &r->in->tensor[i];
		if (env_charge(&r->env, 64))
			return -1;
		const char *name = rewrite(r, t->name);
		if (!name ? tell_error(r, t->name) : map_source(m, t, name, &drops))
			return -1;
		r->env.n_bind = r->env.bind_base;
	}
	return 0;
}

/* ---- weights ---- */

static int by_place(const void *a, const void *b)
{
	const struct piece *x = a, *y = b;
	if (x->place != y->place)
		return x->place < y->place ? -1 : 1;
	return x->tensor < y->tensor ? -1 : x->tensor > y->tensor;
}

/* Pieces in order, without holes, none twice. */
static int order_pieces(struct arch_run *r, struct build *b)
{
	qsort(b->piece, b->n, sizeof(*b->piece), by_place);
	size_t want = b->stack ? b->n : b->row ? (size_t)b->row->n_left : 1;
	for (size_t i = 0; i < b->n; i++) {
		if (i && b->piece[i].place == b->piece[i - 1].place)
			return arch_tell(r, HEFT_E_DUPLICATE, b->piece[i].tensor->name, NULL,
				"it is the same part of '%s' as '%s'", b->w.name, b->piece[i - 1].tensor->name);
		if (b->piece[i].place != (int64_t)i)
			return arch_tell(r, HEFT_E_TENSOR_MISSING, NULL, "a shard may be missing",
				"part %zu of '%s' is missing", i, b->w.name);
	}
	if (b->n != want)
		return arch_tell(r, HEFT_E_TENSOR_MISSING, NULL, "a shard may be missing",
			"'%s' has %zu of its %zu parts", b->w.name, b->n, want);
	const struct heft_tensor **source = arena_array(r->arena, b->n, sizeof(*source));
	for (size_t i = 0; i < b->n; i++)
		source[i] = b->piece[i].tensor;
	b->w.source = source;
	b->w.n_sources = b->n;
	b->w.combine = b->stack ? COMBINE_STACK : want > 1 ? COMBINE_JOIN : COMBINE_ONE;
	return 0;
}

int arch_bind_shape(struct env *e, int symbol, const struct shape *shape)
{
	struct value *dim = arena_array(e->arena, (size_t)shape->rank, sizeof(*dim));
	for (int i = 0; i < shape->rank; i++)
		dim[i] = v_int((int64_t)shape->dim[i]);
	return env_bind(e, symbol, (struct value){ .kind = V_LIST, .list = { dim, (size_t)shape->rank } });
}

/* Arguments are integers, or lists of them that are spread out. */
static int op_arguments(struct env *e, const struct op_row *row, int n_exprs, struct op *op)
{
	int64_t *arg = NULL;
	size_t n = 0, cap = 0;
	for (int i = 0; i < n_exprs; i++) {
		struct value v;
		if (expr_eval(e, row->arg[i], &v))
			return -1;
		size_t count = v.kind == V_LIST ? v.list.n : 1;
		if (count > 1 << 20 || env_charge(e, count))
			return env_fail(e, "too many arguments");
		arg = arena_grow(e->arena, arg, &cap, n + count + 1, sizeof(*arg));
		for (size_t k = 0; k < count; k++) {
			struct value one = v.kind == V_LIST ? v_load(v.list.item[k], e->arena) : v;
			if (one.kind != V_INT)
				return env_fail(e, "%s where an operation takes integers: '%s'", v_kind_name(one.kind),
					row->arg[i]->text);
			arg[n++] = one.i;
		}
	}
	op->arg = arg;
	op->n_args = (int)n;
	return 0;
}

int arch_make_op(struct env *e, const struct op_row *row, struct op *op)
{
	bool number =
		row->kind == OP_ADD || row->kind == OP_MUL || row->kind == OP_PAD; /* the last argument is a value */
	struct value v;
	*op = (struct op){ .kind = row->kind };
	if (op_arguments(e, row, row->n_args - number, op))
		return -1;
	if (!number)
		return 0;
	if (expr_eval(e, row->arg[row->n_args - 1], &v))
		return -1;
	return v_as_num(&v, &op->x) ? 0 : env_fail(e, "an operation takes a number here, not %s", v_kind_name(v.kind));
}

int arch_make_ops(struct arch_run *r, const struct op_row *row, int n, struct shape shape, struct op *op)
{
	struct env *e = &r->env;
	int bound = e->n_bind;
	for (int i = 0; i < n; i++) {
		struct op *sub = arena_array(r->arena, (size_t)row[i].n_sub, sizeof(*sub));
		struct shape next, slice = shape;
		if (arch_bind_shape(e, r->arch->sym.shape, &shape) || arch_make_op(e, &row[i], &op[i]))
			return -1;
		if (row[i].n_sub && op[i].n_args == 3 && op[i].arg[0] >= 0 && op[i].arg[0] < shape.rank &&
			op[i].arg[2] >= 0)
			slice.dim[op[i].arg[0]] = (uint64_t)op[i].arg[2];
		for (int k = 0; k < row[i].n_sub; k++) /* at() keeps the shape, so each sees the same one */
			if (arch_bind_shape(e, r->arch->sym.shape, &slice) || arch_make_op(e, &row[i].sub[k], &sub[k]))
				return -1;
		op[i].sub = sub;
		op[i].n_sub = row[i].n_sub;
		if (op_shape(&op[i], &shape, &next, r->err))
			return -1;
		shape = next;
		e->n_bind = bound;
	}
	return 0;
}

static int shape_weight(struct arch_run *r, struct build *b)
{
	const struct op_row *row = b->row ? b->row->op : NULL;
	int n = b->row ? b->row->n_ops : 0, rc;
	struct env *e = &r->env;
	for (int i = 0; i < b->n_captures; i++)
		if (env_bind(e, b->capture[i].symbol, b->capture[i].value))
			return -1;
	if (n && row->join) {
		int64_t axis = 0;
		if (row->n_args && expr_eval_int(e, row->arg[0], &axis))
			return -1;
		b->w.join_axis = axis < 0 || axis >= HEFT_MAX_RANK ? HEFT_MAX_RANK : (int)axis;
		row++;
		n--;
	}
	struct op *op = arena_array(r->arena, (size_t)n, sizeof(*op));
	rc = weight_shape(&b->w, r->err) || arch_make_ops(r, row, n, b->w.shape, op) ? -1 : 0;
	b->w.op = op;
	b->w.n_ops = n;
	return rc ? -1 : weight_shape(&b->w, r->err);
}

static uint64_t elements(int rank, const uint64_t *dim)
{
	uint64_t n = 1;
	for (int i = 0; i < rank; i++)
		n *= dim[i];
	return n;
}

/* Rows that take a part must leave nothing: counted per source. */
static void note_use(struct mapping *m, const struct build *b)
{
	bool takes = false;
	for (int i = 0; i < b->w.n_ops; i++)
		takes = takes || b->w.op[i].kind == OP_TAKE || b->w.op[i].kind == OP_PICK;
	for (size_t i = 0; i < b->w.n_sources; i++) {
		size_t s = (size_t)(b->w.source[i] - m->run->in->tensor);
		m->whole[s] = m->whole[s] || !takes || (b->row && b->row->partial) || b->w.n_sources > 1;
		m->used[s] += elements(b->w.shape.rank, b->w.shape.dim);
	}
}

static int check_use(struct mapping *m)
{
	struct arch_run *r = m->run;
	for (size_t i = 0; i < r->in->n_tensors; i++) {
		const struct heft_tensor *t = &r->in->tensor[i];
		if (m->whole[i] || !m->used[i] || m->used[i] == elements(t->rank, t->dim))
			continue;
		if (arch_tell(r, HEFT_E_SHAPE, t->name, NULL, "its rows take %llu of its %llu elements",
			      (unsigned long long)m->used[i], (unsigned long long)elements(t->rank, t->dim)))
			return -1;
	}
	return 0;
}

static const struct heft_kv *find_kv(const struct arch_result *out, const char *suffix)
{
	size_t n = strlen(out->name);
	for (size_t i = 0; i < out->n_kv; i++)
		if (!strncmp(out->kv[i].key, out->name, n) && out->kv[i].key[n] == '.' &&
			!strcmp(out->kv[i].key + n + 1, suffix))
			return &out->kv[i];
	return NULL;
}

/* As many experts as the configuration says: the last ones missing is no hole. */
static int check_experts(struct arch_run *r, const struct build *b)
{
	const struct heft_kv *kv = find_kv(r->out, "expert_count");
	if (!b->stack || !kv || kv->value.array || !strstr(b->w.name, "_exps.") || b->n == kv->value.u)
		return 0;
	return arch_tell(r, HEFT_E_TENSOR_MISSING, NULL, "a shard may be missing",
		"'%s' has %zu experts, the configuration says %llu", b->w.name, b->n, (unsigned long long)kv->value.u);
}

static int choose_quant(struct arch_run *r, struct weight *w)
{
	const struct rows *rows = &r->arch->rows[ROW_QUANT];
	int bound = r->env.n_bind;
	for (size_t i = 0; i < rows->n && !w->quant; i++) {
		int place, rc = row_takes(r, rows->row[i], w->name, &place);
		if (rc < 0)
			return -1;
		if (rc)
			w->quant = arena_strdup(r->arena, rows->row[i]->name);
		r->env.n_bind = bound;
	}
	return 0;
}

static int force_type(struct arch_run *r, struct weight *w)
{
	const struct rows *types = &r->arch->rows[ROW_TYPE];
	int bound = r->env.n_bind;
	for (size_t i = 0; i < types->n && !w->forced && !w->as_asked && !w->as_stored; i++) {
		int place, rc = row_takes(r, types->row[i], w->name, &place);
		if (rc < 0)
			return -1;
		if (rc) {
			w->forced = types->row[i]->type;
			w->as_stored = !strcmp(types->row[i]->name, "stored");
			w->as_asked = !w->forced && !w->as_stored;
		}
		r->env.n_bind = bound;
	}
	return choose_quant(r, w);
}

static int finish_builds(struct mapping *m)
{
	struct arch_run *r = m->run;
	for (size_t i = 0; i < m->n; i++) {
		struct build *b = &m->build[i];
		int rc = order_pieces(r, b);
		r->env.n_bind = r->env.bind_base;
		if (rc || !b->w.n_sources) { /* told */
			if (rc)
				return -1;
			continue;
		}
		if ((shape_weight(r, b) || force_type(r, &b->w)) ? tell_error(r, b->w.source[0]->name) :
								   check_experts(r, b))
			return -1;
		note_use(m, b);
		r->out->weight[r->out->n_weights++] = b->w;
	}
	r->env.n_bind = r->env.bind_base;
	return check_use(m);
}

/* ---- generated and expected ---- */

static int generate(struct mapping *m, const struct row *row)
{
	struct arch_run *r = m->run;
	struct value v;
	bool holds, found;
	if (expr_eval_bool(&r->env, row->when, &holds) || (holds && expr_eval(&r->env, row->expr, &v)))
		return -1;
	if (!holds || v.kind == V_NULL)
		return 0;
	if (v.kind != V_LIST || !v.list.n)
		return heft_fail(r->err, HEFT_E_CONFIG, "%s:%d: '%s' is made of a list, not of %s", row->file,
			row->line, row->name, v_kind_name(v.kind));
	float *f = arena_array(r->arena, v.list.n, sizeof(*f));
	for (size_t i = 0; i < v.list.n; i++) {
		struct value x = v_load(v.list.item[i], r->arena);
		double d;
		if (!v_as_num(&x, &d))
			return heft_fail(r->err, HEFT_E_CONFIG, "%s:%d: '%s' holds %s", row->file, row->line, row->name,
				v_kind_name(x.kind));
		f[i] = (float)d;
	}
	map_put(&m->by_name, row->name, strlen(row->name), &found);
	if (found)
		return arch_tell(r, HEFT_E_DUPLICATE, NULL, NULL, "'%s' is generated, and a source tensor becomes it",
			row->name);
	struct weight w = { .name = arena_strdup(r->arena, row->name), .generated = f, .shape = { 1, { v.list.n } } };
	r->out->weight[r->out->n_weights++] = w;
	return 0;
}

static bool mentions(const struct pattern *t, int symbol)
{
	for (int i = 0; i < t->n; i++)
		for (int k = 0; t->part[i].expr && k < t->part[i].expr->n; k++)
			if (t->part[i].expr->code[k].op == X_NAME && t->part[i].expr->code[k].a == symbol)
				return true;
	return false;
}

/* The outputs that a row expects, once or for each layer. */
static int check_expected(struct mapping *m, const struct row *row)
{
	struct arch_run *r = m->run;
	struct env *e = &r->env;
	bool each = mentions(row->right, m->symbol_l), holds;
	int rc = 0;
	for (int64_t l = 0; l < (each ? r->layers : 1) && !rc; l++) {
		if (env_charge(e, 16) || env_bind(e, m->symbol_l, v_int(l)) || expr_eval_bool(e, row->when, &holds))
			return -1;
		const char *name = holds ? template_make(e, row->right) : NULL;
		e->n_bind = e->bind_base;
		if (holds && !name)
			return -1;
		if (holds && !map_find(&m->by_name, name, strlen(name)))
			rc = arch_tell(r, HEFT_E_TENSOR_MISSING, NULL,
				"a shard may be missing, or the configuration is of another model",
				"nothing becomes '%s', which family %s needs", name, r->out->name);
	}
	return rc;
}

static int map_all(struct mapping *m)
{
	struct arch_run *r = m->run;
	const struct rows *gen = &r->arch->rows[ROW_GEN], *expect = &r->arch->rows[ROW_EXPECT];
	if (map_sources(m))
		return -1;
	r->out->weight = arena_array(r->arena, m->n + gen->n, sizeof(struct weight));
	for (size_t i = 0; i < gen->n && !r->in->partial; i++)
		if (generate(m, gen->row[i]))
			return -1;
	if (finish_builds(m))
		return -1;
	for (size_t i = 0; i < expect->n && !r->in->partial; i++)
		if (check_expected(m, expect->row[i]))
			return -1;
	return 0;
}

static void note_uses(struct arch_run *r)
{
	const struct rows *rules = &r->arch->rows[ROW_RULE];
	struct arch_result *out = r->out;
	out->use = arena_array(r->arena, rules->n, sizeof(*out->use));
	out->n_uses = rules->n;
	for (size_t i = 0; i < rules->n; i++) {
		const struct row *row = rules->row[i];
		out->use[i] = (struct arch_use){ arena_strdup(r->arena, row->file), arena_strdup(r->arena, row->text), row->line,
			r->taken[i] };
	}
}

static bool is_taken(struct arch_run *r, const char *name)
{
	const struct rows *rules = &r->arch->rows[ROW_RULE];
	int place, found = 0;
	name = rewrite(r, name);
	for (size_t i = 0; i < rules->n && name && found <= 0; i++)
		found = row_takes(r, rules->row[i], name, &place);
	r->env.n_bind = r->env.bind_base;
	return found > 0;
}

size_t arch_takes(const struct arch *a, const struct arch_input *in)
{
	struct arena *arena = arena_new();
	struct arch_run *r = arena_alloc(arena, sizeof(*r));
	struct arch_result out;
	struct heft_err err;
	size_t n = 0;
	if (!arch_run_init(r, a, in, &out, arena, NULL, &err))
		for (size_t i = 0; i < in->n_tensors && !env_charge(&r->env, 64); i++)
			n += is_taken(r, in->tensor[i].name);
	arch_run_release(r);
	arena_free(arena);
	return n;
}

int arch_map(struct arch_run *r)
{
	const struct map_slot *l = map_find(&r->arch->symbols.map, "l", 1);
	struct mapping m = { .run = r, .symbol_l = l ? (int)l->value.i : -1 };
	m.used = arena_array(r->arena, r->in->n_tensors, sizeof(*m.used));
	m.whole = arena_array(r->arena, r->in->n_tensors, sizeof(*m.whole));
	r->taken = arena_array(r->arena, r->arch->rows[ROW_RULE].n, sizeof(*r->taken));
	map_init(&m.by_name);
	int rc = map_all(&m);
	map_release(&m.by_name);
	note_uses(r);
	return rc;
}
