/*
 * memory_compute.c - buffers of a computation, as a range. What a graph needs depends on the backend and on how its allocator lets tensors
 * share memory; the largest of them are known, though, and hold for every backend:
 *
 *	logits       ubatch * vocabulary * 4
 *	activations  ubatch * embedding * 4, a few of them at once
 *	feed-forward ubatch * width * 4, gate and up; of all experts that a token is sent to
 *	mask         ubatch * context * 2 (F32 without flash attention)
 *	scores       ubatch * context * heads * 4, only without flash attention
 *
 * At least, the largest stage stands alone; at most, all of them lie side by side.
 */
#include "memory.h"

static uint64_t most_of(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

struct widest {
	uint64_t ff, heads, attention, mask;
};

static struct widest widest(const struct heft_memory *m, const struct memory_shape *s, const struct heft_memory_options *o)
{
	struct widest w = { .ff = (uint64_t)s->experts_used * s->expert_ff + s->shared_ff };
	uint64_t full = 0, window = 0;

	for (uint32_t i = 0; i < s->n_layers; i++) {
		const struct memory_layer *l = &s->layer[i];

		w.ff = most_of(w.ff, l->ff);
		w.heads = most_of(w.heads, l->attends ? l->heads : 0);
		if (m->layer[i].kind == HEFT_CACHE_FULL)
			full = m->layer[i].cells;
		if (m->layer[i].kind == HEFT_CACHE_WINDOW)
			window = m->layer[i].cells;
	}
	w.mask = s->family->kind == MEMORY_ENCODER ? 2 * (uint64_t)o->ubatch : full + window;
	w.attention = w.heads * ((uint64_t)s->key + s->value);
	return w;
}

void memory_compute(struct heft_memory *m, const struct memory_shape *s, const struct heft_memory_options *o)
{
	const struct widest w = widest(m, s, o);
	uint64_t unit = (uint64_t)o->ubatch * sizeof(float), logits = unit * s->vocabulary, embedding = unit * s->embedding;
	uint64_t ff = 2 * unit * w.ff, attention = unit * w.attention, mask = unit * w.mask / 2, state = unit * s->state_conv;

	m->compute_least = (s->family->kind == MEMORY_ENCODER ? ff : most_of(logits, ff)) + embedding; /* an encoder may have no head */
	m->compute_most = logits + ff + 8 * embedding + attention + 2 * mask + 4 * state + 12 * unit * s->indexer;
	m->assumes = "512 tokens at a time, flash attention";
	if (s->family->biased)
		m->compute_most += mask + 4 * unit * w.mask * w.heads;
	if (o->no_flash) {
		m->compute_least = most_of(m->compute_least, unit * w.mask * w.heads);
		m->compute_most += mask + 2 * unit * w.mask * w.heads;
		m->assumes = "no flash attention";
	} else if (o->ubatch != 512) {
		m->assumes = "flash attention";
	}
}
