/*
 * gather.c - blocks of turned planes: see gather.h.
 *
 * A block's planes lie one after another, those of the first output first. A block that is all of a tensor is written at once; else each of
 * its lines is.
 */
#include "gather.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../base/arena.h"
#include "../base/ceil.h"

enum { BLOCK = 32 << 20, BUDGET = 96 << 20 }; /* bytes */

struct block {
	struct block *next;
	size_t weight;
	uint64_t first, rows, left; /* rows that are missing, for all outputs together */
	size_t bytes;
	uint8_t *data;
};

struct gather {
	const struct heft_plan *plan;
	struct commit *commit;
	pthread_mutex_t lock;
	struct block *block;
	size_t bytes; /* of all blocks */
};

static const struct scheme *turned_scheme(const struct heft_plan *p, size_t output, size_t weight)
{
	const struct scheme *s = p->output[output].scheme ? p->output[output].scheme[weight] : NULL;

	return s && scheme_turns(s) ? s : NULL;
}

static uint64_t columns(const struct heft_plan *p, size_t weight)
{
	return p->output[0].item[weight].dim[1]; /* as in every output */
}

/* Bytes of the turned planes of one output, before plane `end`. */
static uint64_t output_bytes(const struct scheme *s, int end, uint64_t rows, uint64_t cols)
{
	uint64_t n = 0;

	for (int p = 0; p < end; p++)
		if (s->dims[p] == SCHEME_TURNED)
			n += scheme_offset(s, p, rows, cols);
	return n;
}

/* The same of all outputs before `end`; *turned: how many of them have some. */
static uint64_t all_bytes(const struct heft_plan *p, size_t end, size_t weight, uint64_t rows, unsigned *turned)
{
	uint64_t n = 0;

	*turned = 0;
	for (size_t k = 0; k < end; k++) {
		const struct scheme *s = turned_scheme(p, k, weight);

		n += s ? output_bytes(s, s->enc.n_planes, rows, columns(p, weight)) : 0;
		*turned += s != NULL;
	}
	return n;
}

struct gather *gather_new(const struct heft_plan *p, struct commit *c)
{
	struct gather *g = xmalloc(sizeof *g);

	*g = (struct gather){ .plan = p, .commit = c };
	pthread_mutex_init(&g->lock, NULL);
	return g;
}

static void release(struct gather *g, struct block *b)
{
	for (struct block **at = &g->block; *at; at = &(*at)->next)
		if (*at == b) {
			*at = b->next;
			break;
		}
	g->bytes -= b->bytes;
	munmap(b->data, b->bytes);
	free(b);
}

void gather_free(struct gather *g)
{
	while (g->block)
		release(g, g->block);
	pthread_mutex_destroy(&g->lock);
	free(g);
}

