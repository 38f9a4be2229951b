/*
 * recipe_text.c - the recipes: rows of src/recipe/NAME.recipe.
 *
 *   recipe NAME [| ALIAS]        fragment NAME
 *   about "text"                 file_type N (general.file_type)
 *   needs imatrix                nothing sensible comes of it without one
 *   base NAME                    its rows stand behind the own ones
 *   let NAME = E
 *   keep PATTERN "why" [when E]  not touched
 *   PATTERN -> TYPE [when E]     the first that matches; none: `type TYPE`
 *   fallback TYPE -> TYPE        where a row's length does not suit the first
 */
#include "recipe_rows.h"

#include "texts.h"

#include <pthread.h>
#include <string.h>
#include <strings.h>

enum { RECIPES = 64 };

static struct {
	struct recipe all[RECIPES];
	struct recipe *named[RECIPES]; /* without fragments, by file type's order of `heft types` */
	size_t n, n_named;
	struct heft_recipe_info info[RECIPES];
	struct symbols symbols;
	struct heft_err err; /* a recipe that cannot be read: none is handed out */
} table;

static int take_type(struct scan *s, const struct heft_encoding **out)
{
	struct heft_str name;
	if (!scan_name(s, &name))
		return scan_fail(s, "expected a type");
	*out = quant_find(arena_memdup(s->arena, name.p, name.n));
	return *out ? 0 : scan_fail(s, "there is no type '%.*s'", (int)name.n, name.p);
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
	if (take_name(s, &r->name))
		return -1;
	return scan_mark(s, "|") ? take_name(s, &r->alias) : 0;
}

static int row_fragment(struct scan *s, struct recipe *r)
{
	const char *name;
	return take_name(s, &name); /* known by its file's name */
}

static int row_about(struct scan *s, struct recipe *r)
{
	struct heft_str text;
	if (scan_string(s, &text) != 1)
		return scan_fail(s, "expected a text in quotes");
	r->about = text.p;
	return 0;
}

static int row_file_type(struct scan *s, struct recipe *r)
{
	struct expr *x = expr_parse(s);
	if (!x || x->n != 1 || x->code[0].op != X_CONST || !v_as_int(&x->konst[0], &r->file_type))
		return scan_fail(s, "expected a number");
	return 0;
}

static int row_base(struct scan *s, struct recipe *r)
{
	return take_name(s, &r->base);
}

static int row_needs(struct scan *s, struct recipe *r)
{
	r->needs_imatrix = scan_word(s, "imatrix");
	return r->needs_imatrix ? 0 : scan_fail(s, "expected needs imatrix");
}

static int row_type(struct scan *s, struct recipe *r)
{
	return take_type(s, &r->type);
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
	*l = (struct let_row){ symbols_add(s->symbols, name, strlen(name)), expr_parse(s) };
	return l->expr ? 0 : -1;
}

static int take_choice(struct scan *s, struct choice *c, bool keep)
{
	struct pattern *p = arena_alloc(s->arena, sizeof(*p));
	struct heft_str why = { 0 };
	*c = (struct choice){ .pattern = p };
	if (pattern_parse(s, p))
		return -1;
	if (keep ? scan_string(s, &why) != 1 : !scan_mark(s, "->") || take_type(s, &c->type))
		return scan_fail(s, keep ? "expected a text in quotes" : "expected PATTERN -> TYPE");
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
	return take_choice(s, &r->keep[r->n_keep++], true);
}

static int row_choice(struct scan *s, struct recipe *r)
{
	if (r->n_choice == r->cap_choice)
		r->choice = arena_grow(s->arena, r->choice, &r->cap_choice, r->n_choice + 1, sizeof(*r->choice));
	return take_choice(s, &r->choice[r->n_choice++], false);
}

static int row_fallback(struct scan *s, struct recipe *r)
{
	if (r->n_fallback == r->cap_fallback)
		r->fallback =
			arena_grow(s->arena, r->fallback, &r->cap_fallback, r->n_fallback + 1, sizeof(*r->fallback));
	struct fallback *f = &r->fallback[r->n_fallback++];
	if (take_type(s, &f->from))
		return -1;
	return scan_mark(s, "->") ? take_type(s, &f->to) : scan_fail(s, "expected TYPE -> TYPE");
}

static const struct {
	const char *name;
	int (*parse)(struct scan *s, struct recipe *r);
} words[] = { { "recipe", row_recipe }, { "fragment", row_fragment }, { "about", row_about },
	{ "file_type", row_file_type }, { "needs", row_needs }, { "base", row_base }, { "type", row_type }, { "let", row_let },
	{ "keep", row_keep }, { "fallback", row_fallback } };

