/*
 * imatrix_gguf.c - importance matrices in GGUF:
 *
 *   general.type "imatrix"   imatrix.datasets [string]   imatrix.chunk_count u32   imatrix.chunk_size u32
 *   NAME.in_sum2 [columns, matrices] f32    sums of x^2
 *   NAME.counts  [1, matrices] f32          how many x went into a sum
 *   NAME.in_sum  [columns, matrices] f32    sums of x: newer files; tensors of other endings are left alone
 *
 * Refuses other GGUF files, and an entry that lacks its sums or its counts or whose sizes do not fit.
 */
#include "imatrix.h"

#include "../formats/format.h"
#include "../quant/quant.h"
#include "kv.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum part { IN_SUM2, COUNTS, IN_SUM, PARTS };
static const char *const ending[PARTS] = { ".in_sum2", ".counts", ".in_sum" };

struct parts { /* the tensors of one entry */
	const char *name;
	const struct heft_tensor *tensor[PARTS];
};

struct parts_list {
	struct parts *v;
	size_t n, cap;
	struct map by_name;
};

/* ---- which tensors make an entry ---- */

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), k = strlen(end);

	return n > k && !strcmp(s + n - k, end);
}

static struct parts *find_or_add(struct parts_list *l, const char *name, struct arena *a)
{
	bool found;
	struct map_slot *slot = map_put(&l->by_name, name, strlen(name), &found);

	if (!found) {
		slot->value.i = (int64_t)l->n;
		l->v = arena_grow(a, l->v, &l->cap, l->n + 1, sizeof *l->v);
		l->v[l->n++] = (struct parts){ .name = name };
	}
	return &l->v[slot->value.i];
}

static void collect(struct parts_list *l, const struct format_listing *listing, struct arena *a)
{
	for (size_t i = 0; i < listing->n_tensors; i++) {
		const struct heft_tensor *t = &listing->tensor[i];

		for (int k = 0; k < PARTS; k++)
			if (ends_with(t->name, ending[k]))
				find_or_add(l, arena_memdup(a, t->name, strlen(t->name) - strlen(ending[k])), a)->tensor[k] = t;
	}
}

/* ---- one entry ---- */

/* The numbers of a tensor; their bytes are there, the container's reader has seen to that. */
static const float *read_floats(struct imatrix_build *b, struct source *src, const struct heft_tensor *t)
{
	float *v;

	if (strcmp(t->enc->name, "f32")) {
		heft_fail(b->err, HEFT_E_IMATRIX, "%s: tensor '%s' is %s, f32 was expected", b->file, t->name, t->enc->name);
		return NULL;
	}
	v = arena_alloc(b->pub->arena, t->plane[0].size);
	return source_read(src, t->plane[0].offset, v, t->plane[0].size, b->err) ? NULL : v;
}

static int add_entry(struct imatrix_build *b, struct source *src, const struct parts *p)
{
	struct heft_imatrix_entry e = { .name = p->name };
	uint64_t values;

	for (int k = 0; k < IN_SUM; k++)
		if (!p->tensor[k])
			return heft_fail(b->err, HEFT_E_IMATRIX, "%s: entry '%s' has no tensor '%s%s'", b->file, p->name, p->name, ending[k]);
	values = heft_tensor_count(p->tensor[IN_SUM2]);
	e.matrices = heft_tensor_count(p->tensor[COUNTS]);
	if (!values || !e.matrices || values % e.matrices)
		return heft_fail(b->err, HEFT_E_IMATRIX, "%s: entry '%s' has %" PRIu64 " sums for %" PRIu64 " counts", b->file, p->name,
				 values, e.matrices);
	e.columns = values / e.matrices;
	if (p->tensor[IN_SUM] && heft_tensor_count(p->tensor[IN_SUM]) != values)
		return heft_fail(b->err, HEFT_E_IMATRIX, "%s: entry '%s' has %" PRIu64 " squared sums and %" PRIu64 " plain ones", b->file,
				 p->name, values, heft_tensor_count(p->tensor[IN_SUM]));
	if (!(e.sums = read_floats(b, src, p->tensor[IN_SUM2])) || !(e.counts = read_floats(b, src, p->tensor[COUNTS])) ||
	    (p->tensor[IN_SUM] && !(e.plain = read_floats(b, src, p->tensor[IN_SUM]))))
		return -1;
	return imatrix_build_add(b, &e);
}

/* ---- the file ---- */

static int check_kind(struct imatrix_build *b, const struct format_listing *l)
{
	static const char *const needed[] = { "imatrix.datasets", "imatrix.chunk_count", "imatrix.chunk_size" };
	const char *type = kv_string(l->kv, l->n_kv, "general.type");

	if (type && strcmp(type, "imatrix"))
		return heft_fail(b->err, HEFT_E_IMATRIX, "%s: a GGUF file of type '%s', not an importance matrix", b->file, type);
	for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
		if (!kv_find(l->kv, l->n_kv, needed[i]))
			return heft_fail(b->err, HEFT_E_IMATRIX, "%s: no key '%s': not an importance matrix", b->file, needed[i]);
	return 0;
}

static void take_metadata(struct heft_imatrix *im, const struct format_listing *l)
{
	const struct heft_value *v = kv_find(l->kv, l->n_kv, "imatrix.datasets");
	const struct heft_str *s = v->data;
	const char **dataset;

	im->chunks = (uint32_t)kv_uint(l->kv, l->n_kv, "imatrix.chunk_count", 0);
	im->chunk_size = (uint32_t)kv_uint(l->kv, l->n_kv, "imatrix.chunk_size", 0);
	if (!v->array || v->type != HEFT_STRING)
		return;
	dataset = arena_array(im->arena, v->count, sizeof *dataset);
	for (uint64_t i = 0; i < v->count; i++)
		dataset[i] = s[i].p;
	im->dataset = dataset;
	im->n_datasets = v->count;
}

