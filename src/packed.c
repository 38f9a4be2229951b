/*
 * packed.c - reads pieces of joined tensors: finds each plane's bytes by its geometry, and hands the rows to the layout.
 *
 *   elements first .. first+n           units of a plane with 2 x 3 numbers each
 *   row 0  . . . . . . # # #            +-----+-----+-----+
 *   row 1  # # # # # # # # #            |     |  1  |  2  |      one read of units 1 to 5
 *   row 2  # # # # . . . . .            +-----+-----+-----+
 *                                       |  3  |  4  |  5  |
 *                                       +-----+-----+-----+
 */
#include "packed.h"

#include "../base/source.h"
#include "model.h"

#include <stdlib.h>
#include <string.h>

void packed_scratch_release(struct packed_scratch *s)
{
	free(s->bytes);
	free(s->strip);
	*s = (struct packed_scratch){ 0 };
}

struct packed_shape packed_shape(int rank, const uint64_t *dim)
{
	struct packed_shape s = { 1, rank > 1 ? dim[rank - 2] : 1, rank ? dim[rank - 1] : 1 };

	for (int i = 0; i + 2 < rank; i++)
		s.matrices *= dim[i];
	return s;
}

static uint64_t units_of(uint64_t n, uint32_t each)
{
	return n / each + (n % each != 0);
}

/* The number of the unit that holds a number; `row` counts through all matrices. */
static uint64_t unit_at(const struct quant_plane *g, const struct packed_shape *s, uint64_t row, uint64_t col)
{
	uint64_t down = row / s->rows * units_of(s->rows, g->rows) + row % s->rows / g->rows;

	return down * units_of(s->cols, g->cols) + col / g->cols;
}

struct piece { /* of a tensor, with the bytes of each plane that it needs */
	const struct packed *kind;
	struct packed_shape shape;
	uint64_t unit[HEFT_MAX_PLANES];   /* the first that was read */
	const uint8_t *bytes[HEFT_MAX_PLANES];
};

/* A row of units that holds several rows is read whole, from the first such row to the last. */
static void range_of_plane(const struct quant_plane *g, const struct packed_shape *s, uint64_t first, uint64_t last, uint64_t *lo, uint64_t *hi)
{
	bool whole = g->rows > 1;

	*lo = unit_at(g, s, first / s->cols, whole ? 0 : first % s->cols);
	*hi = unit_at(g, s, last / s->cols, whole ? s->cols - 1 : last % s->cols) + 1;
}

static uint8_t *scratch_bytes(struct packed_scratch *s, size_t n)
{
	if (s->n_bytes < n) {
		s->bytes = xrealloc(s->bytes, n);
		s->n_bytes = n;
	}
	return s->bytes;
}

int packed_read_plane(const struct heft_model *m, const struct heft_tensor *t, int p, uint64_t offset, void *dst, size_t n, struct heft_err *err)
{
	uint64_t begin;
	struct source *src = model_extent(m, &t->plane[p], &begin);
	struct heft_err why;

	if (source_read(src, begin + offset, dst, n, &why))
		return heft_fail(err, why.code, "tensor '%s' (%s): %s", t->name, t->enc->plane[p].name, why.text);
	return 0;
}

static int read_piece(const struct heft_model *m, const struct heft_tensor *t, uint64_t first, size_t n, struct piece *x,
		      struct packed_scratch *s, struct heft_err *err)
{
	uint64_t lo[HEFT_MAX_PLANES] = { 0 }, hi[HEFT_MAX_PLANES] = { 0 };
	size_t total = 0;
	uint8_t *at;
	int planes = t->n_planes;

	x->kind = t->packed;
	x->shape = packed_shape(t->rank, t->dim);
	for (int p = 0; p < planes; p++) {
		range_of_plane(&t->enc->plane[p], &x->shape, first, first + n - 1, &lo[p], &hi[p]);
		total += (size_t)((hi[p] - lo[p]) * t->enc->plane[p].bytes);
	}
	at = scratch_bytes(s, total);
	for (int p = 0; p < planes; p++) {
		uint64_t bytes = t->enc->plane[p].bytes;

		if (packed_read_plane(m, t, p, lo[p] * bytes, at, (size_t)((hi[p] - lo[p]) * bytes), err))
			return -1;
		x->unit[p] = lo[p];
		x->bytes[p] = at;
		at += (hi[p] - lo[p]) * bytes;
	}
	return 0;
}

