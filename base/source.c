/*
 * source.c - byte sources: the part that all kinds share, and the kind that reads from memory.
 */
#include "source_class.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"

void *source_new(size_t bytes, const struct source_class *class, const char *name, uint64_t size)
{
	struct source *s = xmalloc(bytes);

	memset(s, 0, bytes);
	s->class = class;
	s->size = size;
	s->name = xmalloc(strlen(name) + 1);
	strcpy(s->name, name);
	return s;
}

void source_close(struct source *s)
{
	if (!s)
		return;
	while (s->made) {
		struct source *first = s->made;

		s->made = first->next;
		source_close(first);
	}
	if (s->class->close)
		s->class->close(s);
	free(s->name);
	free(s);
}

void source_adopt(struct source *owner, struct source *made)
{
	made->next = owner->made;
	owner->made = made;
}

int64_t source_read_some(struct source *s, uint64_t offset, void *buf, size_t n, struct heft_err *err)
{
	return s->class->read(s, offset, buf, n, err);
}

int source_read(struct source *s, uint64_t offset, void *buf, size_t n, struct heft_err *err)
{
	int64_t got = s->class->read(s, offset, buf, n, err);

	if (got < 0)
		return -1;
	if ((uint64_t)got < n)
		return heft_fail(err, HEFT_E_TRUNCATED,
				 "%s: ends at byte %" PRIu64 " where %zu bytes at %" PRIu64 " were expected", s->name,
				 offset + (uint64_t)got, n, offset);
	return 0;
}

int64_t source_peek(struct source *s, void *buf, size_t n, struct heft_err *err)
{
	return s->class->read(s, 0, buf, n, err);
}

void source_release(struct source *s, uint64_t offset)
{
	if (s->class->release)
		s->class->release(s, offset);
}

int64_t source_drain(struct source *s, struct heft_err *err)
{
	return s->class->drain ? s->class->drain(s, err) : 0;
}

void source_open_ended(struct source *s)
{
	s->size = UINT64_MAX;
}

uint64_t source_size(const struct source *s)
{
	return s->size;
}

bool source_is_stream(const struct source *s)
{
	return s->class->stream;
}

struct source *source_stream_of(struct source *s, uint64_t *begin)
{
	*begin = 0;
	if (s->class->stream_of)
		return s->class->stream_of(s, begin);
	return s->class->stream ? s : NULL;
}

const char *source_name(const struct source *s)
{
	return s->name;
}

/* ---- memory ---- */

struct memory {
	struct source base;
	const unsigned char *p;
};

static int64_t memory_read(struct source *s, uint64_t offset, void *buf, size_t n, struct heft_err *err)
{
	const struct memory *m = (const struct memory *)s;

	if (offset >= s->size)
		return 0;
	if (n > s->size - offset)
		n = (size_t)(s->size - offset);
	memcpy(buf, m->p + offset, n);
	return (int64_t)n;
}

static const struct source_class memory_class = { .read = memory_read };

struct source *source_memory(const void *p, size_t n, const char *name)
{
	struct memory *m = source_new(sizeof *m, &memory_class, name, n);

	m->p = p;
	return &m->base;
}
