/*
 * heft.h - the public interface of libheft.
 *
 * heft reads a checkpoint (a model), decides every byte of the file that a runtime wants (a plan), and writes it in one
 * streaming pass (a run). This header is all that the command line tools use.
 *
 * Ownership: a model owns every name, array and open file that it hands out, until heft_close(). A plan borrows its model
 * and owns its own items, until heft_plan_free(). Strings handed in are copied.
 * Errors: functions return 0, or -1 with *err filled: one line, lower case, no full stop. The library never prints.
 * Threads: a model or a plan is used by one thread at a time; heft_run() makes its own threads.
 */
#ifndef HEFT_H
#define HEFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "heft_codes.h"

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

#define HEFT_VERSION "0.1.0"
#define HEFT_SCHEMA 1 /* version of every JSON report: raised when a key changes meaning or goes */
#define HEFT_MAX_RANK 8
#define HEFT_MAX_PLANES 6

/* ---- errors ---------------------------------------------------------------------------------------------------- */

enum heft_code {
	HEFT_OK = 0,
#define X(name, number, text) HEFT_E_##name = number,
	HEFT_CODES(X)
#undef X
};

struct heft_err {
	enum heft_code code;
	char text[1024]; /* one line, UTF-8, control bytes escaped */
};

/* The sentence of a code ("a file cannot be opened"), or NULL. */
const char *heft_code_text(enum heft_code code);

/* A function or class that a pickle names and that is no part of a checkpoint */
struct heft_global {
	const char *pickle;         /* "archive/data.pkl", where a file holds several */
	const char *module, *name;  /* "posix", "system" */
	const char *opcode;         /* "GLOBAL", "STACK_GLOBAL", "INST", "EXT1" ... */
	uint64_t offset;            /* of the opcode, from where the pickle begins */
	bool called;                /* a loader that runs pickles would call it */
};

/* A finding of heft_check(): everything that is wrong, not only the first. Fields that do not apply are NULL. */
struct heft_problem {
	enum heft_code code;
	bool warning;        /* worth knowing, does not make the model unusable */
	const char *file;    /* path as it was opened */
	const char *tensor;  /* source name */
	const char *text;    /* what is wrong and what was expected */
	const char *hint;    /* what to do */
	const struct heft_global *global; /* HEFT_E_PICKLE */
};
typedef void heft_problem_fn(void *ctx, const struct heft_problem *p);

/* ---- values ---------------------------------------------------------------------------------------------------- */

struct heft_str { /* bytes with a length; also NUL-terminated */
	const char *p;
	size_t n;
};

/* Value types; the numbers are GGUF's. */
enum heft_vtype {
	HEFT_U8, HEFT_I8, HEFT_U16, HEFT_I16, HEFT_U32, HEFT_I32, HEFT_F32, HEFT_BOOL, HEFT_STRING, HEFT_ARRAY,
	HEFT_U64, HEFT_I64, HEFT_F64,
};

struct heft_value {
	enum heft_vtype type; /* of the value, or of the elements when array is set; never HEFT_ARRAY */
	bool array;
	uint64_t count;       /* elements of an array; 1 for a scalar */
	union {
		uint64_t u;   /* U8 U16 U32 U64 */
		int64_t i;    /* I8 I16 I32 I64 */
		double f;     /* F32 F64 */
		bool b;
		struct heft_str s;
		const void *data; /* array: C array of the type; bool as uint8_t, strings as struct heft_str */
	};
};

struct heft_kv {
	const char *key;
	struct heft_value value;
};

/* ---- encodings ------------------------------------------------------------------------------------------------- */

struct heft_encoding; /* one way to store numbers: quant/quant.h */

