/*
 * tokenizer.h - a checkpoint's tokenizer files become tokenizer.* metadata.
 *
 * Knows: SentencePiece models (BPE, Unigram), tokenizer.json (byte-level BPE, WordPiece, Unigram), vocab.json + merges.txt, vocab.txt; which pre-tokenizer
 * llama.cpp calls it; chat templates; special and added tokens. Refuses what it cannot name. Patterns from files run
 * with match limits.
 */
#ifndef TOKENIZER_H
#define TOKENIZER_H

#include "../../base/arena.h"
#include "../../base/err.h"
#include "../../base/json.h"

struct tokenizer;

struct tokenizer_options {
	const char *strategy;        /* "spm", "spm_hf", "bpe" ... as the family says */
	const char *const *option;   /* the family's options of that strategy: pairs, NULL-terminated, or NULL */
	const char *pre;             /* --pre NAME, or NULL */
	int64_t vocab_size;          /* rows that the vocabulary is padded to; -1: as many as it has */
	const struct json *config;   /* config.json */
};

/* Are the files that a strategy needs in this directory? */
bool tokenizer_has(const char *dir, const char *strategy);
/* Reads them. */
int tokenizer_open(struct tokenizer **out, const char *dir, const struct tokenizer_options *o, struct heft_err *err);
void tokenizer_close(struct tokenizer *t); /* NULL is allowed */

int64_t tokenizer_count(const struct tokenizer *t);                  /* entries before padding */
/* What tokenizer.json lists: its vocabulary and its added tokens, those that are in both twice; -1 where a tokenizer.model counts. */
int64_t tokenizer_listed(const struct tokenizer *t);
int64_t tokenizer_id(const struct tokenizer *t, const char *text);   /* -1: no such token */
struct heft_str tokenizer_token(const struct tokenizer *t, int64_t id); /* its text; p NULL: no such id */
/* All tokenizer.* keys in the reference's types, arrays and strings in the arena. */
int tokenizer_metadata(const struct tokenizer *t, struct heft_kv **kv, size_t *n, struct arena *a,
		       struct heft_err *err);
/* What it is, from file names and small files alone (heft info): "spm", "bpe", NULL. Never parses the vocabulary. */
const char *tokenizer_kind(const char *dir);
/* The chat template's bytes, or p NULL. */
struct heft_str tokenizer_chat_template(const char *dir, struct arena *a);
/* Token ids of a text, for tests and the pre-tokenizer check: returns the count, or -1. */
int64_t tokenizer_encode(const struct tokenizer *t, const char *text, size_t n, int32_t **ids, struct heft_err *err);

/* ---- the way back: tokenizer.* metadata of a GGUF as the files of a checkpoint ---- */

struct tokenizer_file {
	const char *name; /* "tokenizer.json" */
	struct heft_str text;
};
/* pre: the pre-tokenizer's name where the metadata's does not count, or NULL. Metadata without a tokenizer gives no files. Refuses kinds
 * and pre-tokenizers that it has no rules for. All in the arena. */
int tokenizer_back(const struct heft_kv *kv, size_t n_kv, const char *pre, struct tokenizer_file **out, size_t *n, struct arena *a,
		   struct heft_err *err);

#endif
