/* container.h - a fuzz target for one container: lists the input, and lays out again what was listed. */
#include "base/err.h"
#include "formats/format.h"

static void ignore(void *ctx, const struct heft_problem *p)
{
}

static void lay_out(const struct format *f, const struct format_listing *l, struct arena *a)
{
	struct heft_err err;
	struct format_layout out = { .kv = l->kv, .n_kv = l->n_kv, .tensor = arena_array(a, l->n_tensors, sizeof *out.tensor) };
	for (size_t i = 0; i < l->n_tensors; i++) {
		const struct heft_tensor *t = &l->tensor[i];
		if (!t->enc || t->n_planes != 1 || !format_stores(f, t->enc))
			continue;
		struct format_tensor *o = &out.tensor[out.n_tensors++];
		*o = (struct format_tensor){ .name = t->name, .enc = t->enc, .rank = t->rank, .size = t->plane[0].size };
		for (int d = 0; d < t->rank; d++)
			o->dim[d] = t->dim[d];
	}
	if (f->layout)
		f->layout(&out, a, &err);
}

/* Once where the first problem ends the work, once where all are told. */
static void fuzz_container(const char *name, const uint8_t *p, size_t n)
{
	const struct format *f = format_find(name);
	for (int all = 0; all < 2; all++) {
		struct heft_err err;
		struct sink sink = { .fn = all ? ignore : NULL, .err = &err };
		struct source *src = source_memory(p, n, "input");
		struct arena *a = arena_new();
		struct format_listing l = { 0 };
		uint8_t head[64 + 16] = { 0 };
		for (size_t i = 0; i < n && i < 64; i++)
			head[i] = p[i];
		f->probe(head, n < 64 ? n : 64);
		if (!f->list(&l, src, a, &sink, &err))
			lay_out(f, &l, a);
		arena_free(a);
		source_close(src);
	}
}
