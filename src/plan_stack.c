/*
 * plan_stack.c - puts a layer's experts into one weight for each projection, as MLX reads them.
 *
 *   mlp.experts.0.gate_proj.weight [I, H]  ->  mlp.switch_mlp.gate_proj.weight [E, I, H]
 *   mlp.experts.1.gate_proj.weight [I, H]
 *   block_sparse_moe.experts.0.w1.weight   ->  block_sparse_moe.switch_mlp.gate_proj.weight
 *
 * Some classes have "experts" instead of "switch_mlp". What is not named so stays as it is. Refuses experts of which one is missing, or is not of
 * the others' shape.
 */
#include "plan.h"

#include <stdlib.h>
#include <string.h>

#include "../base/json.h"
#include "../base/map.h"
#include "model.h"

enum { EXPERTS_MOST = 1 << 16 };

static const struct leaf {
	const char *name, *instead;
} leaves[] = {
	{ "gate_proj", "gate_proj" }, { "up_proj", "up_proj" }, { "down_proj", "down_proj" },
	{ "w1", "gate_proj" }, { "w3", "up_proj" }, { "w2", "down_proj" },
};

/* Classes whose stacks keep the list's name. */
static const char *const keep_name[] = { "dots1", "afmoe", "Klear" };

struct stack {
	size_t at; /* in the new list */
	const struct heft_tensor **source;
	size_t n, cap;
};

struct stacking {
	struct arena *arena;
	const char *module; /* instead of "experts" */
	struct weight *weight;
	size_t n_weights;
	struct stack *stack;
	size_t n, cap;
	struct map by_name;
	struct heft_err *err;
};

/* The stack's name, and which expert's the weight is; NULL: it is none's. */
static const char *stack_of(const struct stacking *s, const struct weight *w, uint64_t *expert)
{
	static const char list[] = ".experts.";
	const char *at = strstr(w->name, list), *number = at ? at + sizeof list - 1 : NULL, *rest;
	char *end;

	if (!at || *number < '0' || *number > '9' || w->n_sources != 1 || w->n_ops || w->shape.rank > 2)
		return NULL;
	*expert = strtoull(number, &end, 10);
	if (*end++ != '.' || !(rest = strchr(end, '.')) || *expert >= EXPERTS_MOST)
		return NULL;
	for (const struct leaf *l = leaves; l < leaves + sizeof leaves / sizeof *leaves; l++)
		if (strlen(l->name) == (size_t)(rest - end) && !memcmp(l->name, end, strlen(l->name)))
			return arena_printf(s->arena, "%.*s.%s.%s%s", (int)(at - w->name), w->name, s->module, l->instead, rest);
	return NULL;
}

/* In place of the first of its experts, whose weight the new one begins as. */
static void add(struct stacking *s, const struct weight *w, const char *name, uint64_t expert)
{
	bool known;
	struct map_slot *slot = map_put(&s->by_name, name, strlen(name), &known);
	struct stack *k;

	if (!known) {
		slot->value.i = (int64_t)s->n;
		s->stack = arena_grow(s->arena, s->stack, &s->cap, s->n + 1, sizeof *s->stack);
		s->stack[s->n++] = (struct stack){ .at = s->n_weights };
		s->weight[s->n_weights] = *w;
		s->weight[s->n_weights++].name = name;
	}
	k = &s->stack[slot->value.i];
	if (expert >= k->cap) {
		size_t cap = expert < 8 ? 16 : 2 * (size_t)expert;
		const struct heft_tensor **source = arena_array(s->arena, cap, sizeof *source);

		memcpy(source, k->source ? k->source : source, k->cap * sizeof *source);
		k->source = source;
		k->cap = cap;
	}
	k->source[expert] = w->source[0];
	k->n = expert >= k->n ? (size_t)expert + 1 : k->n;
}

static int finish(struct stacking *s, const struct stack *k)
{
	struct weight *w = &s->weight[k->at];

	for (size_t i = 0; i < k->n; i++)
		if (!k->source[i])
			return heft_fail(s->err, HEFT_E_TENSOR_MISSING, "'%s': expert %zu of %zu is not there", w->name, i, k->n);
	w->combine = COMBINE_STACK;
	w->source = k->source;
	w->n_sources = k->n;
	return weight_shape(w, s->err);
}

/* model_type of the configuration, and what its stacks are called. */
static const char *module_name(const struct heft_plan *p)
{
	struct json_doc *doc = plan_config_doc(p);
	const char *type = json_cstr(json_get(json_root(doc), "model_type")), *name = "switch_mlp";

	for (size_t i = 0; type && i < sizeof keep_name / sizeof *keep_name; i++)
		if (!strcmp(type, keep_name[i]))
			name = "experts";
	json_free(doc);
	return name;
}

int plan_stack(struct heft_plan *p, struct heft_err *err)
{
	struct family *f = &p->family;
	struct stacking s = { .arena = p->arena, .module = module_name(p), .err = err };
	int rc = 0;

	map_init(&s.by_name);
	s.weight = arena_array(p->arena, f->n_weights, sizeof *s.weight);
	for (size_t i = 0; i < f->n_weights; i++) {
		uint64_t expert;
		const char *name = stack_of(&s, &f->weight[i], &expert);

		if (name)
			add(&s, &f->weight[i], name, expert);
		else
			s.weight[s.n_weights++] = f->weight[i];
	}
	map_release(&s.by_name);
	for (size_t i = 0; i < s.n && !rc; i++)
		rc = finish(&s, &s.stack[i]);
	f->weight = s.weight;
	f->n_weights = s.n_weights;
	return rc;
}
