/*
 * heft_meta.h - changes the metadata of GGUF and safetensors files; their tensors stay where they are, byte for byte. Beside heft.h, whose
 * rules of ownership, errors and threads it has.
 */
#ifndef HEFT_META_H
#define HEFT_META_H

#include "heft.h"

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/* What is to change. A pattern is one as for names of files. */
struct heft_meta_edit {
	const char *const *set;    /* "KEY=TYPE:VALUE"; TYPE int, float, bool or str, one of GGUF's own (u8 ... f64), or json */
	const char *const *remove; /* keys, or patterns of such */
	const char *import;        /* a GGUF file, or a JSON object of keys and values; NULL: none. What is set besides comes after it */
	const char *const *only;   /* patterns: of import these keys; none: all that are not about its tensors and its parts */
	size_t n_set, n_remove, n_only;
	const char *output;        /* a new file; NULL: the file itself */
	bool force;                /* also what the tensors' meaning hangs on; replaces an output that exists */
	bool dry_run;
	void (*warn)(void *ctx, const char *text);
	void *ctx;
};

enum heft_meta_way { HEFT_META_SAME, HEFT_META_IN_PLACE, HEFT_META_REWRITTEN };

struct heft_meta_change {
	const char *key;
	const struct heft_value *before, *after; /* NULL: it was not there; it is gone */
};

struct heft_meta_summary {
	const char *path;          /* of the file with the keys: the first of a GGUF's parts */
	enum heft_meta_way way;
	size_t n_files;
	uint64_t bytes;            /* that were written, in place or in new files */
	uint64_t bytes_shared;     /* of new files, with the old ones */
	const struct heft_meta_change *change;
	size_t n_changes;
	struct arena *arena;
	struct heft_model *imported; /* values are its own */
};

/* path: a file, any part of a set, or a directory. One file is changed by one write inside one page where that is enough, and else replaced
 * by a new one: whenever the process ends, it is the old file or the new one. Several (a safetensors set, each with its own metadata) are
 * all made anew before the first of them is replaced. Errors: HEFT_E_OPTION for keys and values that are refused, HEFT_E_PATTERN for a key
 * that is not there, and those of opening and writing. Also where it fails, out is to be released. */
int heft_meta_edit(const char *path, const struct heft_meta_edit *e, struct heft_meta_summary *out, struct heft_err *err);
void heft_meta_release(struct heft_meta_summary *s);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
