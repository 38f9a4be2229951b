/*
 * licence.c owns which licence a model's metadata, or else the licence's text beside it, speaks of. It names it and points to what a user must look
 * at; it gives no advice on law, and what it does not know it leaves unnamed.
 */
#include "../base/source.h"
#include "kv.h"
#include "model.h"

#include <string.h>
#include <strings.h>

static const struct row {
	const char *ids, *phrases;
	struct heft_licence pub;
} rows[] = {
#define ROW(name, ids, phrases, conditions, link) { ids, phrases, { name, conditions, link } },
#include "licence_rows.h"
#undef ROW
};
enum { ROWS = sizeof rows / sizeof *rows, TEXT_LIMIT = 2048 };

/* Calls for each word of a list that is apart by '|': is it the text, or in it? */
static bool any_word(const char *list, const char *text, bool whole)
{
	char word[96];

	for (const char *s = list; *s; s += *s == '|') {
		size_t n = strcspn(s, "|");

		if (n < sizeof word) {
			memcpy(word, s, n);
			word[n] = 0;
			if (whole ? !strcasecmp(text, word) : strcasestr(text, word) != NULL)
				return true;
		}
		s += n;
	}
	return false;
}

static const struct heft_licence *find(const char *text, bool whole)
{
	for (size_t i = 0; text && i < ROWS; i++)
		if (any_word(whole ? rows[i].ids : rows[i].phrases, text, whole))
			return &rows[i].pub;
	return NULL;
}

/* The first lines of the licence's text that lies beside the model, runs of blanks as one. */
static const struct heft_licence *find_in_file(const struct heft_model *m)
{
	static const char *const names[] = { "LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "LICENSE-MODEL" };
	char text[TEXT_LIMIT + 1];
	const struct heft_licence *found = NULL;

	for (size_t i = 0; !found && m->dir && i < sizeof names / sizeof *names; i++) {
		struct source *s = source_open(path_join(m->arena, m->dir, names[i]), NULL);
		int64_t n = s ? source_peek(s, text, TEXT_LIMIT, NULL) : 0;
		size_t to = 0;

		for (int64_t k = 0; k < n; k++) {
			bool blank = !text[k] || strchr(" \t\r\n", text[k]);
			if (!blank || (to && text[to - 1] != ' '))
				text[to++] = blank ? ' ' : text[k];
		}
		text[to] = 0;
		source_close(s);
		found = find(text, false);
	}
	return found;
}

const struct heft_licence *heft_licence_at(size_t i)
{
	return i < ROWS ? &rows[i].pub : NULL;
}

const struct heft_licence *heft_model_licence(const struct heft_model *m, const struct heft_facts *f)
{
	const char *said[] = { kv_string(f->kv, f->n_kv, "general.license"), kv_string(f->kv, f->n_kv, "general.license.name"),
			       kv_string(f->kv, f->n_kv, "general.license.link") };
	const struct heft_licence *found = NULL;

	for (size_t i = 0; !found && i < 3; i++)
		found = find(said[i], true);
	for (size_t i = 0; !found && i < 3; i++)
		found = find(said[i], false);
	return found || (said[0] && strcasecmp(said[0], "other") != 0) ? found : find_in_file(m);
}
