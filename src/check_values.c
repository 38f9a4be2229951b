/*
 * check_values.c - reads every weight and counts what a download should not hold. Tensors are shared among threads, one
 * at a time each; memory is one piece per thread. Findings are told in the order of the tensors, whatever the threads
 * did.
 */
#include "check.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "../base/arena.h"
#include "../base/source.h"
#include "../quant/quant.h"
#include "model.h"
#include "pace.h"
#include "packed.h"

enum { PIECE = 64 * 1024, MAX_THREADS = 64 };

struct counts {
	uint64_t nan, infinite, nonzero;
};

struct scan {
	struct check *check;
	struct counts *counts; /* of each tensor */
	atomic_size_t next;
	_Atomic uint64_t done;
	atomic_bool failed;
	pthread_mutex_t lock;   /* of err */
	struct heft_err *err;
	struct pace pace; /* of the one worker that reports */
};

struct worker {
	struct scan *scan;
	uint8_t *bytes;
	float *values;
	struct packed_scratch packed;
	bool reports; /* one of them calls the progress function */
	struct heft_err err;
};

/* Integers have no NaN, and zeros are nothing odd in them; a file that ends early was told of. */
static bool worth_reading(const struct heft_model *m, const struct heft_tensor *t)
{
	for (int p = 0; p < t->n_planes; p++) {
		const struct heft_extent *x = &t->plane[p];
		uint64_t size = m->file[x->file].size;

		if (!x->size || !(x->made || size == UINT64_MAX || x->offset + x->size <= size))
			return false;
	}
	if (t->packed)
		return true;
	return t->enc->class != QUANT_INTEGER && t->enc->decode && t->n_planes == 1;
}

static void count_values(struct counts *c, const float *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		c->nan += isnan(v[i]) != 0;
		c->infinite += isinf(v[i]) != 0;
		c->nonzero += v[i] != 0;
	}
}

static void report(struct scan *s, const char *tensor)
{
	s->pace.done = atomic_load(&s->done);
	pace_tell(&s->pace, tensor);
}

/* A tensor of several planes; progress counts its first. */
static int scan_packed(struct worker *w, const struct heft_tensor *t, struct counts *c)
{
	struct scan *s = w->scan;
	uint64_t n = heft_tensor_count(t);
	const volatile int *stop = s->check->options->stop;

	for (uint64_t at = 0, part; at < n; at += part) {
		part = n - at < PIECE ? n - at : PIECE;
		if (stop && *stop)
			return heft_fail(&w->err, HEFT_E_KILLED, "stopped by a signal");
		if (packed_read(s->check->model, t, at, (size_t)part, w->values, &w->packed, &w->err))
			return -1;
		count_values(c, w->values, (size_t)part);
	}
	atomic_fetch_add(&s->done, t->plane[0].size);
	if (w->reports)
		report(s, t->name);
	return 0;
}

static int scan_tensor(struct worker *w, const struct heft_tensor *t, struct counts *c)
{
	struct scan *s = w->scan;
	const struct quant_plane *g = &t->enc->plane[0];
	const struct heft_extent *x = &t->plane[0];
	uint64_t begin;
	struct source *src = model_extent(s->check->model, x, &begin);
	quant_decode_fn *decode = quant_decoder(t->enc);
	uint64_t units = x->size / g->bytes, per_piece = PIECE / g->cols;
	const volatile int *stop = s->check->options->stop;

	for (uint64_t at = 0, n; at < units; at += n) {
		const void *plane[] = { w->bytes };

		n = units - at < per_piece ? units - at : per_piece;
		if (stop && *stop)
			return heft_fail(&w->err, HEFT_E_KILLED, "stopped by a signal");
		if (source_read(src, begin + at * g->bytes, w->bytes, n * g->bytes, &w->err))
			return -1;
		decode(plane, w->values, n * g->cols);
		count_values(c, w->values, n * g->cols);
		atomic_fetch_add(&s->done, n * g->bytes);
		if (w->reports)
			report(s, t->name);
	}
	if (s->check->model->n_files == 1)
		source_release(src, begin + x->size);
	return 0;
}

static void fail(struct scan *s, const struct heft_err *err)
{
	pthread_mutex_lock(&s->lock);
	if (!atomic_exchange(&s->failed, true) && s->err)
		*s->err = *err;
	pthread_mutex_unlock(&s->lock);
}

static void work(struct scan *s, bool reports)
{
	const struct heft_model *m = s->check->model;
	struct worker w = { .scan = s, .reports = reports };
	size_t i;

	w.bytes = xmalloc(PIECE * sizeof(double)); /* no encoding needs more per number */
	w.values = xmalloc(PIECE * sizeof *w.values);
	while (!atomic_load(&s->failed) && (i = atomic_fetch_add(&s->next, 1)) < m->n_tensors)
		if (worth_reading(m, &m->tensor[i]) &&
		    (m->tensor[i].packed ? scan_packed : scan_tensor)(&w, &m->tensor[i], &s->counts[i]))
			fail(s, &w.err);
	packed_scratch_release(&w.packed);
	free(w.bytes);
	free(w.values);
}

static void *work_in_thread(void *arg)
{
	work(arg, false);
	return NULL;
}

static void scan_all(struct scan *s, int threads)
{
	pthread_t thread[MAX_THREADS];
	int n = 0;

	while (n + 1 < threads && n < MAX_THREADS && !pthread_create(&thread[n], NULL, work_in_thread, s))
		n++;
	work(s, true);
	while (n > 0)
		pthread_join(thread[--n], NULL);
	report(s, NULL);
}

static void tell(struct check *c, const struct heft_tensor *t, const struct counts *n)
{
	const char *file = c->model->file[t->plane[0].file].path;
	struct heft_problem zero = {
	    .code = HEFT_E_ZERO,
	    .warning = t->rank < 2 /* biases often are */,
	    .file = file,
	    .tensor = t->name,
	    .text = "every value is zero",
	    .hint = "download the file again: a gap that was never filled reads as zeros",
	};

	if (n->nan || n->infinite)
		sink_tellf(&c->sink, HEFT_E_NONFINITE, file, t->name, "download the file again, or ask whoever made it",
			   "%" PRIu64 " of %" PRIu64 " values are NaN, %" PRIu64 " are infinite", n->nan,
			   heft_tensor_count(t), n->infinite);
	else if (!n->nonzero)
		sink_tell(&c->sink, &zero);
}

int check_values(struct check *c, struct heft_err *err)
{
	const struct heft_model *m = c->model;
	struct scan s = { .check = c, .err = err, .lock = PTHREAD_MUTEX_INITIALIZER };
	int threads = c->options->threads ? c->options->threads : heft_default_threads();

	s.pace = (struct pace){ .progress = c->options->progress, .ctx = c->options->ctx, .begun = pace_clock() };
	s.counts = arena_array(m->arena, m->n_tensors, sizeof *s.counts);
	for (size_t i = 0; i < m->n_tensors; i++)
		s.pace.total += worth_reading(m, &m->tensor[i]) ? m->tensor[i].plane[0].size : 0;
	scan_all(&s, m->n_files && source_is_stream(m->file[0].source) ? 1 : threads);
	if (atomic_load(&s.failed))
		return -1;
	for (size_t i = 0; i < m->n_tensors; i++)
		if (worth_reading(m, &m->tensor[i]))
			tell(c, &m->tensor[i], &s.counts[i]);
	return 0;
}
