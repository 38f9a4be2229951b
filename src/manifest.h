/* manifest.h - digests of ranges of files, on several threads. */
#ifndef MANIFEST_H
#define MANIFEST_H

#include "heft_manifest.h"

#include "../base/source.h"

struct manifest_run { /* bytes of one file or tensor, one after another */
	struct {
		struct source *from;
		uint64_t offset, size;
	} piece[HEFT_MAX_PLANES];
	int n_pieces;
	const char *name;
	char *hex; /* 65 bytes: the result */
};

/* Largest first. The first that fails, in the order of the list, is the error. */
int manifest_hash(struct manifest_run *run, size_t n, const struct heft_manifest_options *o, struct heft_err *err);

#endif
