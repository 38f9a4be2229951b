/*
 * unigram.h - a Unigram model: a text is cut into the tokens whose scores have the greatest sum.
 */
#ifndef TOKENIZER_UNIGRAM_H
#define TOKENIZER_UNIGRAM_H

#include "bpe.h"

struct unigram {
	const struct map *by_text; /* -> id */
	const double *score;       /* by id; NaN: not a token that a text is cut into */
	double least;              /* score of the least likely one */
	int64_t unk;               /* -1: none */
	size_t longest;            /* bytes of the longest token */
	bool byte_fallback;
	bool single;               /* sums are kept as 32-bit floats */
};

/* A character that is no token costs ten more than the least likely one; a run of such is one unknown token, or bytes. */
int unigram_encode(const struct unigram *u, struct heft_str text, struct ids *out, struct heft_err *err);

#endif
