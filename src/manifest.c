/*
 * manifest.c - the digests of an output: those that its run made, and the others read back from the files; and the comparison of such digests
 * with files as they are now.
 */
#include "manifest.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../base/map.h"
#include "digests.h"
#include "model.h"

static const struct heft_manifest_options defaults;

/* ---- taking ---- */

static void add_file(struct heft_manifest *m, const char *path, size_t folder)
{
	path += folder;
	while (!strncmp(path, "./", 2)) /* of parts that were found beside a file without a folder */
		path += 2;
	for (size_t i = 0; i < m->n_files; i++)
		if (!strcmp(m->file[i].name, path))
			return;
	m->file[m->n_files++].name = arena_strdup(m->arena, path);
}

/* Bytes of a path up to its last slash, that among them. */
static size_t folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? (size_t)(slash - path) + 1 : 0;
}

static bool lies_below(const char *path, const char *folder, size_t n)
{
	return !strncmp(path, folder, n) && path[n] && path[n] != '/';
}

static void list_tensors(struct heft_manifest *m, const struct heft_model *model)
{
	m->tensor = arena_array(m->arena, model->n_tensors + 1, sizeof *m->tensor);
	for (size_t i = 0; i < model->n_tensors; i++) {
		const struct heft_tensor *t = &model->tensor[i];
		struct heft_manifest_tensor *to = &m->tensor[m->n_tensors++];

		*to = (struct heft_manifest_tensor){ .name = arena_strdup(m->arena, t->name), .type = arena_strdup(m->arena, heft_encoding_name(t->enc)),
						   .rank = t->rank };
		memcpy(to->dim, t->dim, sizeof to->dim);
		for (int k = 0; k < t->n_planes; k++)
			to->size += t->plane[k].size;
	}
}

/* What has no digest yet. Files that are not the model's own have sources of their own, which the caller closes: own[]. */
static struct manifest_run *list_runs(struct heft_manifest *m, const struct heft_model *model, struct source *const *own, size_t *n_runs)
{
	struct manifest_run *run = xmalloc((m->n_files + m->n_tensors + 1) * sizeof *run);
	size_t n = 0;

	for (size_t i = 0; i < m->n_files; i++) {
		if (*m->file[i].sha256)
			continue;
		run[n] = (struct manifest_run){ .n_pieces = 1, .name = m->file[i].name, .hex = m->file[i].sha256 };
		run[n].piece[0].from = own[i];
		run[n++].piece[0].size = m->file[i].size;
		m->bytes_read += m->file[i].size;
	}
	for (size_t i = 0; i < m->n_tensors; i++) {
		const struct heft_tensor *t = &model->tensor[i];

		if (*m->tensor[i].sha256)
			continue;
		m->bytes_read += m->tensor[i].size;
		run[n] = (struct manifest_run){ .n_pieces = t->n_planes, .name = t->name, .hex = m->tensor[i].sha256 };
		for (int k = 0; k < t->n_planes; k++) {
			run[n].piece[k].from = t->plane[k].made ? t->plane[k].made : model->file[t->plane[k].file].source;
			run[n].piece[k].offset = t->plane[k].made ? 0 : t->plane[k].offset;
			run[n].piece[k].size = t->plane[k].size;
		}
		n++;
	}
	*n_runs = n;
	return run;
}

static int open_files(struct heft_manifest *m, const char *folder, size_t n_folder, struct source **own, struct heft_err *err)
{
	for (size_t i = 0; i < m->n_files; i++) {
		own[i] = source_open(arena_printf(m->arena, "%.*s%s", (int)n_folder, folder, m->file[i].name), err);
		if (!own[i])
			return -1;
		m->file[i].size = source_size(own[i]);
	}
	return 0;
}

static int hash_all(struct heft_manifest *m, const struct heft_model *model, const char *folder, size_t n_folder, const struct heft_manifest_options *o,
		    struct heft_err *err)
{
	struct source **own = xmalloc((m->n_files + 1) * sizeof *own);
	int rc;

