/*
 * pack.h - what `heft pack` and `heft unpack` share: their options, and one file after another.
 */
#ifndef CMD_PACK_H
#define CMD_PACK_H

#include "cmd.h"

struct pack_options {
	bool force, json, quiet;
	const char *output, *progress;
	uint64_t threads;
};
extern const struct opt pack_rows[];

typedef int pack_fn(const char *path, const struct heft_pack_options *o, struct heft_pack_summary *out, struct heft_err *err);
int pack_files(const struct pack_options *o, const struct list *args, pack_fn *work, const char *tool);

#endif
