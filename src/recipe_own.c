/*
 * recipe_own.c - a user's recipe: the text of a stranger, so all of it is checked here, before a tensor is looked at.
 *
 * `base` names a recipe that is compiled in, or one of their fragments; its text is read anew, so that nothing is shared. What every
 * recipe leaves as it is (fragment stay), its fallbacks and the counts of a model stand behind all rows, whether named or not.
 */
#include "recipe_rows.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_LIMIT = 1 << 20, BASE_LEVELS = 4, NAME_ROOM = 64, LETS = 256 };

struct own {
	struct recipe *recipe;
	struct reading reading;
	struct arena *arena;
	struct heft_err *err;
	bool stays, counts; /* the fragments of these names were read */
};

static int refuse(const struct own *o, int line, const char *what, const char *name)
{
	heft_fail(o->err, HEFT_E_RECIPE, "%s:%d: %s '%s'", o->recipe->file, line, what, name);
	return -1;
}

/* ---- bases ---- */

const struct text *recipe_source(const char *base)
{
	const struct recipe *known = recipe_find(base);
	size_t n = strlen(base);
	for (const struct text *t = texts; t->name; t++) {
		if (known ? !strcmp(t->name, known->file) : !strncmp(t->name, "recipe/", 7) && !strncmp(t->name + 7, base, n) && !strcmp(t->name + 7 + n, ".recipe"))
			return t;
	}
	return NULL;
}

static void inherit(struct recipe *r, const struct recipe *b)
{
	r->about = r->about ? r->about : b->about;
	if (r->type || r->keeps)
		return;
	r->type = b->type;
	if (r->file_type < 0)
		r->file_type = b->file_type;
}

static int add_base(struct own *o, const char *base, const char **next)
{
	const struct text *t = recipe_source(base);
	struct reading reading = o->reading;
	struct recipe b;
	reading.places = false;
	if (!t)
		return heft_fail(o->err, HEFT_E_RECIPE, "%s: there is no base '%s': 'heft recipe list' names them", o->recipe->file, base);
	if (recipe_parse(&b, t->name, t->text, strlen(t->text), &reading))
		return -1;
	if (b.to)
		return heft_fail(o->err, HEFT_E_RECIPE, "%s: base '%s' is for --to %s", o->recipe->file, base, b.to->name);
	o->stays |= !strcmp(base, "stay");
	o->counts |= !strcmp(base, "counts");
	inherit(o->recipe, &b);
	recipe_append(o->recipe, &b, o->arena);
	*next = b.base;
	return 0;
}

static int add_bases(struct own *o)
{
	const char *base = o->recipe->base, *none;
	if (o->recipe->to)
		return base ? heft_fail(o->err, HEFT_E_RECIPE, "%s: base '%s' is for GGUF", o->recipe->file, base) : 0;
	for (int level = 0; base && level < BASE_LEVELS; level++)
		if (add_base(o, base, &base))
			return -1;
	if (!o->counts) { /* its names, without its rows */
		size_t rows = o->recipe->n_choice;
		if (add_base(o, "counts", &none))
			return -1;
		o->recipe->n_choice = rows;
	}
	return o->stays ? 0 : add_base(o, "stay", &none);
}

/* ---- rows that say a thing twice ---- */

static int once(const struct own *o, struct map *seen, const char *key, int line, const char *what)
{
	bool known;
	struct map_slot *slot = map_put(seen, key, strlen(key), &known);
	if (!known) {
		slot->value.i = line;
		return 0;
	}
	return heft_fail(o->err, HEFT_E_RECIPE, "%s:%d: %s '%s', as line %d does", o->recipe->file, line, what, key, (int)slot->value.i);
}

static int check_choices(const struct own *o, struct map *seen, const struct choice *row, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct choice *c = &row[i];
		const char *key = c->when ? arena_printf(o->arena, "%s when %s", c->pattern->text, c->when->text) : c->pattern->text;
		struct map_slot *all = map_find(seen, c->pattern->text, strlen(c->pattern->text));
		if (all)
			return heft_fail(o->err, HEFT_E_RECIPE, "%s:%d: line %d decides '%s' already", o->recipe->file, c->line, (int)all->value.i, c->pattern->text);
		if (once(o, seen, key, c->line, "decides"))
			return -1;
	}
	return 0;
}

