/*
 * report.c owns the words and numbers of `heft convert`: every tensor of a plan, and after a run the sizes, the error
 * of each type, the worst tensors, what fell back and what was left out.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "survey.h"

enum { WORST = 5, LISTED = 10 };

static uint64_t elements(const struct heft_item *it)
{
	uint64_t n = 1;

	for (int i = 0; i < it->rank; i++)
		n *= it->dim[i];
	return n;
}

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static void print_output_line(const struct heft_output *o, FILE *f)
{
	fputs(style(f, BOLD), f);
	safe_puts(f, strcmp(o->path, "-") ? o->path : "standard output");
	fprintf(f, "%s: %s (%" PRIu64 " bytes)", style(f, PLAIN), human_bytes(o->size).s, o->size);
	if (o->n_items)
		fprintf(f, ", %.2f bits per weight", o->bits_per_weight);
	fprintf(f, ", %zu tensor%s", o->n_items, plural(o->n_items));
	if (o->n_parts > 1)
		fprintf(f, " in %" PRIu64 " files", o->n_parts);
	putc('\n', f);
}

static void print_beside(const struct heft_output *o, FILE *f)
{
	for (size_t i = 0; i < o->n_beside; i++) {
		fputs(i ? ", " : "and ", f);
		safe_puts(f, o->beside[i]);
	}
	if (o->n_beside)
		putc('\n', f);
}

static void print_drops(const struct heft_plan *p, FILE *f, size_t limit)
{
	const struct heft_drop *drop;
	size_t n = heft_plan_drops(p, &drop);

	if (n)
		fprintf(f, "left out: %zu source tensor%s\n", n, plural(n));
	for (size_t i = 0; i < n && i < limit; i++) {
		fputs("  ", f);
		safe_puts(f, drop[i].name);
		fputs("  ", f);
		safe_puts(f, drop[i].why);
		putc('\n', f);
	}
	if (n > limit)
		fprintf(f, "  and %zu more: --dry-run lists all\n", n - limit);
}

/* ---- the plan ---- */

static void add_inputs(struct table *t, const struct heft_item *it)
{
	if (it->n_sources == 1)
		table_add(t, "%s", it->source[0]);
	else if (it->n_sources)
		table_add(t, "%s ... %s (%zu)", it->source[0], it->source[it->n_sources - 1], it->n_sources);
	else
		table_add(t, "-");
}

static void print_items(const struct heft_output *o, FILE *f)
{
	static const char *const head[] = {
		"file", "tensor", "shape", "from", "to", "bytes", "operation", "why", "inputs",
	};
	bool parts = o->n_parts > 1;
	struct table t;

	table_init(&t, &"rllllrlll"[!parts], head + !parts);
	for (size_t i = 0; i < o->n_items; i++) {
		const struct heft_item *it = &o->item[i];
		if (parts)
			table_add(&t, "%" PRIu64, it->part + 1);
		table_add(&t, "%s", it->name);
		table_add(&t, "%s", human_dims(it->dim, it->rank).s);
		table_add(&t, "%s", it->from ? heft_encoding_name(it->from) : "-");
		table_add(&t, "%s", heft_encoding_name(it->to));
		table_add(&t, "%" PRIu64, it->size);
		table_add(&t, "%s", it->operation ? it->operation : "copy");
		table_add(&t, "%s", it->why ? it->why : "");
		add_inputs(&t, it);
	}
	table_print(&t, f, 2);
}