const struct heft_encoding *heft_encoding_at(size_t i); /* in table order; NULL past the end */
const struct heft_encoding *heft_encoding_find(const char *name); /* any case; NULL where unknown */
const char *heft_encoding_name(const struct heft_encoding *e);    /* "q4_k" */
const char *heft_encoding_about(const struct heft_encoding *e);   /* one line for people */
double heft_encoding_bits(const struct heft_encoding *e);         /* per weight, scales included */
uint32_t heft_encoding_block(const struct heft_encoding *e);      /* elements per block */
bool heft_encoding_lossy(const struct heft_encoding *e);          /* quantized: decoding does not give the source back */
bool heft_encoding_can_encode(const struct heft_encoding *e);      /* a file's weights can be written so */
bool heft_encoding_needs_imatrix(const struct heft_encoding *e);  /* nothing sensible comes of it without an importance matrix */

/* ---- models ---------------------------------------------------------------------------------------------------- */

struct heft_extent { /* a run of bytes of one of the model's files */
	uint32_t file;
	uint64_t offset, size;
	struct source *made; /* size bytes that are made of the file's from offset on (unpacked, strided, turned): base/source.h; NULL: they stand there */
};

struct heft_tensor {
	const char *name;
	const struct heft_encoding *enc;
	int rank;                               /* 0 for a scalar */
	uint64_t dim[HEFT_MAX_RANK];            /* outermost first: rows before columns */
	int n_planes;
	struct heft_extent plane[HEFT_MAX_PLANES]; /* in the encoding's order: codes, scales ... */
	struct lora *lora;           /* what adapters add to the values (heft_lora_merge); NULL: nothing */
	const struct packed *packed; /* several tensors of the files that are one weight, and how to read them: src/packed.h; NULL: one */
};

struct heft_file {
	const char *path;      /* as opened; "-" for standard input */
	const char *format;    /* "safetensors", "gguf" */
	uint64_t size;         /* UINT64_MAX for a stream */
	struct source *source; /* base/source.h */
};

struct heft_model {
	const char *path;   /* as the user gave it */
	const char *dir;    /* where config.json and the tokenizer lie; NULL for a lone file */
	const char *config; /* JSON text in place of config.json, made of what other layouts have; NULL: config.json */
	const char *format; /* of the files; all have one */
	const char *name;   /* a person's name for it, from directory, Hub cache or metadata */
	struct heft_file *file;
	size_t n_files;
	struct heft_tensor *tensor; /* in file order */
	size_t n_tensors;
	struct heft_kv *kv;         /* the container's own metadata: GGUF keys; safetensors' __metadata__ as strings */
	size_t n_kv;
	uint64_t missing_shards;    /* named by the index, not there (only with a problem function) */
	uint64_t index_total_size;  /* metadata.total_size of the index; 0 where it says none */
	struct lora_adapter *adapter; /* the tensors are an adapter's (heft_lora_open), dir is its base model's; NULL: a model */
	struct coreml *coreml;      /* the tensors are constants of this program: src/coreml/coreml.h; NULL: of files */
	struct archive *archive;    /* that the files are members of; NULL: they are files */
	struct arena *arena;
};

struct heft_open_options {
	const char *config_dir;    /* config.json and tokenizer for a lone file or a stream; NULL: beside the file */
	const char *key;           /* which of a training checkpoint's nested dicts holds the weights, as a path with points; NULL: the usual one */
	uint64_t spool;            /* bytes that a stream may keep; 0: the default, 256 MiB */
	bool modules;              /* the weights of sentence-transformers' Dense modules, too, named FOLDER/NAME */
	bool mistral_format;       /* of a directory with both layouts Mistral's: params.json, consolidated*.safetensors, its tokenizer */
	bool headers;              /* files may end behind their header: a plan can be made, weights cannot be read */
	bool as_stored;            /* the tensors of a quantized module stay apart, as the files have them; else they are one weight */
	heft_problem_fn *problem;  /* report problems and go on where that is possible; NULL: the first one is the error */
	void *ctx;
};

