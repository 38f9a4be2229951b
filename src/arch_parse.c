/*
 * arch_parse.c - the text of a family file becomes rows.
 *
 * A row is a line and the lines below it that begin with a blank; '#' outside of a string begins a comment. The first
 * word says what the row is (man heft-arch). Refuses files over 64 KiB, more than 4096 rows, words that it does not
 * know.
 */
#include "arch_rows.h"

#include "../quant/quant.h"

#include <string.h>

enum { FILE_LIMIT = 64 << 10, ROW_LIMIT = 4096, MAP_SOURCES = 8, MAP_OPS = 16, VOCAB_CHOICES = 8, VOCAB_OPTIONS = 8 };

static int take_name(struct scan *s, const char **out, const char *what)
{
	struct heft_str name;
	if (!scan_name(s, &name))
		return scan_fail(s, "expected %s before '%.20s'", what, *s->p ? s->p : "the end of the row");
	*out = arena_memdup(s->arena, name.p, name.n);
	return 0;
}

/* A word up to the next blank: "llama", "params.json", "attention.head_count". */
static int take_word(struct scan *s, const char **out, const char *what)
{
	scan_blank(s);
	size_t n = strcspn(s->p, " \t");
	if (!n)
		return scan_fail(s, "expected %s", what);
	*out = arena_memdup(s->arena, s->p, n);
	s->p += n;
	return 0;
}

static int take_mark(struct scan *s, const char *mark)
{
	if (scan_mark(s, mark))
		return 0;
	return scan_fail(s, "expected '%s' before '%.20s'", mark, *s->p ? s->p : "the end of the row");
}

static int take_expr(struct scan *s, const struct expr **out)
{
	*out = expr_parse(s);
	return *out ? 0 : -1;
}

static int take_when(struct scan *s, struct row *r)
{
	return scan_word(s, "when") ? take_expr(s, &r->when) : 0;
}

static int take_text(struct scan *s, const char **out)
{
	struct heft_str text;
	int rc = scan_string(s, &text);
	if (rc == 1)
		*out = text.p;
	return rc < 0 ? -1 : 0;
}

static const struct pattern *take_pattern(struct scan *s, int (*parse)(struct scan *, struct pattern *))
{
	struct pattern *p = arena_alloc(s->arena, sizeof(*p));
	return parse(s, p) ? NULL : p;
}

/* ---- operations ---- */

static const struct op_word {
	const char *name;
	enum op_kind kind;
	int8_t min, max;
} op_words[] = {
	{ "view", OP_VIEW, 1, 8 },	{ "perm", OP_PERM, 1, 8 },	{ "take", OP_TAKE, 3, 4 },
	{ "at", OP_AT, 3, 3 },		{ "regroup", OP_REGROUP, 2, 8 }, { "ungroup", OP_UNGROUP, 2, 8 },
	{ "rope", OP_ROPE, 1, 2 },	{ "unrope", OP_UNROPE, 1, 2 },	{ "pad", OP_PAD, 3, 3 },
	{ "pick", OP_PICK, 2, 8 },	{ "add", OP_ADD, 1, 1 },	{ "mul", OP_MUL, 1, 1 },
	{ "join", OP_VIEW, 0, 1 },	{ NULL, OP_VIEW, 0, 0 },
};

static const struct { /* fn(NAME) */
	const char *name;
	enum op_kind kind;
} elementwise[] = { { "negexp", OP_NEGEXP }, { "logneg", OP_LOGNEG }, { "softplus", OP_SOFTPLUS } };

static int take_fn(struct scan *s, struct op_row *op)
{
	if (take_mark(s, "("))
		return -1;
	for (size_t i = 0; i < sizeof(elementwise) / sizeof(elementwise[0]); i++) {
		if (!scan_word(s, elementwise[i].name))
			continue;
		op->kind = elementwise[i].kind;
		return take_mark(s, ")");
	}
	return scan_fail(s, "fn() takes negexp, logneg or softplus");
}

static int take_ops(struct scan *s, const struct op_row **out, int *n, bool inner);

