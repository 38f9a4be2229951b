/*
 * source_joined.c - parts that follow one another row by row, as one source: a matrix whose columns (or, with one row, whose rows) lie in
 * several files.
 */
#include "source_class.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"

struct joined {
	struct source base;
	struct source_part *part;
	size_t n;
	uint64_t row; /* bytes of a row of all parts */
};

static int64_t joined_read(struct source *base, uint64_t offset, void *buf, size_t n, struct heft_err *err)
{
	const struct joined *j = (const struct joined *)base;
	uint8_t *to = buf;
	size_t left;

	if (offset >= base->size)
		return 0;
	n = n < base->size - offset ? n : (size_t)(base->size - offset);
	left = n;
	while (left) {
		uint64_t row = offset / j->row, in = offset % j->row;
		const struct source_part *p = j->part;
		size_t k;

		for (; in >= p->row; p++)
			in -= p->row;
		k = p->row - in < left ? (size_t)(p->row - in) : left;
		if (source_read(p->from, p->offset + row * p->row + in, to, k, err))
			return -1;
		to += k;
		offset += k;
		left -= k;
	}
	return (int64_t)n;
}

static void joined_close(struct source *base)
{
	free(((struct joined *)base)->part);
}

static const struct source_class joined_class = { .read = joined_read, .close = joined_close };

struct source *source_joined(const struct source_part *part, size_t n, uint64_t rows)
{
	struct joined *j = source_new(sizeof *j, &joined_class, source_name(part[0].from), 0);

	j->part = xmalloc(n * sizeof *part);
	memcpy(j->part, part, n * sizeof *part);
	j->n = n;
	for (size_t i = 0; i < n; i++)
		j->row += part[i].row;
	j->base.size = j->row * rows;
	return &j->base;
}