/* Opens a Hugging Face directory, a Hub cache snapshot, a file, one part of a split set (all parts are found), or "-". */
int heft_open(struct heft_model **out, const char *path, const struct heft_open_options *o, struct heft_err *err);
void heft_close(struct heft_model *m); /* NULL is allowed */

uint64_t heft_tensor_count(const struct heft_tensor *t); /* number of elements */
const struct heft_value *heft_model_find(const struct heft_model *m, const char *key); /* NULL where there is none */

/* ---- values of a tensor ---------------------------------------------------------------------------------------- */

/* Elements first .. first+count of one tensor, piece by piece; memory does not grow with them. as: "f32", "f16" or "bf16", the values in
 * that type; NULL: the bytes as they are stored, where the range must fall on the blocks of the tensor's encoding (HEFT_E_SHAPE). Of a
 * stream, tensors are read in the model's order: what stands before one is let go. */
struct heft_reader;
int heft_reader_new(struct heft_reader **out, struct heft_model *m, const struct heft_tensor *t, const char *as, uint64_t first,
		    uint64_t count, struct heft_err *err);
/* The next bytes, which last until the next call: how many, 0 at the end, or -1. */
int64_t heft_reader_next(struct heft_reader *r, const void **bytes, struct heft_err *err);
void heft_reader_free(struct heft_reader *r); /* NULL is allowed */
/* Reads a model that is a stream to its end, so that its writer is not killed by a closed pipe; does nothing where it is none. */
int heft_drain(struct heft_model *m, struct heft_err *err);

/* ---- adapters -------------------------------------------------------------------------------------------------- */

/* Opens a LoRA adapter of PEFT or MLX, a directory or its file, so that a plan makes the GGUF adapter of it. base: directory of the base
 * model, of which config.json is read; NULL: beside the adapter, or where the adapter says that it is. */
int heft_lora_open(struct heft_model **out, const char *adapter, const char *base, struct heft_err *err);

struct heft_adapter {
	const char *path;  /* directory or file of an adapter of PEFT or MLX; of a GGUF adapter where the model is a GGUF */
	double weight;     /* 1: as it was trained */
};
/* From now on the model's tensors have the values that they have with the adapters, one merged after the other. Reads headers and
 * configurations. An adapter's tensor that has none in the model is HEFT_E_UNMATCHED; where this failed, the model can only be closed. */
int heft_lora_merge(struct heft_model *m, const struct heft_adapter *adapter, size_t n, struct heft_err *err);

/* ---- families -------------------------------------------------------------------------------------------------- */

struct heft_family {
	const char *name;        /* "llama" */
	const char *const *from; /* class names, NULL-terminated */
	const char *origin;      /* "built in" or the file's path */
	const char *no_way_back; /* NULL: a GGUF of it becomes a checkpoint again; else the row that has no inverse, and why */
	const char *const *functions; /* of heft_arch_functions(), those that its rows need, NULL-terminated */
	bool projector;          /* it writes the part of a model that sees, with heft_job.mmproj */
};
/* Families in name order: the built-in ones, and that of arch_file where it is not NULL. *n receives the count.
 * The array belongs to the caller: free() it; what it points to lasts until the process ends. */
int heft_families(const char *arch_file, struct heft_family **out, size_t *n, struct heft_err *err);

struct heft_arch_function {
	const char *name; /* as rows spell it: "fn(negexp)" */
	const char *about;
};
/* What families cannot say in rows and name instead: functions of C beyond arithmetic. Ends with a NULL name. */
const struct heft_arch_function *heft_arch_functions(void);

/* The text of a family with its name, or of arch_file's where that is not NULL, then those of all that it inherits; a comment says where each
 * comes from. NULL with err where there is none. The caller frees it. */
char *heft_family_text(const char *name, const char *arch_file, struct heft_err *err);