static int take_op(struct scan *s, const struct op_word *w, struct op_row *op, bool inner)
{
	op->kind = w->kind;
	op->join = !strcmp(w->name, "join");
	if (take_mark(s, "("))
		return -1;
	while (!scan_mark(s, ")")) {
		if (op->n_args == w->max)
			return scan_fail(s, "%s() takes at most %d arguments", w->name, w->max);
		if ((op->n_args && take_mark(s, ",")) || take_expr(s, &op->arg[op->n_args]))
			return -1;
		op->n_args++;
		if (w->kind != OP_AT || op->n_args < 3)
			continue;
		if (inner)
			return scan_fail(s, "at() inside of at()");
		return take_mark(s, ":") || take_ops(s, &op->sub, &op->n_sub, true) ? -1 : take_mark(s, ")");
	}
	return op->n_args < w->min ? scan_fail(s, "%s() takes at least %d arguments", w->name, w->min) : 0;
}

static int take_ops(struct scan *s, const struct op_row **out, int *n, bool inner)
{
	struct op_row op[MAP_OPS];
	*n = 0;
	for (;;) {
		const struct op_word *w = op_words;
		while (w->name && !scan_word(s, w->name))
			w++;
		bool fn = !w->name && scan_word(s, "fn");
		if (!w->name && !fn)
			break;
		if (*n == MAP_OPS)
			return scan_fail(s, "more than %d operations", MAP_OPS);
		op[*n] = (struct op_row){ .kind = OP_VIEW };
		if (fn ? take_fn(s, &op[*n]) : take_op(s, w, &op[*n], inner))
			return -1;
		if (op[*n].join && (*n || inner))
			return scan_fail(s, "join() stands first");
		++*n;
	}
	if (!*n)
		return scan_fail(s, "expected an operation before '%.20s'", *s->p ? s->p : "the end of the row");
	*out = (struct op_row *)arena_memdup(s->arena, op, (size_t)*n * sizeof(op[0]));
	return 0;
}

/* ---- rows ---- */

static int parse_arch(struct scan *s, struct row *r)
{
	return take_word(s, &r->name, "a name") || take_when(s, r) ? -1 : 0;
}

static int parse_word(struct scan *s, struct row *r)
{
	return take_word(s, &r->name, "a name");
}

/* `default NAME = E`, `default NAME ?= E` */
static int parse_default(struct scan *s, struct row *r)
{
	if (take_name(s, &r->name, "a configuration key"))
		return -1;
	r->symbol = symbols_add(s->symbols, r->name, strlen(r->name));
	r->also_null = scan_mark(s, "?=");
	if ((!r->also_null && take_mark(s, "=")) || take_expr(s, &r->expr))
		return -1;
	return take_when(s, r);
}

static int parse_let(struct scan *s, struct row *r)
{
	if (take_name(s, &r->name, "a name") || take_mark(s, "=") || take_expr(s, &r->expr))
		return -1;
	r->symbol = symbols_add(s->symbols, r->name, strlen(r->name));
	return 0;
}

static int parse_expr(struct scan *s, struct row *r)
{
	return take_expr(s, &r->expr);
}

static int parse_need(struct scan *s, struct row *r)
{
	if (take_expr(s, &r->expr) || take_text(s, &r->name))
		return -1;
	return r->name ? 0 : scan_fail(s, "need takes a condition and a text in quotes");
}

static int parse_why(struct scan *s, struct row *r)
{
	if (take_text(s, &r->name))
		return -1;
	return r->name ? 0 : scan_fail(s, "oneway takes a text in quotes");
}

static int parse_require(struct scan *s, struct row *r)
{
	return take_expr(s, &r->expr) || take_when(s, r) ? -1 : 0;
}

/* key, gen: `NAME = E [when E]` */
static int parse_named(struct scan *s, struct row *r)
{
	if (take_word(s, &r->name, "a name") || take_mark(s, "=") || take_expr(s, &r->expr))
		return -1;
	return take_when(s, r);
}

