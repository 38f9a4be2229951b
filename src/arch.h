/*
 * arch.h - families as text: reads src/arch/NAME.arch (or a file of the user's), evaluates it for one model.
 * The language is described in man/heft-arch.5.
 */
#ifndef ARCH_H
#define ARCH_H

#include "../base/json.h"
#include "op.h"

struct arch_set; /* all families: the compiled-in ones and at most one file of the user's */

/* arch_file NULL: only those compiled in. Families are parsed when they are first asked for. */
struct arch_set *arch_set_open(const char *arch_file, struct heft_err *err);
/* The same with the rows of another target: below `target NAME`, then those of the fragment NAME, which all families have there. */
struct arch_set *arch_set_open_target(const char *arch_file, const char *target, struct heft_err *err);
void arch_set_close(struct arch_set *s);
size_t arch_set_list(struct arch_set *s, struct heft_family *out, size_t cap); /* how many there are; abstract ones left out */

/* The text of a family, then of all that it inherits, each behind a comment that says where it is from. NULL with err; the caller frees it. */
char *arch_set_text(struct arch_set *s, const char *name, struct heft_err *err);
struct arch; /* one family, its bases resolved */
/* The family for a class name of config.json's "architectures"; NULL with err HEFT_E_FAMILY that names near matches. With a user's file, that
 * file's family is taken whatever the class. */
const struct arch *arch_find(struct arch_set *s, const char *class_name, struct heft_err *err);
/* The same among families that write the part of a model that sees or hears, for the class of arch_projector_class_of(). */
const struct arch *arch_find_projector(struct arch_set *s, const char *class_name, struct heft_err *err);
bool arch_is_projector(const struct arch *a);
/* For a set with another target's rows, by the class, or by model_type: what no family is for has the fragment's alone. config may be NULL. */
const struct arch *arch_find_target(struct arch_set *s, const struct json *config, struct heft_err *err);

/* Built-in families by number, in the order of arch_set_list without a user's file; NULL behind the last. */
const struct arch *arch_built_in(struct arch_set *s, size_t i, const char **name);

const struct arch *arch_built_in_for(struct arch_set *s, const char *class_name, const char **name); /* NULL: none */

/* What a family is evaluated against. */
struct arch_input {
	const struct json *config;         /* config.json's root */
	const char *dir;                   /* for file("name"); NULL: no files */
	const struct heft_tensor *tensor;  /* source tensors */
	size_t n_tensors;
	int64_t (*vocab_count)(void *ctx);              /* entries of the tokenizer; -1 unknown. Called only where a row asks. */
	int64_t (*vocab_id)(void *ctx, const char *text); /* -1: no such token */
	int64_t (*vocab_listed)(void *ctx); /* what tokenizer.json lists; -1: not asked of it. NULL: never */
	void *vocab;
	bool metadata_only;                /* key rows only: no mapping, nothing missing is an error (heft info) */
	bool partial;                      /* the tensors are some of a model's: what the rest needs is not asked for, nothing is generated */
	bool backwards;                    /* config is a GGUF's metadata: names are its keys, nothing is completed */
	const char *config_name;           /* for messages; NULL: config.json of dir */
	/* The values of a tensor, for small ones; NULL: tensors.values() has none. */
	int (*values)(void *ctx, const struct heft_tensor *t, float *out, struct heft_err *err);
	void *values_ctx;
	const char *const *option;         /* what `option.NAME` finds true, NULL-terminated; NULL: nothing was asked for */
};

/* vocab strategies, in order of trial: `vocab spm | spm_hf | bpe` */
struct arch_vocab {
	const char *strategy;
	const char *const *option; /* "add_space_prefix", "false", ... pairs, NULL-terminated */
};
struct arch_token { /* `token ROLE = E` */
	const char *role;
	int64_t id;
	bool unless_said; /* `token ROLE ?= E`: only where the checkpoint's own files name none */
};
struct arch_drop {
	const char *name, *why;
};

struct arch_member { /* of config.json */
	const char *key, *json; /* json NULL: it is taken out */
	bool if_absent;         /* what is there stays */
};

struct arch_use { /* a skip or map row, and how many sources it took; with several on one left side, each counts them */
	const char *file, *text;
	int line;
	size_t taken;
};

struct arch_result { /* all in the arena given */
	const char *name;          /* general.architecture */
	struct heft_kv *kv;        /* keys complete ("llama.block_count"); types by src/target's key table */
	size_t n_kv;
	struct weight *weight;     /* in the order of their first sources; generated ones first */
	size_t n_weights;
	struct arch_drop *drop;
	size_t n_drops;
	struct arch_vocab *vocab;
	size_t n_vocab;
	struct arch_token *token;
	size_t n_tokens;
	struct arch_member *member; /* of another target: what is to be said in config.json, or in the part of it that is of the text */
	size_t n_members;
	struct arch_use *use;      /* in the order they are tried; there even where findings were told */
	size_t n_uses;
	size_t n_taken;            /* sources that some row took */
	int64_t vocab_size;        /* rows that the tokenizer is padded to: the `vocab_size` row or the config's; -1 none */
	bool no_file_type;         /* `key general.file_type = null`: a file that is not quantized has none */
};

/* Evaluates. Unmapped tensors, two sources for one output, holes in the experts: all told to the sink, then -1. */
int arch_eval(const struct arch *a, const struct arch_input *in, struct arch_result *out, struct arena *arena,
	      struct sink *sink, struct heft_err *err);

/* How many of the source tensors the family's rows would take, whatever else is wrong. */
size_t arch_takes(const struct arch *a, const struct arch_input *in);

/* ---- from GGUF back ---- */

/* The family whose architecture has this name; HEFT_E_FAMILY where there is none. With a user's file, that file's family. */
const struct arch *arch_find_named(struct arch_set *s, const char *name, struct heft_err *err);
/* The same for a GGUF that becomes a checkpoint: of several families of that name, those that go back, in turn by n = 0, 1, ...; where none does,
 * the first. NULL: no more of them. */
const struct arch *arch_find_way_back(struct arch_set *s, const char *name, size_t n, struct heft_err *err);
/* Does a GGUF of the family become a checkpoint again? NULL: it does; else the row that has no inverse, and why. */
const char *arch_no_way_back(const struct arch *a);
/* Of heft_arch_functions(), those that a row names; NULL-terminated, in the family's memory. */
const char *const *arch_needs(const struct arch *a);

struct arch_back {           /* all in the arena given */
	struct heft_str config;  /* config.json but for its dtype */
	struct weight *weight;   /* in the order of the GGUF's tensors */
	size_t n_weights;
	struct arch_drop *drop;
	size_t n_drops;
};
/* Reads the rows right to left: configuration, then tensors; then left to right again, which must give the GGUF's names, shapes and keys.
 * in: the GGUF's tensors, its vocabulary, values; its config is not looked at. */
int arch_eval_back(const struct arch *a, const struct arch_input *in, const struct heft_kv *kv, size_t n_kv, struct arch_back *out,
		   struct arena *arena, struct heft_err *err);

/* The architecture name that a config asks for: architectures[0], of text_config where that decides; NULL where it says none. */
const char *arch_class_of(const struct json *config);
/* Of the part that sees: architectures[0], of vision_config where that has such. */
const char *arch_projector_class_of(const struct json *config);

/* The tensors of a checkpoint for another target under the names that its rows' left sides spell: out has weights and drops alone. */
int arch_eval_inverse(const struct arch *a, const struct arch_input *in, struct arch_result *out, struct arena *arena, struct heft_err *err);

#endif
