/*
 * tokenizer.c - opening and closing a tokenizer: which strategy reads which files. Refuses strategies that it does not
 * know and directories without their files.
 */
#include "encoder.h"
#include "spm.h"

#include <stdlib.h>
#include <string.h>

struct strategy {
	const char *name;
	bool (*has)(const char *dir);
	int (*open)(struct tokenizer *t, const struct files *f, const struct tokenizer_options *o,
		    struct heft_err *err);
	bool n_vocab; /* special tokens beyond the vocabulary are dropped */
	bool special; /* open() has read them, and the templates */
};

static bool has_spm(const char *dir)
{
	return file_exists(dir, "tokenizer.model");
}

static bool has_spm_hf(const char *dir)
{
	struct peek p;

	return peek_file(&p, dir, TOKENIZER_FILE_LIMIT) && !strcmp(p.model, "BPE") && p.byte_fallback &&
	       !strcmp(p.decoder, "Sequence");
}

static bool has_bpe(const char *dir)
{
	return file_exists(dir, "tokenizer.json") || (file_exists(dir, "vocab.json") && file_exists(dir, "merges.txt"));
}

static bool has_wordpiece(const char *dir)
{
	return has_bpe(dir) || file_exists(dir, "vocab.txt");
}

static bool has_xlmr(const char *dir)
{
	struct peek p;

	return file_exists(dir, "sentencepiece.bpe.model") || (peek_file(&p, dir, TOKENIZER_FILE_LIMIT) && !strcmp(p.model, "Unigram"));
}

static bool has_t5(const char *dir)
{
	return has_spm(dir) || file_exists(dir, "spiece.model");
}

/* tokenizer.json goes before */
static bool has_tekken(const char *dir)
{
	return file_exists(dir, "tekken.json") && !file_exists(dir, "tokenizer.json");
}

static bool has_llama3(const char *dir)
{
	return llama3_has(dir) && !file_exists(dir, "tokenizer.json");
}

static const struct strategy strategies[] = {
	{ .name = "spm", .has = has_spm, .open = spm_open, .n_vocab = true },
	{ .name = "internlm2", .has = has_spm, .open = internlm2_open, .n_vocab = true },
	{ .name = "spm_hf", .has = has_spm_hf, .open = spm_hf_open, .n_vocab = true },
	{ .name = "gemma4", .has = has_spm_hf, .open = gemma4_open },
	{ .name = "bpe", .has = has_bpe, .open = bpe_open },
	{ .name = "xlmr", .has = has_xlmr, .open = xlmr_open, .n_vocab = true },
	{ .name = "t5", .has = has_t5, .open = t5_open, .n_vocab = true },
	{ .name = "tekken", .has = has_tekken, .open = tekken_open, .special = true },
	{ .name = "mistral", .has = mistral_has, .open = mistral_open, .special = true },
	{ .name = "qwen", .has = qwen_has, .open = qwen_open, .special = true },
	{ .name = "kimi", .has = kimi_has, .open = kimi_open, .special = true },
	{ .name = "llama3", .has = has_llama3, .open = llama3_open, .special = true },
	{ .name = "wordpiece", .has = has_wordpiece, .open = wordpiece_open, .n_vocab = true },
};

static const struct strategy *strategy_find(const char *name)
{
	for (size_t i = 0; i < sizeof(strategies) / sizeof(*strategies); i++)
		if (!strcmp(strategies[i].name, name))
			return &strategies[i];
	return NULL;
}

bool tokenizer_has(const char *dir, const char *strategy)
{
	const struct strategy *s = strategy_find(strategy);

	return s && s->has(dir);
}

const char *tokenizer_option(const struct tokenizer_options *o, const char *name)
{
	for (size_t i = 0; o->option && o->option[i]; i += 2)
		if (!strcmp(o->option[i], name))
			return o->option[i + 1];
	return NULL;
}

/* add_space_prefix: "true", "false", "model": what the SentencePiece model does, or "config": what
 * tokenizer_config.json's add_prefix_space says, if it says something. */
static int read_space_prefix(struct tokenizer *t, const struct files *f, const struct tokenizer_options *o,
			     struct heft_err *err)
{
	const char *value = tokenizer_option(o, "add_space_prefix");
	bool b;

	if (!value)
		return 0;
	if (!strcmp(value, "config")) {
		if (json_bool(json_get(json_root(f->tokenizer_config), "add_prefix_space"), &b))
			t->add_space_prefix = b;
	} else if (!strcmp(value, "model") && t->spm) {
		t->add_space_prefix = t->spm->add_dummy_prefix;
	} else if (!strcmp(value, "true") || !strcmp(value, "false")) {
		t->add_space_prefix = *value == 't';
	} else {
		return heft_fail(err, HEFT_E_ARCH_FILE, "add_space_prefix is '%s'; it may be true, false, model or config",
				 value);
	}
	return 0;
}

