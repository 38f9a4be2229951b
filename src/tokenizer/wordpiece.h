/*
 * wordpiece.h - WordPiece: a word becomes the longest tokens that it begins with, or unknown as a whole.
 */
#ifndef TOKENIZER_WORDPIECE_H
#define TOKENIZER_WORDPIECE_H

#include "bpe.h"

/* The vocabulary's prefix ("##") marks tokens that begin no word; a word of more than `limit` characters is unknown. */
int wordpiece_encode(const struct bpe *vocab, size_t limit, struct heft_str word, struct ids *out, struct heft_err *err);

#endif
