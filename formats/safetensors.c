/*
 * safetensors.c - lists a safetensors file, lays out a new one.
 *
 *   0        8                     8+N                                        end of file
 *   +--------+---------------------+-----------------------------------------+
 *   | N u64  | JSON text, N bytes  | tensor bytes, one after another, no gap |
 *   +--------+---------------------+-----------------------------------------+
 *
 *   {"__metadata__": {"format": "pt"},
 *    "lm_head.weight": {"dtype": "BF16", "shape": [32000, 4096], "data_offsets": [0, 262144000]}, ...}
 *
 * The text begins with '{' and may end in spaces; offsets count from 8+N. Refuses headers above 100 MB, keys that stand
 * twice, ranges that overlap, leave holes or do not fit shape and type.
 */
#include "format.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/json_scan.h"
#include "../base/map.h"
#include "../quant/quant.h"

enum { HEADER_MAX = 100 * 1000 * 1000, LENGTH = 8, PAGE = 4096, USUAL_ENTRY = 96 /* bytes of a tensor's row, or more */ };
#define PIECE ((size_t)1 << 20)

/* name in the file, name of the encoding, bits per number */
#define DTYPES(X)                                                                                                      \
	X("F64", "f64", 64)                                                                                            \
	X("F32", "f32", 32)                                                                                            \
	X("F16", "f16", 16)                                                                                            \
	X("BF16", "bf16", 16)                                                                                          \
	X("I64", "i64", 64)                                                                                            \
	X("I32", "i32", 32)                                                                                            \
	X("I16", "i16", 16)                                                                                            \
	X("I8", "i8", 8)                                                                                               \
	X("U64", "u64", 64)                                                                                            \
	X("U32", "u32", 32)                                                                                            \
	X("U16", "u16", 16)                                                                                            \
	X("U8", "u8", 8)                                                                                               \
	X("BOOL", "bool", 8)                                                                                           \
	X("C64", "c64", 64)                                                                                            \
	X("F8_E4M3", "f8_e4m3", 8)                                                                                     \
	X("F8_E5M2", "f8_e5m2", 8)                                                                                     \
	X("F8_E8M0", "f8_e8m0", 8)                                                                                     \
	X("F8_E4M3FNUZ", "f8_e4m3fnuz", 8)                                                                             \
	X("F8_E5M2FNUZ", "f8_e5m2fnuz", 8)                                                                             \
	X("F6_E2M3", "f6_e2m3", 6)                                                                                     \
	X("F6_E3M2", "f6_e3m2", 6)                                                                                     \
	X("F4", "f4", 4)

static const struct dtype {
	const char *name, *encoding;
	uint32_t bits;
} dtypes[] = {
#define X(name, encoding, bits) { name, encoding, bits },
	DTYPES(X)
#undef X
	{ NULL, NULL, 0 }
};

static const char *const stores[] = {
#define X(name, encoding, bits) encoding,
	DTYPES(X)
#undef X
	NULL
};

static const struct dtype *dtype_named(const char *name)
{
	for (const struct dtype *d = dtypes; name && d->name; d++)
		if (!strcmp(d->name, name))
			return d;
	return NULL;
}

static const struct dtype *dtype_of(const struct heft_encoding *e)
{
	for (const struct dtype *d = dtypes; d->name; d++)
		if (!strcmp(d->encoding, e->name))
			return d;
	return NULL;
}

/* ---- reading ---- */

struct list {
	struct format_listing *out;
	struct source *src;
	const char *file;
	struct arena *arena;
	struct sink *sink;
	struct heft_err *err;
	size_t cap; /* of out->tensor */
};

/* The header's text. Of a stream, whose length nobody knows, memory is only taken as bytes arrive. */
static char *read_header(struct list *l, uint64_t *n)
{
	uint64_t size = source_size(l->src);
	char *text = NULL;

	if (source_read(l->src, 0, n, LENGTH, l->err))
		return NULL;
	if (*n < 2 || *n > HEADER_MAX) {
		heft_fail(l->err, HEFT_E_HEADER, "%s: a header of %" PRIu64 " bytes, at most %d are allowed", l->file,
			  *n, HEADER_MAX);
		return NULL;
	}
	if (size != UINT64_MAX && *n > size - LENGTH) {
		heft_fail(l->err, HEFT_E_TRUNCATED,
			  "%s: a header of %" PRIu64 " bytes, but the file has %" PRIu64 " more", l->file, *n,
			  size - LENGTH);
		return NULL;
	}
	for (size_t done = 0, part; done < *n; done += part) {
		part = *n - done < PIECE ? (size_t)*n - done : PIECE;
		text = xrealloc(text, done + part);
		if (source_read(l->src, LENGTH + done, text + done, part, l->err)) {
			free(text);
			return NULL;
		}
		source_release(l->src, LENGTH + done + part);
	}
	return text;
}