/* add_bos: what the family says of it, whatever the files say. */
static void force_bos(struct tokenizer *t, const struct tokenizer_options *o)
{
	const char *value = tokenizer_option(o, "add_bos");

	if (value)
		t->special.add[ROLE_BOS] = !strcmp(value, "true");
}

static int64_t count_listed(const struct files *f)
{
	const struct json *root = json_root(f->tokenizer);

	if (!f->tokenizer || has_spm(f->dir))
		return -1;
	return (int64_t)(json_count(json_get(json_get(root, "model"), "vocab")) + json_count(json_get(root, "added_tokens")));
}

static int open_files(struct tokenizer *t, const struct strategy *s, struct files *f, const struct tokenizer_options *o,
		      struct heft_err *err)
{
	if (file_json(f->dir, "tokenizer.json", TOKENIZER_FILE_LIMIT, &f->tokenizer, err) ||
	    file_json(f->dir, "tokenizer_config.json", CONFIG_FILE_LIMIT, &f->tokenizer_config, err) ||
	    s->open(t, f, o, err) || read_space_prefix(t, f, o, err))
		return -1;
	t->listed = count_listed(f);
	if (!s->special && special_read(&t->special, f, s->n_vocab ? (int64_t)t->rows.n : -1, t->arena, err))
		return -1;
	force_bos(t, o);
	return 0;
}

int tokenizer_open(struct tokenizer **out, const char *dir, const struct tokenizer_options *o, struct heft_err *err)
{
	const struct strategy *s = strategy_find(o->strategy);
	struct files f = { .dir = dir, .config = o->config };
	struct tokenizer *t;
	int rc;

	if (!s)
		return heft_fail(err, HEFT_E_TOKENIZER, "no way of reading a tokenizer is called '%s'", o->strategy);
	if (!s->has(dir))
		return heft_fail(err, HEFT_E_TOKENIZER, "'%s' lacks the files of a tokenizer of kind %s", dir, s->name);
	if (o->vocab_size > TOKENIZER_MAX_ROWS)
		return heft_fail(err, HEFT_E_VOCAB_SIZE, "a vocabulary of %lld rows is more than heft writes",
				 (long long)o->vocab_size);
	t = xmalloc(sizeof(*t));
	memset(t, 0, sizeof(*t));
	t->arena = arena_new();
	t->add_space_prefix = t->remove_extra_whitespaces = -1;
	rc = open_files(t, s, &f, o, err);
	json_free(f.tokenizer);
	json_free(f.tokenizer_config);
	if (rc) {
		tokenizer_close(t);
		return -1;
	}
	*out = t;
	return 0;
}

void tokenizer_close(struct tokenizer *t)
{
	if (!t)
		return;
	if (t->encoder)
		encoder_release(t->encoder);
	if (t->spm)
		spm_release(t->spm);
	arena_free(t->arena);
	free(t);
}

int64_t tokenizer_count(const struct tokenizer *t)
{
	return (int64_t)t->count;
}

int64_t tokenizer_listed(const struct tokenizer *t)
{
	return t->listed;
}

int64_t tokenizer_id(const struct tokenizer *t, const char *text)
{
	for (size_t i = 0; i < t->rows.n; i++)
		if (str_is(t->rows.text[i], text))
			return (int64_t)i;
	return -1;
}

struct heft_str tokenizer_token(const struct tokenizer *t, int64_t id)
{
	return id >= 0 && (size_t)id < t->rows.n ? t->rows.text[id] : (struct heft_str){ NULL, 0 };
}

const char *tokenizer_kind(const char *dir)
{
	struct peek p;

	if (has_tekken(dir))
		return "tekken";
	if (qwen_has(dir) || kimi_has(dir) || llama3_has(dir))
		return "tiktoken";
	if (has_spm(dir))
		return "spm";
	if (file_exists(dir, "sentencepiece.bpe.model") || file_exists(dir, "spiece.model"))
		return "unigram";
	if (peek_file(&p, dir, 0) && *p.model && strcmp(p.model, "BPE"))
		return !strcmp(p.model, "Unigram") ? "unigram" : !strcmp(p.model, "WordPiece") ? "wordpiece" : NULL;
	return has_bpe(dir) ? "bpe" : file_exists(dir, "vocab.txt") ? "wordpiece" : NULL;
}

int64_t tokenizer_encode(const struct tokenizer *t, const char *text, size_t n, int32_t **ids, struct heft_err *err)
{
	struct heft_str s = { text, n };
	struct ids out = { 0 };

	*ids = NULL;
	if (t->spm ? spm_encode(t->spm, s, &out, err) : encoder_encode(t->encoder, s, true, &out, err)) {
		free(out.id);
		return -1;
	}
	if (t->shifted)
		xlmr_shift(out.id, out.n);
	*ids = out.id;
	return (int64_t)out.n;
}
