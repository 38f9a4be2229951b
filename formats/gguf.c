/*
 * gguf.c - lists a GGUF file, versions 2 and 3.
 *
 * Owns the header only; tensor bytes stay where they are. Refuses version 1, big-endian files, arrays of arrays, and
 * every length that the file has no bytes for. The layout of the bytes is drawn in gguf.h.
 */
#include "gguf.h"

#include <inttypes.h>
#include <string.h>

#include "../base/map.h"
#include "../base/utf8.h"
#include "../quant/quant.h"

const struct gguf_type gguf_types[] = {
#define X(id, name, block, bytes) { id, name, block, bytes },
	GGUF_TYPES(X)
#undef X
	{ 0, NULL, 0, 0 }
};

const uint8_t gguf_value_size[HEFT_F64 + 1] = {
	[HEFT_U8] = 1,	[HEFT_I8] = 1,	 [HEFT_U16] = 2, [HEFT_I16] = 2, [HEFT_U32] = 4, [HEFT_I32] = 4,
	[HEFT_F32] = 4, [HEFT_BOOL] = 1, [HEFT_U64] = 8, [HEFT_I64] = 8, [HEFT_F64] = 8,
};

enum { MAGIC = 0x46554747, MIN_KV = 8 + 4 + 1, MIN_TENSOR = 8 + 4 + 4 + 8 };
#define HEADER_MAX ((uint64_t)1 << 30) /* real ones end below 64 MiB */
#define PIECE ((size_t)1 << 20)

/* ---- reading forward ---- */

struct cursor {
	struct source *src;
	const char *file;
	struct arena *arena;
	struct sink *sink;
	struct heft_err *err;
	uint64_t at;       /* offset in the file of the next byte */
	uint64_t alignment;
	size_t have, used; /* bytes of buf */
	uint8_t buf[1 << 16];
};

/* Are there n more bytes, as far as can be known? `what` is for the message. */
static int expect(struct cursor *c, uint64_t n, const char *what)
{
	uint64_t size = source_size(c->src);

	if (size != UINT64_MAX && n > size - c->at)
		return heft_fail(c->err, HEFT_E_TRUNCATED,
				 "%s: %s at byte %" PRIu64 " needs %" PRIu64 " bytes, but the file has %" PRIu64
				 " more",
				 c->file, what, c->at, n, size - c->at);
	if (c->at > HEADER_MAX || n > HEADER_MAX - c->at)
		return heft_fail(c->err, HEFT_E_HEADER, "%s: %s at byte %" PRIu64 " makes the header longer than 1 GiB",
				 c->file, what, c->at);
	return 0;
}

/* The same for a count of things that take at least `each` bytes. */
static int expect_many(struct cursor *c, uint64_t count, uint64_t each, const char *what)
{
	uint64_t bytes;

	return expect(c, __builtin_mul_overflow(count, each, &bytes) ? UINT64_MAX : bytes, what);
}

static int refill(struct cursor *c)
{
	int64_t got;

	source_release(c->src, c->at);
	got = source_read_some(c->src, c->at, c->buf, sizeof c->buf, c->err);
	if (got < 0)
		return -1;
	if (!got)
		return heft_fail(c->err, HEFT_E_TRUNCATED, "%s: ends at byte %" PRIu64 ", inside the header", c->file,
				 c->at);
	c->have = (size_t)got;
	c->used = 0;
	return 0;
}

static int take(struct cursor *c, void *dst, size_t n, const char *what)
{
	if (expect(c, n, what))
		return -1;
	for (size_t done = 0, part; done < n; done += part) {
		if (c->used == c->have && refill(c))
			return -1;
		part = c->have - c->used < n - done ? c->have - c->used : n - done;
		memcpy((char *)dst + done, c->buf + c->used, part);
		c->used += part;
		c->at += part;
	}
	return 0;
}

static int take_u32(struct cursor *c, uint32_t *v, const char *what)
{
	return take(c, v, sizeof *v, what);
}

static int take_u64(struct cursor *c, uint64_t *v, const char *what)
{
	return take(c, v, sizeof *v, what);
}

/* n bytes in the arena, a NUL behind them. Of a stream, whose length nobody knows, memory is only taken as bytes
 * arrive. */
static char *take_new(struct cursor *c, uint64_t n, const char *what)
{
	size_t cap = 0, done = 0;
	char *p = NULL;

	if (expect(c, n, what))
		return NULL;
	if (!source_is_stream(c->src))
		p = arena_alloc(c->arena, cap = (size_t)n + 1);
	do {
		size_t part = n - done < PIECE ? (size_t)n - done : PIECE;

		p = arena_grow(c->arena, p, &cap, done + part + 1, 1);
		if (take(c, p + done, part, what))
			return NULL;
		done += part;
	} while (done < n);
	p[n] = 0;
	return p;
}

