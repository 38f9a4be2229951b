/*
 * recipe.c - the encoding of each tensor: kept as it is; as the user says for the output matrix or the embeddings; by a
 * rule of the user's, or by the recipe, and then a type that its rows can have.
 */
#include "recipe_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The reference's order. */
static int by_layer(const void *a, const void *b)
{
	const struct recipe_item *x = *(const struct recipe_item *const *)a, *y = *(const struct recipe_item *const *)b;
	int l = recipe_layer(x->name), m = recipe_layer(y->name);
	return l != m ? (l < m ? -1 : 1) : strcmp(x->name, y->name);
}

/* ---- the decision ---- */

static bool is_embedding(const char *name)
{
	return !strcmp(name, "token_embd.weight") || !strcmp(name, "per_layer_token_embd.weight");
}

/* With --strict. */
static int refuse_misfits(const struct decision *d, struct heft_err *err)
{
	const struct recipe_item *item = d->misfit.item;
	char more[64] = "";
	if (!d->n_misfits)
		return 0;
	if (d->n_misfits > 1)
		snprintf(more, sizeof(more), "; so would %zu other tensor%s", d->n_misfits - 1, d->n_misfits > 2 ? "s" : "");
	return heft_fail(err, HEFT_E_FALLBACK, "tensor '%s': %s needs rows of a multiple of %u, they have %llu: it would fall back to %s%s",
			 item->name, d->misfit.asked->name, d->misfit.asked->block, (unsigned long long)recipe_width(item), item->type->name, more);
}

/* A type that this row length can have: the recipe's fallback, else F16. */
static int fall_back(struct decision *d, struct recipe_item *item, struct arena *a)
{
	const struct heft_encoding *asked = item->type;
	uint64_t w = recipe_width(item);
	if (w % asked->block == 0)
		return 0;
	for (size_t k = 0; k < d->recipe->n_fallback && item->type == asked; k++)
		if (d->recipe->fallback[k].from == asked)
			item->type = d->recipe->fallback[k].to;
	if (item->type == asked || w % item->type->block)
		item->type = quant_find("f16");
	if (!d->n_misfits++)
		d->misfit = (struct misfit){ item, asked };
	item->fallback = true;
	item->asked = false;
	item->why = arena_printf(a, "fallback: row %llu is no multiple of %u", (unsigned long long)w, asked->block);
	return 0;
}

/* What the user says of the output matrix and the embeddings. A tied embedding is the output matrix too, but only to a recipe's rows,
 * which --pure and the float types do not ask. */
enum precedence { BEFORE_RULES, BEHIND_RULES, LIKE_A_RULE }; /* only a rule's type may fall back */

static const struct heft_encoding *named_type(struct decision *d, const struct recipe_item *item, const char **why, enum precedence *p)
{
	const struct recipe_facts *f = d->facts;
	bool output = !strcmp(item->name, "output.weight"), embedding = is_embedding(item->name);
	bool rows = d->quantizes && !f->pure && d->recipe->type && d->recipe->type->class == QUANT_BLOCK;

	d->embedding_used |= embedding;
	d->output_used |= output || (embedding && d->tied);
	*p = BEFORE_RULES;
	if (f->embedding_type && embedding) {
		if (strcmp(item->name, "token_embd.weight"))
			*p = BEHIND_RULES;
		*why = "--token-embedding-type";
		return f->embedding_type;
	}
	if (!f->output_type || !(output || (embedding && d->tied && rows)))
		return NULL;
	if (!output)
		*p = LIKE_A_RULE;
	*why = "--output-tensor-type";
	return f->output_type;
}

static void blame_row(struct recipe_item *item, const struct choice *row, struct arena *a)
{
	item->line = row->line;
	item->why = decision_why(row, a);
}

/* What the runtime wants otherwise, a row of the user's may decide; the recipe's type is not for it. */
static int by_recipe(struct decision *d, struct recipe_item *item, struct arena *a)
{
	const struct recipe *r = d->recipe;
	const struct choice *row = NULL;
	decision_place(d);
	if (!d->facts->pure && d->quantizes && decision_row(d, &d->choices, &row))
		return -1;
	if (row && decision_owns(&d->choices, row))
		blame_row(item, row, a);
	else if (item->fixed || !d->quantizes || (!row && !r->type)) {
		item->by = RECIPE_STAYS;
		item->why = item->fixed ? "the runtime wants it so" : "kept";
		return 0;
	}
	item->type = row ? row->type : r->type;
	d->by_type += !row;
	return 0;
}

