/*
 * writer.c owns the way of the tools that write a model: options to a job, plan, run, report. What the reports look like is report.c's.
 */
#include "writer.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "coreml.h"
#include "heft_recipe.h"
#include "page.h"
#include "report.h"

enum { MAX_LAYERS = 4096 };

/* ---- options ---- */

/* TARGET:GROUP; the library says which groups there are. */
static bool is_grouped(const char *type)
{
	const char *colon = strchr(type, ':');
	char target[64];

	if (!colon || (size_t)(colon - type) >= sizeof target)
		return false;
	memcpy(target, type, (size_t)(colon - type));
	target[colon - type] = 0;
	return word_known("target", target) || word_known("mlx-type", target) || word_known("coreml-type", target);
}

static int check_rules(const struct writer *w)
{
	for (size_t i = 0; i < w->tensor_type.n; i++) {
		const char *rule = w->tensor_type.v[i], *equals = strrchr(rule, '=');
		struct word near;
		if (!equals || equals == rule || !equals[1])
			return misuse("'%s' is not PATTERN=TYPE for --tensor-type", rule);
		if (word_known("encoding", equals + 1) || word_known("target", equals + 1) || word_known("mlx-type", equals + 1) ||
		    word_known("coreml-type", equals + 1) || is_grouped(equals + 1))
			continue;
		if (word_nearest("encoding", equals + 1, &near))
			return misuse("--tensor-type does not know '%s', did you mean '%s'?", equals + 1, near.s);
		return misuse("--tensor-type does not know '%s', 'heft types' lists the types", equals + 1);
	}
	return -1;
}

/* Numbers apart by commas, into layer[] of MAX_LAYERS where that is given; false where s is something else. */
static bool layers(const char *s, uint32_t *layer, size_t *n)
{
	for (*n = 0; *n < MAX_LAYERS; s++) {
		char *end;
		unsigned long l = strtoul(s, &end, 10);

		if (*s < '0' || *s > '9' || l > 1000000 || (*end && *end != ','))
			return false;
		layer[(*n)++] = (uint32_t)l;
		s = end;
		if (!*s)
			return true;
	}
	return false;
}

int writer_check(const struct writer *w)
{
	uint32_t layer[MAX_LAYERS];
	size_t n;

	if (w->prune_layers && !layers(w->prune_layers, layer, &n))
		return misuse("'%s' is not a list of layers for --prune-layers, write it like 20,21", w->prune_layers);
	if (w->include_weights.n && w->exclude_weights.n)
		return misuse("--include-weights and --exclude-weights do not go together");
	if ((w->include_weights.n || w->exclude_weights.n) && !w->imatrix)
		return misuse("--include-weights and --exclude-weights go with --imatrix");
	if (w->recipe && w->pure)
		return misuse("--pure and --recipe do not go together");
	if (w->threads > 1024)
		return misuse("--threads takes 1 to 1024");
	return check_rules(w);
}

static void fill_job(const struct writer *w, struct heft_job *job)
{
	job->via = w->via;
	job->tensor_type = w->tensor_type.v;
	job->n_tensor_types = w->tensor_type.n;
	job->arch = w->arch;
	job->pre = w->pre;
	job->metadata_file = w->metadata;
	job->model_name = w->model_name;
	job->spool = w->spool;
	job->threads = (int)w->threads;
	job->strict = w->strict;
	job->digests = w->manifest;
	job->allow_requantize = w->allow_requantize;
	job->imatrix = w->imatrix;
	job->include_weights = w->include_weights.v;
	job->n_include_weights = w->include_weights.n;
	job->exclude_weights = w->exclude_weights.v;
	job->n_exclude_weights = w->exclude_weights.n;
	job->output_tensor_type = w->output_tensor_type;
	job->token_embedding_type = w->token_embedding_type;
	job->override_kv = w->override_kv.v;
	job->n_override_kv = w->override_kv.n;
	job->pure = w->pure;
	job->leave_output_tensor = w->leave_output_tensor;
	job->keep_split = w->keep_split;
	job->effort = w->effort && !strcasecmp(w->effort, "high") ? HEFT_EFFORT_HIGH : HEFT_EFFORT_REFERENCE;
}

