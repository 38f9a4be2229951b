/*
 * lora_values.c - numbers of a tensor with adapters: W + s * B * A, row by row, from the two factors.
 *
 *   v[i][j] += s * (L[i][0] * R[0][j] + L[i][1] * R[1][j] + ...)     in this order, in float32, for every number of threads and lanes
 *
 *   W [out, in]: L is B, R is A         W [in, out]: L is A turned, R is B turned
 *
 * DoRA then multiplies each output by magnitude / length, where the length of an output's weights is taken of the sum; lengths are worked out
 * when a tensor is first read. Memory of a thread: R of the matrices at hand, and the rows of L that are asked for.
 */
#include "lora.h"

#include "../base/source.h"
#include "../quant/quant.h"
#include "model.h"
#include "tile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STRIP = 512 };

static pthread_mutex_t norms = PTHREAD_MUTEX_INITIALIZER; /* guards the making of lengths */

void lora_scratch_release(struct lora_scratch *s)
{
	free(s->left);
	free(s->right);
	free(s->turning);
	free(s->bytes);
	*s = (struct lora_scratch){ 0 };
}

static float *room(float **p, size_t *cap, size_t n)
{
	if (*cap < n) {
		*p = xrealloc(*p, n * sizeof **p);
		*cap = n;
	}
	return *p;
}

/* ---- factors ---- */

/* n numbers from element first on, both multiples of the encoding's block. */
static int read_numbers(const struct heft_model *m, const struct heft_tensor *t, uint64_t first, size_t n, float *dst, struct lora_scratch *s,
			struct heft_err *err)
{
	size_t bytes = tile_bytes(t->enc, n);
	struct heft_err why;
	uint64_t begin;
	struct source *src = model_extent(m, &t->plane[0], &begin);

	if (s->n_bytes < bytes) {
		s->bytes = xrealloc(s->bytes, bytes);
		s->n_bytes = bytes;
	}
	if (source_read(src, begin + tile_bytes(t->enc, first), s->bytes, bytes, &why))
		return heft_fail(err, why.code, "tensor '%s': %s", t->name, why.text);
	tile_decode(t->enc, s->bytes, dst, n);
	return 0;
}

/* Rows first .. first+n of what is stored turned, as [cols, rows]: a piece of each stored row. */
static int read_turned(const struct heft_model *m, const struct heft_tensor *t, uint64_t first, uint64_t n, float *dst, struct lora_scratch *s,
		       struct heft_err *err)
{
	uint64_t cols = t->dim[t->rank - 2], rows = t->dim[t->rank - 1], block = t->enc->block, begin = first / block * block;
	size_t piece = (size_t)((first + n - begin + block - 1) / block * block);
	float *v = room(&s->turning, &s->n_turning, piece);

	for (uint64_t j = 0; j < cols; j++) {
		if (read_numbers(m, t, j * rows + begin, piece, v, s, err))
			return -1;
		for (uint64_t i = 0; i < n; i++)
			dst[i * cols + j] = v[first - begin + i];
	}
	return 0;
}

/* Rows of a factor whose rows have so many numbers, counted over all matrices; one that is turned has one matrix. */
static int read_rows(const struct heft_model *m, const struct heft_tensor *t, bool turned, uint64_t first, uint64_t n, uint64_t cols, float *dst,
		     struct lora_scratch *s, struct heft_err *err)
{
	return turned ? read_turned(m, t, first, n, dst, s, err) : read_numbers(m, t, first * cols, (size_t)(n * cols), dst, s, err);
}

struct part { /* of a tensor: so many rows, and the matrices that they are of */
	uint64_t row, rows, matrix, matrices;
};

static struct part part_of(const struct lora *l, uint64_t element, size_t n)
{
	uint64_t row = element / l->cols, last = (element + n - 1) / l->cols;

	return (struct part){ row, last - row + 1, row / l->rows, last / l->rows - row / l->rows + 1 };
}

static size_t left_size(const struct part *p, const struct lora_term *x)
{
	return (size_t)(p->rows * x->rank);
}