	memset(own, 0, (m->n_files + 1) * sizeof *own);
	rc = open_files(m, folder, n_folder, own, err);
	if (!rc) {
		size_t n;
		struct manifest_run *run = list_runs(m, model, own, &n);

		rc = manifest_hash(run, n, o, err);
		free(run);
	}
	for (size_t i = 0; i < m->n_files; i++)
		source_close(own[i]);
	free(own);
	return rc;
}

static struct heft_manifest *manifest_new(void)
{
	struct arena *a = arena_new();
	struct heft_manifest *m = arena_alloc(a, sizeof *m);

	m->arena = a;
	return m;
}

void heft_manifest_free(struct heft_manifest *m)
{
	if (m)
		arena_free(m->arena);
}

/* What a run has on the way of these files and tensors. */
static void take_made(struct heft_manifest *m, const struct heft_model *model, const struct digests *made, size_t output)
{
	for (size_t i = 0; i < m->n_files; i++) {
		const char *hex = strchr(m->file[i].name, '/') ? NULL : digests_file(made, output, m->file[i].name);

		if (hex)
			memcpy(m->file[i].sha256, hex, sizeof m->file[i].sha256);
	}
	for (size_t i = 0; i < m->n_tensors; i++) {
		const struct heft_extent *x = &model->tensor[i].plane[0];
		const char *path = x->made ? "" : model->file[x->file].path, *hex;

		hex = x->made || model->tensor[i].n_planes != 1 ? NULL : digests_tensor(made, output, path + folder_of(path), x->offset, x->size);
		if (hex)
			memcpy(m->tensor[i].sha256, hex, sizeof m->tensor[i].sha256);
	}
}

static int take(struct heft_manifest **out, const char *path, const char *const *beside, size_t n_beside, const struct heft_plan *made, size_t output,
		const struct heft_manifest_options *o, struct heft_err *err)
{
	struct heft_open_options open = { .as_stored = true };
	struct heft_manifest *m;
	struct heft_model *model;
	size_t folder = folder_of(path);
	int rc;

	if (heft_open(&model, path, &open, err))
		return -1;
	m = manifest_new();
	m->file = arena_array(m->arena, model->n_files + n_beside + 1, sizeof *m->file);
	for (size_t i = 0; i < model->n_files; i++)
		if (lies_below(model->file[i].path, path, folder))
			add_file(m, model->file[i].path, folder);
	for (size_t i = 0; i < n_beside; i++)
		if (lies_below(beside[i], path, folder))
			add_file(m, beside[i], folder);
	list_tensors(m, model);
	if (made)
		take_made(m, model, made->digests, output);
	rc = hash_all(m, model, path, folder, o ? o : &defaults, err);
	heft_close(model);
	if (rc)
		heft_manifest_free(m);
	*out = rc ? NULL : m;
	return rc;
}

int heft_manifest_take(struct heft_manifest **out, const char *path, const char *const *beside, size_t n_beside,
		       const struct heft_manifest_options *o, struct heft_err *err)
{
	return take(out, path, beside, n_beside, NULL, 0, o, err);
}

int heft_manifest_made(struct heft_manifest **out, const struct heft_plan *p, size_t output, const struct heft_manifest_options *o, struct heft_err *err)
{
	const struct heft_output *of = &p->output[output].pub;

	return take(out, of->path, of->beside, of->n_beside, p, output, o, err);
}

/* ---- checking ---- */

struct checking {
	const struct heft_manifest *said;
	const char *path;          /* of the manifest */
	const char *folder;        /* where its files are looked for, with a slash at its end; "": here */
	bool elsewhere;            /* a model was named: its files may be laid out otherwise */
	const struct heft_manifest_options *options;
	struct arena *arena;
	struct sink sink;
};

