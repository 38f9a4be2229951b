/*
 * expr.c - from the text of an expression to code for the stack machine of expr_eval.c.
 *
 *   loose   c ? a : b
 *           or, and, not                  Python's: they give one of their values
 *           in == != < <= > >=
 *           ??                            the right side where the left is null
 *           ++    + -    * / // %    **   lists and strings joined; / gives a double, // and % floor
 *   tight   -a   f(...)   a.b   a[i]      a | b | c: the first name that is there
 *
 * Precedence climbing; what can nest (brackets, ?:, not, unary minus, **) is counted and stops at EXPR_DEPTH.
 */
#include "expr.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum level { L_OR = 1, L_AND, L_NOT, L_COMPARE, L_COALESCE, L_JOIN, L_SUM, L_PRODUCT, L_POWER };

struct operator {
	const char *text; /* a word or a mark */
	int8_t level;
	uint8_t op;       /* X_BINARY, or the jump of a short cut */
	uint8_t binary;
};

static const struct operator operators[] = {
	{ "or", L_OR, X_OR, 0 },	     { "and", L_AND, X_AND, 0 },
	{ "in", L_COMPARE, X_BINARY, B_IN }, { "==", L_COMPARE, X_BINARY, B_EQ },
	{ "!=", L_COMPARE, X_BINARY, B_NE }, { "<", L_COMPARE, X_BINARY, B_LT },
	{ "<=", L_COMPARE, X_BINARY, B_LE }, { ">", L_COMPARE, X_BINARY, B_GT },
	{ ">=", L_COMPARE, X_BINARY, B_GE }, { "??", L_COALESCE, X_COALESCE, 0 },
	{ "++", L_JOIN, X_BINARY, B_JOIN },  { "+", L_SUM, X_BINARY, B_ADD },
	{ "-", L_SUM, X_BINARY, B_SUB },     { "*", L_PRODUCT, X_BINARY, B_MUL },
	{ "/", L_PRODUCT, X_BINARY, B_DIV }, { "//", L_PRODUCT, X_BINARY, B_FLOOR },
	{ "%", L_PRODUCT, X_BINARY, B_MOD }, { "**", L_POWER, X_BINARY, B_POW },
	{ NULL, 0, 0, 0 },
};

static const char *const reserved[] = { "or", "and", "not", "in", "when", NULL };

struct code { /* being made */
	struct insn *insn;
	size_t n, cap;
	struct value *konst;
	size_t n_konst, cap_konst;
	const struct expr_fn **fn;
	size_t n_fn, cap_fn;
};

static size_t emit(struct scan *s, struct code *c, enum expr_op op, int32_t a)
{
	if (c->n == c->cap)
		c->insn = arena_grow(s->arena, c->insn, &c->cap, c->n + 1, sizeof(*c->insn));
	c->insn[c->n] = (struct insn){ .op = (uint8_t)op, .a = a };
	return c->n++;
}

static void land(struct code *c, size_t jump)
{
	c->insn[jump].to = (int32_t)c->n;
}

static int32_t constant(struct scan *s, struct code *c, struct value v)
{
	if (c->n_konst == c->cap_konst)
		c->konst = arena_grow(s->arena, c->konst, &c->cap_konst, c->n_konst + 1, sizeof(*c->konst));
	c->konst[c->n_konst] = v;
	return (int32_t)c->n_konst++;
}

static int emit_constant(struct scan *s, struct code *c, struct value v)
{
	emit(s, c, X_CONST, constant(s, c, v));
	return 0;
}

static int enter(struct scan *s)
{
	return ++s->depth > EXPR_DEPTH ? scan_fail(s, "more than %d levels of brackets", EXPR_DEPTH) : 0;
}

static int expect(struct scan *s, const char *mark)
{
	if (scan_mark(s, mark))
		return 0;
	return scan_fail(s, "expected '%s' before '%.20s'", mark, *s->p ? s->p : "the end of the row");
}

static int parse_any(struct scan *s, struct code *c); /* the one place where the grammar turns back on itself */

static int parse_number(struct scan *s, struct code *c)
{
	size_t digits = strspn(s->p, "0123456789");
	char *end;
	errno = 0;
	if (s->p[digits] != '.' && s->p[digits] != 'e' && s->p[digits] != 'E') {
		long long i = strtoll(s->p, &end, 10);
		if (errno)
			return scan_fail(s, "a number is too large");
		s->p = end;
		return emit_constant(s, c, v_int(i));
	}
	double d = strtod(s->p, &end);
	s->p = end;
	return isfinite(d) ? emit_constant(s, c, v_num(d)) : scan_fail(s, "a number is too large");
}

