/*
 * tokens.c - the added and special tokens of a tokenizer, from all the files that may name them, in the order in which
 * transformers adds them:
 *
 *	1  tokenizer.json: added_tokens, where the file is run as it is
 *	2  tokenizer_config.json: added_tokens_decoder, by id; where it has none: added_tokens.json and tokenizer.json's
 *	3  named tokens (bos_token ...) and extra ones, of tokenizer_config.json, or of
 *	   special_tokens_map.json where 2 had no decoder
 *
 * The order decides the ids of tokens that are in no vocabulary.
 */
#include "encoder.h"

#include <stdlib.h>
#include <string.h>

static const char *const standard[] = { "bos_token", "eos_token", "unk_token", "sep_token",
					"pad_token", "cls_token", "mask_token" };
_Static_assert(sizeof(standard) / sizeof(*standard) == STANDARD, "one text for each");

struct listed {
	int64_t id;
	size_t order;
	struct added_token token;
};

struct gather {
	struct encoder *e;
	const struct tokenizer_class *class;
	const struct json *tokenizer, *config, *map; /* map: special_tokens_map.json, where it counts */
	struct listed *list;			     /* 2 */
	size_t n_list, cap_list;
	struct added_token *named; /* 3: those that have a name, then the extra ones */
	size_t n_named, cap_named, n_extra;
	size_t standard[STANDARD + 1]; /* where the standard ones begin in `named`, and their end */
	struct arena *arena; /* for a while */
};

static bool flag(const struct json *j, const char *key, bool otherwise)
{
	bool b;

	return json_bool(json_get(j, key), &b) ? b : otherwise;
}

/* { "content": ..., "special": ... } */
static bool token_of(const struct json *j, struct added_token *t)
{
	*t = (struct added_token){ .special = flag(j, "special", false),
				   .lstrip = flag(j, "lstrip", false),
				   .rstrip = flag(j, "rstrip", false),
				   .single_word = flag(j, "single_word", false) };
	t->normalized = flag(j, "normalized", !t->special);
	return json_str(json_get(j, "content"), &t->text);
}

static int add(struct gather *g, struct added_token t, struct heft_err *err)
{
	return added_add(&g->e->added, t, &g->e->bpe, &g->e->normalizer, err);
}

static int add_own(struct gather *g, struct heft_err *err)
{
	for (const struct json *j = json_first(json_get(g->tokenizer, "added_tokens")); j; j = json_next(j)) {
		struct added_token t;
		if (!token_of(j, &t))
			return heft_fail(err, HEFT_E_TOKENIZER, "tokenizer.json: an added token has no content");
		if (add(g, t, err))
			return -1;
	}
	return 0;
}

/* ---- 2: tokens with ids
 * ------------------------------------------------------------------------------------------- */

static void list_token(struct gather *g, int64_t id, struct added_token t)
{
	if (g->n_list == g->cap_list)
		g->list = arena_grow(g->arena, g->list, &g->cap_list, g->n_list + 1, sizeof(*g->list));
	g->list[g->n_list] = (struct listed){ id, g->n_list, t };
	g->n_list++;
}

static int list_decoder(struct gather *g, const struct json *decoder, struct heft_err *err)
{
	for (const struct json *j = json_first(decoder); j; j = json_next(j)) {
		struct added_token t;
		if (!token_of(j, &t))
			return heft_fail(err, HEFT_E_TOKENIZER,
					 "tokenizer_config.json: added token '%s' has no content", json_key(j).p);
		list_token(g, strtoll(json_key(j).p, NULL, 10), t);
	}
	return 0;
}

static bool is_named(const struct gather *g, struct heft_str text, bool or_extra)
{
	for (size_t i = 0; i < g->n_named - (or_extra ? 0 : g->n_extra); i++)
		if (g->named[i].text.n == text.n && !memcmp(g->named[i].text.p, text.p, text.n))
			return true;
	return false;
}

static int list_files(struct gather *g, const struct json *added, struct heft_err *err)
{
	struct added_token t;
	int64_t id;

	for (const struct json *j = json_first(added); j; j = json_next(j)) {
		bool special = is_named(g, json_key(j), true);
		if (!json_int(j, &id))
			return heft_fail(err, HEFT_E_TOKENIZER, "added_tokens.json: '%s' has no id", json_key(j).p);
		list_token(g, id,
			   (struct added_token){ .text = json_key(j), .special = special, .normalized = !special });
	}
	for (const struct json *j = json_first(json_get(g->tokenizer, "added_tokens")); j; j = json_next(j))
		if (token_of(j, &t) && json_int(json_get(j, "id"), &id))
			list_token(g, id, t);
	return 0;
}

static int by_id(const void *a, const void *b)
{
	const struct listed *x = a, *y = b;

	return x->id != y->id ? (x->id < y->id ? -1 : 1) : x->order < y->order ? -1 : 1;
}

/* Sorted by id; of several with one id the last one stays. */
static void sort_list(struct gather *g)
{
	size_t n = 0;

	if (g->n_list)
		qsort(g->list, g->n_list, sizeof(*g->list), by_id);
	for (size_t i = 0; i < g->n_list; i++)
		if (i + 1 == g->n_list || g->list[i + 1].id != g->list[i].id)
			g->list[n++] = g->list[i];
	g->n_list = n;
}

/* ---- 3: named tokens
 * ---------------------------------------------------------------------------------------------- */

static void name_token(struct gather *g, struct added_token t)
{
	if (g->n_named == g->cap_named)
		g->named = arena_grow(g->arena, g->named, &g->cap_named, g->n_named + 1, sizeof(*g->named));
	g->named[g->n_named++] = t;
}

