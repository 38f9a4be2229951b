/*
 * convert.c owns the tool that writes: options to a job, plan, run, report. What the reports look like is report.c's.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "report.h"

struct options {
	struct list output, type, tensor_type, include_weights, exclude_weights;
	const char *imatrix, *to, *via, *arch, *config, *pre, *metadata, *model_name, *progress, *report;
	uint64_t split_size, split_tensors, threads, spool;
	bool dry_run, force, strict, allow_requantize, vocab_only, json, quiet, histogram;
};

#define FIELD(name) offsetof(struct options, name)

static const struct opt rows[] = {
	{ OPT_LIST, 'o', "output", "OUT", "file|dir",
	  "file to write; - is standard output (default: named from model and type, in the current directory). "
	  "Several -t TYPE -o OUT pairs are written from one read",
	  FIELD(output) },
	{ OPT_LIST, 't', "type", "TYPE", "type",
	  "type or recipe to write; auto is the 16-bit type of the source, keep leaves each tensor its own; "
	  "'heft types' lists them (default: auto)",
	  FIELD(type) },
	{ OPT_STRING, 0, "to", "FORMAT", "format", "container to write: gguf or safetensors (default: gguf)",
	  FIELD(to) },
	{ OPT_STRING, 0, "via", "TYPE", "auto|bf16|f16|f32",
	  "type that values are rounded to before they are quantized, as the 16-bit file of a two-step conversion "
	  "does (default: auto, the source's own 16-bit type)",
	  FIELD(via) },
	{ OPT_LIST, 0, "tensor-type", "PATTERN=TYPE", NULL,
	  "type for the tensors whose name matches; may be repeated, the first match decides (default: none)",
	  FIELD(tensor_type) },
	{ OPT_STRING, 0, "imatrix", "FILE", "file",
	  "importance matrix, .dat or GGUF, that says which columns of each weight matter most: llama-imatrix makes it (default: none)",
	  FIELD(imatrix) },
	{ OPT_LIST, 0, "include-weights", "NAME", NULL,
	  "use only the importance matrix's entries with NAME in their name; may be repeated (default: all)",
	  FIELD(include_weights) },
	{ OPT_LIST, 0, "exclude-weights", "NAME", NULL,
	  "use no entry of the importance matrix with NAME in its name; may be repeated (default: all)",
	  FIELD(exclude_weights) },
	{ OPT_SIZE, 0, "split-size", "SIZE", NULL,
	  "begin a new file before this one grows past SIZE (default: one file)",
	  FIELD(split_size) },
	{ OPT_COUNT, 0, "split-tensors", "N", NULL, "begin a new file after N tensors (default: one file)",
	  FIELD(split_tensors) },
	{ OPT_COUNT, 'j', "threads", "N", NULL, "threads (default: the processors that this process may use)",
	  FIELD(threads) },
	{ OPT_FLAG, 'n', "dry-run", NULL, NULL, "print the whole plan and the exact size, write nothing",
	  FIELD(dry_run) },
	{ OPT_FLAG, 'f', "force", NULL, NULL, "replace OUT where it exists (default: refuse)", FIELD(force) },
	{ OPT_FLAG, 0, "strict", NULL, NULL,
	  "fail where a tensor does not fit the asked type (default: the nearest type that fits, and say so)",
	  FIELD(strict) },
	{ OPT_FLAG, 0, "allow-requantize", NULL, NULL,
	  "quantize what is quantized already, at a loss (default: refuse)", FIELD(allow_requantize) },
	{ OPT_STRING, 0, "arch", "FILE", "none|file",
	  "family file for this model; none carries every tensor under its own name (default: by config.json)",
	  FIELD(arch) },
	{ OPT_STRING, 0, "config", "DIR", "dir",
	  "where config.json and the tokenizer are, for a lone file or a stream (default: beside SRC)", FIELD(config) },
	{ OPT_STRING, 0, "pre", "NAME", NULL, "name of the pre-tokenizer (default: recognised)", FIELD(pre) },
	{ OPT_STRING, 0, "metadata", "FILE", "file", "JSON object of general.* keys to set (default: none)",
	  FIELD(metadata) },
	{ OPT_STRING, 0, "model-name", "NAME", NULL, "name of the model in the file (default: from SRC)",
	  FIELD(model_name) },
	{ OPT_FLAG, 0, "vocab-only", NULL, NULL, "write the metadata and the tokenizer, no tensors",
	  FIELD(vocab_only) },
	{ OPT_SIZE, 0, "spool", "SIZE", NULL,
	  "memory that tensors may wait in for their turn on a pipe (default: 256MiB)",
	  FIELD(spool) },
	{ OPT_STRING, 0, "progress", "HOW", "auto|json|none",
	  "auto: a line on a terminal; json: one object per line on standard error; none (default: auto)",
	  FIELD(progress) },
	{ OPT_FLAG, 0, "json", NULL, NULL, "print the plan or the report as JSON on standard output", FIELD(json) },
	{ OPT_STRING, 0, "report", "FILE", "file",
	  "write the report as JSON to FILE, with clipped codes and a histogram of errors per tensor (default: none)", FIELD(report) },
	{ OPT_FLAG, 0, "histogram", NULL, NULL, "draw how large the errors of each type are", FIELD(histogram) },
	{ OPT_FLAG, 'q', "quiet", NULL, NULL, "no summary and no progress line", FIELD(quiet) },
	{ OPT_END, 0, NULL, NULL, NULL, NULL, 0 },
};

static bool to_stdout(const struct options *o)
{
	for (size_t i = 0; i < o->output.n; i++)
		if (!strcmp(o->output.v[i], "-"))
			return true;
	return false;
}

static int check_pairs(const struct options *o)
{
	size_t types = o->type.n, outputs = o->output.n;

	if (types <= 1 && outputs <= 1)
		return -1;
	if (outputs && types != outputs)
		return misuse("%zu times --type but %zu times --output: give each output its type, "
			      "as in -t q4_k_m -o a.gguf -t q8_0 -o b.gguf", types, outputs);
	for (size_t i = 0; i < outputs; i++)
		for (size_t k = 0; k < i; k++)
			if (!strcmp(o->output.v[i], o->output.v[k]))
				return misuse("two outputs are called '%s'", o->output.v[i]);
	return -1;
}

static int check_rules(const struct options *o)
{
	for (size_t i = 0; i < o->tensor_type.n; i++) {
		const char *rule = o->tensor_type.v[i], *equals = strrchr(rule, '=');
		struct word w;
		if (!equals || equals == rule || !equals[1])
			return misuse("'%s' is not PATTERN=TYPE for --tensor-type", rule);
		if (!word_known("type", equals + 1) && word_nearest("type", equals + 1, &w))
			return misuse("--tensor-type does not know '%s', did you mean '%s'?", equals + 1, w.s);
		if (!word_known("type", equals + 1))
			return misuse("--tensor-type does not know '%s', 'heft types' lists the types", equals + 1);
	}
	return -1;
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), k = strlen(end);

	return n >= k && !strcasecmp(s + n - k, end);
}

/* A name that promises another container than the default one is asked about, not guessed from. */
static int check_names(const struct options *o)
{
	for (size_t i = 0; i < o->output.n && !o->to; i++)
		if (ends_with(o->output.v[i], ".safetensors"))
			return misuse("'%s' would be a GGUF file: add --to safetensors or --to gguf", o->output.v[i]);
	return -1;
}

