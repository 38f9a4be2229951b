/*
 * plan_rules.c - what the user says about single modules of a directory for GPU runtimes:
 *
 *   --ignore PATTERN            they stay
 *   --targets PATTERN           no others are quantized
 *   --tensor-type PATTERN=TYPE  another target of the same family, or a float type: they stay as that. TARGET:GROUP has groups of that size
 *
 * in this order: what an earlier line decides, no later one changes. Of several --tensor-type the first that matches decides; one that names a
 * target also speaks of modules that would stay by convention. Patterns are those of recipe_rule.c (regex.h), looked for anywhere in the
 * module's name, large and small letters alike. Refuses one that no module answers to.
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
	const struct target *target;         /* RULE_TYPE: one of them */
	const struct heft_encoding *type;
	uint32_t group;                      /* of the target; 0: not said */
	bool used;
};

struct plan_rules {
	struct rule *rule;
	size_t n, n_only;
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
static int name_group(struct rule *r, const char *name, struct heft_err *err)
{
	if (r->target && !r->target->groups)
		return heft_fail(err, HEFT_E_OPTION, "rule '%s': %s has no groups of a size to choose", r->text, r->target->name);
	if (!(r->group = heft_group_size(name)))
		return heft_fail(err, HEFT_E_OPTION, "rule '%s': groups have 32, 64 or 128 columns, or are a 'channel'", r->text);
	return 0;
}

/* TYPE of PATTERN=TYPE: a float, or a target that can stand beside the one that was asked for, with a group or without. */
static int name_type(struct rule *r, const char *type, const struct target *main, struct arena *a, struct heft_err *err)
{
	const char *colon = strchr(type, ':'), *name = colon ? arena_printf(a, "%.*s", (int)(colon - type), type) : type;

	r->type = quant_find(type);
	if (plan_torch_name(r->type))
		return 0;
	r->type = NULL;
	r->target = main->typed ? main->typed(name, &r->type) : target_find(name);
	if (r->type)
		return heft_fail(err, HEFT_E_TYPE, "rule '%s': a single module has no float type of its own beside its codes", r->text);
	if (!r->target || !r->target->scheme)
		return heft_fail(err, HEFT_E_TYPE, "rule '%s': with --to %s a type is f32, f16, bf16 or a target like it", r->text, main->name);
	if (r->target != main && (!main->mix || r->target->mix != main->mix))
		return heft_fail(err, HEFT_E_TYPE, "rule '%s': %s and %s do not go into one directory; f32, f16 and bf16 do", r->text, main->name, name);
	if (colon && !main->mix)
		return heft_fail(err, HEFT_E_OPTION, "rule '%s': %s has groups of one size in a directory: --group-size says which", r->text, main->name);
	return colon ? name_group(r, colon + 1, err) : 0;
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
		if (compile(x, (size_t)(equals - x->text), r->arena, err) || name_type(x, equals + 1, main, r->arena, err))
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
	return r->kind == RULE_IGNORE || r->type;
}

void plan_rules_find(struct plan_rules *r, const char *module, enum linear kind, struct plan_choice *out)
{
	char name[MODULE_LIMIT];
	size_t n = strlen(module);
	const struct rule *first[3] = { NULL };

	*out = (struct plan_choice){ 0 };
	if (n >= sizeof name)
		return;
	for (size_t i = 0; i <= n; i++)
		name[i] = (char)tolower((unsigned char)module[i]);
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
		*out = (struct plan_choice){ .target = first[RULE_TYPE]->target, .group = first[RULE_TYPE]->group, .type = first[RULE_TYPE]->type, .stays = first[RULE_TYPE]->type,
					     .why = arena_printf(r->arena, "rule '%s'", first[RULE_TYPE]->text) };
	}
}

int plan_rules_check_used(const struct plan_rules *r, struct heft_err *err)
{
	for (size_t i = 0; i < r->n; i++)
		if (!r->rule[i].used)
			return heft_fail(err, HEFT_E_PATTERN, "%s '%s' matches no module's name; -n lists the tensors", option_of(r->rule[i].kind), r->rule[i].text);
	return 0;
}