static void find_planes(const struct piece *x, uint64_t row, uint64_t col, const void **plane)
{
	const struct heft_encoding *e = &x->kind->enc;

	for (int p = 0; p < e->n_planes; p++)
		plane[p] = x->bytes[p] + (unit_at(&e->plane[p], &x->shape, row, col) - x->unit[p]) * e->plane[p].bytes;
}

/* Rows one after another: each is a call, its ends cut where the piece's are. */
static void decode_piece(const struct piece *x, uint64_t first, size_t n, float *dst)
{
	const void *plane[HEFT_MAX_PLANES];

	for (size_t done = 0, run; done < n; done += run) {
		uint64_t row = (first + done) / x->shape.cols, col = (first + done) % x->shape.cols, left = x->shape.cols - col;

		run = left < n - done ? (size_t)left : n - done;
		find_planes(x, row, col, plane);
		x->kind->decode(x->kind, plane, row % x->shape.rows, col, dst + done, run);
	}
}

/* ---- strips ---- */

static float *strip_floats(struct packed_scratch *s, size_t n)
{
	if (s->n_strip < n) {
		s->strip = xrealloc(s->strip, n * sizeof *s->strip);
		s->n_strip = n;
	}
	return s->strip;
}

/* Makes s->strip hold the row; *rows: how many there are from its first on. */
static int hold_strip(const struct heft_model *m, const struct heft_tensor *t, uint64_t row, struct packed_scratch *s, struct heft_err *err)
{
	const struct packed *k = t->packed;
	struct packed_shape shape = packed_shape(t->rank, t->dim);
	uint64_t first = row / k->strip_rows * k->strip_rows, left = shape.matrices * shape.rows - first;
	uint64_t n = left < k->strip_rows ? left : k->strip_rows;

	if (s->strip_of == t && s->strip_row == first)
		return 0;
	s->strip_of = NULL;
	if (k->strip(m, t, first, n, strip_floats(s, (size_t)(n * shape.cols)), scratch_bytes(s, k->scratch), err))
		return -1;
	s->strip_of = t;
	s->strip_row = first;
	return 0;
}

static int read_strips(const struct heft_model *m, const struct heft_tensor *t, uint64_t first, size_t n, float *dst, struct packed_scratch *s,
		       struct heft_err *err)
{
	uint64_t cols = packed_shape(t->rank, t->dim).cols, each = cols * t->packed->strip_rows;

	for (size_t done = 0, run; done < n; done += run) {
		uint64_t left = each - (first + done) % each;

		if (hold_strip(m, t, (first + done) / cols, s, err))
			return -1;
		run = left < n - done ? (size_t)left : n - done;
		memcpy(dst + done, s->strip + (first + done - s->strip_row * cols), run * sizeof *dst);
	}
	return 0;
}

/* ---- turned matrices ---- */

static struct heft_tensor straightened(const struct heft_tensor *t)
{
	struct heft_tensor s = *t;

	s.dim[t->rank - 2] = t->dim[t->rank - 1];
	s.dim[t->rank - 1] = t->dim[t->rank - 2];
	s.packed = t->packed->straight;
	s.enc = &s.packed->enc;
	return s;
}

/* A strip of rows is a strip of columns of the matrix that is stored: that is read whole, and of each of its rows a piece is decoded. */
static int turned_strip(const struct heft_model *m, const struct heft_tensor *t, uint64_t row, uint64_t n, float *dst, void *scratch,
			struct heft_err *err)
{
	const struct heft_tensor s = straightened(t);
	struct packed_shape shape = packed_shape(s.rank, s.dim);
	uint64_t matrix = row / shape.cols, col = row % shape.cols;
	struct packed_scratch own = { 0 };
	const void *plane[HEFT_MAX_PLANES];
	struct piece x = { 0 };

	if (read_piece(m, &s, matrix * shape.rows * shape.cols, (size_t)(shape.rows * shape.cols), &x, &own, err)) {
		packed_scratch_release(&own);
		return -1;
	}
	for (uint64_t r = 0; r < shape.rows; r++) {
		float *piece = scratch;

		find_planes(&x, matrix * shape.rows + r, col, plane);
		s.packed->decode(s.packed, plane, r, col, piece, (size_t)n);
		for (uint64_t i = 0; i < n; i++)
			dst[i * shape.rows + r] = piece[i];
	}
	packed_scratch_release(&own);
	return 0;
}

