/*
 * coreml_codes.c - the numbers of a constant as codes with scales or tables: what each part (a channel, a block of columns, a group of
 * channels) needs, then the codes.
 *
 *   strip   rows of whole parts, read once, held while its parts are measured and then encoded; scales and tables follow strip by strip
 *   else    where parts reach through more than is held (one scale or table for all of a large constant, groups along the last axis): the
 *           whole is read for the parts first, and then again, strip by strip, for the codes
 *
 * A number that cannot be compressed ends it: the caller then leaves the constant as it is.
 *
 * Integers are those of coremltools' linear_quantize_weights: every step rounded to the weight's own float type,
 *
 *   symmetric   r = max |w|, scale = 2r / (2^bits - 2), code = round(w / scale), from -(2^(bits-1) - 1) on
 *   unsigned    lo = min(0, w), hi = max(0, w), scale = (hi - lo) / (2^bits - 1), zero = round((0 * hi - (2^bits - 1) * lo) / (hi - lo))
 *
 * but where it would store a scale that is 0 or infinite: a part of zeros gets scale 1, one whose scale is below the type's least number gets
 * that, and sums that leave the type's range are taken in f32. Tables are the best there are (coreml_palette.c); the numbers of f32
 * constants are grouped as f16 has them. Facts: coremltools/optimize/_utils.py, quantize_weight_by_dtype().
 */
#include "coreml_write.h"

#include "../../quant/quant.h"
#include "../pace.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STRIP = 1 << 16, HELD = 1 << 22, CODES = 1 << 16, BATCH = 64, SPARE = 1024 };

struct job {
	const struct heft_model *m;
	const struct coreml_change *c;
	const struct coreml_watch *watch;
	struct coreml_parts parts;
	struct packed_scratch scratch;
	uint64_t cols, rows; /* of the tensor */
	uint64_t slab;       /* rows of the parts that begin together */
	uint64_t strip;      /* rows that are read in one go */
	bool held;           /* strips are of whole parts */
	bool odd;            /* a number cannot be compressed */
	float *x, *y;        /* a strip; a row as it will be decoded */
	uint64_t row;        /* that x begins with */
	uint64_t part;       /* that low and high begin with */
	float *low, *high;   /* per part: least and most, then scale and zero; low: tables, k of each part */
	uint32_t k;
	uint32_t *count;     /* of the numbers of f16, for each part of a batch */
	uint8_t *codes, *packed;
	struct quant_sums sums;
	int threads;
	struct heft_err *err;
};

static uint64_t rows_of(const struct heft_tensor *t)
{
	return heft_tensor_count(t) / t->dim[t->rank - 1];
}

/* Do so many slabs end with a byte, their codes and the zero points of their parts? */
static bool ends_even(const struct job *j, uint64_t slabs)
{
	uint64_t bits = j->c->scheme->bits;

	return slabs * j->slab * j->cols * bits % 8 == 0 && slabs * j->parts.stride[0] * bits % 8 == 0;
}

static void choose_strips(struct job *j)
{
	bool floats = j->c->scheme->grid == COREML_FLOATS;
	uint64_t n = 8;

	j->slab = floats ? 1 : j->parts.run[0] * (j->rows / j->c->tensor->dim[0]);
	if (j->slab >= j->rows)
		n = 1;
	while (n > 1 && n * j->slab * j->cols > HELD && ends_even(j, n / 2))
		n /= 2;
	while (n * j->slab * j->cols < STRIP && n * j->slab < j->rows)
		n *= 2;
	j->strip = n * j->slab < j->rows ? n * j->slab : j->rows;
	j->held = floats || j->strip * j->cols <= HELD;
	if (!j->held)
		j->strip = j->cols >= STRIP ? 8 : (STRIP / j->cols + 7) / 8 * 8;
}

/* Parts of `rows` rows from row on, which are whole slabs. */
static uint64_t parts_of(const struct job *j, uint64_t rows)
{
	return rows >= j->rows ? j->parts.count : rows / j->slab * j->parts.stride[0];
}

/* Tables are made of the numbers of f16. */
static float limit_of(bool table)
{
	return table ? 65504 : 3.4e38f;
}