static const struct expr_fn *find_function(const struct scan *s, const char *name, size_t n)
{
	for (const struct expr_fn *const *table = s->functions; table && *table; table++)
		for (const struct expr_fn *f = *table; f->name; f++)
			if (strlen(f->name) == n && !memcmp(f->name, name, n))
				return f;
	return NULL;
}

static int parse_call(struct scan *s, struct code *c, const struct expr_fn *f)
{
	int n = 0;
	if (scan_mark(s, "(")) {
		if (enter(s))
			return -1;
		while (!scan_mark(s, ")")) {
			if ((n && expect(s, ",")) || parse_any(s, c))
				return -1;
			n++;
		}
		s->depth--;
	}
	if (n < f->min || n > f->max)
		return scan_fail(s, "%s() takes %d to %d arguments, here are %d", f->name, f->min, f->max, n);
	if (c->n_fn == c->cap_fn)
		c->fn = arena_grow(s->arena, c->fn, &c->cap_fn, c->n_fn + 1, sizeof(*c->fn));
	c->fn[c->n_fn] = f;
	size_t at = emit(s, c, X_CALL, (int32_t)c->n_fn++);
	c->insn[at].n = (uint8_t)n;
	return 0;
}

/* has(NAME): asks for the name, not for its value. */
static int parse_has(struct scan *s, struct code *c)
{
	struct heft_str name;
	if (expect(s, "("))
		return -1;
	if (!scan_name(s, &name))
		return scan_fail(s, "has() takes a name");
	emit(s, c, X_HAS, symbols_add(s->symbols, name.p, name.n));
	return expect(s, ")");
}

/* NAME, NAME | NAME | ... */
static int parse_chain(struct scan *s, struct code *c, struct heft_str name)
{
	size_t jumps[64], n = 0;
	while (scan_mark(s, "|")) {
		if (n == sizeof(jumps) / sizeof(jumps[0]))
			return scan_fail(s, "too many names beside '|'");
		jumps[n++] = emit(s, c, X_TRY, symbols_add(s->symbols, name.p, name.n));
		if (!scan_name(s, &name))
			return scan_fail(s, "'|' stands between names; '?\?' and 'or' between values");
	}
	emit(s, c, X_NAME, symbols_add(s->symbols, name.p, name.n));
	while (n)
		land(c, jumps[--n]);
	return 0;
}

static const struct expr_fn *dotted_function(struct scan *s, struct heft_str *name)
{
	size_t rest = 0;
	if (s->p[0] == '.')
		while (s->p[1 + rest] == '_' || (s->p[1 + rest] >= 'a' && s->p[1 + rest] <= 'z'))
			rest++;
	const struct expr_fn *f = rest ? find_function(s, name->p, name->n + 1 + rest) : NULL;
	if (f)
		s->p += 1 + rest;
	return f;
}

static int parse_name(struct scan *s, struct code *c, struct heft_str name)
{
	const struct expr_fn *f;
	for (const char *const *r = reserved; *r; r++)
		if (strlen(*r) == name.n && !memcmp(*r, name.p, name.n))
			return scan_fail(s, "expected a value before '%s'", *r);
	if (name.n == 4 && !memcmp(name.p, "null", 4))
		return emit_constant(s, c, v_null());
	if (name.n == 4 && !memcmp(name.p, "true", 4))
		return emit_constant(s, c, v_bool(true));
	if (name.n == 5 && !memcmp(name.p, "false", 5))
		return emit_constant(s, c, v_bool(false));
	if ((f = dotted_function(s, &name)))
		return parse_call(s, c, f);
	if (*s->p != '(')
		return parse_chain(s, c, name);
	if (name.n == 3 && !memcmp(name.p, "has", 3))
		return parse_has(s, c);
	if (!(f = find_function(s, name.p, name.n)))
		return scan_fail(s, "there is no function '%.*s'", (int)name.n, name.p);
	return parse_call(s, c, f);
}

/* What follows "[ E :" is the loop; its list is written behind the body, so the code jumps there first. */
static int parse_loop(struct scan *s, struct code *c, size_t body)
{
	struct heft_str name;
	if (!scan_name(s, &name) || !scan_word(s, "in"))
		return scan_fail(s, "expected '[ E : NAME in LIST ]'");
	size_t next = emit(s, c, X_NEXT, 0);
	land(c, body - 1);
	if (parse_any(s, c) || expect(s, "]"))
		return -1;
	size_t each = emit(s, c, X_EACH, symbols_add(s->symbols, name.p, name.n));
	c->insn[each].to = c->insn[next].to = (int32_t)body;
	c->insn[next].a = (int32_t)each;
	return 0;
}

/* "[ ... ]": a list of values, or a loop. The first instruction serves both: it makes the list, or jumps to the loop's
 * list. */
