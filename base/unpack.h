/*
 * unpack.h - archives and compressed streams, member by member in their own order. The door of libarchive.
 *
 * Reads tar and zip, plain or behind one of gzip, xz, zstd, bzip2, lz4, and a lone file behind one of these. Only what libarchive has
 * compiled in: its other filters start programs. Refuses two compressions, one in the other, and more than RATIO_MAX unpacked bytes
 * for each packed one: model weights give 1 to 3, so that is a bomb.
 */
#ifndef BASE_UNPACK_H
#define BASE_UNPACK_H

#include "err.h"
#include "source.h"

enum { UNPACK_RATIO_MAX = 1000, UNPACK_FREE = 64 << 20 }; /* so many bytes are unpacked whatever their ratio */

enum packing { PACKING_NONE, PACKING_FILE, PACKING_TAR, PACKING_ZIP, PACKING_PROGRAM }; /* FILE: one compressed file, or a compressed tar; PROGRAM: a zip may stand behind it */
enum packing packing_of(const uint8_t *head, size_t n); /* by the first bytes; 262 of them are enough */

enum member_kind { MEMBER_FILE, MEMBER_FOLDER, MEMBER_SYMLINK, MEMBER_HARDLINK, MEMBER_OTHER };
struct member {
	const char *name, *link; /* as they stand there, until the next one; link: what one leads to */
	enum member_kind kind;
	uint64_t size;           /* UINT64_MAX: not known before it is read */
	uint64_t at;             /* where its bytes stand in the source as they are; UINT64_MAX: they are packed */
};

/* Does a zip archive's directory end this file? 1, 0 or -1. */
int packing_has_zip(struct source *src, struct heft_err *err);

struct unpacker;
/* Reads src, which stays the caller's, from its beginning; a stream's bytes are released as they are read, unless this is but a look. */
struct unpacker *unpacker_open(struct source *src, bool look, struct heft_err *err);
int unpacker_next(struct unpacker *u, struct member *m, struct heft_err *err); /* 1; 0 behind the last one; -1 */
int64_t unpacker_read(struct unpacker *u, void *buf, size_t n, struct heft_err *err); /* of this member; 0 at its end */
bool unpacker_is_archive(const struct unpacker *u); /* false: one compressed file; known from the first member on */
void unpacker_close(struct unpacker *u); /* NULL is allowed */

#endif
