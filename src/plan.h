/*
 * plan.h - the inside of a plan: weights shared by all outputs, and per output where each of them goes.
 */
#ifndef PLAN_H
#define PLAN_H

#include "../formats/format.h"
#include "family.h"
#include "recipe.h"
#include "target/target.h"
#include "tile.h"

struct plan_weight {
	struct weight *weight;
	const char *old_name;   /* before layers were left out: what an importance matrix calls it */
	uint64_t matrix, matrices; /* of a weight with the source's own name: which matrix of that entry's it is, and of how many; 0: all of them */
	struct tile_plan tile;
	bool keeps_f32, keeps_float; /* always F32; F16 in an F16 file, else F32 */
};

struct plan_part { /* one output file */
	const char *path;
	struct format_layout layout;
	size_t first_item, n_items;
};

struct plan_side { /* a small file beside the parts */
	const char *path;
	struct heft_str text;
	const char *from; /* instead of a text: the file that it is a copy of, of `size` bytes */
	uint64_t size;
};

struct plan_output {
	struct heft_output pub;
	const struct format *format;
	struct heft_item *item;
	bool *copy;             /* per item: the source's bytes are the output's */
	const struct scheme **scheme; /* per item: what it becomes is several tensors; NULL: one; array NULL: all are */
	bool *same;             /* per item with a scheme: the source's codes and scales are the output's; array NULL: of none */
	const struct heft_encoding **via; /* per item: values are rounded to it before they are encoded; NULL: they are not */
	const float **importance; /* per item: of each column (of each expert's matrix, one after another), or NULL; array NULL: none at all */
	float (*number)[SCHEME_NUMBERS]; /* per item: what a first pass measured; NULL before it */
	const struct recipe *recipe; /* of a GGUF's types; NULL: each tensor keeps its own */
	const struct target *target;
	const struct plan_instead *instead; /* or NULL */
	struct recipe_told rows; /* of the recipe, and how many tensors each decided */
	const char *said;       /* options besides that the bytes depend on, each with a blank before it; NULL: none */
	const char **decided;   /* per item, for heft_plan_recipe(): the type that was chosen, "keep", or NULL: with any recipe it would be so; array NULL: there
				 * is nothing to choose */
	struct kv_list kv;
	struct scheme_names stays; /* modules that a target with schemes leaves as they are */
	struct scheme_use *use;    /* those that it does not, target by target */
	size_t n_uses;
	struct plan_part *part;
	size_t n_parts;
	struct plan_side *side; /* index of a set, config.json, tokenizer ... */
	size_t n_sides, cap_sides;
	const char *directory;  /* that is made where it is missing; NULL: none */
	const char **folder;    /* in it, outer ones first */
	size_t n_folders;
	const struct heft_encoding *given; /* the float type that the user asks for; NULL: none, as with auto and keep */
	bool to_stdout;
	bool big_endian;
};

/* A stretch of one weight that is read in one go: the unit of order. Stacked experts are one segment per expert. */
struct plan_segment {
	size_t weight;
	uint64_t first, count;   /* elements */
	uint32_t file;           /* of its first source byte */
	uint64_t offset, end;    /* its source bytes lie between */
	bool straight;           /* its source is taken as it comes: no rearrangement, one tensor */
	uint64_t later;          /* the lowest source byte of that file that later segments need */
};

struct heft_plan {
	struct arena *arena;
	struct heft_model *model;
	struct family family;
	struct kv_list override;    /* of --override-kv */
	uint32_t layers_left;       /* after --prune-layers; 0: all */
	const char **old_name;      /* of the family's weights */
	struct plan_weight *weight; /* item i of every output is weight i */
	size_t n_weights;
	struct plan_output *output;
	size_t n_outputs;
	struct plan_segment *segment; /* in running order */
	size_t n_segments;
	uint64_t bytes_in;
	struct heft_imatrix *imatrix; /* or NULL */
	enum heft_effort effort;
	int threads;
	bool consume; /* the job's */
	bool force;
	bool sizes_only; /* the job's no_vocabulary */
	bool digested;   /* the job's digests */
	struct digests *digests; /* of the last run; or NULL */
	struct heft_error **error;   /* filled by a run */
};