static int check_lets(const struct own *o, struct map *seen, size_t n)
{
	const struct recipe *r = o->recipe;
	for (size_t i = 0; i < n; i++) {
		const char *name = r->symbols->name[r->let[i].symbol];
		if (recipe_knows(r, name))
			return refuse(o, r->let[i].line, "there is a name already that is", name);
		if (once(o, seen, name, r->let[i].line, "says what is"))
			return -1;
	}
	return 0;
}

static int check_fallbacks(const struct own *o, struct map *seen)
{
	for (size_t i = 0; i < o->recipe->n_fallback; i++)
		if (once(o, seen, o->recipe->fallback[i].from->name, o->recipe->fallback[i].line, "has a fallback for"))
			return -1;
	return 0;
}

/* Of the own rows, before those of bases come behind them. */
static int check_twice(const struct own *o)
{
	const struct recipe *r = o->recipe;
	struct map keep, choice, let, fallback;
	int rc;
	map_init(&keep);
	map_init(&choice);
	map_init(&let);
	map_init(&fallback);
	rc = check_choices(o, &keep, r->keep, r->n_keep) || check_choices(o, &choice, r->choice, r->n_choice) || check_lets(o, &let, r->n_let) ||
	     check_fallbacks(o, &fallback);
	map_release(&keep);
	map_release(&choice);
	map_release(&let);
	map_release(&fallback);
	return rc ? -1 : 0;
}

/* ---- names ---- */

static const struct let_row *let_of(const struct recipe *r, int symbol)
{
	for (size_t i = 0; i < r->n_let; i++)
		if (r->let[i].symbol == symbol)
			return &r->let[i];
	return NULL;
}

static bool is_name(const struct insn *in)
{
	return in->op == X_NAME || in->op == X_HAS || in->op == X_TRY;
}

static bool loops_over(const struct expr *x, int symbol)
{
	for (int i = 0; i < x->n; i++)
		if (x->code[i].op == X_EACH && x->code[i].a == symbol)
			return true;
	return false;
}

/* p: of the row, or NULL. */
static int check_names(const struct own *o, const struct expr *x, const struct pattern *p, int line)
{
	const struct recipe *r = o->recipe;
	for (int i = 0; x && i < x->n; i++) {
		int symbol = x->code[i].a;
		if (!is_name(&x->code[i]) || (p && pattern_has(p, symbol)) || let_of(r, symbol) || loops_over(x, symbol) || recipe_knows(r, r->symbols->name[symbol]))
			continue;
		return refuse(o, line, "there is no name", r->symbols->name[symbol]);
	}
	return 0;
}

static int check_all_names(const struct own *o)
{
	const struct recipe *r = o->recipe;
	for (size_t i = 0; i < r->n_own_keep; i++)
		if (check_names(o, r->keep[i].when, r->keep[i].pattern, r->keep[i].line))
			return -1;
	for (size_t i = 0; i < r->n_own; i++)
		if (check_names(o, r->choice[i].when, r->choice[i].pattern, r->choice[i].line))
			return -1;
	for (size_t i = 0; i < r->n_let; i++)
		if (check_names(o, r->let[i].expr, NULL, r->let[i].line))
			return -1;
	return 0;
}

/* ---- what names come to ---- */

/* Does every name that x asks for, if it is a let's, end? *of_tensor: is some fact of the tensor among them? */
static bool ends(const struct recipe *r, const struct expr *x, const struct pattern *p, bool *of_tensor)
{
	bool all = true;
	for (int i = 0; x && i < x->n; i++) {
		int symbol = x->code[i].a;
		const struct let_row *l = is_name(&x->code[i]) ? let_of(r, symbol) : NULL;
		if (!is_name(&x->code[i]))
			continue;
		all = all && (!l || l->ends);
		*of_tensor |= l ? l->of_tensor : recipe_knows_tensor(r->symbols->name[symbol]) || (p && pattern_has(p, symbol));
	}
	return all;
}

