/*
 * added.h - added tokens: texts that are cut out of the input before the model sees it.
 */
#ifndef TOKENIZER_ADDED_H
#define TOKENIZER_ADDED_H

#include "bpe.h"
#include "steps.h"

struct added_token {
	struct heft_str text, pattern; /* pattern: what is looked for: the text, normalized where the token is */
	int32_t id;
	bool special, normalized, lstrip, rstrip, single_word;
};

struct added {
	struct added_token *token;
	size_t n, cap;
	struct map by_text;       /* -> index */
	int64_t max_id;           /* -1: none yet */
	const struct added_token **raw, **normal; /* not normalized, normalized; by first byte, longest first */
	size_t n_raw, n_normal;
	bool split_special;       /* special tokens in a text are text */
	struct arena *arena;
};

void added_init(struct added *s, struct arena *a);
void added_release(struct added *s);
/* Adds a token, or gives the one of that text these flags. Ids come from the vocabulary, else they follow on. */
int added_add(struct added *s, struct added_token t, const struct bpe *b, const struct steps *normalizer,
	      struct heft_err *err);
/* Adds a token at its own id; one of that text stays as it is. */
void added_put(struct added *s, struct added_token t);
const struct added_token *added_find(const struct added *s, struct heft_str text);
void added_ready(struct added *s); /* after the last one */
/* Cuts a text at the tokens of one kind. */
void added_split(const struct added *s, bool normalized, struct piece piece, struct pieces *out);

#endif
