/*
 * plan_order.c - the order in which weights are read.
 *
 * To files, segments run in the order of their source bytes, so that a disk reads forward and a stream needs no memory but for rearranged
 * tensors. To a pipe they run in the order of the output, and so they do where digests are made on the way, but of a stream. A stream's bytes
 * wait in memory from when they pass until their last use.
 */
#include "model.h"
#include "plan.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Files that are parts of one stream (members of a packed archive) count as one. */
static void place_extent(const struct heft_model *m, const struct heft_extent *x, struct plan_segment *s)
{
	uint64_t begin = x->offset;
	uint32_t file = x->file;

	if (model_stream(m)) {
		source_stream_of(m->file[x->file].source, &begin);
		begin += x->offset;
		file = 0;
	}
	if (file < s->file || (file == s->file && begin < s->offset)) {
		s->file = file;
		s->offset = begin;
	}
	if (begin + x->size > s->end)
		s->end = begin + x->size;
}

/* A stream's codes and scales may lie far apart. */
static void place(const struct heft_model *m, const struct plan_weight *w, size_t from, size_t to, struct plan_segment *s)
{
	s->file = UINT32_MAX;
	for (size_t i = from; i < to; i++)
		for (int k = 0; k < w->weight->source[i]->n_planes; k++)
			if (!k || source_is_stream(m->file[0].source))
				place_extent(m, &w->weight->source[i]->plane[k], s);
	if (from == to)
		s->file = 0;
}

/* Do the sources follow one another in the output, each as it is? */
static bool in_pieces(const struct weight *w)
{
	return w->n_sources > 1 && !w->n_ops &&
	       (w->combine == COMBINE_STACK || (w->combine == COMBINE_JOIN && w->join_axis == 0));
}

/* Do its bytes stand in the file, all of them together? */
static bool one_run(const struct heft_tensor *t)
{
	return t->n_planes == 1 && !t->plane[0].made;
}

static void add_segments(struct heft_plan *p, size_t i)
{
	const struct plan_weight *w = &p->weight[i];
	size_t pieces = in_pieces(w->weight) && !plan_strip(p, i) ? w->weight->n_sources : 1;
	uint64_t first = 0;

	for (size_t k = 0; k < pieces; k++) {
		struct plan_segment *s = &p->segment[p->n_segments++];

		s->weight = i;
		s->first = first;
		s->straight = !w->weight->n_ops && (pieces > 1 || w->weight->n_sources == 1) &&
			      one_run(w->weight->source[pieces > 1 ? k : 0]);
		s->count = pieces > 1 ? heft_tensor_count(w->weight->source[k]) : w->tile.count;
		first += s->count;
		if (pieces > 1)
			place(p->model, w, k, k + 1, s);
		else
			place(p->model, w, 0, w->weight->n_sources, s);
	}
}

static int by_source(const void *a, const void *b)
{
	const struct plan_segment *x = a, *y = b;

	if (x->file != y->file)
		return x->file < y->file ? -1 : 1;
	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	if (x->weight != y->weight)
		return x->weight < y->weight ? -1 : 1;
	return x->first < y->first ? -1 : x->first > y->first;
}

/* From the end: the lowest source byte that this and later segments need. */
static void set_marks(struct heft_plan *p)
{
	uint64_t low = UINT64_MAX;

	for (size_t i = p->n_segments; i-- > 0;) {
		struct plan_segment *s = &p->segment[i];

		s->later = low;
		if (p->weight[s->weight].weight->n_sources && s->offset < low)
			low = s->offset;
	}
}

/* The most bytes of a stream that wait at one time. Straight copies are taken as they come, whatever their size. */
static uint64_t window(const struct heft_plan *p)
{
	uint64_t most = 0, seen = 0;

	for (size_t i = 0; i < p->n_segments; i++) {
		const struct plan_segment *s = &p->segment[i];
		uint64_t low = s->later;

		if (!p->weight[s->weight].weight->n_sources)
			continue;
		if (!s->straight && s->offset < low)
			low = s->offset;
		seen = s->end > seen ? s->end : seen;
		if (seen > low && seen - low > most)
			most = seen - low;
	}
	return most;
}

int plan_order(struct heft_plan *p, uint64_t spool, struct heft_err *err)
{
	size_t n = 0;
	bool pipe = p->digested && !model_stream(p->model);
	uint64_t need;

	for (size_t i = 0; i < p->n_weights; i++)
		n += in_pieces(p->weight[i].weight) ? p->weight[i].weight->n_sources : 1;
	p->segment = arena_array(p->arena, n, sizeof *p->segment);
	for (size_t i = 0; i < p->n_weights; i++)
		add_segments(p, i);
	for (size_t i = 0; i < p->n_outputs; i++)
		pipe |= p->output[i].to_stdout;
	if (!pipe)
		qsort(p->segment, p->n_segments, sizeof *p->segment, by_source);
	set_marks(p);
	if (!model_stream(p->model))
		return 0;
	need = window(p);
	if (need > spool)
		return heft_fail(err, HEFT_E_SPOOL,
				 "the stream's order needs %" PRIu64 " MiB of memory, --spool allows %" PRIu64 ": raise --spool or give a file",
				 (need + (1 << 20) - 1) >> 20, spool >> 20);
	return 0;
}
