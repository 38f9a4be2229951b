/*
 * archive.c - lists an archive that holds one model, and shows it as a folder.
 *
 *   model.tar.zst:  Llama-3.1-8B/config.json ...        -> model.tar.zst/Llama-3.1-8B/config.json
 *   model.tar.zst:  config.json ...                     -> model.tar.zst/model/config.json
 *
 * Owns what the members' sources read from. Refuses archives of archives and of several models.
 */
#include "archive_members.h"
#include "model.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../formats/format.h"

/* ---- the first bytes of weights that are packed ---- */

struct header_feed {
	struct feed feed;
	struct archive *ar;
};

/* What the container's reader asks for is kept: it is the header. */
static int64_t header_read(struct feed *feed, void *buf, size_t n, struct heft_err *err)
{
	struct archive *ar = ((struct header_feed *)feed)->ar;
	struct entry *e = ar->current;
	int64_t got = unpacker_read(ar->unpacker, buf, n, err);

	if (got <= 0)
		return got;
	if (e->cap - e->n_bytes < (size_t)got) {
		e->cap = 2 * e->cap + (size_t)got;
		e->bytes = xrealloc(e->bytes, e->cap);
	}
	memcpy(e->bytes + e->n_bytes, buf, (size_t)got);
	e->n_bytes += (size_t)got;
	return got;
}

static void header_close(struct feed *feed)
{
}

/* A header that is wrong is told of when the file is opened, if the model needs it. An archive that is wrong, now. */
static int keep_header(struct archive *ar, struct heft_err *err)
{
	struct header_feed f = { { header_read, NULL, header_close }, ar };
	struct source *s = source_feed(&f.feed, ar->current->name, ar->current->file.size, ar->options.spool);
	struct heft_err why = { 0 };
	int rc = ar->options.read_header(s, &why);

	source_close(s);
	if (rc && (why.code == HEFT_E_ARCHIVE || why.code == HEFT_E_BOMB || why.code == HEFT_E_READ)) {
		*err = why;
		return -1;
	}
	return 0;
}

/* ---- which folder ---- */

static size_t depth_of(const char *name)
{
	size_t n = 0;

	for (; *name; name++)
		n += *name == '/';
	return n;
}

static size_t folder_length(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash ? (size_t)(slash - name) : 0;
}

static bool is_config(const struct entry *e)
{
	return !strcmp(path_base(e->name), "config.json");
}

static bool is_weights(const struct entry *e)
{
	return e->role == ROLE_WEIGHTS;
}

/* The highest folder with such a file; *other: another one as high. NULL: none. */
static const struct entry *highest(const struct archive *ar, bool (*is)(const struct entry *e), const struct entry **other)
{
	const struct entry *best = NULL;

	*other = NULL;
	for (size_t i = 0; i < ar->n; i++) {
		const struct entry *e = entry_at(ar, i);
		size_t n = folder_length(e->name);

		if (!is(e) || (best && depth_of(e->name) > depth_of(best->name)))
			continue;
		if (best && depth_of(e->name) == depth_of(best->name)) {
			if (n != folder_length(best->name) || strncmp(e->name, best->name, n))
				*other = e;
			continue;
		}
		best = e;
		*other = NULL;
	}
	return best;
}

/* "dir/Llama.tar.zst" -> "Llama" */
static char *stem_of_archive(const struct archive *ar)
{
	static const char *const endings[] = { ".zst", ".gz", ".xz", ".bz2", ".lz4", ".tgz", ".tar", ".zip", ".npz", ".nemo" };
	char *s = arena_strdup(ar->arena, !strcmp(ar->path, "-") ? "model" : path_base(ar->path));

	for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
		size_t n = strlen(s), x = strlen(endings[i]);

		if (n > x && !strcmp(s + n - x, endings[i]))
			s[n - x] = 0;
	}
	return s;
}

static bool is_array(const struct entry *e)
{
	size_t n = strlen(e->name);

	return n > 4 && !strcmp(e->name + n - 4, ".npy");
}

static bool only_arrays(const struct archive *ar)
{
	for (size_t i = 0; i < ar->n; i++)
		if (!is_array(entry_at(ar, i)))
			return false;
	return ar->n > 0;
}

