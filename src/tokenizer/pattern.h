/*
 * pattern.h - the one door to Oniguruma, the library that the tokenizers' own code uses, so that patterns mean the
 * same. Patterns come from files: matching has limits, and one that passes them is an error, not a wait.
 */
#ifndef TOKENIZER_PATTERN_H
#define TOKENIZER_PATTERN_H

#include "internal.h"

struct pattern;

/* NULL with err where it does not compile */
struct pattern *pattern_new(struct heft_str pattern, struct heft_err *err);
void pattern_free(struct pattern *r); /* NULL is allowed */
/* The first match at or behind *from: 1 with its range in *from and *to; 0: none; -1: a limit was passed. */
int pattern_find(const struct pattern *r, struct heft_str text, size_t *from, size_t *to, struct heft_err *err);

#endif
