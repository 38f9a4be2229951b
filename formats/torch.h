/*
 * torch.h - what PyTorch's checkpoints have in common, whichever layout holds them:
 *
 *	layout (pytorch.c: zip, torch_legacy.c: before 1.6, torch_tar.c: before 0.2) -> where each storage's bytes are
 *	pickle.c -> values -> torch_names.c: is every function and class one of a checkpoint's?
 *	                   -> torch_tree.c: which values are tensors, and their names -> torch_tensor.c: type, shape, bytes
 */
#ifndef FORMATS_TORCH_H
#define FORMATS_TORCH_H

#include "../base/map.h"
#include "format.h"
#include "pickle.h"

struct torch_dtype {
	const char *name;     /* "float32", as in torch.float32 */
	const char *storage;  /* "FloatStorage"; NULL: it has none of its own */
	const char *encoding; /* NULL: heft has none */
	uint32_t size;
};

/* What a global means to a checkpoint */
enum torch_role {
	TORCH_FOREIGN,     /* not on the list */
	TORCH_HARMLESS,    /* a value that is no tensor */
	TORCH_ORDERED,     /* collections.OrderedDict */
	TORCH_PLAIN,       /* (storage, offset, size, stride, ...[, metadata]) */
	TORCH_TYPED,       /* (storage, offset, size, stride, requires_grad, hooks, dtype[, metadata]) */
	TORCH_WRAP,        /* its first argument is what it is about */
	TORCH_CALL,        /* (function, type, arguments, state) */
	TORCH_UNSUPPORTED, /* a tensor that is not one array of numbers */
	TORCH_STORAGE,     /* the type of a storage */
	TORCH_DTYPE,
};
/* *dtype: of TORCH_STORAGE and TORCH_DTYPE; NULL for storages of bytes without a type. */
enum torch_role torch_role(const struct pickle_global *g, const struct torch_dtype **dtype);
enum torch_role torch_role_of(const struct pickle_value *callee); /* TORCH_FOREIGN for what is no global */

struct torch_storage { /* a run of bytes that tensors are views of */
	uint64_t offset, size;
	const struct torch_dtype *dtype; /* NULL: the tensor says */
};

/* A tensor of the tar layout, which describes them outside of the pickle */
struct torch_record {
	const struct torch_storage *storage;
	uint64_t offset;
	int rank;
	uint64_t dim[HEFT_MAX_RANK], stride[HEFT_MAX_RANK]; /* in elements */
};

/* A file that is being listed */
struct torch {
	struct format_listing *out;
	size_t cap;          /* of out->tensor */
	struct source *src;
	const char *file;
	const char *key;     /* which of nested dicts is meant; NULL: the one that looks like it */
	bool turned;         /* its numbers are big-endian */
	struct map storage;  /* by key -> struct torch_storage */
	struct map record;   /* by key -> struct torch_record (tar) */
	struct map names;    /* of the tensors that were taken */
	uint64_t bytes;      /* of all tensors */
	unsigned round;      /* of walks over the values */
	struct arena *arena;
	struct sink *sink;
	struct heft_err *err;
};

/* Reads a pickle and tells of every global in it that is not on the list. */
int torch_read(struct torch *t, struct pickle *p, uint64_t begin, uint64_t end, const char *name);
void torch_add_storage(struct torch *t, const char *key, const struct torch_storage *s);
/* The arguments of a persistent id that names a storage; false where it is something else. Keys are text. */
struct torch_id {
	const struct torch_dtype *dtype; /* NULL: bytes */
	const char *key;
	uint64_t count;                  /* of its elements */
	bool view;                       /* of a part of it: from `offset`, `length` elements (before 1.0) */
	uint64_t offset, length;
};
bool torch_storage_id(const struct torch *t, const struct pickle_value *persistent, struct torch_id *out);
/* Text of a key that is text or a number; NULL where it is neither. */
const char *torch_key(const struct torch *t, const struct pickle_value *v);

/* v, or what it wraps */
const struct pickle_value *torch_unwrap(const struct pickle_value *v);
bool torch_is_tensor(const struct torch *t, const struct pickle_value *v);
bool torch_is_scalar(const struct torch *t, const struct pickle_value *v); /* a tensor without dimensions */
/* Adds the tensor to the listing, or tells what is wrong with it. */
int torch_add_tensor(struct torch *t, const char *name, const struct pickle_value *v);

/* Adds all tensors below the root, or below the key. */
int torch_add_tree(struct torch *t, struct pickle_value *root);

int torch_list_legacy(struct torch *t);
int torch_list_tar(struct torch *t);

#endif
