/*
 * model_index.c - the shard index of a Hugging Face checkpoint: which tensor lies in which file.
 *
 *   {"metadata": {"total_size": 16060522496},
 *    "weight_map": {"lm_head.weight": "model-00004-of-00004.safetensors", ...}}
 *
 * Its file names come from a stranger: only plain names in the index's own folder are accepted.
 */
#include "model.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../base/json_scan.h"
#include "../base/source.h"

#define INDEX_MAX ((uint64_t)256 << 20)

struct reading {
	struct model_index *x;
	struct arena *arena;
	struct map shards;  /* name -> number in the order of first mention */
	size_t entry_cap, shard_cap;
	bool has_map;
	struct heft_err *err;
};

bool path_is_plain(const char *s, size_t n)
{
	return n && n < 256 && strlen(s) == n && !strchr(s, '/') && !strchr(s, '\\') && s[0] != '.';
}

static int shard_number(struct reading *r, const char *tensor, const struct heft_str *file, uint32_t *out)
{
	struct map_slot *slot = map_find(&r->shards, file->p, file->n);
	struct model_index *x = r->x;
	const char *name;
	bool found;

	if (!slot) {
		name = arena_memdup(r->arena, file->p, file->n);
		if (!path_is_plain(name, file->n))
			return heft_fail(
			    r->err, HEFT_E_INDEX,
			    "%s: tensor '%s' is said to lie in '%s', which is not a file name in the same folder",
			    x->path, tensor, name);
		slot = map_put(&r->shards, name, file->n, &found);
		slot->value.i = (int64_t)x->n_shards;
		x->shard = arena_grow(r->arena, x->shard, &r->shard_cap, x->n_shards + 1, sizeof *x->shard);
		x->shard[x->n_shards++] = name;
	}
	*out = (uint32_t)slot->value.i;
	return 0;
}

static int read_entry(struct reading *r, struct json_scan *s, const struct heft_str *key)
{
	struct model_index *x = r->x;
	struct index_entry e = { .tensor = arena_memdup(r->arena, key->p, key->n) };
	struct heft_str file;
	bool found;

	map_put(&x->by_name, e.tensor, key->n, &found)->value.i = (int64_t)x->n_entries;
	if (found)
		return heft_fail(r->err, HEFT_E_DUPLICATE, "%s: tensor '%s' stands twice", x->path, e.tensor);
	if (jscan_peek(s) != '"')
		return heft_fail(r->err, HEFT_E_INDEX, "%s: tensor '%s' has no file name", x->path, e.tensor);
	if (jscan_string(s, &file) || shard_number(r, e.tensor, &file, &e.shard))
		return -1;
	x->entry = arena_grow(r->arena, x->entry, &r->entry_cap, x->n_entries + 1, sizeof e);
	x->entry[x->n_entries++] = e;
	return 0;
}

static int read_map(struct reading *r, struct json_scan *s)
{
	int more = jscan_begin(s, '{') ? -1 : 1;
	struct heft_str key;

	if (r->has_map)
		return heft_fail(r->err, HEFT_E_DUPLICATE, "%s: weight_map stands twice", r->x->path);
	r->has_map = true;
	while (more > 0 && (more = jscan_member(s, &key)) > 0)
		if (read_entry(r, s, &key))
			return -1;
	return more;
}

