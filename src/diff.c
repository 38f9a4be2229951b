/*
 * diff.c - error figures between two checkpoints of any formats. Tensors are matched by name; where one side is a GGUF
 * and the other is not, both have the names that the family gives them in a GGUF.
 *
 * Tensors are read once, in batches of tiles; sums are added up in the order of the tiles, so that the figures are the
 * same for every thread count.
 */
#include "diff.h"

#include "../base/map.h"
#include "family.h"
#include "pace.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 256 };

struct diff {
	struct heft_diff pub; /* first: heft_diff_free gets its address */
	struct arena *arena;
};

struct side {
	const struct heft_model *model;
	struct family family;
	struct map by_name; /* -> number of the weight */
};

struct work {
	struct diff *diff;
	struct side side[2];
	const struct heft_diff_options *options;
	int threads;
	struct pace pace;
	struct heft_err *err;
};

/* ---- names ---- */

static int index_names(struct side *s, struct heft_err *err)
{
	for (size_t i = 0; i < s->family.n_weights; i++) {
		const char *name = s->family.weight[i].name;
		bool found;
		struct map_slot *slot = map_put(&s->by_name, name, strlen(name), &found);

		if (found)
			return heft_fail(err, HEFT_E_DUPLICATE, "%s: two tensors named '%s'", s->model->path, name);
		slot->value.i = (int64_t)i;
	}
	return 0;
}

static const struct weight *find_weight(const struct side *s, const char *name)
{
	const struct map_slot *slot = map_find(&s->by_name, name, strlen(name));

	return slot ? &s->family.weight[slot->value.i] : NULL;
}

/* Do most tensors of the smaller one have a namesake? Then no family is needed. */
static bool share_names(const struct heft_model *a, const struct heft_model *b)
{
	const struct heft_model *small = a->n_tensors < b->n_tensors ? a : b, *large = small == a ? b : a;
	struct map names;
	size_t n = 0;
	bool found;

	map_init(&names);
	for (size_t i = 0; i < large->n_tensors; i++)
		map_put(&names, large->tensor[i].name, strlen(large->tensor[i].name), &found);
	for (size_t i = 0; i < small->n_tensors; i++)
		n += map_find(&names, small->tensor[i].name, strlen(small->tensor[i].name)) != NULL;
	map_release(&names);
	return 2 * n > small->n_tensors;
}

/* Tensors that have a GGUF's names in another file, as --to safetensors writes a GGUF's. */
static bool spelled_as_gguf(const struct heft_model *m)
{
	for (size_t i = 0; i < m->n_tensors; i++)
		if (!strncmp(m->tensor[i].name, "blk.", 4))
			return true;
	return false;
}

static int resolve(struct work *w, struct heft_model *a, struct heft_model *b)
{
	struct heft_model *model[2] = { a, b };
	struct family_options o = { .arch = w->options->arch, .names_only = true };
	struct sink sink = { .err = w->err };

	bool own = a->coreml || b->coreml || (o.arch && !strcmp(o.arch, "none")) || share_names(a, b) ||
		   (!strcmp(a->format, b->format) && spelled_as_gguf(a) == spelled_as_gguf(b));

	for (int k = 0; k < 2; k++) {
		struct side *s = &w->side[k];

		o.own_names = own || spelled_as_gguf(model[k]);
		s->model = model[k];
		if (family_resolve(&s->family, model[k], &o, w->diff->arena, &sink, w->err) || index_names(s, w->err))
			return -1;
	}
	return 0;
}

/* ---- the list of pairs ---- */

static const char *source_name(const struct weight *w, struct arena *a)
{
	return arena_strdup(a, w->n_sources ? w->source[0]->name : w->name);
}

static const struct heft_encoding *encoding_of(const struct weight *w)
{
	return w->n_sources ? w->source[0]->enc : quant_find("f32");
}

static bool same_shape(const struct weight *a, const struct weight *b)
{
	return a->shape.rank == b->shape.rank &&
	       !memcmp(a->shape.dim, b->shape.dim, (size_t)a->shape.rank * sizeof a->shape.dim[0]);
}

static void add_item(struct diff *d, const struct weight *a, const struct weight *b)
{
	struct heft_diff_item *it = &d->pub.item[d->pub.n_items++];

	it->name = arena_strdup(d->arena, a ? a->name : b->name);
	if (a) {
		it->name_a = source_name(a, d->arena);
		it->enc_a = encoding_of(a);
	}
	if (b) {
		it->name_b = source_name(b, d->arena);
		it->enc_b = encoding_of(b);
	}
	it->shapes_differ = a && b && !same_shape(a, b);
	d->pub.n_unmatched += !a || !b;
	d->pub.n_shapes_differ += it->shapes_differ;
}

static uint64_t stored_bytes(const struct weight *w)
{
	uint64_t n = 0;

	for (size_t i = 0; i < w->n_sources; i++)
		for (int k = 0; k < w->source[i]->n_planes; k++)
			n += w->source[i]->plane[k].size;
	return n;
}

/* In the order of the first model, then what only the second one has. */
static void list_items(struct work *w)
{
	const struct family *a = &w->side[0].family, *b = &w->side[1].family;
	struct diff *d = w->diff;

	d->pub.item = arena_array(d->arena, a->n_weights + b->n_weights, sizeof *d->pub.item);
	for (size_t i = 0; i < a->n_weights; i++) {
		const struct weight *other = find_weight(&w->side[1], a->weight[i].name);

		add_item(d, &a->weight[i], other);
		if (other && same_shape(&a->weight[i], other))
			w->pace.total += stored_bytes(&a->weight[i]) + stored_bytes(other);
	}
	for (size_t i = 0; i < b->n_weights; i++)
		/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): a name may lack its weight, a family not its table */
		if (!find_weight(&w->side[0], b->weight[i].name))
			add_item(d, NULL, &b->weight[i]);
}

