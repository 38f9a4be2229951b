/*
 * imatrix.c owns `heft imatrix`: what an importance matrix holds and how it fits a model, several of them added up, one format
 * turned into the other.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cmd.h"

struct options {
	const char *output, *format, *arch, *config;
	bool force, json, quiet;
};

#define FIELD(name) offsetof(struct options, name)

static const struct opt rows[] = {
	{ OPT_STRING, 'o', "output", "OUT", "file", "file that merge and convert write; - is standard output", FIELD(output) },
	{ OPT_STRING, 0, "format", "FORMAT", "gguf|dat",
	  "of OUT: gguf, or dat, which old programs read (default: dat where OUT ends in .dat, else gguf)", FIELD(format) },
	{ OPT_FLAG, 'f', "force", NULL, NULL, "replace OUT where it exists (default: refuse)", FIELD(force) },
	{ OPT_STRING, 0, "arch", "FILE", "none|file", "family file for MODEL (default: by config.json)", FIELD(arch) },
	{ OPT_STRING, 0, "config", "DIR", "dir", "where config.json and the tokenizer of a lone file MODEL are (default: beside it)",
	  FIELD(config) },
	{ OPT_FLAG, 0, "json", NULL, NULL, "print the report as JSON", FIELD(json) },
	{ OPT_FLAG, 'q', "quiet", NULL, NULL, "no summary of what was written", FIELD(quiet) },
	{ OPT_END, 0, NULL, NULL, NULL, NULL, 0 },
};

/* ---- how it fits a model ---- */

enum fit { FITS, MISSING, MISFIT, FITS_KINDS };

struct match {
	const char *path;
	struct heft_model *model;
	struct heft_plan *plan;
	const struct heft_output *output; /* quantized as far as it can be */
	size_t n[FITS_KINDS];
	size_t unused; /* entries that no tensor has the name of */
};

static enum fit fit_of(const struct heft_imatrix *im, const struct heft_item *it)
{
	const struct heft_imatrix_entry *e = heft_imatrix_find(im, it->name);
	uint64_t want = (it->rank ? it->dim[it->rank - 1] : 1) * (it->rank > 2 ? it->dim[it->rank - 3] : 1);

	return !e ? MISSING : e->columns * e->matrices == want ? FITS : MISFIT;
}

static bool has_tensor(const struct heft_output *o, const char *name)
{
	for (size_t i = 0; i < o->n_items; i++)
		if (!strcmp(o->item[i].name, name))
			return true;
	return false;
}

/* Tensors that quantizing changes. */
static bool counts(const struct heft_item *it)
{
	return heft_encoding_lossy(it->to);
}

static void count_fits(struct match *m, const struct heft_imatrix *im)
{
	for (size_t i = 0; i < m->output->n_items; i++)
		if (counts(&m->output->item[i]))
			m->n[fit_of(im, &m->output->item[i])]++;
	for (size_t i = 0; i < im->n_entries; i++)
		m->unused += !has_tensor(m->output, im->entry[i].name);
}

static int match_open(struct match *m, const struct heft_imatrix *im, const char *path, const struct options *o, struct heft_err *err)
{
	struct heft_open_options open = { .config_dir = o->config };
	struct heft_output_spec q8_0 = { .type = "q8_0" };
	struct heft_job job = { .output = &q8_0, .n_outputs = 1, .arch = o->arch, .allow_requantize = true };

	*m = (struct match){ .path = path };
	if (heft_open(&m->model, path, &open, err) || heft_plan_new(&m->plan, m->model, &job, err))
		return -1;
	m->output = heft_plan_output(m->plan, 0);
	count_fits(m, im);
	return 0;
}

static void match_close(struct match *m)
{
	heft_plan_free(m->plan);
	if (m->model)
		heft_close(m->model);
}

/* ---- text ---- */

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static void print_head(const struct heft_imatrix *im)
{
	fputs(style(stdout, BOLD), stdout);
	safe_puts(stdout, im->path[0]);
	printf("%s: %s, %zu entr%s", style(stdout, PLAIN), im->legacy ? "dat" : "gguf", im->n_entries, im->n_entries == 1 ? "y" : "ies");
	if (im->chunks)
		printf(", %" PRIu64 " chunk%s", im->chunks, plural(im->chunks));
	if (im->chunk_size)
		printf(" of %" PRIu64 " tokens", im->chunk_size);
	putchar('\n');
	for (size_t i = 0; i < im->n_datasets; i++) {
		fputs("  dataset  ", stdout);
		safe_puts(stdout, im->dataset[i]);
		putchar('\n');
	}
}

static void add_entry(struct table *t, const struct heft_imatrix_entry *e)
{
	struct heft_imatrix_stats s;

	heft_imatrix_stats(e, &s);
	table_add(t, "%s", e->name);
	table_add(t, "%" PRIu64, e->columns);
	table_add(t, "%" PRIu64 "/%" PRIu64, s.called, e->matrices);
	table_add(t, s.least < s.most ? "%.0f-%.0f" : "%.0f", s.least, s.most);
	table_add(t, "%.4g", s.sum);
	table_add(t, "%.3g", s.min);
	table_add(t, "%.3g", s.mean);
	table_add(t, "%.3g", s.max);
	table_add(t, "%.1f%%", s.called ? 100 * (double)s.zeros / (double)(s.called * e->columns) : 0);
}

