/*
 * commit.h - output files: temporaries beside their destinations until everything is written, then renamed into place.
 */
#ifndef COMMIT_H
#define COMMIT_H

#include "plan.h"

struct commit;

/* Checks that no output is an input, exists already (unless forced) or lacks disk space; makes the temporaries and writes the headers. */
int commit_open(struct commit **out, const struct heft_plan *p, struct heft_err *err);
/* Writes the bytes of an item at `offset` within its tensor. To standard output: in order of the file, gaps are filled with zeros. */
int commit_write(struct commit *c, size_t output, size_t item, uint64_t offset, const void *buf, size_t n, struct heft_err *err);
/* The same of one of the tensors that an item is stored as. */
int commit_write_plane(struct commit *c, size_t output, size_t item, int plane, uint64_t offset, const void *buf, size_t n, struct heft_err *err);
/* Syncs, closes and renames all. Frees c in every case; where it fails, nothing stands under an output's name that did not before.
 * *synced: the seconds that the disk took; NULL is allowed. */
int commit_close(struct commit *c, double *synced, struct heft_err *err);
/* Removes the temporaries and frees c. NULL is allowed. */
void commit_abort(struct commit *c);

/* One file without a plan, by the same rules. */
struct commit_rules {
	bool force;               /* replace what exists */
	const char *const *input; /* but none of these */
	size_t n_inputs;
};
/* A file that grows as it is written; `size` bytes of disk must be free for it (0: not known). path lives until it is closed. Where *out is
 * not NULL, one more file of that commit, when the ones before it are written: they are renamed together. It stays, also where this fails. */
int commit_begin(struct commit **out, const char *path, uint64_t size, const struct commit_rules *rules, struct heft_err *err);
int commit_append(struct commit *c, const void *buf, size_t n, struct heft_err *err);
/* Appends what an open file has from `offset` to its end, n bytes: shared between the two where the file system can do that and both have
 * it at the same place of a page. *shared grows by the bytes that are. */
int commit_copy(struct commit *c, int fd, uint64_t offset, uint64_t n, uint64_t *shared, struct heft_err *err);
int commit_mode(struct commit *c, unsigned mode, struct heft_err *err); /* permissions of the file */
/* A small file that is in memory already. */
int commit_bytes(const char *path, const void *buf, size_t n, const struct commit_rules *rules, struct heft_err *err);

#endif