/* A token named by its text, or by an object. special: as special_tokens_map.json means it. */
static void name_value(struct gather *g, const struct json *value, bool special)
{
	struct added_token t;

	if (token_of(value, &t)) {
		if (special) {
			t.special = true;
			t.normalized = flag(value, "normalized", false);
		}
		name_token(g, t);
	} else if (json_str(value, &t.text)) {
		t.special = true;
		t.normalized = false;
		name_token(g, t);
	}
}

static void name_text(struct gather *g, const char *text)
{
	if (text)
		name_token(g, (struct added_token){ .text = { text, strlen(text) }, .special = true });
}

static bool is_standard(struct heft_str key)
{
	for (size_t i = 0; i < STANDARD; i++)
		if (str_is(key, standard[i]))
			return true;
	return false;
}

static void name_others(struct gather *g, const struct json *config, bool special)
{
	for (const struct json *j = json_first(config); j; j = json_next(j)) {
		struct heft_str key = json_key(j);
		if (key.n > 6 && !memcmp(key.p + key.n - 6, "_token", 6) && !is_standard(key))
			name_value(g, j, special);
	}
}

/* extra_special_tokens, once called additional_special_tokens: a list, or an object of named ones */
static void name_extra(struct gather *g)
{
	static const char *const key[] = { "extra_special_tokens", "additional_special_tokens" };
	const struct json *extra = NULL;

	for (size_t i = 0; i < 2 && !extra; i++) {
		extra = json_get(g->map, key[i]);
		if (!extra)
			extra = json_get(g->config, key[i]);
	}
	for (const struct json *j = json_first(extra); j; j = json_next(j)) {
		size_t before = g->n_named;
		name_value(g, j, false);
		g->n_extra += json_kind(extra) == JSON_ARRAY ? g->n_named - before : 0;
	}
}

static void name_all(struct gather *g)
{
	const struct tokenizer_class *c = g->class;
	const char *own[STANDARD] = { c->bos, c->eos, c->unk, c->sep, c->pad, c->cls, c->mask };

	for (size_t i = 0; i < STANDARD; i++) {
		const struct json *value = json_get(g->map, standard[i]);
		bool special = value;
		g->standard[i] = g->n_named;
		if (!value)
			value = json_get(g->config, standard[i]);
		if (value)
			name_value(g, value, special);
		else
			name_text(g, own[i]);
	}
	g->standard[STANDARD] = g->n_named;
	name_others(g, g->config, false);
	name_others(g, g->map, true);
	name_extra(g);
}

/* ---- all of it
 * ---------------------------------------------------------------------------------------------------- */

static int add_list(struct gather *g, struct heft_err *err)
{
	for (size_t i = 0; i < g->n_list; i++) {
		struct added_token t = g->list[i].token;
		t.special = t.special || is_named(g, t.text, false);
		if (add(g, t, err))
			return -1;
	}
	return 0;
}

static int add_named(struct gather *g, struct heft_err *err)
{
	for (size_t i = 0; i < g->n_named; i++) {
		struct added_token t = g->named[i];
		t.special = t.special || i < g->n_named - g->n_extra;
		if (!added_find(&g->e->added, t.text) && add(g, t, err))
			return -1;
	}
	for (size_t i = 0; i < g->n_named && g->class->add_named; i++)
		if (add(g, (struct added_token){ .text = g->named[i].text, .special = true }, err))
			return -1;
	return 0;
}

static void keep_named(struct gather *g)
{
	struct encoder *e = g->e;

	e->named = arena_array(e->arena, g->n_named + 1, sizeof(*e->named));
	for (size_t i = 0; i < g->n_named; i++)
		e->named[e->n_named++] =
			(struct heft_str){ arena_memdup(e->arena, g->named[i].text.p, g->named[i].text.n),
					   g->named[i].text.n };
	for (size_t i = 0; i < STANDARD; i++)
		if (g->standard[i] < g->standard[i + 1])
			e->standard[i] = e->named[g->standard[i]];
}

struct heft_str encoder_named(const struct encoder *e, const char *role)
{
	for (size_t i = 0; i < STANDARD; i++)
		if (!strcmp(standard[i], role))
			return e->standard[i];
	return (struct heft_str){ NULL, 0 };
}

static int gather(struct gather *g, const struct json *added, struct heft_err *err)
{
	const struct json *decoder = json_get(g->config, "added_tokens_decoder");

	name_all(g);
	if (decoder ? list_decoder(g, decoder, err) : list_files(g, added, err))
		return -1;
	sort_list(g);
	if ((!g->class->json && add_own(g, err)) || add_list(g, err) || add_named(g, err))
		return -1;
	keep_named(g);
	added_ready(&g->e->added);
	return 0;
}

int encoder_add_tokens(struct encoder *e, const struct files *f, const struct tokenizer_class *c, struct heft_err *err)
{
	struct gather g = { .e = e,
			    .class = c,
			    .tokenizer = json_root(f->tokenizer),
			    .config = json_root(f->tokenizer_config),
			    .arena = arena_new() };
	struct json_doc *map = NULL, *added = NULL;
	int rc = 0;

	if (!json_get(g.config, "added_tokens_decoder"))
		rc = file_json(f->dir, "special_tokens_map.json", CONFIG_FILE_LIMIT, &map, err);
	if (!rc && !json_get(g.config, "added_tokens_decoder"))
		rc = file_json(f->dir, "added_tokens.json", CONFIG_FILE_LIMIT, &added, err);
	g.map = json_root(map);
	if (!rc)
		rc = gather(&g, json_root(added), err);
	json_free(map);
	json_free(added);
	arena_free(g.arena);
	return rc;
}
