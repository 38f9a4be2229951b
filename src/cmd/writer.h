/*
 * writer.h - what the tools that write a model share (convert and quantize): options as rows, and the way from them to a plan, a run and a
 * report.
 */
#ifndef WRITER_H
#define WRITER_H

#include "cmd.h"
#include "heft_solve.h"
#include "manifest.h"

struct writer {
	struct heft_solve_options size; /* what convert was asked for; 0 bytes and 0 bits: the type decides */
	const char *fit;                /* instead: the size that fits a machine, heft_memory_parse() */
	struct list tensor_type, include_weights, exclude_weights, override_kv;
	const char *recipe, *save_recipe;
	const char *imatrix, *output_tensor_type, *token_embedding_type, *prune_layers, *effort;
	const char *via, *arch, *config, *key, *pre, *metadata, *model_name, *progress, *report;
	uint64_t max_buffer_size, threads, spool;
	const struct tool *tool; /* whose options these are, to be told in reports; NULL: they are not told */
	const void *options;
	bool modules, mistral_format, pure, leave_output_tensor, keep_split, allow_requantize, strict, dry_run, json, histogram, quiet, manifest;
};

#define WRITER_TYPE_ROWS(at)                                                                                           \
	{ OPT_LIST, 0, "tensor-type", "PATTERN=TYPE", NULL,                                                            \
	  "type for the tensors whose name matches; may be repeated, the first match decides (default: none)",         \
	  (at) + offsetof(struct writer, tensor_type) },                                                               \
	{ OPT_WORDS, 0, "tensor-type-file", "FILE", "file",                                                            \
	  "more of them, apart by spaces or lines; may be repeated (default: none)",                                   \
	  (at) + offsetof(struct writer, tensor_type) },                                                               \
	{ OPT_STRING, 0, "recipe", "FILE", "file",                                                                     \
	  "a recipe of your own in place of a type: which tensors get which, see heft-recipe(5) (default: none)",      \
	  (at) + offsetof(struct writer, recipe) },                                                                    \
	{ OPT_STRING, 0, "save-recipe", "FILE", "file",                                                                \
	  "write the type of each tensor as a recipe to FILE: --recipe FILE decides the same again (default: none)",   \
	  (at) + offsetof(struct writer, save_recipe) },                                                               \
	{ OPT_STRING, 0, "output-tensor-type", "TYPE", "encoding",                                                     \
	  "type for the output matrix (default: the recipe's)", (at) + offsetof(struct writer, output_tensor_type) },  \
	{ OPT_STRING, 0, "token-embedding-type", "TYPE", "encoding",                                                   \
	  "type for the token embeddings (default: the recipe's)",                                                     \
	  (at) + offsetof(struct writer, token_embedding_type) },                                                      \
	{ OPT_FLAG, 0, "pure", NULL, NULL, "one type for all that is quantized, no mixture",                           \
	  (at) + offsetof(struct writer, pure) },                                                                      \
	{ OPT_FLAG, 0, "leave-output-tensor", NULL, NULL, "leave output.weight as it is",                              \
	  (at) + offsetof(struct writer, leave_output_tensor) },                                                       \
	{ OPT_STRING, 0, "imatrix", "FILE", "file",                                                                    \
	  "importance matrix, .dat or GGUF, that says which columns of each weight matter most: llama-imatrix makes "  \
	  "it (default: none)",                                                                                        \
	  (at) + offsetof(struct writer, imatrix) },                                                                   \
	{ OPT_LIST, 0, "include-weights", "NAME", NULL,                                                                \
	  "use only the importance matrix's entries with NAME in their name; may be repeated (default: all)",          \
	  (at) + offsetof(struct writer, include_weights) },                                                           \
	{ OPT_LIST, 0, "exclude-weights", "NAME", NULL,                                                                \
	  "use no entry of the importance matrix with NAME in its name; may be repeated (default: all)",               \
	  (at) + offsetof(struct writer, exclude_weights) },                                                           \
	{ OPT_STRING, 0, "effort", "HOW", "reference|high",                                                            \
	  "reference: the bytes of the reference tool; high: search longer for codes and scales that are nearer "      \
	  "(default: reference)",                                                                                      \
	  (at) + offsetof(struct writer, effort) },                                                                    \
	{ OPT_FLAG, 0, "allow-requantize", NULL, NULL,                                                                 \
	  "quantize what is quantized already, at a loss (default: refuse)",                                           \
	  (at) + offsetof(struct writer, allow_requantize) },                                                          \
	{ OPT_FLAG, 0, "strict", NULL, NULL,                                                                           \
	  "fail where a tensor does not fit the asked type (default: the nearest type that fits, and say so)",         \
	  (at) + offsetof(struct writer, strict) }

