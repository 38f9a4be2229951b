/*
 * heft_coreml.h - writes packages of Core ML (X.mlpackage) whose constants are compressed, or plain again. Beside heft.h, whose rules of
 * ownership, errors and threads it has.
 */
#ifndef HEFT_COREML_H
#define HEFT_COREML_H

#include "heft.h"

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/* An ML Program (X.mlpackage) opens as a model whose tensors are the program's constants. Its constants can be written anew, compressed or
 * not; the program and all that stands beside them stay as they are, to the byte. */
struct heft_coreml_item {      /* one constant */
	const char *name;
	const struct heft_encoding *from;
	const char *to;        /* "int4"; NULL: it stays as it is */
	const char *why;       /* why it stays, or how it is divided: "per channel", "per 32 columns" */
	uint64_t size_in, size_out; /* bytes of all its numbers */
	struct heft_error error; /* filled by heft_coreml_write(); count 0: nothing changed */
};
struct heft_coreml_plan {
	const char *path, *type;
	struct heft_coreml_item *item;
	size_t n_items, n_changed;
	uint64_t size_in, size_out; /* of program and weights */
	const char *const *beside;  /* after heft_coreml_write(): paths of all its files but the weights */
	size_t n_beside;
};
#define HEFT_GROUP_TENSOR (UINT32_MAX - 1) /* heft_job.group_size: one scale, one table for all */

const char *heft_coreml_type_at(size_t i); /* what heft_job.output[0].type may be: "int8", "palette4" ...; NULL past the end */
/* Of the job: one output with path and type, group_size (columns of a block, channels of a table), ignore, targets (patterns on names),
 * tensor_type ("PATTERN=TYPE" or "PATTERN=TYPE:GROUP"), threads, force. Reads no weights. The plan borrows the model. */
int heft_coreml_plan_new(struct heft_coreml_plan **out, struct heft_model *m, const struct heft_job *job, struct heft_err *err);
/* Reads the weights that are to change: those with numbers that cannot be compressed (NaN, infinity, for palettes what f16 cannot hold) stay.
 * heft_coreml_write() does the same where it meets one, and begins anew. */
int heft_coreml_plan_check(struct heft_coreml_plan *p, struct heft_err *err);
int heft_coreml_write(struct heft_coreml_plan *p, const struct heft_run_options *o, struct heft_err *err);
void heft_coreml_plan_free(struct heft_coreml_plan *p); /* NULL is allowed */

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
