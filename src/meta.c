/*
 * meta.c - changes the metadata of GGUF and safetensors files and leaves their tensors where they are.
 *
 *   old  | header, old keys ......... | tensors      same length, and all that differs lies in one page: one write
 *   new  | header, new keys ......... | tensors      else: a new file beside it, the tensors copied or shared, renamed over it
 *
 * A process that is killed leaves the old file or the new one: a write inside a page is not interrupted, nor is a rename. Links are never
 * written through: a name that is one, or a file with several names, gets a file of its own. The parts of a GGUF have their keys in the
 * first, which alone is touched. Each file of a safetensors set has its own metadata: all new files are made and synced before the first is
 * renamed, so that what fails leaves the old set. A process that is killed between two renames leaves whole files, some of them old; the same
 * edit again changes the others.
 *
 * Refuses general.alignment and split.*, which say where the bytes are; without force also the keys that give tensors their meaning, and
 * files that are packed, in an archive, or a stream.
 */
#include "meta.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/map.h"
#include "../formats/format.h"
#include "commit.h"
#include "heft_meta.h"
#include "model.h"

enum { PAGE = 4096, HEAD = 4096, HEAD_PAD = 16 };

/* ---- which keys ---- */

static const struct {
	const char *pattern;
	bool never;
} guarded[] = {
	{ "general.alignment", true },	 { "split.*", true },		     { "general.architecture", false },
	{ "general.quantization_version", false }, { "*.block_count", false },	     { "*.embedding_length*", false },
	{ "*.feed_forward_length*", false }, { "*.attention.head_count*", false }, { "*.attention.key_length*", false },
	{ "*.attention.value_length*", false }, { "*.expert_count", false },    { "*.vocab_size", false },
	{ "*.ssm.*", false },		 { "tokenizer.ggml.model", false },  { "tokenizer.ggml.tokens", false },
	{ "tokenizer.ggml.merges", false }, { "tokenizer.ggml.scores", false }, { "tokenizer.ggml.token_type", false },
};

static int guard_of(const char *key)
{
	for (int i = 0; i < (int)(sizeof guarded / sizeof *guarded); i++)
		if (!fnmatch(guarded[i].pattern, key, 0))
			return i;
	return -1;
}

static int guard(const struct heft_meta_edit *e, const char *key, struct heft_err *err)
{
	int i = guard_of(key);
	char text[256];

	if (i < 0)
		return 0;
	if (guarded[i].never)
		return heft_fail(err, HEFT_E_OPTION, "key '%s' says where the file's bytes are, it is not changed", key);
	if (!e->force)
		return heft_fail(err, HEFT_E_OPTION, "key '%s' says what the tensors mean; --force changes it all the same", key);
	snprintf(text, sizeof text, "key '%.128s' says what the tensors mean, the model may not load any more", key);
	if (e->warn)
		e->warn(e->ctx, text);
	return 0;
}

/* ---- what changes ---- */

struct change { /* of one file */
	const char *path;
	struct format_edit edit;
	uint64_t data_offset; /* as it is now; of a file without tensors its end, where no padding is */
	size_t from, to;      /* of the header: where it differs, in one page; to 0: it does not */
};

struct editing {
	const struct heft_meta_edit *e;
	struct heft_meta_summary *out;
	struct heft_model *model, *from; /* of import */
	struct kv_list set;
	bool *found;            /* of the keys to remove: there was one */
	struct map told;        /* keys that the summary has */
	size_t told_cap;
	struct commit *commit;  /* the new files; NULL: none so far */
	struct heft_err *err;
	/* the file at hand */
	const char *path;
	struct source *src;
	struct format_listing list;
	const struct format *format;
};

static bool wanted(const struct heft_meta_edit *e, const char *key)
{
	for (size_t i = 0; i < e->n_only; i++)
		if (!fnmatch(e->only[i], key, 0))
			return true;
	return !e->n_only && guard_of(key) < 0;
}

static bool is_json(const char *path)
{
	size_t n = strlen(path);

	return n > 5 && !strcmp(path + n - 5, ".json");
}

static int import(struct editing *x)
{
	static const struct heft_open_options as_stored = { .as_stored = true };
	struct kv_list all = { .arena = x->out->arena };

	if (is_json(x->e->import)) {
		if (meta_take_json(&all, x->e->import, x->list.kv, x->list.n_kv, x->err))
			return -1;
	} else {
		if (!x->from && heft_open(&x->from, x->e->import, &as_stored, x->err))
			return -1;
		kv_set_all(&all, x->from->kv, x->from->n_kv);
	}
	for (size_t i = 0; i < all.n; i++)
		if (wanted(x->e, all.v[i].key))
			kv_set(&x->set, all.v[i].key, all.v[i].value);
	return 0;
}

