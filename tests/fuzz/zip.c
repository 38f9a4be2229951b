/* Any bytes as a zip archive: what is listed lies inside, apart from each other, under names that are paths. */
#include <stdlib.h>
#include <string.h>

#include "formats/zip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct zip *z, struct source *src, size_t size)
{
	uint64_t end = 0;
	struct heft_err err;

	for (size_t i = 0; i < z->n; i++) {
		const struct zip_member *m = &z->member[i];

		if (m->header < end || m->offset < m->header || m->offset > size || m->size > size - m->offset || strstr(m->name, "../"))
			abort();
		end = m->offset + m->size;
		zip_verify(m, src, &err);
		if (zip_find(z, m->name) != m)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	struct source *src = source_memory(data, size, "input");
	struct heft_err err = { 0 };
	struct zip z;

	if (!zip_list(&z, src, a, &err))
		check(&z, src, size);
	else if (!err.text[0])
		abort();
	source_close(src);
	arena_free(a);
	return 0;
}