static int list_metadata(struct list *l, struct json_scan *s)
{
	size_t cap = 0;
	struct heft_str str;
	int more;

	if (jscan_peek(s) == 'n') /* MLX writes null where there is none */
		return jscan_skip(s);
	more = jscan_begin(s, '{') ? -1 : 1;
	while (more > 0 && (more = jscan_member(s, &str)) > 0) {
		struct heft_kv kv = {.key = arena_memdup(l->arena, str.p, str.n),
				     .value = {.type = HEFT_STRING, .count = 1}};

		if (strlen(kv.key) != str.n || jscan_peek(s) != '"')
			return heft_fail(l->err, HEFT_E_HEADER, "%s: __metadata__ '%s' is not a string", l->file,
					 kv.key);
		if (jscan_string(s, &str))
			return -1;
		kv.value.s = (struct heft_str){ arena_memdup(l->arena, str.p, str.n), str.n };
		l->out->kv = arena_grow(l->arena, l->out->kv, &cap, l->out->n_kv + 1, sizeof kv);
		l->out->kv[l->out->n_kv++] = kv;
	}
	return more;
}

/* An array of whole numbers: at most `max` are kept, *n tells how many there are. */
static int take_uints(struct json_scan *s, uint64_t *v, int max, int *n)
{
	int more = jscan_begin(s, '[') ? -1 : 1;
	uint64_t rest;

	*n = 0;
	while (more > 0 && (more = jscan_element(s)) > 0) {
		if (jscan_uint(s, *n < max ? &v[*n] : &rest))
			return -1;
		*n += *n <= max;
	}
	return more;
}

/* What the entry of one tensor says; each of its three keys must stand there once. */
struct entry {
	const char *name;
	char dtype[32];
	uint64_t dim[HEFT_MAX_RANK], range[2];
	int rank, ends;
	bool has_dtype, has_shape, has_range;
};

static int take_field(struct list *l, struct json_scan *s, const struct heft_str *key, struct entry *e)
{
	struct heft_str str;
	bool *has = key->n == 5 && !memcmp(key->p, "dtype", 5) ? &e->has_dtype :
		    key->n == 5 && !memcmp(key->p, "shape", 5) ? &e->has_shape :
		    key->n == 12 && !memcmp(key->p, "data_offsets", 12) ? &e->has_range : NULL;

	if (!has)
		return jscan_skip(s);
	if (*has)
		return heft_fail(l->err, HEFT_E_DUPLICATE, "%s: tensor '%s': %.*s stands twice", l->file, e->name,
				 (int)key->n, key->p);
	*has = true;
	if (has == &e->has_shape)
		return take_uints(s, e->dim, HEFT_MAX_RANK, &e->rank);
	if (has == &e->has_range)
		return take_uints(s, e->range, 2, &e->ends);
	if (jscan_string(s, &str))
		return -1;
	snprintf(e->dtype, sizeof e->dtype, "%.*s", (int)(str.n < 32 ? str.n : 31), str.p);
	return 0;
}

static int take_entry(struct list *l, struct json_scan *s, struct entry *e)
{
	struct heft_str key;
	int more = jscan_begin(s, '{') ? -1 : 1;

	while (more > 0 && (more = jscan_member(s, &key)) > 0)
		if (take_field(l, s, &key, e))
			return -1;
	if (more < 0)
		return -1;
	if (!e->has_dtype || !e->has_shape || !e->has_range || e->ends != 2 || e->range[0] > e->range[1])
		return heft_fail(l->err, HEFT_E_HEADER,
				 "%s: tensor '%s' lacks a dtype, a shape or data_offsets [begin, end]", l->file,
				 e->name);
	return 0;
}

