/*
 * manifest.c owns the file that --manifest writes beside an output: its digests, and what it was made of and how. It tells no folder and no time.
 */
#include "manifest.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "page.h"

/* Bytes of a path before "-00001-of-00003", where parts are numbered, or all of it; *end: what follows the number. */
static size_t stem(const char *path, const char **end)
{
	const char *base = page_base(path), *of = strstr(base, "-of-");

	*end = "";
	if (!of || of - base < 6 || of[-6] != '-' || strspn(of - 5, "0123456789") != 5 || strspn(of + 4, "0123456789") != 5)
		return strlen(path);
	*end = of + 9;
	return (size_t)(of - 6 - path);
}

char *manifest_path(const char *path, const char *directory)
{
	const char *end;
	size_t n = stem(path, &end);
	char *s;
	int rc;

	if (directory)
		rc = asprintf(&s, "%s%sheft-manifest.json", directory, directory[strlen(directory) - 1] == '/' ? "" : "/");
	else
		rc = asprintf(&s, "%.*s%s.manifest.json", (int)n, path, end);
	return need(rc < 0 ? NULL : s);
}

/* ---- how it was made ---- */

static void option(void *ctx, const char *name, const char *value)
{
	struct emitter *w = ctx;

	emit_open(w, NULL, '{');
	emit_text(w, "name", name);
	emit_text(w, "value", value);
	emit_close(w, '}');
}

static void emit_source(struct emitter *w, const struct heft_model *m)
{
	emit_open(w, "source", '{');
	emit_text(w, "name", m->name);
	emit_text(w, "format", m->format);
	emit_open(w, "files", '[');
	for (size_t i = 0; i < m->n_files; i++) {
		emit_open(w, NULL, '{');
		emit_text(w, "name", page_base(m->file[i].path));
		if (m->file[i].size != UINT64_MAX)
			emit_number(w, "size", m->file[i].size);
		emit_close(w, '}');
	}
	emit_close(w, ']');
	emit_close(w, '}');
}

static void emit_making(struct emitter *w, const struct manifest_making *h)
{
	emit_text(w, "command", h->tool ? h->tool->name : said_name());
	if (h->to)
		emit_text(w, "target", h->to);
	if (h->recipe)
		emit_text(w, "recipe", h->recipe);
	emit_open(w, "options", '[');
	if (h->tool)
		opt_given(h->tool, h->options, option, w);
	emit_close(w, ']');
	if (h->edits) {
		emit_open(w, "edits", '[');
		for (size_t i = 0; i < h->edits->n; i++)
			emit_text(w, NULL, h->edits->v[i]);
		emit_close(w, ']');
	}
	emit_source(w, h->source);
	if (!isnan(h->bits))
		emit_real(w, "bits_per_weight", h->bits);
}

/* ---- what it is ---- */

static void emit_files(struct emitter *w, const struct heft_manifest *m)
{
	emit_open(w, "files", '[');
	for (size_t i = 0; i < m->n_files; i++) {
		emit_open(w, NULL, '{');
		emit_text(w, "name", m->file[i].name);
		emit_number(w, "size", m->file[i].size);
		emit_text(w, "sha256", m->file[i].sha256);
		emit_close(w, '}');
	}
	emit_close(w, ']');
}

static void emit_tensors(struct emitter *w, const struct heft_manifest *m)
{
	emit_open(w, "tensors", '[');
	for (size_t i = 0; i < m->n_tensors; i++) {
		const struct heft_manifest_tensor *t = &m->tensor[i];

		emit_open(w, NULL, '{');
		emit_text(w, "name", t->name);
		emit_text(w, "type", t->type);
		emit_dims(w, "shape", t->dim, t->rank);
		emit_number(w, "size", t->size);
		emit_text(w, "sha256", t->sha256);
		emit_close(w, '}');
	}
	emit_close(w, ']');
}

/* Is there a manifest that speaks of a file of this name? */
static bool speaks_of(const char *at, const char *name)
{
	struct heft_manifest *m;
	struct heft_err none;
	bool found = false;

	if (access(at, F_OK) || heft_manifest_read(&m, at, &none))
		return false;
	for (size_t i = 0; i < m->n_files && !found; i++)
		found = !strcmp(m->file[i].name, name);
	heft_manifest_free(m);
	return found;
}