/* A row of a family that says what becomes of tensors, and how many of a checkpoint's it took. */
struct heft_family_row {
	const char *file, *text;
	int line;
	size_t tensors;
};
struct heft_family_test {           /* strings belong to the model */
	const char *family;         /* NULL where no row says its name for this model */
	const struct heft_family_row *row; /* map and skip rows in the order in which they are tried */
	size_t n_rows;
	size_t n_sources, n_taken;  /* tensors of the checkpoint; those that a row took */
	size_t n_outputs, n_dropped, n_keys; /* what it becomes; 0 where it does not fit */
	const char *nearest;        /* the built-in family whose rows take most of the tensors; NULL: none takes any */
	size_t nearest_taken;
	bool fits;
};
/* A family file, or (NULL) the family that config.json asks for, against a checkpoint: what does not fit is told to `problem`, all of it. */
int heft_family_try(struct heft_model *m, const char *arch_file, heft_problem_fn *problem, void *ctx, struct heft_family_test *out,
		    struct heft_err *err);

/* What is known of a model from its headers and configuration. Strings belong to the model; NULL: unknown. */
struct heft_facts {
	const char *family;         /* GGUF architecture name */
	const char *name, *license, *tokenizer, *pre_tokenizer, *chat_template;
	uint64_t parameters, active_parameters; /* active: per token in a mixture of experts */
	uint64_t context, layers, embedding, heads, kv_heads, feed_forward, experts, experts_used, vocabulary;
	const struct heft_kv *kv;   /* metadata as the GGUF would have it, or has it */
	size_t n_kv;
};
int heft_model_facts(struct heft_model *m, const char *arch_file, struct heft_facts *out, struct heft_err *err);

/* A licence that open weights come with, and what its text makes a user look at: a pointer, no advice on law. */
struct heft_licence {
	const char *name, *conditions, *link; /* link: of the text; NULL: it comes with the model */
};
const struct heft_licence *heft_licence_at(size_t i); /* NULL past the end */
/* By the metadata in f, or the licence's text beside the model; NULL where it is not known. */
const struct heft_licence *heft_model_licence(const struct heft_model *m, const struct heft_facts *f);

/* Ids of a text by the checkpoint's own tokenizer, with what it puts around a text; tokens belong to the model. A GGUF file is refused. */
struct heft_token {
	int32_t id;
	struct heft_str text; /* as the vocabulary spells it */
};
int heft_tokenize(struct heft_model *m, const char *arch_file, struct heft_str text, struct heft_token **out, size_t *n,
		  struct heft_err *err);

/* ---- importance matrices --------------------------------------------------------------------------------------- */

/* Sums of squared activations per column of a weight, as llama-imatrix counts them over a text. A legacy file does not say how many
 * experts an entry's columns are of: there it is one matrix of them all. */
struct heft_imatrix_entry {
	const char *name;      /* GGUF tensor name */
	uint64_t columns;      /* of one matrix */
	uint64_t matrices;     /* experts; 1 for a plain weight */
	const float *sums;     /* matrices * columns, of x^2 */
	const float *plain;    /* the same of x, as newer files have them; NULL: not known */
	const float *counts;   /* per matrix: how many x went into a sum; legacy files: how many chunks */
	const float *mean;     /* matrices * columns: the importance that quantizing uses; 1 where nothing was counted */
};
struct heft_imatrix {
	const char *const *path; /* of the files that it comes from: one, or those that were merged */
	size_t n_paths;
	bool legacy;           /* .dat, not GGUF */
	const char *const *dataset;
	size_t n_datasets;
	uint64_t chunks, chunk_size; /* of text; 0: not known */
	const struct heft_imatrix_entry *entry; /* in file order */
	size_t n_entries;
	struct arena *arena;
};
/* Reads either format; refuses values that are not finite, negative sums and counts, sizes that do not fit. */
int heft_imatrix_open(struct heft_imatrix **out, const char *path, struct heft_err *err);
void heft_imatrix_close(struct heft_imatrix *im); /* NULL is allowed */
const struct heft_imatrix_entry *heft_imatrix_find(const struct heft_imatrix *im, const char *name); /* NULL where there is none */
/* Adds up what several files counted; all entries of all of them, sizes must agree. Legacy files beside newer ones are taken to have
 * chunks of their size. */
