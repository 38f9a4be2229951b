/*
 * tiktoken.c - tiktoken's files: one token a line, base64 of its bytes and its rank. Special tokens follow behind the last rank, named by the
 * code that comes with the model.
 *
 *	IQ== 0
 *	Ig== 1
 *	...
 *
 *	qwen     qwen.tiktoken     Qwen 1; the vocabulary's only merges are the pairs that each token was made of
 *	kimi     tiktoken.model    Kimi and Moonlight; tokenizer_config.json names special tokens, the others are reserved
 *	llama3   tokenizer.model   Llama 3 as Meta publishes it, written as Hugging Face's tokenizer.json of it would be
 *
 * Refuses lines of another form, ranks that leave one out or stand twice.
 */
#include "pre.h"
#include "ranked.h"

#include <stdlib.h>
#include <string.h>

#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define REST "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define WORD CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|"
#define UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]"
#define LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]"
#define CASED "[^\\r\\n\\p{L}\\p{N}]?"

enum { HEAD = 1024 };

struct kind {
	const char *name, *file, *pattern;
	enum ranked_merges merges;
	bool strict, nfc;
	size_t n_special;
	const char *(*special)(const struct files *f, size_t i, int64_t id, struct arena *a);
};

/* ---- special tokens by their number ---- */

static const char *qwen_special(const struct files *f, size_t i, int64_t id, struct arena *a)
{
	static const char *const first[] = { "<|endoftext|>", "<|im_start|>", "<|im_end|>" };

	return i < 3 ? first[i] : arena_printf(a, "<|extra_%zu|>", i - 3);
}

static const char *kimi_special(const struct files *f, size_t i, int64_t id, struct arena *a)
{
	char key[24];
	struct heft_str text;

	snprintf(key, sizeof(key), "%lld", (long long)id);
	if (json_str(json_get(json_get(json_get(json_root(f->tokenizer_config), "added_tokens_decoder"), key), "content"), &text) && text.n)
		return arena_memdup(a, text.p, text.n);
	return arena_printf(a, "<|reserved_token_%lld|>", (long long)id);
}

/* 3.1, whose configuration scales the rotation, named some that 3 had reserved. */
static const char *llama3_special(const struct files *f, size_t i, int64_t id, struct arena *a)
{
	static const char *const first[] = { "<|begin_of_text|>", "<|end_of_text|>", NULL, NULL, NULL, NULL, "<|start_header_id|>",
					     "<|end_header_id|>", NULL, "<|eot_id|>", NULL };
	static const char *const later[] = { [4] = "<|finetune_right_pad_id|>", [8] = "<|eom_id|>", [10] = "<|python_tag|>" };
	bool new = json_kind(json_get(f->config, "rope_scaling")) == JSON_OBJECT;
	size_t reserved = 0;

	if (i <= 10 && (first[i] || (new && later[i])))
		return first[i] ? first[i] : later[i];
	for (size_t k = 0; k < i; k++)
		reserved += k > 10 || !(first[k] || (new && later[k]));
	return arena_printf(a, "<|reserved_special_token_%zu|>", reserved);
}

enum { QWEN, KIMI, LLAMA3, KINDS };

static const struct kind kinds[KINDS] = {
	[QWEN] = { "qwen", "qwen.tiktoken", WORD "\\p{N}" REST, MERGES_OWN, true, true, 208, qwen_special },
	[KIMI] = { "kimi", "tiktoken.model",
		   "[\\p{Han}]+|" CASED UPPER "*" LOWER "+" CONTRACTIONS "?|" CASED UPPER "+" LOWER "*" CONTRACTIONS "?|\\p{N}{1,3}" REST,
		   MERGES_OWN, false, false, 258, kimi_special },
	[LLAMA3] = { "llama3", "tokenizer.model", WORD "\\p{N}{1,3}" REST, MERGES_ALL, false, false, 256, llama3_special },
};

/* ---- the file ---- */

/* The next line without its end; false: there is none. */
static bool next_line(struct heft_str *rest, struct heft_str *line)
{
	const char *end = memchr(rest->p, '\n', rest->n);
	size_t n = end ? (size_t)(end - rest->p) : rest->n;

	if (!rest->n)
		return false;
	*line = (struct heft_str){ rest->p, n && rest->p[n - 1] == '\r' ? n - 1 : n };
	n += end != NULL;
	rest->p += n;
	rest->n -= n;
	return true;
}

