/*
 * source_stream.c - a stream that comes once and in order (a pipe, what a decompressor gives), with a window of bytes that
 * may still be asked for.
 *
 *            released            end
 *   .............|=================|- - - - - - - - - - - - - not read yet
 *     gone       |  the window     |
 *          |<-chunk->|<-chunk->|<-chunk->|                    memory goes chunk by chunk
 *
 * Reads never run ahead of what was asked for, so the window holds only what is needed; where it would pass `spool`
 * bytes, the order of the stream does not suit the work and the read is refused. A feed that can begin again forgets its
 * oldest bytes instead and comes back for them, a limited number of times: each costs the work of all bytes before.
 */
#include "source_class.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arena.h"

#define CHUNK ((uint64_t)1 << 20)
enum { REWINDS_MAX = 16 };

struct stream {
	struct source base;
	struct feed *feed;
	int rewinds;
	uint64_t spool;
	pthread_mutex_t lock;
	uint64_t released, end;
	bool ended;
	unsigned char **chunk; /* chunk[i] holds the bytes from (first + i) * CHUNK */
	size_t n_chunks, cap;
	uint64_t first;
};

/* Where the byte at `offset` of the window is or will be; *room receives the bytes from there to the chunk's end. */
static unsigned char *window_at(struct stream *t, uint64_t offset, size_t *room)
{
	size_t i = (size_t)(offset / CHUNK - t->first);

	while (i >= t->n_chunks) {
		if (t->n_chunks == t->cap) {
			t->cap = t->cap ? 2 * t->cap : 16;
			t->chunk = xrealloc(t->chunk, t->cap * sizeof *t->chunk);
		}
		t->chunk[t->n_chunks++] = xmalloc(CHUNK);
	}
	*room = (size_t)(CHUNK - offset % CHUNK);
	return t->chunk[i] + offset % CHUNK;
}

static void drop_chunks(struct stream *t)
{
	uint64_t keep_from = t->released / CHUNK;
	size_t n = (size_t)(keep_from - t->first);

	if (n > t->n_chunks)
		n = t->n_chunks;
	for (size_t i = 0; i < n; i++)
		free(t->chunk[i]);
	t->n_chunks -= n;
	if (n)
		memmove(t->chunk, t->chunk + n, t->n_chunks * sizeof *t->chunk);
	t->first = keep_from;
}

static int spool_full(const struct stream *t, struct heft_err *err)
{
	return heft_fail(err, HEFT_E_SPOOL,
			 "%s: more than %" PRIu64
			 " bytes of the stream are needed at once: raise --spool, or save the stream to a file first",
			 t->base.name, t->spool);
}

/* The window is full: the oldest chunk goes where it can come again. */
static int make_room(struct stream *t, struct heft_err *err)
{
	uint64_t spare = t->first * CHUNK + CHUNK;

	if (!t->feed->rewind || spare > t->end)
		return spool_full(t, err);
	t->released = spare > t->released ? spare : t->released;
	drop_chunks(t);
	return 0;
}

/* Reads on until `to`, or the end of the stream. Bytes before the release mark are read too, and dropped. */
static int read_until(struct stream *t, uint64_t to, struct heft_err *err)
{
	while (t->end < to && !t->ended) {
		size_t room;
		unsigned char *p;
		int64_t got;

		if (t->end >= t->released && t->end - t->released >= t->spool && make_room(t, err))
			return -1;
		if (t->end < t->released && t->end / CHUNK < t->first)
			t->first = t->end / CHUNK;
		p = window_at(t, t->end, &room);
		if (room > to - t->end)
			room = (size_t)(to - t->end);
		got = t->feed->read(t->feed, p, room, err);
		if (got < 0)
			return -1;
		t->ended = !got;
		t->end += (uint64_t)got;
		if (t->end <= t->released)
			drop_chunks(t);
	}
	return 0;
}

/* Bytes that were let go are asked for: begins again, where the feed can. */
static int start_again(struct stream *t, uint64_t offset, struct heft_err *err)
{
	if (!t->feed->rewind)
		return heft_fail(err, HEFT_E_INTERNAL, "%s: byte %" PRIu64 " of the stream was let go already",
				 t->base.name, offset);
	if (++t->rewinds > REWINDS_MAX)
		return heft_fail(err, HEFT_E_SPOOL,
				 "%s: its parts are needed in another order than they are packed in: unpack it first",
				 t->base.name);
	if (t->feed->rewind(t->feed, err))
		return -1;
	for (size_t i = 0; i < t->n_chunks; i++)
		free(t->chunk[i]);
	t->n_chunks = 0;
	t->first = 0;
	t->end = 0;
	t->released = offset;
	t->ended = false;
	return 0;
}

