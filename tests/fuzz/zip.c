/* Any bytes as a zip archive: what is listed lies inside, apart from each other, under names that are paths. */
#include <stdlib.h>
#include <string.h>

#include "formats/zip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whether a part of the path is "..", which leads out of the archive; "a../b" does not. */
static bool climbs(const char *path)
{
	for (const char *p = path; (p = strstr(p, "..")); p++)
		if ((p == path || p[-1] == '/') && (!p[2] || p[2] == '/'))
			return true;
	return false;
}

static void check(const struct zip *z, struct source *src, size_t size)
{
	uint64_t end = 0;
	struct heft_err err;

	for (size_t i = 0; i < z->n; i++) {
		const struct zip_member *m = &z->member[i];

		if (m->header < end || m->offset < m->header || m->offset > size || m->size > size - m->offset || climbs(m->name))
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
