/*
 * memory.c - the cache of keys, values and states that llama.cpp keeps for a model, layer by layer.
 *
 *	               cells                                       numbers of a cell
 *	full           context                                     key * kv_heads, value * kv_heads
 *	window         pad(min(context, window + ubatch), 256)     the same, with the window's head sizes
 *	latent         context                                     rank + rotated part, nothing for values
 *	state          one for each sequence                       F32: (taps - 1) * channels, and the state itself
 */
#include "memory.h"

#include <string.h>

#include "../base/err.h"
#include "../quant/quant.h"

#define PAD 256     /* llama_context: n_ctx; llama_kv_cache_iswa: size_swa */
#define UBATCH 512  /* --ubatch-size */
#define MOST_TOKENS (1ull << 28)

static uint64_t padded(uint64_t n)
{
	return (n + PAD - 1) / PAD * PAD;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* ---- options ---- */

static const char *const types[] = { "f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl" };

const struct heft_encoding *heft_memory_type(const char *name)
{
	const struct heft_encoding *e = quant_find(name);

	for (size_t i = 0; e && i < sizeof types / sizeof *types; i++)
		if (!strcmp(e->name, types[i]))
			return e;
	return NULL;
}

/* What was left open is decided. */
static int settle(struct heft_memory_options *o, const struct memory_shape *s, struct heft_err *err)
{
	o->k = o->k ? o->k : quant_find("f16");
	o->v = o->v ? o->v : quant_find("f16");
	o->ubatch = o->ubatch ? o->ubatch : UBATCH;
	o->sequences = o->sequences ? o->sequences : 1;
	o->context = padded(o->context ? o->context : s->trained ? s->trained : 4096);
	if (o->context > MOST_TOKENS || o->ubatch > (1 << 20) || o->sequences > 256)
		return heft_fail(err, HEFT_E_OPTION, "a context of %llu tokens, %u at a time, for %u sequences: more than llama.cpp takes",
				 (unsigned long long)o->context, o->ubatch, o->sequences);
	if (o->no_flash && !s->latent && o->v->block > 1)
		return heft_fail(err, HEFT_E_OPTION, "values in %s need flash attention: llama.cpp refuses them without", o->v->name);
	return 0;
}

/* llama_context: a head's numbers must be whole blocks. */
static int check_block(const struct heft_encoding *e, uint32_t head, const char *what, struct heft_err *err)
{
	if (!head || head % e->block == 0)
		return 0;
	return heft_fail(err, HEFT_E_OPTION, "%s in %s: heads have %u numbers, which are no blocks of %u; take f16", what, e->name, head, e->block);
}

static int check_blocks(const struct memory_shape *s, const struct heft_memory_options *o, struct heft_err *err)
{
	if (s->family->kind != MEMORY_ATTENDS)
		return 0;
	if (check_block(o->k, s->key, "keys", err) || check_block(o->k, s->key_window, "keys", err))
		return -1;
	return s->latent ? 0 : check_block(o->v, s->value, "values", err) || check_block(o->v, s->value_window, "values", err) ? -1 : 0;
}

/* ---- layers ---- */

static uint64_t bytes_of(const struct heft_encoding *e, uint64_t width, uint64_t cells)
{
	uint64_t n = 0;

	return width && quant_plane_size(e, 0, cells, width, &n) ? n : 0;
}

/* Without flash attention values lie turned, all layers as wide as the widest. */
static uint64_t widest_value(const struct memory_shape *s)
{
	uint64_t most = 0;

	for (uint32_t i = 0; i < s->n_layers; i++) {
		uint64_t n = (uint64_t)s->layer[i].kv_heads * (s->layer[i].window ? s->value_window : s->value);

		most = n > most ? n : most;
	}
	return most;
}

static void attend(struct heft_cache_layer *c, const struct memory_shape *s, uint32_t i, const struct heft_memory_options *o)
{
	const struct memory_layer *l = &s->layer[i];
	uint64_t cells = l->window && !o->full_window ? padded(least(o->context, (uint64_t)s->window + o->ubatch)) : o->context;

	c->kind = l->window ? HEFT_CACHE_WINDOW : HEFT_CACHE_FULL;
	c->latent = s->latent != 0;
	c->cells = cells * o->sequences;
	c->k_width = (uint64_t)l->kv_heads * (l->window ? s->key_window : s->key);
	c->v_width = c->latent ? 0 : o->no_flash ? widest_value(s) : (uint64_t)l->kv_heads * (l->window ? s->value_window : s->value);
	c->k_bytes = bytes_of(o->k, c->k_width, c->cells);
	c->v_bytes = bytes_of(o->v, c->v_width, c->cells);
	c->index_bytes = bytes_of(o->k, s->indexer, c->cells);
}

static void cache_layer(struct heft_cache_layer *c, const struct memory_shape *s, uint32_t i, const struct heft_memory_options *o)
{
	const struct memory_layer *l = &s->layer[i];

	if (l->recurrent)
		c->state_bytes = (s->state_conv + s->state) * sizeof(float) * o->sequences;
	if (!l->attends)
		return;
	if (i < s->own_caches) {
		attend(c, s, i, o);
	} else {
		c->kind = HEFT_CACHE_SHARED;
		c->of = s->own_caches - (l->window && s->own_caches > 1 ? 2 : 1);
	}
}

static void add_up(struct heft_memory *m)
{
	for (size_t i = 0; i < m->n_layers; i++) {
		m->k_bytes += m->layer[i].k_bytes;
		m->v_bytes += m->layer[i].v_bytes;
		m->index_bytes += m->layer[i].index_bytes;
		m->state_bytes += m->layer[i].state_bytes;
	}
	m->cache_bytes = m->k_bytes + m->v_bytes + m->index_bytes + m->state_bytes;
}

int heft_memory_of(struct heft_memory *out, const struct heft_kv *kv, size_t n_kv, const struct heft_memory_options *options, struct heft_err *err)
{
	struct heft_memory_options o = options ? *options : (struct heft_memory_options){ 0 };
	struct memory_shape s;

	*out = (struct heft_memory){ .arena = arena_new() };
	if (memory_shape_read(&s, kv, n_kv, out->arena, err) || settle(&o, &s, err))
		return -1;
	if (check_blocks(&s, &o, err))
		return -1;
	if (!s.vocabulary)
		s.vocabulary = o.vocabulary;
	out->family = s.arch;
	out->context = o.context;
	out->trained = s.trained;
	out->n_layers = s.n_layers;
	out->n_extra = s.n_extra;
	out->layer = arena_array(out->arena, s.n_layers, sizeof *out->layer);
	for (uint32_t i = 0; i < s.n_layers; i++)
		cache_layer(&out->layer[i], &s, i, &o);
	add_up(out);
	memory_compute(out, &s, &o);
	return 0;
}

void heft_memory_release(struct heft_memory *m)
{
	arena_free(m->arena);
	*m = (struct heft_memory){ 0 };
}
