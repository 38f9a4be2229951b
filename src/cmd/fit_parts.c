/*
 * fit_parts.c - the bytes of a GGUF by where llama.cpp puts them: what reads tokens stays on the CPU, layers go to GPUs one by one, the head
 * goes with the last. A model without output.weight has its embeddings twice where the head is on a GPU.
 */
#include "fit.h"

#include <stdlib.h>
#include <string.h>

static bool begins(const char *s, const char *with)
{
	return !strncmp(s, with, strlen(with));
}

/* "blk.12.attn_q.weight", "enc.blk.3.ffn_up.weight": the layer; false: of none. */
static bool layer_of(const char *name, uint32_t n_layers, uint32_t *out)
{
	const char *at = begins(name, "enc.") || begins(name, "dec.") ? name + 4 : name;
	unsigned long n;
	char *end;

	if (!begins(at, "blk."))
		return false;
	n = strtoul(at + 4, &end, 10);
	if (end == at + 4 || *end != '.' || n >= n_layers)
		return false;
	*out = (uint32_t)n;
	return true;
}

static bool is_input(const char *name)
{
	static const char *const names[] = { "token_embd", "per_layer_token_embd", "position_embd", "token_types" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (begins(name, names[i]))
			return true;
	return false;
}

void fit_parts_init(struct fit_parts *p, const struct heft_output *o, const struct heft_memory *m)
{
	uint64_t embeddings = 0;
	uint32_t l;

	*p = (struct fit_parts){ .n_layers = (uint32_t)m->n_layers, .tied = true };
	p->layer = need(calloc(m->n_layers + 1, sizeof *p->layer));
	for (size_t i = 0; i < o->n_items; i++) {
		const struct heft_item *it = &o->item[i];

		if (!layer_of(it->name, p->n_layers, &l))
			*(is_input(it->name) ? &p->input : &p->output) += it->size;
		else if (l >= m->n_layers - m->n_extra)
			p->unloaded += it->size;
		else
			*(strstr(it->name, "_exps") ? &p->layer[l].experts : &p->layer[l].dense) += it->size;
		if (!strcmp(it->name, "token_embd.weight"))
			embeddings = it->size;
		if (!strcmp(it->name, "output.weight"))
			p->tied = false;
	}
	if (p->tied)
		p->output += embeddings;
	for (uint32_t i = 0; i < p->n_layers; i++) {
		const struct heft_cache_layer *c = &m->layer[i];

		p->layer[i].cache = c->k_bytes + c->v_bytes + c->index_bytes + c->state_bytes;
	}
}

void fit_parts_release(struct fit_parts *p)
{
	free(p->layer);
}
