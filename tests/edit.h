/*
 * edit.h - metadata changed by words, on a file in memory: what tests/unit/meta.c and tests/fuzz/edit.c hold to its promises.
 *
 *   words   a line each: KEY=TYPE:VALUE sets, -KEY removes; what is not understood is left out
 *
 * The new file is a header and the old file's tensors. Read again it has the same tensors, the other keys at their places, the new ones last.
 */
#include <stdlib.h>
#include <string.h>

#include "formats/format.h"
#include "src/meta.h"

struct edited {
	struct arena *arena;
	struct format_edit edit;
	struct format_listing before, after;
	uint8_t *file; /* the new one */
	size_t size;
	struct heft_err err;
};

static int edited_list(const struct format *f, struct format_listing *l, const void *p, size_t n, struct edited *e)
{
	struct source *src = source_memory(p, n, "file");
	struct sink sink = { .err = &e->err };
	int rc = f->list(l, src, e->arena, &sink, &e->err);

	source_close(src);
	return rc;
}

/* But for the key that says where bytes are, which no edit may change. */
static void edited_take(struct edited *e, const char *words, struct kv_list *set, struct kv_list *gone)
{
	char *copy = arena_strdup(e->arena, words), *save, *line = strtok_r(copy, "\n", &save);

	for (; line; line = strtok_r(NULL, "\n", &save)) {
		const char *key = *line == '-' ? line + 1 : line;

		if (!strncmp(key, "general.alignment", 17))
			continue;
		if (key > line)
			kv_set(gone, key, value_bool(true));
		else
			(void)meta_take(set, line, e->before.kv, e->before.n_kv, &e->err);
	}
}

static void edited_change(struct edited *e, const char *words)
{
	struct kv_list set = { .arena = e->arena }, gone = { .arena = e->arena };
	struct heft_meta_change *c;

	edited_take(e, words, &set, &gone);
	e->edit.change = c = arena_array(e->arena, e->before.n_kv + set.n + 1, sizeof *c);
	for (size_t i = 0; i < e->before.n_kv; i++) {
		const struct heft_kv *kv = &e->before.kv[i];
		const struct heft_value *after = kv_find(set.v, set.n, kv->key);

		if (after || kv_find(gone.v, gone.n, kv->key))
			c[e->edit.n_changes++] = (struct heft_meta_change){ kv->key, &kv->value, after };
	}
	for (size_t i = 0; i < set.n; i++)
		if (!kv_find(e->before.kv, e->before.n_kv, set.v[i].key))
			c[e->edit.n_changes++] = (struct heft_meta_change){ set.v[i].key, NULL, &set.v[i].value };
}

/* 0 where the file could be read and took the words. */
static int edited_make(struct edited *e, const struct format *f, const uint8_t *p, size_t n, const char *words)
{
	size_t data;
	struct source *src;
	int rc;

	*e = (struct edited){ .arena = arena_new() };
	if (edited_list(f, &e->before, p, n, e))
		return -1;
	data = e->before.data_offset < n ? (size_t)e->before.data_offset : n; /* a file without tensors may lack the padding */
	edited_change(e, words);
	src = source_memory(p, n, "file");
	rc = f->edit(&e->edit, &e->before, src, e->arena, &e->err);
	source_close(src);
	if (rc)
		return -1;
	e->size = e->edit.header_size + n - data;
	e->file = arena_alloc(e->arena, e->size + 1);
	memcpy(e->file, e->edit.header, e->edit.header_size);
	memcpy(e->file + e->edit.header_size, p + data, n - data);
	return 0;
}

static bool edited_same_tensor(const struct edited *e, const struct heft_tensor *a, const struct heft_tensor *b)
{
	return !strcmp(a->name, b->name) && a->enc == b->enc && a->rank == b->rank && !memcmp(a->dim, b->dim, sizeof a->dim) &&
	       a->plane[0].size == b->plane[0].size &&
	       a->plane[0].offset - e->before.data_offset == b->plane[0].offset - e->after.data_offset;
}

/* The keys of the new file, where it is what the old one and the changes make it. */
static bool edited_keys(const struct edited *e)
{
	const struct heft_meta_change *c = e->edit.change, *end = c + e->edit.n_changes;
	const struct heft_kv *now = e->after.kv, *last = now ? now + e->after.n_kv : now;

	for (size_t i = 0; i < e->before.n_kv; i++) {
		const struct heft_kv *kv = &e->before.kv[i];
		bool changes = c < end && !strcmp(c->key, kv->key);
		const struct heft_value *want = changes ? c->after : &kv->value;

		c += changes;
		if (!want)
			continue;
		if (now == last || strcmp(now->key, kv->key) || !meta_same(&now->value, want))
			return false;
		now++;
	}
	for (; c < end; c++, now++)
		if (now == last || strcmp(now->key, c->key) || !meta_same(&now->value, c->after))
			return false;
	return now == last;
}

/* NULL: all is as it must be; else what is not. */
static const char *edited_check(struct edited *e, const struct format *f)
{
	if (edited_list(f, &e->after, e->file, e->size, e))
		return "the new file cannot be read";
	if (e->after.n_tensors != e->before.n_tensors)
		return "another number of tensors";
	for (size_t i = 0; i < e->before.n_tensors; i++)
		if (!edited_same_tensor(e, &e->before.tensor[i], &e->after.tensor[i]))
			return "another tensor";
	return edited_keys(e) ? NULL : "other keys";
}
