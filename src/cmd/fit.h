/*
 * fit.h - what the parts of `heft fit` share: a machine, what each way of storing a model needs on it, and how it gets there.
 */
#ifndef FIT_H
#define FIT_H

#include "cmd.h"
#include "heft_mac.h"
#include "heft_memory.h"

enum { FIT_GPUS_MAX = 16, FIT_OPTIONS = 256 };

struct fit_machine {
	uint64_t vram;      /* of each GPU; 0: there is none */
	uint64_t ram;       /* 0: not told, as much as it takes */
	uint64_t reserve;   /* of each GPU, kept free */
	uint32_t gpus;
	bool unified;       /* one memory for both: what is not on the GPU is in it, too */
	struct heft_mac mac;
};

/* Bytes of a GGUF by where llama.cpp puts them. */
struct fit_layer {
	uint64_t dense, experts, cache;
};
struct fit_parts {
	uint64_t input;     /* embeddings: on the CPU always */
	uint64_t output;    /* head and last norm; of a tied model a copy of the embeddings */
	bool tied;
	uint64_t unloaded;  /* layers that predict further tokens: llama.cpp passes over them */
	struct fit_layer *layer;
	uint32_t n_layers;
};

enum fit_way { FIT_WHOLE, FIT_EXPERTS, FIT_LAYERS, FIT_CPU, FIT_NOT };

struct fit_place {
	enum fit_way way;
	uint32_t gpu_layers;             /* -ngl: of n_layers + 1, the head is one */
	uint32_t cpu_experts;            /* layers whose experts are on the CPU */
	uint32_t split[FIT_GPUS_MAX];    /* layers of each GPU */
	uint64_t gpu[FIT_GPUS_MAX];      /* bytes on each, computing at most */
	uint64_t cpu;                    /* bytes */
	uint64_t whole;                  /* bytes that one GPU would need for all of it, the reserve included */
};

struct fit_row {
	const char *name;        /* recipe or target */
	bool target;             /* a directory for another runtime than llama.cpp */
	const char *failed;      /* why there is no such file; NULL: there is */
	uint64_t weights, file;  /* bytes: of tensors, of all; file 0: not known, the tokenizer lacks */
	uint64_t unloaded;       /* of the weights: see fit_parts */
	double bits;
	bool needs_imatrix;
	bool usual;              /* shown as text, and may be taken */
	struct fit_place place;
};

struct fit {
	struct heft_model *model;
	struct heft_facts facts;
	struct fit_machine machine;
	struct heft_memory_options options;
	struct heft_memory memory;
	struct fit_row *row;
	size_t n_rows;
	uint64_t elements;
	bool headers_only;       /* the tokenizer lacks */
	bool quantized;          /* a GGUF that is quantized already: it is what it is */
	const struct fit_row *take;
	const char *why;
};

/* fit_parts.c */
void fit_parts_init(struct fit_parts *p, const struct heft_output *o, const struct heft_memory *m);
void fit_parts_release(struct fit_parts *p);
/* fit_place.c */
void fit_place(struct fit_place *out, const struct fit_parts *p, const struct heft_memory *mem, const struct fit_machine *m);
void fit_place_target(struct fit_place *out, uint64_t weights, const struct heft_memory *mem, const struct fit_machine *m);
void fit_options(char out[FIT_OPTIONS], const struct fit *f, const struct fit_row *r); /* llama.cpp's */
void fit_choose(struct fit *f); /* sets take and why; NULL where nothing fits */
/* fit_text.c, fit_json.c */
void fit_text(const struct fit *f);
void fit_json(const struct fit *f);

#endif
