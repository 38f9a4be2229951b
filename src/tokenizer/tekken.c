/*
 * tekken.c - the tokenizers that Mistral publishes in its own layout, as mistral-common reads them.
 *
 *	tekken.json
 *	{ "config": { "pattern": ..., "default_vocab_size": 131072, "default_num_special_tokens": 1000, "version": "v3" },
 *	  "special_tokens": [{ "rank": 0, "token_str": "<unk>", "is_control": true }, ...],
 *	  "vocab": [{ "rank": 0, "token_bytes": "AA==", "token_str": "\u0000" }, ...] }
 *
 *	id   0 ...          special tokens; those that the file does not name are called <SPECIAL_20> and so on
 *	     n_special ...  the vocabulary's first default_vocab_size - n_special tokens: its first 256 are the bytes
 *
 * or a SentencePiece model, tokenizer.model.v3, whose name tells the version; of several files the first counts, tekken.json before all.
 * Special tokens in a text are text. Refuses ranks that are not in order, tokens that stand twice.
 */
#include "ranked.h"
#include "spm.h"

#include <stdlib.h>
#include <string.h>

#define FILE_NAME "tekken.json"

struct tekken {
	const struct json *vocab, *special;
	const char *pattern;
	int version;
	size_t n_special, n_vocab;
};

/* What files up to version 7 leave out */
static const char *const old_special[] = { "<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]",
					   "[TOOL_RESULTS]", "[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]", "[IMG_END]",
					   "[PREFIX]", "[MIDDLE]", "[SUFFIX]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[TOOL_CONTENT]" };
enum { N_OLD = sizeof(old_special) / sizeof(*old_special), LAST_OLD_VERSION = 7 };

static int version_of(const char *s)
{
	return s && *s == 'v' ? (int)strtol(s + 1, NULL, 10) : 0;
}

/* ---- tekken.json ---- */

static int read_head(struct tekken *k, const struct json *root, struct heft_err *err)
{
	const struct json *config = json_get(root, "config");
	uint64_t size, special;

	k->vocab = json_get(root, "vocab");
	k->special = json_get(root, "special_tokens");
	k->pattern = json_cstr(json_get(config, "pattern"));
	k->version = version_of(json_cstr(json_get(config, "version")));
	if (!k->pattern || !json_uint(json_get(config, "default_vocab_size"), &size) ||
	    !json_uint(json_get(config, "default_num_special_tokens"), &special))
		return heft_fail(err, HEFT_E_TOKENIZER, FILE_NAME ": its config lacks pattern, default_vocab_size or default_num_special_tokens");
	if (size > (uint64_t)TOKENIZER_MAX_ROWS || special > size || size - special > json_count(k->vocab))
		return heft_fail(err, HEFT_E_VOCAB_SIZE, FILE_NAME ": %llu tokens, %llu of them special, cannot be made of a list of %zu",
				 (unsigned long long)size, (unsigned long long)special, json_count(k->vocab));
	if (json_kind(k->special) == JSON_NULL)
		k->special = NULL;
	if (!k->special && k->version > LAST_OLD_VERSION)
		return heft_fail(err, HEFT_E_TOKENIZER, FILE_NAME ": version v%d without special_tokens: download the file again", k->version);
	if ((k->special ? json_count(k->special) : N_OLD) > special)
		return heft_fail(err, HEFT_E_TOKENIZER, FILE_NAME ": names more special tokens than default_num_special_tokens, %llu",
				 (unsigned long long)special);
	k->n_special = special;
	k->n_vocab = size - special;
	return 0;
}

static int read_token(struct rank_token *to, const struct json *j, size_t rank, int32_t first, struct arena *a, struct heft_err *err)
{
	struct heft_str text;
	uint64_t said;

	if (!json_uint(json_get(j, "rank"), &said) || said != rank)
		return heft_fail(err, HEFT_E_TOKENIZER, FILE_NAME ": token %zu does not have that rank", rank);
	if (!json_str(json_get(j, "token_bytes"), &text) || !base64_read(text, &to->bytes, a))
		return heft_fail(err, HEFT_E_TOKENIZER, FILE_NAME ": token_bytes of token %zu is no base64 text", rank);
	if (rank < 256 && (to->bytes.n != 1 || (unsigned char)*to->bytes.p != rank))
		return heft_fail(err, HEFT_E_TOKENIZER, FILE_NAME ": token %zu is not the byte of that number", rank);
	to->id = first + (int32_t)rank;
	return 0;
}