static int64_t read_locked(struct stream *t, uint64_t offset, unsigned char *buf, size_t n, struct heft_err *err)
{
	uint64_t to;

	if (__builtin_add_overflow(offset, n, &to))
		to = UINT64_MAX;
	if (offset < t->released && start_again(t, offset, err))
		return -1;
	if (read_until(t, to, err))
		return -1;
	if (t->end <= offset)
		return 0;
	if (n > t->end - offset)
		n = (size_t)(t->end - offset);
	for (size_t done = 0, room; done < n; done += room) {
		const unsigned char *p = window_at(t, offset + done, &room);

		if (room > n - done)
			room = n - done;
		memcpy(buf + done, p, room);
	}
	return (int64_t)n;
}

static int64_t stream_read(struct source *s, uint64_t offset, void *buf, size_t n, struct heft_err *err)
{
	struct stream *t = (struct stream *)s;
	int64_t got;

	pthread_mutex_lock(&t->lock);
	got = read_locked(t, offset, buf, n, err);
	pthread_mutex_unlock(&t->lock);
	return got;
}

static void stream_release(struct source *s, uint64_t offset)
{
	struct stream *t = (struct stream *)s;

	pthread_mutex_lock(&t->lock);
	if (offset > t->released) {
		t->released = offset;
		drop_chunks(t);
	}
	pthread_mutex_unlock(&t->lock);
}

static int64_t stream_drain(struct source *s, struct heft_err *err)
{
	struct stream *t = (struct stream *)s;
	unsigned char buf[1 << 16];
	int64_t left = 0, got = 0;

	pthread_mutex_lock(&t->lock);
	while (!t->ended) {
		got = t->feed->read(t->feed, buf, sizeof buf, err);
		left += got > 0 ? got : 0;
		t->ended = got <= 0;
	}
	pthread_mutex_unlock(&t->lock);
	return got < 0 ? -1 : left;
}

static void stream_close(struct source *s)
{
	struct stream *t = (struct stream *)s;

	for (size_t i = 0; i < t->n_chunks; i++)
		free(t->chunk[i]);
	free(t->chunk);
	pthread_mutex_destroy(&t->lock);
	t->feed->close(t->feed);
}

static const struct source_class stream_class = {
	.stream = true,
	.read = stream_read,
	.release = stream_release,
	.drain = stream_drain,
	.close = stream_close,
};

struct source *source_feed(struct feed *feed, const char *name, uint64_t size, uint64_t spool)
{
	struct stream *t = source_new(sizeof *t, &stream_class, name, size);

	t->feed = feed;
	t->spool = spool;
	pthread_mutex_init(&t->lock, NULL);
	return &t->base;
}

/* ---- a descriptor ---- */

struct descriptor {
	struct feed feed;
	int fd;
	char *name;
};

/* One read(2), waiting where the descriptor does not block. */
static ssize_t read_once(int fd, void *buf, size_t n)
{
	for (;;) {
		struct pollfd wait = { .fd = fd, .events = POLLIN };
		ssize_t got = read(fd, buf, n);

		if (got >= 0 || (errno != EINTR && errno != EAGAIN))
			return got;
		if (errno == EAGAIN)
			poll(&wait, 1, -1);
	}
}

static int64_t descriptor_read(struct feed *feed, void *buf, size_t n, struct heft_err *err)
{
	const struct descriptor *d = (const struct descriptor *)feed;
	ssize_t got = read_once(d->fd, buf, n);

	return got < 0 ? heft_fail_errno(err, HEFT_E_READ, "cannot read '%s'", d->name) : (int64_t)got;
}

static void descriptor_close(struct feed *feed)
{
	free(((struct descriptor *)feed)->name);
	free(feed);
}

struct source *source_stream(int fd, const char *name, uint64_t spool, struct heft_err *err)
{
	struct descriptor *d = xmalloc(sizeof *d);

	*d = (struct descriptor){ .feed = { .read = descriptor_read, .close = descriptor_close }, .fd = fd };
	d->name = strcpy(xmalloc(strlen(name) + 1), name);
	return source_feed(&d->feed, name, UINT64_MAX, spool);
}
