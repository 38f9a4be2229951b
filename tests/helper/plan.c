/*
 * plan.c - prints what a family makes of a model, from names and shapes alone.
 *
 * usage: plan [--back | --mmproj] CONFIG.json TENSORS.txt [FAMILY.arch]
 * --back: what the same family makes of that again, read right to left.
 * TENSORS.txt: a line for each tensor: NAME TYPE DIM DIM ... (outermost first)
 */
#include "src/arch.h"
#include "src/model.h"
#include "base/json.h"
#include "quant/quant.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static struct heft_tensor *read_tensors(const char *path, size_t *n, struct arena *a)
{
	struct heft_tensor *t = NULL;
	size_t cap = 0;
	char line[1024];
	FILE *f = fopen(path, "r");
	*n = 0;
	while (f && fgets(line, sizeof(line), f)) {
		char *name = strtok(line, " \n"), *type = strtok(NULL, " \n"), *dim;
		if (!name || !type)
			continue;
		t = arena_grow(a, t, &cap, *n + 1, sizeof(*t));
		struct heft_tensor *x = &t[(*n)++];
		*x = (struct heft_tensor){ .name = arena_strdup(a, name), .enc = quant_find(type) };
		while ((dim = strtok(NULL, " \n")) && x->rank < HEFT_MAX_RANK)
			x->dim[x->rank++] = strtoull(dim, NULL, 10);
	}
	if (f)
		fclose(f);
	return t;
}

static void print_element(const struct heft_value *v, uint64_t i)
{
	if (v->type == HEFT_I32)
		printf(" %d", ((const int32_t *)v->data)[i]);
	else if (v->type == HEFT_F32)
		printf(" %.9g", (double)((const float *)v->data)[i]);
	else if (v->type == HEFT_BOOL)
		printf(" %s", ((const uint8_t *)v->data)[i] ? "true" : "false");
	else
		printf(" \"%s\"", ((const struct heft_str *)v->data)[i].p);
}

static void print_kv(const struct heft_kv *kv)
{
	const struct heft_value *v = &kv->value;
	static const char *const type[] = {
		[HEFT_U32] = "u32", [HEFT_I32] = "i32", [HEFT_F32] = "f32", [HEFT_BOOL] = "bool", [HEFT_STRING] = "str"
	};
	printf("key %s %s%s", kv->key, type[v->type], v->array ? "[]" : "");
	if (v->array)
		for (uint64_t i = 0; i < v->count; i++)
			print_element(v, i);
	else if (v->type == HEFT_U32)
		printf(" %" PRIu64, v->u);
	else if (v->type == HEFT_F32)
		printf(" %.9g", v->f);
	else if (v->type == HEFT_BOOL)
		printf(" %s", v->b ? "true" : "false");
	else
		printf(" \"%s\"", v->s.p);
	printf("\n");
}

static void print_weight(const struct weight *w, struct arena *a)
{
	printf("tensor %s [", w->name);
	for (int i = 0; i < w->shape.rank; i++)
		printf("%s%" PRIu64, i ? " " : "", w->shape.dim[i]);
	printf("] %s", weight_describe(w, a));
	if (w->forced)
		printf(" type %s", w->forced->name);
	for (size_t i = 0; i < w->n_sources; i++)
		if (i < 3 || i + 1 == w->n_sources)
			printf(" < %s", w->source[i]->name);
	for (uint64_t i = 0; w->generated && i < w->shape.dim[0]; i++)
		printf(" %.9g", (double)w->generated[i]);
	printf("\n");
}

static void print_result(const struct arch_result *r, struct arena *a)
{
	printf("arch %s\nvocab_size %" PRId64 "\n", r->name, r->vocab_size);
	for (size_t i = 0; i < r->n_kv; i++)
		print_kv(&r->kv[i]);
	for (size_t i = 0; i < r->n_vocab; i++) {
		printf("vocab %s", r->vocab[i].strategy);
		for (const char *const *o = r->vocab[i].option; o && *o; o += 2)
			printf(" %s=%s", o[0], o[1]);
		printf("\n");
	}
	for (size_t i = 0; i < r->n_tokens; i++)
		printf("token %s %" PRId64 "\n", r->token[i].role, r->token[i].id);
	for (size_t i = 0; i < r->n_weights; i++)
		print_weight(&r->weight[i], a);
	for (size_t i = 0; i < r->n_drops; i++)
		printf("drop %s: %s\n", r->drop[i].name, r->drop[i].why);
}

