/*
 * source_strided.c - the numbers of a tensor in their order, read from where they lie otherwise: transposed, sliced, expanded, or with
 * their bytes turned. Memory is one window per read.
 */
#include "source_class.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"

enum { WINDOW = 256 * 1024, ITEM_MAX = 16 };

struct strided {
	struct source base;
	struct source *from;
	struct source_grid grid;
};

/* Items in two dimensions: where they lie, and how far apart they go in the output. */
struct piece {
	uint64_t at;                    /* of the first in `from` */
	uint64_t n[2], step[2], out[2]; /* outer, inner; steps in bytes, out in items */
};

static void put_item(const struct source_grid *g, uint8_t *to, const uint8_t *p)
{
	for (uint32_t i = 0; i < g->item; i++)
		to[i] = p[g->turned ? g->item - 1 - i : i];
}

/* One line of items: as many as the window holds at a time */
static int read_line(const struct strided *s, uint64_t at, uint64_t n, uint64_t step, uint8_t *to, uint64_t out, uint8_t *window,
		     struct heft_err *err)
{
	const struct source_grid *g = &s->grid;
	uint64_t item = g->item, per = step > WINDOW - item ? 1 : step ? (WINDOW - item) / step + 1 : n;

	for (uint64_t i = 0, k; i < n; i += k) {
		k = n - i < per ? n - i : per;
		if (source_read(s->from, at + i * step, window, (size_t)((k - 1) * step + item), err))
			return -1;
		for (uint64_t j = 0; j < k; j++)
			put_item(g, to + (i + j) * out * item, window + j * step);
	}
	return 0;
}

static int read_piece(const struct strided *s, struct piece *p, uint8_t *to, uint8_t *window, struct heft_err *err)
{
	bool turn = p->step[0] && p->step[0] < p->step[1] && p->n[0] > 1; /* the short steps go inside */
	int a = turn, b = !turn;

	for (uint64_t i = 0; i < p->n[a]; i++)
		if (read_line(s, p->at + i * p->step[a], p->n[b], p->step[b], to + i * p->out[a] * s->grid.item, p->out[b], window, err))
			return -1;
	return 0;
}

/* What begins at item `first` and at most n items long: whole rows, or a part of one */
static uint64_t next_piece(const struct source_grid *g, uint64_t first, uint64_t n, struct piece *p)
{
	uint64_t index[HEFT_MAX_RANK] = { 0 }, rest = first, cols, col, rows;
	int last = g->rank - 1;

	*p = (struct piece){ .at = g->offset, .n = { 1, 1 } };
	if (last < 0)
		return 1;
	for (int i = last; i >= 0; rest /= g->dim[i--]) {
		index[i] = rest % g->dim[i];
		p->at += index[i] * g->step[i];
	}
	cols = g->dim[last];
	col = index[last];
	p->step[1] = g->step[last];
	p->out[1] = 1;
	p->n[1] = cols - col < n ? cols - col : n;
	if (col || n < cols || !cols || !last)
		return p->n[1];
	rows = g->dim[last - 1] - index[last - 1];
	p->n[0] = n / cols < rows ? n / cols : rows;
	p->step[0] = g->step[last - 1];
	p->out[0] = cols;
	return p->n[0] * cols;
}

static int read_items(const struct strided *s, uint64_t first, uint64_t n, uint8_t *to, uint8_t *window, struct heft_err *err)
{
	struct piece p;

	for (uint64_t done = 0, k; done < n; done += k) {
		k = next_piece(&s->grid, first + done, n - done, &p);
		if (read_piece(s, &p, to + done * s->grid.item, window, err))
			return -1;
	}
	return 0;
}

/* Bytes that begin or end inside an item are taken from a copy of it. */
static int read_bytes(const struct strided *s, uint64_t offset, uint8_t *buf, size_t n, uint8_t *window, struct heft_err *err)
{
	uint64_t item = s->grid.item;
	uint8_t one[ITEM_MAX];

	for (size_t k; n; offset += k, buf += k, n -= k) {
		size_t in = (size_t)(offset % item);

		if (!in && n >= item) {
			k = n - n % (size_t)item;
			if (read_items(s, offset / item, k / item, buf, window, err))
				return -1;
			continue;
		}
		k = (size_t)item - in < n ? (size_t)item - in : n;
		if (read_items(s, offset / item, 1, one, window, err))
			return -1;
		memcpy(buf, one + in, k);
	}
	return 0;
}

static int64_t strided_read(struct source *base, uint64_t offset, void *buf, size_t n, struct heft_err *err)
{
	const struct strided *s = (const struct strided *)base;
	uint8_t *window;
	int rc;

	if (offset >= base->size)
		return 0;
	n = n < base->size - offset ? n : (size_t)(base->size - offset);
	window = xmalloc(WINDOW);
	rc = read_bytes(s, offset, buf, n, window, err);
	free(window);
	return rc ? -1 : (int64_t)n;
}

static const struct source_class strided_class = { .read = strided_read };

struct source *source_strided(struct source *from, const struct source_grid *grid)
{
	uint64_t size = grid->item;
	struct strided *s;

	for (int i = 0; i < grid->rank; i++)
		size *= grid->dim[i];
	s = source_new(sizeof *s, &strided_class, source_name(from), size);
	s->from = from;
	s->grid = *grid;
	return &s->base;
}
