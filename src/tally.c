/*
 * tally.c - per-tile sums of the tensors in work, reduced when the last tile of a tensor is in.
 *
 * A tile is known by its first element: segments begin anywhere, so tiles are kept in a list and sorted before they are added up.
 */
#include "tally.h"

#include <stdlib.h>
#include <string.h>

struct entry {
	uint64_t first;
	size_t n;
	size_t at; /* of its sums, one for each output */
};

struct work {
	struct entry *entry;
	struct quant_sums *sums;
	size_t n, cap;
	uint64_t done;
};

struct tally {
	struct heft_plan *plan;
	struct work *work; /* of each weight */
};

struct tally *tally_new(struct heft_plan *p)
{
	struct tally *t = xmalloc(sizeof *t);

	t->plan = p;
	t->work = calloc(p->n_weights ? p->n_weights : 1, sizeof *t->work);
	if (!t->work)
		out_of_memory(p->n_weights * sizeof *t->work);
	if (!p->error)
		p->error = arena_array(p->arena, p->n_outputs, sizeof *p->error);
	for (size_t i = 0; i < p->n_outputs; i++) {
		free(p->error[i]);
		p->error[i] = calloc(p->n_weights ? p->n_weights : 1, sizeof **p->error);
		if (!p->error[i])
			out_of_memory(p->n_weights * sizeof **p->error);
	}
	return t;
}

static void release(struct work *w)
{
	free(w->entry);
	free(w->sums);
	*w = (struct work){ .done = w->done };
}

void tally_free(struct tally *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->plan->n_weights; i++)
		release(&t->work[i]);
	free(t->work);
	free(t);
}

static int by_first(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

static void add_sums(struct heft_error *e, const struct quant_sums *s, size_t n)
{
	struct heft_error one = { .count = n, .sum_sq = s->sum_sq, .sum_sq_out = s->sum_sq_out, .dot = s->dot,
				  .sum_sq_err = s->sum_sq_err, .max_err = s->max_err, .nonfinite = s->nonfinite,
				  .sum_weighted_sq = s->weighted_sq, .sum_weighted_err = s->weighted_err,
				  .sum_nearest = s->nearest, .sum_found = s->found };

	heft_error_add(e, &one);
}

static void reduce(struct tally *t, size_t weight)
{
	struct work *w = &t->work[weight];

	qsort(w->entry, w->n, sizeof *w->entry, by_first);
	for (size_t i = 0; i < w->n; i++)
		for (size_t o = 0; o < t->plan->n_outputs; o++)
			add_sums(&t->plan->error[o][weight], &w->sums[w->entry[i].at + o], w->entry[i].n);
	release(w);
}

void tally_add(struct tally *t, size_t weight, uint64_t first, size_t n, const struct quant_sums *sums)
{
	struct work *w = &t->work[weight];
	size_t outputs = t->plan->n_outputs;

	if (w->n == w->cap) {
		w->cap = w->cap ? w->cap * 2 : 16;
		w->entry = xrealloc(w->entry, w->cap * sizeof *w->entry);
		w->sums = xrealloc(w->sums, w->cap * outputs * sizeof *w->sums);
	}
	w->entry[w->n] = (struct entry){ first, n, w->n * outputs };
	memcpy(&w->sums[w->n * outputs], sums, outputs * sizeof *sums);
	w->n++;
	w->done += n;
	if (w->done == t->plan->weight[weight].tile.count)
		reduce(t, weight);
}

void tally_details(struct tally *t, size_t weight, const struct quant_details *details)
{
	for (size_t o = 0; o < t->plan->n_outputs; o++) {
		struct heft_error one = { .clippable = details[o].clippable, .clipped = details[o].clipped };

		memcpy(one.histogram, details[o].histogram, sizeof one.histogram);
		heft_error_add(&t->plan->error[o][weight], &one);
	}
}
