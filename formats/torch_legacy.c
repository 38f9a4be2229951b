/*
 * torch_legacy.c - the layout of torch.save before 1.6: pickles and bytes in one file, one after the other.
 *
 *	magic (pickle) | 1001 (pickle) | system (pickle) | values (pickle) | keys (pickle) | count u64, bytes | count u64, bytes | ...
 *
 * The storages stand in the order of the keys; counts are in elements, numbers are little-endian whatever machine wrote them. Refuses
 * counts other than the values say, keys that no value names, ends that come too early.
 */
#include "torch.h"

#include <inttypes.h>
#include <string.h>

/* 0x1950a86a20f9469cfc6c */
static const char magic[10] = { 0x6c, (char)0xfc, (char)0x9c, 0x46, (char)0xf9, 0x20, 0x6a, (char)0xa8, 0x50, 0x19 };

static int next_pickle(struct torch *t, uint64_t *at, struct pickle *p, const char *name)
{
	if (torch_read(t, p, *at, source_size(t->src), name))
		return -1;
	*at += p->size;
	return 0;
}

static bool is_magic(const struct pickle_value *v)
{
	return v->kind == PICKLE_BYTES && v->s.n == sizeof magic && !memcmp(v->s.p, magic, sizeof magic);
}

/* Where the storages' types and lengths are said: in the ids among the values */
static int note_ids(struct torch *t, const struct pickle *values, struct map *ids)
{
	for (size_t i = 0; i < values->persistent.n; i++) {
		struct torch_id *id = arena_alloc(t->arena, sizeof *id);
		struct map_slot *slot;
		bool found;

		if (!torch_storage_id(t, values->persistent.v[i], id))
			continue; /* the source of a class */
		slot = map_put(ids, id->key, strlen(id->key), &found);
		if (found && (((struct torch_id *)slot->value.p)->count != id->count || ((struct torch_id *)slot->value.p)->dtype != id->dtype))
			return heft_fail(t->err, HEFT_E_HEADER, "%s: storage '%s' has two lengths or types", t->file, id->key);
		slot->value.p = id;
	}
	return 0;
}

static int take_storage(struct torch *t, const struct map *ids, const struct pickle_value *key, uint64_t *at)
{
	const char *name = torch_key(t, key);
	const struct map_slot *slot = name ? map_find(ids, name, strlen(name)) : NULL;
	const struct torch_id *id = slot ? slot->value.p : NULL;
	uint64_t count, size, file = source_size(t->src);

	if (!id)
		return heft_fail(t->err, HEFT_E_HEADER, "%s: holds a storage that no tensor names", t->file);
	if (map_find(&t->storage, name, strlen(name)))
		return heft_fail(t->err, HEFT_E_DUPLICATE, "%s: storage '%s' stands twice", t->file, name);
	if (source_read(t->src, *at, &count, sizeof count, t->err))
		return -1;
	*at += sizeof count;
	if (count != id->count)
		return heft_fail(t->err, HEFT_E_SHAPE, "%s: storage '%s' has %" PRIu64 " elements, its tensors say %" PRIu64, t->file, name, count, id->count);
	if (__builtin_mul_overflow(count, id->dtype ? id->dtype->size : 1, &size) || size > file - *at)
		return heft_fail(t->err, HEFT_E_TRUNCATED, "%s: ends inside storage '%s': download the file again", t->file, name);
	torch_add_storage(t, name, &(struct torch_storage){ .offset = *at, .size = size, .dtype = id->dtype });
	*at += size;
	return 0;
}

static int take_storages(struct torch *t, const struct pickle *values, const struct pickle_value *keys, uint64_t *at)
{
	struct map ids;
	int rc;

	if (keys->kind != PICKLE_LIST)
		return heft_fail(t->err, HEFT_E_HEADER, "%s: has no list of its storages", t->file);
	map_init(&ids);
	rc = note_ids(t, values, &ids);
	for (size_t i = 0; !rc && i < keys->list->n; i++)
		rc = take_storage(t, &ids, keys->list->v[i], at);
	map_release(&ids);
	return rc;
}

static int warn_trailing(struct torch *t, uint64_t end)
{
	struct heft_problem p = { .code = HEFT_E_TRAILING, .warning = true, .file = t->file };

	if (end == source_size(t->src))
		return 0;
	p.text = arena_printf(t->arena, "%" PRIu64 " bytes follow the last storage", source_size(t->src) - end);
	return sink_tell(t->sink, &p);
}

int torch_list_legacy(struct torch *t)
{
	struct pickle head, version, system, values, keys;
	uint64_t at = 0, number;

	if (next_pickle(t, &at, &head, "pickle"))
		return -1;
	if (!is_magic(head.root))
		return heft_fail(t->err, HEFT_E_MAGIC, "%s: a Python pickle, but no PyTorch checkpoint", t->file);
	if (next_pickle(t, &at, &version, "version"))
		return -1;
	if (!pickle_uint(version.root, &number) || number != 1001)
		return heft_fail(t->err, HEFT_E_VERSION, "%s: a PyTorch checkpoint of a protocol other than 1001", t->file);
	if (next_pickle(t, &at, &system, "system") || next_pickle(t, &at, &values, "values") || next_pickle(t, &at, &keys, "keys") ||
	    take_storages(t, &values, keys.root, &at))
		return -1;
	return torch_add_tree(t, values.root) || warn_trailing(t, at) ? -1 : 0;
}