int report_plan(const struct heft_plan *p, FILE *f)
{
	for (size_t i = 0; i < heft_plan_outputs(p); i++) {
		const struct heft_output *o = heft_plan_output(p, i);
		print_output_line(o, f);
		print_items(o, f);
		print_beside(o, f);
		if (o->n_fallbacks)
			fprintf(f, "%s%zu tensor%s not fit %s and take%s another type: see why%s\n", style(f, YELLOW),
				o->n_fallbacks, o->n_fallbacks == 1 ? " does" : "s do", o->type,
				o->n_fallbacks == 1 ? "s" : "", style(f, PLAIN));
	}
	print_drops(p, f, SIZE_MAX);
	fprintf(f, "reads %s (%" PRIu64 " bytes) of weights; nothing was written\n",
		human_bytes(heft_plan_bytes_in(p)).s, heft_plan_bytes_in(p));
	return EXIT_DONE;
}

/* ---- the summary ---- */

static void print_types(const struct survey *s, FILE *f)
{
	static const char *const head[] = {
		"type", "tensors", "weights", "size", "relative error", "SQNR", "cosine", "max error", "weighted error",
	};
	const struct survey_type *sum = s->type;
	bool weighted = s->weighted, e = s->measured;
	struct table t;

	table_init(&t, weighted ? "lrrrrrrrr" : e ? "lrrrrrrr" : "lrrr", head);
	for (size_t i = 0; i < s->n_types; i++) {
		table_add(&t, "%s", heft_encoding_name(sum[i].enc));
		table_add(&t, "%" PRIu64, sum[i].tensors);
		table_add(&t, "%s", human_count(sum[i].weights).s);
		table_add(&t, "%s", human_bytes(sum[i].bytes).s);
		if (!e)
			continue;
		table_add(&t, "%s", show_relative(&sum[i].error).s);
		table_add(&t, "%s", show_sqnr(&sum[i].error).s);
		table_add(&t, "%.6f", heft_error_cosine(&sum[i].error));
		table_add(&t, "%.3g", sum[i].error.max_err);
		if (weighted && sum[i].error.sum_weighted_sq > 0)
			table_add(&t, "%.3f%%", 100 * heft_error_weighted(&sum[i].error));
		else if (weighted)
			table_add(&t, "-");
	}
	table_print(&t, f, 2);
}

static void print_gain(const struct survey *s, FILE *f)
{
	if (s->error.sum_nearest > 0)
		fprintf(f, "  search: %.1f%% less %ssquared error than rounding to nearest\n", 100 * heft_error_gain(&s->error), s->weighted ? "weighted " : "");
}

static void print_worst(const struct survey *s, FILE *f)
{
	static const char *const head[] = { "worst tensors", "type", "relative error", "SQNR", "max error" };
	const struct survey_row *worst[WORST];
	size_t n = survey_worst(s, worst, WORST);
	struct table t;

	if (!n)
		return;
	table_init(&t, "llrrr", head);
	for (size_t i = 0; i < n; i++) {
		table_add(&t, "%s", worst[i]->name);
		table_add(&t, "%s", heft_encoding_name(worst[i]->to));
		table_add(&t, "%s", show_relative(worst[i]->error).s);
		table_add(&t, "%s", show_sqnr(worst[i]->error).s);
		table_add(&t, "%.3g", worst[i]->error->max_err);
	}
	table_print(&t, f, 2);
}

static void print_fallbacks(const struct heft_output *o, FILE *f)
{
	size_t shown = 0;

	if (!o->n_fallbacks)
		return;
	fprintf(f, "  %s%zu tensor%s not fit the asked type:%s\n", style(f, YELLOW), o->n_fallbacks,
		o->n_fallbacks == 1 ? " does" : "s do", style(f, PLAIN));
	for (size_t i = 0; i < o->n_items && shown < LISTED; i++) {
		const struct heft_item *it = &o->item[i];
		if (!it->fallback)
			continue;
		fputs("    ", f);
		safe_puts(f, it->name);
		fprintf(f, "  %s  ", heft_encoding_name(it->to));
		safe_puts(f, it->why ? it->why : "");
		putc('\n', f);
		shown++;
	}
	if (o->n_fallbacks > shown)
		fprintf(f, "    and %zu more: --dry-run lists all\n", o->n_fallbacks - shown);
}