static int read_vocab(struct tokenizer *t, const struct tekken *k, struct heft_err *err)
{
	struct rank_token *token = arena_array(t->arena, k->n_vocab + 1, sizeof(*token));
	const struct json *j = json_first(k->vocab);

	for (size_t i = 0; i < k->n_vocab; i++, j = json_next(j))
		if (read_token(&token[i], j, i, (int32_t)k->n_special, t->arena, err))
			return -1;
	return ranked_open(t, &(struct ranked){ FILE_NAME, token, k->n_vocab, k->pattern, MERGES_ALL, true }, err);
}

static int set_special(struct tokenizer *t, size_t i, const struct json *j, struct map *names, struct heft_err *err)
{
	struct heft_str text;
	uint64_t rank = i;
	bool found;

	if (!json_str(json_get(j, "token_str"), &text) || !text.n || !json_uint(json_get(j, "rank"), &rank) || rank != i)
		return heft_fail(err, HEFT_E_TOKENIZER, FILE_NAME ": special token %zu does not have that rank, or no text", i);
	t->rows.text[i] = (struct heft_str){ arena_memdup(t->arena, text.p, text.n), text.n };
	map_put(names, t->rows.text[i].p, text.n, &found);
	return found ? heft_fail(err, HEFT_E_TOKENIZER, FILE_NAME ": special token %zu has the text of another one", i) : 0;
}

static int set_specials(struct tokenizer *t, const struct tekken *k, struct heft_err *err)
{
	const struct json *j = json_first(k->special);
	struct map names;
	int rc = 0;

	map_init(&names);
	for (size_t i = 0; !rc && i < k->n_special; i++) {
		t->rows.type[i] = TOKEN_CONTROL;
		if (j) {
			rc = set_special(t, i, j, &names, err);
			j = json_next(j);
			continue;
		}
		const char *text = !k->special && i < N_OLD ? old_special[i] : arena_printf(t->arena, "<SPECIAL_%zu>", i);
		t->rows.text[i] = (struct heft_str){ text, strlen(text) };
	}
	map_release(&names);
	return rc;
}

static int read_rows(struct tokenizer *t, const struct tekken *k, struct heft_err *err)
{
	t->pre = "tekken";
	t->count = k->n_special + k->n_vocab;
	rows_init(&t->rows, t->count, true, 0, t->arena);
	t->rows.whole = true;
	ranked_rows(t);
	return set_specials(t, k, err);
}

static int64_t special_id(const struct tokenizer *t, size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++)
		if (str_is(t->rows.text[i], text))
			return (int64_t)i;
	return -1;
}

int tekken_read(struct tokenizer *t, const struct json *root, int *version, struct heft_err *err)
{
	static const struct {
		enum role role;
		const char *text;
	} row[] = { { ROLE_BOS, "<s>" }, { ROLE_EOS, "</s>" }, { ROLE_UNK, "<unk>" }, { ROLE_PAD, "<pad>" } };
	struct tekken k = { 0 };

	if (read_head(&k, root, err) || read_vocab(t, &k, err) || read_rows(t, &k, err))
		return -1;
	for (size_t i = 0; i < sizeof(row) / sizeof(*row); i++)
		t->special.id[row[i].role] = special_id(t, k.n_special, row[i].text);
	if (t->special.id[ROLE_BOS] >= 0)
		ids_add(&t->encoder->before, (int32_t)t->special.id[ROLE_BOS]);
	*version = k.version;
	return 0;
}