/* The folders of an .npz are parts of its arrays' names. */
static int choose_folder(struct archive *ar, struct heft_err *err)
{
	const struct entry *other, *e = highest(ar, is_config, &other);
	const char *top = NULL;
	size_t n;

	ar->arrays = only_arrays(ar);
	e = e ? e : highest(ar, is_weights, &other);
	if (!ar->n_weights && ar->nested)
		return heft_fail(err, HEFT_E_ARCHIVE, "%s: holds another archive, '%s': unpack it, heft reads one archive deep", ar->path, ar->nested);
	if (!ar->n_weights)
		return heft_fail(err, HEFT_E_MAGIC, "%s: no file in it holds weights that heft knows", ar->path);
	if (other && !ar->arrays)
		return heft_fail(err, HEFT_E_OPEN, "%s: holds several models, '%s' and '%s': unpack it and name one", ar->path, e->name, other->name);
	n = ar->arrays ? 0 : folder_length(e->name);
	if (!n)
		top = stem_of_archive(ar);
	for (size_t i = 0; i < ar->n; i++)
		entry_at(ar, i)->file.name = top ? arena_printf(ar->arena, "%s/%s", top, entry_at(ar, i)->name) : entry_at(ar, i)->name;
	ar->dir = top ? path_join(ar->arena, ar->path, top) : arena_printf(ar->arena, "%s/%.*s", ar->path, (int)n, e->name);
	return 0;
}

/* ---- links ---- */

static struct entry *entry_named(const struct archive *ar, const char *name)
{
	for (size_t i = 0; i < ar->n; i++)
		if (!strcmp(entry_at(ar, i)->name, name))
			return entry_at(ar, i);
	return NULL;
}

/* A link shows its target; one that leads to nothing that was kept, or to another link, is not there. */
static void follow_links(struct archive *ar)
{
	size_t n = 0;

	for (size_t i = 0; i < ar->n; i++) {
		struct entry *e = entry_at(ar, i), *to = e->link ? entry_named(ar, e->link) : e;

		if (!to || (e->link && to->link))
			continue;
		if (e->link) {
			e->file.size = to->file.size;
			e->role = to->role;
			e->stored = to->stored;
			e->begin = to->begin;
			e->n_bytes = to->n_bytes;
			e->bytes = to->bytes;
		}
		ar->file[n++] = &e->file;
	}
	ar->n = n;
}

/* ---- as a folder ---- */

static struct source *open_entry(void *ctx, const struct mount_file *file, const char *path, struct heft_err *err)
{
	struct archive *ar = ctx;
	const struct entry *e = (const struct entry *)file;
	struct source *s;

	if (e->role != ROLE_WEIGHTS)
		return source_memory(e->bytes, e->n_bytes, path);
	s = source_range(e->stored ? ar->src : ar->stream, e->begin, e->file.size, path);
	source_range_head(s, e->bytes, e->n_bytes);
	return s;
}

static int show(struct archive *ar, struct heft_err *err)
{
	follow_links(ar);
	if (choose_folder(ar, err))
		return -1;
	ar->mount = (struct mount){ .path = ar->path, .file = ar->file, .n_files = ar->n, .open = open_entry, .ctx = ar };
	mount_add(&ar->mount);
	return 0;
}

/* ---- a file: one pass to list it ---- */

static int list_file(struct archive *ar, struct heft_err *err)
{
	int rc;

	while ((rc = archive_walk(ar, err)) > 0) {
		if (ar->current->stored)
			continue;
		if (ar->current->file.size == UINT64_MAX)
			return heft_fail(err, HEFT_E_ARCHIVE, "%s: does not say how long '%s' is: unpack it first", ar->path, ar->current->name);
		if (keep_header(ar, err))
			return -1;
	}
	unpacker_close(ar->unpacker);
	ar->unpacker = NULL;
	ar->stream = archive_replay(ar);
	return rc;
}

/* ---- a stream: as far as a plan needs ---- */

static bool has_entry(const struct archive *ar, const char *const *names)
{
	for (size_t i = 0; i < ar->n; i++)
		for (const char *const *n = names; *n; n++)
			if (!strcmp(path_base(entry_at(ar, i)->name), *n))
				return true;
	return false;
}

static bool parts_complete(const struct archive *ar)
{
	struct part_name part;
	unsigned have = 0, want = 0;

	for (size_t i = 0; i < ar->n; i++)
		if (is_weights(entry_at(ar, i)) && part_name_parse(path_base(entry_at(ar, i)->name), &part)) {
			have++;
			want = part.count;
		}
	return have >= want;
}

static bool complete(const struct archive *ar)
{
	static const char *const config[] = { "config.json", NULL };
	static const char *const tokenizer[] = { "tokenizer.json", "tokenizer.model", "vocab.json", NULL };
	const char *name = ar->current ? ar->current->name : "";
	size_t n = strlen(name);

	if (!ar->n_weights || !parts_complete(ar))
		return false;
	if (ar->options.config_elsewhere || (n > 5 && !strcmp(name + n - 5, ".gguf")))
		return true;
	return has_entry(ar, config) && has_entry(ar, tokenizer);
}