static int compare_file(struct checking *c, const struct heft_manifest_file *said, const struct heft_manifest_file *now)
{
	const char *path = arena_printf(c->arena, "%s%s", c->folder, said->name);

	if (now->size != said->size)
		return sink_tellf(&c->sink, HEFT_E_CHECKSUM, path, NULL, NULL, "has %llu bytes, the manifest says %llu", (unsigned long long)now->size,
				  (unsigned long long)said->size);
	if (strcmp(now->sha256, said->sha256) != 0)
		return sink_tellf(&c->sink, HEFT_E_CHECKSUM, path, NULL, NULL, "its sha256 is %s, the manifest says %s", now->sha256, said->sha256);
	return 0;
}

static int tell_missing(struct checking *c, const struct heft_manifest_file *said)
{
	struct heft_problem p = { .code = HEFT_E_OPEN, .warning = c->elsewhere, .file = arena_printf(c->arena, "%s%s", c->folder, said->name),
				  .text = c->elsewhere ? "is not there: of such a file the manifest proves only the tensors" : "the file is missing" };

	return sink_tell(&c->sink, &p);
}

/* The files of the manifest that are there, as they are now. */
static int check_files(struct checking *c, struct heft_err *err)
{
	struct heft_manifest now = { .arena = c->arena };
	const struct heft_manifest_file **said = arena_array(c->arena, c->said->n_files + 1, sizeof *said);
	int rc;

	now.file = arena_array(c->arena, c->said->n_files + 1, sizeof *now.file);
	for (size_t i = 0; i < c->said->n_files; i++) {
		struct stat st;

		if (!stat(arena_printf(c->arena, "%s%s", c->folder, c->said->file[i].name), &st) && S_ISREG(st.st_mode)) {
			said[now.n_files] = &c->said->file[i];
			now.file[now.n_files++].name = c->said->file[i].name;
		} else if (tell_missing(c, &c->said->file[i])) {
			return -1;
		}
	}
	rc = hash_all(&now, NULL, c->folder, strlen(c->folder), c->options, err);
	for (size_t i = 0; !rc && i < now.n_files; i++)
		rc = compare_file(c, said[i], &now.file[i]);
	return rc;
}

static int compare_tensor(struct checking *c, const char *file, const struct heft_manifest_tensor *said, const struct heft_manifest_tensor *now)
{
	if (!now)
		return sink_tellf(&c->sink, HEFT_E_CHECKSUM, file, said->name, NULL, "is missing, the manifest has it as %s", said->type);
	if (strcmp(said->type, now->type) != 0)
		return sink_tellf(&c->sink, HEFT_E_CHECKSUM, file, said->name, NULL, "is %s, the manifest says %s", now->type, said->type);
	if (said->rank != now->rank || memcmp(said->dim, now->dim, (size_t)now->rank * sizeof *now->dim) != 0 || said->size != now->size)
		return sink_tellf(&c->sink, HEFT_E_CHECKSUM, file, said->name, NULL, "has another shape or size than the manifest says");
	if (strcmp(said->sha256, now->sha256) != 0)
		return sink_tellf(&c->sink, HEFT_E_CHECKSUM, file, said->name, NULL, "its bytes are others: sha256 %s, the manifest says %s", now->sha256,
				  said->sha256);
	return 0;
}

static int compare_tensors(struct checking *c, const char *file, const struct heft_manifest *now)
{
	const struct heft_manifest *said = c->said;
	bool *known = arena_array(c->arena, now->n_tensors + 1, sizeof *known), found;
	struct map by_name;
	int rc = 0;

	map_init(&by_name);
	for (size_t i = 0; i < now->n_tensors; i++)
		map_put(&by_name, now->tensor[i].name, strlen(now->tensor[i].name), &found)->value.i = (int64_t)i;
	for (size_t i = 0; !rc && i < said->n_tensors; i++) {
		const struct map_slot *slot = map_find(&by_name, said->tensor[i].name, strlen(said->tensor[i].name));

		if (slot)
			known[slot->value.i] = true;
		rc = compare_tensor(c, file, &said->tensor[i], slot ? &now->tensor[slot->value.i] : NULL);
	}
	for (size_t i = 0; !rc && i < now->n_tensors; i++)
		if (!known[i])
			rc = sink_tellf(&c->sink, HEFT_E_CHECKSUM, file, now->tensor[i].name, NULL, "is not in the manifest");
	map_release(&by_name);
	return rc;
}

