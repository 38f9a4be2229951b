/*
 * recipe_parse.c - the rows of a recipe:
 *
 *   recipe NAME [| ALIAS]        fragment NAME
 *   about "text"                 file_type N (general.file_type)
 *   needs imatrix                nothing sensible comes of it without one
 *   to TARGET                    not GGUF: types and names are those of its modules
 *   optional                     rows behind it may match nothing
 *   base NAME                    its rows stand behind the own ones
 *   let NAME = E
 *   keep PATTERN "why" [when E]  not touched
 *   PATTERN -> TYPE [when E]     the first that matches; none: `type TYPE`, or `type keep`
 *   fallback TYPE -> TYPE        where a row's length does not suit the first
 */
#include "recipe_rows.h"

#include "plan_rules.h"

#include <string.h>

enum { ROWS = 16384 };

static int take_type(struct scan *s, const struct heft_encoding **out)
{
	struct heft_str name;
	if (!scan_name(s, &name))
		return scan_fail(s, "expected a type");
	*out = quant_find(arena_memdup(s->arena, name.p, name.n));
	if (*out && heft_encoding_can_encode(*out))
		return 0;
	s->p = name.p;
	return scan_fail(s, *out ? "type '%.*s' cannot be written" : "there is no type '%.*s' ('heft types' lists them)", (int)name.n, name.p);
}

static int take_letters(struct scan *s, const char *letters, const char *what, const char **out)
{
	scan_blank(s);
	size_t n = strspn(s->p, letters);
	if (!n || n > EXPR_NAME_MAX)
		return scan_fail(s, "expected %s", what);
	*out = arena_memdup(s->arena, s->p, n);
	s->p += n;
	return 0;
}

