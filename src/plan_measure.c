/*
 * plan_measure.c - a first pass over weights whose schemes need numbers of the whole matrix: a strip of rows at a time, by many threads.
 *
 *   strip   ->  a few floats, in their own place among those of the matrix      any order of strips gives the same
 *   matrix  ->  at most SCHEME_NUMBERS, of all its floats in order
 *   set     ->  of each number the largest, where matrices share them: linear_set()
 *
 * A matrix's floats live from its first strip to its last. Refuses what cannot be read twice.
 */
#include "plan.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"
#include "pace.h"

struct strip {
	size_t weight;
	uint64_t row, rows;
	uint64_t ticket;  /* place in the order */
};

struct measured {
	float *all;       /* NULL before its first strip, and when there are none */
	uint64_t left;    /* rows that are not measured yet */
};

struct measuring {
	struct heft_plan *plan;
	struct plan_output *output;
	const struct plan_watch *watch;
	bool early;
	pthread_mutex_t lock;
	struct measured *of;  /* each weight */
	size_t weight;        /* next strip */
	uint64_t row, taken;
	uint64_t failed;      /* ticket of the first failure; UINT64_MAX: none */
	struct heft_err err;
};

static const struct scheme *measured_of(const struct plan_output *o, bool early, size_t i)
{
	const struct scheme *s = o->scheme ? o->scheme[i] : NULL;

	return s && s->measure && s->measure->early == early && !o->same[i] ? s : NULL;
}

static const struct scheme *scheme_at(const struct measuring *m, size_t i)
{
	return measured_of(m->output, m->early, i);
}

static uint64_t bytes_of(const struct weight *w, uint64_t elements)
{
	return w->n_sources ? tile_bytes(w->source[0]->enc, elements) : 0;
}

uint64_t plan_measured_bytes(const struct heft_plan *p, bool early)
{
	uint64_t bytes = 0;

	for (size_t k = 0; k < p->n_outputs; k++)
		for (size_t i = 0; i < p->n_weights; i++)
			if (measured_of(&p->output[k], early, i))
				bytes += bytes_of(p->weight[i].weight, p->weight[i].tile.count);
	return bytes;
}

/* Of the next strip of m->weight, where there are as many. Any number of rows does, so that few are held. */
static uint64_t good_rows(const struct measuring *m, uint64_t cols)
{
	uint64_t good = tile_good_size(&m->plan->weight[m->weight].tile);

	return cols > good ? 1 : good / cols;
}

static void begin(struct measuring *m, const struct scheme *s, const struct heft_item *it)
{
	uint64_t n = s->measure->count(s, it->dim[0], it->dim[1]);

	m->of[m->weight] = (struct measured){ xmalloc((size_t)n * sizeof(float)), it->dim[0] };
}

/* The next strip; false where there is none. The lock is held. */
static bool take(struct measuring *m, struct strip *t)
{
	const struct heft_item *it;
	const struct scheme *s;

	while (m->weight < m->plan->n_weights && (!scheme_at(m, m->weight) || m->row >= m->output->item[m->weight].dim[0])) {
		m->weight++;
		m->row = 0;
	}
	if (m->failed == UINT64_MAX && m->watch->stop && *m->watch->stop) {
		heft_fail(&m->err, HEFT_E_KILLED, "stopped by a signal; nothing was written");
		m->failed = m->taken;
	}
	if (m->failed != UINT64_MAX || m->weight >= m->plan->n_weights)
		return false;
	it = &m->output->item[m->weight];
	s = scheme_at(m, m->weight);
	if (!m->row)
		begin(m, s, it);
	*t = (struct strip){ m->weight, m->row, good_rows(m, it->dim[1]), m->taken++ };
	if (t->rows > it->dim[0] - t->row)
		t->rows = it->dim[0] - t->row;
	m->row += t->rows;
	return true;
}

struct buffers {
	struct tile_scratch scratch;
	float *values;
	uint8_t *bytes;
	size_t n_values, n_bytes;
};

static int measure_strip(struct measuring *m, const struct strip *t, struct buffers *b, struct heft_err *err)
{
	const struct heft_item *it = &m->output->item[t->weight];
	const struct scheme *s = m->output->scheme[t->weight];
	const struct heft_encoding *via = m->output->via[t->weight];
	uint64_t cols = it->dim[1];
	size_t n = (size_t)(t->rows * cols);
	struct scheme_strip strip = { .rows = t->rows, .cols = cols, .of = it->dim[0] };

	if (n > b->n_values) {
		b->values = xrealloc(b->values, n * sizeof(float));
		b->n_values = n;
	}
	if (tile_read(&m->plan->weight[t->weight].tile, m->plan->model, t->row * cols, n, b->values, &b->scratch, err))
		return -1;
	if (via && tile_bytes(via, n) > b->n_bytes) {
		b->n_bytes = tile_bytes(via, n);
		b->bytes = xrealloc(b->bytes, b->n_bytes);
	}
	if (via) {
		quant_encoder(via)(b->values, (void *[]){ b->bytes }, n, NULL);
		tile_decode(via, b->bytes, b->values, n);
	}
	strip.src = b->values;
	s->measure->strip(s, &strip, m->of[t->weight].all + s->measure->count(s, t->row, cols));
	return 0;
}

