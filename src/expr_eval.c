/*
 * expr_eval.c - runs the code of an expression. Every instruction costs a step of the environment's budget, every list
 * its length.
 */
#include "expr.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

int (env_fail)(struct env *e, const char *fmt, ...)
{
	char text[400];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!e->at)
		return heft_fail(e->err, HEFT_E_CONFIG, "%s", text);
	if (e->blame && e->blame(e, text))
		return -1;
	return heft_fail(e->err, HEFT_E_CONFIG, "%s:%d: %s in '%.80s'", e->at->file, e->at->line, text, e->at->text);
}

int env_charge(struct env *e, uint64_t n)
{
	if (n > e->budget) {
		e->budget = 0;
		return env_fail(e, "too much work");
	}
	e->budget -= n;
	return 0;
}

int env_bind(struct env *e, int symbol, struct value v)
{
	if (e->n_bind == ENV_BINDINGS)
		return env_fail(e, "too many names are bound");
	e->bind[e->n_bind++] = (struct binding){ symbol, v };
	return 0;
}

static int push(struct env *e, struct value v)
{
	if (e->sp == ENV_STACK)
		return env_fail(e, "an expression is too deep");
	e->stack[e->sp++] = v;
	return 0;
}

static int look_up(struct env *e, int symbol, struct value *out, bool *has)
{
	for (int i = e->n_bind; i-- > e->bind_base;) {
		if (e->bind[i].symbol != symbol)
			continue;
		*out = e->bind[i].value;
		*has = true;
		return 0;
	}
	*out = v_null();
	*has = false;
	if (e->lookup(e, symbol, out, has))
		return -1;
	if (out->kind == V_JSON) {
		if (env_charge(e, json_count(out->json)))
			return -1;
		*out = v_load(*out, e->arena);
	}
	return 0;
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

static int power(struct env *e, int64_t base, int64_t exponent, struct value *out)
{
	int64_t r = 1;
	if (exponent < 0) {
		*out = v_num(pow((double)base, (double)exponent));
		return 0;
	}
	if (base == 0 || base == 1 || base == -1) {
		*out = v_int(exponent == 0 ? 1 : base == -1 && exponent % 2 == 0 ? 1 : base);
		return 0;
	}
	for (; exponent > 0; exponent--) /* at most 63 rounds: |base| is 2 or more */
		if (__builtin_mul_overflow(r, base, &r))
			return env_fail(e, "an integer is too large");
	*out = v_int(r);
	return 0;
}

static int integers(struct env *e, enum expr_binary op, int64_t a, int64_t b, struct value *out)
{
	int64_t r = 0;
	bool over = false;
	switch (op) {
	case B_ADD: over = __builtin_add_overflow(a, b, &r); break;
	case B_SUB: over = __builtin_sub_overflow(a, b, &r); break;
	case B_MUL: over = __builtin_mul_overflow(a, b, &r); break;
	case B_POW: return power(e, a, b, out);
	default:
		if (!b)
			return env_fail(e, "a division by zero");
		over = a == INT64_MIN && b == -1;
		if (!over)
			r = op == B_FLOOR ? floor_div(a, b) : a - floor_div(a, b) * b;
	}
	*out = v_int(r);
	return over ? env_fail(e, "an integer is too large") : 0;
}

static int doubles(struct env *e, enum expr_binary op, double a, double b, struct value *out)
{
	double r = 0;
	if ((op == B_DIV || op == B_FLOOR || op == B_MOD) && b == 0)
		return env_fail(e, "a division by zero");
	switch (op) {
	case B_ADD: r = a + b; break;
	case B_SUB: r = a - b; break;
	case B_MUL: r = a * b; break;
	case B_DIV: r = a / b; break;
	case B_FLOOR: r = floor(a / b); break;
	case B_MOD: r = a - floor(a / b) * b; break;
	default: r = pow(a, b);
	}
	*out = v_num(r);
	return 0;
}

static int arithmetic(
	struct env *e, enum expr_binary op, const struct value *a, const struct value *b, struct value *out)
{
	int64_t i, j;
	double x, y;
	if (op != B_DIV && v_as_int(a, &i) && v_as_int(b, &j))
		return integers(e, op, i, j, out);
	if (v_as_num(a, &x) && v_as_num(b, &y))
		return doubles(e, op, x, y, out);
	e->missing = a->kind == V_NULL || b->kind == V_NULL;
	return env_fail(e, "%s where a number is needed",
		v_kind_name(a->kind >= V_INT && a->kind <= V_NUM ? b->kind : a->kind));
}

static int join(struct env *e, const struct value *a, const struct value *b, struct value *out)
{
	if (a->kind == V_STR && b->kind == V_STR) {
		if (env_charge(e, a->s.n + b->s.n))
			return -1;
		char *s = arena_alloc(e->arena, a->s.n + b->s.n + 1);
		memcpy(s, a->s.p, a->s.n);
		memcpy(s + a->s.n, b->s.p, b->s.n);
		*out = (struct value){ .kind = V_STR, .s = { s, a->s.n + b->s.n } };
		return 0;
	}
	if (a->kind != V_LIST || b->kind != V_LIST)
		return env_fail(
			e, "'++' joins lists or strings, not %s and %s", v_kind_name(a->kind), v_kind_name(b->kind));
	size_t n = a->list.n + b->list.n;
	if (env_charge(e, n))
		return -1;
	struct value *item = arena_array(e->arena, n, sizeof(*item));
	if (a->list.n)
		memcpy(item, a->list.item, a->list.n * sizeof(*item));
	if (b->list.n)
		memcpy(item + a->list.n, b->list.item, b->list.n * sizeof(*item));
	*out = (struct value){ .kind = V_LIST, .list = { item, n } };
	return 0;
}

/* Lists are walked with a stack of those that are being looked into. */
int env_equal(struct env *e, const struct value *a, const struct value *b, bool *out)
{
	enum { DEEP = 16 };
	struct {
		struct value a, b;
		size_t next;
	} at[DEEP] = { { *a, *b, 0 } }, *p = at;

	for (*out = false;;) {
		bool lists = p->a.kind == V_LIST && p->b.kind == V_LIST;
		if (lists ? p->a.list.n != p->b.list.n : !v_equal(&p->a, &p->b))
			return 0;
		if (!lists || p->next == p->a.list.n) {
			if (p == at)
				break;
			p--;
			continue;
		}
		if (p == at + DEEP - 1)
			return env_fail(e, "lists are compared %d levels deep", DEEP);
		if (env_charge(e, 1))
			return -1;
		p[1].a = v_load(p->a.list.item[p->next], e->arena);
		p[1].b = v_load(p->b.list.item[p->next++], e->arena);
		(++p)->next = 0;
	}
	*out = true;
	return 0;
}

static int contains(struct env *e, const struct value *a, const struct value *b, struct value *out)
{
	bool found = false;
	if (b->kind == V_LIST) {
		if (env_charge(e, b->list.n))
			return -1;
		for (size_t i = 0; i < b->list.n && !found; i++) {
			struct value v = v_load(b->list.item[i], e->arena);
			if (env_equal(e, a, &v, &found))
				return -1;
		}
	} else if (b->kind == V_OBJECT && a->kind == V_STR) {
		found = v_member(b, a->s.p, a->s.n);
	} else if (b->kind == V_STR && a->kind == V_STR) {
		if (env_charge(e, b->s.n))
			return -1;
		found = !a->s.n || memmem(b->s.p, b->s.n, a->s.p, a->s.n);
	} else {
		return env_fail(e, "'in' looks in a list, a string or an object, not in %s", v_kind_name(b->kind));
	}
	*out = v_bool(found);
	return 0;
}

static int order(struct env *e, enum expr_binary op, const struct value *a, const struct value *b, struct value *out)
{
	double x, y;
	int sign;
	if (a->kind == V_INT && b->kind == V_INT)
		sign = a->i < b->i ? -1 : a->i > b->i;
	else if (v_as_num(a, &x) && v_as_num(b, &y))
		sign = x < y ? -1 : x > y ? 1 : x == y ? 0 : 2; /* 2: a NaN, nothing holds */
	else if (a->kind == V_STR && b->kind == V_STR)
		sign = strcmp(a->s.p, b->s.p);
	else {
		e->missing = a->kind == V_NULL || b->kind == V_NULL;
		return env_fail(e, "%s and %s have no order", v_kind_name(a->kind), v_kind_name(b->kind));
	}
	if (sign == 2 && a->kind != V_STR)
		*out = v_bool(false);
	else
		*out = v_bool(op == B_LT ? sign < 0 : op == B_LE ? sign <= 0 : op == B_GT ? sign > 0 : sign >= 0);
	return 0;
}

static int binary(struct env *e, enum expr_binary op)
{
	const struct value b = e->stack[--e->sp], a = e->stack[--e->sp];
	struct value r = v_null();
	bool same;
	int rc = 0;
	if (a.kind == V_LIST && env_charge(e, a.list.n))
		return -1;
	switch (op) {
	case B_IN: rc = contains(e, &a, &b, &r); break;
	case B_EQ: case B_NE:
		rc = env_equal(e, &a, &b, &same);
		r = v_bool(same == (op == B_EQ));
		break;
	case B_LT: case B_LE: case B_GT: case B_GE: rc = order(e, op, &a, &b, &r); break;
	case B_JOIN: rc = join(e, &a, &b, &r); break;
	default: rc = arithmetic(e, op, &a, &b, &r);
	}
	return rc ? -1 : push(e, r);
}

static int negate(struct env *e)
{
	struct value *v = &e->stack[e->sp - 1];
	if (v->kind == V_NUM)
		v->d = -v->d;
	else if (v->kind == V_INT && v->i != INT64_MIN)
		v->i = -v->i;
	else
		return env_fail(e, "%s has no negative", v_kind_name(v->kind));
	return 0;
}

/* Members and indices of what is not there are null. */
static int pick(struct env *e, const struct value *from, const struct value *key, struct value *out)
{
	int64_t i;
	const struct value *v = NULL;
	*out = v_null();
	if (from->kind == V_OBJECT && key->kind == V_STR) {
		if (env_charge(e, from->object.n))
			return -1;
		v = v_member(from, key->s.p, key->s.n);
	} else if (from->kind == V_LIST && v_as_int(key, &i)) {
		v = i >= 0 && (uint64_t)i < from->list.n ? &from->list.item[i] : NULL;
	} else if (from->kind == V_STR && v_as_int(key, &i)) {
		if (i >= 0 && (uint64_t)i < from->s.n)
			*out = v_str(arena_memdup(e->arena, from->s.p + i, 1));
	}
	if (!v)
		return 0;
	if (v->kind == V_JSON && env_charge(e, json_count(v->json)))
		return -1;
	*out = v_load(*v, e->arena);
	return 0;
}

static int append(struct env *e)
{
	struct value v = e->stack[--e->sp], *list = &e->stack[e->sp - 1];
	((struct value *)list->list.item)[list->list.n++] = v; /* X_LIST made room for all */
	return 0;
}

static int new_list(struct env *e, size_t room)
{
	if (env_charge(e, room))
		return -1;
	struct value *item = arena_array(e->arena, room, sizeof(*item));
	return push(e, (struct value){ .kind = V_LIST, .list = { item, 0 } });
}

/* A loop's frame is three values: the list, the result so far, the position. Returns whether there is a next element.
 */
static int loop_step(struct env *e, bool *more)
{
	struct value *frame = &e->stack[e->sp - 3];
	int64_t i = frame[2].i;
	*more = (uint64_t)i < frame[0].list.n;
	if (*more) {
		struct value v = frame[0].list.item[i];
		if (v.kind == V_JSON && env_charge(e, json_count(v.json)))
			return -1;
		e->bind[e->n_bind - 1].value = v_load(v, e->arena);
	} else {
		frame[0] = frame[1];
		e->sp -= 2;
		e->n_bind--;
	}
	return 0;
}

static int loop_begin(struct env *e, int symbol, bool *more)
{
	if (e->stack[e->sp - 1].kind != V_LIST)
		return env_fail(e, "a loop runs over a list, not over %s", v_kind_name(e->stack[e->sp - 1].kind));
	if (new_list(e, e->stack[e->sp - 1].list.n) || push(e, v_int(0)) || env_bind(e, symbol, v_null()))
		return -1;
	return loop_step(e, more);
}

static int loop_next(struct env *e, bool *more)
{
	struct value v = e->stack[--e->sp], *frame = &e->stack[e->sp - 3];
	((struct value *)frame[1].list.item)[frame[1].list.n++] = v;
	frame[2].i++;
	return loop_step(e, more);
}

static int call(struct env *e, const struct expr_fn *f, int n)
{
	struct value r = v_null();
	e->sp -= n;
	if (f->call(e, &e->stack[e->sp], n, &r))
		return -1;
	if (r.kind == V_LIST && env_charge(e, r.list.n))
		return -1;
	return push(e, r);
}

/* What jumps. *pc stands behind the instruction. */
static int step_jump(struct env *e, const struct insn *in, int *pc)
{
	const struct value none = v_null(), *top = e->sp ? &e->stack[e->sp - 1] : &none;
	struct value v;
	bool go = true;
	switch ((enum expr_op)in->op) {
	case X_JUMP:
		break;
	case X_TRY:
		if (look_up(e, in->a, &v, &go) || (go && push(e, v)))
			return -1;
		break;
	case X_IF_FALSE:
		go = !v_truth(top);
		e->sp--;
		break;
	case X_OR:
	case X_AND:
	case X_COALESCE:
		go = in->op == X_COALESCE ? top->kind != V_NULL : v_truth(top) == (in->op == X_OR);
		e->sp -= !go;
		break;
	case X_EACH:
		if (loop_begin(e, in->a, &go))
			return -1;
		break;
	default: /* X_NEXT */
		if (loop_next(e, &go))
			return -1;
		if (!go)
			*pc = in->a + 1;
	}
	if (go)
		*pc = in->to;
	return 0;
}

static int step(struct env *e, const struct expr *x, const struct insn *in, int *pc)
{
	struct value v, key, r;
	bool has;
	switch ((enum expr_op)in->op) {
	case X_CONST:
		return push(e, x->konst[in->a]);
	case X_NAME:
		return look_up(e, in->a, &v, &has) ? -1 : push(e, v);
	case X_HAS:
		return look_up(e, in->a, &v, &has) ? -1 : push(e, v_bool(has));
	case X_NOT:
		e->stack[e->sp - 1] = v_bool(!v_truth(&e->stack[e->sp - 1]));
		return 0;
	case X_NEG:
		return negate(e);
	case X_BINARY:
		return binary(e, (enum expr_binary)in->a);
	case X_MEMBER:
		v = e->stack[--e->sp];
		return pick(e, &v, &x->konst[in->a], &r) ? -1 : push(e, r);
	case X_INDEX:
		key = e->stack[--e->sp];
		v = e->stack[--e->sp];
		return pick(e, &v, &key, &r) ? -1 : push(e, r);
	case X_CALL:
		return call(e, x->fn[in->a], in->n);
	case X_LIST:
		return new_list(e, (size_t)in->a);
	case X_APPEND:
		return append(e);
	default:
		return step_jump(e, in, pc);
	}
}

int expr_eval(struct env *e, const struct expr *x, struct value *out)
{
	const struct expr *outer = e->at;
	int pc = 0, sp = e->sp, n_bind = e->n_bind, rc = 0;
	e->at = x;
	while (!rc && pc < x->n) {
		const struct insn *in = &x->code[pc++];
		rc = env_charge(e, 1) || step(e, x, in, &pc) ? -1 : 0;
	}
	if (!rc)
		*out = e->stack[--e->sp];
	e->sp = sp;
	e->n_bind = n_bind;
	e->at = outer;
	return rc;
}

int expr_eval_outside(struct env *e, const struct expr *x, struct value *out)
{
	int base = e->bind_base;
	if (e->lets == ENV_LETS)
		return env_fail(e, "more than %d rows depend on one another", ENV_LETS);
	e->bind_base = e->n_bind;
	e->lets++;
	int rc = expr_eval(e, x, out);
	e->lets--;
	e->bind_base = base;
	return rc;
}

int expr_eval_bool(struct env *e, const struct expr *x, bool *out)
{
	struct value v = v_bool(true);
	if (x && expr_eval(e, x, &v))
		return -1;
	*out = v_truth(&v);
	return 0;
}

int expr_eval_int(struct env *e, const struct expr *x, int64_t *out)
{
	struct value v;
	const struct expr *outer = e->at;
	if (expr_eval(e, x, &v))
		return -1;
	if (v.kind == V_NUM && v.d == floor(v.d) && fabs(v.d) < 9e15)
		v = v_int((int64_t)v.d);
	if (v_as_int(&v, out))
		return 0;
	e->at = x;
	e->missing = v.kind == V_NULL;
	env_fail(e, "%s where an integer is needed", v_kind_name(v.kind));
	e->at = outer;
	return -1;
}