static size_t right_size(const struct lora *l, const struct part *p, const struct lora_term *x)
{
	return (size_t)(p->matrices * x->rank * l->cols);
}

/* The right factors stay until another tensor or other matrices of it are read. */
static int load_right(const struct heft_model *m, const struct heft_tensor *t, const struct part *p, struct lora_scratch *s, struct heft_err *err)
{
	const struct lora *l = t->lora;
	size_t n = 0;
	float *at;

	if (s->of == t && s->matrix == p->matrix && s->matrices == p->matrices)
		return 0;
	s->of = NULL;
	for (size_t k = 0; k < l->n; k++)
		n += right_size(l, p, &l->term[k]);
	at = room(&s->right, &s->n_right, n);
	for (size_t k = 0; k < l->n; k++) {
		const struct lora_term *x = &l->term[k];

		if (read_rows(m, x->turned ? x->b : x->a, x->turned ? !x->b_turned : x->a_turned, p->matrix * x->rank, p->matrices * x->rank, l->cols, at, s, err))
			return -1;
		at += right_size(l, p, x);
	}
	s->of = t;
	s->matrix = p->matrix;
	s->matrices = p->matrices;
	return 0;
}

static int load_left(const struct heft_model *m, const struct lora *l, const struct part *p, struct lora_scratch *s, struct heft_err *err)
{
	size_t n = 0;
	float *at;

	for (size_t k = 0; k < l->n; k++)
		n += left_size(p, &l->term[k]);
	at = room(&s->left, &s->n_left, n);
	for (size_t k = 0; k < l->n; k++) {
		const struct lora_term *x = &l->term[k];

		if (read_rows(m, x->turned ? x->a : x->b, x->turned ? !x->a_turned : x->b_turned, p->row, p->rows, x->rank, at, s, err))
			return -1;
		at += left_size(p, x);
	}
	return 0;
}

/* ---- sums ---- */

/* Up to STRIP numbers of a row; the same strip of each row of the right factor is in the cache when the next row comes. */
static void add_strip(float *v, const float *left, const float *right, uint64_t rank, uint64_t cols, size_t n, float scale)
{
	float sum[STRIP] = { 0 };

	for (uint64_t r = 0; r < rank; r++) {
		const float *row = right + r * cols;
		float x = left[r];

#pragma omp simd
		for (size_t j = 0; j < n; j++)
			sum[j] += x * row[j];
	}
#pragma omp simd
	for (size_t j = 0; j < n; j++)
		v[j] += scale * sum[j];
}