/* A key or a tensor's name: a C string, UTF-8. */
static const char *take_name(struct cursor *c, const char *what)
{
	uint64_t n;
	char *s;

	if (take_u64(c, &n, what))
		return NULL;
	if (!(s = take_new(c, n, what)))
		return NULL;
	if (!n || n > GGUF_KEY_MAX)
		heft_fail(c->err, HEFT_E_HEADER, "%s: %s of %" PRIu64 " bytes, 1 to %d are allowed", c->file, what, n,
			  GGUF_KEY_MAX);
	else if (memchr(s, 0, n))
		heft_fail(c->err, HEFT_E_HEADER, "%s: %s '%s' holds a NUL byte", c->file, what, s);
	else if (!utf8_valid(s, n))
		heft_fail(c->err, HEFT_E_UTF8, "%s: %s '%s' is not UTF-8", c->file, what, s);
	else
		return s;
	return NULL;
}

/* ---- metadata ---- */

static int take_string(struct cursor *c, struct heft_str *s, const char *key)
{
	uint64_t n;

	if (take_u64(c, &n, key) || !(s->p = take_new(c, n, key)))
		return -1;
	s->n = (size_t)n;
	return 0;
}

static int take_scalar(struct cursor *c, struct heft_value *v, const char *key)
{
	size_t size = gguf_value_size[v->type];
	uint64_t raw = 0;
	float f;

	if (v->type == HEFT_STRING)
		return take_string(c, &v->s, key);
	if (take(c, &raw, size, key))
		return -1;
	switch (v->type) {
	case HEFT_I8: case HEFT_I16: case HEFT_I32:
		v->i = (int64_t)(raw << (64 - 8 * size)) >> (64 - 8 * size);
		break;
	case HEFT_F32:
		memcpy(&f, &raw, sizeof f);
		v->f = (double)f;
		break;
	case HEFT_BOOL:
		v->b = raw != 0;
		break;
	default: /* U64, I64 and F64 lie as they are; smaller unsigned ones are extended with zeros */
		v->u = raw;
	}
	return 0;
}

static int take_strings(struct cursor *c, struct heft_value *v, const char *key)
{
	size_t cap = 0;
	struct heft_str *s = NULL;

	if (!source_is_stream(c->src))
		s = arena_array(c->arena, cap = (size_t)v->count, sizeof *s);
	for (uint64_t i = 0; i < v->count; i++) {
		s = arena_grow(c->arena, s, &cap, i + 1, sizeof *s);
		if (take_string(c, &s[i], key))
			return -1;
	}
	v->data = s;
	return 0;
}

static int take_array(struct cursor *c, struct heft_value *v, const char *key)
{
	uint32_t type;
	uint8_t *p;

	if (take_u32(c, &type, key) || take_u64(c, &v->count, key))
		return -1;
	if (type > HEFT_F64)
		return heft_fail(c->err, HEFT_E_HEADER, "%s: key '%s' is an array of unknown type %" PRIu32, c->file,
				 key, type);
	if (type == HEFT_ARRAY)
		return heft_fail(c->err, HEFT_E_HEADER, "%s: key '%s' is an array of arrays, which heft does not read",
				 c->file, key);
	v->type = type;
	v->array = true;
	if (expect_many(c, v->count, type == HEFT_STRING ? 8 : gguf_value_size[type], key))
		return -1;
	if (type == HEFT_STRING)
		return take_strings(c, v, key);
	p = (uint8_t *)take_new(c, v->count * gguf_value_size[type], key);
	if (p && type == HEFT_BOOL)
		for (uint64_t i = 0; i < v->count; i++)
			p[i] = p[i] != 0;
	v->data = p;
	return p ? 0 : -1;
}

static int take_value(struct cursor *c, struct heft_value *v, const char *key)
{
	uint32_t type;

	if (take_u32(c, &type, key))
		return -1;
	if (type > HEFT_F64)
		return heft_fail(c->err, HEFT_E_HEADER, "%s: key '%s' has unknown type %" PRIu32, c->file, key, type);
	if (type == HEFT_ARRAY)
		return take_array(c, v, key);
	v->type = type;
	v->count = 1;
	return take_scalar(c, v, key);
}