static int check_tensors(struct checking *c, const char *path, struct heft_err *err)
{
	struct heft_open_options open = { .as_stored = true };
	struct heft_manifest now = { .arena = c->arena };
	struct heft_model *model;
	struct heft_err why = { 0 };
	int rc;

	if (heft_open(&model, path, &open, &why))
		return model_tell_error(&c->sink, &why, path);
	list_tensors(&now, model);
	rc = hash_all(&now, model, "", 0, c->options, err);
	if (!rc)
		rc = compare_tensors(c, path, &now);
	heft_close(model);
	return rc;
}

/* The folder of a model that was named, or of the manifest. */
static const char *look_in(struct checking *c, const char *model)
{
	struct stat st;
	const char *of = model ? model : c->path;

	if (model && !stat(model, &st) && S_ISDIR(st.st_mode))
		return arena_printf(c->arena, "%s/", model);
	return arena_printf(c->arena, "%.*s", (int)folder_of(of), of);
}

/* The first of its files that is a model's; NULL: it has no tensors to look for. */
static const char *weights_of(struct checking *c)
{
	static const char *const endings[] = { ".gguf", ".safetensors" };

	for (size_t i = 0; i < c->said->n_files; i++)
		for (size_t k = 0; k < sizeof endings / sizeof *endings; k++) {
			const char *name = c->said->file[i].name;
			size_t n = strlen(name), e = strlen(endings[k]);
			if (n > e && !strcmp(name + n - e, endings[k]))
				return arena_printf(c->arena, "%s%s", c->folder, name);
		}
	for (size_t i = 0; i < c->said->n_files; i++) {
		const char *name = c->said->file[i].name, *in = strstr(name, ".mlpackage/");
		if (in)
			return arena_printf(c->arena, "%s%.*s", c->folder, (int)(in - name) + 10, name);
	}
	return c->said->n_files ? arena_printf(c->arena, "%s%s", c->folder, c->said->file[0].name) : NULL;
}

int heft_manifest_read(struct heft_manifest **out, const char *path, struct heft_err *err)
{
	enum { LIMIT = 1 << 30 };
	struct source *s = source_open(path, err);
	uint64_t n = s ? source_size(s) : 0;
	char *text;
	int rc = -1;

	*out = NULL;
	if (!s)
		return -1;
	if (n > LIMIT) {
		heft_fail(err, HEFT_E_JSON, "'%s' is larger than any manifest", path);
	} else {
		text = xmalloc((size_t)n + 1);
		rc = source_read(s, 0, text, (size_t)n, err) || heft_manifest_parse(out, text, (size_t)n, path, err) ? -1 : 0;
		free(text);
	}
	source_close(s);
	return rc;
}

int heft_manifest_check(const char *manifest, const char *model, const struct heft_manifest_options *o, heft_problem_fn *problem, void *ctx,
			size_t *n_errors, struct heft_err *err)
{
	struct heft_manifest *said;
	struct checking c = { .path = manifest, .elsewhere = model, .options = o ? o : &defaults, .sink = { .fn = problem, .ctx = ctx } };
	int rc;

	if (heft_manifest_read(&said, manifest, err))
		return -1;
	c.said = said;
	c.arena = said->arena;
	c.folder = look_in(&c, model);
	rc = check_files(&c, err);
	if (!rc && (model || weights_of(&c)))
		rc = check_tensors(&c, model ? model : weights_of(&c), err);
	if (n_errors)
		*n_errors = c.sink.errors;
	heft_manifest_free(said);
	return rc;
}