int heft_imatrix_merge(struct heft_imatrix **out, const struct heft_imatrix *const *from, size_t n, struct heft_err *err);
/* The file gives llama-quantize the same means, to the bit. force: replaces what exists, but never one of im->path. "-": standard output. */
int heft_imatrix_write(const struct heft_imatrix *im, const char *path, bool legacy, bool force, struct heft_err *err);

struct heft_imatrix_stats { /* of an entry's mean, over the matrices that were called */
	double sum, mean, min, max;
	uint64_t zeros;        /* columns that are 0 */
	uint64_t called;       /* matrices with a count */
	double least, most;    /* count of a matrix that was called */
};
void heft_imatrix_stats(const struct heft_imatrix_entry *e, struct heft_imatrix_stats *out);

/* ---- jobs and plans -------------------------------------------------------------------------------------------- */

enum heft_effort {
	HEFT_EFFORT_REFERENCE, /* the reference tool's bytes */
	HEFT_EFFORT_HIGH,      /* search on from them: no block's (importance-weighted) squared error is larger, most are smaller */
};

enum heft_method { /* how a layout of GPU runtimes finds codes and scales */
	HEFT_METHOD_SEARCH, /* scales are searched for less squared error, weighed by an importance matrix where there is one; never more */
	HEFT_METHOD_RTN,    /* rounded to nearest: the bytes of the library that owns the layout */
};

struct heft_output_spec {
	const char *path; /* "-": standard output; NULL: named from model and type */
	const char *type; /* "q4_k_m", "bf16", "auto", "keep"; NULL: auto */
	const char *recipe, *recipe_file; /* instead of a type: the text of a recipe, heft_recipe.h; and what messages call it, or NULL */
};

struct heft_job {
	const struct heft_output_spec *output;
	size_t n_outputs;
	const char *to;                  /* "gguf" (NULL), "safetensors", or a layout of GPU runtimes: heft_target_at() */
	uint32_t group_size;             /* columns that share a scale, for a layout that leaves it open; UINT32_MAX: a row's; 0: the layout's */
	enum heft_method method;
	bool signed_scales;              /* a search may find scales less than 0 */
	const char *via;                 /* "auto" (NULL), "bf16", "f16", "f32" */
	const char *const *tensor_type;  /* "PATTERN=TYPE", the first that matches decides */
	const char *const *ignore, *const *targets; /* patterns on modules of a layout for GPU runtimes: these stay, only those are quantized */
	size_t n_tensor_types, n_ignore, n_targets;
	const char *arch;                /* NULL: by the configuration; "none"; or the path of a family file */
	const char *pre;                 /* name of the pre-tokenizer; NULL: recognised */
	const char *metadata_file;       /* JSON object of general.* overrides */
	const char *model_name;
	uint64_t split_size;             /* bytes per part, 0: one file */
	uint64_t split_tensors;          /* tensors per part, 0: any */
	uint64_t spool;                  /* bytes that may wait in memory for their turn on a pipe; 0: the default */
	bool mtp, no_mtp;                /* only the layers that predict further tokens, or all but them; for families that have such */
	bool mmproj;                     /* the projector file: the part of the model that sees, as its family for that writes it */
	bool no_tensor_first_split;      /* the first part of a set has metadata alone; GGUF only */
	bool fp8_as_q8;                  /* matrices that are 8-bit floats in the source become Q8_0 where a 16-bit type is asked for */
	bool fuse_qkv, fuse_gate_up_exps; /* attention's three matrices, and experts' gate and up, each become one tensor of a layer */
	bool big_endian;                 /* numbers have their high bytes first, but for BF16 and packed codes, as the reference has it; GGUF only */
	const char *machine;             /* "mac": types that its GPU and processor are quick with; NULL: none. GGUF only; reads what would become F16 */
	const struct heft_run_options *watch; /* progress and stop of a plan that must read weights (bnb-nf4-double, machine); NULL: neither */
	int threads;                     /* 0: the processors that this process may use */
	bool force, strict, allow_requantize, vocab_only;
	bool no_vocabulary;              /* the tokenizer is not looked at, the metadata lacks it: a plan for its sizes, which cannot be run */
	bool digests;                    /* heft_run() makes SHA-256 of tensors and files on the way: heft_manifest_made() of heft_manifest.h */
	bool consume;                    /* heft_run() removes the source's weight files when every output is complete and on disk */

