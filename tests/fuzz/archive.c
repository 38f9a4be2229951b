/* Any bytes as an archive or compressed file: probed, listed, shown as a folder, every member read; with and without a length. */
#include <stdlib.h>
#include <string.h>

#include "base/mount.h"
#include "src/archive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct feed_of_bytes {
	struct feed feed;
	const uint8_t *p;
	size_t n;
};

static int64_t feed_read(struct feed *feed, void *buf, size_t n, struct heft_err *err)
{
	struct feed_of_bytes *f = (struct feed_of_bytes *)feed;

	n = n < f->n ? n : f->n;
	memcpy(buf, f->p, n);
	f->p += n;
	f->n -= n;
	return (int64_t)n;
}

static void feed_close(struct feed *feed)
{
	free(feed);
}

static struct source *make_source(const uint8_t *data, size_t size, bool stream)
{
	struct feed_of_bytes *f;

	if (!stream)
		return source_memory(data, size, "input");
	f = malloc(sizeof *f);
	*f = (struct feed_of_bytes){ { feed_read, NULL, feed_close }, data, size };
	return source_feed(&f->feed, "-", UINT64_MAX, 1 << 20);
}

static int read_header(struct source *src, struct heft_err *err)
{
	char head[64];

	return source_peek(src, head, sizeof head, err) < 0 ? -1 : 0;
}

/* Whatever is shown lies below the mount. */
static void read_member(void *ctx, const char *name)
{
	char path[2048], bytes[4096];
	struct source *s;

	if (strchr(name, '/') || !strcmp(name, ".."))
		abort();
	snprintf(path, sizeof path, "%s/%s", (const char *)ctx, name);
	s = source_open(path, NULL);
	if (s)
		source_peek(s, bytes, sizeof bytes, NULL);
	source_close(s);
}

static void once(const uint8_t *data, size_t size, bool stream)
{
	struct archive_options o = { .spool = 1 << 20, .read_header = read_header };
	struct source *src = make_source(data, size, stream), *plain;
	struct archive *ar;
	struct heft_err err = { 0 };
	char bytes[4096];
	size_t n;
	int is = archive_probe(src, &err);

	if (is > 0) {
		if (archive_open(&ar, src, stream ? "-" : "input", &o, &err))
			return;
		path_names(archive_dir(ar), read_member, (void *)archive_dir(ar), &err);
		archive_arrays(ar, &n);
		archive_close(ar);
		return;
	}
	plain = archive_unpack(src, 1 << 20, &err);
	source_peek(plain, bytes, sizeof bytes, &err);
	source_read_some(plain, 5 << 20, bytes, sizeof bytes, &err);
	source_close(plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	once(data, size, false);
	once(data, size, true);
	return 0;
}