/* ---- the numbers ---- */

static int stopped(struct work *w)
{
	return w->options->stop && *w->options->stop ? heft_fail(w->err, HEFT_E_KILLED, "stopped by a signal") : 0;
}

static void add_sums(struct heft_error *e, const struct quant_sums *s)
{
	struct heft_error one = {.sum_sq = s->sum_sq,
				 .sum_sq_out = s->sum_sq_out,
				 .dot = s->dot,
				 .sum_sq_err = s->sum_sq_err,
				 .max_err = s->max_err,
				 .nonfinite = s->nonfinite};

	heft_error_add(e, &one);
}

static void add_details(struct heft_error *e, const struct quant_details *d)
{
	struct heft_error one = { 0 };

	memcpy(one.histogram, d->histogram, sizeof one.histogram);
	heft_error_add(e, &one);
}

/* Compares tiles first .. first+n and adds their sums in order. The first tile that failed tells its error. */
static int compare_batch(const struct work *w, const struct diff_pair *p, uint64_t first, int n, struct heft_error *e)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct quant_sums sums[BATCH] = { { 0 } };
	int failed = n;

#pragma omp parallel num_threads(w->threads) if (n > 1)
	{
		struct diff_scratch s = { 0 };
		struct quant_details details = { 0 }; /* counts: the order in which they are added says nothing */

#pragma omp for schedule(dynamic)
		for (int i = 0; i < n; i++) {
			uint64_t at = (first + (uint64_t)i) * TILE_ELEMENTS, left = p->plan[0].count - at;
			struct heft_err err;

			if (!diff_tile(p, at, left < TILE_ELEMENTS ? (size_t)left : TILE_ELEMENTS, &s, &sums[i],
				       w->options->details ? &details : NULL, &err))
				continue;
			pthread_mutex_lock(&lock);
			if (i < failed) {
				failed = i;
				heft_fail(w->err, err.code, "%s", err.text);
			}
			pthread_mutex_unlock(&lock);
		}
		diff_scratch_release(&s);
		pthread_mutex_lock(&lock);
		if (w->options->details)
			add_details(e, &details);
		pthread_mutex_unlock(&lock);
	}
	pthread_mutex_destroy(&lock);
	for (int i = 0; i < n; i++)
		add_sums(e, &sums[i]);
	return failed < n ? -1 : 0;
}

static int compare_pair(struct work *w, struct heft_diff_item *it, const struct weight *a, const struct weight *b)
{
	const struct heft_model *const model[2] = { w->side[0].model, w->side[1].model };
	const struct weight *const weight[2] = { a, b };
	uint64_t bytes = stored_bytes(a) + stored_bytes(b), done = w->pace.done, tiles;
	struct diff_pair p;

	if (diff_pair_init(&p, model, weight, w->err))
		return -1;
	it->error.count = p.plan[0].count;
	tiles = p.plan[0].count / TILE_ELEMENTS + (p.plan[0].count % TILE_ELEMENTS > 0);
	for (uint64_t t = 0; t < tiles; t += BATCH) {
		double part = (double)t / (double)tiles;

		w->pace.done = done + (uint64_t)((double)bytes * part);
		pace_tell(&w->pace, it->name);
		if (stopped(w) || compare_batch(w, &p, t, tiles - t < BATCH ? (int)(tiles - t) : BATCH, &it->error))
			return -1;
	}
	w->pace.done = done + bytes;
	return 0;
}

static int compare_all(struct work *w)
{
	struct heft_diff *d = &w->diff->pub;

	for (size_t i = 0; i < d->n_items; i++) {
		struct heft_diff_item *it = &d->item[i];

		if (!it->name_a || !it->name_b || it->shapes_differ)
			continue;
		if (compare_pair(w, it, find_weight(&w->side[0], it->name), find_weight(&w->side[1], it->name)))
			return -1;
		heft_error_add(&d->total, &it->error);
	}
	pace_last(&w->pace, "");
	return stopped(w);
}

void heft_diff_free(struct heft_diff *d)
{
	if (d)
		arena_free(((struct diff *)d)->arena);
}

int heft_diff(struct heft_diff **out, struct heft_model *a, struct heft_model *b, const struct heft_diff_options *o,
	      struct heft_err *err)
{
	static const struct heft_diff_options none;
	struct arena *arena = arena_new();
	struct work w = { .options = o ? o : &none, .err = err };
	int rc;

	w.diff = arena_alloc(arena, sizeof *w.diff);
	w.diff->arena = arena;
	w.threads = w.options->threads > 0 ? w.options->threads : heft_default_threads();
	w.pace = (struct pace){ .progress = w.options->progress, .ctx = w.options->ctx, .begun = pace_clock() };
	map_init(&w.side[0].by_name);
	map_init(&w.side[1].by_name);
	rc = resolve(&w, a, b);
	if (!rc) {
		list_items(&w);
		rc = compare_all(&w);
	}
	map_release(&w.side[0].by_name);
	map_release(&w.side[1].by_name);
	*out = rc ? NULL : &w.diff->pub;
	if (rc)
		arena_free(arena);
	return rc;
}