/* The tensors of a GGUF that the plan would write; one of generated values keeps them as its only plane's bytes would be. */
static struct heft_tensor *as_gguf(const struct arch_result *r, struct arena *a)
{
	struct heft_tensor *t = arena_array(a, r->n_weights, sizeof(*t));
	for (size_t i = 0; i < r->n_weights; i++) {
		const struct weight *w = &r->weight[i];
		t[i] = (struct heft_tensor){ .name = w->name, .enc = quant_find("f32"), .rank = w->shape.rank };
		memcpy(t[i].dim, w->shape.dim, sizeof(t[i].dim));
	}
	return t;
}

static int generated_values(void *ctx, const struct heft_tensor *t, float *out, struct heft_err *err)
{
	const struct arch_result *r = ctx;
	for (size_t i = 0; i < r->n_weights; i++)
		if (!strcmp(r->weight[i].name, t->name) && r->weight[i].generated)
			memcpy(out, r->weight[i].generated, heft_tensor_count(t) * sizeof(*out));
	return 0;
}

static int print_back(const struct arch *arch, struct arch_result *r, struct arena *a, struct heft_err *err)
{
	struct heft_kv *kv = arena_array(a, r->n_kv + 1, sizeof(*kv));
	struct arch_input in = { .tensor = as_gguf(r, a), .n_tensors = r->n_weights, .values = generated_values, .values_ctx = r };
	struct arch_back back;
	memcpy(kv, r->kv, r->n_kv * sizeof(*kv));
	kv[r->n_kv] = (struct heft_kv){ "general.architecture", { .type = HEFT_STRING, .count = 1, .s = { r->name, strlen(r->name) } } };
	if (arch_eval_back(arch, &in, kv, r->n_kv + 1, &back, a, err))
		return -1;
	printf("%s", back.config.p);
	for (size_t i = 0; i < back.n_weights; i++)
		print_weight(&back.weight[i], a);
	for (size_t i = 0; i < back.n_drops; i++)
		printf("drop %s: %s\n", back.drop[i].name, back.drop[i].why);
	return 0;
}

static void print_problem(void *ctx, const struct heft_problem *p)
{
	printf("problem E%d %s%s%s\n", (int)p->code, p->tensor ? p->tensor : "", p->tensor ? ": " : "", p->text);
}

int main(int argc, char **argv)
{
	struct arena *a = arena_new();
	struct heft_err err = { 0 };
	struct sink sink = { .fn = print_problem, .err = &err };
	struct arch_result r;
	bool back = argc > 1 && !strcmp(argv[1], "--back"), mmproj = argc > 1 && !strcmp(argv[1], "--mmproj");
	argv += back || mmproj;
	argc -= back || mmproj;
	if (argc < 3) {
		fprintf(stderr, "usage: plan [--back | --mmproj] CONFIG.json TENSORS.txt [FAMILY.arch]\n");
		return 2;
	}
	struct json_doc *doc = json_read_file(argv[1], 1 << 24, &err);
	struct arch_set *set = doc ? arch_set_open(argc > 3 ? argv[3] : NULL, &err) : NULL;
	struct arch_input in = { .config = json_root(doc), .metadata_only = !strcmp(argv[2], "-") };
	in.tensor = read_tensors(argv[2], &in.n_tensors, a);
	if (mmproj) /* its family reads what lies beside */
		in.dir = path_dir(a, argv[1]);
	const struct arch *arch = !set ? NULL : mmproj ? arch_find_projector(set, arch_projector_class_of(in.config), &err)
						       : arch_find(set, arch_class_of(in.config), &err);
	int rc = arch ? arch_eval(arch, &in, &r, a, &sink, &err) : -1;
	if (!rc && back)
		rc = print_back(arch, &r, a, &err);
	else if (!rc)
		print_result(&r, a);
	if (rc)
		printf("error E%d %s\n", (int)err.code, err.text);
	arch_set_close(set);
	json_free(doc);
	arena_free(a);
	return rc ? 1 : 0;
}
