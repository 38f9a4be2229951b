/*
 * source_range.c - a part of another source: a member of an archive that stores it as it is, or a part of a stream.
 *
 *   of     ....|=====================|....         reads end where the part does
 *              |<-head->|                          bytes that are known already, of a stream that went on
 */
#include "source_class.h"

#include <string.h>

struct range {
	struct source base;
	struct source *of;
	uint64_t offset;
	const unsigned char *head;
	size_t n_head;
};

static int64_t range_read(struct source *s, uint64_t offset, void *buf, size_t n, struct heft_err *err)
{
	const struct range *r = (const struct range *)s;
	size_t known = 0;
	int64_t got;

	if (offset >= s->size)
		return 0;
	if (n > s->size - offset)
		n = (size_t)(s->size - offset);
	if (offset < r->n_head) {
		known = r->n_head - (size_t)offset < n ? r->n_head - (size_t)offset : n;
		memcpy(buf, r->head + offset, known);
	}
	if (known == n)
		return (int64_t)n;
	got = source_read_some(r->of, r->offset + offset + known, (char *)buf + known, n - known, err);
	return got < 0 ? -1 : got + (int64_t)known;
}

static int64_t range_drain(struct source *s, struct heft_err *err)
{
	return source_drain(((struct range *)s)->of, err);
}

static struct source *range_stream_of(struct source *s, uint64_t *begin)
{
	struct range *r = (struct range *)s;
	struct source *stream = source_stream_of(r->of, begin);

	*begin += r->offset;
	return stream;
}

static const struct source_class range_class = { .read = range_read };
static const struct source_class stream_range_class = {
	.stream = true,
	.read = range_read,
	.drain = range_drain,
	.stream_of = range_stream_of,
};

struct source *source_range(struct source *of, uint64_t offset, uint64_t size, const char *name)
{
	struct range *r = source_new(sizeof *r, source_is_stream(of) ? &stream_range_class : &range_class, name, size);

	r->of = of;
	r->offset = offset;
	return &r->base;
}

void source_range_head(struct source *range, const void *head, size_t n)
{
	struct range *r = (struct range *)range;

	r->head = head;
	r->n_head = n < range->size ? n : (size_t)range->size;
}
