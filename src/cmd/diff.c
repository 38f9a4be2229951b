/*
 * diff.c owns the tool that compares the numbers of two checkpoints and lets a script decide by them.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "page.h"

struct options {
	double max_rmse, max_relative, max_abs, min_sqnr, min_cosine;
	const char *arch, *key, *progress, *report;
	uint64_t top, threads;
	bool ignore_unmatched, json, quiet;
};

#define FIELD(name) offsetof(struct options, name)

static const struct opt rows[] = {
	{ OPT_REAL, 0, "max-rmse", "X", NULL, "fail where a tensor's root mean square error is above X",
	  FIELD(max_rmse) },
	{ OPT_REAL, 0, "max-relative", "X", NULL,
	  "fail where a tensor's relative error, rms(a-b) / rms(a), is above X", FIELD(max_relative) },
	{ OPT_REAL, 0, "max-abs", "X", NULL, "fail where any two values differ by more than X; 0 asks for equality",
	  FIELD(max_abs) },
	{ OPT_REAL, 0, "min-sqnr", "DB", NULL, "fail where a tensor's signal to error ratio is below DB decibels",
	  FIELD(min_sqnr) },
	{ OPT_REAL, 0, "min-cosine", "X", NULL, "fail where a tensor's cosine similarity is below X",
	  FIELD(min_cosine) },
	{ OPT_FLAG, 0, "ignore-unmatched", NULL, NULL,
	  "do not fail where a tensor of one has no counterpart in the other, or another shape (default: fail)",
	  FIELD(ignore_unmatched) },
	{ OPT_COUNT, 0, "top", "N", NULL, "print the N tensors that differ most; 0 prints all (default: 10)",
	  FIELD(top) },
	{ OPT_STRING, 0, "arch", "FILE", "none|file",
	  "family file for both; none matches tensors by their own names (default: by configuration)", FIELD(arch) },
	{ OPT_STRING, 0, "key", "PATH", NULL,
	  "which of a PyTorch training checkpoint's nested dicts holds the weights, as in model.module (default: the usual one)",
	  FIELD(key) },
	{ OPT_COUNT, 'j', "threads", "N", NULL, "threads (default: the processors that this process may use)",
	  FIELD(threads) },
	{ OPT_STRING, 0, "progress", "HOW", "auto|json|none",
	  "auto: a line on a terminal; json: one object per line on standard error; none (default: auto)",
	  FIELD(progress) },
	{ OPT_FLAG, 0, "json", NULL, NULL, "print every tensor as JSON", FIELD(json) },
	{ OPT_STRING, 0, "report", "FILE", "file",
	  "write every tensor's numbers and a histogram of its errors to FILE: a page where its name ends in .html, else JSON (default: none)",
	  FIELD(report) },
	{ OPT_FLAG, 'q', "quiet", NULL, NULL, "print nothing but failures, no progress line", FIELD(quiet) },
	{ OPT_END, 0, NULL, NULL, NULL, NULL, 0 },
};

/* ---- thresholds ---- */

static double max_of(const struct heft_error *e)
{
	return e->max_err;
}

struct limit {
	const char *option, *what;
	double (*value)(const struct heft_error *e);
	size_t field;
	bool least; /* the value must not be below; else not above */
};

static const struct limit limits[] = {
	{ "max-rmse", "RMSE", heft_error_rmse, FIELD(max_rmse), false },
	{ "max-relative", "relative error", heft_error_relative, FIELD(max_relative), false },
	{ "max-abs", "maximum error", max_of, FIELD(max_abs), false },
	{ "min-sqnr", "SQNR", heft_error_sqnr, FIELD(min_sqnr), true },
	{ "min-cosine", "cosine", heft_error_cosine, FIELD(min_cosine), true },
};
enum { LIMITS = sizeof limits / sizeof *limits };

static bool compared(const struct heft_diff_item *it)
{
	return it->name_a && it->name_b && !it->shapes_differ;
}

static double limit_of(const struct options *o, const struct limit *l)
{
	double x;

	memcpy(&x, (const char *)o + l->field, sizeof x);
	return x;
}

/* NaN or infinity on either side, or a value that is NaN, passes no limit. */
static bool breaks(const struct options *o, const struct limit *l, const struct heft_error *e)
{
	double bound = limit_of(o, l), x = l->value(e);

	if (isnan(bound))
		return false;
	return e->nonfinite || !(l->least ? x >= bound : x <= bound);
}

/* Counts the tensors outside one limit; *worst receives the one that is farthest out. */
static size_t outside(const struct options *o, const struct limit *l, const struct heft_diff *d,
		      const struct heft_diff_item **worst)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n_items; i++) {
		const struct heft_diff_item *it = &d->item[i];
		if (!compared(it) || !breaks(o, l, &it->error))
			continue;
		if (!n++ || (l->value(&it->error) < l->value(&(*worst)->error)) == l->least)
			*worst = it;
	}
	return n;
}

