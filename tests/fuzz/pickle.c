/* Any bytes as a pickle: it ends, with a value or an error, and what it names lies inside. */
#include <stdlib.h>
#include <string.h>

#include "formats/pickle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OWN = 64 }; /* what heft itself writes for a number of the extension registry */

/* No more than was read: by way of the memo both names may be the same text, so each is held to the size on its own. */
static bool inside(const struct pickle_global *g, size_t size)
{
	return g->offset < size && g->opcode && strlen(g->module) <= size + OWN && strlen(g->name) <= size + OWN;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	struct source *src = source_memory(data, size, "input");
	struct heft_err err = { 0 };
	struct pickle p;
	int rc = pickle_read(&p, src, 0, size, "input", a, &err);

	if (rc ? !err.text[0] : !p.root || p.size > size)
		abort();
	for (size_t i = 0; i < p.n_globals; i++)
		if (!inside(p.global[i], size))
			abort();
	if (p.root)
		pickle_get(p.root, "a");
	source_close(src);
	arena_free(a);
	return 0;
}
