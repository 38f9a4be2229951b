/*
 * recipe_show.c - recipes for people: their texts, and what can be told of a recipe without a model.
 */
#include "recipe_rows.h"

#include <stdlib.h>
#include <string.h>

enum { LEVELS = 4 };

static bool begins(const char *line, const char *word)
{
	size_t n = strlen(word);
	return !strncmp(line, word, n) && (line[n] == ' ' || line[n] == '\n');
}

/* A fragment, or a base in the middle of a recipe, has nothing to say of the whole. */
static bool is_head(const char *line)
{
	static const char *const words[] = { "recipe", "fragment", "about", "to", "file_type", "needs", "type" };
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (begins(line, words[i]))
			return true;
	return false;
}

/* The name behind `base`, for the next level. */
static const char *take_base(const char *line, struct arena *a)
{
	const char *name = line + strlen("base ");
	return arena_printf(a, "%.*s", (int)strcspn(name, " \t\n#"), name);
}

static const char *put_text(struct jbuf *b, const struct text *t, bool flat, bool first, struct arena *a)
{
	const char *base = NULL;
	bool told = !flat || !first;
	if (!first)
		jbuf_printf(b, "\n# %s\n", t->name);
	for (const char *p = t->text, *end; *p; p = end) {
		end = strchr(p, '\n') ? strchr(p, '\n') + 1 : p + strlen(p);
		if (!told && !is_head(p) && *p != '\n') { /* it is for models of all kinds */
			jbuf_printf(b, "optional\n");
			told = true;
		}
		if (begins(p, "base"))
			base = take_base(p, a);
		if (!flat || !(begins(p, "base") || begins(p, "optional") || (!first && is_head(p))))
			jbuf_raw(b, p, (size_t)(end - p));
	}
	return base;
}

char *heft_recipe_text(const char *name, bool flat, struct heft_err *err)
{
	struct arena *a = arena_new();
	const struct text *t = recipe_source(name);
	struct jbuf b = { 0 };
	if (!t)
		heft_fail(err, HEFT_E_RECIPE, "there is no recipe '%s': 'heft recipe list' names them", name);
	for (int level = 0; t && level <= LEVELS; level++) {
		const char *base = put_text(&b, t, flat, !level, a);
		t = base ? recipe_source(base) : NULL;
	}
	if (b.p)
		jbuf_raw(&b, "", 1);
	arena_free(a);
	return b.p;
}

const struct heft_encoding *heft_recipe_type(const char *name)
{
	const struct recipe *r = recipe_find(name);
	return r ? r->type : NULL;
}

int heft_recipe_read(struct heft_recipe_head *out, const char *file, const char *text, struct heft_err *err)
{
	struct arena *a = arena_new();
	const struct recipe *r = recipe_read(file, text, strlen(text), a, err);
	*out = (struct heft_recipe_head){ 0 };
	if (r) {
		size_t own = r->n_own + r->n_own_keep;
		*out = (struct heft_recipe_head){ strdup(r->name), r->to ? r->to->name : "gguf", own, r->n_choice + r->n_keep - own };
	}
	arena_free(a);
	return r && out->name ? 0 : -1;
}