	/* what llama-quantize can be told besides; GGUF outputs only */
	const char *imatrix;             /* importance matrix, legacy .dat or GGUF; NULL: none */
	const char *const *include_weights, *const *exclude_weights; /* parts of names: only these entries are used, or all but these */
	size_t n_include_weights, n_exclude_weights;
	const char *output_tensor_type, *token_embedding_type; /* encodings; NULL: the recipe's */
	const uint32_t *prune_layer;     /* layers to leave out; those behind them move up */
	size_t n_prune_layers;
	const char *const *override_kv;  /* "KEY=TYPE:VALUE", TYPE int, float, bool or str */
	size_t n_override_kv;
	bool pure;                       /* one type for all that is quantized */
	bool leave_output_tensor;        /* output.weight stays as it is */
	bool keep_split;                 /* parts as the source's */
	bool quantizer_order;            /* tensors and keys as llama-quantize orders them, so that the whole file is its file; else as the source does */
	enum heft_effort effort;
	bool splitter_order;             /* split.* keys of parts as llama-gguf-split orders them; else as the converter does */
};

/* One tensor of an output file, of those that a weight becomes. */
struct heft_stored {
	const char *name;
	const struct heft_encoding *enc;       /* of one plane */
	int rank;
	uint64_t dim[HEFT_MAX_RANK];           /* outermost first */
	uint64_t offset, size;                 /* bytes in the item's file */
};

/* One output tensor of a plan. */
struct heft_item {
	const char *name;
	const struct heft_encoding *from, *to; /* of the first source, and what is written */
	const char *const *source;             /* names of the source tensors */
	size_t n_sources;
	int rank;
	uint64_t dim[HEFT_MAX_RANK];           /* outermost first */
	uint64_t part, offset, size;           /* which file of a split set; bytes in that file (size: of all that is stored) */
	struct heft_stored *stored;            /* the tensors of codes and scales that it becomes, plane by plane of `to` */
	size_t n_stored;                       /* 0: one tensor, as the item says */
	const char *operation;                 /* "copy", "rope(32)", "stack 8", ... */
	const char *why;                       /* why this type: "recipe q4_k_m", "norms stay f32", "rule 'x'", "fallback: ..." */
	bool fallback, lossless;
	bool weighted;                         /* an importance matrix's entry weighs its columns */
	bool needs_imatrix;                    /* its type cannot be written without one, and there is none: heft_run() will refuse */
};

struct heft_drop { /* a source tensor that is left out on purpose */
	const char *name, *why;
};

struct heft_output { /* one output file set */
	const char *path;    /* of the first part */
	const char *directory; /* that the output is, with all that lies beside it; NULL: files alone */
	const char *type;    /* recipe or type name */
	const struct heft_item *item;
	size_t n_items;
	const struct heft_kv *kv;
	size_t n_kv;
	uint64_t size;       /* all parts, to the byte */
	uint64_t n_parts;
	const char *const *beside; /* paths of the small files that are written too: an index, config.json, the tokenizer's */
	size_t n_beside;
	double bits_per_weight;
	size_t n_fallbacks;
	size_t n_weighted, n_unweighted; /* quantized items with and without an entry of the importance matrix; both 0 where none was given */
	size_t n_needs_imatrix;
};

