/*
 * torch_tar.c - the layout of torch.save before 0.2: a tar archive of four members.
 *
 *	storages   count (pickle), then each: (key, location, type) (pickle), elements u64, bytes; then the views (pickle):
 *	           [(key, key of the storage, offset, elements), ...]
 *	tensors    count (pickle), then each: (key, key of the storage, type) (pickle), rank u32, 4 bytes, sizes u64, strides u64, offset u64
 *	pickle     the values; tensors and storages are persistent ids: their keys
 *	sys_info
 *
 * Of tar itself only what that writer makes is read: ustar headers of plain files in the archive's root. Refuses links, names that
 * are not those four, members that stand twice.
 */
#include "torch.h"

#include <inttypes.h>
#include <string.h>

enum { BLOCK = 512, NAME = 100, SIZE_AT = 124, SIZE_LEN = 12, SUM_AT = 148, SUM_LEN = 8, TYPE_AT = 156, PREFIX_AT = 345 };

struct member {
	uint64_t at, end; /* end 0: not there */
};

struct archive {
	struct member storages, tensors, pickle, sys_info;
};

/* ---- tar ---- */

/* Octal digits, with blanks before and a blank or NUL behind */
static bool octal(const uint8_t *p, size_t n, uint64_t *out)
{
	size_t i = 0;

	while (i < n && p[i] == ' ')
		i++;
	*out = 0;
	for (; i < n && p[i] >= '0' && p[i] <= '7'; i++)
		*out = *out << 3 | (uint64_t)(p[i] - '0');
	return i == n || !p[i] || p[i] == ' ';
}

static bool sum_fits(const uint8_t *b)
{
	uint64_t sum = 0, said;

	for (size_t i = 0; i < BLOCK; i++)
		sum += i >= SUM_AT && i < SUM_AT + SUM_LEN ? ' ' : b[i];
	return octal(b + SUM_AT, SUM_LEN, &said) && said == sum;
}

static struct member *member_named(struct archive *a, const char *name)
{
	name += !strncmp(name, "./", 2) ? 2 : 0;
	return !strcmp(name, "storages") ? &a->storages : !strcmp(name, "tensors") ? &a->tensors :
	       !strcmp(name, "pickle") ? &a->pickle : !strcmp(name, "sys_info") ? &a->sys_info : NULL;
}

static int take_member(struct torch *t, struct archive *a, const uint8_t *b, uint64_t *at)
{
	uint64_t file = source_size(t->src), size, next;
	struct member *m = memchr(b, 0, NAME) && !b[PREFIX_AT] ? member_named(a, (const char *)b) : NULL;

	if (!sum_fits(b) || !octal(b + SIZE_AT, SIZE_LEN, &size))
		return heft_fail(t->err, HEFT_E_HEADER, "%s: the tar archive has a broken header at byte %" PRIu64, t->file, *at);
	if (!m || (b[TYPE_AT] && b[TYPE_AT] != '0'))
		return heft_fail(t->err, HEFT_E_HEADER, "%s: the tar archive holds '%.*s', which is no part of a PyTorch checkpoint", t->file, NAME,
				 (const char *)b);
	if (m->end)
		return heft_fail(t->err, HEFT_E_DUPLICATE, "%s: the tar archive holds '%s' twice", t->file, (const char *)b);
	*at += BLOCK;
	if (size > file - *at)
		return heft_fail(t->err, HEFT_E_TRUNCATED, "%s: ends inside '%s': download the file again", t->file, (const char *)b);
	*m = (struct member){ *at, *at + size };
	next = format_align(size, BLOCK);
	*at += next < file - *at ? next : file - *at;
	return 0;
}

static int open_archive(struct torch *t, struct archive *a)
{
	static const uint8_t zeros[BLOCK];
	uint64_t at = 0, size = source_size(t->src);
	uint8_t b[BLOCK];

	while (size - at >= BLOCK) {
		if (source_read(t->src, at, b, BLOCK, t->err))
			return -1;
		if (!memcmp(b, zeros, BLOCK))
			break;
		if (take_member(t, a, b, &at))
			return -1;
	}
	if (!a->storages.end || !a->tensors.end || !a->pickle.end)
		return heft_fail(t->err, HEFT_E_MAGIC, "%s: a tar archive without storages, tensors and pickle: no PyTorch checkpoint", t->file);
	return 0;
}

/* ---- its members ---- */

static int bad_record(struct torch *t, const char *what)
{
	return heft_fail(t->err, HEFT_E_HEADER, "%s: %s", t->file, what);
}

static int next_pickle(struct torch *t, struct member *m, struct pickle *p, const char *name)
{
	if (torch_read(t, p, m->at, m->end, name))
		return -1;
	m->at += p->size;
	return 0;
}

