/*
 * recipe.c - prints the type that a recipe gives each tensor of a GGUF file, and why.
 *
 * usage: recipe FILE.gguf RECIPE [PATTERN=TYPE ...]
 */
#include "src/recipe.h"
#include "quant/quant.h"

#include <string.h>

static struct recipe_item *items_of(const struct heft_model *m, struct arena *a)
{
	struct recipe_item *item = arena_array(a, m->n_tensors, sizeof(*item));
	for (size_t i = 0; i < m->n_tensors; i++) {
		const struct heft_tensor *t = &m->tensor[i];
		item[i] = (struct recipe_item){ .name = t->name, .shape.rank = t->rank, .stored = t->enc };
		memcpy(item[i].shape.dim, t->dim, sizeof(t->dim));
	}
	return item;
}

static const char *arch_of(const struct heft_model *m)
{
	const struct heft_value *v = heft_model_find(m, "general.architecture");
	return v && v->type == HEFT_STRING ? v->s.p : "";
}

int main(int argc, char **argv)
{
	struct heft_err err = { 0 };
	struct heft_model *m;
	struct arena *a = arena_new();
	if (argc < 3)
		return 2;
	if (heft_open(&m, argv[1], NULL, &err)) {
		printf("error %s\n", err.text);
		return 1;
	}
	struct recipe_item *item = items_of(m, a);
	struct recipe_facts f = { .arch = arch_of(m),
		.kv = m->kv,
		.n_kv = m->n_kv,
		.rule = (const char *const *)argv + 3,
		.n_rules = (size_t)argc - 3 };
	const struct recipe *r = recipe_find(argv[2]);
	int rc = recipe_decide(r, item, m->n_tensors, &f, a, &err);
	for (size_t i = 0; i < m->n_tensors && !rc; i++)
		printf("%s %s # %s\n", item[i].name, item[i].type->name, item[i].why);
	if (rc)
		printf("error E%d %s\n", (int)err.code, err.text);
	heft_close(m);
	arena_free(a);
	return rc ? 1 : 0;
}
