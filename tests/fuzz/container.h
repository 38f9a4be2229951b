/* container.h - one fuzz target for every container: list from memory and as a stream would, lay out again what was
 * listed. */
#include <stdlib.h>
#include <string.h>

#include "formats/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void go_on(void *ctx, const struct heft_problem *p)
{
	*(volatile size_t *)ctx += strlen(p->text);
}

/* What is made must come, all of it. */
static void read_made(struct source *made, uint64_t size)
{
	uint8_t piece[1000];
	struct heft_err err;

	if (source_size(made) != size)
		abort();
	for (uint64_t at = 0, n; at < size; at += n) {
		n = size - at < sizeof piece ? size - at : sizeof piece;
		if (source_read(made, at, piece, (size_t)n, &err))
			abort();
	}
}

/* Whatever was listed must lie inside the file, unless that was told. */
static void stay_inside(const struct format_listing *l, size_t size)
{
	for (size_t i = 0; i < l->n_tensors; i++) {
		const struct heft_extent *x = &l->tensor[i].plane[0];

		if (x->made)
			read_made(x->made, x->size);
		else if (x->size && (x->offset > size || x->size > size - x->offset))
			abort();
	}
}

static void lay_out(const struct format *f, const struct format_listing *l, struct arena *a)
{
	struct format_layout out = { .kv = l->kv, .n_kv = l->n_kv, .n_tensors = l->n_tensors };
	struct heft_err err;

	out.tensor = arena_array(a, l->n_tensors, sizeof *out.tensor);
	for (size_t i = 0; i < l->n_tensors; i++) {
		out.tensor[i] = (struct format_tensor){.name = l->tensor[i].name,
						       .enc = l->tensor[i].enc,
						       .rank = l->tensor[i].rank,
						       .size = l->tensor[i].plane[0].size};
		memcpy(out.tensor[i].dim, l->tensor[i].dim, sizeof out.tensor[i].dim);
	}
	if (f->layout)
		f->layout(&out, a, &err);
}

static void list_once(const char *name, const uint8_t *data, size_t size, bool strict)
{
	const struct format *f = format_find(name);
	struct arena *a = arena_new();
	struct source *src = source_memory(data, size, "input");
	struct heft_err err = { 0 };
	size_t told = 0;
	struct sink sink = { .fn = strict ? NULL : go_on, .ctx = &told, .err = &err };
	struct format_listing l = { 0 };

	if (!f->list(&l, src, a, &sink, &err) && strict) {
		stay_inside(&l, size);
		if (f->layout)
			lay_out(f, &l, a);
	}
	source_close(src);
	arena_free(a);
}

#define CONTAINER(name)                                                                                                \
	int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)                                                   \
	{                                                                                                              \
		list_once(name, data, size, true);                                                                     \
		list_once(name, data, size, false);                                                                    \
		return 0;                                                                                              \
	}
