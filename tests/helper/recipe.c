/*
 * recipe.c - prints the type that a recipe gives each tensor of a described model: "NAME TYPE" lines, sorted.
 *
 * usage: recipe MODEL.txt RECIPE [--imatrix] [--pure] [--leave] [--output=TYPE] [--embedding=TYPE] [PATTERN=TYPE ...]
 *        recipe --list          the names of the recipes
 *
 * MODEL.txt (testdata/mixtures), dimensions outermost first:
 *   arch NAME
 *   u32|f32 KEY VALUE           metadata "ARCH.KEY"
 *   i32s KEY VALUE ...          an array
 *   tensor NAME TYPE DIM ...
 *   layers N                    for the rows below:
 *   each NAME TYPE DIM ...      "blk.L.NAME" of each layer
 */
#include "src/recipe.h"
#include "quant/quant.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_TENSORS = 8192, MAX_KEYS = 64 };

static struct arena *arena;
static struct recipe_item item[MAX_TENSORS];
static struct heft_kv kv[MAX_KEYS];
static struct recipe_facts facts = { .kv = kv };
static size_t n_items;
static int layers;

static struct heft_value read_array(void)
{
	struct heft_value v = { .type = HEFT_I32, .array = true };
	const char *word;
	int32_t *value = NULL;
	size_t cap = 0;

	while ((word = strtok(NULL, " \n"))) {
		value = arena_grow(arena, value, &cap, v.count + 1, sizeof(*value));
		value[v.count++] = (int32_t)strtol(word, NULL, 10);
	}
	v.data = value;
	return v;
}

static void add_key(const char *kind)
{
	const char *key = strtok(NULL, " \n");
	struct heft_value v = { .type = *kind == 'f' ? HEFT_F32 : HEFT_U32, .count = 1 };

	if (!strcmp(kind, "i32s"))
		v = read_array();
	else if (*kind == 'f')
		v.f = strtod(strtok(NULL, " \n"), NULL);
	else
		v.u = strtoull(strtok(NULL, " \n"), NULL, 10);
	kv[facts.n_kv++] = (struct heft_kv){ arena_printf(arena, "%s.%s", facts.arch, key), v };
}

/* The quantizer counts no outermost dimensions of one. */
static void add_dim(struct shape *s, uint64_t dim)
{
	if (s->rank == 1 && s->dim[0] == 1)
		s->rank = 0;
	s->dim[s->rank++] = dim;
}

static void add_tensors(bool each)
{
	const char *name = arena_strdup(arena, strtok(NULL, " \n")), *dim;
	struct recipe_item x = { .stored = quant_find(strtok(NULL, " \n")) };
	while ((dim = strtok(NULL, " \n")))
		add_dim(&x.shape, strtoull(dim, NULL, 10));
	for (int l = 0; l < (each ? layers : 1) && n_items < MAX_TENSORS; l++) {
		x.name = each ? arena_printf(arena, "blk.%d.%s", l, name) : name;
		item[n_items++] = x;
	}
}

static void read_model(FILE *f)
{
	char line[1024];
	while (fgets(line, sizeof(line), f)) {
		const char *word = strtok(line, " \n");
		if (!word || *word == '#')
			continue;
		if (!strcmp(word, "arch"))
			facts.arch = arena_strdup(arena, strtok(NULL, " \n"));
		else if (!strcmp(word, "layers"))
			layers = atoi(strtok(NULL, " \n"));
		else if (!strcmp(word, "u32") || !strcmp(word, "f32") || !strcmp(word, "i32s"))
			add_key(word);
		else
			add_tensors(!strcmp(word, "each"));
	}
}

static void take_options(char **arg)
{
	const char **rule = NULL;
	size_t cap = 0;
	for (; *arg; arg++) {
		const char *value = strchr(*arg, '=');
		if (!strcmp(*arg, "--imatrix"))
			facts.imatrix = true;
		else if (!strcmp(*arg, "--pure"))
			facts.pure = true;
		else if (!strcmp(*arg, "--leave"))
			facts.leave_output = true;
		else if (!strncmp(*arg, "--output=", 9))
			facts.output_type = quant_find(value + 1);
		else if (!strncmp(*arg, "--embedding=", 12))
			facts.embedding_type = quant_find(value + 1);
		else {
			rule = arena_grow(arena, rule, &cap, facts.n_rules + 1, sizeof(*rule));
			rule[facts.n_rules++] = *arg;
		}
	}
	facts.rule = rule;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct recipe_item *)a)->name, ((const struct recipe_item *)b)->name);
}

static int list(void)
{
	for (size_t i = 0; recipe_at(i); i++)
		puts(recipe_name(recipe_at(i)));
	return 0;
}

int main(int argc, char **argv)
{
	struct heft_err err = { 0 };
	if (argc == 2 && !strcmp(argv[1], "--list"))
		return list();
	FILE *f = argc > 2 ? fopen(argv[1], "r") : NULL;
	const struct recipe *r = argc > 2 ? recipe_find(argv[2]) : NULL;
	if (!f || !r)
		return 2;
	arena = arena_new();
	read_model(f);
	fclose(f);
	take_options(argv + 3);
	int rc = recipe_decide(r, item, n_items, &facts, arena, &err);
	qsort(item, n_items, sizeof(*item), by_name);
	for (size_t i = 0; i < n_items && !rc; i++)
		printf("%s %s\n", item[i].name, item[i].type->name);
	if (rc)
		printf("error E%d %s\n", (int)err.code, err.text);
	arena_free(arena);
	return rc ? 1 : 0;
}
