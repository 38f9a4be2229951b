/*
 * plan_rules.c - what the user says about single modules of a directory for GPU runtimes:
 *
 *   --ignore PATTERN            they stay
 *   --targets PATTERN           no others are quantized
 *   --tensor-type PATTERN=TYPE  another target of the same family, or a float type: they stay as that. TARGET:GROUP has groups of that size
 *
 * and behind them a recipe's rows (recipe.c), in this order: what an earlier line decides, no later one changes. Of several --tensor-type the
 * first that matches decides; one that names a target also speaks of modules that would stay by convention. Patterns are those of recipe_rule.c
 * (regex.h), looked for anywhere in the module's name, large and small letters alike. Refuses one that no module answers to.
 */
#include "plan_rules.h"

#include <ctype.h>
#include <string.h>

#include "../quant/quant.h"
#include "plan.h"
#include "regex.h"

enum { PATTERN_LIMIT = 256, MODULE_LIMIT = 1024 };

struct rule {
	enum rule_kind { RULE_IGNORE, RULE_ONLY, RULE_TYPE } kind;
	const char *text;
	struct regex *regex;
	struct module_type as;               /* RULE_TYPE */
	bool used;
};

struct plan_rules {
	struct rule *rule;
	size_t n, n_only;
	struct recipe_use *recipe; /* or NULL */
	struct arena *arena;
};

static const char *option_of(enum rule_kind kind)
{
	static const char *const names[] = { [RULE_IGNORE] = "--ignore", [RULE_ONLY] = "--targets", [RULE_TYPE] = "--tensor-type" };

	return names[kind];
}

static int compile(struct rule *r, size_t n, struct arena *a, struct heft_err *err)
{
	char pattern[PATTERN_LIMIT];
	const char *wrong;

	if (!n || n > sizeof pattern)
		return heft_fail(err, HEFT_E_PATTERN, "%s '%.40s': a pattern has 1 to %d bytes", option_of(r->kind), r->text, PATTERN_LIMIT);
	for (size_t i = 0; i < n; i++)
		pattern[i] = (char)tolower((unsigned char)r->text[i]);
	r->regex = arena_alloc(a, sizeof *r->regex);
	wrong = regex_compile(r->regex, pattern, n);
	return wrong ? heft_fail(err, HEFT_E_PATTERN, "%s '%s': %s", option_of(r->kind), r->text, wrong) : 0;
}

/* What is behind the colon of TARGET:GROUP. */
static int name_group(struct module_type *out, const char *name, const char *rule, struct heft_err *err)
{
	if (out->target && !out->target->groups)
		return heft_fail(err, HEFT_E_OPTION, "rule '%s': %s has no groups of a size to choose", rule, out->target->name);
	if (!(out->group = heft_group_size(name)))
		return heft_fail(err, HEFT_E_OPTION, "rule '%s': groups have 32, 64 or 128 columns, or are a 'channel'", rule);
	return 0;
}

/* TYPE of PATTERN=TYPE: a float, or a target that can stand beside the one that was asked for, with a group or without. */
int plan_rules_type(struct module_type *out, const char *type, const char *rule, const struct target *main, struct arena *a, struct heft_err *err)
{
	const char *colon = strchr(type, ':'), *name = colon ? arena_printf(a, "%.*s", (int)(colon - type), type) : type;

	*out = (struct module_type){ .type = quant_find(type) };
	if (plan_torch_name(out->type))
		return 0;
	out->type = NULL;
	out->target = main->typed ? main->typed(name, &out->type) : target_find(name);
	if (out->type)
		return heft_fail(err, HEFT_E_TYPE, "rule '%s': a single module has no float type of its own beside its codes", rule);
	if (!out->target || !out->target->scheme)
		return heft_fail(err, HEFT_E_TYPE, "rule '%s': with --to %s a type is f32, f16, bf16 or a target like it", rule, main->name);
	if (out->target != main && (!main->mix || out->target->mix != main->mix))
		return heft_fail(err, HEFT_E_TYPE, "rule '%s': %s and %s do not go into one directory; f32, f16 and bf16 do", rule, main->name, name);
	if (colon && !main->mix)
		return heft_fail(err, HEFT_E_OPTION, "rule '%s': %s has groups of one size in a directory: --group-size says which", rule, main->name);
	return colon ? name_group(out, colon + 1, rule, err) : 0;
}

static int add_plain(struct plan_rules *r, enum rule_kind kind, const char *const *list, size_t n, struct heft_err *err)
{
	for (size_t i = 0; i < n; i++) {
		struct rule *x = &r->rule[r->n++];

		*x = (struct rule){ .kind = kind, .text = list[i] };
		if (compile(x, strlen(list[i]), r->arena, err))
			return -1;
	}
	return 0;
}