static void print_nonfinite(const struct heft_output *o, const struct heft_error *e, FILE *f)
{
	for (size_t i = 0; i < o->n_items; i++)
		if (e[i].nonfinite) {
			fprintf(f, "  %s", style(f, RED));
			safe_puts(f, o->item[i].name);
			fprintf(f, ": %" PRIu64 " value%s NaN or infinite%s\n", e[i].nonfinite,
				e[i].nonfinite == 1 ? " is" : "s are", style(f, PLAIN));
		}
}

static const struct heft_error *errors_of(const struct heft_summary *s, size_t output)
{
	return s && s->error ? s->error[output] : NULL;
}

static void print_output(const struct heft_output *o, const struct heft_error *e, bool drawn, FILE *f)
{
	struct survey s;

	survey_output(&s, o, e);
	print_types(&s, f);
	if (drawn)
		draw_survey(&s, f);
	if (e) {
		print_gain(&s, f);
		print_worst(&s, f);
		print_nonfinite(o, e, f);
	}
	print_fallbacks(o, f);
	survey_release(&s);
}

void report_summary(const struct heft_plan *p, const struct heft_summary *s, bool drawn, FILE *f)
{
	double rate = s->seconds > 0 ? (double)s->bytes_in / s->seconds : 0;

	for (size_t i = 0; i < heft_plan_outputs(p); i++) {
		const struct heft_output *o = heft_plan_output(p, i);
		print_output_line(o, f);
		if (o->n_items)
			print_output(o, errors_of(s, i), drawn, f);
	}
	print_drops(p, f, LISTED);
	fprintf(f, "read %s, wrote %s in %.*f s", human_bytes(s->bytes_in).s, human_bytes(s->bytes_out).s,
		s->seconds < 10 ? 2 : 0, s->seconds);
	if (s->sync_seconds >= 0.01)
		fprintf(f, " (%.2f s for the disk)", s->sync_seconds);
	if (rate > 0)
		fprintf(f, ", %s/s", human_bytes((uint64_t)rate).s);
	putc('\n', f);
}

void report_histograms(const struct heft_plan *p, const struct heft_summary *s, FILE *f)
{
	for (size_t i = 0; i < heft_plan_outputs(p); i++) {
		const struct heft_error *e = errors_of(s, i);
		struct survey sum;

		survey_output(&sum, heft_plan_output(p, i), e);
		for (size_t k = 0; e && k < sum.n_types; k++)
			histogram_print(heft_encoding_name(sum.type[k].enc), &sum.type[k].error, f);
		survey_release(&sum);
	}
}

/* ---- JSON ---- */

static double bits_per_weight(uint64_t bytes, uint64_t weights)
{
	return weights ? 8.0 * (double)bytes / (double)weights : 0;
}

/* The tensors that a weight becomes. */
static void json_stored(struct emitter *w, const struct heft_item *it)
{
	emit_open(w, "stored", '[');
	for (size_t i = 0; i < it->n_stored; i++) {
		const struct heft_stored *s = &it->stored[i];

		emit_open(w, NULL, '{');
		emit_text(w, "name", s->name);
		emit_text(w, "type", heft_encoding_name(s->enc));
		emit_dims(w, "shape", s->dim, s->rank);
		emit_number(w, "offset", s->offset);
		emit_number(w, "size", s->size);
		emit_close(w, '}');
	}
	emit_close(w, ']');
}