/* plan.c: heft_plan_new() with a plan_rules.h's plan_instead for each output, of targets with schemes; NULL: none. */
struct plan_instead;
int plan_new_instead(struct heft_plan **out, struct heft_model *m, const struct heft_job *job, const struct plan_instead *instead, struct heft_err *err);
/* plan_auto.c: what -t auto stands for; in a projector file, the tensors that go into it decide. */
const char *plan_auto_type(const struct heft_model *m);
const char *plan_auto_type_of(const struct family *f);
/* plan_mac.c: --for mac. *type: what -t stands for there (given: as the user has it, or NULL); then what single tensors become. */
struct recipe_item;
int plan_mac_type(const struct heft_plan *p, const char *given, const char **type, struct heft_err *err);
int plan_mac(struct heft_plan *p, struct recipe_item *item, const struct heft_job *job, const char *given, const char *type, struct heft_err *err);
/* plan_check.c: what the job asks its family for, by the names that families use; in the arena. */
const char *const *plan_family_choices(const struct heft_job *j, struct arena *a);
/* A matrix, no norm, that is 8-bit floats with scales, which the job wants as 8-bit integers. */
bool plan_fp8_as_q8(const struct heft_job *j, const struct weight *w);
/* How many bytes of an encoding's values change places in a big-endian file; 1: none, 0: it has no such form. */
size_t plan_turns(const struct heft_encoding *e);
/* plan_check.c: refuses options that do not go together. */
int plan_check_together(const struct heft_job *j, const struct heft_model *m, const struct target *target, struct heft_err *err);
/* plan_fuse.c: --fuse-qkv and --fuse-gate-up-exps, on the family's weights. */
int plan_fuse(struct heft_plan *p, const struct heft_job *job, struct heft_err *err);
/* plan_edit.c: overrides, order and layers of the family's weights; then, when an output's metadata is complete, what leaving layers out
 * changes in it. */
int plan_edit(struct heft_plan *p, const struct heft_job *job, struct heft_err *err);
void plan_edit_metadata(const struct heft_plan *p, struct kv_list *kv, const struct heft_job *job);

/* plan_order.c: fills plan->segment, refuses an order that needs more than `spool` bytes. */
int plan_order(struct heft_plan *p, uint64_t spool, struct heft_err *err);
/* plan_layout.c: parts, headers, offsets and sizes of one output. */
struct plan_limits {
	uint64_t split_size, split_tensors;
	const uint32_t *part; /* of each item, ascending: keep_split; NULL: by the limits */
	bool empty_first;     /* the first part has metadata alone */
	bool splitter_order;  /* the job's */
};
int plan_layout(struct plan_output *o, const struct plan_limits *limits, struct arena *a, struct heft_err *err);
/* plan_index.c: which part has which tensor, as a side of an output that is laid out. */
void plan_index(struct plan_output *o, struct arena *a);

/* consume.c: removes the weight files of the model. */
int plan_consume(const struct heft_plan *p, struct heft_err *err);

/* plan_adapter.c: types of a GGUF adapter's tensors, and the metadata that the user sets. */
int plan_adapter(const struct heft_plan *p, struct plan_output *o, const char *type, struct heft_err *err);

/* plan_files.c: what lies beside the parts of an output. */
bool plan_is_directory(const char *path); /* it is one, or ends in a slash */
bool plan_names_checkpoint(const char *path); /* where a checkpoint is made: a directory, not one file of weights nor standard output */
void plan_add_side(struct plan_output *o, const char *path, struct heft_str text, struct arena *a);
const char *const *plan_side_paths(const struct plan_output *o, struct arena *a);
/* The family's files, where the output is a checkpoint's directory. */
void plan_files(struct heft_plan *p, struct plan_output *o);
bool plan_wants_files(const struct heft_job *job);
/* What lies beside the weights of a checkpoint that goes into another directory as one, all floats of this type or "keep". */
int plan_checkpoint(struct heft_plan *p, struct plan_output *o, const char *type, struct heft_err *err);

/* plan_columns.c: old_name of weights that have the source's own names, by the family. */
int plan_columns(struct heft_plan *p, const struct heft_job *job, struct heft_err *err);

/* plan_importance.c: opens the job's importance matrix into plan->imatrix, before types are decided; then, when they are, finds each
 * item's entry, and refuses what llama-quantize refuses. */
int plan_open_importance(struct heft_plan *p, const struct heft_job *job, struct heft_err *err);
int plan_importance(struct heft_plan *p, struct plan_output *o, const struct heft_job *job, struct heft_err *err);
/* Refuses, before a run, a type that cannot be written without an entry that is not there. */
int plan_check_needs(const struct heft_plan *p, struct heft_err *err);

/* plan_recipe.c: options besides types that an output's bytes depend on, each with a blank before it; NULL: none. */
const char *plan_said(const struct heft_job *j, struct arena *a);

/* plan_codes.c: is its source quantized; the type of such sources' scales, and the columns of their groups where kernels serve that many, else 0;
 * does a scheme hold a GGUF weight's codes and scales as they are. */
bool plan_is_quantized(const struct weight *w);
const struct heft_encoding *plan_scale_type(const struct heft_plan *p);
uint32_t plan_group(const struct heft_plan *p);
bool plan_keeps_codes(const struct weight *w, const struct scheme *s);
/* Bits of a weight's integer codes (GPTQ, AWQ, compressed-tensors), which a scale of that type multiplies in groups that are made of smaller ones of
 * so many columns (0: the usual ones); 0: it has none. */