static int add_types(struct plan_rules *r, const struct heft_job *j, const struct target *main, struct heft_err *err)
{
	for (size_t i = 0; i < j->n_tensor_types; i++) {
		struct rule *x = &r->rule[r->n++];
		const char *equals = strrchr(j->tensor_type[i], '=');

		*x = (struct rule){ .kind = RULE_TYPE, .text = j->tensor_type[i] };
		if (!equals)
			return heft_fail(err, HEFT_E_PATTERN, "rule '%s' is not PATTERN=TYPE", x->text);
		if (compile(x, (size_t)(equals - x->text), r->arena, err) || plan_rules_type(&x->as, equals + 1, x->text, main, r->arena, err))
			return -1;
	}
	return 0;
}

int plan_rules_open(struct plan_rules **out, const struct heft_job *j, const struct target *main, struct arena *a, struct heft_err *err)
{
	struct plan_rules *r = arena_alloc(a, sizeof *r);

	if (main->experts && (j->n_ignore || j->n_targets || j->n_tensor_types))
		return heft_fail(err, HEFT_E_OPTION, "--to %s is one layout for all experts: --ignore, --targets and --tensor-type go with --to mxfp4a16", main->name);
	r->arena = a;
	r->rule = arena_array(a, j->n_ignore + j->n_targets + j->n_tensor_types, sizeof *r->rule);
	r->n_only = j->n_targets;
	*out = r;
	return add_plain(r, RULE_IGNORE, j->ignore, j->n_ignore, err) || add_plain(r, RULE_ONLY, j->targets, j->n_targets, err) ? -1
															  : add_types(r, j, main, err);
}

/* Has a rule something to say of a weight of this kind? */
static bool speaks_of(const struct rule *r, enum linear kind)
{
	if (kind == LINEAR_YES || kind == LINEAR_STAYS || kind == LINEAR_FUSED)
		return true;
	return r->kind == RULE_IGNORE || r->as.type;
}

static int by_recipe(struct plan_rules *r, const struct recipe_item *module, struct plan_choice *out)
{
	struct recipe_says says;

	if (!r->recipe || recipe_ask(r->recipe, module, &says))
		return r->recipe ? -1 : 0;
	if (says.row)
		*out = (struct plan_choice){ .target = says.as.target, .group = says.as.group, .type = says.as.type, .stays = !says.as.target, .why = says.why };
	return 0;
}

int plan_rules_find(struct plan_rules *r, const struct recipe_item *module, enum linear kind, struct plan_choice *out)
{
	char name[MODULE_LIMIT];
	size_t n = strlen(module->name);
	const struct rule *first[3] = { NULL };

	*out = (struct plan_choice){ 0 };
	if (n >= sizeof name)
		return 0;
	for (size_t i = 0; i <= n; i++)
		name[i] = (char)tolower((unsigned char)module->name[i]);
	for (size_t i = 0; i < r->n; i++) {
		struct rule *x = &r->rule[i];

		if (!speaks_of(x, kind) || !regex_search(x->regex, name))
			continue;
		x->used = true; /* also where an earlier rule decides: the user's pattern was right */
		if (!first[x->kind])
			first[x->kind] = x;
	}
	if (first[RULE_IGNORE] || (r->n_only && !first[RULE_ONLY] && kind != LINEAR_NO)) {
		out->stays = true;
		out->why = first[RULE_IGNORE] ? arena_printf(r->arena, "--ignore '%s'", first[RULE_IGNORE]->text) : "no --targets names it";
	} else if (first[RULE_TYPE]) {
		const struct module_type *as = &first[RULE_TYPE]->as;

		*out = (struct plan_choice){ .target = as->target, .group = as->group, .type = as->type, .stays = as->type,
					     .why = arena_printf(r->arena, "rule '%s'", first[RULE_TYPE]->text) };
	} else
		return by_recipe(r, module, out);
	return 0;
}

int plan_rules_recipe(struct plan_rules *r, const struct recipe *recipe, const struct recipe_facts *facts, struct heft_err *err)
{
	r->recipe = recipe_begin(recipe, facts, r->arena, err);
	return r->recipe ? 0 : -1;
}

int plan_rules_check_used(const struct plan_rules *r, struct heft_err *err)
{
	for (size_t i = 0; i < r->n; i++)
		if (!r->rule[i].used)
			return heft_fail(err, HEFT_E_PATTERN, "%s '%s' matches no module's name; -n lists the tensors", option_of(r->rule[i].kind), r->rule[i].text);
	return r->recipe ? recipe_check_used(r->recipe, err) : 0;
}

int plan_choose(const struct target **target, const struct heft_encoding **given, const char *type, struct heft_err *err)
{
	const struct target *t = (*target)->typed(type, given);
	char all[256] = "";
	size_t n = 0;
	const char *each;

	for (size_t i = 0; (each = (*target)->type_at(i)) && !strchr(each, '-') && n < sizeof all; i++)
		n += (size_t)snprintf(all + n, sizeof all - n, "%s%s", i ? ", " : "", each);
	if (!t)
		return heft_fail(err, HEFT_E_TYPE, "no type '%s' with --to %s: it takes %s", type, (*target)->name, all);
	*target = t;
	return 0;
}
