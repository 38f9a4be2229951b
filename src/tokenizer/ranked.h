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

/* Makes the encoder of a tokenizer ready: vocabulary, merges and the pattern that cuts a text into words. file: for messages. The encoder is
 * released with the tokenizer, whatever this returns. */
int ranked_open(struct tokenizer *t, const char *file, const struct rank_token *token, size_t n, const char *pattern,
		enum ranked_merges merges, struct heft_err *err);

#endif