static int check_weights(const struct options *o)
{
	if (o->include_weights.n && o->exclude_weights.n)
		return misuse("--include-weights and --exclude-weights do not go together");
	if ((o->include_weights.n || o->exclude_weights.n) && !o->imatrix)
		return misuse("--include-weights and --exclude-weights go with --imatrix");
	return -1;
}

static int check_options(const struct options *o)
{
	int status = check_pairs(o);

	if (status < 0)
		status = check_names(o);
	if (status < 0)
		status = check_rules(o);
	if (status < 0)
		status = check_weights(o);
	if (status < 0 && o->threads > 1024)
		status = misuse("--threads takes 1 to 1024");
	if (status < 0 && o->json && !o->dry_run && to_stdout(o))
		status = misuse("--json and -o - both want standard output");
	return status;
}

/* The pairs: outputs and types by order, one missing side is the default. The array is the caller's to free. */
static struct heft_output_spec *pairs(const struct options *o, size_t *n)
{
	struct heft_output_spec *s;

	*n = o->type.n > o->output.n ? o->type.n : o->output.n;
	*n += *n == 0;
	s = need(calloc(*n, sizeof *s));
	for (size_t i = 0; i < *n; i++) {
		s[i].type = i < o->type.n ? o->type.v[i] : NULL;
		s[i].path = i < o->output.n ? o->output.v[i] : NULL;
	}
	return s;
}