static int take_numbers(struct torch *t, struct member *m, uint64_t *v, size_t n)
{
	if (n * sizeof *v > m->end - m->at)
		return heft_fail(t->err, HEFT_E_TRUNCATED, "%s: ends inside a number", t->file);
	if (source_read(t->src, m->at, v, n * sizeof *v, t->err))
		return -1;
	m->at += n * sizeof *v;
	return 0;
}

static const struct torch_storage *storage_named(const struct torch *t, const struct pickle_value *key)
{
	const char *name = torch_key(t, key);
	const struct map_slot *slot = name ? map_find(&t->storage, name, strlen(name)) : NULL;

	return slot ? slot->value.p : NULL;
}

static int take_storage(struct torch *t, struct member *m)
{
	const struct torch_dtype *dtype = NULL;
	const struct pickle_value *type;
	uint64_t count, size;
	struct pickle p;
	const char *key;

	if (next_pickle(t, m, &p, "storages") || take_numbers(t, m, &count, 1))
		return -1;
	type = pickle_at(p.root, 2);
	key = torch_key(t, pickle_at(p.root, 0));
	if (!key || !type || type->kind != PICKLE_GLOBAL || torch_role(type->global, &dtype) != TORCH_STORAGE || !dtype)
		return bad_record(t, "a storage has no key or type that heft knows");
	if (storage_named(t, pickle_at(p.root, 0)))
		return heft_fail(t->err, HEFT_E_DUPLICATE, "%s: storage '%s' stands twice", t->file, key);
	if (__builtin_mul_overflow(count, dtype->size, &size) || size > m->end - m->at)
		return heft_fail(t->err, HEFT_E_TRUNCATED, "%s: ends inside storage '%s'", t->file, key);
	torch_add_storage(t, key, &(struct torch_storage){ .offset = m->at, .size = size, .dtype = dtype });
	m->at += size;
	return 0;
}

static int take_view(struct torch *t, const struct pickle_value *v)
{
	const struct torch_storage *s = storage_named(t, pickle_at(v, 1));
	const char *key = torch_key(t, pickle_at(v, 0));
	uint64_t offset, count;

	if (!key || !s || !pickle_uint(pickle_at(v, 2), &offset) || !pickle_uint(pickle_at(v, 3), &count) ||
	    __builtin_mul_overflow(offset, s->dtype->size, &offset) || __builtin_mul_overflow(count, s->dtype->size, &count) ||
	    offset > s->size || count > s->size - offset)
		return bad_record(t, "a view of a storage reaches beyond it");
	torch_add_storage(t, key, &(struct torch_storage){ .offset = s->offset + offset, .size = count, .dtype = s->dtype });
	return 0;
}

static int take_storages(struct torch *t, struct member m)
{
	struct pickle p;
	uint64_t n;

	if (next_pickle(t, &m, &p, "storages"))
		return -1;
	if (!pickle_uint(p.root, &n))
		return bad_record(t, "has no number of storages");
	for (uint64_t i = 0; i < n; i++)
		if (take_storage(t, &m))
			return -1;
	if (next_pickle(t, &m, &p, "storages"))
		return -1;
	for (size_t i = 0; pickle_at(p.root, i); i++)
		if (take_view(t, pickle_at(p.root, i)))
			return -1;
	return 0;
}

static int take_tensor(struct torch *t, struct member *m)
{
	struct torch_record *r = arena_alloc(t->arena, sizeof *r);
	struct pickle p;
	const char *key;
	uint64_t rank;
	bool found;

	if (next_pickle(t, m, &p, "tensors") || take_numbers(t, m, &rank, 1))
		return -1;
	rank = (uint32_t)rank; /* the other four bytes mean nothing */
	key = torch_key(t, pickle_at(p.root, 0));
	r->storage = storage_named(t, pickle_at(p.root, 1));
	r->rank = (int)rank;
	if (!key || !r->storage || rank > HEFT_MAX_RANK)
		return bad_record(t, "a tensor has no key, no storage, or more than 8 dimensions");
	if (take_numbers(t, m, r->dim, rank) || take_numbers(t, m, r->stride, rank) || take_numbers(t, m, &r->offset, 1))
		return -1;
	map_put(&t->record, key, strlen(key), &found)->value.p = r;
	return found ? heft_fail(t->err, HEFT_E_DUPLICATE, "%s: tensor '%s' stands twice", t->file, key) : 0;
}

static int take_tensors(struct torch *t, struct member m)
{
	struct pickle p;
	uint64_t n;

	if (next_pickle(t, &m, &p, "tensors"))
		return -1;
	if (!pickle_uint(p.root, &n))
		return bad_record(t, "has no number of tensors");
	for (uint64_t i = 0; i < n; i++)
		if (take_tensor(t, &m))
			return -1;
	return 0;
}

int torch_list_tar(struct torch *t)
{
	struct archive a = { 0 };
	struct pickle values;

	if (open_archive(t, &a) || take_storages(t, a.storages) || take_tensors(t, a.tensors) ||
	    next_pickle(t, &a.pickle, &values, "pickle"))
		return -1;
	return torch_add_tree(t, values.root);
}
