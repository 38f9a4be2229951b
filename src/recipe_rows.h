/*
 * recipe_rows.h - a recipe as it was parsed. Inside of recipe*.c only.
 *
 *   recipe_parse.c  text -> rows
 *   recipe_text.c   the table of those that are compiled in
 *   recipe_own.c    the user's: its bases, its names, what may stand in it
 *   recipe_rule.c   --tensor-type PATTERN=TYPE
 *   recipe_ask.c    what a row may ask for, and which row answers
 *   recipe.c        the decision for each tensor of a GGUF
 *   recipe_module.c the decision for each module of another target
 */
#ifndef RECIPE_ROWS_H
#define RECIPE_ROWS_H

#include "pattern.h"
#include "recipe.h"
#include "texts.h"

#include "../quant/quant.h"

struct choice { /* PATTERN -> TYPE [when E], keep PATTERN [when E] "why" */
	const struct pattern *pattern;
	const struct heft_encoding *type; /* NULL: keep, or as a target has it */
	const struct module_type *as;     /* with a target; NULL: keep */
	const char *word;                 /* the type as written; NULL: keep */
	const struct expr *when;
	const char *why;
	const char *file;
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
	const struct target *to;    /* NULL: GGUF; else types are words of it, and names those of modules */
	const char *type_word;
	const char *base;
	struct choice *keep, *choice;
	size_t n_keep, cap_keep, n_choice, cap_choice;
	size_t n_own_keep, n_own;   /* of these, the first: of a user's recipe, its own rows */
	size_t n_must_keep, n_must; /* of those, the first: must match something */
	bool optional;              /* no further row must */
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
/* recipe_own.c: of a recipe that is compiled in, by its name or alias, or of a fragment; or NULL. */
const struct text *recipe_source(const char *name);
/* The rows of b behind those of r. */
void recipe_append(struct recipe *r, const struct recipe *b, struct arena *a);
/* What is known while tensors are decided, one after another. */
enum { RECIPE_KINDS = 4 };
struct decision {
	struct env env; /* first: lookup gets this pointer */
	const struct recipe *recipe;
	const struct recipe_facts *facts;
	struct rules *rules;
	const struct recipe_item *item;
	int64_t counted[RECIPE_KINDS], values; /* values: tensors that hold attention values */
	int64_t i, place, n;
	struct rows { /* of the recipe, with what is found out of them */
		const struct choice *row;
		size_t n, n_own, n_must;
		bool *used;           /* of the own ones: some tensor answers to it */
		size_t *decided;      /* tensors */
	} keeps, choices;
	size_t by_type;               /* tensors that no row of the recipe decided, but its type */
	bool tied, quantizes, output_used, embedding_used;
	struct misfit {
		const struct recipe_item *item;
		const struct heft_encoding *asked;
	} misfit; /* the first of them */
	size_t n_misfits;
};

/* recipe_ask.c: is this a name of a fact that rows of such a recipe may ask for; of one that each tensor has its own of? */
bool recipe_knows(const struct recipe *r, const char *name);
bool recipe_knows_tensor(const char *name);
uint64_t recipe_width(const struct recipe_item *item);
int recipe_layer(const char *name); /* of a GGUF's tensor; -1: none */
bool recipe_holds_values(const char *name);
struct decision *decision_new(const struct recipe *r, const struct recipe_facts *f, size_t n, struct arena *a, struct heft_err *err);
void decision_place(struct decision *d); /* d->item takes its place among those of its kind */
int decision_row(struct decision *d, struct rows *rows, const struct choice **out); /* the first that holds, or NULL; d->item is decided by it */
bool decision_owns(const struct rows *rows, const struct choice *row);
const char *decision_why(const struct choice *row, struct arena *a);
int decision_note(struct decision *d); /* something else decides d->item */
void decision_tell(const struct decision *d, struct recipe_told *out);
int decision_check(struct decision *d, struct heft_err *err); /* refuses an own row that nothing answered to */

/* --tensor-type rules, compiled. */
struct rules;
struct rules *rules_open(const char *const *rule, size_t n, struct heft_err *err); /* NULL with err; n may be 0 */
void rules_close(struct rules *r);
/* The type of the first rule that matches a name; *text is that rule. NULL: none does. */
const struct heft_encoding *rules_find(struct rules *r, const char *name, const char **text);
int rules_check_used(const struct rules *r, struct heft_err *err);

#endif
