/*
 * archive.h - a model inside an archive, or one file that is compressed: read where it lies, nothing is unpacked to disk.
 *
 * An archive is listed once and then looks like a folder (base/mount.h). Small files are kept in memory. Weights that are stored as they are
 * are parts of the archive's file; those that are packed are parts of one stream, all weights in the archive's order, which
 * a second pass over the archive gives. On standard input there is one pass: what a plan needs must come before more
 * weights than the spool holds.
 */
#ifndef ARCHIVE_H
#define ARCHIVE_H

#include "../base/arena.h"
#include "../base/err.h"
#include "../base/source.h"

struct archive;

struct archive_options {
	uint64_t spool;
	bool config_elsewhere; /* config.json and tokenizer are not looked for */
	/* Reads a container's header from the first bytes of a member that cannot be read again; fails where it is none. */
	int (*read_header)(struct source *src, struct heft_err *err);
};

/* Is it an archive that may hold a model? 1 or 0 (also: one compressed file, a PyTorch checkpoint); -1. */
int archive_probe(struct source *src, struct heft_err *err);
/* Lists it, and mounts it at `path` until it is closed. Takes over src, also where it fails. */
int archive_open(struct archive **out, struct source *src, const char *path, const struct archive_options *o, struct heft_err *err);
void archive_close(struct archive *ar); /* NULL is allowed */
const char *archive_dir(const struct archive *ar); /* the path of the folder in it that holds the model */
/* Its arrays, where it holds nothing but arrays (an .npz); NULL otherwise. Their names: what stands before ".npy", folders and all. */
const char *const *archive_arrays(const struct archive *ar, size_t *n);
const char *archive_array_name(const struct archive *ar, const char *path);
bool archive_ended_early(const struct archive *ar); /* standard input: what may lie behind the weights was not seen */

/* The unpacked bytes of a compressed file: a stream. Takes over src, also where it fails. */
struct source *archive_unpack(struct source *src, uint64_t spool, struct heft_err *err);

#endif