static int set_alignment(struct cursor *c, const struct heft_value *v)
{
	uint64_t n = v->u;

	if (v->array || v->type != HEFT_U32)
		return heft_fail(c->err, HEFT_E_HEADER, "%s: general.alignment is not a u32", c->file);
	if (!n || n & (n - 1) || n > GGUF_ALIGNMENT_MAX)
		return heft_fail(c->err, HEFT_E_HEADER,
				 "%s: general.alignment is %" PRIu64 ", a power of two up to %d was expected", c->file,
				 n, GGUF_ALIGNMENT_MAX);
	c->alignment = n;
	return 0;
}

/* Remembers a name; 1 where it stood before, which the sink is told, -1 where that ends the work. */
static int seen_before(struct cursor *c, struct map *names, const char *name, const char *what)
{
	bool found;

	map_put(names, name, strlen(name), &found);
	if (!found)
		return 0;
	return sink_tellf(c->sink, HEFT_E_DUPLICATE, c->file, NULL, NULL, "%s '%s' stands twice", what, name) ? -1 : 1;
}

static int list_kv(struct cursor *c, struct format_listing *l, uint64_t n, struct map *names)
{
	size_t cap = 0, at_cap = 0;
	uint64_t *at = NULL;
	int again;

	for (uint64_t i = 0; i < n; i++) {
		struct heft_kv kv = { 0 };

		at = arena_grow(c->arena, at, &at_cap, l->n_kv + 2, sizeof *at);
		at[l->n_kv] = c->at;
		if (!(kv.key = take_name(c, "metadata key")) || take_value(c, &kv.value, kv.key))
			return -1;
		if (!strcmp(kv.key, "general.alignment") && set_alignment(c, &kv.value))
			return -1;
		if ((again = seen_before(c, names, kv.key, "metadata key")) < 0)
			return -1;
		if (again)
			continue;
		l->kv = arena_grow(c->arena, l->kv, &cap, l->n_kv + 1, sizeof *l->kv);
		l->kv[l->n_kv++] = kv;
		at[l->n_kv] = c->at;
	}
	l->kv_at = at;
	return 0;
}

/* ---- tensors ---- */

struct place { /* what the header says of a tensor's bytes: known before the data's beginning is */
	uint64_t offset, size;
};

static const struct gguf_type *type_of(uint32_t id)
{
	for (const struct gguf_type *t = gguf_types; t->name; t++)
		if (t->id == id)
			return t;
	return NULL;
}

static int take_shape(struct cursor *c, struct heft_tensor *t)
{
	uint32_t n;

	if (take_u32(c, &n, t->name))
		return -1;
	if (n > GGUF_MAX_DIMS)
		return heft_fail(c->err, HEFT_E_SHAPE,
				 "%s: tensor '%s' has %" PRIu32 " dimensions, at most %d are allowed", c->file, t->name,
				 n, GGUF_MAX_DIMS);
	t->rank = (int)n;
	for (int i = t->rank - 1; i >= 0; i--)
		if (take_u64(c, &t->dim[i], t->name))
			return -1;
	return 0;
}

/* Fills encoding and size. What is wrong with this tensor alone is told to the sink, and leaves its encoding NULL. */
static int judge(struct cursor *c, struct heft_tensor *t, uint32_t id, struct place *p)
{
	const struct gguf_type *type = type_of(id);
	uint64_t count, size, row = t->rank ? t->dim[t->rank - 1] : 1;

	if (!type)
		return sink_tellf(c->sink, HEFT_E_DTYPE, c->file, t->name, NULL,
				  "has type number %" PRIu32 ", which heft does not know", id);
	if (!format_count(t->rank, t->dim, &count) || __builtin_mul_overflow(count / type->block, type->bytes, &size))
		return sink_tellf(c->sink, HEFT_E_SHAPE, c->file, t->name, NULL,
				  "has a shape whose size overflows 64 bits");
	if (row % type->block)
		return sink_tellf(c->sink, HEFT_E_SHAPE, c->file, t->name, NULL,
				  "has rows of %" PRIu64 " numbers, but %s needs a multiple of %" PRIu32, row,
				  type->name, type->block);
	p->size = size;
	t->n_planes = 1;
	if (p->offset % c->alignment)
		return sink_tellf(c->sink, HEFT_E_HEADER, c->file, t->name, NULL,
				  "begins at offset %" PRIu64 ", which is no multiple of the alignment %" PRIu64,
				  p->offset, c->alignment);
	t->enc = quant_find(type->name);
	if (!t->enc)
		return sink_tellf(c->sink, HEFT_E_DTYPE, c->file, t->name, NULL,
				  "has type %s, which heft does not read", type->name);
	return 0;
}

