/*
 * check_digests.c - compares files with the SHA-256 that somebody noted for them:
 *
 *   snapshots/REV/NAME -> ../../blobs/HEX           the Hub cache's link: 64 hex digits are the digest of the bytes
 *   .cache/huggingface/download/NAME.metadata       what a download into a folder keeps; line 2 is the digest, or a git hash that says nothing here
 *   SHA256SUMS, *.sha256, ...                       lines "HEX  NAME" or "HEX *NAME", as sha256sum writes them
 *   NAME.ANYTHING                                   a Git LFS pointer kept beside the file: "oid sha256:HEX"
 *
 * Owns the list of what was noted. Each file is read once. Names that lead out of the folder are refused.
 */
#include "check.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "../base/sha256.h"
#include "../base/source.h"
#include "model.h"

enum { HEX = 64, TEXT_LIMIT = 1 << 20, POINTER_LIMIT = 1024, PIECE = 1 << 20 };

struct note {
	const char *path; /* of the file */
	const char *hex;
	const char *by;   /* who says so */
};

struct notes {
	struct check *check;
	struct arena *arena;
	const char *dir;
	struct note *v;
	size_t n, cap;
};

/* ---- collecting ---- */

/* 64 hex digits, in lower case; NULL where there are none. */
static const char *digest_at(struct notes *x, const char *s)
{
	char *hex;

	if (strspn(s, "0123456789abcdefABCDEF") != HEX)
		return NULL;
	hex = arena_memdup(x->arena, s, HEX);
	for (char *p = hex; *p; p++)
		*p |= *p >= 'A' && *p <= 'F' ? 0x20 : 0;
	return hex;
}

static void add(struct notes *x, const char *path, const char *hex, const char *by)
{
	x->v = arena_grow(x->arena, x->v, &x->cap, x->n + 1, sizeof *x->v);
	x->v[x->n++] = (struct note){ path, hex, by };
}

static void add_link(struct notes *x, const char *path)
{
	char target[4096];
	ssize_t n = readlink(path, target, sizeof target - 1);
	const char *base, *hex;

	if (n <= 0) { /* Ollama's blobs are named so themselves */
		base = path_base(path);
		hex = !strncmp(base, "sha256-", 7) && strlen(base) == 7 + HEX ? digest_at(x, base + 7) : NULL;
		if (hex)
			add(x, path, hex, "the store's name for it");
		return;
	}
	target[n] = 0;
	base = path_base(target);
	hex = strlen(base) == HEX ? digest_at(x, base) : NULL;
	if (hex)
		add(x, path, hex, "the cache's name for it");
}

/* A small file as a text; NULL where it is none. */
static const char *read_text(struct notes *x, const char *path, size_t limit)
{
	struct heft_err err;
	struct source *s = source_open(path, &err);
	uint64_t n = s ? source_size(s) : 0;
	char *text = s && n <= limit ? arena_alloc(x->arena, (size_t)n + 1) : NULL;

	if (text && source_read(s, 0, text, (size_t)n, &err))
		text = NULL;
	source_close(s);
	return text;
}

static void add_metadata(struct notes *x, const char *name, const char *path)
{
	const char *at = arena_printf(x->arena, "%s/.cache/huggingface/download/%s.metadata", x->dir, name);
	const char *text = read_text(x, at, POINTER_LIMIT), *line = text ? strchr(text, '\n') : NULL;
	const char *hex = line ? digest_at(x, line + 1) : NULL;

	if (hex)
		add(x, path, hex, at);
}

static void add_pointer(struct notes *x, const char *name, const char *path)
{
	static const char begin[] = "version https://git-lfs.github.com/spec/", oid[] = "\noid sha256:";
	const char *at = path_join(x->arena, x->dir, name), *text = read_text(x, at, POINTER_LIMIT), *found, *hex;

	if (!text || strncmp(text, begin, sizeof begin - 1) || !(found = strstr(text, oid)))
		return;
	hex = digest_at(x, found + sizeof oid - 1);
	if (hex)
		add(x, path, hex, at);
}

static bool stays_inside(const char *name)
{
	return *name && *name != '/' && strcmp(name, "..") && strncmp(name, "../", 3) && !strstr(name, "/../");
}

