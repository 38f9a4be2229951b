/*
 * plan_rules.h - the user's choices for single modules: --ignore, --targets and --tensor-type of a target with schemes.
 */
#ifndef PLAN_RULES_H
#define PLAN_RULES_H

#include "recipe.h"
#include "target/target.h"

struct plan_rules; /* in the arena */

/* rule: who says so, for messages. */
int plan_rules_type(struct module_type *out, const char *word, const char *rule, const struct target *main, struct arena *a, struct heft_err *err);

/* What they say of one module; all zero: nothing. */
struct plan_choice {
	bool stays;
	const struct heft_encoding *type; /* as what it stays; NULL: as it would */
	const struct target *target;      /* how else it is stored */
	uint32_t group;                   /* its columns that share a scale; 0: not said */
	const char *why;
};

/* What becomes of Linears that are to be quantized and that no rule speaks of. */
struct plan_instead {
	const struct plan_choice *choice;
	const uint8_t *which; /* of each weight its choice; PLAN_AS_EVER: what the target makes of it. NULL: all have the first */
};
enum { PLAN_AS_EVER = UINT8_MAX };

/* main: what the user asks for. */
int plan_rules_open(struct plan_rules **out, const struct heft_job *j, const struct target *main, struct arena *a, struct heft_err *err);
/* A recipe's rows, behind them: what the lines of the command line decide, they do not change. */
int plan_rules_recipe(struct plan_rules *r, const struct recipe *recipe, const struct recipe_facts *facts, struct heft_err *err);
int plan_rules_find(struct plan_rules *r, const struct recipe_item *module, enum linear kind, struct plan_choice *out);
/* Refuses a pattern that nothing matched, when all modules were asked about. */
int plan_rules_check_used(const struct plan_rules *r, struct heft_err *err);

#endif