struct heft_plan;

/* Decides everything; reads no weights but where heft_job.watch says so. The model may be shared by several plans, one after another. */
int heft_plan_new(struct heft_plan **out, struct heft_model *m, const struct heft_job *job, struct heft_err *err);
void heft_plan_free(struct heft_plan *p);
size_t heft_plan_outputs(const struct heft_plan *p);
const struct heft_output *heft_plan_output(const struct heft_plan *p, size_t i);
size_t heft_plan_drops(const struct heft_plan *p, const struct heft_drop **out);
uint64_t heft_plan_bytes_in(const struct heft_plan *p); /* weight bytes that the run will read */

/* ---- runs ------------------------------------------------------------------------------------------------------ */

#define HEFT_ERROR_BINS 48

/* Sums over the elements of one tensor: x the source after its operation, y what decoding the output gives. */
struct heft_error {
	uint64_t count;
	double sum_sq;     /* of x */
	double sum_sq_out; /* of y */
	double dot;        /* of x*y */
	double sum_sq_err; /* of x-y */
	double max_err;    /* largest |x-y| */
	uint64_t nonfinite; /* elements of x or y that are NaN or infinite; left out of the sums */
	double sum_weighted_sq;  /* of importance * x^2; 0 where nothing weighs the tensor */
	double sum_weighted_err; /* of importance * (x-y)^2 */
	double sum_nearest, sum_found; /* of (importance *) (x-y)^2 of the groups whose scales were searched: before, rounded to nearest, and after */
	/* With heft_run_options.details: */
	uint64_t clippable; /* elements that were looked at: codes of grids and floats have no ends to clip at */
	uint64_t clipped;   /* of these, beyond the last value that their block can stand for, by more than half a step */
	uint64_t histogram[HEFT_ERROR_BINS]; /* of |x-y|: 0: exactly zero; k: from 2^(k-41) to 2^(k-40), the ends take the rest */
};
double heft_error_rmse(const struct heft_error *e);
double heft_error_relative(const struct heft_error *e); /* rms(x-y) / rms(x) */
double heft_error_sqnr(const struct heft_error *e);     /* dB; INFINITY where nothing differs */
double heft_error_cosine(const struct heft_error *e);
double heft_error_weighted(const struct heft_error *e); /* sqrt(sum_weighted_err / sum_weighted_sq); NAN without importance */
double heft_error_gain(const struct heft_error *e);     /* by what part a search made the squared error less; NAN where there was none */
void heft_error_add(struct heft_error *sum, const struct heft_error *e);

struct heft_progress {
	uint64_t done, total; /* weight bytes read */
	double seconds;
	const char *tensor;   /* current output tensor */
};

struct heft_run_options {
	void (*progress)(void *ctx, const struct heft_progress *p); /* at most 10 times a second, from one thread */
	void *ctx;
	bool no_errors;       /* do not measure (metrics are on by default) */
	bool details;         /* measure also what takes longer: clipping, histograms */
	const volatile int *stop; /* set by a signal handler: the run ends, nothing is left under the output's name */
};

struct heft_summary {
	uint64_t bytes_in, bytes_out, elements;
	double seconds, sync_seconds; /* of the seconds, those that the disk took at the end */
	/* error[o][i] belongs to item i of output o; NULL with no_errors. Owned by the plan. */
	const struct heft_error *const *error;
};

int heft_run(struct heft_plan *p, const struct heft_run_options *o, struct heft_summary *out, struct heft_err *err);

/* ---- diff and check -------------------------------------------------------------------------------------------- */

