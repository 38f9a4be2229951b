/*
 * pattern.h - patterns take tensor names apart, templates make them.
 */
#ifndef PATTERN_H
#define PATTERN_H

#include "expr.h"

enum { PATTERN_PARTS = 32, ALTERNATIVES = 32 };

enum part_kind {
	PART_TEXT,   /* literal */
	PART_NUMBER, /* {l}: decimal digits, no sign, no leading zero */
	PART_WORD,   /* {w:a|b|c} */
	PART_ANY,    /* {*} */
	PART_EXPR,   /* {l + 1}, in templates */
	PART_REPEAT, /* {k in range(0, n)}, in templates */
};

struct part {
	enum part_kind kind;
	struct heft_str text;          /* PART_TEXT */
	int symbol;                    /* bound or looked up; -1 none */
	const struct heft_str *word;   /* PART_WORD */
	int n_words;
	const struct expr *expr;
};

struct pattern {
	const char *text;  /* as written */
	struct part part[PATTERN_PARTS];
	int n;
	bool from_start, to_end; /* pre only: ^ and $ */
	bool literal;            /* pre only: quoted */
};

int pattern_parse(struct scan *s, struct pattern *p);  /* takes a word of the row */
int template_parse(struct scan *s, struct pattern *p);
bool pattern_has(const struct pattern *p, int symbol);
/* Matches a whole name; binds captures in *e (they stay until the caller resets e->n_bind). 1 yes, 0 no, -1 error. */
int pattern_match(struct env *e, const struct pattern *p, const char *name);
/* The name that a template makes; the value of a PART_REPEAT must be bound already. NULL: error. */
const char *template_make(struct env *e, const struct pattern *t);
/* A name that the pattern matches: its captures as they are bound, the first of its words where one is not. NULL: error. */
const char *pattern_make(struct env *e, const struct pattern *p);
/* Applies a pre row: the new name, the same pointer where nothing matched, NULL: error. */
const char *pattern_rewrite(struct env *e, const struct pattern *p, const struct pattern *to, const char *name);

#endif