/* `token ROLE = E`, `token ROLE ?= E`; back alike */
static int parse_maybe(struct scan *s, struct row *r)
{
	if (take_word(s, &r->name, "a name"))
		return -1;
	r->also_null = scan_mark(s, "?=");
	if ((!r->also_null && take_mark(s, "=")) || take_expr(s, &r->expr))
		return -1;
	return take_when(s, r);
}

static int parse_pre(struct scan *s, struct row *r)
{
	r->n_left = 1;
	if (!(r->left = take_pattern(s, pattern_parse)) || take_mark(s, "->") ||
		!(r->right = take_pattern(s, template_parse)))
		return -1;
	return take_when(s, r);
}

static int parse_skip(struct scan *s, struct row *r)
{
	r->skip = true;
	r->n_left = 1;
	if (!(r->left = take_pattern(s, pattern_parse)))
		return -1;
	if (scan_word(s, "zero"))
		return scan_fail(s, "'skip ... zero' is not supported yet");
	return take_when(s, r) || take_text(s, &r->name) ? -1 : 0;
}

static int parse_map(struct scan *s, struct row *r)
{
	struct pattern left[MAP_SOURCES];
	do {
		if (r->n_left == MAP_SOURCES)
			return scan_fail(s, "more than %d sources", MAP_SOURCES);
		if (pattern_parse(s, &left[r->n_left++]))
			return -1;
	} while (scan_mark(s, "+"));
	r->left = (struct pattern *)arena_memdup(s->arena, left, (size_t)r->n_left * sizeof(left[0]));
	if (take_mark(s, "->") || !(r->right = take_pattern(s, template_parse)))
		return -1;
	if (scan_mark(s, ":") && take_ops(s, &r->op, &r->n_ops, false))
		return -1;
	if (scan_word(s, "back") && take_ops(s, &r->back, &r->n_back, false))
		return -1;
	if (r->n_back && r->back->join)
		return scan_fail(s, "join() is no way back");
	if (scan_word(s, "same") || scan_word(s, "first"))
		return scan_fail(s, "'same' and 'first' are not supported yet");
	r->partial = scan_word(s, "partial");
	return take_when(s, r);
}

static int parse_expect(struct scan *s, struct row *r)
{
	return (r->right = take_pattern(s, template_parse)) ? take_when(s, r) : -1;
}

static int parse_type(struct scan *s, struct row *r)
{
	r->n_left = 1;
	if (!(r->left = take_pattern(s, pattern_parse)) || take_name(s, &r->name, "a type"))
		return -1;
	r->type = quant_find(r->name);
	if (!r->type && strcmp(r->name, "asked") && strcmp(r->name, "stored"))
		return scan_fail(s, "there is no type '%s'", r->name);
	return take_when(s, r);
}

/* `quant PATTERN HOW [when E]` */
static int parse_quant(struct scan *s, struct row *r)
{
	r->n_left = 1;
	if (!(r->left = take_pattern(s, pattern_parse)) || take_word(s, &r->name, "8bit, 8bit-fp or no"))
		return -1;
	if (strcmp(r->name, "8bit") && strcmp(r->name, "8bit-fp") && strcmp(r->name, "no"))
		return scan_fail(s, "quant takes 8bit, 8bit-fp or no");
	return take_when(s, r);
}

static int parse_unset(struct scan *s, struct row *r)
{
	r->unset = true;
	return take_word(s, &r->name, "a key") || take_when(s, r) ? -1 : 0;
}

static bool sees_when(const struct scan *s)
{
	struct scan ahead = *s;
	return scan_word(&ahead, "when");
}

static int take_choice(struct scan *s, struct vocab_choice *c)
{
	const char *option[VOCAB_OPTIONS];
	const struct expr *value[VOCAB_OPTIONS];
	*c = (struct vocab_choice){ 0 };
	if (take_name(s, &c->strategy, "a vocabulary strategy"))
		return -1;
	for (scan_blank(s); *s->p && *s->p != '|' && !sees_when(s); scan_blank(s)) {
		if (c->n_options == VOCAB_OPTIONS)
			return scan_fail(s, "more than %d options", VOCAB_OPTIONS);
		if (take_name(s, &option[c->n_options], "an option") || take_mark(s, "=") ||
			take_expr(s, &value[c->n_options]))
			return -1;
		c->n_options++;
	}
	c->option = (const char **)arena_memdup(s->arena, option, (size_t)c->n_options * sizeof(option[0]));
	c->value = (const struct expr **)arena_memdup(s->arena, value, (size_t)c->n_options * sizeof(value[0]));
	return 0;
}