/* Pages of its own: what is given back is free again. */
static void add_block(struct gather *g, struct block b)
{
	struct block *new = xmalloc(sizeof *new);

	*new = b;
	new->data = mmap(NULL, new->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (new->data == MAP_FAILED)
		out_of_memory(new->bytes);
	new->next = g->block;
	g->block = new;
	g->bytes += new->bytes;
}

bool gather_begin(struct gather *g, size_t weight, uint64_t row, uint64_t tile)
{
	const struct heft_plan *p = g->plan;
	struct block b = { .weight = weight, .first = row };
	uint64_t rows, left = p->output[0].item[weight].dim[0] - row;
	unsigned turned;
	uint64_t bytes = all_bytes(p, p->n_outputs, weight, tile, &turned);
	bool room;

	if (!turned)
		return true;
	rows = (bytes < BLOCK ? BLOCK / bytes : 1) * tile;
	if (row % rows)
		return true;
	b.rows = left < rows ? left : rows;
	b.bytes = (size_t)all_bytes(p, p->n_outputs, weight, b.rows, &turned);
	b.left = b.rows * turned;
	pthread_mutex_lock(&g->lock);
	room = !g->block || g->bytes + b.bytes <= BUDGET;
	if (room)
		add_block(g, b);
	pthread_mutex_unlock(&g->lock);
	return room;
}

/* ---- turning ---- */

static inline void turn(uint8_t *dst, uint64_t width, const uint8_t *src, uint64_t rows, uint64_t cols, size_t bytes)
{
	for (uint64_t c = 0; c < cols; c++)
		for (uint64_t r = 0; r < rows; r++)
			memcpy(dst + (c * width + r) * bytes, src + (r * cols + c) * bytes, bytes);
}

static void turn_units(uint8_t *dst, uint64_t width, const uint8_t *src, uint64_t rows, uint64_t cols, size_t bytes)
{
	if (bytes == 4) /* one move each */
		turn(dst, width, src, rows, cols, 4);
	else if (bytes == 2)
		turn(dst, width, src, rows, cols, 2);
	else
		turn(dst, width, src, rows, cols, bytes);
}

/* ---- writing ---- */

static int write_plane(struct gather *g, const struct block *b, size_t output, int p, const uint8_t *data, struct heft_err *err)
{
	const struct heft_item *it = &g->plan->output[output].item[b->weight];
	const struct quant_plane *u = &turned_scheme(g->plan, output, b->weight)->enc.plane[p];
	uint64_t all = ceil_of(it->dim[0], u->rows) * u->bytes, width = ceil_of(b->rows, u->rows) * u->bytes;
	uint64_t at = b->first / u->rows * u->bytes, lines = ceil_of(it->dim[1], u->cols);

	if (width == all)
		return commit_write_plane(g->commit, output, b->weight, p, 0, data, (size_t)(width * lines), err);
	for (uint64_t c = 0; c < lines; c++)
		if (commit_write_plane(g->commit, output, b->weight, p, c * all + at, data + c * width, (size_t)width, err))
			return -1;
	return 0;
}

static int write_block(struct gather *g, const struct block *b, struct heft_err *err)
{
	const uint8_t *data = b->data;

	for (size_t k = 0; k < g->plan->n_outputs; k++) {
		const struct scheme *s = turned_scheme(g->plan, k, b->weight);

		for (int p = 0; s && p < s->enc.n_planes; p++) {
			if (s->dims[p] != SCHEME_TURNED)
				continue;
			if (write_plane(g, b, k, p, data, err))
				return -1;
			data += scheme_offset(s, p, b->rows, columns(g->plan, b->weight));
		}
	}
	return 0;
}

/* ---- gathering ---- */

static struct block *block_of(struct gather *g, size_t weight, uint64_t row)
{
	struct block *b;

	pthread_mutex_lock(&g->lock);
	for (b = g->block; b && (b->weight != weight || row < b->first || row >= b->first + b->rows);)
		b = b->next;
	pthread_mutex_unlock(&g->lock);
	return b;
}

/* Were these the last ones? */
static bool count_off(struct gather *g, struct block *b, uint64_t rows)
{
	bool last;

	pthread_mutex_lock(&g->lock);
	b->left -= rows;
	last = !b->left;
	pthread_mutex_unlock(&g->lock);
	return last;
}

int gather_put(struct gather *g, size_t output, size_t weight, uint64_t row, uint64_t rows, void *const *plane, struct heft_err *err)
{
	const struct scheme *s = turned_scheme(g->plan, output, weight);
	uint64_t cols = columns(g->plan, weight);
	struct block *b;
	uint8_t *data;
	unsigned turned;
	int rc;

	if (!s)
		return 0;
	b = block_of(g, weight, row);
	data = b->data + all_bytes(g->plan, output, weight, b->rows, &turned);
	for (int p = 0; p < s->enc.n_planes; p++) {
		const struct quant_plane *u = &s->enc.plane[p];

		if (s->dims[p] != SCHEME_TURNED)
			continue;
		turn_units(data + (row - b->first) / u->rows * u->bytes, ceil_of(b->rows, u->rows), plane[p], ceil_of(rows, u->rows),
			   ceil_of(cols, u->cols), u->bytes);
		data += scheme_offset(s, p, b->rows, cols);
	}
	if (!count_off(g, b, rows))
		return 0;
	rc = write_block(g, b, err);
	pthread_mutex_lock(&g->lock);
	release(g, b);
	pthread_mutex_unlock(&g->lock);
	return rc;
}