/* Is it left as it is, whatever is said of types? */
static int is_kept(struct decision *d, struct recipe_item *item, bool *kept, struct arena *a)
{
	const struct choice *row;
	if (decision_row(d, &d->keeps, &row))
		return -1;
	*kept = row || (d->facts->leave_output && !strcmp(item->name, "output.weight"));
	item->by = row && !decision_owns(&d->keeps, row) ? RECIPE_STAYS : RECIPE_KEPT;
	item->why = row ? row->why : "the output matrix is left as it is";
	if (row && decision_owns(&d->keeps, row))
		blame_row(item, row, a);
	return 0;
}

static int decide(struct decision *d, struct recipe_item *item, const char *recipe_why, struct arena *a)
{
	const char *text = NULL;
	enum precedence p;
	bool kept;
	d->item = item;
	d->i = d->place = d->n = 0;
	item->fallback = item->asked = false;
	item->line = 0;
	item->type = item->stored;
	if (is_kept(d, item, &kept, a))
		return -1;
	if (kept)
		return 0;
	item->by = RECIPE_DECIDED;
	const struct heft_encoding *ruled = rules_find(d->rules, item->name, &text);
	const struct heft_encoding *named = named_type(d, item, &item->why, &p);
	item->asked = ruled || named;
	if (item->asked && decision_note(d))
		return -1;
	if (ruled && (!named || p != BEFORE_RULES)) {
		item->type = ruled;
		item->why = arena_printf(a, "rule '%s'", text);
	} else if (named) {
		item->type = named;
		if (p != LIKE_A_RULE)
			return 0;
	} else {
		item->why = recipe_why;
		if (by_recipe(d, item, a))
			return -1;
		if (item->by == RECIPE_STAYS)
			return 0;
	}
	return fall_back(d, item, a);
}

/* ---- what the user asked for and no tensor took ---- */

static int check_asked(struct decision *d, struct heft_err *err)
{
	const struct recipe_facts *f = d->facts;
	if (f->output_type && !d->output_used)
		return heft_fail(err, HEFT_E_PATTERN, "--output-tensor-type %s: there is no output matrix that it decides", f->output_type->name);
	if (f->embedding_type && !d->embedding_used)
		return heft_fail(err, HEFT_E_PATTERN, "--token-embedding-type %s: there are no token embeddings that it decides", f->embedding_type->name);
	if (decision_check(d, err))
		return -1;
	return rules_check_used(d->rules, err);
}

static void survey(struct decision *d, const struct recipe_item *item, size_t n)
{
	d->tied = true;
	for (size_t i = 0; i < n; i++) {
		d->tied = d->tied && strcmp(item[i].name, "output.weight");
		d->values += recipe_holds_values(item[i].name);
	}
}

int recipe_decide(const struct recipe *r, struct recipe_item *item, size_t n, const struct recipe_facts *f,
	struct arena *a, struct heft_err *err)
{
	struct decision *d;
	struct recipe_item **order = arena_array(a, n, sizeof(*order));
	const struct recipe *asked = r ? r : recipe_find("f16"); /* no recipe: each keeps its own, but for the user's rules */
	if (!asked)
		return heft_fail(err, HEFT_E_RECIPE, "the recipes cannot be read");
	d = decision_new(asked, f, n, a, err);
	d->quantizes = r != NULL;
	survey(d, item, n);
	for (size_t i = 0; i < n; i++)
		order[i] = &item[i];
	if (!f->in_order)
		qsort(order, n, sizeof(*order), by_layer);
	if (!(d->rules = rules_open(f->rule, f->n_rules, err)))
		return -1;
	const char *why = r ? arena_printf(a, "recipe %s", r->name) : "kept";
	int rc = 0;
	for (size_t i = 0; i < n && !rc; i++)
		rc = decide(d, order[i], why, a);
	if (!rc)
		rc = check_asked(d, err);
	if (!rc && f->told)
		decision_tell(d, f->told);
	if (!rc && f->strict)
		rc = refuse_misfits(d, err);
	rules_close(d->rules);
	return rc;
}