/* To the file's, and to the summary, which has each key of a set once. */
static void add_change(struct editing *x, struct format_edit *f, size_t *cap, const struct heft_meta_change *change)
{
	struct heft_meta_change *list = arena_grow(x->out->arena, (void *)f->change, cap, f->n_changes + 1, sizeof *list);
	bool found;

	list[f->n_changes++] = *change;
	f->change = list;
	map_put(&x->told, change->key, strlen(change->key), &found);
	if (found)
		return;
	list = arena_grow(x->out->arena, (void *)x->out->change, &x->told_cap, x->out->n_changes + 1, sizeof *list);
	list[x->out->n_changes++] = *change;
	x->out->change = list;
}

static bool removes(struct editing *x, const char *key)
{
	bool removed = false;

	for (size_t i = 0; i < x->e->n_remove; i++)
		if (!fnmatch(x->e->remove[i], key, 0))
			removed = x->found[i] = true;
	return removed;
}

static int take_set(struct editing *x)
{
	x->set = (struct kv_list){ .arena = x->out->arena };
	if (x->e->import && import(x))
		return -1;
	for (size_t i = 0; i < x->e->n_set; i++)
		if (meta_take(&x->set, x->e->set[i], x->list.kv, x->list.n_kv, x->err))
			return -1;
	return 0;
}

/* Those of keys that the file has in its order, then the new ones. */
static int find_changes(struct editing *x, struct format_edit *f)
{
	size_t cap = 0;

	if (take_set(x))
		return -1;
	for (size_t i = 0; i < x->list.n_kv; i++) {
		const struct heft_kv *kv = &x->list.kv[i];
		const struct heft_value *after = kv_find(x->set.v, x->set.n, kv->key);

		if (after ? meta_same(&kv->value, after) : !removes(x, kv->key))
			continue;
		if (guard(x->e, kv->key, x->err))
			return -1;
		add_change(x, f, &cap, &(struct heft_meta_change){ kv->key, &kv->value, after });
	}
	for (size_t i = 0; i < x->set.n; i++) {
		const struct heft_kv *kv = &x->set.v[i];

		if (kv_find(x->list.kv, x->list.n_kv, kv->key))
			continue;
		if (guard(x->e, kv->key, x->err))
			return -1;
		add_change(x, f, &cap, &(struct heft_meta_change){ kv->key, NULL, &kv->value });
	}
	return 0;
}

/* ---- one write ---- */

/* It is enough: same length, no other name of the file, and what differs lies in one page. */
static int find_page(struct editing *x, struct change *c)
{
	const uint8_t *now = c->edit.header;
	size_t n = c->edit.header_size;
	uint8_t *old;
	struct stat st;
	int rc;

	if (x->e->output || n != c->data_offset || lstat(c->path, &st) || !S_ISREG(st.st_mode) || st.st_nlink != 1)
		return 0;
	old = xmalloc(n);
	rc = source_read(x->src, 0, old, n, x->err);
	for (c->from = 0; !rc && c->from < n && old[c->from] == now[c->from];)
		c->from++;
	while (!rc && n > c->from && old[n - 1] == now[n - 1])
		n--;
	if (!rc && c->from < n && c->from / PAGE == (n - 1) / PAGE)
		c->to = n;
	free(old);
	return rc;
}

static int write_page(struct editing *x, const struct change *c)
{
	size_t n = c->to - c->from;
	int fd = open(c->path, O_WRONLY | O_CLOEXEC);
	ssize_t done = fd < 0 ? -1 : pwrite(fd, (const char *)c->edit.header + c->from, n, (off_t)c->from);
	int rc = done != (ssize_t)n || fsync(fd) ? heft_fail_errno(x->err, HEFT_E_WRITE, "cannot write '%s'", c->path) : 0;

	if (fd >= 0)
		close(fd);
	x->out->bytes += n;
	return rc;
}

/* ---- a new file ---- */

static int write_new(struct editing *x, const struct change *c, int fd, const struct stat *st)
{
	const struct format_edit *f = &c->edit;
	struct commit_rules rules = { .force = !x->e->output || x->e->force, .input = &c->path, .n_inputs = x->e->output ? 1 : 0 };
	uint64_t rest = (uint64_t)st->st_size - c->data_offset, shared = 0;

	if (commit_begin(&x->commit, x->e->output ? x->e->output : c->path, f->header_size, &rules, x->err) ||
	    commit_mode(x->commit, st->st_mode & 07777, x->err) || commit_append(x->commit, f->header, f->header_size, x->err) ||
	    commit_copy(x->commit, fd, c->data_offset, rest, &shared, x->err))
		return -1;
	x->out->bytes += f->header_size + rest - shared;
	x->out->bytes_shared += shared;
	return 0;
}

