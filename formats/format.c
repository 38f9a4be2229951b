/*
 * format.c - the table of containers, and the checks on byte ranges that all of them need.
 */
#include "format.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../quant/quant.h"

#define FORMAT(name) extern const struct format format_##name;
#include "list.h"
#undef FORMAT

static const struct format *const table[] = {
#define FORMAT(name) &format_##name,
#include "list.h"
#undef FORMAT
};

enum { COUNT = sizeof table / sizeof *table };

const struct format *format_at(size_t i)
{
	return i < COUNT ? table[i] : NULL;
}

const struct format *format_find(const char *name)
{
	for (size_t i = 0; i < COUNT; i++)
		if (!strcmp(table[i]->name, name))
			return table[i];
	return NULL;
}

const struct format *format_probe(const uint8_t *head, size_t n)
{
	const struct format *best = NULL;
	int highest = 0;

	for (size_t i = 0; i < COUNT; i++) {
		int bid = table[i]->probe(head, n);

		if (bid > highest) {
			highest = bid;
			best = table[i];
		}
	}
	return best;
}

bool format_stores(const struct format *f, const struct heft_encoding *e)
{
	for (const char *const *s = f->stores; s && *s; s++)
		if (!strcmp(*s, e->name))
			return true;
	return false;
}

/* What containers come in: the engine's part */
static const struct heft_format_info wraps[] = {
	{ "npz", "an archive of NumPy arrays", ".npz", true, false },
	{ "tar", "an archive with one model in it, also behind gzip, xz, zstd, bzip2, lz4", ".tar", true, false },
	{ "zip", "an archive with one model in it, or a llamafile", ".zip", true, false },
	{ "gzip", "one compressed file, read as a stream", ".gz", true, false },
	{ "xz", "one compressed file, read as a stream", ".xz", true, false },
	{ "zstd", "one compressed file, read as a stream; what heft pack made, in any order", ".zst", true, false },
	{ "ollama", "a model of Ollama's store, by name (llama3.2:1b) or manifest", NULL, true, false },
	{ "coreml", "an ML Program of Core ML: the constants of a package", ".mlpackage", true, true },
};

enum { WRAPS = sizeof wraps / sizeof *wraps };

size_t heft_formats(const struct heft_format_info **out)
{
	static struct heft_format_info info[COUNT + WRAPS];

	for (size_t i = 0; i < COUNT; i++)
		info[i] = (struct heft_format_info){
			.name = table[i]->name,
			.about = table[i]->about,
			.extension = table[i]->extension,
			.reads = table[i]->list != NULL,
			.writes = table[i]->layout != NULL,
		};
	memcpy(info + COUNT, wraps, sizeof wraps);
	*out = info;
	return COUNT + WRAPS;
}

/* ---- byte ranges ---- */

static int by_offset(const void *a, const void *b)
{
	const struct heft_tensor *x = a, *y = b;

	if (x->plane[0].offset != y->plane[0].offset)
		return x->plane[0].offset < y->plane[0].offset ? -1 : 1;
	if (x->plane[0].size != y->plane[0].size)
		return x->plane[0].size < y->plane[0].size ? -1 : 1;
	return strcmp(x->name, y->name);
}

uint64_t format_align(uint64_t offset, uint64_t alignment)
{
	uint64_t past = offset & (alignment - 1);

	if (past && __builtin_add_overflow(offset, alignment - past, &offset))
		return UINT64_MAX;
	return offset;
}

/* Tells of tensor t where it does not begin at `expected`. */
static int check_begin(const struct heft_tensor *t, uint64_t expected, const char *file, struct sink *sink)
{
	uint64_t begin = t->plane[0].offset;

	if (begin == expected || !t->plane[0].size)
		return 0;
	if (begin < expected)
		return sink_tellf(sink, HEFT_E_OVERLAP, file, t->name, "download the file again",
				  "begins at byte %" PRIu64 ", inside the tensor before it, which ends at %" PRIu64,
				  begin, expected);
	return sink_tellf(sink, HEFT_E_OVERLAP, file, t->name, "download the file again",
			  "begins at byte %" PRIu64 ", but the data before it ends at %" PRIu64
			  ": the bytes between belong to no tensor",
			  begin, expected);
}

static int check_end(uint64_t end, uint64_t padded, struct source *src, struct sink *sink)
{
	uint64_t size = source_size(src);
	struct heft_problem trailing = { .code = HEFT_E_TRAILING, .warning = true, .file = source_name(src) };
	char text[128];

	if (size == UINT64_MAX)
		return 0;
	if (size < end)
		return sink_tellf(sink, HEFT_E_TRUNCATED, source_name(src), NULL,
				  "the download did not finish: download the file again",
				  "the file has %" PRIu64 " bytes, its header speaks of %" PRIu64 ": %" PRIu64
				  " are missing",
				  size, end, end - size);
	if (size <= padded)
		return 0;
	snprintf(text, sizeof text, "%" PRIu64 " bytes follow the last tensor", size - padded);
	trailing.text = text;
	return sink_tell(sink, &trailing);
}

int format_check_extents(struct format_listing *l, uint64_t alignment, struct source *src, struct sink *sink)
{
	uint64_t expected = l->data_offset, end = expected, needed = 0;
	bool known = true;

	if (l->n_tensors)
		qsort(l->tensor, l->n_tensors, sizeof *l->tensor, by_offset);
	for (size_t i = 0; i < l->n_tensors; i++) {
		const struct heft_tensor *t = &l->tensor[i];
		uint64_t begin = t->plane[0].offset, size = t->plane[0].size;

		if ((known || begin < expected) && check_begin(t, expected, source_name(src), sink))
			return -1;
		known = t->n_planes > 0;
		if (size && begin + size > end) /* cannot overflow: format_place made sure */
			end = needed = begin + size;
		expected = format_align(end, alignment);
	}
	return check_end(needed, known ? expected : UINT64_MAX, src, sink);
}

bool format_place(struct heft_tensor *t, uint64_t data_offset, uint64_t offset, uint64_t size)
{
	uint64_t begin, end;

	if (__builtin_add_overflow(data_offset, offset, &begin) || __builtin_add_overflow(begin, size, &end) ||
	    end > INT64_MAX)
		return false;
	t->n_planes = 1;
	t->plane[0] = (struct heft_extent){ .offset = begin, .size = size };
	return true;
}

bool format_count(int rank, const uint64_t *dim, uint64_t *out)
{
	uint64_t product = 1;

	/* zeros last: 2^40 x 2^40 x 0 is refused as well, whoever multiplies it in which order */
	for (int i = 0; i < rank; i++)
		if (dim[i] && __builtin_mul_overflow(product, dim[i], &product))
			return false;
	for (int i = 0; i < rank; i++)
		if (!dim[i])
			product = 0;
	*out = product;
	return product <= INT64_MAX;
}
