/*
 * lora.h - low-rank adapters: two thin matrices beside a weight, which stands for W + s * B * A with them.
 *
 *   lora.c          an adapter's files: which weight each of its tensors speaks of
 *   lora_scale.c    what s is
 *   lora_convert.c  an adapter as a GGUF adapter, by the base model's family
 *   lora_merge.c    adapters into the tensors of a base model
 *   lora_values.c   numbers of such a tensor
 *
 *                        A [r, in]      B [out, r]     magnitude [out] (DoRA)
 *   PEFT                 M.lora_A.weight, M.lora_B.weight, M.lora_magnitude_vector, M a module behind "base_model.model."
 *   PEFT, embeddings     M.lora_embedding_A, M.lora_embedding_B; the weight is [in, out]
 *   MLX                  M.lora_a [in, r], M.lora_b [r, out], M.m
 *   GGUF                 T.lora_a, T.lora_b, T a tensor's name; token_embd.weight.lora_a [in, r]
 *
 * Sources: PEFT's save_and_load.py, lora/layer.py, lora/dora.py; mlx-lm's tuner; llama.cpp's llama-adapter.cpp.
 */
#ifndef LORA_H
#define LORA_H

#include "../base/json.h"
#include "family.h"

#include <pthread.h>

/* ---- an adapter as it is stored ---- */

enum lora_kind { LORA_PEFT, LORA_MLX, LORA_GGUF };

struct lora_pair {            /* the tensors of one weight */
	const char *target;   /* the weight's name */
	const struct heft_tensor *a, *b, *magnitude; /* magnitude NULL: no DoRA */
	bool a_turned, b_turned; /* stored the other way round than above */
	bool embedding;
	uint64_t matrices, rank, in, out; /* matrices: of experts that lie together; else 1 */
	double scale;         /* s */
};

struct lora_whole {           /* a tensor that takes the place of the base model's */
	const char *target;
	const struct heft_tensor *tensor;
	bool base;            /* the weight under an adapter, stored beside it */
};

struct lora_adapter {
	enum lora_kind kind;
	const char *dir;      /* of the adapter's files, or NULL */
	struct json_doc *config; /* NULL: GGUF */
	double alpha;         /* of the whole: s of a pair whose rank is r is alpha / r where nothing else is said */
	bool fan_in_fan_out;  /* where a square weight does not tell: it is [in, out] */
	struct lora_pair *pair;
	size_t n_pairs;
	struct lora_whole *whole;
	size_t n_wholes;
};

/* The file of an adapter's directory that holds its tensors; the path itself where it is no directory; NULL with *err where there is none. */
const char *lora_file(const char *path, struct arena *a, struct heft_err *err);
/* Reads what the tensors of a model that was opened as stored are as an adapter. lora_release() it, also where that failed. */
int lora_read(struct lora_adapter *out, const struct heft_model *m, struct arena *a, struct heft_err *err);
void lora_release(struct lora_adapter *x);
/* The same of tensors at hand: x has kind, dir and config. */
int lora_understand(struct lora_adapter *x, const struct heft_model *m, struct arena *a, struct heft_err *err);
int lora_scales(struct lora_adapter *x, const struct heft_model *m, struct arena *a, struct heft_err *err);

/* ---- convert ---- */

/* The GGUF adapter: weights and metadata. m->dir is the base model's directory. */
int lora_family(struct family *out, struct heft_model *m, const struct family_options *o, struct arena *a, struct sink *sink,
		struct heft_err *err);

/* ---- merge ---- */

struct lora_term {            /* what one adapter adds to a tensor */
	const struct heft_tensor *a, *b;
	const float *magnitude; /* DoRA: of each output; else NULL */
	bool a_turned, b_turned;
	bool turned;          /* the tensor is [in, out] */
	uint64_t rank;
	float scale;
	float *norm;          /* DoRA: of each output, the length of its weights; made when first asked for */
	bool has_norm;
};

struct lora {                 /* of a tensor: heft_tensor.lora */
	uint64_t matrices, rows, cols;
	struct lora_term *term; /* in the order in which they are merged */
	size_t n, cap;
};

struct lora_scratch {         /* of one thread; zero-initialise */
	const struct heft_tensor *of;
	uint64_t matrix, matrices; /* that right is of */
	float *right;         /* of all terms, rank x cols for each matrix */
	size_t n_right;
	float *left;          /* of all terms, rows x rank */
	size_t n_left;
	float *turning;
	size_t n_turning;
	void *bytes;
	size_t n_bytes;
};
void lora_scratch_release(struct lora_scratch *s);

/* v has elements element .. element+n of the tensor without its adapters; now with them. */
int lora_add(const struct heft_model *m, const struct heft_tensor *t, uint64_t element, size_t n, float *v, struct lora_scratch *s,
	     struct heft_err *err);

#endif