/* What the container's reader found wrong, as an error of an importance matrix. */
static int list(struct imatrix_build *b, struct source *src, struct format_listing *l)
{
	struct heft_err why;
	struct sink first = { .err = &why };

	if (!format_find("gguf")->list(l, src, b->pub->arena, &first, &why))
		return 0;
	return why.code == HEFT_E_READ ? heft_fail(b->err, why.code, "%s", why.text) : heft_fail(b->err, HEFT_E_IMATRIX, "%s", why.text);
}

int imatrix_read_gguf(struct imatrix_build *b, struct source *src)
{
	struct format_listing l;
	struct parts_list parts = { 0 };
	int rc = 0;

	if (list(b, src, &l) || check_kind(b, &l))
		return -1;
	take_metadata(b->pub, &l);
	map_init(&parts.by_name);
	collect(&parts, &l, b->pub->arena);
	for (size_t i = 0; !rc && i < parts.n; i++)
		rc = add_entry(b, src, &parts.v[i]);
	map_release(&parts.by_name);
	if (!rc && !parts.n)
		return heft_fail(b->err, HEFT_E_IMATRIX, "%s: holds no entries", b->file);
	return rc;
}

/* ---- writing ---- */

static struct heft_value string_array(const char *const *s, size_t n, struct arena *a)
{
	struct heft_str *v = arena_array(a, n, sizeof *v);

	for (size_t i = 0; i < n; i++)
		v[i] = (struct heft_str){ s[i], strlen(s[i]) };
	return (struct heft_value){ .type = HEFT_STRING, .array = true, .count = n, .data = v };
}

static void set_metadata(const struct heft_imatrix *im, struct format_layout *f, struct arena *a)
{
	struct kv_list kv = { .arena = a };
	uint64_t size = im->chunk_size ? im->chunk_size : IMATRIX_CHUNK_SIZE;

	kv_set(&kv, "general.type", value_string("imatrix"));
	kv_set(&kv, "imatrix.datasets", string_array(im->dataset, im->n_datasets, a));
	kv_set(&kv, "imatrix.chunk_count", value_u32(im->chunks < UINT32_MAX ? (uint32_t)im->chunks : UINT32_MAX));
	kv_set(&kv, "imatrix.chunk_size", value_u32(size < UINT32_MAX ? (uint32_t)size : UINT32_MAX));
	f->kv = kv.v;
	f->n_kv = kv.n;
}

/* Rows of ones are no dimension to the reference. */
static void add_tensor(struct format_layout *f, const char *name, const char *end, uint64_t columns, uint64_t matrices, struct arena *a)
{
	struct format_tensor *t = &f->tensor[f->n_tensors++];

	*t = (struct format_tensor){ .name = arena_printf(a, "%s%s", name, end), .enc = quant_find("f32"), .rank = matrices > 1 ? 2 : 1 };
	t->dim[0] = matrices > 1 ? matrices : columns;
	t->dim[1] = columns;
	t->size = columns * matrices * sizeof(float);
}

static void add_tensors(const struct heft_imatrix *im, struct format_layout *f, struct arena *a)
{
	f->tensor = arena_array(a, im->n_entries * PARTS, sizeof *f->tensor);
	for (size_t i = 0; i < im->n_entries; i++) {
		const struct heft_imatrix_entry *e = &im->entry[i];

		add_tensor(f, e->name, ending[IN_SUM2], e->columns, e->matrices, a);
		add_tensor(f, e->name, ending[COUNTS], 1, e->matrices, a);
		if (e->plain)
			add_tensor(f, e->name, ending[IN_SUM], e->columns, e->matrices, a);
	}
}

/* Numbers of a file in chunks become numbers in tokens. Both sides of each quotient are multiplied by a power of two, so that it stays as it
 * is to the bit. */
static float factor_for(const struct heft_imatrix *im, const struct heft_imatrix_entry *e)
{
	float factor = im->legacy ? (float)IMATRIX_CHUNK_SIZE : 1, largest = 0;

	for (uint64_t i = 0; i < imatrix_values(e); i++)
		largest = fmaxf(largest, e->sums[i]);
	while (factor > 1 && !isfinite(largest * factor))
		factor /= 2;
	return factor;
}

static void put_floats(uint8_t *dst, const float *v, uint64_t n, float factor)
{
	for (uint64_t i = 0; i < n; i++) {
		float x = v[i] * factor;

		memcpy(dst + i * sizeof x, &x, sizeof x);
	}
}

static void put_data(const struct heft_imatrix *im, const struct format_layout *f, uint8_t *file)
{
	const struct format_tensor *t = f->tensor;

	for (size_t i = 0; i < im->n_entries; i++) {
		const struct heft_imatrix_entry *e = &im->entry[i];
		float factor = factor_for(im, e);

		put_floats(file + t++->offset, e->sums, imatrix_values(e), factor);
		put_floats(file + t++->offset, e->counts, e->matrices, factor);
		if (e->plain)
			put_floats(file + t++->offset, e->plain, imatrix_values(e), factor);
	}
}

int imatrix_lay_gguf(const struct heft_imatrix *im, struct arena *a, void **bytes, size_t *n, struct heft_err *err)
{
	struct format_layout f = { 0 };
	uint8_t *file;

	set_metadata(im, &f, a);
	add_tensors(im, &f, a);
	if (format_find("gguf")->layout(&f, a, err))
		return -1;
	file = arena_alloc(a, f.file_size);
	memcpy(file, f.header, f.header_size);
	put_data(im, &f, file);
	*bytes = file;
	*n = f.file_size;
	return 0;
}