/* Rows of the tensor to x. */
static int load(struct job *j, uint64_t row, uint64_t rows)
{
	float limit = limit_of(j->c->scheme->grid == COREML_TABLE);

	if (j->watch && j->watch->stop && *j->watch->stop)
		return heft_fail(j->err, HEFT_E_KILLED, "stopped by a signal; nothing was written");
	if (coreml_read(j->m, j->c->tensor, row, rows, j->x, &j->scratch, j->err))
		return -1;
	j->row = row;
	for (uint64_t i = 0; j->c->scheme->grid != COREML_FLOATS && i < rows * j->cols; i++)
		if (!(fabsf(j->x[i]) <= limit)) { /* also NaN */
			j->odd = true;
			return heft_fail(j->err, HEFT_E_TYPE, "tensor '%s' holds a number that cannot be compressed", j->c->tensor->name);
		}
	return 0;
}

static const float *row_at(const struct job *j, uint64_t row)
{
	return j->x + (row - j->row) * j->cols;
}

static float rounded(const struct job *j, float x)
{
	coreml_round(j->c->out, &x, 1);
	return x;
}

/* ---- integers ---- */

static int code_min(const struct coreml_scheme *s)
{
	return s->is_signed ? 1 - (1 << (s->bits - 1)) : 0;
}

static int code_max(const struct coreml_scheme *s)
{
	return s->is_signed ? (1 << (s->bits - 1)) - 1 : (1 << s->bits) - 1;
}

static void note_range(struct job *j, uint64_t row)
{
	uint64_t part = coreml_part(&j->parts, j->c->tensor, row) - j->part;
	const float *x = row_at(j, row);
	int last = j->c->tensor->rank - 1;

	for (uint64_t i = 0; i < j->cols; i++) {
		uint64_t p = part + i / j->parts.run[last] * j->parts.stride[last];

		if (x[i] < j->low[p])
			j->low[p] = x[i];
		if (x[i] > j->high[p])
			j->high[p] = x[i];
	}
}

static float scale_of(const struct job *j, float low, float high)
{
	float range = (float)(code_max(j->c->scheme) - code_min(j->c->scheme)), s = rounded(j, rounded(j, high - low) / range);

	if (!isfinite(s))
		s = rounded(j, high / range - low / range);
	if (s == 0)
		s = high == low ? 1 : rounded(j, 5.960464477539063e-08f); /* 2^-24, the least of f16 */
	return s;
}

static float zero_of(const struct job *j, float low, float high)
{
	float most = (float)code_max(j->c->scheme), z = rounded(j, rounded(j, 0 - rounded(j, most * low)) / rounded(j, high - low));

	if (!isfinite(z))
		z = high == low ? 0 : -low / (high / most - low / most);
	z = rintf(z);
	return z < 0 ? 0 : z > most ? most : z;
}

static void make_scales(struct job *j, uint64_t parts)
{
	for (uint64_t p = 0; p < parts; p++) {
		float low = j->low[p], high = j->high[p], r = -low > high ? -low : high;

		if (j->c->scheme->is_signed) {
			j->low[p] = scale_of(j, -r, r);
			j->high[p] = 0;
			continue;
		}
		j->low[p] = scale_of(j, low, high);
		j->high[p] = zero_of(j, low, high);
	}
}

static void encode_integers(struct job *j, uint64_t row, const float *x, float *y, uint8_t *code)
{
	uint64_t part = coreml_part(&j->parts, j->c->tensor, row) - j->part, run, stride;
	int last = j->c->tensor->rank - 1, min = code_min(j->c->scheme), max = code_max(j->c->scheme);

	run = j->parts.run[last];
	stride = j->parts.stride[last];
	for (uint64_t i = 0; i < j->cols; i++)
		y[i] = x[i] / j->low[part + i / run * stride];
	coreml_round(j->c->out, y, j->cols);
	for (uint64_t i = 0; i < j->cols; i++) {
		float zero = j->high[part + i / run * stride], q = rintf(y[i]) + zero;

		q = q < (float)min ? (float)min : q > (float)max ? (float)max : q;
		code[i] = (uint8_t)(int)q;
		y[i] = (q - zero) * j->low[part + i / run * stride];
	}
	coreml_round(j->c->out, y, j->cols);
}

/* ---- tables ---- */

/* Counts numbers as f16 has them. */
static void count_run(const float *x, uint64_t n, uint32_t *count)
{
	uint16_t code[256];
	void *plane[1] = { code };

	for (uint64_t i = 0, k; i < n; i += k) {
		k = n - i < 256 ? n - i : 256;
		quant_encoder(quant_find("f16"))(x + i, plane, (size_t)k, NULL);
		for (uint64_t p = 0; p < k; p++)
			count[code[p] == 0x8000 ? 0 : code[p]]++; /* -0 is 0 */
	}
}

