/*
 * lora_values.c - numbers of a tensor with adapters: W + s * B * A, row by row, from the two factors.
 *
 *   v[i][j] += s * (L[i][0] * R[0][j] + L[i][1] * R[1][j] + ...)     in this order, in float32, for every number of threads and lanes
 *
 *   W [out, in]: L is B, R is A         W [in, out]: L is A turned, R is B turned
 *
 * DoRA then multiplies each output by magnitude / length, where the length of an output's weights is taken of the sum; lengths are worked out
 * when a tensor is first read. Memory is the factors of one tensor per thread.
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
	free(s->factors);
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

static int read_numbers(const struct heft_model *m, const struct heft_tensor *t, float *dst, struct lora_scratch *s, struct heft_err *err)
{
	size_t bytes = (size_t)t->plane[0].size;
	struct heft_err why;
	uint64_t begin;
	struct source *src = model_extent(m, &t->plane[0], &begin);

	if (s->n_bytes < bytes) {
		s->bytes = xrealloc(s->bytes, bytes);
		s->n_bytes = bytes;
	}
	if (source_read(src, begin, s->bytes, bytes, &why))
		return heft_fail(err, why.code, "tensor '%s': %s", t->name, why.text);
	tile_decode(t->enc, s->bytes, dst, (size_t)heft_tensor_count(t));
	return 0;
}

static void turn(const float *src, float *dst, uint64_t rows, uint64_t cols)
{
	for (uint64_t i = 0; i < rows; i++)
		for (uint64_t j = 0; j < cols; j++)
			dst[j * rows + i] = src[i * cols + j];
}

static int read_factor(const struct heft_model *m, const struct heft_tensor *t, bool turned, float *dst, struct lora_scratch *s, struct heft_err *err)
{
	uint64_t rows = t->dim[t->rank - 2], cols = t->dim[t->rank - 1], each = rows * cols;
	size_t n = (size_t)heft_tensor_count(t);

	if (!turned)
		return read_numbers(m, t, dst, s, err);
	room(&s->turning, &s->n_turning, n);
	if (read_numbers(m, t, s->turning, s, err))
		return -1;
	for (size_t at = 0; at < n; at += each)
		turn(s->turning + at, dst + at, rows, cols);
	return 0;
}

static size_t left_size(const struct lora *l, const struct lora_term *x)
{
	return (size_t)(l->matrices * l->rows * x->rank);
}

static size_t right_size(const struct lora *l, const struct lora_term *x)
{
	return (size_t)(l->matrices * l->cols * x->rank);
}

/* The factors of all terms, one behind the other. */
static int load(const struct heft_model *m, const struct heft_tensor *t, struct lora_scratch *s, struct heft_err *err)
{
	const struct lora *l = t->lora;
	size_t n = 0;
	float *at;

	if (s->of == t)
		return 0;
	s->of = NULL;
	for (size_t k = 0; k < l->n; k++)
		n += left_size(l, &l->term[k]) + right_size(l, &l->term[k]);
	at = room(&s->factors, &s->n_factors, n);
	for (size_t k = 0; k < l->n; k++) {
		const struct lora_term *x = &l->term[k];
		const struct heft_tensor *left = x->turned ? x->a : x->b, *right = x->turned ? x->b : x->a;
		bool turn_left = x->turned ? !x->a_turned : x->b_turned, turn_right = x->turned ? !x->b_turned : x->a_turned;

		if (read_factor(m, left, turn_left, at, s, err) || read_factor(m, right, turn_right, at + left_size(l, x), s, err))
			return -1;
		at += left_size(l, x) + right_size(l, x);
	}
	s->of = t;
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

/* One term over elements element .. element+n. magnitude NULL: the sum alone. */
static void add_term(const struct lora *l, const struct lora_term *x, const float *factors, const float *magnitude, uint64_t element, size_t n,
		     float *v)
{
	const float *right = factors + left_size(l, x);

	for (size_t done = 0, k; done < n;) {
		uint64_t row = (element + done) / l->cols, col = (element + done) % l->cols, rows = 1;

		k = l->cols - col < n - done ? (size_t)(l->cols - col) : n - done;
		if (k == l->cols)
			rows = least((n - done) / k, l->rows - row % l->rows);
		add_rows(v + done, factors + row * x->rank, right + row / l->rows * x->rank * l->cols + col, x, l->cols, rows, k);
		for (uint64_t i = 0; i < rows; i++, done += k)
			if (magnitude)
				scale_row(v + done, x, magnitude, row + i, col, k);
	}
}

/* ---- lengths ---- */

static void add_squares(const struct lora *l, const struct lora_term *x, uint64_t row, const float *v, double *sum)
{
	for (uint64_t j = 0; j < l->cols; j++)
		sum[x->turned ? j : row] += (double)v[j] * (double)v[j];
}

/* What the tensor is before the term's own division: with the terms before it, and with its sum. */
static int measure(const struct heft_model *m, const struct heft_tensor *t, size_t k, const float *factors, double *sum, struct heft_err *err)
{
	const struct lora *l = t->lora;
	struct lora before = *l;
	struct heft_tensor plain = *t;
	struct tile_scratch s = { 0 };
	uint64_t step = l->cols && l->cols < TILE_ELEMENTS ? TILE_ELEMENTS / l->cols : 1;
	float *v = xmalloc((size_t)(step * l->cols) * sizeof *v);
	int rc = 0;

	before.n = k;
	plain.lora = k ? &before : NULL;
	for (uint64_t row = 0, n; row < l->rows && !rc; row += n) {
		n = l->rows - row < step ? l->rows - row : step;
		rc = tile_read_tensor(m, &plain, row * l->cols, (size_t)(n * l->cols), v, &s, err);
		if (!rc)
			add_term(l, &l->term[k], factors, NULL, row * l->cols, (size_t)(n * l->cols), v);
		for (uint64_t i = 0; i < n && !rc; i++)
			add_squares(l, &l->term[k], row + i, v + i * l->cols, sum);
	}
	free(v);
	tile_scratch_release(&s);
	return rc;
}

static int make_norm(const struct heft_model *m, const struct heft_tensor *t, size_t k, const float *factors, struct heft_err *err)
{
	struct lora_term *x = &t->lora->term[k];
	size_t n = (size_t)(x->turned ? t->lora->cols : t->lora->rows);
	double *sum = xmalloc(n * sizeof *sum);
	int rc;

	for (size_t i = 0; i < n; i++)
		sum[i] = 0;
	rc = measure(m, t, k, factors, sum, err);
	for (size_t i = 0; i < n && !rc; i++)
		x->norm[i] = (float)sqrt(sum[i]);
	free(sum);
	return rc;
}

/* Earlier terms have theirs when a later one asks, so that the lock is never taken twice. */
static int need_norm(const struct heft_model *m, const struct heft_tensor *t, size_t k, const float *factors, struct heft_err *err)
{
	struct lora_term *x = &t->lora->term[k];
	int rc = 0;

	if (__atomic_load_n(&x->has_norm, __ATOMIC_ACQUIRE))
		return 0;
	pthread_mutex_lock(&norms);
	if (!x->has_norm)
		rc = make_norm(m, t, k, factors, err);
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
	const float *at;

	if (load(m, t, s, err))
		return -1;
	at = s->factors;
	for (size_t k = 0; k < l->n; k++) {
		const struct lora_term *x = &l->term[k];

		if (x->magnitude && need_norm(m, t, k, at, err))
			return -1;
		add_term(l, x, at, x->magnitude, element, n, v);
		at += left_size(l, x) + right_size(l, x);
	}
	return 0;
}