/* Takes over what the entry says and tells the sink what is wrong with it; then the tensor's encoding stays NULL. */
static int judge(struct list *l, struct heft_tensor *t, const struct entry *e)
{
	const struct dtype *d = dtype_named(e->dtype);
	uint64_t count, bits;

	t->name = e->name;
	if (!format_place(t, l->out->data_offset, e->range[0], e->range[1] - e->range[0]))
		return heft_fail(l->err, HEFT_E_HEADER, "%s: tensor '%s' ends beyond any file", l->file, t->name);
	if (e->rank > HEFT_MAX_RANK)
		return sink_tellf(l->sink, HEFT_E_SHAPE, l->file, t->name, NULL, "has more than %d dimensions",
				  HEFT_MAX_RANK);
	t->rank = e->rank;
	memcpy(t->dim, e->dim, sizeof t->dim);
	if (!d)
		return sink_tellf(l->sink, HEFT_E_DTYPE, l->file, t->name, NULL,
				  "has dtype %s, which heft does not know", e->dtype);
	if (!format_count(t->rank, t->dim, &count) || __builtin_mul_overflow(count, d->bits, &bits))
		return sink_tellf(l->sink, HEFT_E_SHAPE, l->file, t->name, NULL,
				  "has a shape whose size overflows 64 bits");
	if (bits % 8 || bits / 8 != t->plane[0].size)
		return sink_tellf(l->sink, HEFT_E_SHAPE, l->file, t->name, NULL,
				  "has %" PRIu64 " bytes, but its shape and dtype %s need %" PRIu64, t->plane[0].size,
				  e->dtype, bits / 8);
	t->enc = quant_find(d->encoding);
	if (!t->enc)
		return sink_tellf(l->sink, HEFT_E_DTYPE, l->file, t->name, NULL,
				  "has dtype %s, which heft does not read", e->dtype);
	return 0;
}

static int list_member(struct list *l, struct json_scan *s, const char *name)
{
	struct heft_tensor t = { 0 };
	struct entry e = { .name = name };

	if (!strcmp(name, "__metadata__"))
		return list_metadata(l, s);
	if (take_entry(l, s, &e) || judge(l, &t, &e))
		return -1;
	l->out->tensor = arena_grow(l->arena, l->out->tensor, &l->cap, l->out->n_tensors + 1, sizeof t);
	l->out->tensor[l->out->n_tensors++] = t;
	return 0;
}

static int list_members(struct list *l, struct json_scan *s, struct map *names)
{
	int more = jscan_begin(s, '{') ? -1 : 1;
	struct heft_str key;
	bool found;

	while (more > 0 && (more = jscan_member(s, &key)) > 0) {
		const char *name = arena_memdup(l->arena, key.p, key.n);

		if (!key.n || strlen(name) != key.n)
			return heft_fail(l->err, HEFT_E_HEADER, "%s: a tensor's name is empty or holds a NUL", l->file);
		map_put(names, name, key.n, &found);
		if (found)
			return heft_fail(l->err, HEFT_E_DUPLICATE, "%s: the name '%s' stands twice", l->file, name);
		if (list_member(l, s, name))
			return -1;
	}
	return more || jscan_end(s) ? -1 : format_check_extents(l->out, 1, l->src, l->sink);
}

static int list_text(struct list *l, const char *text, size_t n)
{
	struct json_scan s;
	struct map names;
	int rc;

	l->out->tensor = arena_grow(l->arena, NULL, &l->cap, n / USUAL_ENTRY + 1, sizeof *l->out->tensor); /* untouched, it costs nothing */
	if (text[0] != '{')
		return heft_fail(l->err, HEFT_E_HEADER, "%s: the header does not begin with '{'", l->file);
	map_init(&names);
	rc = jscan_init(&s, text, n, l->file, l->err) || list_members(l, &s, &names) ? -1 : 0;
	jscan_release(&s);
	map_release(&names);
	return rc;
}

static int list(
struct format_listing *out, struct source *src, struct arena *a, struct sink *sink, struct heft_err *err)
{
	struct list l = { out, src, source_name(src), a, sink, err, 0 };
	uint64_t n;
	char *text;
	int rc;