static int rewrite(struct editing *x, const struct change *c)
{
	int fd = open(c->path, O_RDONLY | O_CLOEXEC), rc;
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		rc = heft_fail_errno(x->err, HEFT_E_OPEN, "cannot open '%s'", c->path);
	else if ((uint64_t)st.st_size < c->data_offset)
		rc = heft_fail(x->err, HEFT_E_TRUNCATED, "%s: became shorter while it was read", c->path);
	else
		rc = write_new(x, c, fd, &st);
	if (fd >= 0)
		close(fd);
	return rc;
}

/* ---- files ---- */

static int list_file(struct editing *x)
{
	uint8_t head[HEAD + HEAD_PAD] = { 0 };
	struct sink sink = { .err = x->err };
	int64_t n;

	x->list = (struct format_listing){ 0 };
	if (!(x->src = source_open(x->path, x->err)) || (n = source_peek(x->src, head, HEAD, x->err)) < 0)
		return -1;
	x->format = format_probe(head, (size_t)n);
	if (!x->format || !x->format->edit)
		return heft_fail(x->err, HEFT_E_MAGIC, "%s: metadata is changed in GGUF and safetensors files, as they lie on the disk", x->path);
	return x->format->list(&x->list, x->src, x->out->arena, &sink, x->err);
}

/* Says how the file changes and, where it is by a new one, makes that. */
static int prepare_file(struct editing *x, struct change *c)
{
	struct arena *a = x->out->arena;
	int rc;

	x->path = c->path;
	rc = list_file(x) || find_changes(x, &c->edit) ? -1 : 0;
	if (!rc)
		c->data_offset = x->list.data_offset < source_size(x->src) ? x->list.data_offset : source_size(x->src);
	if (!rc && (c->edit.n_changes || x->e->output)) {
		rc = x->format->edit(&c->edit, &x->list, x->src, a, x->err) || find_page(x, c) ? -1 : 0;
		if (x->out->way != HEFT_META_REWRITTEN)
			x->out->way = c->to ? HEFT_META_IN_PLACE : HEFT_META_REWRITTEN;
		if (!rc && !c->to && !x->e->dry_run)
			rc = rewrite(x, c);
	}
	source_close(x->src);
	x->src = NULL;
	return rc;
}

static int check_removed(const struct editing *x)
{
	for (size_t i = 0; i < x->e->n_remove; i++)
		if (!x->found[i])
			return heft_fail(x->err, HEFT_E_PATTERN, "%s: has no key '%s'", x->model->path, x->e->remove[i]);
	return 0;
}

static int put_in_place(struct editing *x, const struct change *c, size_t n)
{
	struct commit *made = x->commit;

	x->commit = NULL;
	if (made && commit_close(made, NULL, x->err))
		return -1;
	for (size_t i = 0; i < n; i++)
		if (c[i].to && write_page(x, &c[i]))
			return -1;
	return 0;
}

/* The first part alone has a GGUF's keys. */
static int edit_files(struct editing *x)
{
	const struct heft_model *m = x->model;
	size_t n = !strcmp(m->format, "gguf") ? 1 : m->n_files;
	struct change *c = arena_array(x->out->arena, n, sizeof *c);
	int rc = 0;

	if (x->e->output && m->n_files > 1)
		return heft_fail(x->err, HEFT_E_OPTION, "%s: one of several files; a new file is made of a model that is one", m->path);
	for (size_t i = 0; i < n && !rc; i++) {
		c[i].path = arena_strdup(x->out->arena, m->file[i].path);
		rc = prepare_file(x, &c[i]);
	}
	x->out->path = c[0].path;
	x->out->n_files = n;
	if (!rc)
		rc = check_removed(x);
	if (!rc && !x->e->dry_run)
		rc = put_in_place(x, c, n);
	commit_abort(x->commit);
	return rc;
}

int heft_meta_edit(const char *path, const struct heft_meta_edit *e, struct heft_meta_summary *out, struct heft_err *err)
{
	static const struct heft_open_options as_stored = { .as_stored = true };
	struct editing x = { .e = e, .out = out, .err = err };
	int rc;

	*out = (struct heft_meta_summary){ .arena = arena_new() };
	if (!strcmp(path, "-"))
		return heft_fail(err, HEFT_E_OPTION, "metadata of a stream cannot be changed; heft convert --override-kv can");
	if (heft_open(&x.model, path, &as_stored, err))
		return -1;
	map_init(&x.told);
	x.found = arena_array(out->arena, e->n_remove, sizeof *x.found);
	rc = x.model->archive ? heft_fail(err, HEFT_E_OPTION, "%s: in an archive; unpack it first", path) : edit_files(&x);
	map_release(&x.told);
	heft_close(x.model);
	out->imported = x.from;
	return rc;
}

void heft_meta_release(struct heft_meta_summary *s)
{
	if (s->arena)
		arena_free(s->arena);
	heft_close(s->imported);
	*s = (struct heft_meta_summary){ 0 };
}
