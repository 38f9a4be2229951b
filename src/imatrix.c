/*
 * imatrix.c - importance matrices: opening either format, what makes an entry good, and the means that quantizing uses.
 *
 * Refuses numbers that are not finite, negative sums and counts, an entry without columns, two entries of one name.
 */
#include "imatrix.h"

#include "../base/utf8.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

void imatrix_build_init(struct imatrix_build *b, const char *file, struct heft_err *err)
{
	struct arena *a = arena_new();

	*b = (struct imatrix_build){ .file = file, .err = err };
	b->pub = arena_alloc(a, sizeof *b->pub);
	b->pub->arena = a;
	map_init(&b->by_name);
}

int imatrix_build_end(struct imatrix_build *b, int rc, struct heft_imatrix **out)
{
	map_release(&b->by_name);
	b->pub->entry = b->entry;
	b->pub->n_entries = b->n;
	*out = rc ? NULL : b->pub;
	if (rc)
		heft_imatrix_close(b->pub);
	return rc;
}

struct heft_imatrix_entry *imatrix_build_find(struct imatrix_build *b, const char *name)
{
	struct map_slot *slot = map_find(&b->by_name, name, strlen(name));

	return slot ? &b->entry[slot->value.i] : NULL;
}

/* ---- entries ---- */

static int check_numbers(const struct imatrix_build *b, const char *name, const char *what, const float *v, uint64_t n, bool sign)
{
	for (uint64_t i = 0; i < n; i++) {
		if (!isfinite(v[i]))
			return heft_fail(b->err, HEFT_E_IMATRIX, "%s: entry '%s': %s %" PRIu64 " is %s; make the file again", b->file,
					 name, what, i, isnan(v[i]) ? "NaN" : "infinite");
		if (v[i] < 0 && !sign)
			return heft_fail(b->err, HEFT_E_IMATRIX, "%s: entry '%s': %s %" PRIu64 " is negative (%g); make the file again",
					 b->file, name, what, i, (double)v[i]);
	}
	return 0;
}

/* The reference counts in whole numbers, divides in single precision, and gives columns of a matrix that was never called one weight. */
static float *means(const struct heft_imatrix_entry *e, struct arena *a)
{
	float *mean = arena_array(a, imatrix_values(e), sizeof *mean);

	for (uint64_t m = 0; m < e->matrices; m++) {
		float count = roundf(e->counts[m]);

		for (uint64_t i = m * e->columns; i < (m + 1) * e->columns; i++)
			mean[i] = count > 0 ? e->sums[i] / count : 1;
	}
	return mean;
}

int imatrix_build_settle(struct imatrix_build *b, struct heft_imatrix_entry *e)
{
	uint64_t n = imatrix_values(e);

	if (check_numbers(b, e->name, "sum", e->sums, n, false) || check_numbers(b, e->name, "count", e->counts, e->matrices, false) ||
	    (e->plain && check_numbers(b, e->name, "plain sum", e->plain, n, true)))
		return -1;
	e->mean = means(e, b->pub->arena);
	return 0;
}

int imatrix_build_add(struct imatrix_build *b, const struct heft_imatrix_entry *e)
{
	struct map_slot *slot;
	bool found;

	if (!*e->name || !utf8_valid(e->name, strlen(e->name)))
		return heft_fail(b->err, HEFT_E_IMATRIX, "%s: entry %zu has no usable name", b->file, b->n + 1);
	slot = map_put(&b->by_name, e->name, strlen(e->name), &found);
	if (found)
		return heft_fail(b->err, HEFT_E_IMATRIX, "%s: two entries are called '%s'", b->file, e->name);
	slot->value.i = (int64_t)b->n;
	b->entry = arena_grow(b->pub->arena, b->entry, &b->cap, b->n + 1, sizeof *b->entry);
	b->entry[b->n] = *e;
	return imatrix_build_settle(b, &b->entry[b->n++]);
}

/* ---- the public names ---- */

static int read_either(struct imatrix_build *b, struct source *src)
{
	char magic[4];
	int64_t n = source_peek(src, magic, sizeof magic, b->err);

	if (n < 0)
		return -1;
	return n == 4 && !memcmp(magic, "GGUF", 4) ? imatrix_read_gguf(b, src) : imatrix_read_legacy(b, src);
}

int imatrix_open_source(struct heft_imatrix **out, struct source *src, struct heft_err *err)
{
	struct imatrix_build b;
	const char **path;

	imatrix_build_init(&b, source_name(src), err);
	path = arena_array(b.pub->arena, 1, sizeof *path);
	path[0] = arena_strdup(b.pub->arena, source_name(src));
	b.pub->path = path;
	b.pub->n_paths = 1;
	return imatrix_build_end(&b, read_either(&b, src), out);
}

int heft_imatrix_open(struct heft_imatrix **out, const char *path, struct heft_err *err)
{
	struct source *src = source_open(path, err);
	int rc;

	*out = NULL;
	if (!src)
		return -1;
	rc = imatrix_open_source(out, src, err);
	source_close(src);
	return rc;
}

void heft_imatrix_close(struct heft_imatrix *im)
{
	if (im)
		arena_free(im->arena);
}

const struct heft_imatrix_entry *heft_imatrix_find(const struct heft_imatrix *im, const char *name)
{
	for (size_t i = 0; i < im->n_entries; i++)
		if (!strcmp(im->entry[i].name, name))
			return &im->entry[i];
	return NULL;
}

void heft_imatrix_stats(const struct heft_imatrix_entry *e, struct heft_imatrix_stats *out)
{
	struct heft_imatrix_stats s = { .min = INFINITY, .max = -INFINITY, .least = INFINITY };

	for (uint64_t m = 0; m < e->matrices; m++) {
		if (!(roundf(e->counts[m]) > 0))
			continue;
		s.called++;
		s.least = fmin(s.least, (double)e->counts[m]);
		s.most = fmax(s.most, (double)e->counts[m]);
		for (uint64_t i = m * e->columns; i < (m + 1) * e->columns; i++) {
			double v = (double)e->mean[i];

			s.sum += v;
			s.min = fmin(s.min, v);
			s.max = fmax(s.max, v);
			s.zeros += v == 0;
		}
	}
	if (s.called)
		s.mean = s.sum / (double)(s.called * e->columns);
	else
		s.min = s.max = s.least = 0;
	*out = s;
}