/* A number without sign, fraction or exponent that fits. The text has no end but `end`. */
static bool whole_number(const char *p, const char *end, uint64_t *out)
{
	uint64_t v = 0;

	for (; p < end && *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
			return false;
	*out = v;
	return p == end;
}

/* total_size is an integer; some writers made it a float, or wrote other things beside it: those are passed over. */
static int read_metadata(struct reading *r, struct json_scan *s)
{
	int more;
	struct heft_str key;

	if (jscan_peek(s) != '{')
		return jscan_skip(s);
	more = jscan_begin(s, '{') ? -1 : 1;
	while (more > 0 && (more = jscan_member(s, &key)) > 0) {
		bool total = key.n == 10 && !memcmp(key.p, "total_size", 10);
		const char *value = jscan_peek(s) ? s->at : s->end;
		uint64_t n;

		if (jscan_skip(s))
			return -1;
		if (total && whole_number(value, s->at, &n))
			r->x->total_size = n;
	}
	return more;
}

static int read_root(struct reading *r, struct json_scan *s)
{
	int more = jscan_begin(s, '{') ? -1 : 1;
	struct heft_str key;

	while (more > 0 && (more = jscan_member(s, &key)) > 0) {
		int rc;

		if (key.n == 10 && !memcmp(key.p, "weight_map", 10) && jscan_peek(s) == '{')
			rc = read_map(r, s);
		else if (key.n == 8 && !memcmp(key.p, "metadata", 8))
			rc = read_metadata(r, s);
		else
			rc = jscan_skip(s);
		if (rc)
			return -1;
	}
	return more || jscan_end(s) ? -1 : 0;
}

static int by_string(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorts the shards by name and gives the entries their new numbers. */
static void sort_shards(struct reading *r)
{
	struct model_index *x = r->x;
	uint32_t *now = arena_array(r->arena, x->n_shards, sizeof *now);

	qsort(x->shard, x->n_shards, sizeof *x->shard, by_string);
	for (size_t s = 0; s < x->n_shards; s++)
		now[map_find(&r->shards, x->shard[s], strlen(x->shard[s]))->value.i] = (uint32_t)s;
	x->held = arena_array(r->arena, x->n_shards, sizeof *x->held);
	for (size_t i = 0; i < x->n_entries; i++) {
		x->entry[i].shard = now[x->entry[i].shard];
		x->held[x->entry[i].shard]++;
	}
}

int index_init(struct model_index *x, const char *text, size_t n, const char *path, struct arena *a,
	       struct heft_err *err)
{
	struct reading r = { .x = x, .arena = a, .err = err };
	struct json_scan s;
	int rc;

	*x = (struct model_index){ .path = path };
	map_init(&x->by_name);
	map_init(&r.shards);
	rc = jscan_init(&s, text, n, path, err) || read_root(&r, &s) ? -1 : 0;
	if (!rc && !x->n_entries)
		rc = heft_fail(err, HEFT_E_INDEX, "%s: has no weight_map with tensors", path);
	if (!rc)
		sort_shards(&r);
	jscan_release(&s);
	map_release(&r.shards);
	return rc;
}

int index_read(struct model_index *x, const char *path, struct arena *a, struct heft_err *err)
{
	struct source *src = source_open(path, err);
	uint64_t n;
	char *text;
	int rc;

	if (!src)
		return -1;
	n = source_size(src);
	if (n > INDEX_MAX) {
		source_close(src);
		return heft_fail(err, HEFT_E_INDEX, "%s: %" PRIu64 " bytes are too many for an index", path, n);
	}
	text = xmalloc((size_t)n);
	rc = source_read(src, 0, text, (size_t)n, err) || index_init(x, text, (size_t)n, path, a, err) ? -1 : 0;
	free(text);
	source_close(src);
	return rc;
}

void index_release(struct model_index *x)
{
	map_release(&x->by_name);
}

int index_see(struct model_index *x, const char *tensor, const char *file, bool *again, struct sink *sink)
{
	const struct map_slot *slot = map_find(&x->by_name, tensor, strlen(tensor));
	struct index_entry *e = slot ? &x->entry[slot->value.i] : NULL;

	*again = e && e->seen;
	if (!e)
		return sink_tellf(sink, HEFT_E_INDEX_MISMATCH, file, tensor,
				  "download index and shards again, from one revision",
				  "is in this file, but not in %s", path_base(x->path));
	if (*again)
		return sink_tellf(sink, HEFT_E_DUPLICATE, file, tensor, NULL, "stands in another file too");
	e->seen = true;
	if (!path_is_of(file, x->shard[e->shard]))
		return sink_tellf(sink, HEFT_E_INDEX_MISMATCH, file, tensor,
				  "download index and shards again, from one revision",
				  "is in this file, but %s says %s", path_base(x->path), x->shard[e->shard]);
	return 0;
}

int index_unseen(const struct model_index *x, const bool *shard_listed, struct sink *sink)
{
	for (size_t i = 0; i < x->n_entries; i++) {
		const struct index_entry *e = &x->entry[i];

		if (!e->seen && shard_listed[e->shard] &&
		    sink_tellf(sink, HEFT_E_INDEX_MISMATCH, x->path, e->tensor,
			       "download index and shards again, from one revision", "should be in %s, but is not",
			       x->shard[e->shard]))
			return -1;
	}
	return 0;
}
