/*
 * check.c owns the tool that lists everything that is wrong with a download, grouped by file.
 */
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "heft_manifest.h"

struct options {
	bool deep, json, quiet;
	const char *config, *key, *arch, *progress, *manifest;
	uint64_t threads;
};

#define FIELD(name) offsetof(struct options, name)

static const struct opt rows[] = {
	{ OPT_FLAG, 0, "deep", NULL, NULL,
	  "read every weight: NaN, infinity, tensors that are all zeros, and the sha256 that the Hub cache, SHA256SUMS and LFS pointers give "
	  "(default: headers only)",
	  FIELD(deep) },
	{ OPT_STRING, 0, "manifest", "FILE", "file",
	  "prove what 'heft convert --manifest' wrote: each file and tensor has the digest that FILE says; SRC may be another place or layout of "
	  "them (default: beside FILE)",
	  FIELD(manifest) },
	{ OPT_STRING, 0, "arch", "FILE", "none|file",
	  "family file for this model; none asks no family (default: by config.json)", FIELD(arch) },
	{ OPT_STRING, 0, "config", "DIR", "dir",
	  "where config.json and the tokenizer are, for a lone file (default: beside SRC)", FIELD(config) },
	{ OPT_STRING, 0, "key", "PATH", NULL,
	  "which of a PyTorch training checkpoint's nested dicts holds the weights, as in model.module (default: the usual one)",
	  FIELD(key) },
	{ OPT_COUNT, 'j', "threads", "N", NULL, "threads (default: the processors that this process may use)",
	  FIELD(threads) },
	{ OPT_STRING, 0, "progress", "HOW", "auto|json|none",
	  "auto: a line on a terminal; json: one object per line on standard error; none (default: auto)",
	  FIELD(progress) },
	{ OPT_FLAG, 0, "json", NULL, NULL, "print the problems as JSON", FIELD(json) },
	{ OPT_FLAG, 'q', "quiet", NULL, NULL, "print nothing, the exit status says it", FIELD(quiet) },
	{ OPT_END, 0, NULL, NULL, NULL, NULL, 0 },
};

struct finding {
	enum heft_code code;
	bool warning;
	char *file, *tensor, *text, *hint; /* NULL: does not apply */
	struct heft_global *global;
	size_t order;
};

struct findings {
	struct finding *v;
	size_t n;
};

static char *copy(const char *s)
{
	return s ? need(strdup(s)) : NULL;
}

static struct heft_global *copy_global(const struct heft_global *g)
{
	struct heft_global *c = g ? need(malloc(sizeof *c)) : NULL;

	if (c)
		*c = (struct heft_global){ copy(g->pickle), copy(g->module), copy(g->name), copy(g->opcode), g->offset, g->called };
	return c;
}

static void free_global(struct heft_global *g)
{
	if (!g)
		return;
	free((char *)g->pickle);
	free((char *)g->module);
	free((char *)g->name);
	free((char *)g->opcode);
	free(g);
}

static void collect(void *ctx, const struct heft_problem *p)
{
	struct findings *f = ctx;

	f->v = need(realloc(f->v, (f->n + 1) * sizeof *f->v));
	f->v[f->n] = (struct finding){
		.code = p->code, .warning = p->warning, .file = copy(p->file), .tensor = copy(p->tensor),
		.text = copy(p->text), .hint = copy(p->hint), .order = f->n, .global = copy_global(p->global),
	};
	f->n++;
}

static void release(struct findings *f)
{
	for (size_t i = 0; i < f->n; i++) {
		free(f->v[i].file);
		free(f->v[i].tensor);
		free(f->v[i].text);
		free(f->v[i].hint);
		free_global(f->v[i].global);
	}
	free(f->v);
}

static const char *file_of(const struct finding *f)
{
	return f->file ? f->file : "";
}

static int by_file(const void *a, const void *b)
{
	const struct finding *x = a, *y = b;
	int c = strcmp(file_of(x), file_of(y));

	return c ? c : (x->order > y->order) - (x->order < y->order);
}

static void print_finding(const struct finding *f)
{
	printf("  %s%s%s [E%d] ", style(stdout, f->warning ? YELLOW : RED), f->warning ? "warning" : "error",
	       style(stdout, PLAIN), f->code);
	if (f->tensor) {
		safe_puts(stdout, f->tensor);
		fputs(": ", stdout);
	}
	safe_puts(stdout, f->text ? f->text : heft_code_text(f->code));
	putchar('\n');
	if (!f->hint)
		return;
	printf("    %s", style(stdout, DIM));
	safe_puts(stdout, f->hint);
	printf("%s\n", style(stdout, PLAIN));
}

