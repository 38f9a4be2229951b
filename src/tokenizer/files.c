/*
 * files.c - the files of a model directory that a tokenizer is made of: whole files, read once, with a limit. Refuses
 * what is no regular file.
 */
#include "internal.h"

#include "../../base/mount.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static char *path_of(const char *dir, const char *name)
{
	size_t n = strlen(dir) + strlen(name) + 2;
	char *path = xmalloc(n);

	snprintf(path, n, "%s/%s", dir, name);
	return path;
}

bool file_exists(const char *dir, const char *name)
{
	char *path = path_of(dir, name);
	bool there = path_kind(path) == PATH_FILE;

	free(path);
	return there;
}

static int read_path(const char *path, size_t limit, size_t head, struct heft_str *out, struct arena *a,
		     struct heft_err *err)
{
	struct source *s = source_open(path, err);
	uint64_t size;
	char *text;
	int rc;

	if (!s)
		return -1;
	size = source_size(s);
	if (size > limit) {
		source_close(s);
		return heft_fail(err, HEFT_E_LIMIT,
				 "'%s' has %" PRIu64 " bytes; a tokenizer file of more than %zu is not read", path, size,
				 limit);
	}
	size = size < head ? size : head;
	text = arena_alloc(a, (size_t)size + 1);
	rc = source_read(s, 0, text, (size_t)size, err);
	source_close(s);
	*out = (struct heft_str){ text, (size_t)size };
	return rc;
}

int file_read(const char *dir, const char *name, size_t limit, struct heft_str *out, struct arena *a,
	      struct heft_err *err)
{
	char *path = path_of(dir, name);
	int rc = read_path(path, limit, SIZE_MAX, out, a, err);

	free(path);
	return rc;
}

int file_head(const char *dir, const char *name, size_t n, struct heft_str *out, struct arena *a, struct heft_err *err)
{
	char *path = path_of(dir, name);
	int rc = read_path(path, SIZE_MAX, n, out, a, err);

	free(path);
	return rc;
}

int file_json(const char *dir, const char *name, size_t limit, struct json_doc **out, struct heft_err *err)
{
	char *path = path_of(dir, name);
	int rc = 0;

	*out = NULL;
	if (path_kind(path) == PATH_FILE) {
		*out = json_read_file(path, limit, err);
		rc = *out ? 0 : -1;
	}
	free(path);
	return rc;
}

int64_t json_flatten(const struct json *j, const char *list, const struct json **out, size_t cap)
{
	const struct json *todo[64]; /* the next node of each list that is open */
	size_t depth = 0, n = 0;

	todo[depth++] = j;
	while (depth) {
		const struct json *node = todo[depth - 1], *inner = json_get(node, list);
		if (!node) {
			depth--;
			continue;
		}
		todo[depth - 1] = depth > 1 ? json_next(node) : NULL;
		if (json_kind(inner) == JSON_ARRAY) {
			if (depth == sizeof(todo) / sizeof(*todo))
				return -1;
			todo[depth++] = json_first(inner);
		} else if (json_kind(node) != JSON_NULL) {
			if (n == cap)
				return -1;
			out[n++] = node;
		}
	}
	return (int64_t)n;
}

void text_newlines(struct heft_str *s)
{
	char *to = (char *)s->p;
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++) {
		char c = s->p[i];
		if (c == '\r') {
			if (i + 1 < s->n && s->p[i + 1] == '\n')
				i++;
			c = '\n';
		}
		to[n++] = c;
	}
	to[n] = 0;
	s->n = n;
}