/* One line of a sum file; what is no such line says nothing. */
static int add_line(struct notes *x, const char *by, const char *line, size_t n)
{
	const char *hex = n > HEX + 2 ? digest_at(x, line) : NULL, *name, *path;

	if (!hex || line[HEX] != ' ' || (line[HEX + 1] != ' ' && line[HEX + 1] != '*'))
		return 0;
	name = arena_memdup(x->arena, line + HEX + 2, n - HEX - 2 - (line[n - 1] == '\r'));
	if (!strncmp(name, "./", 2))
		name += 2;
	path = path_join(x->arena, x->dir, name);
	if (!stays_inside(name))
		return sink_tellf(&x->check->sink, HEFT_E_CHECKSUM, by, NULL, NULL, "names a file outside of its folder: %s", name);
	if (access(path, F_OK))
		return sink_tellf(&x->check->sink, HEFT_E_CHECKSUM, path, NULL, "download it, or remove its line", "the file is missing, %s names it", by);
	add(x, path, hex, by);
	return 0;
}

static int add_sums(struct notes *x, const char *name)
{
	const char *by = path_join(x->arena, x->dir, name), *text = read_text(x, by, TEXT_LIMIT);

	for (const char *end; text && *text; text = *end ? end + 1 : end) {
		end = text + strcspn(text, "\n");
		if (add_line(x, by, text, (size_t)(end - text)))
			return -1;
	}
	return 0;
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), x = strlen(end);

	return n >= x && !strcasecmp(s + n - x, end);
}

static bool is_sum_file(const char *name)
{
	static const char *const names[] = { "SHA256SUMS", "sha256sum.txt", "sha256sums.txt", "checksums.txt" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (!strcasecmp(name, names[i]))
			return true;
	return ends_with(name, ".sha256") || ends_with(name, ".sha256sum");
}

/* The model's file that a file's name continues ("model.safetensors.lfs"), or NULL. */
static const char *continued(const struct notes *x, const char *name)
{
	const struct heft_model *m = x->check->model;

	for (size_t i = 0; i < m->n_files; i++) {
		const char *base = path_base(m->file[i].path);
		size_t n = strlen(base);

		if (!strncmp(name, base, n) && name[n] == '.')
			return m->file[i].path;
	}
	return NULL;
}

static int collect_folder(struct notes *x)
{
	DIR *d = opendir(x->dir);
	struct dirent *e;
	int rc = 0;

	while (d && !rc && (e = readdir(d))) {
		const char *name = arena_strdup(x->arena, e->d_name), *path = continued(x, name);

		if (is_sum_file(name))
			rc = add_sums(x, name);
		else if (path)
			add_pointer(x, name, path);
		else
			add_metadata(x, name, path_join(x->arena, x->dir, name));
	}
	if (d)
		closedir(d);
	return rc;
}

/* ---- comparing ---- */

static int digest_of_bytes(struct source *src, char hex[HEX + 1], const volatile int *stop, struct heft_err *err)
{
	struct sha256 *s = sha256_new();
	char *piece = xmalloc(PIECE);
	int64_t n;

	for (uint64_t at = 0; (n = source_read_some(src, at, piece, PIECE, err)) > 0; at += (uint64_t)n) {
		sha256_update(s, piece, (size_t)n);
		if (stop && *stop)
			n = heft_fail(err, HEFT_E_KILLED, "stopped by a signal");
		if (n < 0)
			break;
	}
	free(piece);
	sha256_final(s, n < 0 ? NULL : hex);
	return n < 0 ? -1 : 0;
}

static int by_path(const void *a, const void *b)
{
	const struct note *x = a, *y = b;
	int c = strcmp(x->path, y->path);

	return c ? c : strcmp(x->by, y->by);
}

static int compare_file(struct notes *x, size_t first, size_t n, struct heft_err *err)
{
	struct source *src = source_open(x->v[first].path, err);
	char have[HEX + 1];
	int rc = src ? digest_of_bytes(src, have, x->check->options->stop, err) : -1;

	source_close(src);
	for (size_t i = first; !rc && i < first + n; i++)
		if (strcmp(x->v[i].hex, have))
			rc = sink_tellf(&x->check->sink, HEFT_E_CHECKSUM, x->v[i].path, NULL, "delete this file and download it again",
					"its sha256 is %s, %s says %s", have, x->v[i].by, x->v[i].hex);
	return rc;
}

int check_digests(struct check *c, struct heft_err *err)
{
	struct heft_model *m = c->model;
	struct notes x = { .check = c, .arena = m->arena };

	if (!m->n_files || source_is_stream(m->file[0].source))
		return 0;
	x.dir = m->dir ? m->dir : path_dir(m->arena, m->file[0].path);
	for (size_t i = 0; i < m->n_files; i++)
		add_link(&x, m->file[i].path);
	if (collect_folder(&x))
		return -1;
	if (x.n)
		qsort(x.v, x.n, sizeof *x.v, by_path);
	for (size_t i = 0, n; i < x.n; i += n) {
		for (n = 1; i + n < x.n && !strcmp(x.v[i].path, x.v[i + n].path); n++)
			;
		if (compare_file(&x, i, n, err))
			return -1;
	}
	return 0;
}
