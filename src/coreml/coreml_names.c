/*
 * coreml_names.c - do all names of a program lead somewhere? What an operation or a block takes must be made in the same function: by an
 * operation, or given to the function or to one of its blocks. Whether it is made before it is taken is left to those who run the program, but for
 * constants: each is made once, and what is made of others is made of those before it, so that they never go round in a circle.
 */
#include "coreml.h"

#include "../../base/map.h"

#include <inttypes.h>
#include <string.h>

static const char *key_of(const struct coreml_name *x, struct arena *a)
{
	return arena_printf(a, "%" PRIu32 "/%s", x->function, x->name);
}

static bool is_constant(const struct coreml_op *op)
{
	return !strcmp(op->type, "const") || !strncmp(op->type, "constexpr_", 10);
}

static const char *op_key(const struct coreml_op *op, const char *name, struct arena *a)
{
	return arena_printf(a, "%" PRIu32 "/%s", op->scope, name);
}

/* Every constant, by its name, to its place among the operations. */
static int note_constants(const struct coreml_program *p, struct map *made, const char *file, struct arena *a, struct heft_err *err)
{
	for (size_t i = 0; i < p->n_ops; i++) {
		const struct coreml_op *op = &p->op[i];
		const char *key;
		bool found;

		if (!is_constant(op) || !op->output)
			continue;
		key = op_key(op, op->output, a);
		map_put(made, key, strlen(key), &found)->value.i = (int64_t)i;
		if (found)
			return heft_fail(err, HEFT_E_HEADER, "%s: byte %" PRIu64 ": a second constant '%.100s'; make or download the package again", file,
					 op->begin, op->output);
	}
	return 0;
}

static int check_order(const struct coreml_program *p, const char *file, struct arena *a, struct heft_err *err)
{
	struct map made;
	int rc;

	map_init(&made);
	rc = note_constants(p, &made, file, a, err);
	for (size_t i = 0; i < p->n_ops && !rc; i++)
		for (size_t k = 0; k < p->op[i].n_params && is_constant(&p->op[i]) && !rc; k++) {
			const char *ref = p->op[i].param[k].ref, *key = ref ? op_key(&p->op[i], ref, a) : NULL;
			const struct map_slot *slot = key ? map_find(&made, key, strlen(key)) : NULL;

			if (slot && slot->value.i >= (int64_t)i)
				rc = heft_fail(err, HEFT_E_HEADER, "%s: byte %" PRIu64 ": the constant is made of '%.100s', which is not made before it; make or "
					       "download the package again", file, p->op[i].begin, ref);
		}
	map_release(&made);
	return rc;
}

int coreml_check_names(const struct coreml_program *p, const char *file, struct heft_err *err)
{
	struct arena *a = arena_new();
	struct map made;
	bool found;
	int rc = 0;

	map_init(&made);
	for (size_t i = 0; i < p->n_names; i++)
		if (p->name[i].made) {
			const char *key = key_of(&p->name[i], a);

			map_put(&made, key, strlen(key), &found);
		}
	for (size_t i = 0; i < p->n_names && !rc; i++) {
		const char *key = p->name[i].made ? NULL : key_of(&p->name[i], a);

		if (key && !map_find(&made, key, strlen(key)))
			rc = heft_fail(err, HEFT_E_HEADER, "%s: byte %" PRIu64 ": '%.100s' is taken here, but nothing makes it; make or download the package again",
				       file, p->name[i].at, p->name[i].name);
	}
	map_release(&made);
	rc = rc ? rc : check_order(p, file, a, err);
	arena_free(a);
	return rc;
}