/* Rows of one matrix, n numbers of each. */
static void add_rows(float *v, const float *left, const float *right, const struct lora_term *x, uint64_t cols, uint64_t rows, size_t n)
{
	for (size_t done = 0, k; done < n; done += k) {
		k = n - done < STRIP ? n - done : STRIP;
		for (uint64_t i = 0; i < rows; i++)
			add_strip(v + i * n + done, left + i * x->rank, right + done, x->rank, cols, k, x->scale);
	}
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static float factor_of(const float *magnitude, const float *norm, uint64_t out)
{
	return norm[out] > 0 ? magnitude[out] / norm[out] : 0;
}

static void scale_row(float *v, const struct lora_term *x, const float *magnitude, uint64_t row, uint64_t col, size_t n)
{
	for (size_t j = 0; j < n; j++)
		v[j] *= factor_of(magnitude, x->norm, x->turned ? col + j : row);
}

/* One term over elements element .. element+n of a part, of which left and right are. */
static void add_term(const struct lora *l, const struct lora_term *x, const struct part *p, const float *left, const float *right, uint64_t element,
		     size_t n, float *v)
{
	for (size_t done = 0, k; done < n;) {
		uint64_t row = (element + done) / l->cols, col = (element + done) % l->cols, rows = 1;

		k = l->cols - col < n - done ? (size_t)(l->cols - col) : n - done;
		if (k == l->cols)
			rows = least((n - done) / k, l->rows - row % l->rows);
		add_rows(v + done, left + (row - p->row) * x->rank, right + (row / l->rows - p->matrix) * x->rank * l->cols + col, x, l->cols, rows, k);
		for (uint64_t i = 0; i < rows; i++, done += k)
			if (x->magnitude)
				scale_row(v + done, x, x->magnitude, row + i, col, k);
	}
}

/* ---- lengths ---- */

static void add_squares(const struct lora *l, const struct lora_term *x, uint64_t row, const float *v, double *sum)
{
	for (uint64_t j = 0; j < l->cols; j++)
		sum[x->turned ? j : row] += (double)v[j] * (double)v[j];
}

/* What the tensor is before the term's own division: with the terms before it, and with its sum. */
static int measure(const struct heft_model *m, const struct heft_tensor *t, size_t k, double *sum, struct heft_err *err)
{
	const struct lora *l = t->lora;
	struct lora_term *term = xmalloc((k + 1) * sizeof *term);
	struct lora upto = { .matrices = l->matrices, .rows = l->rows, .cols = l->cols, .term = term, .n = k + 1 };
	struct heft_tensor undivided = *t;
	struct tile_scratch s = { 0 };
	uint64_t step = l->cols && l->cols < TILE_ELEMENTS ? TILE_ELEMENTS / l->cols : 1;
	float *v = xmalloc((size_t)(step * l->cols) * sizeof *v);
	int rc = 0;

	memcpy(term, l->term, (k + 1) * sizeof *term);
	term[k].magnitude = NULL;
	undivided.lora = &upto;
	for (uint64_t row = 0, n; row < l->rows && !rc; row += n) {
		n = l->rows - row < step ? l->rows - row : step;
		rc = tile_read_tensor(m, &undivided, row * l->cols, (size_t)(n * l->cols), v, &s, err);
		for (uint64_t i = 0; i < n && !rc; i++)
			add_squares(l, &l->term[k], row + i, v + i * l->cols, sum);
	}
	free(v);
	free(term);
	tile_scratch_release(&s);
	return rc;
}

static int make_norm(const struct heft_model *m, const struct heft_tensor *t, size_t k, struct heft_err *err)
{
	struct lora_term *x = &t->lora->term[k];
	size_t n = (size_t)(x->turned ? t->lora->cols : t->lora->rows);
	double *sum = xmalloc(n * sizeof *sum);
	int rc;

	for (size_t i = 0; i < n; i++)
		sum[i] = 0;
	rc = measure(m, t, k, sum, err);
	for (size_t i = 0; i < n && !rc; i++)
		x->norm[i] = (float)sqrt(sum[i]);
	free(sum);
	return rc;
}

/* Earlier terms have theirs when a later one asks, so that the lock is never taken twice. */
static int need_norm(const struct heft_model *m, const struct heft_tensor *t, size_t k, struct heft_err *err)
{
	struct lora_term *x = &t->lora->term[k];
	int rc = 0;

	if (__atomic_load_n(&x->has_norm, __ATOMIC_ACQUIRE))
		return 0;
	pthread_mutex_lock(&norms);
	if (!x->has_norm)
		rc = make_norm(m, t, k, err);
	if (!rc)
		__atomic_store_n(&x->has_norm, true, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&norms);
	return rc;
}

/* ---- all ---- */

int lora_add(const struct heft_model *m, const struct heft_tensor *t, uint64_t element, size_t n, float *v, struct lora_scratch *s,
	     struct heft_err *err)
{
	const struct lora *l = t->lora;
	const struct part p = part_of(l, element, n ? n : 1);
	const float *left, *right;

	if (load_right(m, t, &p, s, err) || load_left(m, l, &p, s, err))
		return -1;
	left = s->left;
	right = s->right;
	for (size_t k = 0; k < l->n; k++) {
		const struct lora_term *x = &l->term[k];

		if (x->magnitude && need_norm(m, t, k, err))
			return -1;
		add_term(l, x, &p, left, right, element, n, v);
		left += left_size(&p, x);
		right += right_size(l, &p, x);
	}
	return 0;
}
