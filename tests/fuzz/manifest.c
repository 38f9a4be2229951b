/* Any bytes as a manifest: what is taken has names that stay in their folder and whole digests. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "heft_manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool leads_out(const char *name)
{
	return name[0] == '/' || !strcmp(name, "..") || !strncmp(name, "../", 3) || strstr(name, "/../");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct heft_manifest *m;
	struct heft_err err;
	char *text = malloc(size + 1);

	memcpy(text, data, size);
	text[size] = 0;
	if (!heft_manifest_parse(&m, text, size, "fuzz", &err)) {
		for (size_t i = 0; i < m->n_files; i++)
			if (strlen(m->file[i].sha256) != 64 || leads_out(m->file[i].name))
				abort();
		for (size_t i = 0; i < m->n_tensors; i++)
			if (strlen(m->tensor[i].sha256) != 64 || m->tensor[i].rank > HEFT_MAX_RANK || !m->tensor[i].name)
				abort();
		heft_manifest_free(m);
	}
	free(text);
	return 0;
}