/* Number of limits that do not hold. */
static int count_broken(const struct options *o, const struct heft_diff *d)
{
	const struct heft_diff_item *worst;
	int n = 0;

	for (int k = 0; k < LIMITS; k++)
		n += outside(o, &limits[k], d, &worst) > 0;
	return n;
}

static int judge_limits(const struct options *o, const struct heft_diff *d)
{
	struct heft_err err = { .code = HEFT_E_DIFFERS };
	int status = EXIT_DONE;

	for (int k = 0; k < LIMITS; k++) {
		const struct limit *l = &limits[k];
		const struct heft_diff_item *worst = NULL;
		size_t n = outside(o, l, d, &worst);
		if (!n)
			continue;
		snprintf(err.text, sizeof err.text, "%zu tensor%s outside --%s %g, worst is '%s' with %s %.6g%s", n,
			 n == 1 ? "" : "s", l->option, limit_of(o, l), worst->name, l->what, l->value(&worst->error),
			 worst->error.nonfinite ? " and values that are NaN or infinite" : "");
		status = fail(&err);
	}
	return status;
}

static int judge_unmatched(const struct options *o, const struct heft_diff *d)
{
	struct heft_err err = { .code = HEFT_E_UNMATCHED };

	if (o->ignore_unmatched || (!d->n_unmatched && !d->n_shapes_differ))
		return EXIT_DONE;
	snprintf(err.text, sizeof err.text,
		 "%zu tensor%s without counterpart, %zu with another shape; --ignore-unmatched tolerates them",
		 d->n_unmatched, d->n_unmatched == 1 ? "" : "s", d->n_shapes_differ);
	return fail(&err);
}

/* ---- text ---- */

static double badness(const struct heft_diff_item *it)
{
	double sqnr = heft_error_sqnr(&it->error);

	if (!compared(it))
		return INFINITY;
	if (it->error.nonfinite || isnan(sqnr))
		return 1e30;
	return -sqnr;
}

static int worse_first(const void *a, const void *b)
{
	const struct heft_diff_item *x = *(const struct heft_diff_item *const *)a,
				    *y = *(const struct heft_diff_item *const *)b;
	double p = badness(x), q = badness(y);

	if (p != q)
		return p < q ? 1 : -1;
	return strcmp(x->name, y->name);
}

/* Pointers to the items, those that differ most first; the array is the caller's. */
static const struct heft_diff_item **ranked(const struct heft_diff *d)
{
	const struct heft_diff_item **r = need(calloc(d->n_items + 1, sizeof *r));

	for (size_t i = 0; i < d->n_items; i++)
		r[i] = &d->item[i];
	qsort(r, d->n_items, sizeof *r, worse_first);
	return r;
}

static void add_numbers(struct table *t, const struct heft_error *e)
{
	table_add(t, "%.4g", heft_error_rmse(e));
	table_add(t, "%s", show_relative(e).s);
	table_add(t, "%.4g", e->max_err);
	table_add(t, "%s", show_sqnr(e).s);
	table_add(t, "%.8f", heft_error_cosine(e));
}

static void add_row(struct table *t, const struct heft_diff_item *it)
{
	table_add(t, "%s", it->name);
	table_add(t, "%s", it->enc_a ? heft_encoding_name(it->enc_a) : "-");
	table_add(t, "%s", it->enc_b ? heft_encoding_name(it->enc_b) : "-");
	if (compared(it)) {
		add_numbers(t, &it->error);
		if (it->error.nonfinite)
			table_add(t, "%" PRIu64 " NaN or infinite", it->error.nonfinite);
		else
			table_add(t, "%s", "");
		return;
	}
	for (int i = 0; i < 5; i++)
		table_add(t, "-");
	table_add(t, "%s", it->shapes_differ ? "another shape" : it->name_a ? "not in B" : "not in A");
}

static void add_total(struct table *t, const struct heft_error *e, size_t n)
{
	table_add(t, "all %zu tensor%s", n, n == 1 ? "" : "s");
	table_add(t, "%s", "");
	table_add(t, "%s", "");
	add_numbers(t, e);
	table_add(t, "%s", "");
}

static void print_text(const struct options *o, const struct heft_diff *d)
{
	static const char *const head[] = {
		"tensor", "A", "B", "RMSE", "relative error", "max error", "SQNR", "cosine", "",
	};
	const struct heft_diff_item **r = ranked(d);
	size_t n = o->top && o->top < d->n_items ? (size_t)o->top : d->n_items;
	size_t n_compared = d->n_items - d->n_unmatched - d->n_shapes_differ;
	struct table t;

	table_init(&t, "lllrrrrrl", head);
	for (size_t i = 0; i < n; i++)
		add_row(&t, r[i]);
	if (n_compared)
		add_total(&t, &d->total, n_compared);
	table_print(&t, stdout, 0);
	if (n < d->n_items)
		printf("%zu more tensor%s, none differs more: --top 0 prints all\n", d->n_items - n,
		       d->n_items - n == 1 ? "" : "s");
	free(r);
}