static int parse_list(struct scan *s, struct code *c)
{
	size_t head = emit(s, c, X_LIST, 0), n = 0;
	while (!scan_mark(s, "]")) {
		if ((n && expect(s, ",")) || parse_any(s, c))
			return -1;
		if (!n && scan_mark(s, ":")) {
			c->insn[head].op = X_JUMP;
			return parse_loop(s, c, head + 1);
		}
		emit(s, c, X_APPEND, 0);
		n++;
	}
	c->insn[head].a = (int32_t)n;
	return 0;
}

static int parse_operand(struct scan *s, struct code *c)
{
	struct heft_str text;
	scan_blank(s);
	if (*s->p >= '0' && *s->p <= '9')
		return parse_number(s, c);
	int string = scan_string(s, &text);
	if (string)
		return string < 0 ? -1 : emit_constant(s, c, (struct value){ .kind = V_STR, .s = text });
	if (scan_name(s, &text))
		return parse_name(s, c, text);
	bool list = scan_mark(s, "[");
	if (!list && !scan_mark(s, "("))
		return scan_fail(s, "expected a value before '%.20s'", *s->p ? s->p : "the end of the row");
	if (enter(s) || (list ? parse_list(s, c) : parse_any(s, c) || expect(s, ")")))
		return -1;
	s->depth--;
	return 0;
}

/* An operand with what is bound to it tightest: signs before, members and indices behind. */
static int parse_tight(struct scan *s, struct code *c)
{
	struct heft_str name;
	int signs = 0;
	while (scan_mark(s, "-"))
		signs++;
	if (parse_operand(s, c))
		return -1;
	for (;;) {
		if (scan_mark(s, ".")) {
			if (!scan_name(s, &name))
				return scan_fail(s, "expected a name behind '.'");
			char *key = arena_memdup(s->arena, name.p, name.n);
			emit(s, c, X_MEMBER, constant(s, c, v_str(key)));
		} else if (scan_mark(s, "[")) {
			if (enter(s) || parse_any(s, c) || expect(s, "]"))
				return -1;
			s->depth--;
			emit(s, c, X_INDEX, 0);
		} else {
			break;
		}
	}
	if (signs % 2)
		emit(s, c, X_NEG, 0);
	return 0;
}

static const struct operator *next_operator(struct scan *s, int min)
{
	for (const struct operator *o = operators; o->text; o++) {
		const char *before = s->p;
		if (o->text[0] >= 'a' ? !scan_word(s, o->text) : !scan_mark(s, o->text))
			continue;
		if (o->level >= min)
			return o;
		s->p = before;
		return NULL;
	}
	return NULL;
}

static int parse_binary(struct scan *s, struct code *c, int min)
{
	const struct operator *o;
	if (min <= L_NOT && scan_word(s, "not")) {
		if (enter(s) || parse_binary(s, c, L_NOT))
			return -1;
		s->depth--;
		emit(s, c, X_NOT, 0);
	} else if (parse_tight(s, c)) {
		return -1;
	}
	while ((o = next_operator(s, min))) {
		size_t at = o->op == X_BINARY ? 0 : emit(s, c, o->op, 0);
		if (enter(s) || parse_binary(s, c, o->op == X_BINARY && o->binary == B_POW ? o->level : o->level + 1))
			return -1;
		s->depth--;
		if (o->op == X_BINARY)
			emit(s, c, X_BINARY, o->binary);
		else
			land(c, at);
	}
	return 0;
}

static int parse_any(struct scan *s, struct code *c)
{
	if (parse_binary(s, c, L_OR))
		return -1;
	if (!scan_mark(s, "?"))
		return 0;
	size_t otherwise = emit(s, c, X_IF_FALSE, 0);
	if (enter(s) || parse_any(s, c) || expect(s, ":"))
		return -1;
	size_t end = emit(s, c, X_JUMP, 0);
	land(c, otherwise);
	if (parse_any(s, c))
		return -1;
	s->depth--;
	land(c, end);
	return 0;
}

struct expr *expr_parse(struct scan *s)
{
	struct code c = { 0 };
	scan_blank(s);
	const char *text = s->p;
	if (parse_any(s, &c))
		return NULL;
	size_t n = (size_t)(s->p - text);
	while (n && (text[n - 1] == ' ' || text[n - 1] == '\t'))
		n--;
	struct expr *x = arena_alloc(s->arena, sizeof(*x));
	*x = (struct expr){ .code = c.insn,
		.n = (int)c.n,
		.konst = c.konst,
		.fn = c.fn,
		.file = s->file,
		.line = s->line,
		.text = arena_memdup(s->arena, text, n) };
	return x;
}
