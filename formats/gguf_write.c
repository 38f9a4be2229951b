/*
 * gguf_write.c - lays out a GGUF file, version 3: header bytes and the offset of every tensor. gguf.h draws the layout.
 * Or makes the header of a file anew with other metadata. In a big-endian file each number of the header, but not the magic, has its bytes
 * the other way round.
 *
 * Refuses what the loader of llama.cpp refuses: names of 64 bytes and more, more than 4 dimensions, types without a
 * number.
 */
#include "gguf.h"

#include <inttypes.h>
#include <string.h>

#include "../base/json.h"
#include "../quant/quant.h"

const char *const gguf_stores[] = {
#define X(id, name, block, bytes) name,
	GGUF_TYPES(X)
#undef X
	NULL
};

enum { COUNT_AT = 16, KV_AT = 24 };

struct header { /* bytes to be */
	struct jbuf b;
	bool big_endian;
};

/* Numbers of `size` bytes, one after another. */
static void put_numbers(struct header *h, const void *v, uint64_t count, size_t size)
{
	const char *p = v;

	if (!h->big_endian)
		jbuf_raw(&h->b, p, count * size);
	for (uint64_t i = 0; h->big_endian && i < count * size; i++)
		jbuf_raw(&h->b, &p[i / size * size + size - 1 - i % size], 1);
}

static void put_u32(struct header *h, uint32_t v)
{
	put_numbers(h, &v, 1, sizeof v);
}

static void put_u64(struct header *h, uint64_t v)
{
	put_numbers(h, &v, 1, sizeof v);
}

static void put_string(struct header *h, const char *s, size_t n)
{
	put_u64(h, n);
	jbuf_raw(&h->b, s, n);
}

static void put_scalar(struct header *h, const struct heft_value *v)
{
	uint64_t raw = v->type == HEFT_BOOL ? v->b : v->u;
	float f = (float)v->f;

	if (v->type == HEFT_STRING) {
		put_string(h, v->s.p, v->s.n);
		return;
	}
	if (v->type == HEFT_F32)
		memcpy(&raw, &f, sizeof f);
	put_numbers(h, &raw, 1, gguf_value_size[v->type]); /* its low bytes come first here */
}

static void put_array(struct header *h, const struct heft_value *v)
{
	const struct heft_str *s = v->data;

	put_u32(h, v->type);
	put_u64(h, v->count);
	if (v->type != HEFT_STRING) {
		put_numbers(h, v->data, v->count, gguf_value_size[v->type]);
		return;
	}
	for (uint64_t i = 0; i < v->count; i++)
		put_string(h, s[i].p, s[i].n);
}

static void put_kv(struct header *h, const struct heft_kv *kv)
{
	put_string(h, kv->key, strlen(kv->key));
	put_u32(h, kv->value.array ? HEFT_ARRAY : kv->value.type);
	if (kv->value.array)
		put_array(h, &kv->value);
	else
		put_scalar(h, &kv->value);
}

static const struct gguf_type *type_named(const char *name)
{
	for (const struct gguf_type *t = gguf_types; t->name; t++)
		if (!strcmp(t->name, name))
			return t;
	return NULL;
}

static int put_tensor(struct header *h, const struct format_tensor *t, uint64_t offset, struct heft_err *err)
{
	const struct gguf_type *type = type_named(t->enc->name);
	size_t n = strlen(t->name);

	if (!type)
		return heft_fail(err, HEFT_E_TYPE, "tensor '%s': GGUF has no type %s", t->name, t->enc->name);
	if (n > GGUF_MAX_NAME)
		return heft_fail(err, HEFT_E_LIMIT, "tensor '%s': a name of %zu bytes, GGUF readers take at most %d",
				 t->name, n, GGUF_MAX_NAME);
	if (t->rank > GGUF_MAX_DIMS)
		return heft_fail(err, HEFT_E_LIMIT, "tensor '%s': %d dimensions, GGUF holds at most %d", t->name,
				 t->rank, GGUF_MAX_DIMS);
	put_string(h, t->name, n);
	put_u32(h, (uint32_t)t->rank);
	for (int i = t->rank - 1; i >= 0; i--)
		put_u64(h, t->dim[i]);
	put_u32(h, type->id);
	put_u64(h, offset);
	return 0;
}

static int find_alignment(const struct format_layout *f, uint64_t *out, struct heft_err *err)
{
	*out = GGUF_ALIGNMENT;
	for (size_t i = 0; i < f->n_kv; i++) {
		const struct heft_value *v = &f->kv[i].value;

		if (strcmp(f->kv[i].key, "general.alignment"))
			continue;
		if (v->array || v->type != HEFT_U32 || !v->u || v->u & (v->u - 1) || v->u > GGUF_ALIGNMENT_MAX)
			return heft_fail(err, HEFT_E_HEADER, "general.alignment must be a u32, a power of two up to %d",
					 GGUF_ALIGNMENT_MAX);
		*out = v->u;
	}
	return 0;
}

