/*
 * mount.h - folders that are none: the members of an archive, under the paths that they would have were it a folder. Whoever
 * reads a model's files asks here what a path is, and source_open() opens such members.
 *
 *   model.tar.zst/Llama-3.1-8B/config.json        mounted at model.tar.zst: Llama-3.1-8B/config.json
 */
#ifndef BASE_MOUNT_H
#define BASE_MOUNT_H

#include "err.h"
#include "source.h"

enum path_kind { PATH_NONE, PATH_FILE, PATH_FOLDER, PATH_OTHER };

/* Links are followed. errno says why where it is PATH_NONE. */
enum path_kind path_kind(const char *path);
/* The names in a folder, in no order, without those that begin with a dot. */
int path_names(const char *dir, void (*fn)(void *ctx, const char *name), void *ctx, struct heft_err *err);

struct mount_file {
	const char *name; /* relative, plain components */
	uint64_t size;
};
struct mount {
	const char *path;              /* strings and list stay their owner's */
	const struct mount_file *const *file;
	size_t n_files;
	/* Opens one; its source's name is `path`. */
	struct source *(*open)(void *ctx, const struct mount_file *f, const char *path, struct heft_err *err);
	void *ctx;
	struct mount *next; /* mount.c's */
};
void mount_add(struct mount *m);    /* of two at one path the later one is seen */
void mount_remove(struct mount *m);
bool mount_find(const char *path, const struct mount **m, const struct mount_file **f); /* f NULL: a folder of it */

#endif
