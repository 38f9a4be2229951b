/*
 * imatrix_merge.c - adds up importance matrices.
 *
 * Sums are added in single precision and in the order of the files, as llama-imatrix does with several --in-file. Refuses
 * entries of one name that differ in size: they are of different models.
 */
#include "imatrix.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* The unit of the merged counts: tokens, where any file counts those, else chunks. */
static void choose_unit(struct heft_imatrix *out, const struct heft_imatrix *const *from, size_t n)
{
	out->legacy = true;
	for (size_t i = 0; i < n; i++) {
		out->legacy = out->legacy && from[i]->legacy;
		if (!out->chunk_size)
			out->chunk_size = from[i]->chunk_size;
	}
	if (!out->legacy && !out->chunk_size)
		out->chunk_size = IMATRIX_CHUNK_SIZE;
}

/* As llama-imatrix has it: what the entry saw that saw most, in whole chunks. */
static uint64_t count_chunks(const struct heft_imatrix *im)
{
	float most = 0, size = im->legacy ? 1 : (float)im->chunk_size;

	for (size_t i = 0; i < im->n_entries; i++)
		for (uint64_t k = 0; k < im->entry[i].matrices; k++)
			most = fmaxf(most, im->entry[i].counts[k]);
	return most / size < (float)UINT32_MAX ? (uint64_t)(most / size) : UINT32_MAX;
}

static const char *const *join(struct arena *a, const char *const *x, size_t nx, const char *const *y, size_t ny)
{
	const char **v = arena_array(a, nx + ny, sizeof *v);

	for (size_t i = 0; i < nx + ny; i++)
		v[i] = i < nx ? x[i] : arena_strdup(a, y[i - nx]);
	return v;
}

static void add_names(struct heft_imatrix *out, const struct heft_imatrix *from)
{
	out->path = join(out->arena, out->path, out->n_paths, from->path, from->n_paths);
	out->n_paths += from->n_paths;
	out->dataset = join(out->arena, out->dataset, out->n_datasets, from->dataset, from->n_datasets);
	out->n_datasets += from->n_datasets;
}

/* One count may stand for several matrices: both sides are brought to as many counts as the finer one has. */
static float *spread(struct arena *a, const float *counts, uint64_t have, uint64_t want, float factor)
{
	float *v = arena_array(a, want, sizeof *v);

	for (uint64_t i = 0; i < want; i++)
		v[i] = counts[have == want ? i : 0] * factor;
	return v;
}

static float *scaled(struct arena *a, const float *v, uint64_t n, float factor)
{
	return v ? spread(a, v, n, n, factor) : NULL;
}

static float *added(struct arena *a, const float *x, const float *y, uint64_t n)
{
	float *v = x && y ? arena_array(a, n, sizeof *v) : NULL;

	for (uint64_t i = 0; v && i < n; i++)
		v[i] = x[i] + y[i];
	return v;
}

/* *e, which is there already, and another file's entry of its name. */
static int add_to(struct imatrix_build *b, struct heft_imatrix_entry *e, const struct heft_imatrix_entry *more)
{
	struct arena *a = b->pub->arena;
	uint64_t n = imatrix_values(e), finer = more->matrices > e->matrices ? more->matrices : e->matrices;

	if (!finer || imatrix_values(more) != n || (more->matrices != e->matrices && more->matrices != 1 && e->matrices != 1))
		return heft_fail(b->err, HEFT_E_IMATRIX,
				 "%s: entry '%s' has %" PRIu64 " sums and %" PRIu64 " counts, files before have %" PRIu64 " and %" PRIu64
				 ": of another model?", b->file, e->name, imatrix_values(more), more->matrices, n, e->matrices);
	e->counts = added(a, spread(a, e->counts, e->matrices, finer, 1), spread(a, more->counts, more->matrices, finer, 1), finer);
	e->sums = added(a, e->sums, more->sums, n);
	e->plain = added(a, e->plain, more->plain, n);
	e->matrices = finer;
	e->columns = n / finer;
	return imatrix_build_settle(b, e);
}

static int add_file(struct imatrix_build *sum, const struct heft_imatrix *from)
{
	struct arena *a = sum->pub->arena;
	float factor = from->legacy && !sum->pub->legacy ? (float)sum->pub->chunk_size : 1;

	sum->file = from->n_paths ? from->path[0] : "an importance matrix";
	add_names(sum->pub, from);
	for (size_t i = 0; i < from->n_entries; i++) {
		struct heft_imatrix_entry e = from->entry[i], *there = imatrix_build_find(sum, e.name);

		e.sums = scaled(a, e.sums, imatrix_values(&e), factor);
		e.counts = scaled(a, e.counts, e.matrices, factor);
		e.plain = scaled(a, e.plain, imatrix_values(&e), factor);
		e.name = arena_strdup(a, e.name);
		if (there ? add_to(sum, there, &e) : imatrix_build_add(sum, &e))
			return -1;
	}
	return 0;
}

int heft_imatrix_merge(struct heft_imatrix **out, const struct heft_imatrix *const *from, size_t n, struct heft_err *err)
{
	struct imatrix_build sum;
	int rc = 0;

	imatrix_build_init(&sum, "", err);
	choose_unit(sum.pub, from, n);
	for (size_t i = 0; !rc && i < n; i++)
		rc = add_file(&sum, from[i]);
	rc = imatrix_build_end(&sum, rc, out);
	if (!rc)
		(*out)->chunks = count_chunks(*out);
	return rc;
}
