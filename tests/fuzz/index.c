/* Any bytes as a shard index: no file name that it accepts leaves the folder. */
#include <stdlib.h>
#include <string.h>

#include "src/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void go_on(void *ctx, const struct heft_problem *p)
{
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	struct sink sink = { .fn = go_on };
	struct model_index x;
	struct heft_err err;
	bool again;

	if (!index_init(&x, (const char *)data, size, "dir/model.safetensors.index.json", a, &err)) {
		bool *listed = arena_array(a, x.n_shards, sizeof *listed);

		for (size_t i = 0; i < x.n_shards; i++) {
			if (strchr(x.shard[i], '/') || !strcmp(x.shard[i], "..") ||
			    (i && strcmp(x.shard[i - 1], x.shard[i]) >= 0))
				abort();
			listed[i] = i & 1;
		}
		for (size_t i = 0; i < x.n_entries; i++)
			index_see(&x, x.entry[i].tensor, x.shard[i % x.n_shards], &again, &sink);
		index_unseen(&x, listed, &sink);
	}
	index_release(&x);
	arena_free(a);
	return 0;
}
