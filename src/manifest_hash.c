/*
 * manifest_hash.c - SHA-256 of many ranges at once. One range is one thread's, since SHA-256 knows no other way; memory is a piece for each thread.
 */
#include "manifest.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../base/arena.h"
#include "../base/sha256.h"
#include "pace.h"

enum { PIECE = 1 << 20 };

struct hashing {
	const struct heft_manifest_options *options;
	struct pace pace;
	pthread_mutex_t lock;
	struct manifest_run *failed; /* the first of the list */
	struct heft_err *err;
};

static uint64_t size_of(const struct manifest_run *r)
{
	uint64_t n = 0;

	for (int i = 0; i < r->n_pieces; i++)
		n += r->piece[i].size;
	return n;
}

/* Tells how far it is; false where a signal or another's failure ends the work. */
static bool go_on(struct hashing *h, const struct manifest_run *r, uint64_t n)
{
	bool on;

	pthread_mutex_lock(&h->lock);
	h->pace.done += n;
	pace_tell(&h->pace, r->name);
	on = !h->failed && !(h->options->stop && *h->options->stop);
	pthread_mutex_unlock(&h->lock);
	return on;
}

static int hash_piece(struct hashing *h, const struct manifest_run *r, int i, struct sha256 *sum, void *buf, struct heft_err *err)
{
	for (uint64_t done = 0, n; done < r->piece[i].size; done += n) {
		n = r->piece[i].size - done < PIECE ? r->piece[i].size - done : PIECE;
		if (source_read(r->piece[i].from, r->piece[i].offset + done, buf, (size_t)n, err))
			return -1;
		sha256_update(sum, buf, (size_t)n);
		if (!go_on(h, r, n))
			return heft_fail(err, HEFT_E_KILLED, "stopped by a signal");
	}
	return 0;
}

static void hash_run(struct hashing *h, struct manifest_run *r, void *buf)
{
	struct sha256 *sum = sha256_new();
	struct heft_err err = { 0 };
	int rc = 0;

	for (int i = 0; !rc && i < r->n_pieces; i++)
		rc = hash_piece(h, r, i, sum, buf, &err);
	sha256_final(sum, rc ? NULL : r->hex);
	if (!rc)
		return;
	pthread_mutex_lock(&h->lock);
	if (!h->failed || (err.code != HEFT_E_KILLED && r < h->failed)) {
		h->failed = r;
		*h->err = err;
	}
	pthread_mutex_unlock(&h->lock);
}

static int larger_first(const void *a, const void *b)
{
	const struct manifest_run *const *x = a, *const *y = b;
	uint64_t p = size_of(*x), q = size_of(*y);

	return p != q ? (p < q) - (p > q) : (*x > *y) - (*x < *y);
}

int manifest_hash(struct manifest_run *run, size_t n, const struct heft_manifest_options *o, struct heft_err *err)
{
	struct hashing h = { .options = o, .pace = { .progress = o->progress, .ctx = o->ctx, .begun = pace_clock() }, .err = err };
	struct manifest_run **order = xmalloc((n + 1) * sizeof *order);

	for (size_t i = 0; i < n; i++) {
		order[i] = &run[i];
		h.pace.total += size_of(&run[i]);
	}
	if (n)
		qsort(order, n, sizeof *order, larger_first);
	pthread_mutex_init(&h.lock, NULL);
#pragma omp parallel num_threads(o->threads > 0 ? o->threads : heft_default_threads())
	{
		void *buf = xmalloc(PIECE);

#pragma omp for schedule(dynamic)
		for (size_t i = 0; i < n; i++)
			hash_run(&h, order[i], buf);
		free(buf);
	}
	pthread_mutex_destroy(&h.lock);
	pace_last(&h.pace, "");
	free(order);
	return h.failed ? -1 : 0;
}
