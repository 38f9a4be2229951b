/*
 * coreml.c owns `heft convert --to coreml`: a package of Core ML whose constants are written anew, the plan before and the summary after.
 */
#include "coreml.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "heft_coreml.h"
#include "page.h"
#include "report_coreml.h"

/* Of all that convert takes; the rest is for models with a family, or for files of one piece. */
static int check(const struct writer *w, const struct heft_job *job)
{
	const struct {
		bool given;
		const char *name;
	} rows[] = {
		{ job->split_size || job->split_tensors, "--split-size and --split-tensors" }, { job->consume, "--consume" },
		{ w->imatrix, "--imatrix" }, { w->prune_layers, "--prune-layers" },
		{ w->override_kv.n > 0, "--override-kv" }, { w->via, "--via" }, { w->effort, "--effort" }, { w->pure, "--pure" },
		{ w->output_tensor_type || w->token_embedding_type, "--output-tensor-type and --token-embedding-type" },
		{ job->mmproj || job->mtp || job->no_mtp || job->vocab_only, "a choice of parts of a model" }, { job->big_endian, "--bigendian" },
		{ w->histogram, "--histogram" }, { job->machine, "--for" }, { w->arch && strcmp(w->arch, "none"), "--arch" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].given)
			return misuse("%s does not go with --to coreml", rows[i].name);
	if (job->n_outputs != 1 || !job->output[0].path || !job->output[0].type)
		return misuse("--to coreml takes one type and one folder, as in -t int8 -o OUT.mlpackage");
	return -1;
}

/* Errors of all constants that changed. */
static struct heft_error total(const struct heft_coreml_plan *p)
{
	struct heft_error e = { 0 };

	for (size_t i = 0; i < p->n_items; i++)
		if (p->item[i].to)
			heft_error_add(&e, &p->item[i].error);
	return e;
}

static void print_items(const struct heft_coreml_plan *p, bool written, FILE *f)
{
	static const char *const head[] = { "constant", "from", "to", "bytes", "why", "relative error", "SQNR" };
	struct table t;

	table_init(&t, written ? "lllrlrr" : "lllrl", head);
	for (size_t i = 0; i < p->n_items; i++) {
		const struct heft_coreml_item *it = &p->item[i];

		table_add(&t, "%s", it->name);
		table_add(&t, "%s", heft_encoding_name(it->from));
		table_add(&t, "%s", it->to ? it->to : heft_encoding_name(it->from));
		table_add(&t, "%" PRIu64, it->size_out);
		table_add(&t, "%s", it->why);
		if (written) {
			table_add(&t, "%s", it->to ? show_relative(&it->error).s : "");
			table_add(&t, "%s", it->to ? show_sqnr(&it->error).s : "");
		}
	}
	table_print(&t, f, 2);
}

static void print_plan(const struct heft_coreml_plan *p, bool written, FILE *f)
{
	struct heft_error e = total(p);

	fputs(style(f, BOLD), f);
	safe_puts(f, p->path);
	fprintf(f, "%s: %s (%" PRIu64 " bytes), %.1f%% of the source, %zu of %zu constants as %s\n", style(f, PLAIN), human_bytes(p->size_out).s,
		p->size_out, p->size_in ? 100 * (double)p->size_out / (double)p->size_in : 0, p->n_changed, p->n_items, p->type);
	print_items(p, written, f);
	if (written && p->n_changed)
		fprintf(f, "all of them: relative error %s, SQNR %s\n", show_relative(&e).s, show_sqnr(&e).s);
	if (!written)
		fputs("nothing was written\n", f);
}

static void print_json(const struct heft_coreml_plan *p, const char *source, bool written, FILE *f)
{
	struct emitter w;

	emit_report_to(&w, f, "convert");
	emit_text(&w, "source", source);
	emit_text(&w, "path", p->path);
	emit_text(&w, "type", p->type);
	emit_number(&w, "size_in", p->size_in);
	emit_number(&w, "size", p->size_out);
	emit_open(&w, "constants", '[');
	for (size_t i = 0; i < p->n_items; i++) {
		const struct heft_coreml_item *it = &p->item[i];

		emit_open(&w, NULL, '{');
		emit_text(&w, "name", it->name);
		emit_text(&w, "from", heft_encoding_name(it->from));
		emit_text(&w, "type", it->to ? it->to : heft_encoding_name(it->from));
		emit_number(&w, "size_in", it->size_in);
		emit_number(&w, "size", it->size_out);
		emit_text(&w, "why", it->why);
		if (written && it->to)
			emit_error(&w, "error", &it->error);
		emit_close(&w, '}');
	}
	emit_close(&w, ']');
	emit_report_end(&w);
}

