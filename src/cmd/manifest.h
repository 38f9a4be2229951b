/* manifest.h - --manifest of the tools that write a model. */
#ifndef CMD_MANIFEST_H
#define CMD_MANIFEST_H

#include "heft_manifest.h"
#include "report.h"

#define MANIFEST_ROW(at)                                                                                               \
	{ OPT_FLAG, 0, "manifest", NULL, NULL,                                                                         \
	  "write OUT.manifest.json beside OUT, or heft-manifest.json into a directory: SHA-256 of each file and tensor " \
	  "and how it was made; 'heft check --manifest' proves it (default: none)", at }

struct manifest_making { /* how a model was made */
	const struct tool *tool; /* whose options were given; NULL: none are told */
	const void *options;
	const struct heft_model *source;
	const char *to, *recipe; /* NULL: not said */
	double bits;             /* per weight; NAN: not said */
	const struct list *edits; /* operands that say what was changed; NULL: none */
};

/* Where the manifest of a model is: path is its first file, or the directory that it is. The caller's to free. */
char *manifest_path(const char *path, const char *directory);
int manifest_save(const char *path, const struct manifest_making *how, const struct heft_manifest *m, struct heft_err *err);
/* A line on standard error. */
void manifest_say(const char *path, const struct heft_manifest *m);

/* After a run, of each output: takes the digests into r->manifest, writes the files. manifest_release() also where it fails. */
int manifest_write(struct report_of *r, bool quiet, const struct heft_manifest_options *how, struct heft_err *err);
void manifest_release(struct report_of *r);

/* The manifest that belongs to a file: the one of its directory, where there is one, or its own. The caller's to free. */
char *manifest_at(const char *path);
/* After a file was changed: its manifest, anew. Files that the old one speaks of stay in it. */
int manifest_of_edit(const char *path, const struct manifest_making *how, const struct heft_manifest_options *o, bool quiet, struct heft_err *err);

#endif
