/* Byte sources: files, memory, and streams with their window. */
#include "base/mount.h"
#include "base/source.h"
#include "tests/tap.h"

#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

static unsigned char byte_at(uint64_t offset)
{
	return (unsigned char)(offset * 2654435761u >> 13);
}

struct writer {
	int fd;
	size_t n;
};

static void *write_all(void *arg)
{
	struct writer *w = arg;
	unsigned char buf[4096];

	for (size_t at = 0; at < w->n;) {
		size_t part = w->n - at < sizeof buf ? w->n - at : sizeof buf;

		for (size_t i = 0; i < part; i++)
			buf[i] = byte_at(at + i);
		if (write(w->fd, buf, part) != (ssize_t)part)
			break;
		at += part;
	}
	close(w->fd);
	return NULL;
}

/* A stream of n bytes that another thread writes. */
struct piped {
	struct source *source;
	struct writer writer;
	pthread_t thread;
	int fd;
};

static void piped_open(struct piped *p, size_t n, uint64_t spool)
{
	struct heft_err err;
	int fd[2];

	if (pipe(fd))
		abort();
	p->fd = fd[0];
	p->writer = (struct writer){ fd[1], n };
	p->source = source_stream(fd[0], "pipe", spool, &err);
	pthread_create(&p->thread, NULL, write_all, &p->writer);
}

static void piped_close(struct piped *p)
{
	close(p->fd);
	pthread_join(p->thread, NULL);
	source_close(p->source);
}

static bool right(const unsigned char *buf, uint64_t offset, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (buf[i] != byte_at(offset + i))
			return false;
	return true;
}

static void stream_in_order(void)
{
	enum { N = 5 << 20, STEP = 70000 };
	static unsigned char buf[STEP];
	struct heft_err err = { 0 };
	struct piped p;
	bool good = true;

	piped_open(&p, N, 1 << 17);
	is_int(source_peek(p.source, buf, 100, &err), 100, "a stream can be peeked at");
	for (uint64_t at = 0; at + STEP <= N; at += STEP) {
		good &= !source_read(p.source, at, buf, STEP, &err) && right(buf, at, STEP);
		source_release(p.source, at + STEP);
	}
	ok(good, "5 MiB pass through a spool of 128 KiB");
	ok(source_read(p.source, 0, buf, 1, &err) && err.code == HEFT_E_INTERNAL, "bytes that were let go are gone");
	is_int(source_drain(p.source, &err), N % STEP, "the rest can be drained");
	ok(source_is_stream(p.source) && source_size(p.source) == UINT64_MAX, "its size is not known");
	piped_close(&p);
}

static void stream_out_of_order(void)
{
	enum { N = 3 << 20 };
	static unsigned char buf[1 << 20];
	struct heft_err err = { 0 };
	struct piped p;

	piped_open(&p, N, 2 << 20);
	ok(!source_read(p.source, (1 << 20) + 7, buf, 1000, &err) && right(buf, (1 << 20) + 7, 1000), "reads ahead");
	ok(!source_read(p.source, 5, buf, 1000, &err) && right(buf, 5, 1000), "and back into the window");
	ok(source_read(p.source, 2 << 20, buf, 1, &err) && err.code == HEFT_E_SPOOL && strstr(err.text, "--spool"),
	   "more than the spool is refused, with the option's name");
	source_release(p.source, 1 << 20);
	ok(!source_read(p.source, 2 << 20, buf, 1000, &err) && right(buf, 2 << 20, 1000), "releasing makes room");
	source_release(p.source, (2 << 20) + 500000);
	ok(!source_read(p.source, (2 << 20) + 600000, buf, 1000, &err) && right(buf, (2 << 20) + 600000, 1000),
	   "bytes released before they came are passed over");
	ok(source_read(p.source, N - 10, buf, 11, &err) && err.code == HEFT_E_TRUNCATED,
	   "a stream that ends early is told");
	is_int(source_read_some(p.source, N - 10, buf, 11, &err), 10, "as far as it goes");
	piped_close(&p);
}

struct reader {
	struct source *source;
	uint64_t from;
	bool good;
};

static void *read_part(void *arg)
{
	struct reader *r = arg;
	unsigned char buf[1000];
	struct heft_err err;

	r->good = true;
	for (uint64_t at = r->from; at < r->from + 200000; at += sizeof buf)
		r->good &= !source_read(r->source, at, buf, sizeof buf, &err) && right(buf, at, sizeof buf);
	return NULL;
}

static void stream_by_threads(void)
{
	struct reader reader[4];
	pthread_t thread[4];
	struct piped p;
	bool good = true;

	piped_open(&p, 1 << 20, 1 << 20);
	for (int i = 0; i < 4; i++) {
		reader[i] = (struct reader){ .source = p.source, .from = (uint64_t)(3 - i) * 200000 };
		pthread_create(&thread[i], NULL, read_part, &reader[i]);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(thread[i], NULL);
		good &= reader[i].good;
	}
	ok(good, "four threads read one stream");
	piped_close(&p);
}

