/*
 * manifest.c owns the file that --manifest writes beside an output: its digests, and what it was made of and how. It tells no folder and no time.
 */
#include "manifest.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "page.h"

/* Where parts are numbered, what stands before "-00001-of-00003". */
static size_t stem(const char *path, const struct heft_output *o)
{
	size_t n = strlen(path);
	const char *of = o->n_parts > 1 ? strstr(page_base(path), "-00001-of-") : NULL;

	return of ? (size_t)(of - path) : n;
}

/* The caller's to free. */
static char *manifest_path(const struct heft_output *o)
{
	const char *dot = strrchr(page_base(o->path), '.');
	char *path;
	int rc;

	if (o->directory)
		rc = asprintf(&path, "%s%sheft-manifest.json", o->directory, o->directory[strlen(o->directory) - 1] == '/' ? "" : "/");
	else if (stem(o->path, o) < strlen(o->path))
		rc = asprintf(&path, "%.*s%s.manifest.json", (int)stem(o->path, o), o->path, dot ? dot : "");
	else
		rc = asprintf(&path, "%s.manifest.json", o->path);
	return need(rc < 0 ? NULL : path);
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

static void emit_making(struct emitter *w, const struct report_of *r, const struct heft_output *o)
{
	emit_text(w, "command", r->tool ? r->tool->name : said_name());
	emit_text(w, "target", r->to ? r->to : "gguf");
	emit_text(w, "recipe", o->type);
	emit_open(w, "options", '[');
	if (r->tool)
		opt_given(r->tool, r->options, option, w);
	emit_close(w, ']');
	emit_source(w, r->model);
	emit_real(w, "bits_per_weight", o->bits_per_weight);
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

static int write_one(const struct report_of *r, size_t i, const struct heft_manifest_options *how, struct heft_err *err)
{
	const struct heft_output *o = heft_plan_output(r->plan, i);
	char *path = manifest_path(o);
	struct heft_manifest *m = NULL;
	struct side_file file;
	struct emitter w;
	int rc = heft_manifest_made(&m, r->plan, i, how, err);

	if (!rc)
		rc = side_open(&file, path, err);
	if (!rc) {
		emit_report_to(&w, file.f, "manifest");
		emit_making(&w, r, o);
		emit_text(&w, "digests", "SHA-256: of each file's bytes, and of each tensor's bytes as its file stores them, without padding");
		emit_files(&w, m);
		emit_tensors(&w, m);
		emit_report_end(&w);
		rc = side_close(&file, err);
	}
	heft_manifest_free(m);
	free(path);
	return rc;
}

int manifest_write(const struct report_of *r, const struct heft_manifest_options *how, struct heft_err *err)
{
	for (size_t i = 0; i < heft_plan_outputs(r->plan); i++)
		if (write_one(r, i, how, err))
			return -1;
	return 0;
}