static void print_text(const char *path, const struct findings *f, size_t errors)
{
	const char *file = NULL;

	for (size_t i = 0; i < f->n; i++) {
		if (!file || strcmp(file, file_of(&f->v[i]))) {
			file = file_of(&f->v[i]);
			fputs(style(stdout, BOLD), stdout);
			safe_puts(stdout, *file ? file : path);
			printf("%s\n", style(stdout, PLAIN));
		}
		print_finding(&f->v[i]);
	}
	safe_puts(stdout, path);
	printf(": %s%zu error%s%s, %zu warning%s\n", style(stdout, errors ? RED : GREEN), errors,
	       errors == 1 ? "" : "s", style(stdout, PLAIN), f->n - errors, f->n - errors == 1 ? "" : "s");
}

static void emit_global(struct emitter *w, const struct heft_global *g)
{
	if (!g)
		return;
	emit_open(w, "global", '{');
	emit_text(w, "pickle", g->pickle);
	emit_text(w, "module", g->module);
	emit_text(w, "name", g->name);
	emit_text(w, "opcode", g->opcode);
	emit_number(w, "offset", g->offset);
	emit_flag(w, "called", g->called);
	emit_close(w, '}');
}

static void print_json(const char *path, const struct findings *f, size_t errors)
{
	struct emitter w;

	emit_report(&w, "check");
	emit_text(&w, "path", path);
	emit_number(&w, "errors", errors);
	emit_number(&w, "warnings", f->n - errors);
	emit_open(&w, "problems", '[');
	for (size_t i = 0; i < f->n; i++) {
		char code[16];
		snprintf(code, sizeof code, "E%d", f->v[i].code);
		emit_open(&w, NULL, '{');
		emit_text(&w, "code", code);
		emit_text(&w, "severity", f->v[i].warning ? "warning" : "error");
		emit_text(&w, "file", f->v[i].file);
		emit_text(&w, "tensor", f->v[i].tensor);
		emit_text(&w, "text", f->v[i].text);
		emit_text(&w, "hint", f->v[i].hint);
		emit_global(&w, f->v[i].global);
		emit_close(&w, '}');
	}
	emit_close(&w, ']');
	emit_report_end(&w);
}

/* Progress and problems share one ctx in heft_check_options. */
struct context {
	struct findings findings; /* first: collect() gets the context */
	struct progress progress;
};

static void on_progress(void *ctx, const struct heft_progress *now)
{
	progress_step(&((struct context *)ctx)->progress, now);
}

static size_t count_errors(const struct findings *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++)
		n += !f->v[i].warning;
	return n;
}

static int check_model(const struct options *o, const char *path, struct context *c, struct heft_err *err)
{
	struct heft_check_options check = {
		.deep = o->deep, .arch = o->arch, .config_dir = o->config, .key = o->key, .threads = (int)o->threads, .ctx = c, .stop = stop_on_signals(),
	};

	if (c->progress.mode != PROGRESS_NONE)
		check.progress = on_progress;
	return heft_check(path, &check, collect, NULL, err);
}

static int check_manifest(const struct options *o, const char *path, struct context *c, struct heft_err *err)
{
	struct heft_manifest_options how = { .threads = (int)o->threads, .ctx = c, .stop = stop_on_signals() };

	if (c->progress.mode != PROGRESS_NONE)
		how.progress = on_progress;
	return heft_manifest_check(o->manifest, path, &how, collect, c, NULL, err);
}

static int check_options(const struct options *o, const struct list *args)
{
	if (o->threads > 1024)
		return misuse("--threads takes 1 to 1024");
	if (!args->n && !o->manifest)
		return misuse("SRC is missing");
	if (o->manifest && (o->deep || o->arch || o->config || o->key))
		return misuse("--manifest compares digests alone: --deep, --arch, --config and --key do not go with it");
	return -1;
}

static int run(void *options, const struct list *args)
{
	const struct options *o = options;
	struct context c = { 0 };
	const char *path = args->n ? args->v[0] : NULL, *shown = path ? path : o->manifest;
	struct heft_err err = { 0 };
	size_t errors = 0;
	int rc = check_options(o, args);

	if (rc >= 0)
		return rc;
	progress_begin(&c.progress, o->progress, o->quiet);
	rc = o->manifest ? check_manifest(o, path, &c, &err) : check_model(o, path, &c, &err);
	progress_end(&c.progress);
	errors = count_errors(&c.findings);
	if (c.findings.n)
		qsort(c.findings.v, c.findings.n, sizeof *c.findings.v, by_file);
	if (o->json && !rc)
		print_json(shown, &c.findings, errors);
	else if (!o->quiet && !rc)
		print_text(shown, &c.findings, errors);
	if (rc)
		fail(&err);
	release(&c.findings);
	return rc || errors ? EXIT_FAILED : EXIT_DONE;
}

const struct tool tool_check = {
	.name = "check",
	.about = "list everything that is wrong with a download, at once",
	.usage = "SRC [--deep] [--json] [OPTION]... | --manifest FILE [SRC] [OPTION]...",
	.details = "SRC is a Hugging Face directory, a Hub cache snapshot, a safetensors, PyTorch or GGUF file, or one part of "
		   "a split set. Exit status 0: no errors, warnings perhaps; 1: errors.",
	.operand = "file|dir",
	.max_args = 1,
	.opt = rows,
	.size = sizeof(struct options),
	.run = run,
};