static int list_stream(struct archive *ar, struct heft_err *err)
{
	struct heft_err why = { 0 };
	size_t seen = SIZE_MAX;
	char byte;

	ar->stream = archive_live(ar);
	while (!complete(ar) && seen != ar->n_weights) {
		uint64_t end = ar->stream_size; /* of the members so far: the byte behind belongs to the next one */

		seen = ar->n_weights;
		if (ar->current && ar->current->file.size == UINT64_MAX) {
			ar->early = true;
			break;
		}
		if (source_read_some(ar->stream, end, &byte, 1, &why) >= 0)
			continue;
		if (why.code != HEFT_E_SPOOL) {
			*err = why;
			return -1;
		}
		ar->early = true; /* what there is may do; else the error says that more may have followed */
	}
	return 0;
}

/* ---- all of it ---- */

static int by_string(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char *const *archive_arrays(const struct archive *ar, size_t *n)
{
	const char **path;

	if (!ar || !ar->arrays)
		return NULL;
	path = arena_array(ar->arena, ar->n, sizeof *path);
	for (size_t i = 0; i < ar->n; i++)
		path[i] = path_join(ar->arena, ar->path, ar->file[i]->name);
	qsort(path, ar->n, sizeof *path, by_string);
	*n = ar->n;
	return path;
}

const char *archive_array_name(const struct archive *ar, const char *path)
{
	const char *name = path + strlen(ar->dir) + 1;

	return arena_memdup(ar->arena, name, strlen(name) - strlen(".npy"));
}

bool archive_ended_early(const struct archive *ar)
{
	return ar && ar->early;
}

const char *archive_dir(const struct archive *ar)
{
	return ar->dir;
}

void archive_close(struct archive *ar)
{
	if (!ar)
		return;
	mount_remove(&ar->mount);
	source_close(ar->stream);
	unpacker_close(ar->unpacker);
	source_close(ar->src);
	for (size_t i = 0; i < ar->n; i++)
		if (!entry_at(ar, i)->link)
			free(entry_at(ar, i)->bytes);
	map_release(&ar->names);
	arena_free(ar->arena);
}

int archive_open(struct archive **out, struct source *src, const char *path, const struct archive_options *o, struct heft_err *err)
{
	struct arena *a = arena_new();
	struct archive *ar = arena_alloc(a, sizeof *ar);

	*ar = (struct archive){ .arena = a, .src = src, .path = arena_strdup(a, path), .options = *o };
	map_init(&ar->names);
	ar->live = source_is_stream(src);
	ar->unpacker = unpacker_open(src, false, err);
	if (!ar->unpacker || (ar->live ? list_stream(ar, err) : list_file(ar, err)) || show(ar, err)) {
		archive_close(ar);
		return -1;
	}
	*out = ar;
	return 0;
}

/* PyTorch's zip files are a container of their own: they hold a pickle of that name. */
static int holds_pickle(struct unpacker *u, int members, struct heft_err *err)
{
	struct member m;
	int rc = 0;

	for (int i = 0; i < members && (rc = unpacker_next(u, &m, err)) > 0; i++)
		if (!strcmp(path_base(m.name), "data.pkl") || !strcmp(path_base(m.name), "constants.pkl"))
			return 1;
	return rc < 0 ? -1 : 0;
}

int archive_probe(struct source *src, struct heft_err *err)
{
	uint8_t head[512] = { 0 };
	int64_t n = source_peek(src, head, sizeof head, err);
	enum packing packing = n < 0 ? PACKING_NONE : packing_of(head, (size_t)n);
	struct unpacker *u;
	struct member m;
	int rc;

	if (n < 0 || packing == PACKING_NONE)
		return n < 0 ? -1 : 0;
	if ((packing == PACKING_TAR || packing == PACKING_ZIP) && format_find("pytorch")->probe(head, (size_t)n) >= 90)
		return 0; /* its layouts are archives too, read more strictly than others */
	if (packing == PACKING_TAR)
		return 1;
	if (packing == PACKING_PROGRAM)
		return packing_has_zip(src, err);
	u = unpacker_open(src, true, err);
	if (!u)
		return -1;
	if (packing == PACKING_ZIP)
		rc = holds_pickle(u, source_is_stream(src) ? 1 : 16, err), rc = rc < 0 ? -1 : !rc;
	else
		rc = unpacker_next(u, &m, err) < 0 ? -1 : unpacker_is_archive(u);
	unpacker_close(u);
	return rc;
}
