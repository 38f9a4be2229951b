/*
 * target.h - what a runtime wants: container, stored types, metadata and file names.
 */
#ifndef TARGET_H
#define TARGET_H

#include "../../base/arena.h"
#include "../../base/err.h"
#include "../../base/json.h"
#include "../../base/nest.h"
#include "../op.h"
#include "linear.h"
#include "scheme.h"

/* Facts of a model that conventions depend on. */
struct target_model {
	const char *type; /* model_type; NULL: it is not told */
	uint64_t layers;  /* 0: the same */
};

/* A module that is to be stored. */
struct target_module {
	const char *name;
	const struct heft_encoding *from; /* of what it is made */
	const char *how;                  /* of the family's `quant` row, or NULL */
	unsigned bits;                    /* of integers that it is made of already, and which may stay; 0: none */
};

/* What one runtime wants, as far as it is not code. */
struct target {
	const char *name;   /* as --to takes it */
	const char *format; /* of the container: formats/list.h */
	bool keeps_names;   /* the source's own names, shapes and metadata: no family, no recipe */
	bool experts;       /* of the weights only experts are quantized, each projection's as one tensor: gpt-oss */
	bool groups;        /* the columns of a group are the user's choice */
	/* How a Linear's matrix is stored, and what config.json says of that; NULL: as any other tensor. `stays`: the modules that are not. */
	int (*scheme)(struct scheme *s, const struct scheme_options *o, struct arena *a, struct heft_err *err);
	void (*config)(struct jbuf *b, const struct scheme *s, const struct scheme_names *stays);
	/* The same where modules are stored as several targets with this very function have them; NULL: it goes with no other. */
	void (*mix)(struct jbuf *b, const struct scheme_use *use, size_t n, const struct scheme_names *stays);
	const char *recipe;     /* of a mixed type: whose rows say which modules have another (recipe_of_modules()); or NULL */
	const char *candidates; /* for a size: words of --tensor-type apart by commas, and keep; NULL: none can be asked for, or it is GGUF's affair */
	/* What -t and --tensor-type call one of several that this stands for; NULL: it is none of them. *real: the float type that it names, if any. */
	const struct target *(*typed)(const char *type, const struct heft_encoding **real);
	const char *(*type_at)(size_t i); /* their names, short ones first; NULL past the end */
	/* Conventions of its own about modules, instead of linear_kind()'s; and how a module is stored: this target, or another. */
	enum linear (*kind)(const char *name, int rank, const struct target_model *m, const char **why);
	const struct target *(*module)(const struct target *t, const struct target_module *module, const struct target_model *m); /* NULL: it stays */
	const char *section; /* of families' files: rows that name weights as this runtime does; NULL: names stay */
	bool stacks;      /* experts of a layer are one tensor for each projection */
	bool indexed;     /* an index stands beside a single part, too */
	bool group_fixed; /* it keeps its own where modules of several targets are of a size that the user chooses */
	const char *config_too; /* a second member of config.json that says the same as quantization_config */
	const char *side_name; /* of a file that says the same beside config.json, or NULL; side: where it says it in another way */
	void (*side)(struct jbuf *b, const struct scheme *s, const struct scheme_names *stays);
};
const struct target *target_find(const char *name); /* NULL gives the default; a name that is not known gives NULL */

/* How a metadata key is typed in GGUF. Families give numbers; the key decides what they become. */
enum key_type {
	KEY_U32, KEY_F32, KEY_BOOL, KEY_STRING, KEY_I32_ARRAY, KEY_F32_ARRAY, KEY_BOOL_ARRAY, KEY_STRING_ARRAY,
	KEY_U32_OR_ARRAY, /* scalar u32, or i32 per layer */
	KEY_U32_OR_BOOLS, /* scalar u32, or bool per layer */
	KEY_I32, KEY_U16, KEY_U8_ARRAY,
	KEY_UNKNOWN,
};
/* By the key without its "arch." prefix ("attention.head_count"), or complete for general.* and tokenizer.*. */
enum key_type llamacpp_key_type(const char *key);

/* general.* metadata of a Hugging Face checkpoint, as the reference collects it: --metadata file, model card
 * (README.md), directory name, config, generation_config (general.sampling.*). */
struct general_input {
	const char *dir;            /* NULL: a lone file */
	const char *model_path;     /* as the user gave it: the name of last resort */
	const char *metadata_file, *model_name;
	const struct json *config;
	const struct weight *weight; /* for size_label and parameter counts */
	size_t n_weights;
	const char *arch;
	bool adapter;   /* the weights are what an adapter changes */
	bool projector; /* they are of the part of a model that sees */
};
int llamacpp_general(const struct general_input *in, struct heft_kv **kv, size_t *n, struct arena *a,
		     struct heft_err *err);

/* The same read backwards: a model card that says it, and generation_config.json's members. The card has no bytes where there is nothing
 * to say. */
void llamacpp_general_back(const struct heft_kv *kv, size_t n, struct heft_str *card, struct nest *generation, struct arena *a);

/* Elements of a set of output tensors, by GGUF names and shapes, as the reference counts them. Begin with zeros. */
struct param_count {
	uint64_t total;
	uint64_t shared, expert;    /* outside of experts; of one expert, over all layers */
	uint64_t expert_sum, expert_tensors; /* their quotient is the number of experts */
};
void llamacpp_count(struct param_count *c, const char *name, const struct shape *s);
uint64_t llamacpp_experts(const struct param_count *c);
/* "8B", "1.2M", "8x22B" */
const char *llamacpp_size_label(const struct param_count *c, struct arena *a);

/* Metadata of a GGUF that is quantized again: the input's, with the new file type, without the marks of a split set. */
void llamacpp_requantized(const struct heft_kv *in, size_t n, uint32_t file_type, struct heft_kv **out, size_t *n_out,
			  struct arena *a);

/* Is this output tensor always F32 (norms, routers, rank <= 1 ...)? By its GGUF name and shape. */
bool llamacpp_keeps_f32(const char *name, int rank);
/* Is it of a projector's tensors that are F16 in an F16 file and F32 in any other? */
bool llamacpp_keeps_float(const char *name);

/* Does an architecture, by its GGUF name, read a layer's query, key and value weights as one tensor; its experts' gate and up weights? */
bool llamacpp_has_qkv(const char *arch);
bool llamacpp_has_gate_up(const char *arch);

/* A file name as people name GGUF files: "Llama-3.1-8B-Instruct-Q4_K_M.gguf"; from general.*, else from the path. */
const char *llamacpp_file_name(const struct heft_kv *kv, size_t n, const char *model_path, const char *type,
			       struct arena *a);

#endif