static bool read_line(struct heft_str line, struct rank_token *to, struct arena *a)
{
	const char *space = memchr(line.p, ' ', line.n);
	size_t n = space ? (size_t)(space - line.p) : 0, digits = space ? line.n - n - 1 : 0;
	int64_t rank = 0;

	if (!n || !digits || digits > 7)
		return false;
	for (size_t i = n + 1; i < line.n; i++) {
		if (line.p[i] < '0' || line.p[i] > '9')
			return false;
		rank = 10 * rank + (line.p[i] - '0');
	}
	to->id = (int32_t)rank;
	return base64_read((struct heft_str){ line.p, n }, &to->bytes, a);
}

static int read_tokens(const struct kind *k, struct heft_str text, struct rank_token **out, size_t *n, struct arena *a, struct heft_err *err)
{
	struct heft_str rest = text, line;
	struct rank_token *token;
	size_t lines = 1;
	bool *seen;

	for (size_t i = 0; i < text.n; i++)
		lines += text.p[i] == '\n';
	if (lines > (size_t)TOKENIZER_MAX_ROWS)
		return heft_fail(err, HEFT_E_VOCAB_SIZE, "%s has %zu lines; a vocabulary of more than %lld is not read", k->file, lines,
				 (long long)TOKENIZER_MAX_ROWS);
	token = arena_array(a, lines, sizeof(*token));
	seen = arena_array(a, lines, sizeof(*seen));
	for (*n = 0; next_line(&rest, &line);) {
		if (!line.n)
			continue;
		if (!read_line(line, &token[*n], a))
			return heft_fail(err, HEFT_E_TOKENIZER, "%s: its token %zu is no base64 text with a rank", k->file, *n);
		++*n;
	}
	for (size_t i = 0; i < *n; i++) {
		size_t id = (size_t)token[i].id;
		if (id >= *n || seen[id])
			return heft_fail(err, HEFT_E_TOKENIZER, "%s: its %zu ranks leave one out, or one stands twice: %zu", k->file, *n, id);
		seen[id] = true;
	}
	*out = token;
	return 0;
}

