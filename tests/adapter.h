/*
 * adapter.h - an adapter in memory: a line that is adapter_config.json, then safetensors; or a GGUF adapter alone.
 */
#ifndef TESTS_ADAPTER_H
#define TESTS_ADAPTER_H

#include "formats/format.h"
#include "src/lora.h"
#include "src/model.h"

#include <string.h>

struct adapter {
	struct lora_adapter x;
	struct heft_model model;
	struct format_listing listing;
	struct source *src;
	struct arena *arena;
};

static int adapter_list(struct adapter *t, const char *format, const uint8_t *data, size_t n, struct heft_err *err)
{
	struct sink strict = { .err = err };

	t->src = source_memory(data, n, "adapter");
	if (format_find(format)->list(&t->listing, t->src, t->arena, &strict, err))
		return -1;
	t->model = (struct heft_model){ .path = "adapter", .dir = ".", .format = format, .tensor = t->listing.tensor, .n_tensors = t->listing.n_tensors,
					.kv = t->listing.kv, .n_kv = t->listing.n_kv };
	return lora_understand(&t->x, &t->model, t->arena, err);
}

/* adapter_release() it, also where that failed. */
static int adapter_read(struct adapter *t, const uint8_t *data, size_t n, struct heft_err *err)
{
	const uint8_t *line = n ? memchr(data, '\n', n) : NULL;

	*t = (struct adapter){ .x = { .kind = LORA_GGUF, .dir = "." }, .arena = arena_new() };
	if (n > 4 && !memcmp(data, "GGUF", 4))
		return adapter_list(t, "gguf", data, n, err);
	if (!line)
		return heft_fail(err, HEFT_E_CONFIG, "no line of configuration");
	t->x.config = json_parse((const char *)data, (size_t)(line - data), "adapter_config.json", false, err);
	return t->x.config ? adapter_list(t, "safetensors", line + 1, n - (size_t)(line + 1 - data), err) : -1;
}

static void adapter_release(struct adapter *t)
{
	lora_release(&t->x);
	if (t->src)
		source_close(t->src);
	arena_free(t->arena);
}

#endif
