/*
 * commit.c - temporaries, checks before the first byte, sync and rename.
 */
#include "commit.h"
#include "digests.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/fs.h>
#include <sys/ioctl.h>
#endif

struct out_file {
	const char *path; /* destination */
	char *temp;       /* NULL: standard output, or renamed already */
	int fd;
	uint64_t size;
	uint64_t at;      /* standard output: bytes written */
};

struct commit {
	const struct heft_plan *plan;
	struct out_file *file;
	size_t n_files, cap;
	size_t *first_file; /* of each output */
	double synced;      /* seconds */
	const char **made;  /* directories that were not there before */
	size_t n_made;
};

/* ---- writing ---- */

static int write_all(int fd, const void *buf, size_t n)
{
	const char *p = buf;

	while (n) {
		ssize_t r = write(fd, p, n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return -1;
		p += r;
		n -= (size_t)r;
	}
	return 0;
}

static int pwrite_all(int fd, const void *buf, size_t n, uint64_t offset)
{
	const char *p = buf;

	while (n) {
		ssize_t r = pwrite(fd, p, n, (off_t)offset);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return -1;
		p += r;
		n -= (size_t)r;
		offset += (uint64_t)r;
	}
	return 0;
}

static int put(struct out_file *f, uint64_t offset, const void *buf, size_t n, struct heft_err *err)
{
	static const char zeros[4096];
	int rc = 0;

	if (f->temp)
		return pwrite_all(f->fd, buf, n, offset) ? heft_fail_errno(err, HEFT_E_WRITE, "cannot write '%s'", f->path) : 0;
	while (!rc && f->at < offset) {
		size_t gap = offset - f->at < sizeof zeros ? (size_t)(offset - f->at) : sizeof zeros;

		rc = write_all(f->fd, zeros, gap);
		f->at += gap;
	}
	if (rc || write_all(f->fd, buf, n))
		return heft_fail_errno(err, HEFT_E_WRITE, "cannot write standard output");
	f->at += n;
	return 0;
}

/* ---- checks before the first byte ---- */

static int check_input(const struct heft_plan *p, const char *path, const struct stat *st, struct heft_err *err)
{
	struct stat in;

	for (size_t i = 0; i < p->model->n_files; i++)
		if (!stat(p->model->file[i].path, &in) && in.st_dev == st->st_dev && in.st_ino == st->st_ino)
			return heft_fail(err, HEFT_E_SAME_FILE, "'%s' is also an input; name another output", path);
	return 0;
}

static int check_destination(const struct heft_plan *p, const char *path, struct heft_err *err)
{
	struct stat st;

	if (stat(path, &st))
		return errno == ENOENT ? 0 : heft_fail_errno(err, HEFT_E_WRITE, "cannot write '%s'", path);
	if (check_input(p, path, &st, err))
		return -1;
	if (S_ISDIR(st.st_mode))
		return heft_fail(err, HEFT_E_WRITE, "cannot write '%s': it is a directory", path);
	if (!S_ISREG(st.st_mode))
		return heft_fail(err, HEFT_E_WRITE, "'%s' is no regular file, which a new one could replace; -o - writes a stream", path);
	if (!p->force)
		return heft_fail(err, HEFT_E_EXISTS, "'%s' exists already; -f replaces it", path);
	return 0;
}

static char *directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash ? (size_t)(slash - path) : 0;
	char *dir = xmalloc(n + 2);

	memcpy(dir, path, n);
	if (!n)
		dir[n++] = slash ? '/' : '.';
	dir[n] = 0;
	return dir;
}

/* Room for all files of one file system together, from this one on. */
static int check_space(const struct commit *c, size_t first, struct heft_err *err)
{
	for (size_t i = first; i < c->n_files; i++) {
		char *dir = directory_of(c->file[i].path);
		struct statvfs fs;
		uint64_t need = 0, have;
		struct stat st, other;

		if (!c->file[i].temp || statvfs(dir, &fs) || stat(dir, &st)) {
			free(dir);
			continue;
		}
		free(dir);
		for (size_t k = first; k < c->n_files; k++)
			if (c->file[k].temp && !fstat(c->file[k].fd, &other) && other.st_dev == st.st_dev)
				need += c->file[k].size;
		have = (uint64_t)fs.f_bavail * fs.f_frsize;
		if (need > have)
			return heft_fail(err, HEFT_E_SPACE,
					 "cannot write '%s': %" PRIu64 " MB are needed, %" PRIu64 " MB are free", c->file[i].path,
					 (need + 999999) / 1000000, have / 1000000);
	}
	return 0;
}