/* ---- the run ---- */

/* Beside the package, as nothing that Core ML does not know may lie in it. */
static int write_manifest(struct report_coreml *r, const struct heft_run_options *run, const struct writer *w, struct heft_manifest **out, struct heft_err *err)
{
	struct heft_manifest_options how = { .threads = (int)w->threads, .progress = run->progress, .ctx = run->ctx, .stop = run->stop };
	struct manifest_making making = { .tool = w->tool, .options = w->options, .source = r->source, .to = "coreml", .recipe = r->plan->type, .bits = NAN };
	char *at = manifest_path(r->plan->path, NULL);
	int rc = heft_manifest_take(out, r->plan->path, r->plan->beside, r->plan->n_beside, &how, err) || manifest_save(at, &making, *out, err) ? -1 : 0;

	if (!rc && !w->quiet && !w->json)
		manifest_say(at, *out);
	free(at);
	r->manifest = rc ? NULL : *out;
	return rc;
}

static void print_report(const struct writer *w, const struct report_coreml *r, FILE *f)
{
	if (page_wanted(w->report))
		report_coreml_html(r, f);
	else
		print_json(r->plan, r->source->path, true, f);
}

static void print_written(const struct writer *w, const struct report_coreml *r)
{
	if (w->json) {
		print_json(r->plan, r->source->path, true, stdout);
	} else if (!w->quiet) {
		print_plan(r->plan, true, stderr);
		if (isatty(STDERR_FILENO) || page_wanted(w->report))
			draw_survey(&r->survey, stderr);
	}
}

static int write_package(const struct writer *w, struct heft_coreml_plan *p, struct report_coreml *r)
{
	struct progress progress;
	struct heft_run_options run = { .progress = progress_step, .ctx = &progress, .stop = stop_on_signals() };
	struct heft_manifest *manifest = NULL;
	struct side_file report = { 0 };
	struct heft_err err = { 0 };
	int rc;

	if (w->report && side_open(&report, w->report, &err))
		return fail(&err);
	progress_begin(&progress, w->progress, w->quiet);
	if (progress.mode == PROGRESS_NONE)
		run.progress = NULL;
	rc = heft_coreml_write(p, &run, &err);
	if (!rc)
		rc = report_coreml_take(r, &err);
	if (!rc && w->manifest)
		rc = write_manifest(r, &run, w, &manifest, &err);
	progress_end(&progress);
	if (!rc && w->report) {
		print_report(w, r, report.f);
		rc = side_close(&report, &err);
	}
	side_abandon(&report);
	if (!rc)
		print_written(w, r);
	report_coreml_release(r);
	heft_manifest_free(manifest);
	return rc ? fail(&err) : EXIT_DONE;
}

static int dry_run(const struct writer *w, struct heft_coreml_plan *p, const char *source)
{
	struct heft_err err = { 0 };

	if (heft_coreml_plan_check(p, &err))
		return fail(&err);
	if (w->json)
		print_json(p, source, false, stdout);
	else
		print_plan(p, false, stdout);
	return EXIT_DONE;
}

int coreml_convert(const struct writer *w, struct heft_model *m, const struct heft_job *job)
{
	struct report_coreml r = { .source = m, .tool = w->tool, .options = w->options };
	struct heft_coreml_plan *p;
	struct heft_err err = { 0 };
	int status = check(w, job);

	if (status >= 0)
		return status;
	if (heft_coreml_plan_new(&p, m, job, &err))
		return fail(&err);
	r.plan = p;
	status = w->dry_run ? dry_run(w, p, m->path) : write_package(w, p, &r);
	heft_coreml_plan_free(p);
	return status;
}