static int parse_row(struct scan *s, struct recipe *r)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (scan_word(s, words[i].name))
			return words[i].parse(s, r);
	return row_choice(s, r);
}

static int parse_recipe(struct recipe *r, const struct text *t, struct arena *a)
{
	static const struct expr_fn *const functions[] = { expr_functions, NULL };
	struct scan s = { .file = t->name,
		.err = &table.err,
		.code = HEFT_E_RECIPE,
		.arena = a,
		.symbols = &table.symbols,
		.functions = functions };
	char *p = arena_strdup(a, t->text), *row;
	int line = 0;
	*r = (struct recipe){ .file = t->name, .symbols = &table.symbols };
	while ((p = scan_row(p, &line, &row, &s.line))) {
		s.p = row;
		s.depth = 0;
		if (parse_row(&s, r))
			return -1;
		if (!scan_end(&s))
			return scan_fail(&s, "'%.20s' is left over at the end of the row", s.p);
	}
	return 0;
}

static const struct recipe *file_named(const char *base)
{
	size_t n = strlen(base);
	for (size_t i = 0; i < table.n; i++) {
		const char *name = table.all[i].file + strlen("recipe/");
		if (!strncmp(name, base, n) && !strcmp(name + n, ".recipe"))
			return &table.all[i];
	}
	return NULL;
}

#define APPEND(rows)                                                                                                   \
	for (size_t k = 0; k < b->n_##rows; k++) {                                                                     \
		r->rows = arena_grow(a, r->rows, &r->cap_##rows, r->n_##rows + 1, sizeof(*r->rows));                   \
		r->rows[r->n_##rows++] = b->rows[k];                                                                   \
	}

/* Files come in name order, so a base may still have a base of its own: it is followed from here. */
static int add_bases(struct recipe *r, struct arena *a)
{
	const char *base = r->base;
	for (int level = 0; base; level++) {
		const struct recipe *b = file_named(base);
		if (!b || level == 4)
			return heft_fail(&table.err, HEFT_E_RECIPE, "%s: no base '%s'", r->file, base);
		const char *next = b->base;
		APPEND(keep)
		APPEND(choice)
		APPEND(fallback)
		APPEND(let)
		base = next;
	}
	return 0;
}

static struct heft_recipe_info info_of(const struct recipe *r)
{
	return (struct heft_recipe_info){
		.name = r->name, .alias = r->alias, .about = r->about, .file_type = (uint32_t)r->file_type, .needs_imatrix = r->needs_imatrix,
	};
}

/* Only whole recipes get their bases' rows: fragments stay as they are, so that no row comes twice. */
static int finish(struct arena *a)
{
	for (size_t i = 0; i < table.n; i++) {
		struct recipe *r = &table.all[i];
		if (!r->name)
			continue;
		if (!r->type || !r->about || add_bases(r, a))
			return heft_fail(&table.err, HEFT_E_RECIPE,
				"%s: a recipe has the rows about, file_type and type", r->file);
		size_t at = table.n_named++;
		for (; at && table.named[at - 1]->file_type > r->file_type; at--)
			table.named[at] = table.named[at - 1];
		table.named[at] = r;
	}
	for (size_t i = 0; i < table.n_named; i++)
		table.info[i] = info_of(table.named[i]);
	return 0;
}

static void read_all(void)
{
	struct arena *a = arena_new();
	symbols_init(&table.symbols, a);
	for (const struct text *t = texts; t->name && table.n < RECIPES; t++)
		if (!strncmp(t->name, "recipe/", 7) && parse_recipe(&table.all[table.n++], t, a))
			return;
	if (finish(a))
		table.n_named = 0;
}

static void read_once(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, read_all);
}

const struct recipe *recipe_at(size_t i)
{
	read_once();
	return i < table.n_named ? table.named[i] : NULL;
}

const struct recipe *recipe_find(const char *name)
{
	const struct recipe *r;
	for (size_t i = 0; (r = recipe_at(i)); i++)
		if (!strcasecmp(r->name, name) || (r->alias && !strcasecmp(r->alias, name)))
			return r;
	return NULL;
}

const char *recipe_name(const struct recipe *r)
{
	return r->name;
}

const char *recipe_about(const struct recipe *r)
{
	return r->about;
}

uint32_t recipe_file_type(const struct recipe *r)
{
	return (uint32_t)r->file_type;
}

bool recipe_needs_imatrix(const struct recipe *r)
{
	return r->needs_imatrix;
}

size_t heft_recipes(const struct heft_recipe_info **out)
{
	read_once();
	*out = table.info;
	return table.n_named;
}