/* ---- opening ---- */

static int make_temporary(struct out_file *f, struct heft_err *err)
{
	size_t n = strlen(f->path) + 32;

	f->temp = xmalloc(n);
	snprintf(f->temp, n, "%s.tmp-%ld", f->path, (long)getpid());
	f->fd = open(f->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (f->fd >= 0)
		return 0;
	heft_fail_errno(err, HEFT_E_WRITE, "cannot create '%s'", f->path);
	free(f->temp);
	f->temp = NULL;
	return -1;
}

static int add_file(struct commit *c, const char *path, const void *head, size_t n, uint64_t size, struct heft_err *err)
{
	struct out_file *f;

	if (c->n_files == c->cap) {
		c->cap = c->cap ? c->cap * 2 : 4;
		c->file = xrealloc(c->file, c->cap * sizeof *c->file);
	}
	f = &c->file[c->n_files];
	*f = (struct out_file){ .path = path, .fd = STDOUT_FILENO, .size = size };
	if (strcmp(path, "-") && (check_destination(c->plan, path, err) || make_temporary(f, err)))
		return -1;
	c->n_files++;
	return put(f, 0, head, n, err);
}

/* The last part of the path, where it is missing. */
static int make_directory(struct commit *c, const char *path, struct heft_err *err)
{
	if (mkdir(path, 0777))
		return errno == EEXIST ? 0 : heft_fail_errno(err, HEFT_E_WRITE, "cannot make the directory '%s'", path);
	c->made = xrealloc(c->made, (c->n_made + 1) * sizeof *c->made);
	c->made[c->n_made++] = path;
	return 0;
}

/* A file of the source, byte for byte, into the one that was added last. */
static int copy_file(struct commit *c, const struct plan_side *s, struct heft_err *err)
{
	enum { PIECE = 1 << 20 };
	struct out_file *f = &c->file[c->n_files - 1];
	struct source *src = source_open(s->from, err);
	uint8_t *buf = xmalloc(PIECE);
	int rc = src ? 0 : -1;

	for (uint64_t done = 0, n; !rc && done < s->size; done += n) {
		n = s->size - done < PIECE ? s->size - done : PIECE;
		rc = source_read(src, done, buf, (size_t)n, err) || put(f, done, buf, (size_t)n, err) ? -1 : 0;
	}
	free(buf);
	source_close(src);
	return rc;
}

static int add_output(struct commit *c, size_t i, struct heft_err *err)
{
	const struct plan_output *o = &c->plan->output[i];

	c->first_file[i] = c->n_files;
	if (o->directory && make_directory(c, o->directory, err))
		return -1;
	for (size_t k = 0; k < o->n_folders; k++)
		if (make_directory(c, o->folder[k], err))
			return -1;
	for (size_t k = 0; k < o->n_parts; k++) {
		const struct format_layout *l = &o->part[k].layout;

		if (add_file(c, o->part[k].path, l->header, l->header_size, l->file_size, err))
			return -1;
	}
	for (size_t k = 0; k < o->n_sides; k++) {
		const struct plan_side *s = &o->side[k];

		if (add_file(c, s->path, s->text.p, s->text.n, s->from ? s->size : s->text.n, err) || (s->from && copy_file(c, s, err)))
			return -1;
	}
	return 0;
}

int commit_open(struct commit **out, const struct heft_plan *p, struct heft_err *err)
{
	struct commit *c = xmalloc(sizeof *c);

	*c = (struct commit){ .plan = p, .first_file = xmalloc(p->n_outputs * sizeof *c->first_file) };
	for (size_t i = 0; i < p->n_outputs; i++)
		if (add_output(c, i, err)) {
			commit_abort(c);
			return -1;
		}
	if (check_space(c, 0, err)) {
		commit_abort(c);
		return -1;
	}
	*out = c;
	return 0;
}

static int put_part(struct commit *c, size_t output, uint64_t part, uint64_t offset, const void *buf, size_t n, struct heft_err *err)
{
	if (put(&c->file[c->first_file[output] + part], offset, buf, n, err))
		return -1;
	digests_add(c->plan->digests, output, part, offset, buf, n);
	return 0;
}

int commit_write(struct commit *c, size_t output, size_t item, uint64_t offset, const void *buf, size_t n, struct heft_err *err)
{
	const struct heft_item *it = &c->plan->output[output].item[item];

	return put_part(c, output, it->part, it->offset + offset, buf, n, err);
}

int commit_write_plane(struct commit *c, size_t output, size_t item, int plane, uint64_t offset, const void *buf, size_t n, struct heft_err *err)
{
	const struct heft_item *it = &c->plan->output[output].item[item];

	return put_part(c, output, it->part, it->stored[plane].offset + offset, buf, n, err);
}

/* ---- closing ---- */

void commit_abort(struct commit *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n_files; i++) {
		struct out_file *f = &c->file[i];

		if (!f->temp)
			continue;
		if (f->fd >= 0)
			close(f->fd);
		unlink(f->temp);
		free(f->temp);
	}
	for (size_t i = c->n_made; i-- > 0;)
		(void)rmdir(c->made[i]); /* it stays where something is in it */
	free(c->made);
	free(c->file);
	free(c->first_file);
	free(c);
}

