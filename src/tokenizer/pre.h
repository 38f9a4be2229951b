/*
 * pre.h - which pre-tokenizer llama.cpp calls it: the check text's ids, hashed, name it.
 */
#ifndef TOKENIZER_PRE_H
#define TOKENIZER_PRE_H

#include "encoder.h"

struct pre_name {
	const char *hash, *name;
};
extern const char pre_check_text[];
extern const struct pre_name pre_names[]; /* ends with NULL */

/* The SHA-256 of the check text's ids. */
int pre_hash(const struct encoder *e, char hex[65], struct heft_err *err);
const char *pre_find(const char *hash); /* NULL: not known */
/* Names whose tokenizers split as this one does, "a, b"; NULL where none is known. */
const char *pre_candidates(const struct encoder *e);

int pre_unknown(const struct encoder *e, const char *hash, struct heft_err *err); /* fails: the question to the user */

#endif