/* Sets offsets relative to the data, and the data's size: every tensor, the last too, is filled up to the alignment. */
static int place_tensors(struct format_layout *f, uint64_t alignment, uint64_t *data_size, struct heft_err *err)
{
	uint64_t at = 0;

	for (size_t i = 0; i < f->n_tensors; i++) {
		f->tensor[i].offset = at;
		if (__builtin_add_overflow(at, f->tensor[i].size, &at) ||
		    (at = format_align(at, alignment)) > INT64_MAX)
			return heft_fail(err, HEFT_E_LIMIT, "tensor '%s': the file would be larger than 2^63 bytes",
					 f->tensor[i].name);
	}
	*data_size = at;
	return 0;
}

static int put_header(struct header *h, const struct format_layout *f, struct heft_err *err)
{
	jbuf_raw(&h->b, "GGUF", 4);
	put_u32(h, GGUF_VERSION);
	put_u64(h, f->n_tensors);
	put_u64(h, f->n_kv);
	for (size_t i = 0; i < f->n_kv; i++)
		put_kv(h, &f->kv[i]);
	for (size_t i = 0; i < f->n_tensors; i++)
		if (put_tensor(h, &f->tensor[i], f->tensor[i].offset, err))
			return -1;
	return 0;
}

int gguf_layout(struct format_layout *f, struct arena *a, struct heft_err *err)
{
	struct header h = { .big_endian = f->big_endian };
	uint64_t alignment, data_size = 0;
	int rc = -1;

	if (find_alignment(f, &alignment, err) || place_tensors(f, alignment, &data_size, err))
		return -1;
	if (!put_header(&h, f, err)) {
		char *header;

		f->header_size = (size_t)format_align(h.b.n, alignment);
		header = arena_alloc(a, f->header_size);
		memcpy(header, h.b.p, h.b.n);
		f->header = header;
		f->file_size = f->header_size + data_size;
		for (size_t i = 0; i < f->n_tensors; i++)
			f->tensor[i].offset += f->header_size;
		rc = 0;
	}
	jbuf_release(&h.b);
	return rc;
}

/* ---- other metadata ---- */

static int put_stored(struct header *h, struct source *src, uint64_t from, uint64_t to, struct heft_err *err)
{
	char buf[1 << 14];

	for (size_t n; from < to; from += n) {
		n = to - from < sizeof buf ? (size_t)(to - from) : sizeof buf;
		if (source_read(src, from, buf, n, err))
			return -1;
		jbuf_raw(&h->b, buf, n);
	}
	return 0;
}

/* Keys keep their places, new ones come last. What does not change is copied as it stands, the rows of the tensors too: their offsets
 * count from the data's beginning. */
static int put_edited(struct header *h, const struct format_edit *e, const struct format_listing *l, struct source *src, struct heft_err *err)
{
	const struct heft_meta_change *c = e->change, *end = c ? c + e->n_changes : c;
	uint64_t n = l->n_kv, rows = n ? l->kv_at[n] : KV_AT;

	for (; c < end; c++)
		n += !c->before - !c->after;
	c = e->change;
	if (put_stored(h, src, 0, COUNT_AT, err))
		return -1;
	put_u64(h, n);
	for (size_t i = 0; i < l->n_kv; i++) {
		bool changes = c < end && !strcmp(c->key, l->kv[i].key);

		if (!changes && put_stored(h, src, l->kv_at[i], l->kv_at[i + 1], err))
			return -1;
		if (changes && c->after)
			put_kv(h, &(struct heft_kv){ c->key, *c->after });
		c += changes;
	}
	for (; c < end && c->after; c++) {
		if (strlen(c->key) > GGUF_KEY_MAX)
			return heft_fail(err, HEFT_E_LIMIT, "key '%.64s...' has %zu bytes, GGUF allows %d", c->key, strlen(c->key), GGUF_KEY_MAX);
		put_kv(h, &(struct heft_kv){ c->key, *c->after });
	}
	return put_stored(h, src, rows, l->header_end, err);
}

int gguf_edit(struct format_edit *e, const struct format_listing *l, struct source *src, struct arena *a, struct heft_err *err)
{
	const struct format_layout now = { .kv = l->kv, .n_kv = l->n_kv };
	struct header h = { 0 };
	uint64_t alignment;
	int rc = find_alignment(&now, &alignment, err) || put_edited(&h, e, l, src, err) ? -1 : 0;

	if (!rc) {
		e->header_size = (size_t)format_align(h.b.n, alignment);
		e->header = arena_alloc(a, e->header_size);
		memcpy(e->header, h.b.p, h.b.n);
	}
	jbuf_release(&h.b);
	return rc;
}