static int sync_timed(struct commit *c, int fd)
{
	struct timespec from, to;
	int rc;

	clock_gettime(CLOCK_MONOTONIC, &from);
	rc = fsync(fd);
	clock_gettime(CLOCK_MONOTONIC, &to);
	c->synced += (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
	return rc;
}

/* The whole file is there and on the disk. */
static int finish(struct commit *c, struct out_file *f, struct heft_err *err)
{
	int fd = f->fd;

	if (!f->temp)
		return put(f, f->size, "", 0, err);
	f->fd = -1;
	if (ftruncate(fd, (off_t)f->size) || sync_timed(c, fd)) {
		heft_fail_errno(err, HEFT_E_WRITE, "cannot write '%s'", f->path);
		close(fd);
		return -1;
	}
	return close(fd) ? heft_fail_errno(err, HEFT_E_WRITE, "cannot write '%s'", f->path) : 0;
}

static void sync_directory(struct commit *c, const char *path)
{
	char *dir = directory_of(path);
	int fd = open(dir, O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		(void)sync_timed(c, fd); /* some file systems refuse; the rename stands all the same */
		close(fd);
	}
	free(dir);
}

static bool same_directory(const char *a, const char *b)
{
	const char *x = strrchr(a, '/'), *y = strrchr(b, '/');

	return (x ? x - a : 0) == (y ? y - b : 0) && !strncmp(a, b, x ? (size_t)(x - a) : 0);
}

static int rename_all(struct commit *c, struct heft_err *err)
{
	for (size_t i = 0; i < c->n_files; i++) {
		struct out_file *f = &c->file[i];

		if (!f->temp)
			continue;
		if (rename(f->temp, f->path))
			return heft_fail_errno(err, HEFT_E_WRITE, "cannot rename '%s' to '%s'", f->temp, f->path);
		free(f->temp);
		f->temp = NULL;
		f->fd = -1;
		if (i + 1 == c->n_files || !same_directory(f->path, c->file[i + 1].path))
			sync_directory(c, f->path);
	}
	return 0;
}

int commit_close(struct commit *c, double *synced, struct heft_err *err)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < c->n_files; i++)
		rc = finish(c, &c->file[i], err);
	if (!rc)
		rc = rename_all(c, err);
	if (synced)
		*synced = c->synced;
	commit_abort(c); /* what is left of it: nothing where all went well */
	return rc;
}

/* ---- files without a plan ---- */

/* To the checks, a plan without tensors whose model is the inputs. */
int commit_begin(struct commit **out, const char *path, uint64_t size, const struct commit_rules *rules, struct heft_err *err)
{
	struct heft_file *input = xmalloc((rules->n_inputs + 1) * sizeof *input);
	struct heft_model model = { .file = input, .n_files = rules->n_inputs };
	struct heft_plan plan = { .model = &model, .force = rules->force };
	struct commit *c = *out ? *out : memset(xmalloc(sizeof *c), 0, sizeof *c);
	size_t n = c->n_files;
	int rc;

	for (size_t i = 0; i < rules->n_inputs; i++)
		input[i] = (struct heft_file){ .path = rules->input[i] };
	c->plan = &plan;
	rc = add_file(c, path, "", 0, size, err) || check_space(c, n, err) ? -1 : 0;
	c->plan = NULL;
	free(input);
	if (c->n_files > n)
		c->file[n].size = 0;
	if (!rc)
		*out = c;
	else if (!*out)
		commit_abort(c);
	return rc;
}