/* The same of a tensor that is not packed: its pieces are read one by one, so that each number is read once. scratch: as floats, then as bytes. */
static int plain_strip(const struct heft_model *m, const struct heft_tensor *t, uint64_t row, uint64_t n, float *dst, void *scratch,
		       struct heft_err *err)
{
	uint64_t rows = t->dim[t->rank - 1], cols = t->dim[t->rank - 2], bytes = t->enc->plane[0].bytes;
	float *piece = scratch;
	const void *codes = piece + n;

	for (uint64_t r = 0; r < rows; r++) {
		if (packed_read_plane(m, t, 0, ((row / cols * rows + r) * cols + row % cols) * bytes, piece + n, (size_t)(n * bytes), err))
			return -1;
		quant_decoder(t->enc)(&codes, piece, (size_t)n);
		for (uint64_t i = 0; i < n; i++)
			dst[i * rows + r] = piece[i];
	}
	return 0;
}

/* As many rows as make a good tile, of those that divide the matrix. */
static uint32_t turned_rows(const struct packed_shape *s, uint32_t block)
{
	enum { ELEMENTS = 1 << 20 };
	uint32_t best = block;

	for (uint64_t n = block; n <= s->cols && n * s->rows <= ELEMENTS; n += block)
		if (s->cols % n == 0)
			best = (uint32_t)n;
	return best;
}

const struct heft_tensor *packed_turned(const struct heft_tensor *t, struct arena *a)
{
	struct heft_tensor *turned = arena_alloc(a, sizeof *turned);
	struct packed *k = arena_alloc(a, sizeof *k);
	struct packed_shape s = packed_shape(t->rank, t->dim);

	if (t->rank < 2 || (t->packed ? !t->packed->decode : t->enc->n_planes > 1) || s.cols % t->enc->block)
		return NULL;
	*turned = *t;
	*k = t->packed ? *t->packed : (struct packed){ .enc = *t->enc };
	turned->dim[t->rank - 2] = s.cols;
	turned->dim[t->rank - 1] = s.rows;
	k->straight = t->packed;
	k->decode = NULL;
	k->repack = NULL;
	k->turns = false;
	k->strip = t->packed ? turned_strip : plain_strip;
	k->strip_rows = turned_rows(&s, t->enc->block);
	k->scratch = k->strip_rows * (sizeof(float) + sizeof(double)); /* the numbers, and as they are stored */
	k->enc.block = 1;
	turned->packed = k;
	turned->enc = t->packed ? &k->enc : t->enc;
	return turned;
}

/* ---- both ---- */

int packed_read(const struct heft_model *m, const struct heft_tensor *t, uint64_t first, size_t n, float *dst, struct packed_scratch *s,
		struct heft_err *err)
{
	struct piece x = { 0 };

	if (!n)
		return 0;
	if (t->packed->strip)
		return read_strips(m, t, first, n, dst, s, err);
	if (read_piece(m, t, first, n, &x, s, err))
		return -1;
	decode_piece(&x, first, n, dst);
	return 0;
}

const struct heft_encoding *packed_scale_type(const struct packed *k)
{
	static const char *const names[] = { "f16", "bf16", "f32" };

	for (size_t i = 0; k->bits && k->scales && i < sizeof names / sizeof *names; i++)
		if (k->scales == quant_decoder(quant_find(names[i])))
			return quant_find(names[i]);
	return NULL;
}

const struct packed_repack *packed_repacker(const struct heft_tensor *t, const struct heft_encoding *to)
{
	const struct packed_repack *r = t->packed ? t->packed->repack : NULL;

	for (; r && r->to; r++)
		if (!strcmp(r->to, to->name))
			return r;
	return NULL;
}

int packed_read_bytes(const struct heft_model *m, const struct heft_tensor *t, const struct heft_encoding *to, uint64_t first, size_t n,
		      void *dst, struct packed_scratch *s, struct heft_err *err)
{
	const struct packed_repack *repack = packed_repacker(t, to);
	const void *plane[HEFT_MAX_PLANES];
	struct piece x = { 0 };

	if (!n)
		return 0;
	if (read_piece(m, t, first, n, &x, s, err))
		return -1;
	for (size_t done = 0, run; done < n; done += run) {
		uint64_t row = (first + done) / x.shape.cols, col = (first + done) % x.shape.cols, left = x.shape.cols - col;

		run = left < n - done ? (size_t)left : n - done;
		find_planes(&x, row, col, plane);
		if (!repack->fn(t->packed, plane, row % x.shape.rows, col, (uint8_t *)dst + done / to->plane[0].cols * to->plane[0].bytes, run))
			return heft_fail(err, HEFT_E_CONFIG, "tensor '%s': %s", t->name, repack->refusal);
	}
	return 0;
}
