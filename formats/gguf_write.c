/*
 * gguf_write.c - lays out a GGUF file, version 3: header bytes and the offset of every tensor. gguf.h draws the layout.
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

static void put_u32(struct jbuf *b, uint32_t v)
{
	jbuf_raw(b, (const char *)&v, sizeof v);
}

static void put_u64(struct jbuf *b, uint64_t v)
{
	jbuf_raw(b, (const char *)&v, sizeof v);
}

static void put_string(struct jbuf *b, const char *s, size_t n)
{
	put_u64(b, n);
	jbuf_raw(b, s, n);
}

static void put_scalar(struct jbuf *b, const struct heft_value *v)
{
	uint64_t raw = v->type == HEFT_BOOL ? v->b : v->u;
	float f = (float)v->f;

	if (v->type == HEFT_STRING) {
		put_string(b, v->s.p, v->s.n);
		return;
	}
	if (v->type == HEFT_F32)
		memcpy(&raw, &f, sizeof f);
	jbuf_raw(b, (const char *)&raw, gguf_value_size[v->type]); /* little-endian: the low bytes come first */
}

static void put_array(struct jbuf *b, const struct heft_value *v)
{
	const struct heft_str *s = v->data;

	put_u32(b, v->type);
	put_u64(b, v->count);
	if (v->type != HEFT_STRING) {
		jbuf_raw(b, v->data, v->count * gguf_value_size[v->type]);
		return;
	}
	for (uint64_t i = 0; i < v->count; i++)
		put_string(b, s[i].p, s[i].n);
}

static void put_kv(struct jbuf *b, const struct heft_kv *kv)
{
	put_string(b, kv->key, strlen(kv->key));
	put_u32(b, kv->value.array ? HEFT_ARRAY : kv->value.type);
	if (kv->value.array)
		put_array(b, &kv->value);
	else
		put_scalar(b, &kv->value);
}

static const struct gguf_type *type_named(const char *name)
{
	for (const struct gguf_type *t = gguf_types; t->name; t++)
		if (!strcmp(t->name, name))
			return t;
	return NULL;
}

static int put_tensor(struct jbuf *b, const struct format_tensor *t, uint64_t offset, struct heft_err *err)
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
	put_string(b, t->name, n);
	put_u32(b, (uint32_t)t->rank);
	for (int i = t->rank - 1; i >= 0; i--)
		put_u64(b, t->dim[i]);
	put_u32(b, type->id);
	put_u64(b, offset);
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

static int put_header(struct jbuf *b, const struct format_layout *f, struct heft_err *err)
{
	jbuf_raw(b, "GGUF", 4);
	put_u32(b, GGUF_VERSION);
	put_u64(b, f->n_tensors);
	put_u64(b, f->n_kv);
	for (size_t i = 0; i < f->n_kv; i++)
		put_kv(b, &f->kv[i]);
	for (size_t i = 0; i < f->n_tensors; i++)
		if (put_tensor(b, &f->tensor[i], f->tensor[i].offset, err))
			return -1;
	return 0;
}

int gguf_layout(struct format_layout *f, struct arena *a, struct heft_err *err)
{
	struct jbuf b = { 0 };
	uint64_t alignment, data_size = 0;
	int rc = -1;

	if (find_alignment(f, &alignment, err) || place_tensors(f, alignment, &data_size, err))
		return -1;
	if (!put_header(&b, f, err)) {
		char *header;

		f->header_size = (size_t)format_align(b.n, alignment);
		header = arena_alloc(a, f->header_size);
		memcpy(header, b.p, b.n);
		f->header = header;
		f->file_size = f->header_size + data_size;
		for (size_t i = 0; i < f->n_tensors; i++)
			f->tensor[i].offset += f->header_size;
		rc = 0;
	}
	jbuf_release(&b);
	return rc;
}
