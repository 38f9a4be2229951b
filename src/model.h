/*
 * model.h - opening a checkpoint, in steps:
 *
 *   path -> model_files.c: which files? -> each one: model_impostor.c, formats/ -> model.c: one list of tensors
 *                      `-> model_index.c: what the index says of them -> compared
 */
#ifndef MODEL_H
#define MODEL_H

#include "../base/arena.h"
#include "../base/err.h"
#include "../base/map.h"

/* "model-00002-of-00005.safetensors": prefix "model", no 2, count 5, extension ".safetensors" */
struct part_name {
	int prefix; /* its length */
	unsigned no, count;
	const char *extension;
};
bool part_name_parse(const char *name, struct part_name *out); /* false: *out is left alone */

/* ---- the index: *.safetensors.index.json ---- */

struct index_entry {
	const char *tensor;
	uint32_t shard;
	bool seen;
};
struct model_index {
	const char *path;
	struct index_entry *entry;
	size_t n_entries;
	struct map by_name;   /* -> number of the entry */
	const char **shard;   /* plain file names, sorted */
	size_t *held; /* tensors of each shard */
	size_t n_shards;
	uint64_t total_size;  /* 0: not said */
};

/* Reads the text. Shard names are checked to be plain: "../x" is refused. Release it also where that failed. */
int index_init(struct model_index *x, const char *text, size_t n, const char *path, struct arena *a,
	       struct heft_err *err);
int index_read(struct model_index *x, const char *path, struct arena *a, struct heft_err *err);
void index_release(struct model_index *x);
/* Notes that a file holds the tensor, and tells where the index says something else. *again: another file held it
 * already, told too. */
int index_see(struct model_index *x, const char *tensor, const char *file, bool *again, struct sink *sink);
/* Tells of tensors that no shard holds; those of shards that could not be listed are left out. */
int index_unseen(const struct model_index *x, const bool *shard_listed, struct sink *sink);

/* ---- which files ---- */

struct file_set {
	const char *dir;    /* of the model; NULL: a lone file or stream without one */
	const char **path;
	size_t n, cap;
	const char *single; /* the file that stands for the set when naming it; NULL: the directory does */
	bool parts;         /* the parts of one GGUF */
	const char *params; /* Meta's or Mistral's params.json; NULL: another layout */
	bool mistral;       /* it is Mistral's */
	bool indexed;
	struct model_index index;
};
/* With a sink function, missing shards are told and left out of the set (counted in *missing). mistral: of a directory Mistral's own layout,
 * whatever else is there. */
int file_set_find(struct file_set *set, const char *path, bool mistral, uint64_t *missing, struct arena *a, struct sink *sink,
		  struct heft_err *err);
void file_set_release(struct file_set *set);

/* model_modules.c: folders beside a sentence-transformers model whose weights belong to it. */
struct model_module {
	const char *folder, *path; /* "2_Dense", DIR/2_Dense/model.safetensors */
};
struct model_modules {
	struct model_module *module;
	size_t n;
};
int modules_find(struct model_modules *m, const char *dir, struct arena *a, struct heft_err *err);

/* model_meta.c: makes one tensor of its parts in Meta's files, and the configuration from params.json. */
int meta_join(struct heft_model *m, const char *params, struct heft_err *err);

/* model_mistral.c: the configuration from params.json. */
int mistral_config(struct heft_model *m, const char *params, struct heft_err *err);

/* Its config.json, or what stands for it: HEFT_E_CONFIG where there is none. json_free() it. */
struct json_doc;
struct json_doc *model_config_read(const struct heft_model *m, struct arena *a, struct heft_err *err);

/* ---- what stands in place of a model file ---- */

/* Fails where the first bytes are a Git LFS pointer, an HTML page, an archive ...; `text`: a JSON or text file is what
 * was expected. */
int model_impostor(const char *path, const uint8_t *head, size_t n, bool text, struct heft_err *err);
int model_impostor_at(const char *path, struct heft_err *err); /* the same for a text file, by its path */
bool model_tokenizer_is_impostor(const char *dir, struct heft_err *err); /* for one of the tokenizer's files in dir; err says which */
/* Tells an error as a finding about the file that its text begins with, else about `file`. */
int model_tell_error(struct sink *sink, const struct heft_err *e, const char *file);

/* Are its names and keys those of GGUF? */
bool model_speaks_gguf(const struct heft_model *m);
/* The one stream that all files are parts of, or NULL. */
struct source *model_stream(const struct heft_model *m);
/* Where the bytes of an extent are read, and from which offset on. */
struct source *model_extent(const struct heft_model *m, const struct heft_extent *x, uint64_t *begin);

/* ---- names for people ---- */

#define PACKED_SUFFIX ".zst"
const char *path_base(const char *path); /* behind the last slash */
bool path_is_of(const char *path, const char *name); /* its base is the name, or that of its packed form */
bool path_is_plain(const char *name, size_t n); /* of a file in the same folder: no slash, no point in front */
char *path_join(struct arena *a, const char *dir, const char *name) __attribute__((returns_nonnull));
char *path_dir(struct arena *a, const char *path);
/* "Llama-3.1-8B": from the Hub cache's folder name, a directory's own name, or a file's without extension and part
 * number. */
const char *model_name_of(const char *dir, const char *single, struct arena *a);

#endif
