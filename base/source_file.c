/*
 * source_file.c - reads a regular file with pread, so that a file cut short by somebody else is an error and not a
 * signal. Refuses FIFOs, devices and directories: opening one could block or have effects.
 */
#include "source_class.h"

#include "mount.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct file {
	struct source base;
	int fd;
};

/* One pread returns at most this on Linux and macOS. */
#define READ_MAX ((size_t)1 << 30)

static int64_t file_read(struct source *s, uint64_t offset, void *buf, size_t n, struct heft_err *err)
{
	const struct file *f = (const struct file *)s;
	size_t done = 0;

	if (offset > INT64_MAX - n)
		return 0; /* no file is that long */
	while (done < n) {
		size_t want = n - done < READ_MAX ? n - done : READ_MAX;
		ssize_t got = pread(f->fd, (char *)buf + done, want, (off_t)(offset + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return heft_fail_errno(err, HEFT_E_READ, "cannot read '%s'", s->name);
		if (!got)
			break;
		done += (size_t)got;
	}
	return (int64_t)done;
}

static void file_close(struct source *s)
{
	close(((struct file *)s)->fd);
}

static const struct source_class file_class = { .read = file_read, .close = file_close };

static struct source *open_mounted(const struct mount *m, const struct mount_file *file, const char *path, struct heft_err *err)
{
	if (file)
		return m->open(m->ctx, file, path, err);
	heft_fail(err, HEFT_E_OPEN, "cannot open '%s': it is a folder", path);
	return NULL;
}

struct source *source_open(const char *path, struct heft_err *err)
{
	const struct mount *m;
	const struct mount_file *member;
	/* O_NONBLOCK: a FIFO without a writer must not hold us; it means nothing to a regular file */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	struct file *f;

	if (fd < 0 && mount_find(path, &m, &member))
		return open_mounted(m, member, path, err);
	if (fd < 0 || fstat(fd, &st)) {
		heft_fail_errno(err, HEFT_E_OPEN, "cannot open '%s'", path);
	} else if (!S_ISREG(st.st_mode)) {
		heft_fail(err, HEFT_E_OPEN, "cannot open '%s': not a regular file (a pipe is read as '-')", path);
	} else {
#ifdef POSIX_FADV_SEQUENTIAL
		posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
#endif
		f = source_new(sizeof *f, &file_class, path, (uint64_t)st.st_size);
		f->fd = fd;
		return &f->base;
	}
	if (fd >= 0)
		close(fd);
	return NULL;
}