static void json_item(struct emitter *w, const struct heft_item *it, const struct heft_error *e)
{
	emit_open(w, NULL, '{');
	emit_text(w, "name", it->name);
	emit_dims(w, "shape", it->dim, it->rank);
	emit_text(w, "from", it->from ? heft_encoding_name(it->from) : NULL);
	emit_text(w, "type", heft_encoding_name(it->to));
	emit_number(w, "part", it->part);
	emit_number(w, "offset", it->offset);
	emit_number(w, "size", it->size);
	emit_real(w, "bits_per_weight", bits_per_weight(it->size, elements(it)));
	emit_text(w, "operation", it->operation);
	emit_text(w, "why", it->why);
	emit_flag(w, "fallback", it->fallback);
	emit_flag(w, "lossless", it->lossless);
	emit_flag(w, "weighted", it->weighted);
	emit_open(w, "inputs", '[');
	for (size_t i = 0; i < it->n_sources; i++)
		emit_text(w, NULL, it->source[i]);
	emit_close(w, ']');
	if (it->n_stored)
		json_stored(w, it);
	if (e)
		emit_error(w, "error", e);
	emit_close(w, '}');
}

static void json_types(struct emitter *w, const struct heft_output *o, const struct heft_error *e)
{
	struct survey s;
	const struct survey_type *sum;

	survey_output(&s, o, e);
	sum = s.type;
	emit_open(w, "types", '[');
	for (size_t i = 0; i < s.n_types; i++) {
		emit_open(w, NULL, '{');
		emit_text(w, "type", heft_encoding_name(sum[i].enc));
		emit_number(w, "tensors", sum[i].tensors);
		emit_number(w, "weights", sum[i].weights);
		emit_number(w, "size", sum[i].bytes);
		emit_real(w, "bits_per_weight", bits_per_weight(sum[i].bytes, sum[i].weights));
		if (e)
			emit_error(w, "error", &sum[i].error);
		emit_close(w, '}');
	}
	emit_close(w, ']');
	survey_release(&s);
}

static void json_output(struct emitter *w, const struct heft_output *o, const struct heft_error *e)
{
	emit_open(w, NULL, '{');
	emit_text(w, "path", o->path);
	emit_text(w, "type", o->type);
	emit_number(w, "size", o->size);
	emit_number(w, "parts", o->n_parts);
	emit_open(w, "beside", '[');
	for (size_t k = 0; k < o->n_beside; k++)
		emit_text(w, NULL, o->beside[k]);
	emit_close(w, ']');
	emit_real(w, "bits_per_weight", o->bits_per_weight);
	emit_number(w, "fallbacks", o->n_fallbacks);
	json_types(w, o, e);
	emit_metadata(w, o->kv, o->n_kv, false);
	emit_open(w, "tensors", '[');
	for (size_t i = 0; i < o->n_items; i++)
		json_item(w, &o->item[i], e ? &e[i] : NULL);
	emit_close(w, ']');
	emit_close(w, '}');
}

static void json_drops(struct emitter *w, const struct heft_plan *p)
{
	const struct heft_drop *drop;
	size_t n = heft_plan_drops(p, &drop);

	emit_open(w, "left_out", '[');
	for (size_t i = 0; i < n; i++) {
		emit_open(w, NULL, '{');
		emit_text(w, "name", drop[i].name);
		emit_text(w, "why", drop[i].why);
		emit_close(w, '}');
	}
	emit_close(w, ']');
}

int report_json(const struct heft_plan *p, const struct heft_summary *s, const char *source, const struct heft_solution *solved, FILE *f)
{
	struct emitter w;

	emit_report_to(&w, f, said_name());
	emit_text(&w, "source", source);
	emit_flag(&w, "dry_run", !s);
	emit_number(&w, "bytes_in", s ? s->bytes_in : heft_plan_bytes_in(p));
	if (s) {
		emit_number(&w, "bytes_out", s->bytes_out);
		emit_real(&w, "seconds", s->seconds);
		emit_real(&w, "sync_seconds", s->sync_seconds);
	}
	report_solution_json(solved, &w);
	emit_open(&w, "outputs", '[');
	for (size_t i = 0; i < heft_plan_outputs(p); i++)
		json_output(&w, heft_plan_output(p, i), errors_of(s, i));
	emit_close(&w, ']');
	json_drops(&w, p);
	emit_report_end(&w);
	return EXIT_DONE;
}
