/*
 * gguf_digest.c - one line for the content of a GGUF file (or split set): what tests/digests holds heft to.
 *
 * usage: gguf_digest FILE...        "kv=HASH tensors=HASH count=N types=q4_k:21,f32:9"
 *        gguf_digest -l FILE        one line per key and tensor, in name order
 *
 * The hashes do not depend on the order of keys and tensors. Left out: split.* keys and the general.* keys in which heft's words may
 * be better than the reference's.
 */
#include "base/source.h"
#include "heft.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *const left_out[] = { "general.name", "general.basename", "general.finetune", "general.version",
					"general.size_label", "general.organization" };

static uint64_t fnv(uint64_t h, const void *p, size_t n)
{
	const unsigned char *b = p;
	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * 0x100000001b3u;
	return h;
}
#define FNV_START 0xcbf29ce484222325u

static uint64_t hash_value(const struct heft_value *v)
{
	static const size_t width[] = { [HEFT_U8] = 1, [HEFT_I8] = 1, [HEFT_U16] = 2, [HEFT_I16] = 2, [HEFT_U32] = 4, [HEFT_I32] = 4,
					[HEFT_F32] = 4, [HEFT_BOOL] = 1, [HEFT_U64] = 8, [HEFT_I64] = 8, [HEFT_F64] = 8 };
	uint64_t h = FNV_START;
	if (!v->array && v->type == HEFT_STRING)
		return fnv(h, v->s.p, v->s.n);
	if (!v->array && v->type == HEFT_BOOL)
		return fnv(h, &v->b, 1);
	if (!v->array)
		return fnv(h, &v->u, 8);
	if (v->type != HEFT_STRING)
		return fnv(h, v->data, width[v->type] * v->count);
	const struct heft_str *s = v->data;
	for (uint64_t i = 0; i < v->count; i++) {
		h = fnv(h, &s[i].n, sizeof(s[i].n));
		h = fnv(h, s[i].p, s[i].n);
	}
	return h;
}

static bool counts(const char *key)
{
	if (!strncmp(key, "split.", 6))
		return false;
	for (size_t i = 0; i < sizeof(left_out) / sizeof(*left_out); i++)
		if (!strcmp(key, left_out[i]))
			return false;
	return true;
}

struct lines {
	char **v;
	size_t n;
};

__attribute__((format(printf, 2, 3)))
static void line(struct lines *l, const char *fmt, ...)
{
	va_list ap;
	l->v = realloc(l->v, (l->n + 1) * sizeof(*l->v));
	if (!l->v)
		abort();
	va_start(ap, fmt);
	if (vasprintf(&l->v[l->n++], fmt, ap) < 0)
		abort();
	va_end(ap);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort(struct lines *l)
{
	if (l->n)
		qsort(l->v, l->n, sizeof(*l->v), by_text);
}

static int tensor_hash(const struct heft_model *m, const struct heft_tensor *t, uint64_t *out, struct heft_err *err)
{
	static unsigned char buf[1 << 16];
	const struct heft_extent *e = &t->plane[0];
	uint64_t h = FNV_START;
	for (uint64_t at = 0; at < e->size;) {
		size_t n = e->size - at < sizeof(buf) ? (size_t)(e->size - at) : sizeof(buf);
		if (source_read(m->file[e->file].source, e->offset + at, buf, n, err))
			return -1;
		h = fnv(h, buf, n);
		at += n;
	}
	*out = h;
	return 0;
}

static void kv_lines(const struct heft_model *m, struct lines *l)
{
	for (size_t i = 0; i < m->n_kv; i++)
		if (counts(m->kv[i].key))
			line(l, "%s %s%d x%" PRIu64 " %016" PRIx64, m->kv[i].key, m->kv[i].value.array ? "array of " : "", (int)m->kv[i].value.type,
			     m->kv[i].value.count, hash_value(&m->kv[i].value));
	sort(l);
}

static int tensor_lines(const struct heft_model *m, struct lines *l, struct heft_err *err)
{
	for (size_t i = 0; i < m->n_tensors; i++) {
		const struct heft_tensor *t = &m->tensor[i];
		char dims[128] = "";
		uint64_t h;
		if (tensor_hash(m, t, &h, err))
			return -1;
		for (int d = 0; d < t->rank; d++)
			snprintf(dims + strlen(dims), sizeof(dims) - strlen(dims), "%s%" PRIu64, d ? "x" : "", t->dim[d]);
		line(l, "%s %s %s %016" PRIx64, t->name, heft_encoding_name(t->enc), dims, h);
	}
	sort(l);
	return 0;
}

static uint64_t hash_lines(const struct lines *l)
{
	uint64_t h = FNV_START;
	for (size_t i = 0; i < l->n; i++)
		h = fnv(h, l->v[i], strlen(l->v[i]) + 1);
	return h;
}

static void print_types(const struct heft_model *m)
{
	const struct heft_encoding *e;
	const char *separator = " types=";
	for (size_t i = 0; (e = heft_encoding_at(i)); i++) {
		size_t n = 0;
		for (size_t t = 0; t < m->n_tensors; t++)
			n += m->tensor[t].enc == e;
		if (n) {
			printf("%s%s:%zu", separator, heft_encoding_name(e), n);
			separator = ",";
		}
	}
	printf("\n");
}

static int digest(const char *path, bool list)
{
	struct heft_err err;
	struct heft_model *m;
	struct lines kv = { NULL, 0 }, tensors = { NULL, 0 };
	int rc = heft_open(&m, path, NULL, &err);
	if (!rc) {
		kv_lines(m, &kv);
		rc = tensor_lines(m, &tensors, &err);
	}
	if (rc) {
		fprintf(stderr, "gguf_digest: %s\n", err.text);
		return 1;
	}
	for (size_t i = 0; list && i < kv.n; i++)
		puts(kv.v[i]);
	for (size_t i = 0; list && i < tensors.n; i++)
		puts(tensors.v[i]);
	if (!list) {
		printf("kv=%016" PRIx64 " tensors=%016" PRIx64 " count=%zu", hash_lines(&kv), hash_lines(&tensors), m->n_tensors);
		print_types(m);
	}
	heft_close(m);
	while (kv.n)
		free(kv.v[--kv.n]);
	while (tensors.n)
		free(tensors.v[--tensors.n]);
	free(kv.v);
	free(tensors.v);
	return 0;
}

int main(int argc, char **argv)
{
	bool list = argc > 1 && !strcmp(argv[1], "-l");
	int rc = argc < 2 + list;
	if (rc)
		fprintf(stderr, "usage: gguf_digest [-l] FILE...\n");
	for (int i = 1 + list; i < argc; i++)
		rc |= digest(argv[i], list);
	return rc;
}
