/*
 * digests.h - SHA-256 of the tensors and files of a plan's outputs, made while a run writes them.
 *
 * SHA-256 takes bytes in their order, threads write them in any. A piece that comes early waits as a copy, and whoever brought the one before it
 * takes it next. So a tensor has a digest when its last byte is written, and so has a file whose tensors come in its order. What would have too
 * much wait for it is given up, and has none here: it is read back. The digest is the same either way, for any number of threads.
 */
#ifndef DIGESTS_H
#define DIGESTS_H

#include "plan.h"

struct digests;

/* The plan's layouts stand, headers too. Borrows the plan. */
struct digests *digests_new(const struct heft_plan *p);
void digests_free(struct digests *d); /* NULL is allowed */
/* Bytes that were written at an offset of a part's file. By any thread. NULL is allowed. */
void digests_add(struct digests *d, size_t output, uint64_t part, uint64_t offset, const void *buf, size_t n);
/* Of the tensor at an offset of an output's file with this base name, and of the whole file; NULL: there is none. */
const char *digests_tensor(const struct digests *d, size_t output, const char *file, uint64_t offset, uint64_t size);
const char *digests_file(const struct digests *d, size_t output, const char *file);

#endif
