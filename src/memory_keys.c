/*
 * memory_keys.c - reads the shape of a model from GGUF metadata, with the defaults of llama.cpp where a key is missing. The keys come from a
 * file: numbers are bounded before anything is multiplied.
 */
#include "memory.h"

#include <stdio.h>
#include <string.h>

#include "../base/err.h"
#include "kv.h"

#define LAYERS_MAX 4096      /* llama.cpp: 512 */
#define NUMBER_MAX (1 << 28) /* of widths, heads, tokens: products of three stay below 2^63 with LAYERS_MAX */

struct reading {
	const struct heft_kv *kv;
	size_t n;
	const char *arch;
	struct heft_err *err;
	bool bad;
};

static const struct heft_value *find(const struct reading *r, const char *name)
{
	char key[192];

	snprintf(key, sizeof key, "%s.%s", r->arch, name);
	return kv_find(r->kv, r->n, key);
}

/* Element i of a number, a flag or a list of such; false where there is none. Negative numbers are what the list has for "none". */
static bool element(const struct heft_value *v, uint64_t i, uint64_t *out)
{
	int64_t n = 0;

	if (!v || (v->array && i >= v->count))
		return false;
	switch (v->type) {
	case HEFT_U8: n = v->array ? ((const uint8_t *)v->data)[i] : (int64_t)v->u; break;
	case HEFT_BOOL: n = v->array ? ((const uint8_t *)v->data)[i] : v->b; break;
	case HEFT_U16: n = v->array ? ((const uint16_t *)v->data)[i] : (int64_t)v->u; break;
	case HEFT_U32: n = v->array ? ((const uint32_t *)v->data)[i] : (int64_t)v->u; break;
	case HEFT_U64: n = v->array ? ((const int64_t *)v->data)[i] : (int64_t)v->u; break;
	case HEFT_I8: n = v->array ? ((const int8_t *)v->data)[i] : v->i; break;
	case HEFT_I16: n = v->array ? ((const int16_t *)v->data)[i] : v->i; break;
	case HEFT_I32: n = v->array ? ((const int32_t *)v->data)[i] : v->i; break;
	case HEFT_I64: n = v->array ? ((const int64_t *)v->data)[i] : v->i; break;
	default: return false;
	}
	*out = n < 0 ? 0 : (uint64_t)n;
	return true;
}

/* Of layer i, where the key holds a list; one number holds for all. */
static uint32_t number_at(struct reading *r, const char *name, uint64_t i, uint32_t otherwise)
{
	const struct heft_value *v = find(r, name);
	uint64_t n;

	if (!element(v, v && v->array ? i : 0, &n))
		return otherwise;
	if (n > NUMBER_MAX && !r->bad) {
		r->bad = true;
		heft_fail(r->err, HEFT_E_CONFIG, "%s.%s is %llu: no model has that much", r->arch, name, (unsigned long long)n);
	}
	return n > NUMBER_MAX ? 0 : (uint32_t)n;
}

static uint32_t number(struct reading *r, const char *name, uint32_t otherwise)
{
	return number_at(r, name, 0, otherwise);
}

/* ---- layers ---- */

/* attention.sliding_window_pattern is a period or a flag for each layer. */
static void read_windows(struct reading *r, struct memory_shape *s)
{
	const struct memory_family *f = s->family;
	const struct heft_value *pattern = find(r, "attention.sliding_window_pattern");
	uint32_t period = pattern && !pattern->array ? number(r, "attention.sliding_window_pattern", 0) : f->period;

	s->window = number(r, "attention.sliding_window", f->window_said ? 0 : f->window);
	if (f->ignores_window || (f->only_layers && s->n_layers != f->only_layers))
		s->window = 0;
	if (f->fixed_window && s->window)
		s->window = f->window;
	for (uint32_t i = 0; i < s->n_layers && s->window; i++)
		s->layer[i].window = pattern && pattern->array ? number_at(r, "attention.sliding_window_pattern", i, 0) != 0
				     : period && i % period != (f->dense_first ? 0 : period - 1);
}

static void read_states(struct reading *r, struct memory_shape *s)
{
	const struct memory_family *f = s->family;
	uint32_t every = number(r, "full_attention_interval", 4);

	for (uint32_t i = 0; i < s->n_layers; i++) {
		struct memory_layer *l = &s->layer[i];
		bool said = find(r, "attention.recurrent_layers") != NULL;

		l->recurrent = f->kind == MEMORY_RECURRENT || f->state == STATE_ALL ||
			       (f->state == STATE_NO_HEADS && !l->kv_heads) || (f->state == STATE_NO_HEADS_NO_FF && !l->kv_heads && !l->ff) ||
			       (f->state == STATE_BUT_EVERY && (said ? number_at(r, "attention.recurrent_layers", i, 0) : !every || (i + 1) % every));
		l->attends = f->kind == MEMORY_ATTENDS && l->kv_heads && (!l->recurrent || f->state == STATE_ALL);
		if (i >= s->n_layers - s->n_extra) /* a draft's own context keeps them */
			l->recurrent = l->attends = false;
	}
}