/* Those of `n` parts from `first` on that stand in a row. */
static void count_row(const struct job *j, uint64_t row, uint64_t first, uint64_t n, uint32_t *count)
{
	int last = j->c->tensor->rank - 1;
	uint64_t part = coreml_part(&j->parts, j->c->tensor, row), run = j->parts.run[last];

	for (uint64_t i = 0; i < j->cols; i += run, part += j->parts.stride[last])
		if (part >= first && part - first < n)
			count_run(row_at(j, row) + i, run, count + (part - first) * CODES);
}

/* The counted numbers in ascending order: negative ones from the largest code down. */
static uint32_t sort_points(uint32_t *count, float *point, uint32_t *weight)
{
	const struct heft_encoding *f16 = quant_find("f16");
	uint32_t n = 0;

	for (uint32_t i = 0; i < CODES; i++) {
		uint16_t code = (uint16_t)(i < CODES / 2 ? CODES - 1 - i : i - CODES / 2);
		const void *plane[1] = { &code };

		if (!count[code])
			continue;
		quant_decoder(f16)(plane, &point[n], 1);
		weight[n++] = count[code];
	}
	return n;
}

/* Rows that hold numbers of parts: those of their share of the first dimension. */
static void rows_of_parts(const struct job *j, uint64_t first, uint64_t n, uint64_t *from, uint64_t *to)
{
	*from = first / j->parts.stride[0] * j->slab;
	*to = ((first + n - 1) / j->parts.stride[0] + 1) * j->slab;
}

/* Counts the numbers of a batch of parts that are not held. */
static int count_batch(struct job *j, uint64_t first, uint64_t n)
{
	uint64_t from, to;

	rows_of_parts(j, first, n, &from, &to);
	for (uint64_t row = from; row < to; row += j->strip) {
		uint64_t rows = to - row < j->strip ? to - row : j->strip;

		if (load(j, row, rows))
			return -1;
		for (uint64_t i = 0; i < rows; i++)
			count_row(j, row + i, first, n, j->count);
	}
	return 0;
}

struct table_work {
	uint32_t weight[CODES];
	float point[CODES];
};

static void make_table(const struct job *j, uint64_t part, uint32_t *count, struct table_work *w)
{
	float *table = j->low + (part - j->part) * j->k;
	uint64_t from, to;

	rows_of_parts(j, part, 1, &from, &to);
	for (uint64_t row = from; j->held && row < to; row++)
		count_row(j, row, part, 1, count);
	coreml_kmeans(w->point, w->weight, sort_points(count, w->point, w->weight), j->k, table);
	coreml_round(j->c->out, table, j->k);
}

/* Parts know nothing of one another: whichever thread makes a table, it is the same. */
static void make_batch(struct job *j, uint64_t first, uint64_t n)
{
#pragma omp parallel num_threads(j->threads) if (n > 1)
	{
		struct table_work *w = xmalloc(sizeof *w);

#pragma omp for schedule(dynamic)
		for (int64_t p = 0; p < (int64_t)n; p++)
			make_table(j, first + (uint64_t)p, j->count + (uint64_t)p * CODES, w);
		free(w);
	}
}

static int make_tables(struct job *j, uint64_t parts)
{
	for (uint64_t p = 0, n; p < parts; p += n) {
		n = parts - p < BATCH ? parts - p : BATCH;
		memset(j->count, 0, n * CODES * sizeof *j->count);
		if (!j->held && count_batch(j, j->part + p, n))
			return -1;
		make_batch(j, j->part + p, n);
	}
	return 0;
}

/* The nearest entry of an ascending table; the lower one of two. */
static uint8_t nearest(const float *table, uint32_t k, float x)
{
	uint32_t lo = 0;

	for (uint32_t half = k / 2; half; half /= 2) /* k is a power of two */
		if ((double)x - table[lo + half - 1] > (double)table[lo + half] - x)
			lo += half;
	return (uint8_t)lo;
}

static void encode_table(struct job *j, uint64_t row, const float *x, float *y, uint8_t *code)
{
	uint64_t part = coreml_part(&j->parts, j->c->tensor, row) - j->part;
	int last = j->c->tensor->rank - 1;

	for (uint64_t i = 0; i < j->cols; i++) {
		const float *table = j->low + (part + i / j->parts.run[last] * j->parts.stride[last]) * j->k;

		code[i] = nearest(table, j->k, x[i]);
		y[i] = table[code[i]];
	}
}