	*out = (struct format_listing){ 0 };
	text = read_header(&l, &n);
	if (!text)
		return -1;
	out->data_offset = LENGTH + n;
	rc = list_text(&l, text, (size_t)n);
	free(text);
	return rc;
}

static int probe(const uint8_t *head, size_t n)
{
	uint64_t length;

	if (n < LENGTH + 1 || head[LENGTH] != '{')
		return 0;
	memcpy(&length, head, LENGTH);
	return length <= HEADER_MAX ? 90 : 50; /* an absurd length is told by list */
}

/* ---- writing ---- */

static int put_metadata(struct jbuf *b, const struct format_layout *f, struct heft_err *err)
{
	if (!f->n_kv)
		return 0;
	jbuf_printf(b, "\"__metadata__\":{");
	for (size_t i = 0; i < f->n_kv; i++) {
		const struct heft_value *v = &f->kv[i].value;

		if (v->array || v->type != HEFT_STRING)
			return heft_fail(err, HEFT_E_LIMIT, "metadata '%s': safetensors holds only strings",
					 f->kv[i].key);
		jbuf_printf(b, i ? "," : "");
		jbuf_string(b, f->kv[i].key, strlen(f->kv[i].key));
		jbuf_printf(b, ":");
		jbuf_string(b, v->s.p, v->s.n);
	}
	jbuf_printf(b, f->n_tensors ? "}," : "}");
	return 0;
}

