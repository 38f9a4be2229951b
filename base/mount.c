/*
 * mount.c - what a path is: a file system's, or a mounted archive's. Names are looked up as they are spelled; "..", links
 * and the like were refused by whoever listed the archive.
 */
#include "mount.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

static struct mount *mounts;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void mount_add(struct mount *m)
{
	pthread_mutex_lock(&lock);
	m->next = mounts;
	mounts = m;
	pthread_mutex_unlock(&lock);
}

void mount_remove(struct mount *m)
{
	pthread_mutex_lock(&lock);
	for (struct mount **p = &mounts; *p; p = &(*p)->next)
		if (*p == m) {
			*p = m->next;
			break;
		}
	pthread_mutex_unlock(&lock);
}

/* What follows the mount's path and slashes; NULL where the path lies elsewhere. */
static const char *inside(const struct mount *m, const char *path)
{
	size_t n = strlen(m->path);

	if (strncmp(path, m->path, n) || path[n] != '/')
		return NULL;
	return path + n + strspn(path + n, "/");
}

/* Is `name` the folder (of n bytes), or does it lie in it? Where it does, *rest is what follows. */
static bool below(const char *name, const char *folder, size_t n, const char **rest)
{
	if (n && (strncmp(name, folder, n) || name[n] != '/'))
		return false;
	*rest = name + (n ? n + 1 : 0);
	return true;
}

static size_t without_slashes(const char *s)
{
	size_t n = strlen(s);

	while (n && s[n - 1] == '/')
		n--;
	return n;
}

static bool find_in(const struct mount *m, const char *name, const struct mount_file **f)
{
	size_t n = without_slashes(name);
	bool folder = false;
	const char *rest;

	*f = NULL;
	for (size_t i = 0; i < m->n_files; i++) {
		const char *have = m->file[i]->name;

		if (!strcmp(have, name)) {
			*f = m->file[i];
			return true;
		}
		folder |= below(have, name, n, &rest);
	}
	return folder;
}

bool mount_find(const char *path, const struct mount **m, const struct mount_file **f)
{
	bool found = false;

	pthread_mutex_lock(&lock);
	for (*m = mounts; *m && !found; *m = found ? *m : (*m)->next) {
		const char *name = inside(*m, path);

		found = name && find_in(*m, name, f);
	}
	pthread_mutex_unlock(&lock);
	return found;
}

enum path_kind path_kind(const char *path)
{
	const struct mount *m;
	const struct mount_file *f;
	struct stat st;

	if (mount_find(path, &m, &f))
		return f ? PATH_FILE : PATH_FOLDER;
	if (stat(path, &st)) {
		errno = errno == ENOTDIR ? ENOENT : errno;
		return PATH_NONE;
	}
	return S_ISREG(st.st_mode) ? PATH_FILE : S_ISDIR(st.st_mode) ? PATH_FOLDER : PATH_OTHER;
}

/* Each name once: files of this folder, and the first parts of those in folders below. */
static void mounted_names(const struct mount *m, const char *dir, void (*fn)(void *ctx, const char *name), void *ctx)
{
	const char *folder = inside(m, dir), *rest, *before;
	size_t n = without_slashes(folder);

	for (size_t i = 0; i < m->n_files; i++) {
		char part[256];
		size_t len;
		bool seen = false;

		if (!below(m->file[i]->name, folder, n, &rest))
			continue;
		len = strcspn(rest, "/");
		for (size_t k = 0; k < i && !seen; k++)
			seen = below(m->file[k]->name, folder, n, &before) && strcspn(before, "/") == len && !strncmp(before, rest, len);
		if (seen || !len || len >= sizeof part || rest[0] == '.')
			continue;
		memcpy(part, rest, len);
		part[len] = 0;
		fn(ctx, part);
	}
}

int path_names(const char *dir, void (*fn)(void *ctx, const char *name), void *ctx, struct heft_err *err)
{
	const struct mount *m;
	const struct mount_file *f;
	struct dirent *e;
	DIR *d;

	if (mount_find(dir, &m, &f) && !f) {
		mounted_names(m, dir, fn, ctx);
		return 0;
	}
	d = opendir(dir);
	if (!d)
		return heft_fail_errno(err, HEFT_E_OPEN, "cannot open folder '%s'", dir);
	while ((e = readdir(d)))
		if (e->d_name[0] != '.')
			fn(ctx, e->d_name);
	closedir(d);
	return 0;
}