static int open_json(struct tokenizer *t, const char *dir, int *version, struct heft_err *err)
{
	struct json_doc *doc;
	int rc;

	if (file_json(dir, FILE_NAME, TOKENIZER_FILE_LIMIT, &doc, err))
		return -1;
	rc = tekken_read(t, json_root(doc), version, err);
	json_free(doc);
	return rc;
}

/* ---- a SentencePiece model ---- */

/* The last of the names that mistral-common knows, in the order of their letters */
static const char *model_name(const char *dir)
{
	static const char *const file[] = {
		"tokenizer.model.v7m1", "tokenizer.model.v7", "tokenizer.model.v3m1", "tokenizer.model.v3", "tokenizer.model.v2m1",
		"tokenizer.model.v2", "tokenizer.model.v1m1", "tokenizer.model.v15m1", "tokenizer.model.v15", "tokenizer.model.v13m1",
		"tokenizer.model.v13", "tokenizer.model.v11m1", "tokenizer.model.v11", "tokenizer.model.v1", "tokenizer.model",
	};

	for (size_t i = 0; i < sizeof(file) / sizeof(*file); i++)
		if (file_exists(dir, file[i]))
			return file[i];
	return NULL;
}

static int64_t piece_id(const struct spm *m, const char *text)
{
	const struct map_slot *slot = map_find(&m->by_text, text, strlen(text));

	return slot ? slot->value.i : -1;
}

static int open_model(struct tokenizer *t, const char *dir, const char *name, int *version, struct heft_err *err)
{
	int64_t *id = t->special.id;

	if (spm_open_file(t, dir, name, err))
		return -1;
	*version = strcmp(name, "tokenizer.model") ? version_of(strrchr(name, '.') + 1) : 1;
	t->model = "llama";
	rows_init(&t->rows, t->spm->n, true, 0, t->arena);
	rows_of_pieces(&t->rows, t->spm);
	id[ROLE_BOS] = piece_id(t->spm, "<s>");
	id[ROLE_EOS] = piece_id(t->spm, "</s>");
	id[ROLE_UNK] = t->spm->unknown;
	id[ROLE_PAD] = piece_id(t->spm, "<pad>");
	if (id[ROLE_PAD] < 0)
		id[ROLE_PAD] = id[ROLE_EOS];
	return 0;
}

/* ---- both ---- */

/* Templates that llama.cpp has under a name of its own; of later versions it has none */
static const char *template_name(int version, bool tekken)
{
	if (version == 1)
		return tekken ? NULL : "mistral-v1";
	if (version == 3)
		return tekken ? "mistral-v3-tekken" : "mistral-v3";
	if (version == 7)
		return tekken ? "mistral-v7-tekken" : "mistral-v7";
	return NULL;
}

static int read_template(struct tokenizer *t, const char *dir, int version, bool local, struct heft_err *err)
{
	const char *name = template_name(version, !t->spm);
	struct heft_str text = { name, name ? strlen(name) : 0 };

	if (local && file_exists(dir, "chat_template.jinja")) {
		if (file_read(dir, "chat_template.jinja", CONFIG_FILE_LIMIT, &text, t->arena, err))
			return -1;
		text_newlines(&text);
	}
	if (text.p)
		template_only(&t->special, text, t->arena);
	return 0;
}

static int open_any(struct tokenizer *t, const char *dir, bool local, struct heft_err *err)
{
	bool json = file_exists(dir, FILE_NAME);
	int version = 0;

	special_init(&t->special);
	t->special.add[ROLE_BOS] = 1;
	t->special.add[ROLE_EOS] = 0;
	if (json ? open_json(t, dir, &version, err) : open_model(t, dir, model_name(dir), &version, err))
		return -1;
	return read_template(t, dir, version, local, err);
}

bool mistral_has(const char *dir)
{
	return file_exists(dir, FILE_NAME) || model_name(dir);
}

int mistral_open(struct tokenizer *t, const struct files *f, const struct tokenizer_options *o, struct heft_err *err)
{
	return open_any(t, f->dir, true, err);
}

int tekken_open(struct tokenizer *t, const struct files *f, const struct tokenizer_options *o, struct heft_err *err)
{
	return open_any(t, f->dir, false, err);
}