static void print_entries(const struct heft_imatrix *im)
{
	static const char *const head[] = { "entry", "columns", "called", "count", "sum", "min", "mean", "max", "zero" };
	struct table t;

	table_init(&t, "lrrrrrrrr", head);
	for (size_t i = 0; i < im->n_entries; i++)
		add_entry(&t, &im->entry[i]);
	table_print(&t, stdout, 2);
}

static void print_partial(const struct heft_imatrix *im)
{
	for (size_t i = 0; i < im->n_entries; i++) {
		const struct heft_imatrix_entry *e = &im->entry[i];
		struct heft_imatrix_stats s;

		heft_imatrix_stats(e, &s);
		if (s.called == e->matrices)
			continue;
		printf("  %s", style(stdout, YELLOW));
		safe_puts(stdout, e->name);
		printf(": never called:");
		for (uint64_t m = 0; m < e->matrices; m++)
			if (!(roundf(e->counts[m]) > 0))
				printf(" %" PRIu64, m);
		printf("%s\n", style(stdout, PLAIN));
	}
}

static void print_names(const struct heft_imatrix *im, const struct match *m, enum fit kind, const char *what)
{
	if (!m->n[kind])
		return;
	printf("  %zu tensor%s %s:\n", m->n[kind], plural(m->n[kind]), what);
	for (size_t i = 0; i < m->output->n_items; i++) {
		const struct heft_item *it = &m->output->item[i];

		if (!counts(it) || fit_of(im, it) != kind)
			continue;
		fputs("    ", stdout);
		safe_puts(stdout, it->name);
		printf("  %s\n", human_dims(it->dim, it->rank).s);
	}
}

static void print_match(const struct heft_imatrix *im, const struct match *m)
{
	size_t all = m->n[FITS] + m->n[MISSING] + m->n[MISFIT];

	fputs(style(stdout, BOLD), stdout);
	safe_puts(stdout, m->path);
	printf("%s: %zu of %zu tensors that are quantized have an entry that fits\n", style(stdout, PLAIN), m->n[FITS], all);
	print_names(im, m, MISSING, "without an entry");
	print_names(im, m, MISFIT, "whose entry does not fit");
	if (m->unused)
		printf("  %zu entr%s for no tensor of this model:\n", m->unused, m->unused == 1 ? "y" : "ies");
	for (size_t i = 0; i < im->n_entries; i++) {
		if (has_tensor(m->output, im->entry[i].name))
			continue;
		fputs("    ", stdout);
		safe_puts(stdout, im->entry[i].name);
		putchar('\n');
	}
}

/* ---- JSON ---- */

static void json_entry(struct emitter *w, const struct heft_imatrix_entry *e)
{
	struct heft_imatrix_stats s;

	heft_imatrix_stats(e, &s);
	emit_open(w, NULL, '{');
	emit_text(w, "name", e->name);
	emit_number(w, "columns", e->columns);
	emit_number(w, "matrices", e->matrices);
	emit_number(w, "called", s.called);
	emit_real(w, "least_count", s.least);
	emit_real(w, "most_count", s.most);
	emit_real(w, "sum", s.sum);
	emit_real(w, "min", s.min);
	emit_real(w, "mean", s.mean);
	emit_real(w, "max", s.max);
	emit_number(w, "zeros", s.zeros);
	emit_open(w, "never_called", '[');
	for (uint64_t m = 0; m < e->matrices; m++)
		if (!(roundf(e->counts[m]) > 0))
			emit_number(w, NULL, m);
	emit_close(w, ']');
	emit_close(w, '}');
}

static void json_names(struct emitter *w, const char *key, const struct heft_imatrix *im, const struct match *m, enum fit kind)
{
	emit_open(w, key, '[');
	for (size_t i = 0; i < m->output->n_items; i++)
		if (counts(&m->output->item[i]) && fit_of(im, &m->output->item[i]) == kind)
			emit_text(w, NULL, m->output->item[i].name);
	emit_close(w, ']');
}

static void json_match(struct emitter *w, const struct heft_imatrix *im, const struct match *m)
{
	emit_open(w, "model", '{');
	emit_text(w, "path", m->path);
	emit_number(w, "fitting", m->n[FITS]);
	json_names(w, "without_entry", im, m, MISSING);
	json_names(w, "not_fitting", im, m, MISFIT);
	emit_open(w, "unused_entries", '[');
	for (size_t i = 0; i < im->n_entries; i++)
		if (!has_tensor(m->output, im->entry[i].name))
			emit_text(w, NULL, im->entry[i].name);
	emit_close(w, ']');
	emit_close(w, '}');
}