/* When the last strip of a matrix is there. */
static void sum_up(struct measuring *m, size_t i)
{
	const struct heft_item *it = &m->output->item[i];
	const struct scheme *s = m->output->scheme[i];

	s->measure->sum(s, m->of[i].all, (size_t)s->measure->count(s, it->dim[0], it->dim[1]), m->output->number[i]);
	free(m->of[i].all);
	m->of[i].all = NULL;
}

/* The lock is held. */
static void account(struct measuring *m, const struct strip *t)
{
	const struct weight *w = m->plan->weight[t->weight].weight;

	if (!(m->of[t->weight].left -= t->rows))
		sum_up(m, t->weight);
	m->watch->pace->done += bytes_of(w, t->rows * m->output->item[t->weight].dim[1]);
	if (m->failed == UINT64_MAX)
		pace_tell(m->watch->pace, w->name);
}

static void work(struct measuring *m, struct buffers *b)
{
	struct heft_err err;
	struct strip t;

	pthread_mutex_lock(&m->lock);
	while (take(m, &t)) {
		int rc;

		pthread_mutex_unlock(&m->lock);
		rc = measure_strip(m, &t, b, &err);
		pthread_mutex_lock(&m->lock);
		if (rc && t.ticket < m->failed) {
			m->failed = t.ticket;
			m->err = err;
		}
		else if (!rc)
			account(m, &t);
	}
	pthread_mutex_unlock(&m->lock);
}

static void run_threads(struct measuring *m)
{
#pragma omp parallel num_threads(m->plan->threads)
	{
		struct buffers b = { 0 };

		work(m, &b);
		tile_scratch_release(&b.scratch);
		free(b.values);
		free(b.bytes);
	}
}

/* ---- sets ---- */

struct member {
	const char *set;
	size_t weight;
};

static int by_set(const void *a, const void *b)
{
	const struct member *x = a, *y = b;
	int c = strcmp(x->set, y->set);

	return c ? c : (x->weight > y->weight) - (x->weight < y->weight);
}

static void share(struct plan_output *o, const struct member *m, size_t n)
{
	float most[SCHEME_NUMBERS];

	memcpy(most, o->number[m[0].weight], sizeof most);
	for (size_t i = 1; i < n; i++)
		for (int k = 0; k < SCHEME_NUMBERS; k++)
			if (o->number[m[i].weight][k] > most[k])
				most[k] = o->number[m[i].weight][k];
	for (size_t i = 0; i < n; i++)
		memcpy(o->number[m[i].weight], most, sizeof most);
}

static void share_sets(struct measuring *m)
{
	struct heft_plan *p = m->plan;
	struct member *all = arena_array(p->arena, p->n_weights, sizeof *all);
	size_t n = 0;

	for (size_t i = 0; i < p->n_weights; i++) {
		const struct scheme *s = scheme_at(m, i);
		const char *set = s && s->measure->shared ? linear_set(m->output->item[i].name, p->arena) : NULL;

		if (set)
			all[n++] = (struct member){ set, i };
	}
	qsort(all, n, sizeof *all, by_set);
	for (size_t at = 0, end; at < n; at = end) {
		for (end = at + 1; end < n && !strcmp(all[end].set, all[at].set);)
			end++;
		share(m->output, all + at, end - at);
	}
}

/* Does a scheme measure at all? */
static bool any(const struct measuring *m)
{
	for (size_t i = 0; i < m->plan->n_weights; i++)
		if (m->output->scheme[i] && m->output->scheme[i]->measure)
			return true;
	return false;
}

int plan_measure(struct heft_plan *p, struct plan_output *o, bool early, const struct plan_watch *watch, struct heft_err *err)
{
	struct measuring m = { .plan = p, .output = o, .watch = watch, .early = early, .failed = UINT64_MAX };

	if (!o->scheme || !any(&m))
		return 0;
	if (model_stream(p->model))
		return heft_fail(err, HEFT_E_OPTION, "weights are read twice, once for what their scales are relative to, and a stream is read once: give a file");
	if (!o->number)
		o->number = arena_array(p->arena, p->n_weights, sizeof *o->number);
	m.of = arena_array(p->arena, p->n_weights, sizeof *m.of);
	pthread_mutex_init(&m.lock, NULL);
	run_threads(&m);
	pthread_mutex_destroy(&m.lock);
	for (size_t i = 0; i < p->n_weights; i++)
		free(m.of[i].all);
	if (m.failed != UINT64_MAX) {
		*err = m.err;
		return -1;
	}
	share_sets(&m);
	return 0;
}

uint64_t plan_strip(const struct heft_plan *p, size_t weight)
{
	uint64_t most = 0;

	for (size_t k = 0; k < p->n_outputs; k++) {
		const struct scheme *s = p->output[k].scheme ? p->output[k].scheme[weight] : NULL;

		if (s && s->strip > most) /* powers of two: the largest is a multiple of the others */
			most = s->strip;
	}
	return most;
}