static int put_entry(struct jbuf *b, const struct format_tensor *t, struct heft_err *err)
{
	const struct dtype *d = dtype_of(t->enc);

	if (!d)
		return heft_fail(err, HEFT_E_TYPE, "tensor '%s': safetensors has no dtype for %s", t->name,
				 t->enc->name);
	jbuf_string(b, t->name, strlen(t->name));
	jbuf_printf(b, ":{\"dtype\":\"%s\",\"shape\":[", d->name);
	for (int i = 0; i < t->rank; i++)
		jbuf_printf(b, "%s%" PRIu64, i ? "," : "", t->dim[i]);
	jbuf_printf(b, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", t->offset, t->offset + t->size);
	return 0;
}

/* The text with offsets from the data's beginning; spaces fill it up, so that the data begins at a multiple of 8. */
static int put_header(struct jbuf *b, struct format_layout *f, uint64_t *data_size, struct heft_err *err)
{
	static const char blank[LENGTH] = { ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ' };

	*data_size = 0;
	jbuf_raw(b, blank, LENGTH); /* the length comes here */
	jbuf_printf(b, "{");
	if (put_metadata(b, f, err))
		return -1;
	for (size_t i = 0; i < f->n_tensors; i++) {
		struct format_tensor *t = &f->tensor[i];

		t->offset = *data_size;
		if (__builtin_add_overflow(*data_size, t->size, data_size) || *data_size > INT64_MAX - HEADER_MAX)
			return heft_fail(err, HEFT_E_LIMIT, "tensor '%s': the file would be larger than 2^63 bytes",
					 t->name);
		if (put_entry(b, t, err))
			return -1;
		if (i + 1 < f->n_tensors)
			jbuf_printf(b, ",");
	}
	jbuf_printf(b, "}");
	jbuf_raw(b, blank, format_align(b->n, LENGTH) - b->n);
	if (b->n - LENGTH > HEADER_MAX)
		return heft_fail(err, HEFT_E_LIMIT, "the header would have %zu bytes, safetensors allows %d",
				 b->n - LENGTH, HEADER_MAX);
	return 0;
}

static int layout(struct format_layout *f, struct arena *a, struct heft_err *err)
{
	struct jbuf b = { 0 };
	uint64_t data_size = 0, n;
	int rc = put_header(&b, f, &data_size, err);

	if (!rc) {
		n = b.n - LENGTH;
		memcpy(b.p, &n, LENGTH);
		f->header = arena_memdup(a, b.p, b.n);
		f->header_size = b.n;
		f->file_size = b.n + data_size;
		for (size_t i = 0; i < f->n_tensors; i++)
			f->tensor[i].offset += b.n;
	}
	jbuf_release(&b);
	return rc;
}

/* ---- other metadata ---- */

static int put_pair(struct jbuf *b, const char *key, const struct heft_value *v, bool *more, struct heft_err *err)
{
	if (!v)
		return 0;
	if (v->array || v->type != HEFT_STRING)
		return heft_fail(err, HEFT_E_LIMIT, "metadata '%s': safetensors holds only strings; say str:", key);
	jbuf_printf(b, *more ? "," : "");
	jbuf_string(b, key, strlen(key));
	jbuf_printf(b, ":");
	jbuf_string(b, v->s.p, v->s.n);
	*more = true;
	return 0;
}

static int put_object(struct jbuf *b, const struct format_edit *e, const struct format_listing *l, struct heft_err *err)
{
	const struct heft_meta_change *c = e->change, *end = c ? c + e->n_changes : c;
	bool more = false;

	jbuf_printf(b, "{");
	for (size_t i = 0; i < l->n_kv; i++) {
		bool changes = c < end && !strcmp(c->key, l->kv[i].key);

		if (put_pair(b, l->kv[i].key, changes ? c->after : &l->kv[i].value, &more, err))
			return -1;
		c += changes;
	}
	for (; c < end; c++)
		if (put_pair(b, c->key, c->after, &more, err))
			return -1;
	jbuf_printf(b, "}");
	return 0;
}

/* The part of the text that is the metadata's object: NULL where it has none. *empty: there are no members at all. */
static int find_object(const char *text, size_t n, const char *file, const char **from, const char **to, bool *empty, struct heft_err *err)
{
	struct json_scan s;
	struct heft_str key;
	int more, rc = jscan_init(&s, text, n, file, err) || jscan_begin(&s, '{') ? -1 : 0;

	*empty = true;
	*to = NULL;
	for (*from = NULL; !rc && !*from && (more = jscan_member(&s, &key)) != 0;) {
		bool found = more > 0 && key.n == 12 && !memcmp(key.p, "__metadata__", 12);
		const char *at = s.at;

		rc = more < 0 || jscan_skip(&s) ? -1 : 0;
		*from = found ? at : NULL;
		*to = s.at;
		*empty = false;
	}
	jscan_release(&s);
	return rc;
}

/* The text with another object of metadata, which comes first where there was none. */
static int put_edited(struct jbuf *b, const struct format_edit *e, const struct format_listing *l, const char *text, size_t n, const char *file,
		      struct heft_err *err)
{
	const char *from, *to;
	bool empty;

	if (find_object(text, n, file, &from, &to, &empty, err))
		return -1;
	while (n && text[n - 1] == ' ')
		n--;
	if (!from) {
		from = to = text + 1;
		jbuf_printf(b, "{\"__metadata__\":");
	} else {
		jbuf_raw(b, text, (size_t)(from - text));
	}
	if (put_object(b, e, l, err))
		return -1;
	jbuf_printf(b, to == text + 1 && !empty ? "," : "");
	jbuf_raw(b, to, (size_t)(text + n - to));
	return 0;
}

/* Spaces at the end make it as long as it was, where it fits, else longer by whole pages: a file system can share the tensors' blocks only
 * between like places of two files. */
static int edit(struct format_edit *e, const struct format_listing *l, struct source *src, struct arena *a, struct heft_err *err)
{
	struct list of = { .src = src, .file = source_name(src), .err = err };
	struct jbuf b = { 0 };
	uint64_t n, size;
	char *text = read_header(&of, &n);
	int rc = !text || put_edited(&b, e, l, text, (size_t)n, of.file, err) ? -1 : 0;

	if (!rc) {
		size = b.n <= n ? n : n % LENGTH ? format_align(b.n, LENGTH) : n + format_align(b.n - n, PAGE);
		e->header_size = LENGTH + (size_t)size;
		e->header = memset(arena_alloc(a, e->header_size), ' ', e->header_size);
		memcpy(e->header, &size, LENGTH);
		memcpy((char *)e->header + LENGTH, b.p, b.n);
	}
	if (!rc && size > HEADER_MAX)
		rc = heft_fail(err, HEFT_E_LIMIT, "the header would have %" PRIu64 " bytes, safetensors allows %d", size, HEADER_MAX);
	jbuf_release(&b);
	free(text);
	return rc;
}

const struct format format_safetensors = {
	.name = "safetensors",
	.about = "safetensors: Hugging Face checkpoints",
	.extension = ".safetensors",
	.probe = probe,
	.list = list,
	.stores = stores,
	.layout = layout,
	.edit = edit,
};