/* ---- JSON ---- */

static void print_json(const struct options *o, const struct heft_diff *d, const struct list *args, FILE *f)
{
	struct emitter w;

	emit_report_to(&w, f, "diff");
	emit_text(&w, "a", args->v[0]);
	emit_text(&w, "b", args->v[1]);
	emit_number(&w, "unmatched", d->n_unmatched);
	emit_number(&w, "shapes_differ", d->n_shapes_differ);
	emit_flag(&w, "passed", !count_broken(o, d) &&
		  (o->ignore_unmatched || (!d->n_unmatched && !d->n_shapes_differ)));
	emit_error(&w, "total", &d->total);
	emit_open(&w, "tensors", '[');
	for (size_t i = 0; i < d->n_items; i++) {
		const struct heft_diff_item *it = &d->item[i];
		emit_open(&w, NULL, '{');
		emit_text(&w, "name", it->name);
		emit_text(&w, "name_a", it->name_a);
		emit_text(&w, "name_b", it->name_b);
		emit_text(&w, "type_a", it->enc_a ? heft_encoding_name(it->enc_a) : NULL);
		emit_text(&w, "type_b", it->enc_b ? heft_encoding_name(it->enc_b) : NULL);
		emit_flag(&w, "shapes_differ", it->shapes_differ);
		if (compared(it))
			emit_error(&w, "error", &it->error);
		emit_close(&w, '}');
	}
	emit_close(&w, ']');
	emit_report_end(&w);
}

/* ---- the tool ---- */

static void write_report(const struct options *o, const struct heft_diff *d, const struct heft_model *a, const struct heft_model *b,
			 const struct list *args, FILE *f)
{
	if (page_wanted(o->report))
		diff_html(d, a, b, &tool_diff, o, f);
	else
		print_json(o, d, args, f);
}

static int compare(struct options *o, struct heft_model *a, struct heft_model *b, const struct list *args)
{
	struct progress p;
	struct heft_err err = { 0 };
	struct heft_diff *d = NULL;
	struct heft_diff_options options = {
		.arch = o->arch, .threads = (int)o->threads, .details = o->report, .ctx = &p, .stop = stop_on_signals(),
	};
	struct side_file report = { 0 };
	int rc, status;

	if (o->report && side_open(&report, o->report, &err))
		return fail(&err);
	progress_begin(&p, o->progress, o->quiet);
	if (p.mode != PROGRESS_NONE)
		options.progress = progress_step;
	rc = heft_diff(&d, a, b, &options, &err);
	progress_end(&p);
	if (!rc && o->report) {
		write_report(o, d, a, b, args, report.f);
		rc = side_close(&report, &err);
	}
	side_abandon(&report);
	if (rc) {
		heft_diff_free(d);
		return fail(&err);
	}
	if (o->json)
		print_json(o, d, args, stdout);
	else if (!o->quiet)
		print_text(o, d);
	fflush(stdout); /* the numbers before the verdict */
	status = judge_unmatched(o, d);
	if (judge_limits(o, d))
		status = EXIT_FAILED;
	heft_diff_free(d);
	return status;
}

static int run(void *options, const struct list *args)
{
	struct options *o = options;
	struct heft_open_options open = { .key = o->key };
	struct heft_err err = { 0 };
	struct heft_model *a = NULL, *b = NULL;
	int status;

	if (o->threads > 1024)
		return misuse("--threads takes 1 to 1024");
	if (heft_open(&a, args->v[0], &open, &err) || heft_open(&b, args->v[1], &open, &err))
		status = fail(&err);
	else
		status = compare(o, a, b, args);
	heft_close(b);
	heft_close(a);
	return status;
}

static void defaults(void *options)
{
	((struct options *)options)->top = 10;
}

const struct tool tool_diff = {
	.name = "diff",
	.about = "measure how far the numbers of two checkpoints are apart",
	.usage = "A B [--max-rmse X] [--max-relative X] [--max-abs X] [--min-sqnr DB] [--min-cosine X] [--report FILE] [--json] "
		 "[OPTION]...",
	.details = "A and B may be of any formats and types; tensors are matched through their families' names. Errors "
		   "are those of B measured against A. Exit status 0: within all limits that were given; 1: outside "
		   "one, or a tensor without counterpart. Without limits the numbers are only printed.",
	.operand = "file|dir",
	.min_args = 2,
	.max_args = 2,
	.opt = rows,
	.size = sizeof(struct options),
	.defaults = defaults,
	.run = run,
};
