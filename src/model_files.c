/*
 * model_files.c - which files make up the checkpoint that a path means.
 *
 *   -                                    standard input
 *   models--ORG--NAME/                   a Hub cache folder: its snapshot
 *   DIR/ without config.json             params.json with consolidated*.safetensors: Mistral's own layout
 *   DIR/                                 first of: *.safetensors.index.json, model.safetensors, model*.safetensors,
 *                                        consolidated*.safetensors, one *.safetensors; pytorch_model.bin.index.json,
 *                                        pytorch_model*.bin; consolidated.NN.pth with params.json; one GGUF or one split set; one *.bin, *.pt or *.pth
 *   X.safetensors.index.json, .bin. ...  the index itself
 *   X-00002-of-00005.safetensors, ...    one part: all parts
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

#define INDEX_SUFFIX ".index.json"

struct names { /* of a directory, sorted */
	const char **v;
	size_t n;
};

struct finder {
	struct file_set *set;
	bool mistral; /* is asked for */
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

/* The file itself, or what heft pack made of it, goes to *there; false: neither does. */
static bool present(struct arena *a, const char *path, const char **there)
{
	*there = path;
	if (exists(path))
		return true;
	*there = arena_printf(a, "%s" PACKED_SUFFIX, path);
	return exists(*there);
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
	const char *path = path_join(f->arena, dir, name), *there;
	struct stat st;

	if (present(f->arena, path, &there)) {
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
		return add_part(f, dir, names->v[0], "the download is not complete");
	}
several:
	return heft_fail(f->err, HEFT_E_OPEN, "%s: holds several GGUF models: name one of the files, %s for example",
			 dir, names->v[0]);
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

/* Files of a directory that stand for a model, the better ones first */
struct kind {
	const char *prefix, *suffix;
	bool only_one; /* several say nothing about which one is meant */
};

/* 1: used; 0: none of these is there */
static int use_kinds(struct finder *f, const char *dir, const struct names *all, const struct kind *kind, size_t n)
{
	struct names found = { 0 };

	for (size_t i = 0; i < n; i++) {
		found = select_names(all, kind[i].prefix, kind[i].suffix, f->arena);
		if (found.n && (found.n == 1 || !kind[i].only_one))
			return tell_parts_beside(f, dir, found.v[0], all) || use_files(f, dir, &found) ? -1 : 1;
	}
	if (found.n)
		return heft_fail(f->err, HEFT_E_OPEN, "%s: holds several %s files and no index: name one of them, %s for example", dir,
				 kind[n - 1].suffix + 1, found.v[0]);
	return 0;
}

static int use_indices(struct finder *f, const char *dir, const struct names *all, const char *first, const char *suffix)
{
	struct names found = select_names(all, arena_printf(f->arena, "%s%s", first, suffix), "", f->arena);

	if (!found.n)
		found = select_names(all, "", suffix, f->arena);
	if (!found.n || (found.n > 1 && !has_prefix(found.v[0], first)))
		return 0;
	return use_index(f, dir, found.v[0]) ? -1 : 1;
}

static int use_safetensors(struct finder *f, const char *dir, const struct names *all)
{
	static const struct kind kinds[] = {
		{ "model.safetensors", "model.safetensors", true },
		{ "model", ".safetensors", false },
		{ "consolidated", ".safetensors", false },
		{ "", ".safetensors", true },
	};
	int rc = use_indices(f, dir, all, "model", ".safetensors" INDEX_SUFFIX);

	return rc ? rc : use_kinds(f, dir, all, kinds, sizeof kinds / sizeof *kinds);
}

static int use_pytorch(struct finder *f, const char *dir, const struct names *all)
{
	static const struct kind kinds[] = {
		{ "pytorch_model.bin", "pytorch_model.bin", true },
		{ "pytorch_model", ".bin", false },
	};
	int rc = use_indices(f, dir, all, "pytorch_model", ".bin" INDEX_SUFFIX);

	return rc ? rc : use_kinds(f, dir, all, kinds, sizeof kinds / sizeof *kinds);
}

/* Meta's files: consolidated.00.pth, .01 ..., and params.json */
static int use_meta(struct finder *f, const char *dir, const struct names *all)
{
	struct names found = select_names(all, "consolidated.", ".pth", f->arena);
	const char *params = path_join(f->arena, dir, "params.json");

	if (!found.n || !exists(params))
		return 0;
	f->set->dir = dir;
	f->set->params = params;
	for (size_t i = 0; i < found.n; i++) {
		const char *name = arena_printf(f->arena, "consolidated.%02zu.pth", i);

		if (add_part(f, dir, name, "its parts are numbered from 00 on"))
			return -1;
	}
	return 1;
}

/* Mistral's files, where they are asked for or nothing else says what the model is. */
static int use_mistral(struct finder *f, const char *dir, const struct names *all)
{
	struct names found = select_names(all, "consolidated", ".safetensors", f->arena);
	struct names index = select_names(all, "consolidated.safetensors" INDEX_SUFFIX, "", f->arena);
	const char *params = path_join(f->arena, dir, "params.json");

	if (!f->mistral && exists(path_join(f->arena, dir, "config.json")))
		return 0;
	if (!found.n || !exists(params))
		return f->mistral ? heft_fail(f->err, HEFT_E_OPEN, "%s: holds no params.json with consolidated.safetensors: try without --mistral-format", dir) : 0;
	f->set->dir = dir;
	f->set->params = params;
	f->set->mistral = true;
	return (index.n ? use_index(f, dir, index.v[0]) : use_files(f, dir, &found)) ? -1 : 1;
}

/* A lone PyTorch file of any name */
static int use_any_pytorch(struct finder *f, const char *dir, const struct names *all)
{
	static const struct kind kinds[] = { { "", ".pth", true }, { "", ".pt", true }, { "", ".bin", true }, { "", ".ckpt", true } };
	int rc = 0;

	for (size_t i = 0; !rc && i < sizeof kinds / sizeof *kinds; i++)
		rc = use_kinds(f, dir, all, &kinds[i], 1);
	return rc;
}

static int use_directory(struct finder *f, const char *dir)
{
	struct names all, gguf;
	int rc;

	if (read_names(dir, &all, f->arena, f->err))
		return -1;
	rc = use_mistral(f, dir, &all);
	rc = rc ? rc : use_safetensors(f, dir, &all);
	rc = rc ? rc : use_pytorch(f, dir, &all);
	rc = rc ? rc : use_meta(f, dir, &all);
	if (rc)
		return rc < 0 ? -1 : 0;
	gguf = select_names(&all, "", ".gguf", f->arena);
	if (gguf.n)
		return use_gguf(f, dir, &gguf);
	rc = use_any_pytorch(f, dir, &all);
	return rc > 0 ? 0 : rc < 0 ? -1 : heft_fail(f->err, HEFT_E_OPEN, "%s: holds no safetensors, PyTorch or GGUF file", dir);
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
	struct names all;
	int rc;

	if (exists(path_join(f->arena, dir, "config.json")))
		f->set->dir = dir;
	if (has_suffix(name, INDEX_SUFFIX))
		return use_index(f, dir, name);
	if (has_prefix(name, "consolidated.") && has_suffix(name, ".pth") && !read_names(dir, &all, f->arena, f->err) &&
	    (rc = use_meta(f, dir, &all)))
		return rc < 0 ? -1 : 0;
	if (has_prefix(name, "consolidated") && has_suffix(name, ".safetensors") && exists(path_join(f->arena, dir, "params.json")) &&
	    !read_names(dir, &all, f->arena, f->err) && (rc = use_mistral(f, dir, &all)))
		return rc < 0 ? -1 : 0;
	if (!part_name_parse(name, &part) || part.count == 1) {
		f->set->single = path;
		add_path(f, path);
		return 0;
	}
	f->set->parts = !strcmp(part.extension, ".gguf");
	index = arena_printf(f->arena, "%.*s%s" INDEX_SUFFIX, part.prefix, name, part.extension);
	if (!f->set->parts && exists(path_join(f->arena, dir, index)))
		return use_index(f, dir, index);
	return use_parts(f, dir, name, &part);
}

int file_set_find(struct file_set *set, const char *path, bool mistral, uint64_t *missing, struct arena *a, struct sink *sink,
		  struct heft_err *err)
{
	struct finder f = { set, mistral, missing, a, sink, err };
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