struct heft_diff_item {
	const char *name;      /* canonical (GGUF) name where the family is known, else the source's */
	const char *name_a, *name_b;  /* NULL: no counterpart */
	const struct heft_encoding *enc_a, *enc_b;
	bool shapes_differ;
	struct heft_error error;
};
struct heft_diff {
	struct heft_diff_item *item;
	size_t n_items;
	struct heft_error total;
	size_t n_unmatched, n_shapes_differ;
};
struct heft_diff_options {
	const char *arch;  /* as in heft_job */
	int threads;
	bool details;      /* count histograms, too */
	void (*progress)(void *ctx, const struct heft_progress *p);
	void *ctx;
	const volatile int *stop;
};
int heft_diff(struct heft_diff **out, struct heft_model *a, struct heft_model *b, const struct heft_diff_options *o,
	      struct heft_err *err);
void heft_diff_free(struct heft_diff *d);

struct heft_check_options {
	bool deep;         /* read every weight: NaN, infinity, all zero; and the sha256 that is noted for its files */
	const char *arch;  /* as in heft_job */
	const char *config_dir, *key; /* as in heft_open_options */
	int threads;
	void (*progress)(void *ctx, const struct heft_progress *p);
	void *ctx;         /* of progress and problem */
	const volatile int *stop;
};
/* Reports all problems; returns 0 also when there are some (counted in *n_errors, warnings not), -1 where it could not look. */
int heft_check(const char *path, const struct heft_check_options *o, heft_problem_fn *problem, size_t *n_errors,
	       struct heft_err *err);

/* ---- packing --------------------------------------------------------------------------------------------------- */

/* A file packed without loss: base/pack.h. All of heft reads it as the file that it was made of. */
struct heft_pack_options {
	const char *output;      /* "-": standard output; NULL: the input's name with .zst added, or taken away */
	bool force;              /* replace an output that exists */
	int threads;             /* 0: the processors that this process may use */
	void (*progress)(void *ctx, const struct heft_progress *p); /* bytes of the unpacked file */
	void *ctx;
	const volatile int *stop;
};
struct heft_pack_summary {
	char *output;            /* free() it */
	uint64_t bytes, packed_bytes; /* of the file, and of its packed form */
	double seconds;
};
/* Packs a safetensors or GGUF file: floats in planes, the rest as it is. Its bytes do not depend on the number of threads. */
int heft_pack(const char *path, const struct heft_pack_options *o, struct heft_pack_summary *out, struct heft_err *err);
/* Gives the file back, to the bit: its SHA-256 is compared before anything stands under the output's name. */
int heft_unpack(const char *path, const struct heft_pack_options *o, struct heft_pack_summary *out, struct heft_err *err);

/* ---- tables ---------------------------------------------------------------------------------------------------- */

struct heft_recipe_info {
	const char *name;   /* "q4_k_m" */
	const char *alias;  /* "q4_k", or NULL */
	const char *about;
	uint32_t file_type; /* general.file_type */
	bool needs_imatrix; /* refused without an importance matrix, where its rows fit at all */
	const char *to;     /* "gguf", or the target whose modules it is for */
};
size_t heft_recipes(const struct heft_recipe_info **out); /* in table order */

struct heft_format_info {
	const char *name, *about, *extension;
	bool reads, writes;
};
size_t heft_formats(const struct heft_format_info **out);

const char *heft_target_at(size_t i); /* what heft_job.to takes: "gguf", "safetensors", "fp8-dynamic", "w4a16" ...; NULL past the end */
uint32_t heft_group_size(const char *name); /* "32", "64", "128", "channel": as heft_job.group_size has it; 0: no kernel serves such groups */
/* What heft_output_spec.type takes besides the floats with a target that has types of its own, as "mlx" has: "4bit", "mixed_3_6", "8bit-f16" ...; NULL past
 * the end, and of other targets. */
const char *heft_target_type_at(const char *target, size_t i);
const char *heft_target_instead(const char *name); /* of one that it does not take: why, and what there is instead; NULL: nothing is known */

int heft_default_threads(void); /* processors that this process may use: affinity and cgroup */

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif
#endif
