/*
 * archive_stream.c - the weights of a packed archive as one stream, and a compressed file as one.
 *
 *   archive   config.json | a.safetensors | README.md | b.safetensors
 *   stream                |===============|           |===============|        what lies between is passed over
 */
#include "archive_members.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct archive_feed {
	struct feed feed;
	struct archive *ar;
	struct source *src;         /* of a lone file: owned */
	struct unpacker *unpacker;
	size_t next;                /* the entry that comes */
	const struct entry *entry;  /* the one that is read */
	uint64_t done;              /* of its bytes */
};

/* ---- again, behind a first pass ---- */

static struct entry *next_packed(const struct archive *ar, size_t *i)
{
	while (*i < ar->n) {
		struct entry *e = entry_at(ar, (*i)++);

		if (e->role == ROLE_WEIGHTS && !e->stored && !e->link)
			return e;
	}
	return NULL;
}

static int find_member(struct archive_feed *f, struct heft_err *err)
{
	struct member m;
	int rc;

	while ((rc = unpacker_next(f->unpacker, &m, err)) > 0) {
		struct arena *a = arena_new();
		const char *name = member_name(m.name, a);
		bool same = name && !strcmp(name, f->entry->name);

		arena_free(a);
		if (same)
			return 0;
	}
	return rc ? rc : heft_fail(err, HEFT_E_READ, "%s: '%s' is not there any more: the file changed while it was read", f->ar->path, f->entry->name);
}

/* The entry that has bytes left, found in the archive; NULL behind the last one. */
static int stand_at_entry(struct archive_feed *f, struct heft_err *err)
{
	if (!f->unpacker && !(f->unpacker = unpacker_open(f->ar->src, false, err)))
		return -1;
	while (!f->entry || f->done == f->entry->file.size) {
		f->entry = next_packed(f->ar, &f->next);
		f->done = 0;
		if (!f->entry)
			return 0;
		if (find_member(f, err))
			return -1;
	}
	return 0;
}

static int64_t replay_read(struct feed *feed, void *buf, size_t n, struct heft_err *err)
{
	struct archive_feed *f = (struct archive_feed *)feed;
	int64_t got;

	if (stand_at_entry(f, err))
		return -1;
	if (!f->entry)
		return 0;
	if (n > f->entry->file.size - f->done)
		n = (size_t)(f->entry->file.size - f->done);
	got = unpacker_read(f->unpacker, buf, n, err);
	if (!got)
		return heft_fail(err, HEFT_E_TRUNCATED, "%s: '%s' ends at byte %" PRIu64 " of %" PRIu64, f->ar->path, f->entry->name, f->done,
				 f->entry->file.size);
	f->done += got > 0 ? (uint64_t)got : 0;
	return got;
}

static int replay_rewind(struct feed *feed, struct heft_err *err)
{
	struct archive_feed *f = (struct archive_feed *)feed;

	unpacker_close(f->unpacker);
	f->unpacker = NULL;
	f->entry = NULL;
	f->next = 0;
	f->done = 0;
	return 0;
}

static void feed_close(struct feed *feed)
{
	struct archive_feed *f = (struct archive_feed *)feed;

	unpacker_close(f->unpacker);
	source_close(f->src);
	free(f);
}

static struct archive_feed *feed_new(struct archive *ar, struct feed class)
{
	struct archive_feed *f = xmalloc(sizeof *f);

	*f = (struct archive_feed){ .feed = class, .ar = ar };
	return f;
}

struct source *archive_replay(struct archive *ar)
{
	struct archive_feed *f = feed_new(ar, (struct feed){ replay_read, replay_rewind, feed_close });

	return source_feed(&f->feed, ar->path, ar->stream_size, ar->options.spool);
}

/* ---- while the walk is on ---- */

static int64_t live_read(struct feed *feed, void *buf, size_t n, struct heft_err *err)
{
	struct archive *ar = ((struct archive_feed *)feed)->ar;

	for (;;) {
		int64_t got = ar->current ? unpacker_read(ar->unpacker, buf, n, err) : 0;

		if (got)
			return got;
		got = archive_walk(ar, err);
		if (got <= 0)
			return got;
	}
}

struct source *archive_live(struct archive *ar)
{
	struct archive_feed *f = feed_new(ar, (struct feed){ live_read, NULL, feed_close });

	return source_feed(&f->feed, ar->path, UINT64_MAX, ar->options.spool);
}

/* ---- a lone file ---- */

static int64_t lone_read(struct feed *feed, void *buf, size_t n, struct heft_err *err)
{
	struct archive_feed *f = (struct archive_feed *)feed;
	struct member m;

	if (!f->unpacker) {
		f->unpacker = unpacker_open(f->src, false, err);
		if (!f->unpacker || unpacker_next(f->unpacker, &m, err) < 0)
			return -1;
	}
	return unpacker_read(f->unpacker, buf, n, err);
}

struct source *archive_unpack(struct source *src, uint64_t spool, struct heft_err *err)
{
	bool again = !source_is_stream(src);
	struct archive_feed *f = feed_new(NULL, (struct feed){ lone_read, again ? replay_rewind : NULL, feed_close });

	f->src = src;
	return source_feed(&f->feed, source_name(src), UINT64_MAX, spool);
}