/* "w4a16-asym:64", "8bit": all that a target calls its types. */
static int take_word(struct scan *s, const char **out)
{
	return take_letters(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:-", "a type", out);
}

static int take_module_type(struct scan *s, const struct target *to, struct choice *c)
{
	struct module_type *as = arena_alloc(s->arena, sizeof(*as));
	struct heft_err err;
	scan_blank(s);
	const char *begin = s->p;
	if (take_word(s, &c->word))
		return -1;
	c->as = as;
	if (!plan_rules_type(as, c->word, c->word, to, s->arena, &err))
		return 0;
	s->p = begin;
	return scan_fail(s, "%s", err.text);
}

static int take_name(struct scan *s, const char **out)
{
	struct heft_str name;
	if (!scan_name(s, &name))
		return scan_fail(s, "expected a name");
	*out = arena_memdup(s->arena, name.p, name.n);
	return 0;
}

static int row_recipe(struct scan *s, struct recipe *r)
{
	if (r->name)
		return scan_fail(s, "a second row recipe");
	if (take_letters(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", "a name", &r->name))
		return -1;
	return scan_mark(s, "|") ? take_name(s, &r->alias) : 0;
}

static int row_fragment(struct scan *s, struct recipe *r)
{
	const char *name;
	return s->source ? scan_fail(s, "fragments are built in: a file is a recipe") : take_name(s, &name); /* known by its file's name */
}

static int row_about(struct scan *s, struct recipe *r)
{
	struct heft_str text;
	if (r->about)
		return scan_fail(s, "a second row about");
	if (scan_string(s, &text) != 1)
		return scan_fail(s, "expected a text in quotes");
	r->about = text.p;
	return 0;
}

static int row_file_type(struct scan *s, struct recipe *r)
{
	struct expr *x;
	if (r->file_type >= 0)
		return scan_fail(s, "a second row file_type");
	x = expr_parse(s);
	if (!x)
		return -1;
	if (x->n != 1 || x->code[0].op != X_CONST || !v_as_int(&x->konst[0], &r->file_type) || r->file_type > UINT32_MAX)
		return scan_fail(s, "expected a number");
	return 0;
}

/* Types are words of the target: it is known before the first of them. */
static int row_to(struct scan *s, struct recipe *r)
{
	const char *begin, *name;
	if (r->to || r->type || r->keeps || r->n_choice || r->n_fallback)
		return scan_fail(s, r->to ? "a second row to" : "the row to stands before all that name a type");
	scan_blank(s);
	begin = s->p;
	if (take_word(s, &name))
		return -1;
	r->to = target_find(name);
	if (r->to && (r->to->scheme || r->to == target_find(NULL))) {
		r->to = r->to->scheme ? r->to : NULL;
		return 0;
	}
	s->p = begin;
	return scan_fail(s, "'%s' is no target whose tensors have types of their own", name);
}

static int row_base(struct scan *s, struct recipe *r)
{
	return r->base ? scan_fail(s, "a second row base") : take_name(s, &r->base);
}

static int row_needs(struct scan *s, struct recipe *r)
{
	r->needs_imatrix = scan_word(s, "imatrix");
	return r->needs_imatrix ? 0 : scan_fail(s, "expected needs imatrix");
}

static int row_optional(struct scan *s, struct recipe *r)
{
	if (r->optional)
		return scan_fail(s, "a second row optional");
	r->optional = true;
	r->n_must_keep = r->n_keep;
	r->n_must = r->n_choice;
	return 0;
}

static int row_type(struct scan *s, struct recipe *r)
{
	if (r->type || r->keeps || r->type_word)
		return scan_fail(s, "a second row type");
	if (r->to)
		return take_word(s, &r->type_word);
	r->keeps = scan_word(s, "keep");
	return r->keeps ? 0 : take_type(s, &r->type);
}

static int row_let(struct scan *s, struct recipe *r)
{
	const char *name = NULL;
	if (take_name(s, &name))
		return -1;
	if (!scan_mark(s, "="))
		return scan_fail(s, "expected NAME = E");
	if (r->n_let == r->cap_let)
		r->let = arena_grow(s->arena, r->let, &r->cap_let, r->n_let + 1, sizeof(*r->let));
	struct let_row *l = &r->let[r->n_let++];
	*l = (struct let_row){ .symbol = symbols_add(s->symbols, name, strlen(name)), .line = s->line, .expr = expr_parse(s) };
	return l->expr ? 0 : -1;
}

static int take_choice(struct scan *s, struct choice *c, const struct target *to, bool keep)
{
	struct pattern *p = arena_alloc(s->arena, sizeof(*p));
	struct heft_str why = { 0 };
	*c = (struct choice){ .pattern = p, .file = s->file, .line = s->line };
	if (pattern_parse(s, p))
		return -1;
	if (keep ? scan_string(s, &why) != 1 : !scan_mark(s, "->"))
		return scan_fail(s, keep ? "expected a text in quotes" : "expected PATTERN -> TYPE");
	if (!keep && (to ? take_module_type(s, to, c) : take_type(s, &c->type)))
		return -1;
	if (c->type)
		c->word = c->type->name;
	c->why = why.p;
	if (!scan_word(s, "when"))
		return 0;
	c->when = expr_parse(s);
	return c->when ? 0 : -1;
}

static int row_keep(struct scan *s, struct recipe *r)
{
	if (r->n_keep == r->cap_keep)
		r->keep = arena_grow(s->arena, r->keep, &r->cap_keep, r->n_keep + 1, sizeof(*r->keep));
	return take_choice(s, &r->keep[r->n_keep++], r->to, true);
}

static int row_choice(struct scan *s, struct recipe *r)
{
	if (r->n_choice == r->cap_choice)
		r->choice = arena_grow(s->arena, r->choice, &r->cap_choice, r->n_choice + 1, sizeof(*r->choice));
	return take_choice(s, &r->choice[r->n_choice++], r->to, false);
}

static int row_fallback(struct scan *s, struct recipe *r)
{
	if (r->to)
		return scan_fail(s, "with a target what does not fit stays: there are no fallbacks");
	if (r->n_fallback == r->cap_fallback)
		r->fallback =
			arena_grow(s->arena, r->fallback, &r->cap_fallback, r->n_fallback + 1, sizeof(*r->fallback));
	struct fallback *f = &r->fallback[r->n_fallback++];
	f->line = s->line;
	if (take_type(s, &f->from))
		return -1;
	return scan_mark(s, "->") ? take_type(s, &f->to) : scan_fail(s, "expected TYPE -> TYPE");
}

static const struct {
	const char *name;
	int (*parse)(struct scan *s, struct recipe *r);
} words[] = { { "recipe", row_recipe }, { "fragment", row_fragment }, { "about", row_about },
	{ "file_type", row_file_type }, { "needs", row_needs }, { "to", row_to },
	{ "optional", row_optional }, { "base", row_base }, { "type", row_type }, { "let", row_let },
	{ "keep", row_keep }, { "fallback", row_fallback } };

/* A tensor's name may begin with such a word: then something other than a blank stands behind it. */
static bool is_word(const struct scan *s, const char *word)
{
	size_t n = strlen(word);
	return !strncmp(s->p, word, n) && (!s->p[n] || s->p[n] == ' ' || s->p[n] == '\t');
}

static int parse_row(struct scan *s, struct recipe *r)
{
	scan_blank(s);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (is_word(s, words[i].name) && scan_word(s, words[i].name))
			return words[i].parse(s, r);
	return row_choice(s, r);
}

int recipe_parse(struct recipe *r, const char *file, const char *text, size_t n, const struct reading *reading)
{
	static const struct expr_fn *const functions[] = { expr_functions, NULL };
	struct scan s = { .file = file,
		.err = reading->err,
		.code = HEFT_E_RECIPE,
		.arena = reading->arena,
		.symbols = reading->symbols,
		.functions = functions };
	char *p = arena_memdup(reading->arena, text, n), *row; /* rows are joined in place */
	const char *pristine = arena_memdup(reading->arena, text, n), *begin = p;
	int line = 0;
	*r = (struct recipe){ .file = file, .symbols = reading->symbols, .file_type = -1 };
	for (int rows = 0; (p = scan_row(p, &line, &row, &s.line)); rows++) {
		s.p = s.row = row;
		s.source = reading->places ? pristine + (row - begin) : NULL;
		s.depth = 0;
		if (rows == ROWS)
			return scan_fail(&s, "more than %d rows", ROWS);
		if (parse_row(&s, r))
			return -1;
		if (!scan_end(&s))
			return scan_fail(&s, "'%.20s' is left over at the end of the row", s.p);
	}
	return 0;
}

#define APPEND(rows)                                                                                                   \
	for (size_t k = 0; k < b->n_##rows; k++) {                                                                     \
		r->rows = arena_grow(a, r->rows, &r->cap_##rows, r->n_##rows + 1, sizeof(*r->rows));                   \
		r->rows[r->n_##rows++] = b->rows[k];                                                                   \
	}

void recipe_append(struct recipe *r, const struct recipe *b, struct arena *a)
{
	APPEND(keep)
	APPEND(choice)
	APPEND(fallback)
	APPEND(let)
}