/* ---- the run ---- */

static void write_report(const struct writer *w, const struct report_of *r, const struct heft_summary *sum, FILE *f)
{
	if (page_wanted(w->report))
		report_html(r, sum, f);
	else
		report_json(r->plan, sum, r->model->path, r->solved, f);
}

static int write_manifests(const struct writer *w, struct report_of *r, const struct heft_run_options *run, struct heft_err *err)
{
	struct heft_manifest_options how = { .threads = (int)w->threads, .progress = run->progress, .ctx = run->ctx, .stop = run->stop };

	return manifest_write(r, w->quiet || w->json, &how, err);
}

/* Digests are of what can be read again. */
static int check_manifest(const struct writer *w, const struct heft_job *job)
{
	for (size_t i = 0; w->manifest && i < job->n_outputs; i++)
		if (job->output[i].path && !strcmp(job->output[i].path, "-"))
			return misuse("--manifest is written beside a file, not standard output");
	return -1;
}

static int execute(const struct writer *w, struct heft_plan *plan, struct report_of *r)
{
	struct heft_err err = { 0 };
	struct heft_summary sum = { 0 };
	struct progress p;
	struct heft_run_options run = { .progress = progress_step, .ctx = &p, .stop = stop_on_signals() };
	struct side_file report = { 0 };
	int rc;

	run.details = w->report || w->histogram;
	if (w->report && side_open(&report, w->report, &err))
		return fail(&err);
	signal(SIGPIPE, SIG_IGN); /* a reader that goes away is a failed write, so that other outputs are cleaned up */
	progress_begin(&p, w->progress, w->quiet);
	if (p.mode == PROGRESS_NONE)
		run.progress = NULL;
	rc = heft_run(plan, &run, &sum, &err);
	if (!rc && w->manifest)
		rc = write_manifests(w, r, &run, &err);
	progress_end(&p);
	if (!rc && w->report) {
		write_report(w, r, &sum, report.f);
		rc = side_close(&report, &err);
	}
	side_abandon(&report);
	manifest_release(r);
	if (rc)
		return fail(&err);
	if (w->json)
		report_json(plan, &sum, r->model->path, r->solved, stdout);
	else if (!w->quiet) {
		report_summary(plan, &sum, isatty(STDERR_FILENO) || page_wanted(w->report), stderr);
		report_importance(plan, false, stderr);
	}
	if (w->histogram && !w->json)
		report_histograms(plan, &sum, stderr);
	return EXIT_DONE;
}

/* The recipe of the only output, into a file that stands there as soon as the plan does. */
static int save_recipe(const struct writer *w, const struct heft_plan *plan)
{
	struct heft_err err = { 0 };
	struct side_file side = { 0 };
	char *text = heft_plan_recipe(plan, 0, &err);
	int rc = text ? side_open(&side, w->save_recipe, &err) : -1;

	if (!rc) {
		fputs(text, side.f);
		rc = side_close(&side, &err);
	}
	free(text);
	return rc ? fail(&err) : EXIT_DONE;
}

static int write_plan(const struct writer *w, struct heft_plan *plan, struct report_of *r)
{
	int status = w->save_recipe ? save_recipe(w, plan) : EXIT_DONE;

	if (status)
		return status;
	if (!w->json && (w->dry_run || !w->quiet))
		report_solution(r->solved, w->dry_run, w->dry_run ? stdout : stderr);
	if (!w->dry_run)
		return execute(w, plan, r);
	if (w->json)
		return report_json(plan, NULL, r->model->path, r->solved, stdout);
	status = report_plan(plan, stdout);
	report_importance(plan, true, stdout);
	return status;
}

static int plan_and_run(const struct writer *w, struct heft_model *m, struct heft_job *job, const struct heft_solution *solved)
{
	struct heft_err err = { 0 };
	struct heft_plan *plan = NULL;
	struct progress p;
	struct heft_run_options watch = { .ctx = &p };
	struct report_of of = { .model = m, .to = job->to, .tool = w->tool, .options = w->options, .solved = solved };
	int status;

	progress_begin(&p, w->progress, w->quiet);
	watch.progress = p.mode == PROGRESS_NONE ? NULL : progress_step;
	job->watch = &watch;
	status = heft_plan_new(&plan, m, job, &err);
	job->watch = NULL;
	progress_end(&p);
	if (status)
		return fail(&err);
	of.plan = plan;
	status = write_plan(w, plan, &of);
	heft_plan_free(plan);
	return status;
}