static int list_tensors(struct cursor *c, struct format_listing *l, uint64_t n, struct map *names, struct place **place)
{
	size_t cap = 0, place_cap = 0;
	int again;

	for (uint64_t i = 0; i < n; i++) {
		struct heft_tensor t = { 0 };
		struct place p = { 0 };
		uint32_t type;

		if (!(t.name = take_name(c, "tensor name")) || take_shape(c, &t) || take_u32(c, &type, t.name) ||
		    take_u64(c, &p.offset, t.name))
			return -1;
		if ((again = seen_before(c, names, t.name, "tensor")) < 0 || judge(c, &t, type, &p))
			return -1;
		if (again)
			t.enc = NULL;
		l->tensor = arena_grow(c->arena, l->tensor, &cap, l->n_tensors + 1, sizeof t);
		*place = arena_grow(c->arena, *place, &place_cap, l->n_tensors + 1, sizeof p);
		(*place)[l->n_tensors] = p;
		l->tensor[l->n_tensors++] = t;
	}
	return 0;
}

/* Offsets count from the end of the header, which is known only now. */
static int place_tensors(struct cursor *c, struct format_listing *l, const struct place *place)
{
	l->header_end = c->at;
	l->data_offset = format_align(c->at, c->alignment);
	for (size_t i = 0; place && i < l->n_tensors; i++) { /* no place: no tensors */
		struct heft_tensor *t = &l->tensor[i];
		int known = t->n_planes;

		if (!format_place(t, l->data_offset, place[i].offset, place[i].size)) {
			t->enc = NULL;
			format_place(t, l->data_offset, 0, 0);
			if (sink_tellf(c->sink, HEFT_E_TRUNCATED, c->file, t->name, NULL,
				       "ends beyond any file: offset %" PRIu64 ", %" PRIu64 " bytes", place[i].offset,
				       place[i].size))
				return -1;
		}
		t->n_planes = known;
	}
	return format_check_extents(l, c->alignment, c->src, c->sink);
}

/* ---- the file ---- */

static int check_version(struct cursor *c, uint32_t version)
{
	if (version && !(version & 0xffff))
		return heft_fail(c->err, HEFT_E_VERSION, "%s: a big-endian GGUF file, heft reads little-endian ones",
				 c->file);
	if (version != 2 && version != GGUF_VERSION)
		return heft_fail(c->err, HEFT_E_VERSION, "%s: GGUF version %" PRIu32 ", heft reads versions 2 and 3",
				 c->file, version);
	return 0;
}

static int list_header(struct cursor *c, struct format_listing *out, struct map *keys, struct map *names)
{
	uint32_t magic, version;
	uint64_t n_tensors, n_kv;
	struct place *place = NULL;

	if (take_u32(c, &magic, "the magic number") || take_u32(c, &version, "the version"))
		return -1;
	if (magic != MAGIC)
		return heft_fail(c->err, HEFT_E_MAGIC, "%s: does not begin with 'GGUF'", c->file);
	if (check_version(c, version) || take_u64(c, &n_tensors, "the tensor count") ||
	    take_u64(c, &n_kv, "the metadata count"))
		return -1;
	if (expect_many(c, n_kv, MIN_KV, "the metadata") || list_kv(c, out, n_kv, keys))
		return -1;
	if (expect_many(c, n_tensors, MIN_TENSOR, "the tensor list") || list_tensors(c, out, n_tensors, names, &place))
		return -1;
	return place_tensors(c, out, place);
}

static int gguf_list(struct format_listing *out, struct source *src, struct arena *a, struct sink *sink,
		     struct heft_err *err)
{
	struct cursor c = {
	    .src = src, .file = source_name(src), .arena = a, .sink = sink, .err = err, .alignment = GGUF_ALIGNMENT};
	struct map keys, names;
	int rc;

	map_init(&keys);
	map_init(&names);
	*out = (struct format_listing){ 0 };
	rc = list_header(&c, out, &keys, &names);
	map_release(&keys);
	map_release(&names);
	if (!rc)
		source_release(src, out->data_offset);
	return rc;
}

static int gguf_probe(const uint8_t *head, size_t n)
{
	return n >= 4 && !memcmp(head, "GGUF", 4) ? 100 : 0;
}

const struct format format_gguf = {
	.name = "gguf",
	.about = "GGUF version 2 and 3: llama.cpp, Ollama, LM Studio",
	.extension = ".gguf",
	.probe = gguf_probe,
	.list = gguf_list,
	.stores = gguf_stores,
	.layout = gguf_layout,
	.edit = gguf_edit,
};