/* ---- strips ---- */

/* Scales or tables of the parts of a strip, or of all. */
static int measure(struct job *j, uint64_t row, uint64_t rows)
{
	uint64_t parts = parts_of(j, rows);

	j->part = row / j->slab * j->parts.stride[0];
	if (j->c->scheme->grid == COREML_TABLE)
		return make_tables(j, parts);
	memset(j->low, 0, parts * sizeof *j->low); /* 0 is part of every range */
	memset(j->high, 0, parts * sizeof *j->high);
	for (uint64_t i = 0; i < rows; i++) {
		if (!j->held && i % j->strip == 0 && load(j, row + i, rows - i < j->strip ? rows - i : j->strip))
			return -1;
		note_range(j, row + i);
	}
	make_scales(j, parts);
	return 0;
}

/* n codes as a stream of bits, low ones first. How many bytes. */
static size_t pack(const uint8_t *code, uint64_t n, uint32_t bits, uint8_t *out)
{
	size_t bytes = (size_t)((n * bits + 7) / 8);

	memset(out, 0, bytes);
	for (uint64_t i = 0, at = 0; i < n; i++, at += bits) {
		uint32_t word = (code[i] & ((1u << bits) - 1)) << at % 8;

		out[at / 8] |= (uint8_t)word;
		if (word >> 8)
			out[at / 8 + 1] |= (uint8_t)(word >> 8);
	}
	return bytes;
}

/* The codes of what x holds. */
static int put_codes(struct job *j, uint64_t rows, coreml_put_fn *put, void *ctx)
{
	const struct coreml_scheme *s = j->c->scheme;
	uint64_t n = rows * j->cols, at = j->row * j->cols * s->bits / 8;
	void *plane[1] = { j->packed };

	if (s->grid == COREML_FLOATS) {
		quant_encoder(j->c->out)(j->x, plane, (size_t)n, NULL);
		return put(ctx, 0, at, j->packed, (size_t)(n * s->bits / 8), j->err);
	}
	for (uint64_t i = 0; i < rows; i++) {
		const float *x = j->x + i * j->cols;

		(s->grid == COREML_TABLE ? encode_table : encode_integers)(j, j->row + i, x, j->y, j->codes + i * j->cols);
		quant_compare(x, j->y, (size_t)j->cols, &j->sums);
	}
	return put(ctx, 0, at, j->packed, pack(j->codes, n, s->bits, j->packed), j->err);
}

/* From number `at` of an operand on. */
static int put_floats(struct job *j, int operand, uint64_t at, const float *x, uint64_t n, coreml_put_fn *put, void *ctx)
{
	uint64_t each = j->c->out->plane[0].bytes;

	for (uint64_t i = 0, k; i < n; i += k) {
		uint8_t bytes[4 * 256];
		void *plane[1] = { bytes };

		k = n - i < 256 ? n - i : 256;
		quant_encoder(j->c->out)(x + i, plane, (size_t)k, NULL);
		if (put(ctx, operand, (at + i) * each, bytes, (size_t)(k * each), j->err))
			return -1;
	}
	return 0;
}

/* Where there is one part and the operand has a number per channel, it is said for each. */
static uint64_t say_each(struct job *j, uint64_t parts)
{
	uint64_t n = j->c->operand[1].count;

	if (j->c->n_operands < 3 || j->parts.count > 1)
		return parts;
	for (uint64_t p = 1; p < n; p++) {
		j->low[p] = j->low[0];
		j->high[p] = j->high[0];
	}
	return n;
}

/* Tables, scales, zero points of the parts that were measured. */
static int put_parts(struct job *j, uint64_t parts, coreml_put_fn *put, void *ctx)
{
	uint64_t bits = j->c->scheme->bits;

	if (j->c->scheme->grid == COREML_TABLE)
		return put_floats(j, 1, j->part * j->k, j->low, parts * j->k, put, ctx);
	parts = say_each(j, parts);
	if (put_floats(j, 1, j->part, j->low, parts, put, ctx))
		return -1;
	for (uint64_t i = 0, k; j->c->n_operands > 2 && i < parts; i += k) {
		uint8_t zero[SPARE], packed[SPARE + 1];

		k = parts - i < SPARE ? parts - i : SPARE;
		for (uint64_t p = 0; p < k; p++)
			zero[p] = (uint8_t)j->high[i + p];
		if (put(ctx, 2, (j->part + i) * bits / 8, packed, pack(zero, k, (uint32_t)bits, packed), j->err))
			return -1;
	}
	return 0;
}

