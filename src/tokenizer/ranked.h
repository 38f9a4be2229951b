/*
 * ranked.h - byte-level BPE by ranks, as tiktoken has it: a vocabulary of byte strings without a list of merges. Of all neighbours whose bytes
 * together are a token, those of the least rank are joined first.
 */
#ifndef TOKENIZER_RANKED_H
#define TOKENIZER_RANKED_H

#include "encoder.h"

struct rank_token {
	struct heft_str bytes;
	int32_t id; /* tokens of a higher rank have a higher id */
};

enum ranked_merges {
	MERGES_ALL, /* every way to cut a token in two, as transformers lists them */
	MERGES_OWN, /* of each token the pair that it is made of */
};

struct ranked {
	const char *file;    /* for messages */
	const struct rank_token *token;
	size_t n;
	const char *pattern; /* of a word */
	enum ranked_merges merges;
	bool strict;         /* a token that is not made of two others is refused; else it is none of the merges */
};
/* Makes the encoder of a tokenizer ready: vocabulary, merges and the pattern that cuts a text into words. The encoder is released with the
 * tokenizer, whatever this returns. */
int ranked_open(struct tokenizer *t, const struct ranked *r, struct heft_err *err);
/* The rows of these tokens, of a vocabulary that has more. */
void ranked_rows(struct tokenizer *t);

/* tekken.c: the whole of tekken.json, and its version; the special roles were set to none before. */
int tekken_read(struct tokenizer *t, const struct json *root, int *version, struct heft_err *err);
/* tiktoken.c: the text of a file of this kind: "qwen", "kimi", "llama3". */
int tiktoken_read(struct tokenizer *t, const char *kind, struct heft_str text, const struct files *f, const struct tokenizer_options *o,
		  struct heft_err *err);

#endif
