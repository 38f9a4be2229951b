/*
 * coreml_names.c - do all names of a program lead somewhere? What an operation or a block takes must be made in the same function: by an
 * operation, or given to the function or to one of its blocks. Whether it is made before it is taken is left to those who run the program.
 */
#include "coreml.h"

#include "../../base/map.h"

#include <inttypes.h>
#include <string.h>

static const char *key_of(const struct coreml_name *x, struct arena *a)
{
	return arena_printf(a, "%" PRIu32 "/%s", x->function, x->name);
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
	arena_free(a);
	return rc;
}
