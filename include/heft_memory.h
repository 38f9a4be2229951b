/*
 * heft_memory.h - what a model takes in memory when llama.cpp runs it: weights, cache of keys and values, buffers of a computation. Beside
 * heft.h, whose rules of ownership, errors and threads it has. Nothing here reads a weight.
 *
 * The rules are those of llama.cpp 0.7.0 (llama_kv_cache, llama_kv_cache_iswa, llama_memory_recurrent, llama_hparams): the context is
 * rounded up to 256 tokens; a layer with a sliding window keeps window + ubatch tokens, rounded up to 256; multi-head latent attention
 * keeps one latent and no values; layers that share a cache keep none; a state of a recurrent layer is F32 and does not grow with the
 * context.
 */
#ifndef HEFT_MEMORY_H
#define HEFT_MEMORY_H

#include "heft.h"

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/* ---- words ----------------------------------------------------------------------------------------------------- */

/* A size of memory: "24G", "24GiB", "512M", "1.5T"; letters are powers of 1024, as llama.cpp's tools and the labels of cards have it ("GB" is
 * 1000^3). A number alone is bytes; less than 1 MiB is refused, since a unit was forgotten. */
int heft_memory_size(const char *s, uint64_t *out, struct heft_err *err);
/* A number of tokens: "4096", "32k" (32768). */
int heft_memory_tokens(const char *s, uint64_t *out, struct heft_err *err);

/* Type of the cache: "f16", "bf16", "f32", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl": what llama.cpp takes. */
const struct heft_encoding *heft_memory_type(const char *name); /* NULL: not one of them */

struct heft_memory_options {
	uint64_t context;                  /* tokens, of each sequence; 0: the model's own length */
	const struct heft_encoding *k, *v; /* types of the cache; NULL: f16 */
	uint32_t ubatch;                   /* tokens that are computed at a time; 0: 512, llama.cpp's */
	uint32_t sequences;                /* that are worked on at once, each with its own context; 0: 1 */
	uint32_t vocabulary;               /* words, where the metadata lacks the tokenizer: rows of token_embd.weight; 0: as it says */
	bool no_flash;                     /* without flash attention: values must be f16, bf16 or f32, and computing needs more */
	bool full_window;                  /* layers with a window keep all tokens: --swa-full */
};

/* "24G ctx=16k kv=q8_0": a size, then words in any order: ctx=TOKENS, kv=TYPE (k=, v= each), ubatch=N, seqs=N, fa=on|off. What is not said is
 * left as it is in *o. */
int heft_memory_parse(const char *text, uint64_t *size, struct heft_memory_options *o, struct heft_err *err);

/* ---- memory ---------------------------------------------------------------------------------------------------- */

enum heft_cache_kind {
	HEFT_CACHE_NONE,   /* nothing is kept: a feed-forward layer, an encoder */
	HEFT_CACHE_FULL,   /* every token of the context */
	HEFT_CACHE_WINDOW, /* those of a sliding window, or of a chunk */
	HEFT_CACHE_SHARED, /* the cache of layer `of` */
};

struct heft_cache_layer {
	enum heft_cache_kind kind;
	bool latent;               /* keys are a latent that values are made of, too */
	uint32_t of;               /* HEFT_CACHE_SHARED */
	uint64_t cells;            /* tokens that are kept, of all sequences */
	uint64_t k_width, v_width; /* numbers per token */
	uint64_t k_bytes, v_bytes;
	uint64_t index_bytes;      /* keys of an indexer of sparse attention */
	uint64_t state_bytes;      /* recurrent state: of the convolution and of the rest */
};

struct heft_memory {
	const char *family;
	uint64_t context;          /* tokens of a sequence, as llama.cpp rounds them */
	uint64_t trained;          /* the model's own length; 0: not told */
	struct heft_cache_layer *layer;
	size_t n_layers;
	size_t n_extra;            /* of these, the last: they predict further tokens, and nothing loads them but a draft of such tokens */
	uint64_t k_bytes, v_bytes, index_bytes, state_bytes;
	uint64_t cache_bytes;      /* all of these */
	uint64_t compute_least, compute_most; /* buffers of a computation on one device */
	const char *assumes;       /* what the range holds for, in words */
	struct arena *arena;
};

/* kv: metadata as a GGUF has it: of an output of a plan, or heft_model_facts(). HEFT_E_FAMILY where it names no architecture, HEFT_E_OPTION
 * for types that do not go with the model. out is to be released, also where it failed. */
int heft_memory_of(struct heft_memory *out, const struct heft_kv *kv, size_t n_kv, const struct heft_memory_options *o, struct heft_err *err);
void heft_memory_release(struct heft_memory *m);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
