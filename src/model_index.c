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

static bool plain_name(const struct heft_str *s)
{
	return s->n && s->n < 256 && strlen(s->p) == s->n && !strchr(s->p, '/') && !strchr(s->p, '\\') && s->p[0] != '.';
}

static int by_string(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Gives every shard its number in the order of names, and every entry its shard. */
static void number_shards(struct model_index *x, const struct json *weight_map, struct arena *a)
{
	struct map shards;
	size_t cap = 0, i = 0;
	bool found;

	map_init(&shards);
	for (const struct json *m = json_first(weight_map); m; m = json_next(m)) {
		const char *name = json_cstr(m);
		struct map_slot *slot = map_put(&shards, name, strlen(name), &found);

		if (found)
			continue;
		slot->value.i = 0;
		x->shard = arena_grow(a, x->shard, &cap, x->n_shards + 1, sizeof *x->shard);
		x->shard[x->n_shards++] = arena_strdup(a, name);
	}
	qsort(x->shard, x->n_shards, sizeof *x->shard, by_string);
	for (size_t s = 0; s < x->n_shards; s++)
		map_find(&shards, x->shard[s], strlen(x->shard[s]))->value.i = (int64_t)s;
	for (const struct json *m = json_first(weight_map); m; m = json_next(m)) {
		const char *name = json_cstr(m);

		x->entry[i++].shard = (uint32_t)map_find(&shards, name, strlen(name))->value.i;
	}
	map_release(&shards);
}

static int read_map(struct model_index *x, const struct json *weight_map, struct arena *a, struct heft_err *err)
{
	if (json_kind(weight_map) != JSON_OBJECT || !json_first(weight_map))
		return heft_fail(err, HEFT_E_INDEX, "%s: has no weight_map with tensors", x->path);
	x->entry = arena_array(a, json_count(weight_map), sizeof *x->entry);
	for (const struct json *m = json_first(weight_map); m; m = json_next(m)) {
		struct heft_str tensor = json_key(m), file;
		bool found;

		if (!json_str(m, &file))
			return heft_fail(err, HEFT_E_INDEX, "%s: tensor '%s' has no file name", x->path, tensor.p);
		if (!plain_name(&file))
			return heft_fail(err, HEFT_E_INDEX, "%s: tensor '%s' is said to lie in '%s', which is not a file name in the same folder",
					 x->path, tensor.p, file.p);
		map_put(&x->by_name, tensor.p, tensor.n, &found)->value.i = (int64_t)x->n_entries;
		if (found)
			return heft_fail(err, HEFT_E_DUPLICATE, "%s: tensor '%s' stands twice", x->path, tensor.p);
		x->entry[x->n_entries++].tensor = tensor;
	}
	number_shards(x, weight_map, a);
	return 0;
}

int index_init(struct model_index *x, struct json_doc *doc, const char *path, struct arena *a, struct heft_err *err)
{
	const struct json *root = json_root(doc);

	*x = (struct model_index){ .path = path, .doc = doc };
	map_init(&x->by_name);
	if (!json_uint(json_get(json_get(root, "metadata"), "total_size"), &x->total_size))
		x->total_size = 0;
	return read_map(x, json_get(root, "weight_map"), a, err);
}

void index_release(struct model_index *x)
{
	map_release(&x->by_name);
	json_free(x->doc);
	x->doc = NULL;
}

size_t index_tensors_of(const struct model_index *x, size_t shard)
{
	size_t n = 0;

	for (size_t i = 0; i < x->n_entries; i++)
		n += x->entry[i].shard == shard;
	return n;
}

int index_see(struct model_index *x, const char *tensor, const char *file, struct sink *sink)
{
	const struct map_slot *slot = map_find(&x->by_name, tensor, strlen(tensor));
	struct index_entry *e = slot ? &x->entry[slot->value.i] : NULL;

	if (!e)
		return sink_tellf(sink, HEFT_E_INDEX_MISMATCH, file, tensor, "download index and shards again, from one revision",
				  "is in this file, but not in %s", path_base(x->path));
	e->seen = true;
	if (strcmp(x->shard[e->shard], path_base(file)))
		return sink_tellf(sink, HEFT_E_INDEX_MISMATCH, file, tensor, "download index and shards again, from one revision",
				  "is in this file, but %s says %s", path_base(x->path), x->shard[e->shard]);
	return 0;
}

int index_unseen(const struct model_index *x, const bool *shard_listed, struct sink *sink)
{
	for (size_t i = 0; i < x->n_entries; i++) {
		const struct index_entry *e = &x->entry[i];

		if (!e->seen && shard_listed[e->shard] &&
		    sink_tellf(sink, HEFT_E_INDEX_MISMATCH, x->path, e->tensor.p, "download index and shards again, from one revision",
			       "should be in %s, but is not", x->shard[e->shard]))
			return -1;
	}
	return 0;
}