/* The same with the text of --recipe in place of the only output's type. */
static int write_recipe(const struct writer *w, struct heft_model *m, struct heft_job *job)
{
	struct heft_err err = { 0 };
	struct heft_output_spec spec = { 0 };
	struct heft_recipe_head head;
	const struct heft_output_spec *asked = job->output;
	char *text = text_read(w->recipe, &err);
	int status;

	if (!text)
		return fail(&err);
	if (heft_recipe_read(&head, w->recipe, text, &err)) {
		free(text);
		return fail(&err);
	}
	free(head.name);
	if (!job->to)
		job->to = head.to;
	if (job->n_outputs)
		spec.path = asked->path;
	spec.recipe = text;
	spec.recipe_file = w->recipe;
	job->output = &spec;
	job->n_outputs = 1;
	status = plan_and_run(w, m, job, NULL);
	job->output = asked;
	free(text);
	return status;
}

/* Finds the types for the size that was asked for, and makes the file of them. */
static int write_solved(const struct writer *w, struct heft_model *m, struct heft_job *job)
{
	struct heft_output_spec spec = job->output[0];
	struct heft_solve_options size = w->size;
	struct heft_err err = { 0 };
	struct heft_solution *s;
	struct progress p;
	struct heft_run_options watch = { .ctx = &p, .progress = progress_step, .stop = stop_on_signals() };
	int status;

	progress_begin(&p, w->progress, w->quiet);
	if (p.mode == PROGRESS_NONE)
		watch.progress = NULL;
	p.doing = "measuring";
	size.watch = &watch;
	status = w->fit ? size_of_fit(w->fit, m, job, &size.size, &err) : 0;
	status = status ? status : heft_solve(&s, m, job, &size, &err);
	progress_end(&p);
	if (status)
		return fail(&err);
	heft_solution_apply(s, &spec, job);
	status = plan_and_run(w, m, job, s);
	heft_solution_free(s);
	return status;
}

static int write_any(const struct writer *w, struct heft_model *m, struct heft_job *job)
{
	if (w->size.size || w->size.bits > 0 || w->fit)
		return write_solved(w, m, job);
	return w->recipe ? write_recipe(w, m, job) : plan_and_run(w, m, job, NULL);
}

/* Kept names and types: then a quantized module's tensors are copied, each as it is. */
static bool keeps_all(const struct heft_job *job)
{
	for (size_t i = 0; i < job->n_outputs; i++)
		if (!job->output[i].type || strcmp(job->output[i].type, "keep"))
			return false;
	return job->n_outputs && job->to && !strcmp(job->to, "safetensors");
}

int writer_run(const struct writer *w, const char *source, struct heft_job *job)
{
	struct heft_open_options open = { .config_dir = w->config, .key = w->key, .spool = w->spool, .modules = w->modules,
					  .mistral_format = w->mistral_format };
	struct heft_err err = { 0 };
	struct heft_model *m = NULL;
	uint32_t layer[MAX_LAYERS];
	int status;

	status = check_manifest(w, job);
	if (status >= 0)
		return status;
	fill_job(w, job);
	open.as_stored = keeps_all(job);
	if (w->prune_layers && layers(w->prune_layers, layer, &job->n_prune_layers))
		job->prune_layer = layer;
	quit_on_signals();
	if (heft_open(&m, source, &open, &err))
		return fail(&err);
	status = job->to && !strcasecmp(job->to, "coreml") ? coreml_convert(w, m, job) : write_any(w, m, job);
	heft_close(m);
	return status;
}

int writer_run_on(const struct writer *w, struct heft_model *m, struct heft_job *job)
{
	uint32_t layer[MAX_LAYERS];
	int status = check_manifest(w, job);

	if (status >= 0)
		return status;
	fill_job(w, job);
	if (w->prune_layers && layers(w->prune_layers, layer, &job->n_prune_layers))
		job->prune_layer = layer;
	return write_any(w, m, job);
}
