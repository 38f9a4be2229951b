/*
 * charsmap.h - the compiled normalization rules of a SentencePiece model: what the beginning of a text becomes.
 */
#ifndef TOKENIZER_CHARSMAP_H
#define TOKENIZER_CHARSMAP_H

#include "internal.h"

struct charsmap {
	const char *unit;
	size_t n; /* units */
	struct heft_str texts;
};

struct charsmap charsmap_open(struct heft_str bytes); /* bytes that are no such rules have none */
/* How many bytes at the beginning of s the longest rule takes, or the shortest; 0: there is none. */
size_t charsmap_match(const struct charsmap *m, struct heft_str s, bool longest, struct heft_str *becomes);
/* As the tokenizers library applies them: to each grapheme of less than six bytes, else to its characters. */
struct heft_str charsmap_graphemes(const struct charsmap *m, struct heft_str s, size_t limit, struct arena *a);

#endif
