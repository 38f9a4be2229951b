/*
 * recipe_rows.h - a recipe as it was parsed. Inside of recipe*.c only.
 *
 *   recipe_text.c   text -> rows, the table of recipes
 *   recipe_rule.c   --tensor-type PATTERN=TYPE
 *   recipe.c        the decision for each tensor
 */
#ifndef RECIPE_ROWS_H
#define RECIPE_ROWS_H

#include "pattern.h"
#include "recipe.h"

#include "../quant/quant.h"

struct choice { /* PATTERN -> TYPE [when E], keep PATTERN [when E] "why" */
	const struct pattern *pattern;
	const struct heft_encoding *type; /* NULL: keep */
	const struct expr *when;
	const char *why;
};

struct fallback {
	const struct heft_encoding *from, *to;
};

struct recipe {
	const char *name, *about;   /* NULL name: a fragment */
	const char *alias;
	const char *file;
	int64_t file_type;
	bool needs_imatrix;
	const struct heft_encoding *type; /* for what no row takes */
	const char *base;
	struct choice *keep, *choice;
	size_t n_keep, cap_keep, n_choice, cap_choice;
	struct fallback *fallback;
	size_t n_fallback, cap_fallback;
	struct let_row {
		int symbol;
		const struct expr *expr;
	} *let;
	size_t n_let, cap_let;
	struct symbols *symbols; /* one for all recipes */
};

/* --tensor-type rules, compiled. */
struct rules;
struct rules *rules_open(const char *const *rule, size_t n, struct heft_err *err); /* NULL with err; n may be 0 */
void rules_close(struct rules *r);
/* The type of the first rule that matches a name; *text is that rule. NULL: none does. */
const struct heft_encoding *rules_find(struct rules *r, const char *name, const char **text);
int rules_check_used(const struct rules *r, struct heft_err *err);

#endif
