/* archive_members.h - what the parts of reading an archive (archive*.c) share. */
#ifndef ARCHIVE_MEMBERS_H
#define ARCHIVE_MEMBERS_H

#include "../base/map.h"
#include "../base/mount.h"
#include "../base/unpack.h"
#include "archive.h"

enum { MEMBERS_MAX = 20000, SMALL_MAX = 256 << 20, SMALL_TOTAL = 512 << 20 };

enum member_role { ROLE_OTHER, ROLE_WEIGHTS, ROLE_SMALL, ROLE_NESTED };
enum member_role member_role(const char *name); /* by its ending */
char *member_name(const char *name, struct arena *a); /* NULL: refused */
/* What a link's target is called; hard links count from the archive's beginning. NULL: outside. */
char *member_link(const char *from, const char *target, bool symbolic, struct arena *a);

struct entry {
	struct mount_file file;   /* first; its name has the folder of the model in front */
	const char *name;         /* as the archive spells it, cleaned */
	enum member_role role;
	const char *link;         /* the entry that it stands for; NULL: none */
	bool stored;
	uint64_t begin;           /* of its bytes: in the archive's file where stored, else in the stream of weights */
	unsigned char *bytes;     /* a small file; of packed weights, their first ones */
	size_t n_bytes, cap;
};

struct archive {
	struct arena *arena;
	struct source *src;
	const char *path, *dir;
	struct archive_options options;
	struct mount mount;
	const struct mount_file **file; /* = struct entry */
	size_t n, cap, n_weights;
	struct map names;             /* of all members */
	uint64_t small;               /* bytes of small files */
	const char *nested;           /* an archive inside */
	struct unpacker *unpacker;    /* the walk that is on */
	struct entry *current;        /* the weights that it stands at */
	struct source *stream;        /* of weights that are packed */
	uint64_t stream_size;         /* so far */
	bool arrays;                  /* it holds nothing else */
	bool live, early;             /* standard input; it was not seen to its end */
};

static inline struct entry *entry_at(const struct archive *ar, size_t i)
{
	return (struct entry *)ar->file[i];
}

/* Goes on to the next member that holds weights, keeping small ones. 1; 0 at the end; -1. */
int archive_walk(struct archive *ar, struct heft_err *err);
/* The stream of packed weights: archive_stream.c */
struct source *archive_replay(struct archive *ar);
struct source *archive_live(struct archive *ar);

#endif