/* Lets that ask for lets, until no more is found out: what does not end asks for itself. */
static int follow_lets(const struct own *o)
{
	struct recipe *r = o->recipe;
	bool more = true;
	while (more) {
		more = false;
		for (size_t i = 0; i < r->n_let; i++)
			if (!r->let[i].ends && ends(r, r->let[i].expr, NULL, &r->let[i].of_tensor))
				more = r->let[i].ends = true;
	}
	for (size_t i = 0; i < r->n_let; i++)
		if (!r->let[i].ends)
			return refuse(o, r->let[i].line, "these rows ask for one another, and so no value is found for", r->symbols->name[r->let[i].symbol]);
	return 0;
}

static void mark_rows(struct recipe *r, struct choice *row, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool of_tensor = false;
		ends(r, row[i].when, row[i].pattern, &of_tensor);
		row[i].of_model = row[i].when && !of_tensor;
	}
}

static int follow_names(const struct own *o)
{
	if (check_all_names(o) || follow_lets(o))
		return -1;
	mark_rows(o->recipe, o->recipe->keep, o->recipe->n_own_keep);
	mark_rows(o->recipe, o->recipe->choice, o->recipe->n_own);
	return 0;
}

/* ---- all ---- */

/* What a file of such a type is called where nobody says: the recipe that has the type's name, or is mostly of it. */
static int64_t usual_file_type(const struct heft_encoding *type)
{
	const struct recipe *r = recipe_find(type->name);
	for (size_t i = 0; !r && recipe_at(i); i++)
		if (recipe_at(i)->type == type)
			r = recipe_at(i);
	return r ? r->file_type : -1;
}

/* "my-mix" of "recipes/my-mix.recipe" */
static const char *name_of_file(const char *file, struct arena *a)
{
	const char *slash = strrchr(file, '/'), *p = slash ? slash + 1 : file;
	size_t n = 0;
	while (n < NAME_ROOM && (isalnum((unsigned char)p[n]) || p[n] == '_' || p[n] == '-'))
		n++;
	return n ? arena_printf(a, "%.*s", (int)n, p) : "recipe";
}

static int finish(const struct own *o)
{
	struct recipe *r = o->recipe;
	if (!r->name)
		r->name = name_of_file(r->file, o->arena);
	if (r->to)
		return follow_names(o);
	if (!r->type && !r->keeps)
		return heft_fail(o->err, HEFT_E_RECIPE, "%s: a row 'type TYPE' is missing, or 'base NAME' of a recipe that has one", r->file);
	if (r->type && !heft_encoding_can_encode(r->type))
		return heft_fail(o->err, HEFT_E_RECIPE, "%s: %s cannot be written ('heft types' lists what can)", r->file, r->type->name);
	if (r->file_type < 0 && r->type)
		r->file_type = usual_file_type(r->type);
	if (r->file_type < 0 && r->type)
		return heft_fail(o->err, HEFT_E_RECIPE, "%s: a row 'file_type N' is missing: nothing says what a file of %s is called", r->file, r->type->name);
	return follow_names(o);
}

static int read_own(struct own *o, const char *text, size_t n)
{
	struct recipe *r = o->recipe;
	if (recipe_parse(r, r->file, text, n, &o->reading))
		return -1;
	r->n_own_keep = r->n_keep;
	r->n_own = r->n_choice;
	if (!r->optional) {
		r->n_must_keep = r->n_own_keep;
		r->n_must = r->n_own;
	}
	if (r->n_let > LETS)
		return heft_fail(o->err, HEFT_E_RECIPE, "%s: more than %d rows let", r->file, LETS);
	return check_twice(o) || add_bases(o) ? -1 : finish(o);
}

const struct recipe *recipe_read(const char *file, const char *text, size_t n, struct arena *a, struct heft_err *err)
{
	struct recipe *r = arena_alloc(a, sizeof(*r));
	struct symbols *symbols = arena_alloc(a, sizeof(*symbols));
	struct own o = { .recipe = r, .reading = { symbols, a, err, true }, .arena = a, .err = err };
	const char *own_name = arena_strdup(a, file);
	int rc;
	r->file = own_name;
	if (n > TEXT_LIMIT || memchr(text, 0, n)) {
		heft_fail(err, HEFT_E_RECIPE, n > TEXT_LIMIT ? "%s: a recipe has at most 1 MiB" : "%s: a NUL byte is no part of a recipe", file);
		return NULL;
	}
	symbols_init(symbols, a);
	rc = read_own(&o, text, n);
	symbols_release(symbols);
	return rc ? NULL : r;
}