static void tell(const struct job *j, uint64_t rows)
{
	const struct heft_tensor *t = j->c->tensor;
	struct pace *pace = j->watch ? j->watch->pace : NULL;

	if (!pace)
		return;
	for (int i = 0; i < t->n_planes; i++)
		pace->done += (uint64_t)((unsigned __int128)t->plane[i].size * rows / j->rows);
	pace_tell(pace, t->name);
}

static int run(struct job *j, coreml_put_fn *put, void *ctx)
{
	bool floats = j->c->scheme->grid == COREML_FLOATS;

	if (!j->held && measure(j, 0, j->rows))
		return -1;
	for (uint64_t row = 0, rows; row < j->rows; row += rows) {
		rows = j->rows - row < j->strip ? j->rows - row : j->strip;
		if (load(j, row, rows) || (j->held && !floats && measure(j, row, rows)) || put_codes(j, rows, put, ctx) ||
		    (j->held && !floats && put_parts(j, parts_of(j, rows), put, ctx)))
			return -1;
		tell(j, rows);
	}
	return j->held ? 0 : put_parts(j, j->parts.count, put, ctx);
}

/* Room for the parts of a strip, or of all. */
static void get_room(struct job *j)
{
	bool table = j->c->scheme->grid == COREML_TABLE;
	uint64_t n = j->strip * j->cols, parts = parts_of(j, j->held ? j->strip : j->rows), numbers = parts * (table ? j->k : 1);

	if (j->c->n_operands > 2 && j->parts.count == 1)
		numbers = j->c->operand[1].count;
	j->x = xmalloc((size_t)n * sizeof *j->x);
	j->y = xmalloc((size_t)j->cols * sizeof *j->y);
	j->low = xmalloc((size_t)numbers * sizeof *j->low);
	j->high = xmalloc((size_t)numbers * sizeof *j->high);
	j->codes = xmalloc((size_t)n);
	j->packed = xmalloc((size_t)(n * (j->c->scheme->bits > 8 ? j->c->scheme->bits / 8 : 1)) + SPARE);
	if (table)
		j->count = xmalloc((size_t)(parts < BATCH ? parts : BATCH) * CODES * sizeof *j->count);
}

int coreml_encode(const struct heft_model *m, const struct coreml_change *c, int threads, const struct coreml_watch *watch, coreml_put_fn *put, void *ctx,
		  struct heft_error *error, struct heft_err *err)
{
	struct heft_err ignored = { 0 };
	struct job j = { .m = m, .c = c, .watch = watch, .cols = c->tensor->dim[c->tensor->rank - 1], .rows = rows_of(c->tensor),
			 .k = 1u << (c->scheme->bits & 15), .threads = threads, .err = err ? err : &ignored };
	int rc;

	coreml_parts(&j.parts, c->tensor, c->n);
	choose_strips(&j);
	get_room(&j);
	rc = run(&j, put, ctx);
	*error = (struct heft_error){ .count = heft_tensor_count(c->tensor), .sum_sq = j.sums.sum_sq, .sum_sq_out = j.sums.sum_sq_out, .dot = j.sums.dot,
				      .sum_sq_err = j.sums.sum_sq_err, .max_err = j.sums.max_err, .nonfinite = j.sums.nonfinite };
	free(j.x);
	free(j.y);
	free(j.low);
	free(j.high);
	free(j.codes);
	free(j.packed);
	free(j.count);
	packed_scratch_release(&j.scratch);
	return j.odd ? 1 : rc;
}

int coreml_finite(const struct heft_model *m, const struct heft_tensor *t, bool table, struct heft_err *err)
{
	uint64_t cols = t->dim[t->rank - 1], rows = rows_of(t), step = cols >= STRIP ? 1 : STRIP / cols;
	struct packed_scratch s = { 0 };
	float *x = xmalloc((size_t)(step * cols) * sizeof *x);
	int rc = 1;

	for (uint64_t row = 0; rc > 0 && row < rows; row += step) {
		uint64_t n = rows - row < step ? rows - row : step;

		if (coreml_read(m, t, row, n, x, &s, err))
			rc = -1;
		for (uint64_t i = 0; rc > 0 && i < n * cols; i++)
			rc = fabsf(x[i]) <= limit_of(table); /* false for NaN */
	}
	free(x);
	packed_scratch_release(&s);
	return rc;
}
