/*
 * parts.h - what `heft split` and `heft merge` share: a copy of a model, each tensor and each key as it is, in as many files as asked for.
 */
#ifndef CMD_PARTS_H
#define CMD_PARTS_H

#include "writer.h"

struct parts_options {
	struct writer w;
	const char *output;
	uint64_t split_size, split_tensors;
	bool no_tensor_first_split, force;
};

#define PARTS_RUN_ROWS                                                                                                 \
	{ OPT_FLAG, 'f', "force", NULL, NULL, "replace outputs that exist (default: refuse)", offsetof(struct parts_options, force) }, \
	{ OPT_FLAG, 'n', "dry-run", NULL, NULL, "print the whole plan and the exact size, write nothing",              \
	  offsetof(struct parts_options, w.dry_run) },                                                                 \
	{ OPT_COUNT, 'j', "threads", "N", NULL, "threads (default: the processors that this process may use)",         \
	  offsetof(struct parts_options, w.threads) },                                                                 \
	{ OPT_STRING, 0, "progress", "HOW", "auto|json|none",                                                          \
	  "auto: a line on a terminal; json: one object per line on standard error; none (default: auto)",             \
	  offsetof(struct parts_options, w.progress) },                                                                \
	MANIFEST_ROW(offsetof(struct parts_options, w.manifest)),                                                      \
	{ OPT_FLAG, 0, "json", NULL, NULL, "print the plan or the report as JSON on standard output",                  \
	  offsetof(struct parts_options, w.json) },                                                                    \
	{ OPT_FLAG, 'q', "quiet", NULL, NULL, "no summary and no progress line", offsetof(struct parts_options, w.quiet) }, \
	{ OPT_END, 0, NULL, NULL, NULL, NULL, 0 }

/* Opens the source and writes it again, in parts or as one. Returns the exit status. */
int parts_write(const struct parts_options *o, const char *source);

#endif