static int by_rank(const void *a, const void *b)
{
	const struct rank_token *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

/* Does a file of that name begin with such a line? */
static bool is_tiktoken(const char *dir, const char *name)
{
	struct arena *a = arena_new();
	struct heft_str text, line;
	struct rank_token t;
	bool is = file_exists(dir, name) && !file_head(dir, name, HEAD, &text, a, NULL) && next_line(&text, &line) && read_line(line, &t, a);

	arena_free(a);
	return is;
}

/* ---- the tokenizer ---- */

static int add_special(struct tokenizer *t, const struct kind *k, const struct files *f, size_t n_base, struct heft_err *err)
{
	struct added *added = &t->encoder->added;

	for (size_t i = 0; i < k->n_special && n_base + i < t->rows.n; i++) {
		int64_t id = (int64_t)(n_base + i);
		const char *z = k->special(f, i, id, t->arena);
		struct heft_str text = { z, strlen(z) };

		if (added_find(added, text))
			return heft_fail(err, HEFT_E_TOKENIZER, "%s: two special tokens are called '%s'", k->file, z);
		t->rows.text[id] = text;
		t->rows.type[id] = TOKEN_CONTROL;
		t->count++;
		added_put(added, (struct added_token){ .text = text, .id = (int32_t)id, .special = true });
	}
	added_ready(added);
	return 0;
}

static int make_rows(struct tokenizer *t, const struct kind *k, const struct files *f, size_t n_base, const struct tokenizer_options *o,
		     struct heft_err *err)
{
	size_t n = o->vocab_size > 0 ? (size_t)o->vocab_size : n_base + k->n_special;

	if (n < n_base)
		return heft_fail(err, HEFT_E_VOCAB_SIZE, "%s has %zu tokens, but the vocabulary has %zu rows", k->file, n_base, n);
	t->count = n_base;
	rows_init(&t->rows, n, false, 0, t->arena);
	ranked_rows(t);
	if (add_special(t, k, f, n_base, err))
		return -1;
	rows_pad(&t->rows, t->arena);
	return 0;
}

static int name_pre(struct tokenizer *t, const struct tokenizer_options *o, struct heft_err *err)
{
	char hash[65];

	if (!o->pre && pre_hash(t->encoder, hash, err))
		return -1;
	t->pre = o->pre ? arena_strdup(t->arena, o->pre) : pre_find(hash);
	return t->pre ? 0 : pre_unknown(t->encoder, hash, err);
}

static int add_nfc(struct encoder *e, struct heft_err *err)
{
	static const char text[] = "{\"type\":\"NFC\"}";
	struct json_doc *doc = json_parse(text, sizeof(text) - 1, "normalizer", false, err);
	int rc = doc ? steps_normalizer(&e->normalizer, json_root(doc), err) : -1;

	json_free(doc);
	return rc;
}

static int read_kind(struct tokenizer *t, const struct kind *k, struct heft_str text, const struct files *f, const struct tokenizer_options *o,
		     struct heft_err *err)
{
	struct ranked r = { .file = k->file, .pattern = k->pattern, .merges = k->merges, .strict = k->strict };
	struct rank_token *token;

	if (read_tokens(k, text, &token, &r.n, t->arena, err))
		return -1;
	if (k->merges == MERGES_ALL && r.n)
		qsort(token, r.n, sizeof(*token), by_rank);
	r.token = token;
	if (ranked_open(t, &r, err) || (k->nfc && add_nfc(t->encoder, err)))
		return -1;
	return make_rows(t, k, f, r.n, o, err);
}

int tiktoken_read(struct tokenizer *t, const char *kind, struct heft_str text, const struct files *f, const struct tokenizer_options *o,
		  struct heft_err *err)
{
	for (size_t i = 0; i < KINDS; i++)
		if (!strcmp(kinds[i].name, kind))
			return read_kind(t, &kinds[i], text, f, o, err);
	return heft_fail(err, HEFT_E_TOKENIZER, "no file of tiktoken's is of kind '%s'", kind);
}

/* The vocabulary. */
static int open_kind(struct tokenizer *t, const struct kind *k, const struct files *f, const struct tokenizer_options *o, struct heft_err *err)
{
	struct heft_str text;

	return file_read(f->dir, k->file, TOKENIZER_FILE_LIMIT, &text, t->arena, err) || read_kind(t, k, text, f, o, err) ? -1 : 0;
}

bool qwen_has(const char *dir)
{
	return file_exists(dir, kinds[QWEN].file);
}

/* What ends a text stands for all three roles: bos and eos only where the files name no token for any role. */
int qwen_open(struct tokenizer *t, const struct files *f, const struct tokenizer_options *o, struct heft_err *err)
{
	const struct added_token *end;
	int64_t *id = t->special.id;
	bool said = false;

	if (open_kind(t, &kinds[QWEN], f, o, err) || name_pre(t, o, err) || special_read(&t->special, f, -1, t->arena, err))
		return -1;
	end = added_find(&t->encoder->added, (struct heft_str){ "<|endoftext|>", 13 });
	for (int role = 0; role < ROLES; role++)
		said = said || id[role] >= 0;
	if (end && !said)
		id[ROLE_BOS] = id[ROLE_EOS] = end->id;
	if (end && id[ROLE_UNK] < 0)
		id[ROLE_UNK] = end->id;
	return 0;
}

bool kimi_has(const char *dir)
{
	return file_exists(dir, kinds[KIMI].file);
}

int kimi_open(struct tokenizer *t, const struct files *f, const struct tokenizer_options *o, struct heft_err *err)
{
	return open_kind(t, &kinds[KIMI], f, o, err) || name_pre(t, o, err) || special_read(&t->special, f, -1, t->arena, err) ? -1 : 0;
}

bool llama3_has(const char *dir)
{
	return is_tiktoken(dir, kinds[LLAMA3].file);
}

/* Meta's files name no roles: a text begins with the first special token and ends with the second. */
int llama3_open(struct tokenizer *t, const struct files *f, const struct tokenizer_options *o, struct heft_err *err)
{
	int64_t bos;

	special_init(&t->special);
	if (open_kind(t, &kinds[LLAMA3], f, o, err))
		return -1;
	bos = (int64_t)t->encoder->bpe.n;
	ids_add(&t->encoder->before, (int32_t)bos);
	t->special.id[ROLE_BOS] = bos;
	t->special.id[ROLE_EOS] = bos + 1;
	t->special.add[ROLE_BOS] = 1;
	t->special.add[ROLE_EOS] = t->special.add[ROLE_SEP] = 0;
	return name_pre(t, o, err);
}
