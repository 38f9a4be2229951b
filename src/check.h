/* check.h - the parts of heft_check(): each tells what it finds to the sink. */
#ifndef CHECK_H
#define CHECK_H

#include "../base/err.h"

struct check {
	struct heft_model *model;
	const struct heft_check_options *options;
	struct sink sink;
};

/* check_files.c: config.json and the tokenizer's files. */
void check_companions(struct check *c, const char *dir);
/* check_digests.c: SHA-256 as the Hub cache, sum files and Git LFS pointers give it. */
int check_digests(struct check *c, struct heft_err *err);
/* check_family.c: tensors without a row in the family, tokenizers that heft cannot name. */
void check_family(struct check *c);
/* check_values.c: NaN, infinity, all zeros. */
int check_values(struct check *c, struct heft_err *err);

#endif