static void read_layers(struct reading *r, struct memory_shape *s, struct arena *a)
{
	s->layer = arena_array(a, s->n_layers, sizeof *s->layer);
	for (uint32_t i = 0; i < s->n_layers; i++) {
		struct memory_layer *l = &s->layer[i];

		l->heads = number_at(r, "attention.head_count", i, 0);
		l->kv_heads = number_at(r, "attention.head_count_kv", i, l->heads);
		l->ff = number_at(r, "feed_forward_length", i, 0);
	}
	read_windows(r, s);
	read_states(r, s);
}

/* ---- widths ---- */

static void read_heads(struct reading *r, struct memory_shape *s)
{
	uint32_t heads = number(r, "attention.head_count", 0), plain = heads ? s->embedding / heads : 0;

	s->key = number(r, "attention.key_length", plain);
	s->value = number(r, "attention.value_length", plain);
	s->key_window = number(r, "attention.key_length_swa", s->key);
	s->value_window = number(r, "attention.value_length_swa", s->value);
	if (number(r, "attention.key_length_mla", 0) && number(r, "attention.value_length_mla", 0))
		s->latent = number(r, "attention.kv_lora_rank", 0);
}

/* Numbers of a state: RWKV's, a short convolution's, Kimi's delta attention, Mamba's. */
static void read_state(struct reading *r, struct memory_shape *s)
{
	uint64_t wkv = number(r, "wkv.head_size", 0), kda = number(r, "kda.head_dim", 0), taps = number(r, "ssm.conv_kernel", 0);
	uint64_t inner = number(r, "ssm.inner_size", 0), state = number(r, "ssm.state_size", 0), groups = number(r, "ssm.group_count", 0);
	uint64_t shortconv = number(r, "shortconv.l_cache", 0), heads = number(r, "attention.head_count", 0);

	s->state = state * inner;
	s->state_conv = taps ? (taps - 1) * (inner + 2 * groups * state) : 0;
	if (kda) {
		s->state = kda * kda * heads;
		s->state_conv = 3 * (taps ? taps - 1 : 3) * heads * kda;
	}
	if (shortconv)
		s->state_conv = s->embedding * (shortconv - 1);
	if (wkv) {
		s->state = s->embedding * wkv;
		s->state_conv = (uint64_t)number(r, "token_shift_count", 2) * s->embedding;
	}
}

static uint32_t vocabulary(struct reading *r)
{
	const struct heft_value *tokens = kv_find(r->kv, r->n, "tokenizer.ggml.tokens");
	uint32_t n = number(r, "vocab_size", 0);

	return tokens && tokens->array && tokens->count <= NUMBER_MAX ? (uint32_t)tokens->count : n;
}

int memory_shape_read(struct memory_shape *s, const struct heft_kv *kv, size_t n_kv, struct arena *a, struct heft_err *err)
{
	struct reading r = { .kv = kv, .n = n_kv, .err = err, .arch = kv_string(kv, n_kv, "general.architecture") };
	uint32_t shared;

	*s = (struct memory_shape){ 0 };
	if (!r.arch)
		return heft_fail(err, HEFT_E_FAMILY, "its family is not known (no general.architecture), so nothing can be said of its cache");
	s->arch = arena_strdup(a, r.arch);
	s->family = memory_family_find(s->arch);
	s->n_layers = number(&r, "block_count", 0) * number(&r, "num_loops", 1); /* layers that are gone through again have a cache again */
	if (s->n_layers > LAYERS_MAX)
		return heft_fail(err, HEFT_E_CONFIG, "%s.block_count is %u: more than %d", r.arch, s->n_layers, LAYERS_MAX);
	s->n_extra = number(&r, "nextn_predict_layers", 0);
	s->n_extra = s->n_extra < s->n_layers ? s->n_extra : 0;
	s->embedding = number(&r, "embedding_length", 0);
	s->vocabulary = vocabulary(&r);
	s->trained = number(&r, "context_length", 0);
	s->indexer = number(&r, "attention.indexer.key_length", 0);
	s->experts_used = number(&r, "expert_used_count", 0);
	s->expert_ff = number(&r, "expert_feed_forward_length", 0);
	s->shared_ff = number(&r, "expert_shared_feed_forward_length", 0);
	read_heads(&r, s);
	read_state(&r, s);
	read_layers(&r, s, a);
	shared = number(&r, "attention.shared_kv_layers", 0);
	s->own_caches = find(&r, "attention.shared_kv_layers") && shared < s->n_layers ? s->n_layers - shared : s->family->own_caches;
	if (!s->own_caches || s->own_caches > s->n_layers)
		s->own_caches = s->n_layers;
	return r.bad ? -1 : 0;
}