char *manifest_at(const char *path)
{
	const char *base = page_base(path);
	char *folder = need(strndup(path, (size_t)(base - path))), *at;

	at = manifest_path(path, *folder ? folder : ".");
	if (!speaks_of(at, base)) {
		free(at);
		at = manifest_path(path, NULL);
	}
	free(folder);
	return at;
}

int manifest_save(const char *path, const struct manifest_making *how, const struct heft_manifest *m, struct heft_err *err)
{
	struct side_file file = { 0 };
	struct emitter w;

	if (side_open(&file, path, err))
		return -1;
	emit_report_to(&w, file.f, "manifest");
	emit_making(&w, how);
	emit_text(&w, "digests", "SHA-256: of each file's bytes, and of each tensor's bytes as its file stores them, without padding");
	emit_files(&w, m);
	emit_tensors(&w, m);
	emit_report_end(&w);
	return side_close(&file, err);
}

void manifest_say(const char *path, const struct heft_manifest *m)
{
	safe_puts(stderr, path);
	fprintf(stderr, ": SHA-256 of %zu tensor%s in %zu file%s, ", m->n_tensors, m->n_tensors == 1 ? "" : "s", m->n_files, m->n_files == 1 ? "" : "s");
	if (m->bytes_read)
		fprintf(stderr, "%s read again for them\n", human_bytes(m->bytes_read).s);
	else
		fputs("nothing read again for them\n", stderr);
}

/* ---- outputs of a plan ---- */

static int write_one(struct report_of *r, size_t i, bool quiet, const struct heft_manifest_options *how, struct heft_err *err)
{
	const struct heft_output *o = heft_plan_output(r->plan, i);
	struct manifest_making making = { .tool = r->tool, .options = r->options, .source = r->model, .to = r->to ? r->to : "gguf", .recipe = o->type,
					  .bits = o->bits_per_weight };
	char *path = manifest_path(o->path, o->directory);
	int rc = heft_manifest_made(&r->manifest[i], r->plan, i, how, err);

	if (!rc)
		rc = manifest_save(path, &making, r->manifest[i], err);
	if (!rc && !quiet)
		manifest_say(path, r->manifest[i]);
	free(path);
	return rc;
}

int manifest_write(struct report_of *r, bool quiet, const struct heft_manifest_options *how, struct heft_err *err)
{
	r->manifest = need(calloc(heft_plan_outputs(r->plan) + 1, sizeof *r->manifest));
	for (size_t i = 0; i < heft_plan_outputs(r->plan); i++)
		if (write_one(r, i, quiet, how, err))
			return -1;
	return 0;
}

void manifest_release(struct report_of *r)
{
	for (size_t i = 0; r->manifest && i < heft_plan_outputs(r->plan); i++)
		heft_manifest_free(r->manifest[i]);
	free(r->manifest);
	r->manifest = NULL;
}

/* ---- models without a plan ---- */

/* Paths of what the manifest that is there speaks of, where it is there still; NULL-terminated. */
static char **paths_of_old(const char *at)
{
	struct heft_manifest *old = NULL;
	size_t folder = (size_t)(page_base(at) - at), n = 0;
	struct heft_err none;
	char **path;

	if (access(at, F_OK) || heft_manifest_read(&old, at, &none))
		old = NULL; /* none, or a broken one */
	path = need(calloc((old ? old->n_files : 0) + 1, sizeof *path));
	for (size_t i = 0; old && i < old->n_files; i++) {
		if (asprintf(&path[n], "%.*s%s", (int)folder, at, old->file[i].name) < 0)
			need(NULL);
		if (!access(path[n], F_OK))
			n++;
		else
			free(path[n]);
	}
	path[n] = NULL;
	heft_manifest_free(old);
	return path;
}

int manifest_of_edit(const char *path, const struct manifest_making *how, const struct heft_manifest_options *o, bool quiet, struct heft_err *err)
{
	char *at = manifest_at(path), **beside = paths_of_old(at);
	struct heft_manifest *m = NULL;
	size_t n = 0;
	int rc;

	while (beside[n])
		n++;
	rc = heft_manifest_take(&m, path, (const char *const *)beside, n, o, err) || manifest_save(at, how, m, err) ? -1 : 0;
	if (!rc && !quiet)
		manifest_say(at, m);
	heft_manifest_free(m);
	while (n)
		free(beside[--n]);
	free(beside);
	free(at);
	return rc;
}