static int parse_vocab(struct scan *s, struct row *r)
{
	struct vocab_choice c[VOCAB_CHOICES];
	do {
		if (r->n_vocab == VOCAB_CHOICES)
			return scan_fail(s, "more than %d strategies", VOCAB_CHOICES);
		if (take_choice(s, &c[r->n_vocab++]))
			return -1;
	} while (scan_mark(s, "|"));
	r->vocab = (struct vocab_choice *)arena_memdup(s->arena, c, (size_t)r->n_vocab * sizeof(c[0]));
	return take_when(s, r);
}

static int parse_also(struct scan *s, struct row *r)
{
	return scan_fail(s, "'also' is not supported yet");
}

static const struct row_word {
	const char *name;
	enum row_kind kind;
	int (*parse)(struct scan *s, struct row *r);
} row_words[] = {
	{ "quant", ROW_QUANT, parse_quant },	  { "set", ROW_SET, parse_maybe },
	{ "unset", ROW_SET, parse_unset },
	{ "arch", ROW_ARCH, parse_arch },	  { "from", ROW_FROM, parse_word },
	{ "projector", ROW_PROJECTOR, parse_word },
	{ "abstract", ROW_ABSTRACT, parse_word }, { "base", ROW_BASE, parse_word },
	{ "config", ROW_CONFIG, parse_word },	  { "default", ROW_DEFAULT, parse_default },
	{ "let", ROW_LET, parse_let },		  { "layers", ROW_LAYERS, parse_expr },
	{ "require", ROW_REQUIRE, parse_require }, { "need", ROW_NEED, parse_need },
	{ "key", ROW_KEY, parse_named },	  { "pre", ROW_PRE, parse_pre },
	{ "unpre", ROW_UNPRE, parse_pre },
	{ "skip", ROW_RULE, parse_skip },	  { "map", ROW_RULE, parse_map },
	{ "expect", ROW_EXPECT, parse_expect },	  { "gen", ROW_GEN, parse_named },
	{ "type", ROW_TYPE, parse_type },	  { "vocab", ROW_VOCAB, parse_vocab },
	{ "vocab_size", ROW_VOCAB_SIZE, parse_expr }, { "token", ROW_TOKEN, parse_maybe },
	{ "back", ROW_BACK, parse_maybe },	  { "oneway", ROW_ONEWAY, parse_why },
	{ "also", ROW_CONFIG, parse_also },	  { NULL, ROW_CONFIG, NULL },
};

static void add_row(struct arch *a, const struct row *r)
{
	struct rows *rows = &a->rows[r->kind];
	if (rows->n == rows->cap)
		rows->row = arena_grow(a->arena, rows->row, &rows->cap, rows->n + 1, sizeof(*rows->row));
	rows->row[rows->n] = arena_alloc(a->arena, sizeof(*r));
	*rows->row[rows->n] = *r;
	rows->row[rows->n]->number = rows->n;
	rows->n++;
}

/* ---- targets ---- */

enum section { SECTION_COMMON, SECTION_MLX, SECTION_UNKNOWN };

static const char *const sections[] = { "llamacpp", "mlx" };

/* `target NAME`: of targets that nobody knows here the rows are not read. */
static int parse_target(struct scan *s, enum section *section)
{
	const char *target;
	if (take_word(s, &target, "a target"))
		return -1;
	for (*section = SECTION_COMMON; *section < SECTION_UNKNOWN && strcmp(target, sections[*section]);)
		++*section;
	return 0;
}

/* Rows that a target's section may have. */
static bool is_of_section(enum row_kind kind)
{
	return kind == ROW_LET || kind == ROW_NEED || kind == ROW_PRE || kind == ROW_UNPRE || kind == ROW_RULE || kind == ROW_TYPE ||
	       kind == ROW_QUANT || kind == ROW_SET;
}

