/*
 * imatrix_legacy.c - importance matrices as llama-imatrix wrote them first (.dat), little-endian, without a magic number:
 *
 *   n_entries i32
 *   n_entries times:  length i32, name, n_calls i32, n_values i32, f32 x n_values     <- mean x n_calls
 *   at most once:     chunks i32, length i32, dataset                                 <- early files lack it, or the dataset
 *
 * Refuses what does not add up to the file's end, since nothing else tells that a file is one.
 */
#include "imatrix.h"

#include "../base/json.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { NAME_MAX_BYTES = 4096 };

struct cursor {
	struct imatrix_build *b;
	struct source *src;
	uint64_t at, left;
};

static int take(struct cursor *c, void *dst, uint64_t n, const char *what)
{
	if (n > c->left)
		return heft_fail(c->b->err, HEFT_E_IMATRIX,
				 "%s: ends in the middle of %s: cut off, or not an importance matrix", c->b->file, what);
	if (source_read(c->src, c->at, dst, (size_t)n, c->b->err))
		return -1;
	c->at += n;
	c->left -= n;
	return 0;
}

static int take_i32(struct cursor *c, int32_t *v, int32_t least, const char *what)
{
	if (take(c, v, sizeof *v, what))
		return -1;
	if (*v < least)
		return heft_fail(c->b->err, HEFT_E_IMATRIX, "%s: %s is %" PRId32 ": not an importance matrix", c->b->file, what, *v);
	return 0;
}

static const char *take_text(struct cursor *c, int32_t n, const char *what)
{
	char *s;

	if (n > NAME_MAX_BYTES) {
		heft_fail(c->b->err, HEFT_E_IMATRIX, "%s: %s of %" PRId32 " bytes: not an importance matrix", c->b->file, what, n);
		return NULL;
	}
	s = arena_alloc(c->b->pub->arena, (size_t)n + 1);
	return take(c, s, (uint64_t)n, what) ? NULL : s;
}

/* No calls: the values are taken as they are, which one call does too. */
static int take_entry(struct cursor *c)
{
	struct arena *a = c->b->pub->arena;
	struct heft_imatrix_entry e = { .matrices = 1 };
	int32_t length, calls, n;
	float *sums, *count;

	if (take_i32(c, &length, 1, "the length of a name") || !(e.name = take_text(c, length, "a name")))
		return -1;
	if (strlen(e.name) != (size_t)length)
		return heft_fail(c->b->err, HEFT_E_IMATRIX, "%s: the name '%s' holds a NUL byte", c->b->file, e.name);
	if (take_i32(c, &calls, 0, "a number of calls") || take_i32(c, &n, 1, "a number of values"))
		return -1;
	if ((uint64_t)n > c->left / sizeof *sums)
		return heft_fail(c->b->err, HEFT_E_IMATRIX, "%s: entry '%s' has %" PRId32 " values, the file ends before: cut off?",
				 c->b->file, e.name, n);
	sums = arena_array(a, (size_t)n, sizeof *sums);
	count = arena_array(a, 1, sizeof *count);
	if (take(c, sums, (uint64_t)n * sizeof *sums, "an entry"))
		return -1;
	*count = calls ? (float)calls : 1;
	e.columns = (uint64_t)n;
	e.sums = sums;
	e.counts = count;
	return imatrix_build_add(c->b, &e);
}

static int take_trailer(struct cursor *c)
{
	struct heft_imatrix *im = c->b->pub;
	int32_t chunks = 0, length = 0;
	const char **dataset;

	if (c->left && take_i32(c, &chunks, INT32_MIN, "the number of chunks"))
		return -1;
	im->chunks = chunks > 0 ? (uint64_t)chunks : 0;
	if (c->left && take_i32(c, &length, 0, "the length of the dataset's name"))
		return -1;
	if (length) {
		dataset = arena_array(im->arena, 1, sizeof *dataset);
		if (!(dataset[0] = take_text(c, length, "the dataset's name")))
			return -1;
		im->dataset = dataset;
		im->n_datasets = 1;
	}
	return c->left ? heft_fail(c->b->err, HEFT_E_IMATRIX, "%s: goes on behind its end, by %" PRIu64 " B: not an importance matrix",
				   c->b->file, c->left)
		       : 0;
}

int imatrix_read_legacy(struct imatrix_build *b, struct source *src)
{
	struct cursor c = { .b = b, .src = src, .left = source_size(src) };
	int32_t n;

	b->pub->legacy = true;
	if (take_i32(&c, &n, 1, "the number of entries"))
		return -1;
	for (int32_t i = 0; i < n; i++)
		if (take_entry(&c))
			return -1;
	return take_trailer(&c);
}

/* ---- writing ---- */

static void put_i32(struct jbuf *b, int32_t v)
{
	jbuf_raw(b, (const char *)&v, sizeof v);
}

static void put_text(struct jbuf *b, const char *s)
{
	put_i32(b, (int32_t)strlen(s));
	jbuf_raw(b, s, strlen(s));
}

/* The number of calls that stands for a count. A power of two is lost in no mean: (mean x n) / n is the mean, to the bit. */
static int32_t calls_for(const struct heft_imatrix *im, const struct heft_imatrix_entry *e)
{
	float size = (float)(im->chunk_size ? im->chunk_size : IMATRIX_CHUNK_SIZE), most = 0, largest = 0;
	int32_t n = 1;

	for (uint64_t i = 0; i < e->matrices; i++)
		most = fmaxf(most, e->counts[i]);
	for (uint64_t i = 0; i < imatrix_values(e); i++)
		largest = fmaxf(largest, e->mean[i]);
	while (n < 1 << 30 && (float)n * 1.5f <= most / size && isfinite(largest * (float)n * 2))
		n *= 2;
	return n;
}

static int32_t calls_of(const struct heft_imatrix_entry *e)
{
	return e->counts[0] < (float)INT32_MAX ? (int32_t)e->counts[0] : INT32_MAX;
}

static void put_entry(struct jbuf *b, const struct heft_imatrix *im, const struct heft_imatrix_entry *e)
{
	int32_t calls = im->legacy ? calls_of(e) : calls_for(im, e);

	put_text(b, e->name);
	put_i32(b, calls);
	put_i32(b, (int32_t)imatrix_values(e));
	for (uint64_t i = 0; i < imatrix_values(e); i++) {
		float v = im->legacy ? e->sums[i] : e->mean[i] * (float)calls;

		jbuf_raw(b, (const char *)&v, sizeof v);
	}
}

int imatrix_lay_legacy(const struct heft_imatrix *im, struct arena *a, void **bytes, size_t *n, struct heft_err *err)
{
	struct jbuf b = { 0 };

	for (size_t i = 0; i < im->n_entries; i++)
		if (imatrix_values(&im->entry[i]) > INT32_MAX || strlen(im->entry[i].name) > NAME_MAX_BYTES)
			return heft_fail(err, HEFT_E_LIMIT, "entry '%s' is too large for a .dat file; write GGUF", im->entry[i].name);
	put_i32(&b, (int32_t)im->n_entries);
	for (size_t i = 0; i < im->n_entries; i++)
		put_entry(&b, im, &im->entry[i]);
	put_i32(&b, im->chunks < INT32_MAX ? (int32_t)im->chunks : INT32_MAX);
	put_text(&b, im->n_datasets ? im->dataset[im->n_datasets - 1] : ""); /* there is room for one: llama-imatrix's is the last */
	*bytes = arena_memdup(a, b.p, b.n);
	*n = b.n;
	jbuf_release(&b);
	return 0;
}
