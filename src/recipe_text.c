/*
 * recipe_text.c - the recipes that are compiled in: src/recipe/NAME.recipe.
 */
#include "recipe_rows.h"

#include "texts.h"

#include <pthread.h>
#include <string.h>
#include <strings.h>

enum { RECIPES = 64 };

static struct {
	struct recipe all[RECIPES];
	struct recipe *named[RECIPES]; /* of GGUF, without fragments, by file type's order of `heft types`; behind them those of other targets */
	size_t n, n_named, n_gguf;
	struct heft_recipe_info info[RECIPES];
	struct symbols symbols;
	struct heft_err err; /* a recipe that cannot be read: none is handed out */
} table;

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

/* Files come in name order, so a base may still have a base of its own: it is followed from here. */
static int add_bases(struct recipe *r, struct arena *a)
{
	const char *base = r->base;
	for (int level = 0; base; level++) {
		const struct recipe *b = file_named(base);
		if (!b || level == 4)
			return heft_fail(&table.err, HEFT_E_RECIPE, "%s: no base '%s'", r->file, base);
		const char *next = b->base;
		recipe_append(r, b, a);
		base = next;
	}
	return 0;
}

static struct heft_recipe_info info_of(const struct recipe *r)
{
	return (struct heft_recipe_info){
		.name = r->name, .alias = r->alias, .about = r->about, .file_type = (uint32_t)r->file_type, .needs_imatrix = r->needs_imatrix,
		.to = r->to ? r->to->name : "gguf",
	};
}

/* Only whole recipes get their bases' rows: fragments stay as they are, so that no row comes twice. */
static int finish(struct arena *a)
{
	for (size_t i = 0; i < table.n; i++) {
		struct recipe *r = &table.all[i];
		if (!r->name)
			continue;
		if (!(r->to ? r->type_word : r->type ? r->type->name : NULL) || !r->about || add_bases(r, a))
			return heft_fail(&table.err, HEFT_E_RECIPE,
				"%s: a recipe has the rows about, file_type and type", r->file);
		if (r->to)
			r->file_type = INT64_MAX; /* GGUF's word: those of other targets come behind */
		else
			table.n_gguf++;
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
	struct reading reading = { &table.symbols, a, &table.err, false };
	symbols_init(&table.symbols, a);
	for (const struct text *t = texts; t->name && table.n < RECIPES; t++)
		if (!strncmp(t->name, "recipe/", 7) && recipe_parse(&table.all[table.n++], t->name, t->text, strlen(t->text), &reading))
			return;
	if (finish(a))
		table.n_named = table.n_gguf = 0;
}

static void read_once(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, read_all);
}

const struct recipe *recipe_at(size_t i)
{
	read_once();
	return i < table.n_gguf ? table.named[i] : NULL;
}

const struct recipe *recipe_of_modules(const char *name)
{
	read_once();
	for (size_t i = table.n_gguf; i < table.n_named; i++)
		if (!strcmp(table.named[i]->name, name))
			return table.named[i];
	return NULL;
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
	return table.n_gguf;
}

size_t heft_module_recipes(const struct heft_recipe_info **out)
{
	read_once();
	*out = table.info + table.n_gguf;
	return table.n_named - table.n_gguf;
}

const struct target *recipe_target(const struct recipe *r)
{
	return r->to;
}

const char *recipe_type_word(const struct recipe *r)
{
	return r->type_word;
}

const struct heft_encoding *recipe_type(const struct recipe *r)
{
	return r->type;
}
