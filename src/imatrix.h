/*
 * imatrix.h - importance matrices in memory: what the readers and writers of both formats share.
 */
#ifndef IMATRIX_H
#define IMATRIX_H

#include "../base/arena.h"
#include "../base/err.h"
#include "../base/map.h"
#include "../base/source.h"

enum { IMATRIX_CHUNK_SIZE = 512 }; /* llama-imatrix's own default, where a file does not say */

/* An importance matrix in the making: the reader fills pub but for entries, which it adds. */
struct imatrix_build {
	struct heft_imatrix *pub;
	struct heft_imatrix_entry *entry;
	size_t n, cap;
	struct map by_name; /* -> number of the entry */
	const char *file;   /* for messages */
	struct heft_err *err;
};
void imatrix_build_init(struct imatrix_build *b, const char *file, struct heft_err *err);
/* Checks an entry's name and numbers, calculates its means and adds it. Its name and arrays lie in the arena. */
int imatrix_build_add(struct imatrix_build *b, const struct heft_imatrix_entry *e);
/* The numbers and means again, for an entry whose sums have changed. */
int imatrix_build_settle(struct imatrix_build *b, struct heft_imatrix_entry *e);
struct heft_imatrix_entry *imatrix_build_find(struct imatrix_build *b, const char *name);
/* Ends the making: hands the matrix out, or with rc not 0 releases it. Returns rc. */
int imatrix_build_end(struct imatrix_build *b, int rc, struct heft_imatrix **out);

static inline uint64_t imatrix_values(const struct heft_imatrix_entry *e)
{
	return e->columns * e->matrices;
}

int imatrix_open_source(struct heft_imatrix **out, struct source *src, struct heft_err *err); /* of either format */

/* imatrix_legacy.c, imatrix_gguf.c */
int imatrix_read_legacy(struct imatrix_build *b, struct source *src);
int imatrix_read_gguf(struct imatrix_build *b, struct source *src);
/* The bytes of a whole file, in the arena. */
int imatrix_lay_legacy(const struct heft_imatrix *im, struct arena *a, void **bytes, size_t *n, struct heft_err *err);
int imatrix_lay_gguf(const struct heft_imatrix *im, struct arena *a, void **bytes, size_t *n, struct heft_err *err);

#endif
