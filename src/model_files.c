/*
 * model_files.c - which files make up the checkpoint that a path means.
 *
 *   -                                    standard input
 *   models--ORG--NAME/                   a Hub cache folder: its snapshot
 *   DIR/                                 first of: *.safetensors.index.json, model.safetensors, model*.safetensors,
 *                                        consolidated*.safetensors, one *.safetensors, one GGUF or one split set
 *   X.safetensors.index.json             the index itself
 *   X-00002-of-00005.safetensors, .gguf  one part: all parts
 *   any other file                       itself
 *
 * X.zst, where no X is, stands for X: what heft pack made of it.
 */
#include "archive.h"
#include "model.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../base/mount.h"

#define INDEX_SUFFIX ".safetensors.index.json"

struct names { /* of a directory, sorted */
	const char **v;
	size_t n;
};

struct finder {
	struct file_set *set;
	uint64_t *missing;
	struct arena *arena;
	struct sink *sink;
	struct heft_err *err;
};

static bool has_suffix(const char *s, const char *suffix)
{
	size_t n = strlen(s), x = strlen(suffix);

	return n >= x && !strcmp(s + n - x, suffix);
}

static bool has_prefix(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

static bool is_directory(const char *path)
{
	return path_kind(path) == PATH_FOLDER;
}

static bool exists(const char *path)
{
	return path_kind(path) != PATH_NONE;
}

/* The file itself, or what heft pack made of it; NULL: neither is there. */
static const char *present(struct arena *a, const char *path)
{
	const char *packed = arena_printf(a, "%s" PACKED_SUFFIX, path);

	return exists(path) ? path : exists(packed) ? packed : NULL;
}

static int by_string(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Packed files get the names of what was packed; where both are there, that one is enough. */
static void name_unpacked(struct names *names, struct arena *a)
{
	size_t n = 0;

	for (size_t i = 0; i < names->n; i++) {
		const char *name = names->v[i];

		if (has_suffix(name, PACKED_SUFFIX)) {
			name = arena_memdup(a, name, strlen(name) - strlen(PACKED_SUFFIX));
			if (n && !strcmp(names->v[n - 1], name))
				continue;
		}
		names->v[n++] = name;
	}
	names->n = n;
}

struct reading {
	struct names *names;
	size_t cap;
	struct arena *arena;
};

static void add_name(void *ctx, const char *name)
{
	struct reading *r = ctx;
	struct names *out = r->names;

	out->v = arena_grow(r->arena, out->v, &r->cap, out->n + 1, sizeof *out->v);
	out->v[out->n++] = arena_strdup(r->arena, name);
}

static int read_names(const char *dir, struct names *out, struct arena *a, struct heft_err *err)
{
	struct reading r = { .names = out, .arena = a };

	*out = (struct names){ 0 };
	if (path_names(dir, add_name, &r, err))
		return -1;
	if (out->n)
		qsort(out->v, out->n, sizeof *out->v, by_string);
	name_unpacked(out, a);
	return 0;
}

/* The names that begin and end so. */
static struct names select_names(const struct names *all, const char *prefix, const char *suffix, struct arena *a)
{
	struct names out = { .v = arena_array(a, all->n, sizeof *out.v) };

	for (size_t i = 0; i < all->n; i++)
		if (has_prefix(all->v[i], prefix) && has_suffix(all->v[i], suffix))
			out.v[out.n++] = all->v[i];
	return out;
}

static void add_path(struct finder *f, const char *path)
{
	struct file_set *s = f->set;

	s->path = arena_grow(f->arena, s->path, &s->cap, s->n + 1, sizeof *s->path);
	s->path[s->n++] = path;
}

/* Adds a file that must be there, or tells that it is missing. `why` says who wants it. */
static int add_part(struct finder *f, const char *dir, const char *name, const char *why)
{
	const char *path = path_join(f->arena, dir, name), *there = present(f->arena, path);
	struct stat st;

	if (there) {
		add_path(f, there);
		return 0;
	}
	++*f->missing;
	if (!lstat(path, &st) && S_ISLNK(st.st_mode))
		return sink_tellf(f->sink, HEFT_E_SHARD_MISSING, path, NULL,
				  "download the model again: the cache lost this file",
				  "this link leads to a file that is not there (%s)", why);
	return sink_tellf(f->sink, HEFT_E_SHARD_MISSING, path, NULL, "download this file", "the file is missing: %s",
			  why);
}

/* ---- an index ---- */

static bool named_by(const struct model_index *x, const char *name)
{
	return bsearch(&name, x->shard, x->n_shards, sizeof *x->shard, by_string) != NULL;
}

/* Parts of the same name as the index's shards that it does not name: left from another download. */
static int tell_extra(struct finder *f, const char *dir, const struct names *names)
{
	const struct model_index *x = &f->set->index;
	struct part_name ours, theirs;

	if (!part_name_parse(x->shard[0], &ours))
		return 0;
	for (size_t i = 0; i < names->n; i++) {
		const char *name = names->v[i];

		if (!part_name_parse(name, &theirs) || theirs.prefix != ours.prefix ||
		    strcmp(theirs.extension, ours.extension) || strncmp(name, x->shard[0], (size_t)ours.prefix) ||
		    named_by(x, name))
			continue;
		if (sink_tellf(f->sink, HEFT_E_SHARD_EXTRA, path_join(f->arena, dir, name), NULL,
			       "remove it, or download the model into an empty folder", "%s does not name this file",
			       path_base(x->path)))
			return -1;
	}
	return 0;
}

static int use_index(struct finder *f, const char *dir, const char *name)
{
	struct model_index *x = &f->set->index;
	const char *path = path_join(f->arena, dir, name);
	struct names names;

	f->set->indexed = true;
	f->set->dir = dir;
	if (index_read(x, path, f->arena, f->err) || read_names(dir, &names, f->arena, f->err))
		return -1;
	for (size_t i = 0; i < x->n_shards; i++) {
		const char *why = arena_printf(f->arena, "%s says that it holds %zu tensors", name, x->held[i]);

		if (add_part(f, dir, x->shard[i], why))
			return -1;
	}
	return tell_extra(f, dir, &names);
}

/* ---- numbered parts without an index ---- */

static int use_parts(struct finder *f, const char *dir, const char *name, const struct part_name *part)
{
	for (unsigned no = 1; no <= part->count; no++) {
		const char *sibling =
		    arena_printf(f->arena, "%.*s-%05u-of-%05u%s", part->prefix, name, no, part->count, part->extension);

		if (add_part(f, dir, sibling, arena_printf(f->arena, "part %u of %u", no, part->count)))
			return -1;
	}
	f->set->single = name;
	return 0;
}

static bool same_set(const char *a, const struct part_name *pa, const char *b, const struct part_name *pb)
{
	return pa->prefix == pb->prefix && pa->count == pb->count && !strncmp(a, b, (size_t)pa->prefix);
}

/* Files that belong together without an index saying so: all parts of one set, or as many files as there are. */
static int use_files(struct finder *f, const char *dir, const struct names *names)
{
	struct part_name first, part;

	f->set->dir = dir;
	if (!part_name_parse(names->v[0], &first)) {
		for (size_t i = 0; i < names->n; i++)
			if (add_part(f, dir, names->v[i], "the download is not complete"))
				return -1;
		return 0;
	}
	for (size_t i = 1; i < names->n; i++)
		if ((!part_name_parse(names->v[i], &part) || !same_set(names->v[0], &first, names->v[i], &part)) &&
		    sink_tellf(f->sink, HEFT_E_SHARD_EXTRA, path_join(f->arena, dir, names->v[i]), NULL,
			       "remove it, or download the model into an empty folder",
			       "belongs to another set than %s", names->v[0]))
			return -1;
	if (use_parts(f, dir, names->v[0], &first))
		return -1;
	f->set->single = NULL;
	return 0;
}

/* ---- directories ---- */

/* The GGUF files of a directory: one file or one set. */
static int use_gguf(struct finder *f, const char *dir, const struct names *names)
{
	struct part_name first, part;

	f->set->dir = dir;
	f->set->single = names->v[0];
	if (part_name_parse(names->v[0], &first)) {
		f->set->parts = true;
		for (size_t i = 1; i < names->n; i++)
			if (!part_name_parse(names->v[i], &part) || !same_set(names->v[0], &first, names->v[i], &part))
				goto several;
		return use_parts(f, dir, names->v[0], &first);
	}
	if (names->n == 1) {
		add_path(f, present(f->arena, path_join(f->arena, dir, names->v[0])));
		return 0;
	}
several:
	return heft_fail(f->err, HEFT_E_OPEN, "%s: holds several GGUF models: name one of the files, %s for example",
			 dir, names->v[0]);
}

static int nothing_there(struct finder *f, const char *dir, const struct names *all)
{
	struct names torch = select_names(all, "", ".bin", f->arena);

	if (torch.n)
		return heft_fail(f->err, HEFT_E_OPEN,
				 "%s: holds no safetensors or GGUF file, only PyTorch's %s, which heft does not read",
				 dir, torch.v[0]);
	return heft_fail(f->err, HEFT_E_OPEN, "%s: holds no safetensors or GGUF file", dir);
}

/* Numbered parts beside a model.safetensors that is whole without them: of two downloads, which one is meant? */
static int tell_parts_beside(struct finder *f, const char *dir, const char *whole, const struct names *all)
{
	struct part_name part;

	if (strcmp(whole, "model.safetensors"))
		return 0;
	for (size_t i = 0; i < all->n; i++)
		if (has_prefix(all->v[i], "model-") && part_name_parse(all->v[i], &part) &&
		    !strcmp(part.extension, ".safetensors") &&
		    sink_tellf(f->sink, HEFT_E_SHARD_EXTRA, path_join(f->arena, dir, all->v[i]), NULL,
			       "remove it, or download the model into an empty folder",
			       "a part of another download lies beside %s", whole))
			return -1;
	return 0;
}

static int use_directory(struct finder *f, const char *dir)
{
	static const struct {
		const char *prefix, *suffix;
		bool only_one; /* several say nothing about which one is meant */
	} rows[] = {
		{ "model.safetensors", "model.safetensors", true },
		{ "model", ".safetensors", false },
		{ "consolidated", ".safetensors", false },
		{ "", ".safetensors", true },
	};
	struct names all, found;

	if (read_names(dir, &all, f->arena, f->err))
		return -1;
	found = select_names(&all, "model" INDEX_SUFFIX, "", f->arena);
	if (!found.n)
		found = select_names(&all, "", INDEX_SUFFIX, f->arena);
	if (found.n && (found.n == 1 || has_prefix(found.v[0], "model")))
		return use_index(f, dir, found.v[0]);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		found = select_names(&all, rows[i].prefix, rows[i].suffix, f->arena);
		if (found.n && (found.n == 1 || !rows[i].only_one))
			return tell_parts_beside(f, dir, found.v[0], &all) || use_files(f, dir, &found) ? -1 : 0;
	}
	if (found.n)
		return heft_fail(f->err, HEFT_E_OPEN,
				 "%s: holds several safetensors files and no index: name one of them, %s for example",
				 dir, found.v[0]);
	found = select_names(&all, "", ".gguf", f->arena);
	return found.n ? use_gguf(f, dir, &found) : nothing_there(f, dir, &all);
}

/* What refs/main says, where it says a plain name; "" otherwise. */
static void read_ref(const char *path, char *buf, size_t n)
{
	struct source *s = source_open(path, NULL);
	int64_t got = s ? source_peek(s, buf, n - 1, NULL) : 0;

	source_close(s);
	buf[got > 0 ? got : 0] = 0;
	buf[strcspn(buf, "\r\n")] = 0;
	if (strchr(buf, '/') || buf[0] == '.')
		buf[0] = 0;
}

/* A folder of the Hub's cache leads to one of its snapshots; any other is itself. */
static int hub_snapshot(struct finder *f, const char *dir, const char **out)
{
	const char *snapshots = path_join(f->arena, dir, "snapshots");
	struct names names;
	char ref[256];

	*out = dir;
	if (!is_directory(snapshots) || exists(path_join(f->arena, dir, "config.json")))
		return 0;
	read_ref(path_join(f->arena, dir, "refs/main"), ref, sizeof ref);
	if (ref[0] && is_directory(path_join(f->arena, snapshots, ref))) {
		*out = path_join(f->arena, snapshots, ref);
		return 0;
	}
	if (read_names(snapshots, &names, f->arena, f->err))
		return -1;
	if (names.n != 1)
		return heft_fail(f->err, HEFT_E_OPEN,
				 "%s: holds %zu snapshots and refs/main names none of them: name one", snapshots,
				 names.n);
	*out = path_join(f->arena, snapshots, names.v[0]);
	return 0;
}

/* ---- files ---- */

static int use_file(struct finder *f, const char *path)
{
	const char *dir = path_dir(f->arena, path), *name = path_base(path), *index;
	struct part_name part;

	if (exists(path_join(f->arena, dir, "config.json")))
		f->set->dir = dir;
	if (has_suffix(name, INDEX_SUFFIX))
		return use_index(f, dir, name);
	if (!part_name_parse(name, &part) || part.count == 1) {
		f->set->single = path;
		add_path(f, path);
		return 0;
	}
	f->set->parts = !strcmp(part.extension, ".gguf");
	index = arena_printf(f->arena, "%.*s" INDEX_SUFFIX, part.prefix, name);
	if (!f->set->parts && exists(path_join(f->arena, dir, index)))
		return use_index(f, dir, index);
	return use_parts(f, dir, name, &part);
}

int file_set_find(struct file_set *set, const char *path, uint64_t *missing, struct arena *a, struct sink *sink,
		  struct heft_err *err)
{
	struct finder f = { set, missing, a, sink, err };
	const char *dir;
	enum path_kind kind = path_kind(path);

	*set = (struct file_set){ 0 };
	if (kind == PATH_NONE)
		return heft_fail_errno(err, HEFT_E_OPEN, "cannot open '%s'", path);
	if (kind != PATH_FOLDER)
		return use_file(&f, path);
	return hub_snapshot(&f, path, &dir) ? -1 : use_directory(&f, dir);
}

void file_set_release(struct file_set *set)
{
	if (set->indexed)
		index_release(&set->index);
}

int model_config_path(const struct heft_model *m, struct arena *a, const char **out, struct heft_err *err)
{
	struct stat st;

	*out = m->dir ? path_join(a, m->dir, "config.json") : NULL;
	if (*out && (path_kind(*out) != PATH_NONE || !lstat(*out, &st) || errno != ENOENT))
		return 0;
	if (archive_ended_early(m->archive))
		return heft_fail(err, HEFT_E_CONFIG,
				 "%s: no config.json before the weights, and --spool does not reach behind them: put small files first (tar --sort=name), or name their folder with --config DIR",
				 m->path);
	return heft_fail(err, HEFT_E_CONFIG,
			 "%s: no config.json beside it, so the family is not known (--config DIR names one, --arch none carries the tensors as they are)",
			 m->path);
}
