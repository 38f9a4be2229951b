/*
 * back.h - a GGUF's tokenizer on its way back to files: what its parts share.
 *
 *   back.c        tokenizer.* keys, tokenizer_config.json, chat templates
 *   back_json.c   tokenizer.json
 *   back_spm.c    tokenizer.model, and the merges that its scores stand for
 *   back_pre.c    what a pre-tokenizer's name stands for
 */
#ifndef TOKENIZER_BACK_H
#define TOKENIZER_BACK_H

#include "internal.h"

struct vocab { /* borrowed from the metadata, checked */
	const struct heft_kv *kv;
	size_t n_kv;
	bool spm;                     /* pieces with scores; else byte-level BPE with merges */
	const char *pre;
	size_t n;
	const struct heft_str *text;
	const int32_t *type;          /* NULL: all normal */
	const float *score;           /* spm only */
	const struct heft_str *merge; /* byte-level BPE only */
	size_t n_merges;
	int64_t id[ROLES];            /* -1: none; below n */
	int add[ROLES];               /* -1: not said */
	int space_prefix, nfc;        /* -1: not said */
	struct arena *arena;
};

enum token_type vocab_type(const struct vocab *v, size_t i);
bool vocab_is_pad(const struct vocab *v, size_t i);   /* [PAD7]: a row that no tokenizer has */
bool vocab_is_added(const struct vocab *v, size_t i); /* control and user-defined tokens */

struct pre_rule { /* what a pre-tokenizer's name stands for, as parts of tokenizer.json */
	const char *names;            /* between spaces */
	const char *class;            /* transformers' class */
	const char *pre_tokenizer;
	bool nfc;                     /* the normalizer, where the metadata does not say */
	bool ignore_merges;
};
const struct pre_rule *pre_rule_find(const char *name); /* NULL: not known */

/* Merges as "left right", best first, from the scores: every way in which a piece is two pieces. */
struct heft_str *spm_merges(const struct vocab *v, size_t *n);
struct heft_str spm_file(const struct vocab *v);
struct heft_str json_file(const struct vocab *v, const struct pre_rule *rule);

#endif