unsigned plan_integer_bits(const struct weight *w, uint32_t group, const struct heft_encoding *scales);
/* Are codes of the scheme looked for in a weight's numbers, before they are made of them? */
bool plan_looks_for_codes(const struct weight *w, const struct scheme *s);
/* Will they be found, all but the bias as it was? */
bool plan_keeps_integers(const struct weight *w, const struct scheme *s);
/* Does the first matrix that speaks for all have such codes? */
bool plan_integers(const struct heft_plan *p);
/* Blocks whose codes a scheme takes as they are, and which the weight's bytes can be had in; or NULL. */
const struct heft_encoding *plan_taken(const struct weight *w, const struct scheme *s);
/* Are a source's codes and scales, as they are stored, those of the scheme; then those of some rows, a whole strip, to plane[]. */
bool plan_same_planes(const struct weight *w, const struct scheme *s);
#define PLAN_BLOCKS(n) (2 * (n)) /* more bytes than so many numbers have in blocks that are taken */
struct plan_room {
	uint8_t *code, *blocks; /* a row's columns; PLAN_BLOCKS() of the strip */
	struct tile_scratch *scratch;
};
int plan_copy_planes(const struct heft_model *m, const struct plan_weight *w, const struct scheme *s, const struct scheme_strip *t, uint64_t row,
		     void *const *plane, const struct plan_room *room, struct heft_err *err);

/* plan_target.c: of targets between which -t chooses, which one, and the float type that it names with it. */
int plan_choose(const struct target **target, const struct heft_encoding **given, const char *type, struct heft_err *err);
/* What a target with schemes makes of each weight; then, when the parts stand, config.json and copies of the source's other
 * files. */
int plan_schemes(struct heft_plan *p, struct plan_output *o, const struct target *target, const struct heft_job *job, struct heft_err *err);
int plan_scheme_files(struct heft_plan *p, struct plan_output *o, const struct target *target, struct heft_err *err);
const char *plan_torch_name(const struct heft_encoding *real); /* "bfloat16"; NULL where torch has no such float, and of NULL */
/* Rows of the tiles of a weight that some output has a scheme for; 0: none has. */
uint64_t plan_strip(const struct heft_plan *p, size_t weight);

/* plan_measure.c: fills o->number of the weights whose scheme measures: those that it must know early, or the others; nothing where there
 * are none. */
struct plan_watch {
	const volatile int *stop; /* set by a signal handler; or NULL */
	struct pace *pace;        /* bytes that are read are added */
};
int plan_measure(struct heft_plan *p, struct plan_output *o, bool early, const struct plan_watch *watch, struct heft_err *err);
/* How many it will read: when the plan is made, or when it is carried out. */
uint64_t plan_measured_bytes(const struct heft_plan *p, bool early);
/* plan_config.c: config.json of the output's directory: the source's with our quantization_config, or (NULL) with none. */
struct jbuf;
struct config_edit {
	const struct arch_member *member; /* of the family, in the text part's object where there is one */
	size_t n_members;
	const struct jbuf *quantization;
	const char *dtype; /* as torch calls it; NULL: as the source has it */
	const char *too;   /* a second member that is the same as quantization_config; NULL: none. None of either in nested objects, then */
};
/* plan_members.c: the same with members set and taken out; the text of `n` bytes. */
int config_set(struct jbuf *out, const char *text, size_t n, const char *name, const struct arch_member *member, size_t n_members, struct arena *a,
	       struct heft_err *err);
int config_edit(struct jbuf *out, const char *text, size_t n, const char *name, const struct config_edit *edit, struct heft_err *err);
int plan_config(struct heft_plan *p, struct plan_output *o, const struct config_edit *edit, struct heft_err *err);
bool plan_has_config(const struct heft_plan *p); /* of a checkpoint, or of what a family makes one again */
/* What it is made of; NULL where there is none, or it cannot be read: others complain of that. json_free() it. */
struct json_doc;
struct json_doc *plan_config_doc(const struct heft_plan *p);
/* The type that floats have, by the configuration as mlx-lm reads it; a search reads the newer "dtype", too, which mlx-lm does not. Or NULL. */
const struct heft_encoding *plan_said_float(const struct json *root, bool search);
/* plan_experts.c: experts that are one tensor become a weight for each matrix, for a target with schemes; or as it wants them, plan_stack(). */
int plan_experts(struct heft_plan *p, const struct target *target, struct heft_err *err);
/* plan_stack.c: the experts of a layer become a weight for each projection, for a target that wants them so. */
int plan_stack(struct heft_plan *p, struct heft_err *err);
/* plan_copies.c: copies of the source's other files into the output's directory; described: those, too, that say how weights are stored. */
int plan_copies(struct heft_plan *p, struct plan_output *o, bool described, struct heft_err *err);

/* plan_filetype.c: writes the key where llama-quantize or the converter has it; what the key would be of a file that lacks it. */
void plan_set_file_type(const struct heft_plan *p, struct plan_output *o, uint32_t file_type, bool quantizer_order, bool from_gguf);
uint32_t plan_guess_file_type(const struct heft_plan *p);

#endif
