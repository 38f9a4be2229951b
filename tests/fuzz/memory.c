/* Any words as a machine for --fit, and any GGUF's metadata as a model: what is taken is within bounds, and the parts of a cache add up to
 * its sum. The text is all before the first NUL; the metadata, a GGUF, stands behind it. */
#include <stdlib.h>
#include <string.h>

#include "heft_memory.h"
#include "formats/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void measure(const struct heft_kv *kv, size_t n_kv, const struct heft_memory_options *o)
{
	struct heft_memory m;
	struct heft_err err;

	if (!heft_memory_of(&m, kv, n_kv, o, &err)) {
		uint64_t k = 0, v = 0;

		for (size_t i = 0; i < m.n_layers; i++) {
			k += m.layer[i].k_bytes;
			v += m.layer[i].v_bytes;
		}
		if (k != m.k_bytes || v != m.v_bytes || m.compute_least > m.compute_most)
			abort();
	}
	heft_memory_release(&m);
}

static void with_metadata(const uint8_t *data, size_t size, const struct heft_memory_options *o)
{
	const struct format *f = format_find("gguf");
	struct source *src = source_memory(data, size, "input");
	struct arena *a = arena_new();
	struct heft_err err = { 0 };
	struct sink sink = { .err = &err };
	struct format_listing l = { 0 };

	if (!f->list(&l, src, a, &sink, &err))
		measure(l.kv, l.n_kv, o);
	source_close(src);
	arena_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
	size_t n = nul ? (size_t)(nul - data) : size;
	char *text = malloc(n + 1);
	struct heft_memory_options o = { 0 };
	struct heft_err err = { 0 };
	uint64_t vram = 0;

	if (n)
		memcpy(text, data, n);
	text[n] = 0;
	if (heft_memory_parse(text, &vram, &o, &err)) {
		if (!*err.text || strchr(err.text, '\n'))
			abort();
		o = (struct heft_memory_options){ 0 };
	}
	if (nul)
		with_metadata(nul + 1, size - n - 1, &o);
	free(text);
	return 0;
}