static int make_plan(const struct options *o, struct heft_model *m, struct heft_plan **plan, struct heft_err *err)
{
	size_t n;
	struct heft_output_spec *spec = pairs(o, &n);
	struct heft_job job = {
		.output = spec,
		.n_outputs = n,
		.to = o->to,
		.via = o->via,
		.tensor_type = o->tensor_type.v,
		.n_tensor_types = o->tensor_type.n,
		.imatrix = o->imatrix,
		.include_weights = o->include_weights.v,
		.n_include_weights = o->include_weights.n,
		.exclude_weights = o->exclude_weights.v,
		.n_exclude_weights = o->exclude_weights.n,
		.arch = o->arch,
		.pre = o->pre,
		.metadata_file = o->metadata,
		.model_name = o->model_name,
		.split_size = o->split_size,
		.split_tensors = o->split_tensors,
		.spool = o->spool,
		.threads = (int)o->threads,
		.force = o->force,
		.strict = o->strict,
		.allow_requantize = o->allow_requantize,
		.vocab_only = o->vocab_only,
	};
	int rc = heft_plan_new(plan, m, &job, err);

	free(spec);
	return rc;
}

static int execute(const struct options *o, struct heft_plan *plan, const char *source)
{
	struct heft_err err = { 0 };
	struct heft_summary sum = { 0 };
	struct progress p;
	struct heft_run_options run = { .progress = progress_step, .ctx = &p, .stop = stop_on_signals() };
	struct side_file report = { 0 };
	int rc;

	run.details = o->report || o->histogram;
	if (o->report && side_open(&report, o->report, &err))
		return fail(&err);
	signal(SIGPIPE, SIG_IGN); /* a reader that goes away is a failed write, so that other outputs are cleaned up */
	progress_begin(&p, o->progress, o->quiet);
	if (p.mode == PROGRESS_NONE)
		run.progress = NULL;
	rc = heft_run(plan, &run, &sum, &err);
	progress_end(&p);
	if (!rc && o->report) {
		report_json(plan, &sum, source, report.f);
		rc = side_close(&report, &err);
	}
	side_abandon(&report);
	if (rc)
		return fail(&err);
	if (o->json)
		report_json(plan, &sum, source, stdout);
	else if (!o->quiet) {
		report_summary(plan, &sum, stderr);
		report_importance(plan, false, stderr);
	}
	if (o->histogram && !o->json)
		report_histograms(plan, &sum, stderr);
	return EXIT_DONE;
}

static int convert(const struct options *o, struct heft_model *m)
{
	struct heft_err err = { 0 };
	struct heft_plan *plan = NULL;
	int status;

	if (make_plan(o, m, &plan, &err))
		return fail(&err);
	if (!o->dry_run)
		status = execute(o, plan, m->path);
	else if (o->json)
		status = report_json(plan, NULL, m->path, stdout);
	else {
		status = report_plan(plan, stdout);
		report_importance(plan, true, stdout);
	}
	heft_plan_free(plan);
	return status;
}

static int run(void *options, const struct list *args)
{
	const struct options *o = options;
	struct heft_open_options open = { .config_dir = o->config, .spool = o->spool };
	struct heft_err err = { 0 };
	struct heft_model *m = NULL;
	int status = check_options(o);

	if (status >= 0)
		return status;
	quit_on_signals();
	if (heft_open(&m, args->v[0], &open, &err))
		return fail(&err);
	status = convert(o, m);
	heft_close(m);
	return status;
}

const struct tool tool_convert = {
	.name = "convert",
	.about = "write a checkpoint as the file that a runtime loads, quantized, in one pass",
	.usage = "SRC [-o OUT] [-t TYPE] [--to gguf|safetensors] [--tensor-type PATTERN=TYPE]... [--split-size SIZE] "
		 "[--split-tensors N] [-j N] [-n] [-f] [OPTION]...",
	.details = "SRC is a Hugging Face directory, a Hub cache snapshot, a safetensors or GGUF file, one part of a "
		   "split set, or - for a stream. It is read once and never changed. OUT appears under its name only "
		   "when it is complete: a failed or killed run leaves nothing there.\n\n"
		   "SIZE is a number with K, M, G or T (powers of 1000) or Ki, Mi, Gi, Ti (powers of 1024), as in 4G, "
		   "1.5G, 2GiB.\n\n"
		   "heft convert ~/models/Llama-3.1-8B -t q4_k_m -o llama.gguf",
	.operand = "file|dir",
	.min_args = 1,
	.max_args = 1,
	.opt = rows,
	.size = sizeof(struct options),
	.run = run,
};
