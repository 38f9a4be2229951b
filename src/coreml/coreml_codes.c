/*
 * coreml_codes.c - the numbers of a constant as codes with scales or tables, in two passes over it: what each part (a channel, a block of
 * columns, a group of channels) needs, then the codes, strip by strip. Memory is that of a strip and of all parts' scales or tables.
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

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { STRIP = 1 << 16, CODES = 1 << 16 };

struct job {
	const struct heft_model *m;
	const struct coreml_change *c;
	struct coreml_parts parts;
	struct packed_scratch scratch;
	float *x;            /* a strip */
	uint64_t cols, rows; /* of the tensor */
	float *low, *high;   /* per part: least and most, then scale and zero; low: tables, k of each part */
	uint32_t k;
	uint8_t *codes, *packed;
	struct quant_sums sums;
	int threads;
	struct heft_err *err;
};

static uint64_t rows_of(const struct heft_tensor *t)
{
	return heft_tensor_count(t) / t->dim[t->rank - 1];
}

static uint64_t strip_rows(uint64_t cols)
{
	return cols >= STRIP ? 8 : (STRIP / cols + 7) / 8 * 8; /* so that a strip's codes end with a byte */
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

static void note_range(struct job *j, uint64_t row, const float *x)
{
	uint64_t part = coreml_part(&j->parts, j->c->tensor, row);
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

static void make_scales(struct job *j)
{
	for (uint64_t p = 0; p < j->parts.count; p++) {
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
	uint64_t part = coreml_part(&j->parts, j->c->tensor, row), run, stride;
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

/* Counts the numbers of one part of a row, as f16. */
static void count_row(struct job *j, uint64_t row, uint64_t part, const float *x, uint32_t *count)
{
	uint64_t begin = coreml_part(&j->parts, j->c->tensor, row), run = j->parts.run[j->c->tensor->rank - 1];
	uint64_t first = (part - begin) * run; /* parts of a row follow one another */
	uint16_t code[256];
	void *plane[1] = { code };

	if (part < begin || first >= j->cols)
		return;
	for (uint64_t i = first, n; i < first + run; i += n) {
		n = first + run - i < 256 ? first + run - i : 256;
		quant_encoder(quant_find("f16"))(x + i, plane, (size_t)n, NULL);
		for (uint64_t k = 0; k < n; k++)
			count[code[k] == 0x8000 ? 0 : code[k]]++; /* -0 is 0 */
	}
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

/* Rows that hold numbers of a part: those of its share of the first dimension. */
static void rows_of_part(const struct job *j, uint64_t part, uint64_t *from, uint64_t *to)
{
	uint64_t each = j->rows / j->c->tensor->dim[0], at = part / j->parts.stride[0];

	if (j->c->tensor->rank < 2)
		each = 1;
	*from = at * j->parts.run[0] * each;
	*to = *from + j->parts.run[0] * each;
}

static int make_table(struct job *j, uint64_t part, uint32_t *count, float *point, uint32_t *weight)
{
	uint64_t from, to, step = strip_rows(j->cols);
	uint32_t n;

	memset(count, 0, CODES * sizeof *count);
	rows_of_part(j, part, &from, &to);
	for (uint64_t row = from; row < to; row += step) {
		uint64_t rows = to - row < step ? to - row : step;

		if (coreml_read(j->m, j->c->tensor, row, rows, j->x, &j->scratch, j->err))
			return -1;
		for (uint64_t i = 0; i < rows; i++)
			count_row(j, row + i, part, j->x + i * j->cols, count);
	}
	n = sort_points(count, point, weight);
	if (coreml_kmeans(point, weight, n, j->k, j->low + part * j->k, j->err))
		return -1;
	coreml_round(j->c->out, j->low + part * j->k, j->k);
	return 0;
}

struct table_work {
	uint32_t count[CODES], weight[CODES];
	float point[CODES];
};

/* Parts know nothing of one another: whichever thread makes a table, it is the same. */
static int make_tables(struct job *j)
{
	int64_t parts = (int64_t)j->parts.count;
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the caller's error */
	int rc = 0;

#pragma omp parallel num_threads(j->threads) if (parts > 1)
	{
		struct table_work *w = malloc(sizeof *w);
		struct heft_err why = { 0 };
		struct job mine = *j;

		mine.err = &why;
		mine.scratch = (struct packed_scratch){ 0 };
		mine.x = malloc((size_t)(strip_rows(j->cols) * j->cols) * sizeof *mine.x);
#pragma omp for schedule(dynamic)
		for (int64_t p = 0; p < parts; p++) {
			if (why.code)
				continue;
			if (!w || !mine.x)
				heft_fail(&why, HEFT_E_INTERNAL, "no memory for a palette of '%s'", j->c->tensor->name);
			else
				(void)make_table(&mine, (uint64_t)p, w->count, w->point, w->weight);
		}
		pthread_mutex_lock(&lock);
		if (why.code) {
			*j->err = why;
			rc = -1;
		}
		pthread_mutex_unlock(&lock);
		packed_scratch_release(&mine.scratch);
		free(mine.x);
		free(w);
	}
	return rc;
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
	uint64_t part = coreml_part(&j->parts, j->c->tensor, row);
	int last = j->c->tensor->rank - 1;

	for (uint64_t i = 0; i < j->cols; i++) {
		const float *table = j->low + (part + i / j->parts.run[last] * j->parts.stride[last]) * j->k;

		code[i] = nearest(table, j->k, x[i]);
		y[i] = table[code[i]];
	}
}

/* ---- both passes ---- */

static int measure(struct job *j)
{
	uint64_t step = strip_rows(j->cols);

	if (j->c->scheme->grid == COREML_TABLE)
		return make_tables(j);
	if (j->c->scheme->grid == COREML_FLOATS)
		return 0;
	memset(j->low, 0, j->parts.count * sizeof *j->low); /* 0 is part of every range */
	memset(j->high, 0, j->parts.count * sizeof *j->high);
	for (uint64_t row = 0; row < j->rows; row += step) {
		uint64_t rows = j->rows - row < step ? j->rows - row : step;

		if (coreml_read(j->m, j->c->tensor, row, rows, j->x, &j->scratch, j->err))
			return -1;
		for (uint64_t i = 0; i < rows; i++)
			note_range(j, row + i, j->x + i * j->cols);
	}
	make_scales(j);
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

static int write_strip(struct job *j, uint64_t row, uint64_t rows, coreml_put_fn *put, void *ctx)
{
	const struct coreml_scheme *s = j->c->scheme;
	uint64_t n = rows * j->cols;
	float *y = j->x + strip_rows(j->cols) * j->cols;
	void *plane[1] = { j->packed };
	size_t bytes = (size_t)(n * s->bits / 8);

	if (coreml_read(j->m, j->c->tensor, row, rows, j->x, &j->scratch, j->err))
		return -1;
	if (s->grid == COREML_FLOATS) {
		quant_encoder(j->c->out)(j->x, plane, (size_t)n, NULL);
		return put(ctx, 0, row * j->cols * s->bits / 8, j->packed, bytes, j->err);
	}
	for (uint64_t i = 0; i < rows; i++)
		(s->grid == COREML_TABLE ? encode_table : encode_integers)(j, row + i, j->x + i * j->cols, y + i * j->cols, j->codes + i * j->cols);
	quant_compare(j->x, y, (size_t)n, &j->sums);
	bytes = pack(j->codes, n, s->bits, j->packed);
	return put(ctx, 0, row * j->cols * s->bits / 8, j->packed, bytes, j->err);
}

static int put_floats(struct job *j, int operand, const float *x, uint64_t n, coreml_put_fn *put, void *ctx)
{
	uint64_t each = j->c->out->plane[0].bytes;

	for (uint64_t i = 0, k; i < n; i += k) {
		uint8_t bytes[4 * 256];
		void *plane[1] = { bytes };

		k = n - i < 256 ? n - i : 256;
		quant_encoder(j->c->out)(x + i, plane, (size_t)k, NULL);
		if (put(ctx, operand, i * each, bytes, (size_t)(k * each), j->err))
			return -1;
	}
	return 0;
}

/* Scales, zero points. Where there is one part and the operand has a number per channel, it is said for each. */
static int put_scales(struct job *j, coreml_put_fn *put, void *ctx)
{
	uint64_t n = j->c->operand[1].count;
	uint8_t *codes = j->codes;

	if (j->c->n_operands > 2 && n > j->parts.count)
		for (uint64_t p = 1; p < n; p++) {
			j->low[p] = j->low[0];
			j->high[p] = j->high[0];
		}
	if (put_floats(j, 1, j->low, n, put, ctx))
		return -1;
	for (uint64_t i = 0, k; j->c->n_operands > 2 && i < n; i += k) {
		k = n - i < 1024 ? n - i : 1024;
		for (uint64_t p = 0; p < k; p++)
			codes[p] = (uint8_t)j->high[i + p];
		if (put(ctx, 2, i * j->c->scheme->bits / 8, j->packed, pack(codes, k, j->c->scheme->bits, j->packed), j->err))
			return -1;
	}
	return 0;
}

static int run(struct job *j, coreml_put_fn *put, void *ctx)
{
	uint64_t step = strip_rows(j->cols);

	if (measure(j))
		return -1;
	for (uint64_t row = 0; row < j->rows; row += step)
		if (write_strip(j, row, j->rows - row < step ? j->rows - row : step, put, ctx))
			return -1;
	if (j->c->scheme->grid == COREML_TABLE)
		return put_floats(j, 1, j->low, j->parts.count * j->k, put, ctx);
	return j->c->scheme->grid == COREML_INTEGERS ? put_scales(j, put, ctx) : 0;
}

int coreml_encode(const struct heft_model *m, const struct coreml_change *c, int threads, coreml_put_fn *put, void *ctx, struct heft_error *error,
		  struct heft_err *err)
{
	struct heft_err ignored = { 0 };
	struct job j = { .m = m, .c = c, .cols = c->tensor->dim[c->tensor->rank - 1], .rows = rows_of(c->tensor),
			 .k = 1u << (c->scheme->bits & 15), .threads = threads, .err = err ? err : &ignored };
	uint64_t strip = strip_rows(j.cols) * j.cols, numbers;
	int rc;

	coreml_parts(&j.parts, c->tensor, c->n);
	numbers = j.parts.count;
	for (int i = 1; i < c->n_operands; i++)
		numbers = c->operand[i].count > numbers ? c->operand[i].count : numbers;
	j.x = malloc((size_t)(2 * strip) * sizeof *j.x);
	j.low = malloc((size_t)numbers * sizeof *j.low);
	j.high = malloc((size_t)numbers * sizeof *j.high);
	j.codes = malloc((size_t)strip + 1024);
	j.packed = malloc((size_t)strip * 4 + 1024);
	rc = j.x && j.low && j.high && j.codes && j.packed ? run(&j, put, ctx) : heft_fail(err, HEFT_E_INTERNAL, "no memory for '%s'", c->tensor->name);
	*error = (struct heft_error){ .count = heft_tensor_count(c->tensor), .sum_sq = j.sums.sum_sq, .sum_sq_out = j.sums.sum_sq_out, .dot = j.sums.dot,
				      .sum_sq_err = j.sums.sum_sq_err, .max_err = j.sums.max_err, .nonfinite = j.sums.nonfinite };
	free(j.x);
	free(j.low);
	free(j.high);
	free(j.codes);
	free(j.packed);
	packed_scratch_release(&j.scratch);
	return rc;
}

int coreml_finite(const struct heft_model *m, const struct heft_tensor *t, float limit, struct heft_err *err)
{
	uint64_t cols = t->dim[t->rank - 1], rows = rows_of(t), step = strip_rows(cols);
	struct packed_scratch s = { 0 };
	float *x = malloc((size_t)(step * cols) * sizeof *x);
	int rc = x ? 1 : heft_fail(err, HEFT_E_INTERNAL, "no memory for '%s'", t->name);

	for (uint64_t row = 0; rc > 0 && row < rows; row += step) {
		uint64_t n = rows - row < step ? rows - row : step;

		if (coreml_read(m, t, row, n, x, &s, err))
			rc = -1;
		for (uint64_t i = 0; rc > 0 && i < n * cols; i++)
			rc = fabsf(x[i]) <= limit; /* false for NaN */
	}
	free(x);
	packed_scratch_release(&s);
	return rc;
}
