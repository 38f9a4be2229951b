/*
 * family.h - a model seen through its family: which weights the target has, where they come from, and all metadata but the types.
 */
#ifndef FAMILY_H
#define FAMILY_H

#include "../base/json.h"
#include "arch.h"
#include "kv.h"
#include "op.h"

struct family_options {
	const char *arch;          /* as in heft_job */
	const char *pre, *metadata_file, *model_name;
	bool names_only;           /* weights alone: no tokenizer, no general.* (diff, check) */
	bool no_vocabulary;        /* with names_only: the family's own keys, too */
	bool own_names;            /* a target that keeps the source's names and metadata; a GGUF's family gives the checkpoint's back */
	bool as_stored;            /* then: matrices that their library holds the other way round are as they are stored */
	bool files;                /* what lies beside the weights of a checkpoint is wanted, too */
	bool vocab_only;
	const char *section;       /* own_names: of families' rows, those below this `target`; NULL: names stay */
	const char *const *option; /* what families are asked for by name ("mtp"), NULL-terminated; NULL: nothing */
};

/* What lies beside the weights: config.json, tokenizer.json ... */
struct family_file {
	const char *name;
	struct heft_str text;
	size_t dtype_at;           /* the weights' type, as torch calls it, goes here; SIZE_MAX: it is not told */
};

struct family {
	const char *arch;          /* general.architecture, or NULL */
	struct weight *weight;
	size_t n_weights;
	struct heft_drop *drop;
	size_t n_drops;
	const struct arch_use *use; /* of the family's rows; there even where the checkpoint does not fit */
	size_t n_uses, n_taken;     /* n_taken: sources that some row took */
	struct kv_list kv;
	struct family_file *file;
	size_t n_files;
	const struct arch_member *member; /* what the section says of config.json */
	size_t n_members;
	bool projector;            /* the part of a model that sees: general.type is mmproj, no vocabulary */
	bool no_file_type;         /* a file that is not quantized has no general.file_type */
};

/* All in the arena. */
int family_resolve(struct family *out, struct heft_model *m, const struct family_options *o, struct arena *a, struct sink *sink,
		   struct heft_err *err);

/* family_target.c: names of other runtimes. Weights become what a target's section makes of them; those of a checkpoint that another tool wrote
 * for that target, what they were before. `m` may be a GGUF that went back already. */
int family_to_section(struct family *f, struct heft_model *m, const struct family_options *o, struct arena *a, struct sink *sink, struct heft_err *err);
int family_from_section(struct family *f, const struct heft_model *m, const struct json *config, const struct family_options *o, struct arena *a,
			struct heft_err *err);
/* Was it written for MLX? config may be NULL. */
bool family_is_mlx(const struct heft_model *m, const struct json *config);

/* Weights as if they were tensors, for rows to look at; what the rows make of them goes through both then. */
struct heft_tensor *family_as_tensors(const struct weight *w, size_t n, struct arena *a);
int family_compose(struct weight *w, size_t n, const struct heft_tensor *tensor, const struct weight *from, struct arena *a, struct heft_err *err);

/* family_back.c: a GGUF as the checkpoint that its family makes it of. */
int family_back(struct family *out, struct heft_model *m, const struct family_options *o, struct arena *a, struct heft_err *err);

#endif