#define WRITER_MODEL_ROWS(at)                                                                                          \
	{ OPT_STRING, 0, "prune-layers", "LAYERS", NULL,                                                                     \
	  "leave these layers out, as in 20,21; those behind them move up (default: none)",                            \
	  (at) + offsetof(struct writer, prune_layers) },                                                              \
	{ OPT_LIST, 0, "override-kv", "KEY=TYPE:VALUE", NULL,                                                          \
	  "set a metadata key; TYPE is int, float, bool or str; may be repeated",                                      \
	  (at) + offsetof(struct writer, override_kv) },                                                               \
	{ OPT_FLAG, 0, "keep-split", NULL, NULL, "write as many files as the source has, each tensor in its own",      \
	  (at) + offsetof(struct writer, keep_split) },                                                                \
	{ OPT_STRING, 0, "via", "TYPE", "auto|bf16|f16|f32",                                                           \
	  "type that values are rounded to before they are quantized, as the 16-bit file of a two-step conversion "    \
	  "does (default: auto, the source's own 16-bit type)",                                                        \
	  (at) + offsetof(struct writer, via) },                                                                       \
	{ OPT_STRING, 0, "arch", "FILE", "none|file",                                                                  \
	  "family file for this model; none carries every tensor under its own name (default: by config.json)",        \
	  (at) + offsetof(struct writer, arch) },                                                                      \
	{ OPT_STRING, 0, "config", "DIR", "dir",                                                                       \
	  "where config.json and the tokenizer are, for a lone file or a stream (default: beside the source)",         \
	  (at) + offsetof(struct writer, config) },                                                                    \
	{ OPT_STRING, 0, "key", "PATH", NULL,                                                                          \
	  "which of a PyTorch training checkpoint's nested dicts holds the weights, as in model.module (default: the " \
	  "usual one)",                                                                                                \
	  (at) + offsetof(struct writer, key) },                                                                       \
	{ OPT_STRING, 0, "pre", "NAME", NULL, "name of the pre-tokenizer (default: recognised)",                       \
	  (at) + offsetof(struct writer, pre) },                                                                       \
	{ OPT_STRING, 0, "metadata", "FILE", "file", "JSON object of general.* keys to set (default: none)",           \
	  (at) + offsetof(struct writer, metadata) },                                                                  \
	{ OPT_STRING, 0, "model-name", "NAME", NULL, "name of the model in the file (default: from the source)",       \
	  (at) + offsetof(struct writer, model_name) }

#define WRITER_RUN_ROWS(at)                                                                                            \
	{ OPT_COUNT, 'j', "threads", "N", NULL, "threads (default: the processors that this process may use)",         \
	  (at) + offsetof(struct writer, threads) },                                                                   \
	{ OPT_FLAG, 'n', "dry-run", NULL, NULL, "print the whole plan and the exact size, write nothing",              \
	  (at) + offsetof(struct writer, dry_run) },                                                                   \
	{ OPT_SIZE, 0, "spool", "SIZE", NULL,                                                                          \
	  "memory that tensors may wait in for their turn on a pipe (default: 256MiB)",                                \
	  (at) + offsetof(struct writer, spool) },                                                                     \
	{ OPT_COUNT, 0, "max-buffer-size", "MIB", NULL,                                                                \
	  "taken for the sake of scripts: memory is a few MiB per thread whatever a tensor's size",                    \
	  (at) + offsetof(struct writer, max_buffer_size) },                                                           \
	{ OPT_STRING, 0, "progress", "HOW", "auto|json|none",                                                          \
	  "auto: a line on a terminal; json: one object per line on standard error; none (default: auto)",             \
	  (at) + offsetof(struct writer, progress) },                                                                  \
	{ OPT_FLAG, 0, "json", NULL, NULL, "print the plan or the report as JSON on standard output",                  \
	  (at) + offsetof(struct writer, json) },                                                                      \
	{ OPT_STRING, 0, "report", "FILE", "file",                                                                     \
	  "write the report to FILE, with clipped codes and a histogram of errors per tensor: a page where its name ends " \
	  "in .html, else JSON (default: none)",                                                                       \
	  (at) + offsetof(struct writer, report) },                                                                    \
	{ OPT_FLAG, 0, "histogram", NULL, NULL, "draw how large the errors of each type are",                          \
	  (at) + offsetof(struct writer, histogram) },                                                                 \
	MANIFEST_ROW((at) + offsetof(struct writer, manifest)),                                                        \
	{ OPT_FLAG, 'q', "quiet", NULL, NULL, "no summary and no progress line",                                       \
	  (at) + offsetof(struct writer, quiet) }

/* -1 to go on, else the exit status: what was wrong with the options was told. */
int writer_check(const struct writer *w);
/* Opens the source, plans the job, runs it and reports; what the options say is filled into the job here. Returns the exit status. */
int writer_run(const struct writer *w, const char *source, struct heft_job *job);
/* size.c: bytes of weights for --fit. */
int size_of_fit(const char *fit, struct heft_model *m, const struct heft_job *job, uint64_t *size, struct heft_err *err);
/* The same of a model that is open. */
int writer_run_on(const struct writer *w, struct heft_model *m, struct heft_job *job);

#endif