/* Rows of the common section that all targets have: what a model is called, and what names mean. */
static bool is_shared(enum row_kind kind)
{
	return kind == ROW_ARCH || kind == ROW_FROM || kind == ROW_PROJECTOR || kind == ROW_ABSTRACT || kind == ROW_BASE || kind == ROW_CONFIG ||
	       kind == ROW_DEFAULT || kind == ROW_LET || kind == ROW_LAYERS;
}

/* A row that is read for its errors alone is none of the family's. */
static bool belongs(const struct arch *a, enum section section, enum row_kind kind)
{
	if (section == SECTION_COMMON)
		return !a->target || is_shared(kind);
	return a->target && !strcmp(a->target, sections[section]);
}

static int check_section(struct scan *s, const struct row_word *w, enum section section)
{
	if (section == SECTION_COMMON && (w->kind == ROW_QUANT || w->kind == ROW_SET))
		return scan_fail(s, "a '%s' row stands below 'target mlx'", w->name);
	if (section != SECTION_COMMON && !is_of_section(w->kind))
		return scan_fail(s, "target %s has no '%s' rows", sections[section], w->name);
	return 0;
}

static int parse_row(struct arch *a, struct scan *s, enum section *section)
{
	const struct row_word *w = row_words;
	const char *text = s->p;
	s->depth = 0;
	if (scan_word(s, "target"))
		return parse_target(s, section);
	if (*section == SECTION_UNKNOWN)
		return 0;
	while (w->name && !scan_word(s, w->name))
		w++;
	if (!w->name)
		return scan_fail(s, "a row cannot begin with '%.20s'", s->p);
	if (check_section(s, w, *section))
		return -1;
	do { /* `from A B C` is three rows, `projector A B C` too */
		struct row r = { .kind = w->kind, .file = s->file, .line = s->line, .text = text, .symbol = -1 };
		if (w->parse(s, &r))
			return -1;
		if (belongs(a, *section, r.kind))
			add_row(a, &r);
	} while ((w->kind == ROW_FROM || w->kind == ROW_PROJECTOR) && !scan_end(s));
	return scan_end(s) ? 0 : scan_fail(s, "'%.20s' is left over at the end of the row", s->p);
}

static void link_twins(struct arch *a, size_t from)
{
	struct rows *rules = &a->rows[ROW_RULE];
	for (size_t i = from; i < rules->n; i++) {
		struct row *r = rules->row[i];
		for (size_t j = i + 1; j < rules->n && !r->skip && !r->twin; j++) {
			const struct row *t = rules->row[j];
			if (!t->skip && t->n_left == 1 && r->n_left == 1 && !strcmp(t->left->text, r->left->text))
				r->twin = t;
		}
	}
}

int arch_parse(struct arch *a, const char *file, const char *text, size_t n, struct heft_err *err)
{
	const struct expr_fn *const functions[] = { expr_functions, arch_functions, NULL };
	struct scan s = { .file = file, .err = err, .code = HEFT_E_ARCH_FILE, .arena = a->arena, .symbols = &a->symbols,
			  .functions = functions };
	size_t rules = a->rows[ROW_RULE].n;
	int line = 0, rows = 0;
	enum section section = SECTION_COMMON;
	char *row;
	if (n > FILE_LIMIT)
		return heft_fail(err, HEFT_E_ARCH_FILE, "'%s' has more than %d bytes", file, FILE_LIMIT);
	if (memchr(text, 0, n))
		return heft_fail(err, HEFT_E_ARCH_FILE, "'%s' is not a text", file);
	char *p = arena_memdup(a->arena, text, n);
	while ((p = scan_row(p, &line, &row, &s.line))) {
		s.p = row;
		if (++rows > ROW_LIMIT)
			return scan_fail(&s, "more than %d rows", ROW_LIMIT);
		if (*row == ' ' || *row == '\t')
			return scan_fail(&s, "a line that begins with a blank has no row above it");
		if (parse_row(a, &s, &section))
			return -1;
	}
	link_twins(a, rules);
	return 0;
}
