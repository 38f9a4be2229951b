/*
 * recipe_module.c - what a recipe says of the modules of a target other than GGUF: rows alone. What none of them decides is as it would be without
 * a recipe.
 */
#include "recipe_rows.h"

struct recipe_use {
	struct decision *decision;
	struct recipe_facts facts;
	struct arena *arena;
};

enum { MODULES = 1 << 16 }; /* the budget is for so many */

struct recipe_use *recipe_begin(const struct recipe *r, const struct recipe_facts *f, struct arena *a, struct heft_err *err)
{
	struct recipe_use *u = arena_alloc(a, sizeof(*u));
	u->facts = *f;
	u->arena = a;
	u->decision = decision_new(r, &u->facts, MODULES, a, err);
	return u;
}

int recipe_ask(struct recipe_use *u, const struct recipe_item *module, struct recipe_says *out)
{
	struct decision *d = u->decision;
	const struct choice *row;
	*out = (struct recipe_says){ 0 };
	d->item = module;
	if (decision_row(d, &d->keeps, &row) || (!row && decision_row(d, &d->choices, &row)))
		return -1;
	if (!row)
		return 0;
	out->row = true;
	out->why = decision_why(row, u->arena);
	if (row->as)
		out->as = *row->as;
	return 0;
}

int recipe_check_used(struct recipe_use *u, struct heft_err *err)
{
	if (u->facts.told)
		decision_tell(u->decision, u->facts.told);
	return decision_check(u->decision, err);
}