static void files(void)
{
	char path[] = "/tmp/heft-source-XXXXXX", buf[16] = "";
	struct heft_err err = { 0 };
	struct source *s;
	int fd = mkstemp(path);

	ok(write(fd, "0123456789", 10) == 10, "a file is made");
	s = source_open(path, &err);
	ok(s && source_size(s) == 10 && !source_is_stream(s), "a file is opened");
	ok(!source_read(s, 3, buf, 4, &err) && !memcmp(buf, "3456", 4), "its bytes are read");
	ok(source_read(s, 8, buf, 4, &err) && err.code == HEFT_E_TRUNCATED, "not beyond its end");
	ok(source_read(s, UINT64_MAX - 1, buf, 4, &err) && err.code == HEFT_E_TRUNCATED, "nor at an absurd offset");
	ok(!ftruncate(fd, 5) && source_read(s, 3, buf, 4, &err) && err.code == HEFT_E_TRUNCATED,
	   "a file cut short meanwhile is an error");
	source_close(s);
	close(fd);
	unlink(path);
	ok(!source_open(path, &err) && err.code == HEFT_E_OPEN, "a missing file is told");
	ok(!source_open("/tmp", &err) && err.code == HEFT_E_OPEN, "a directory is refused");
	ok(!mkfifo(path, 0600) && !source_open(path, &err) && err.code == HEFT_E_OPEN,
	   "a FIFO is refused without waiting");
	unlink(path);
	ok(!source_open("/dev/zero", &err) && err.code == HEFT_E_OPEN, "a device is refused");
}

static void memory(void)
{
	struct heft_err err = { 0 };
	struct source *s = source_memory("abcdef", 6, "memory");
	char buf[8];

	ok(!source_read(s, 2, buf, 3, &err) && !memcmp(buf, "cde", 3), "memory is read");
	ok(source_read(s, 2, buf, 5, &err) && err.code == HEFT_E_TRUNCATED, "not beyond its end");
	is_int(source_read_some(s, 9, buf, 5, &err), 0, "behind its end is nothing");
	is_str(source_name(s), "memory", "it has a name");
	source_close(s);
}

/* ---- turned matrices ---- */

enum { TURN_AT = 5, TURN_UNIT = 4 };

struct turning {
	struct source *source;
	uint64_t rows, cols;
	unsigned seed;
	int wrong;
};

/* The byte that a transpose has. */
static unsigned char turned_byte(const struct turning *x, uint64_t at)
{
	uint64_t col = at / TURN_UNIT / x->rows, row = at / TURN_UNIT % x->rows;

	return byte_at(TURN_AT + (row * x->cols + col) * TURN_UNIT + at % TURN_UNIT);
}

static void *read_turned(void *arg)
{
	struct turning *x = arg;
	uint64_t size = x->rows * x->cols * TURN_UNIT;
	unsigned char buf[5000];
	struct heft_err err;

	for (int i = 0; i < 200; i++) {
		uint64_t at = (x->seed = x->seed * 1664525 + 1013904223) % size;
		int64_t n = source_read_some(x->source, at, buf, 1 + x->seed % sizeof buf, &err);

		x->wrong += n < 1 || (uint64_t)n > size - at;
		for (int64_t k = 0; k < n; k++)
			x->wrong += buf[k] != turned_byte(x, at + (uint64_t)k);
	}
	return NULL;
}