static void json_info(const struct heft_imatrix *im, const struct match *m)
{
	struct emitter w;

	emit_report(&w, "imatrix");
	emit_text(&w, "path", im->path[0]);
	emit_text(&w, "format", im->legacy ? "dat" : "gguf");
	emit_open(&w, "datasets", '[');
	for (size_t i = 0; i < im->n_datasets; i++)
		emit_text(&w, NULL, im->dataset[i]);
	emit_close(&w, ']');
	emit_number(&w, "chunks", im->chunks);
	emit_number(&w, "chunk_size", im->chunk_size);
	emit_open(&w, "entries", '[');
	for (size_t i = 0; i < im->n_entries; i++)
		json_entry(&w, &im->entry[i]);
	emit_close(&w, ']');
	if (m)
		json_match(&w, im, m);
	emit_report_end(&w);
}

/* ---- the commands ---- */

static void print_info(const struct heft_imatrix *im, const struct match *m)
{
	print_head(im);
	print_entries(im);
	print_partial(im);
	if (m)
		print_match(im, m);
}

/* Status 1 where it is another model's, as a conversion would refuse it. */
static int info(void *options, const struct list *args)
{
	const struct options *o = options;
	struct heft_imatrix *im;
	struct heft_err err = { 0 };
	struct match m = { 0 };
	bool model = args->n > 2;
	int status = EXIT_DONE;

	if (heft_imatrix_open(&im, args->v[1], &err))
		return fail(&err);
	if (model && match_open(&m, im, args->v[2], o, &err))
		status = fail(&err);
	else if (o->json)
		json_info(im, model ? &m : NULL);
	else
		print_info(im, model ? &m : NULL);
	if (model && status == EXIT_DONE && (m.n[MISFIT] || !m.n[FITS]))
		status = EXIT_FAILED;
	match_close(&m);
	heft_imatrix_close(im);
	return status;
}

static bool wants_dat(const struct options *o)
{
	size_t n = strlen(o->output);

	return o->format ? !strcasecmp(o->format, "dat") : n > 4 && !strcasecmp(o->output + n - 4, ".dat");
}

static int write_out(const struct options *o, const struct heft_imatrix *im)
{
	struct heft_err err = { 0 };

	if (heft_imatrix_write(im, o->output, wants_dat(o), o->force, &err))
		return fail(&err);
	if (!o->quiet) {
		safe_puts(stderr, strcmp(o->output, "-") ? o->output : "standard output");
		fprintf(stderr, ": %s, %zu entr%s, %" PRIu64 " chunk%s, from %zu file%s\n", wants_dat(o) ? "dat" : "gguf", im->n_entries,
			im->n_entries == 1 ? "y" : "ies", im->chunks, plural(im->chunks), im->n_paths, plural(im->n_paths));
	}
	return EXIT_DONE;
}

static int merge(void *options, const struct list *args)
{
	const struct options *o = options;
	size_t n = args->n - 1, opened = 0;
	struct heft_imatrix **from, *sum = NULL;
	struct heft_err err = { 0 };
	int status;

	if (!o->output)
		return misuse("imatrix merge needs -o OUT");
	from = need(calloc(n, sizeof *from));
	while (opened < n && !heft_imatrix_open(&from[opened], args->v[1 + opened], &err))
		opened++;
	if (opened < n || heft_imatrix_merge(&sum, (const struct heft_imatrix *const *)from, n, &err))
		status = fail(&err);
	else
		status = write_out(o, sum);
	heft_imatrix_close(sum);
	while (opened)
		heft_imatrix_close(from[--opened]);
	free(from);
	return status;
}

static int convert(void *options, const struct list *args)
{
	const struct options *o = options;
	struct heft_imatrix *im;
	struct heft_err err = { 0 };
	int status;

	if (!o->output)
		return misuse("imatrix convert needs -o OUT");
	if (heft_imatrix_open(&im, args->v[1], &err))
		return fail(&err);
	status = write_out(o, im);
	heft_imatrix_close(im);
	return status;
}

static const struct command commands[] = {
	{ "info", 1, 2, "FILE and at most one MODEL", "json", info },
	{ "merge", 1, ANY_ARGS, "FILE...", "output", merge },
	{ "convert", 1, 1, "one FILE", "output", convert },
	{ NULL, 0, 0, NULL, NULL, NULL },
};

const struct tool tool_imatrix = {
	.name = "imatrix",
	.about = "look at importance matrices, add them up, turn one format into the other",
	.usage = "COMMAND FILE... [-o OUT] [--format gguf|dat] [-f] [--json] [OPTION]...",
	.details = "info FILE [MODEL] prints what FILE holds, and with MODEL which tensors have no entry and which entries do not fit: "
		   "exit status 1 where one does not. merge FILE... -o OUT adds up what several runs counted. convert FILE -o OUT "
		   "writes the other format. FILE is what llama-imatrix writes: GGUF, or the .dat of older versions.\n\n"
		   "heft imatrix info imatrix.gguf ~/models/Llama-3.1-8B\n"
		   "heft imatrix merge wiki.dat code.dat -o both.gguf",
	.operand = "info|merge|convert|file",
	.min_args = 2,
	.max_args = ANY_ARGS,
	.opt = rows,
	.size = sizeof(struct options),
	.command = commands,
};