static struct out_file *last_file(struct commit *c)
{
	return &c->file[c->n_files - 1];
}

int commit_append(struct commit *c, const void *buf, size_t n, struct heft_err *err)
{
	struct out_file *f = last_file(c);

	if (put(f, f->size, buf, n, err))
		return -1;
	f->size += n;
	return 0;
}

/* The file's end from a whole page on becomes the other's as well: no byte is copied. How many; 0: it cannot. */
static uint64_t share(int from, uint64_t offset, int to, uint64_t at, uint64_t n)
{
#ifdef FICLONERANGE
	enum { PAGE = 4096 };
	uint64_t skip = (PAGE - offset % PAGE) % PAGE;
	struct file_clone_range range = { .src_fd = from, .src_offset = offset + skip, .src_length = n - skip, .dest_offset = at + skip };

	if (skip < n && offset % PAGE == at % PAGE && !ioctl(to, FICLONERANGE, &range))
		return n - skip;
#endif
	return 0;
}

/* Bytes that the system copied by itself, without them passing through here; 0: it cannot. */
static uint64_t copy_inside(int from, uint64_t offset, int to, uint64_t at, uint64_t n)
{
	uint64_t done = 0;
#ifdef __linux__
	loff_t in = (loff_t)offset, out = (loff_t)at;
	ssize_t r = 1;

	while (done < n && r > 0) {
		r = copy_file_range(from, &in, to, &out, n - done < 1 << 30 ? (size_t)(n - done) : 1 << 30, 0);
		done += r > 0 ? (uint64_t)r : 0;
	}
#endif
	return done;
}

static int copy(struct commit *c, int fd, uint64_t offset, uint64_t n, struct heft_err *err)
{
	enum { PIECE = 1 << 20 };
	struct out_file *f = last_file(c);
	uint64_t done = f->temp ? copy_inside(fd, offset, f->fd, f->size, n) : 0;
	char *buf = xmalloc(PIECE);
	ssize_t r = 1;
	int rc = 0;

	f->size += done;
	while (!rc && done < n && r) {
		r = pread(fd, buf, n - done < PIECE ? (size_t)(n - done) : PIECE, (off_t)(offset + done));
		if (r < 0 && errno != EINTR)
			break;
		if (r > 0) {
			rc = commit_append(c, buf, (size_t)r, err);
			done += (uint64_t)r;
		}
	}
	free(buf);
	if (!rc && done < n)
		rc = r < 0 ? heft_fail_errno(err, HEFT_E_READ, "cannot read what goes into '%s'", f->path)
			   : heft_fail(err, HEFT_E_TRUNCATED, "what goes into '%s' became shorter while it was read", f->path);
	return rc;
}

int commit_copy(struct commit *c, int fd, uint64_t offset, uint64_t n, uint64_t *shared, struct heft_err *err)
{
	struct out_file *f = last_file(c);
	uint64_t begun = f->size, same = f->temp ? share(fd, offset, f->fd, begun, n) : 0;
	int rc;

	f->size += n - same;
	rc = check_space(c, c->n_files - 1, err);
	f->size = begun;
	if (!rc)
		rc = copy(c, fd, offset, n - same, err);
	f->size += same;
	*shared += same;
	return rc;
}

int commit_mode(struct commit *c, unsigned mode, struct heft_err *err)
{
	struct out_file *f = last_file(c);

	return f->temp && fchmod(f->fd, (mode_t)mode) ? heft_fail_errno(err, HEFT_E_WRITE, "cannot write '%s'", f->path) : 0;
}

int commit_bytes(const char *path, const void *buf, size_t n, const struct commit_rules *rules, struct heft_err *err)
{
	struct commit *c = NULL;

	if (commit_begin(&c, path, n, rules, err))
		return -1;
	if (commit_append(c, buf, n, err)) {
		commit_abort(c);
		return -1;
	}
	return commit_close(c, NULL, err);
}
