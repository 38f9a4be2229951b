/*
 * source.h - byte sources: where input bytes come from. A file (pread; or a member of an archive: mount.h), a stream that
 * comes in order (a pipe, a decompressor; with a window of bytes that may still be asked for), memory, or a part of one.
 *
 * All functions may be called from several threads at once, but for source_close.
 */
#ifndef BASE_SOURCE_H
#define BASE_SOURCE_H

#include "err.h"

struct source;

struct source *source_open(const char *path, struct heft_err *err);  /* a regular file, as it lies; never a FIFO or device */
/* Takes over `file`: where heft pack made it (pack.h), reads as the file that was packed; else it is `file` itself. NULL is passed on. */
struct source *source_unpacked(struct source *file, struct heft_err *err);
/* Takes over `file`: where it is a .zst with a seek table, reads as what is in it; else it is `file` itself. NULL is passed on. */
struct source *source_seekable(struct source *file);
bool source_is_packed(const struct source *s);
void source_packed_sha256(const struct source *s, uint8_t out[32]); /* of the file that was packed, as its packed one says */
/* A stream: bytes between the release mark and the furthest byte read are kept; more than `spool` of them is
 * HEFT_E_SPOOL. The descriptor stays the caller's. */
struct source *source_stream(int fd, const char *name, uint64_t spool, struct heft_err *err);
/* Bytes that come once and in order. */
struct feed {
	int64_t (*read)(struct feed *f, void *buf, size_t n, struct heft_err *err); /* 1 to n bytes; 0 at the end; -1 */
	int (*rewind)(struct feed *f, struct heft_err *err); /* to the first byte; NULL: it cannot */
	void (*close)(struct feed *f);
};
/* A stream of them, which closes the feed. size: UINT64_MAX where it is not known. One that rewinds keeps at most `spool`
 * bytes and begins again for those that it let go. */
struct source *source_feed(struct feed *f, const char *name, uint64_t size, uint64_t spool);
struct source *source_memory(const void *p, size_t n, const char *name); /* borrows p */
/* `size` bytes of `of`, which is not closed with it. Of a stream a part is a stream too; letting go
 * of its bytes is for whoever knows all parts: source_stream_of(). */
struct source *source_range(struct source *of, uint64_t offset, uint64_t size, const char *name);
/* Its first n bytes are these (borrowed): they are not read from `of`. */
void source_range_head(struct source *range, const void *head, size_t n);
void source_close(struct source *s); /* NULL is allowed */

/* Numbers that lie in `from` at a distance of step[i] bytes along each dimension. Whoever makes one has checked that all of them lie in
 * it and that their bytes can be counted in 64 bits. */
struct source_grid {
	uint64_t offset;  /* of the first number */
	uint32_t item;    /* bytes of a number: at most 16 */
	bool turned;      /* the other byte order */
	int rank;
	uint64_t dim[HEFT_MAX_RANK], step[HEFT_MAX_RANK]; /* outermost first */
};
struct source *source_strided(struct source *from, const struct source_grid *grid);

/* `rows` rows, each made of one row of every part; all bytes are in their sources. */
struct source_part {
	struct source *from;
	uint64_t offset, row; /* where it begins, bytes of a row of it: not 0 */
};
struct source *source_joined(const struct source_part *part, size_t n, uint64_t rows);

/* Makes `owner` close `made`, a source that reads from it. */
void source_adopt(struct source *owner, struct source *made);

/* A matrix of rows x cols units of `unit` bytes, none of them 0, at an offset of `from`, read column by column: as its transpose would
 * lie in a file. `from` closes it. The caller has checked that rows * cols * unit bytes are there. */
struct source *source_turned(struct source *from, uint64_t offset, uint64_t rows, uint64_t cols, uint32_t unit);

/* Reads exactly n bytes; fewer there are is HEFT_E_TRUNCATED, told with the offset. */
int source_read(struct source *s, uint64_t offset, void *buf, size_t n, struct heft_err *err);
/* Reads up to n bytes: fewer only where the source ends. How many, or -1. */
int64_t source_read_some(struct source *s, uint64_t offset, void *buf, size_t n, struct heft_err *err);
/* Reads up to n bytes at the beginning (for probing): how many there are, or -1. */
int64_t source_peek(struct source *s, void *buf, size_t n, struct heft_err *err);
/* Says that bytes before `offset` will not be read again. Does nothing for files. */
void source_release(struct source *s, uint64_t offset);
/* Reads a stream to its end, so that its writer is not killed by a closed pipe. How many bytes were left, or -1; 0 for
 * files. */
int64_t source_drain(struct source *s, struct heft_err *err);

/* A file that may be cut off: its size is taken as not known, and what lacks is told only where it is read. */
void source_open_ended(struct source *s);
uint64_t source_size(const struct source *s); /* UINT64_MAX where it is not known (a stream) */
bool source_is_stream(const struct source *s);
/* The stream that s is, or is a part of; *begin: where it begins there. NULL: neither. */
struct source *source_stream_of(struct source *s, uint64_t *begin);
const char *source_name(const struct source *s);

#endif