static void turned(uint64_t rows, uint64_t cols)
{
	size_t n = TURN_AT + rows * cols * TURN_UNIT;
	unsigned char *p = malloc(n);
	struct turning x[3];
	pthread_t thread[3];
	struct source *from, *s;

	for (size_t i = 0; i < n; i++)
		p[i] = byte_at(i);
	from = source_memory(p, n, "memory");
	s = source_turned(from, TURN_AT, rows, cols, TURN_UNIT);
	for (unsigned i = 0; i < 3; i++) {
		x[i] = (struct turning){ s, rows, cols, i + 1, 0 };
		pthread_create(&thread[i], NULL, read_turned, &x[i]);
	}
	for (int i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	is_int(x[0].wrong + x[1].wrong + x[2].wrong, 0, "a turned matrix of %d x %d, read by three threads", (int)rows, (int)cols);
	source_close(from);
	free(p);
}

static void turned_short(void)
{
	struct heft_err err = { 0 };
	struct source *from = source_memory("0123456789abcde", 15, "memory"), *s = source_turned(from, 0, 2, 2, 4);
	char buf[16];

	ok(source_read(s, 0, buf, 8, &err) && err.code == HEFT_E_TRUNCATED, "a turned matrix whose last byte is missing");
	is_int(source_read_some(s, 16, buf, 1, &err), 0, "behind its end is nothing");
	source_close(from);
}

/* ---- feeds that begin again, ranges, mounts ---- */

struct counter {
	struct feed feed;
	uint64_t at, n;
	int rewinds;
};

static int64_t count_on(struct feed *feed, void *buf, size_t n, struct heft_err *err)
{
	struct counter *c = (struct counter *)feed;

	n = n < c->n - c->at ? n : (size_t)(c->n - c->at);
	for (size_t i = 0; i < n; i++)
		((unsigned char *)buf)[i] = byte_at(c->at + i);
	c->at += n;
	return (int64_t)n;
}

static int begin_again(struct feed *feed, struct heft_err *err)
{
	((struct counter *)feed)->at = 0;
	((struct counter *)feed)->rewinds++;
	return 0;
}

static void leave(struct feed *feed)
{
}

static bool shows(struct source *s, uint64_t offset, uint64_t true_offset)
{
	unsigned char buf[1000];
	struct heft_err err;

	if (source_read(s, offset, buf, sizeof buf, &err))
		return false;
	for (size_t i = 0; i < sizeof buf; i++)
		if (buf[i] != byte_at(true_offset + i))
			return false;
	return true;
}

static void feeds(void)
{
	struct counter c = { { count_on, begin_again, leave }, 0, 20 << 20, 0 };
	struct source *s = source_feed(&c.feed, "feed", c.n, 4 << 20);
	uint64_t begin;
	struct heft_err err;
	int i;

	ok(shows(s, 0, 0) && shows(s, 10 << 20, 10 << 20), "a feed that rewinds lets its oldest bytes go beyond the spool");
	ok(shows(s, 9 << 20, 9 << 20) && !c.rewinds, "what the spool holds is still there");
	ok(shows(s, 5, 5) && c.rewinds == 1, "for others it begins again");
	ok(shows(s, 15 << 20, 15 << 20) && shows(s, 1 << 20, 1 << 20) && c.rewinds == 2, "and again");
	for (i = 0; i < 100 && shows(s, 15 << 20, 15 << 20) && shows(s, 0, 0); i++)
		;
	ok(i < 20 && source_read_some(s, 0, &begin, 1, &err) < 0 && err.code == HEFT_E_SPOOL, "but not for ever");
	source_close(s);

	c.at = 0;
	c.feed.rewind = NULL;
	s = source_feed(&c.feed, "feed", c.n, 4 << 20);
	struct source *part = source_range(s, 1000, 2000, "part");

	source_range_head(part, "head", 4);
	ok(source_stream_of(part, &begin) == s && begin == 1000, "a part of a stream knows where it begins");
	ok(shows(part, 500, 1500) && source_size(part) == 2000, "it reads the stream");
	char tail[600];

	ok(!source_read(part, 0, &begin, 4, &err) && !memcmp(&begin, "head", 4) && source_read(part, 1500, tail, sizeof tail, &err),
	   "its head is what was known already, and its end an end");
	source_close(part);
	source_close(s);
}

static struct source *open_member(void *ctx, const struct mount_file *f, const char *path, struct heft_err *err)
{
	return source_memory(ctx, (size_t)f->size, path);
}

static void count_names(void *ctx, const char *name)
{
	*(int *)ctx += !strcmp(name, "config.json") || !strcmp(name, "sub");
}

static void mounts(void)
{
	static const struct mount_file a = { "m/config.json", 4 }, b = { "m/sub/x", 4 }, d = { "m/sub/y", 4 };
	static const struct mount_file *const files_of[] = { &a, &b, &d };
	struct mount m = { .path = "no/archive.tar", .file = files_of, .n_files = 3, .open = open_member, .ctx = (void *)"text" };
	struct heft_err err;
	struct source *s;
	int n = 0;
	char buf[4];

	mount_add(&m);
	ok(path_kind("no/archive.tar/m") == PATH_FOLDER && path_kind("no/archive.tar/m/") == PATH_FOLDER, "a folder");
	ok(path_kind("no/archive.tar/m/sub/x") == PATH_FILE && path_kind("no/archive.tar/m/su") == PATH_NONE, "a file, and nothing");
	ok(path_kind("no/archive.tar2/m") == PATH_NONE, "another path");
	ok(!path_names("no/archive.tar/m", count_names, &n, &err) && n == 2, "names of a folder, each once");
	s = source_open("no/archive.tar/m/config.json", &err);
	ok(s && !source_read(s, 0, buf, 4, &err) && !memcmp(buf, "text", 4), "a member opens");
	source_close(s);
	ok(!source_open("no/archive.tar/m", &err) && err.code == HEFT_E_OPEN, "a folder does not");
	mount_remove(&m);
	ok(path_kind("no/archive.tar/m") == PATH_NONE, "it goes with its mount");
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN); /* writers whose reader has seen enough */
	stream_in_order();
	stream_out_of_order();
	stream_by_threads();
	files();
	memory();
	turned(1, 1);
	turned(7, 300);
	turned(3000, 500);
	turned_short();
	feeds();
	mounts();
	return done();
}
