/*
 * recipe_rows.h - a recipe as it was parsed. Inside of recipe*.c only.
 *
 *   recipe_parse.c  text -> rows
 *   recipe_text.c   the table of those that are compiled in
 *   recipe_own.c    the user's: its bases, its names, what may stand in it
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
	int line;
	bool of_model; /* its condition says nothing of the tensor */
};

struct fallback {
	const struct heft_encoding *from, *to;
	int line;
};

struct recipe {
	const char *name, *about;   /* NULL name: a fragment */
	const char *alias;
	const char *file;
	int64_t file_type;          /* -1: not said */
	bool needs_imatrix;
	bool keeps;                 /* type keep: what no row takes stays */
	const struct heft_encoding *type; /* for what no row takes */
	const char *base;
	struct choice *keep, *choice;
	size_t n_keep, cap_keep, n_choice, cap_choice;
	size_t n_own_keep, n_own;   /* of these, the first: of a user's recipe, its own rows */
	struct fallback *fallback;
	size_t n_fallback, cap_fallback;
	struct let_row {
		int symbol, line;
		const struct expr *expr;
		bool of_tensor, ends; /* a user's: what it asks for, over other rows, ends; in what a tensor has */
	} *let;
	size_t n_let, cap_let;
	struct symbols *symbols; /* shared with its bases */
};

/* recipe_parse.c: fills *r from a text; what is read stays in the arena. `places`: errors tell the column. */
struct reading {
	struct symbols *symbols;
	struct arena *arena;
	struct heft_err *err;
	bool places;
};
int recipe_parse(struct recipe *r, const char *file, const char *text, size_t n, const struct reading *reading);
/* The rows of b behind those of r. */
void recipe_append(struct recipe *r, const struct recipe *b, struct arena *a);
/* recipe.c: is this a name of a fact; of one that each tensor has its own of? */
bool recipe_knows(const char *name);
bool recipe_knows_tensor(const char *name);

/* --tensor-type rules, compiled. */
struct rules;
struct rules *rules_open(const char *const *rule, size_t n, struct heft_err *err); /* NULL with err; n may be 0 */
void rules_close(struct rules *r);
/* The type of the first rule that matches a name; *text is that rule. NULL: none does. */
const struct heft_encoding *rules_find(struct rules *r, const char *name, const char **text);
int rules_check_used(const struct rules *r, struct heft_err *err);

#endif
