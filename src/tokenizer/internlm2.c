/*
 * internlm2.c - the vocabulary of InternLM2: a SentencePiece model whose rows the reference makes by rules of its own.
 * Unlike other models' (spm.c) its added_tokens.json goes behind the pieces, texts of added tokens stay as they are, and
 * the piece that is a zero byte becomes a dragon, since C would read it as the empty text. Refuses added tokens beyond
 * the vocabulary.
 */
#include "spm.h"

#include <stdlib.h>
#include <string.h>

#define DRAGON "\xf0\x9f\x90\x89"

static bool begins(struct heft_str s, const char *z)
{
	return s.n >= strlen(z) && !memcmp(s.p, z, strlen(z));
}

static void set_pieces(struct rows *r, const struct spm *m, size_t n)
{
	for (size_t i = 0; i < m->n && i < n; i++) {
		struct heft_str text = m->piece[i].text;

		r->text[i] = text.n == 1 && !*text.p ? (struct heft_str){ DRAGON, strlen(DRAGON) } : text;
		r->score[i] = m->piece[i].score;
		r->type[i] = begins(text, "[UNUSED")			     ? TOKEN_UNUSED :
			     m->piece[i].type == TOKEN_USER_DEFINED ? TOKEN_NORMAL :
									      (int32_t)m->piece[i].type;
	}
}

static struct heft_str keep(struct heft_str s, struct arena *a)
{
	return (struct heft_str){ arena_memdup(a, s.p, s.n), s.n };
}

static void set_row(struct rows *r, size_t i, struct heft_str text, bool special)
{
	r->text[i] = text;
	r->score[i] = -1000.0f;
	r->type[i] = special ? TOKEN_CONTROL : TOKEN_USER_DEFINED;
}

static int set_token(struct rows *r, int64_t id, const struct json *token, struct arena *a, struct heft_err *err)
{
	struct heft_str text;
	bool special = false;

	if (id < 0 || (uint64_t)id >= r->n)
		return heft_fail(err, HEFT_E_TOKENIZER, "added token %lld lies beyond the vocabulary of %zu", (long long)id, r->n);
	if (!json_str(json_get(token, "content"), &text))
		return heft_fail(err, HEFT_E_TOKENIZER, "added token %lld has no content", (long long)id);
	json_bool(json_get(token, "special"), &special);
	set_row(r, (size_t)id, keep(text, a), special);
	return 0;
}

/* tokenizer_config.json: added_tokens_decoder: { "id": { content, special } }, then tokenizer.json: added_tokens: [ { id, ... } ] */
static int set_added(struct rows *r, const struct files *f, struct arena *a, struct heft_err *err)
{
	for (const struct json *j = json_first(json_get(json_root(f->tokenizer_config), "added_tokens_decoder")); j; j = json_next(j))
		if (set_token(r, strtoll(json_key(j).p, NULL, 10), j, a, err))
			return -1;
	for (const struct json *j = json_first(json_get(json_root(f->tokenizer), "added_tokens")); j; j = json_next(j)) {
		int64_t id;

		if (!json_int(json_get(j, "id"), &id))
			return heft_fail(err, HEFT_E_TOKENIZER, "tokenizer.json: an added token has no id");
		if (set_token(r, id, j, a, err))
			return -1;
	}
	return 0;
}

/* The pieces, then the keys of added_tokens.json, in its order and whatever their ids. */
static void set_rows(struct tokenizer *t, int64_t vocab_size, const struct json *more)
{
	size_t n = vocab_size > 0 ? (size_t)vocab_size : t->spm->n;

	rows_init(&t->rows, n + json_count(more), true, -10000.0f, t->arena);
	set_pieces(&t->rows, t->spm, n);
	for (const struct json *j = json_first(more); j; j = json_next(j))
		set_row(&t->rows, n++, keep(json_key(j), t->arena), false);
}

int internlm2_open(struct tokenizer *t, const struct files *f, const struct tokenizer_options *o, struct heft_err *err)
{
	struct json_doc *more;

	if (spm_open_file(t, f->dir, "tokenizer.model", err) || file_json(f->dir, "added_tokens.json", CONFIG_FILE_LIMIT, &more, err))
		return -1;
	t->model = "llama";
	t->pre = "default";
	set_rows(t, o->vocab_size, json_root(more));
	json_free(more);
	if (set_added(&t->rows, f, t->arena, err))
		return -1;
	rows_pad(&t->rows, t->arena);
	return 0;
}
