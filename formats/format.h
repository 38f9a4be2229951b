/*
 * format.h - containers: list the tensors of a file; lay out a new one. Neither touches weight data.
 *
 * Adding one: formats/X.c with a `const struct format format_X`, and a row in formats/list.h.
 */
#ifndef FORMAT_H
#define FORMAT_H

#include "../base/arena.h"
#include "../base/err.h"
#include "../base/source.h"
#include "heft_meta.h"

/* What a file holds. Arrays lie in the arena. plane[].file is left 0: the caller numbers files. A tensor that the sink
 * was told of and that cannot be used (its type has no encoding, its range is wrong) stays in the list with enc NULL,
 * so that names can still be compared. */
struct format_listing {
	const char *key;            /* set by the caller: which of a file's nested tables, as a path with points; NULL: the format decides */
	struct heft_tensor *tensor; /* in the order of their bytes */
	size_t n_tensors;
	struct heft_kv *kv;
	size_t n_kv;
	uint64_t data_offset;       /* where tensor bytes begin */
	const uint64_t *kv_at;      /* GGUF: where each key begins, and where the last ends */
	uint64_t header_end;        /* GGUF: behind the last tensor's row */
};

/* A file to be written. */
struct format_tensor {
	const char *name;
	const struct heft_encoding *enc;
	int rank;
	uint64_t dim[HEFT_MAX_RANK]; /* outermost first */
	uint64_t size;               /* bytes */
	uint64_t offset;             /* filled by layout: from the beginning of the file */
};
struct format_layout {
	const struct heft_kv *kv;
	size_t n_kv;
	struct format_tensor *tensor; /* in file order */
	size_t n_tensors;
	bool big_endian;              /* GGUF alone */
	/* filled by layout; header lies in the arena. Bytes between tensors are zero. */
	const void *header;
	size_t header_size;
	uint64_t file_size;
};

/* What stands before the tensors of a file, with other metadata and all else as it was. */
struct format_edit {
	const struct heft_meta_change *change; /* those of keys that the file has in its order, then the new ones; no key twice */
	size_t n_changes;
	void *header;               /* filled, in the arena: up to the tensors' first byte */
	size_t header_size;
};

struct format {
	const char *name, *about;
	const char *extension; /* ".gguf" */
	/* Bids on the first n bytes of a file: 0 not mine ... 100 certain. n may be short; head is padded with 16 zero
	 * bytes. */
	int (*probe)(const uint8_t *head, size_t n);
	/* Lists a file. Every length is checked against the bytes that are there; problems go to the sink. */
	int (*list)(struct format_listing *out, struct source *src, struct arena *a, struct sink *sink,
		    struct heft_err *err);
	/* Encodings that it can hold, by name, NULL-terminated; NULL: the format is only read. */
	const char *const *stores;
	int (*layout)(struct format_layout *f, struct arena *a, struct heft_err *err);
	/* NULL: its metadata cannot be changed. */
	int (*edit)(struct format_edit *e, const struct format_listing *l, struct source *src, struct arena *a, struct heft_err *err);
};

const struct format *format_at(size_t i);           /* NULL past the end */
const struct format *format_find(const char *name); /* NULL where unknown */
const struct format *format_probe(const uint8_t *head, size_t n); /* the best bid; NULL where nobody knows it */
bool format_stores(const struct format *f, const struct heft_encoding *e);

/* For the containers: */

/* Elements of a shape; false where it overflows. */
bool format_count(int rank, const uint64_t *dim, uint64_t *out);
/* Rounds up to a multiple of `alignment`, a power of two; UINT64_MAX where it overflows. */
uint64_t format_align(uint64_t offset, uint64_t alignment);
/* Sets plane 0, offset being counted from data_offset; false where it overflows. */
bool format_place(struct heft_tensor *t, uint64_t data_offset, uint64_t offset, uint64_t size);
/* Sorts the tensors by their bytes and tells the sink of overlaps, of holes wider than the alignment, of a file that
 * ends early and of bytes behind the last tensor. A tensor with n_planes 0 has an unknown length. */
int format_check_extents(struct format_listing *l, uint64_t alignment, struct source *src, struct sink *sink);

#endif
