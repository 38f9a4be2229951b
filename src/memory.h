/*
 * memory.h - the inside of heft_memory.h: the shape of a model as its metadata tells it, and the caches and buffers that follow from it.
 */
#ifndef MEMORY_H
#define MEMORY_H

#include "heft_memory.h"

#include "../base/arena.h"

/* What llama.cpp knows of a family that no key says. */
struct memory_family {
	const char *arch;
	enum { MEMORY_ATTENDS, MEMORY_ENCODER, MEMORY_RECURRENT } kind; /* an encoder keeps nothing, a recurrent model only states */
	enum { STATE_NONE, STATE_NO_HEADS, STATE_NO_HEADS_NO_FF, STATE_ALL, STATE_BUT_EVERY } state; /* which layers of a hybrid have a state */
	uint32_t window;      /* where no key says one: tokens */
	uint32_t period;      /* where no key says which: every so-manieth layer has no window; 0: no layer has one */
	bool dense_first;     /* of each period the first has none, not the last */
	bool ignores_window;  /* the key is there, llama.cpp does not use it */
	bool fixed_window;    /* `window`, whatever number the key says; 0 there: none */
	bool biased;          /* attention has a bias for each pair of tokens, so that flash attention cannot be */
	bool window_said;     /* only where the key is there */
	uint32_t only_layers; /* only models of so many layers have windows; 0: all */
	uint32_t own_caches;  /* where attention.shared_kv_layers is missing: so many layers have a cache, those behind them share; 0: all */
};
const struct memory_family *memory_family_find(const char *arch); /* never NULL: the plain one */

struct memory_layer {
	uint32_t heads, kv_heads, ff;
	bool window, recurrent, attends;
};

struct memory_shape {
	const struct memory_family *family;
	const char *arch;
	struct memory_layer *layer;
	uint32_t n_layers, n_extra; /* n_extra: of these, the last, which predict further tokens */
	uint32_t embedding, vocabulary, trained, window;
	uint32_t key, value, key_window, value_window; /* numbers of a head */
	uint32_t latent;            /* there are latents: the rank of the compressed values; 0: none */
	uint32_t own_caches;
	uint32_t indexer;           /* numbers of an indexer's key; 0: none */
	uint64_t state_conv, state; /* numbers of a recurrent layer's */
	uint32_t experts_used, expert_ff, shared_ff;
};

/* memory_keys.c */
int memory_shape_read(struct memory_shape *s, const struct heft_kv *kv, size_t n_kv, struct arena *a, struct heft_err *err);
/* memory_compute.c */
void memory_compute(struct heft_memory *m, const struct memory_shape *s, const struct heft_memory_options *o);

#endif
