/*
 * report_page.c owns the page of `heft convert --report FILE.html`: what was written, what it cost, by which rules, of what. It tells no
 * time and no folder, so that its bytes are the same wherever and however often a file is made.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "page.h"
#include "report.h"

enum { LISTED = PAGE_LISTED, MAX_RULES = 200 };

/* The file, or the folder where that is what is written. */
static struct name {
	char s[256];
} name_of(const struct heft_output *o)
{
	const char *path = o->directory ? o->directory : strcmp(o->path, "-") ? o->path : "standard output";
	size_t n = strlen(path), from;
	struct name name;

	while (n > 1 && path[n - 1] == '/')
		n--;
	for (from = n; from && path[from - 1] != '/';)
		from--;
	snprintf(name.s, sizeof name.s, "%.*s", (int)(n - from), path + from);
	return name;
}

/* A type, or what a folder is written for. */
static const char *kind_of(const struct report_of *r, const struct heft_output *o)
{
	return r->to && strcmp(r->to, "gguf") != 0 && strcmp(r->to, "safetensors") != 0 ? r->to : o->type;
}

/* ---- tiles ---- */

static void tiles(FILE *f, const struct report_of *r, const struct heft_output *o, const struct survey *s)
{
	struct tile t[6] = { { .what = "size", .value = human_bytes(o->size) }, { .what = "bits per weight" }, { .what = "tensors" } };
	char of_source[128], files[128];
	size_t n = 3;

	snprintf(of_source, sizeof of_source, "%.1f%% of the %s that were read", 100 * (double)o->size / fmax(1, (double)heft_plan_bytes_in(r->plan)),
		 human_bytes(heft_plan_bytes_in(r->plan)).s);
	t[0].note = of_source;
	snprintf(t[1].value.s, sizeof t[1].value.s, "%.2f", o->bits_per_weight);
	t[1].note = kind_of(r, o);
	snprintf(t[2].value.s, sizeof t[2].value.s, "%zu", o->n_items);
	snprintf(files, sizeof files, "in %" PRIu64 " files, %s weights", o->n_parts, human_count(s->weights).s);
	if (o->n_parts < 2)
		snprintf(files, sizeof files, "%s weights", human_count(s->weights).s);
	t[2].note = files;
	if (s->measured) {
		t[n++] = (struct tile){ .what = "relative error", .value = show_relative(&s->error), .note = "of all weights" };
		t[n++] = (struct tile){ .what = "signal to error", .value = show_sqnr(&s->error), .note = "SQNR" };
	}
	if (s->measured && s->weighted) {
		t[n] = (struct tile){ .what = "weighted error", .note = "by the importance matrix" };
		snprintf(t[n].value.s, sizeof t[n].value.s, "%.3f%%", 100 * heft_error_weighted(&s->error));
		n++;
	}
	page_tiles(f, t, n);
}

/* ---- the plan ---- */

struct rule { /* the tensors of one type for one reason */
	const char *why;
	const struct heft_encoding *to;
	uint64_t tensors, bytes;
};

static size_t list_rules(const struct survey *s, struct rule *rule)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_rows; i++) {
		const struct survey_row *r = &s->row[i];
		const char *why = r->why ? r->why : "";
		size_t k = 0;

		while (k < n && (rule[k].to != r->to || strcmp(rule[k].why, why) != 0))
			k++;
		if (k == MAX_RULES)
			continue;
		if (k == n)
			rule[n++] = (struct rule){ .why = why, .to = r->to };
		rule[k].tensors++;
		rule[k].bytes += r->bytes;
	}
	return n;
}

static void rules(FILE *f, const struct survey *s)
{
	struct rule *rule = need(calloc(MAX_RULES, sizeof *rule));
	size_t n = list_rules(s, rule);

	fputs("<div class=\"wide\"><table>\n<thead><tr><th scope=\"col\">rule</th><th scope=\"col\">type</th><th scope=\"col\" class=\"r\">tensors</th>"
	      "<th scope=\"col\" class=\"r\">size</th></tr></thead>\n<tbody>\n", f);
	for (size_t i = 0; i < n; i++) {
		fputs("<tr>", f);
		html_element(f, "th scope=\"row\" class=\"name\"", "%s", *rule[i].why ? rule[i].why : "the asked type");
		fputs("<td>", f);
		page_type(f, s, rule[i].to);
		fputs("</td>", f);
		html_element(f, "td class=\"r\"", "%" PRIu64, rule[i].tensors);
		html_element(f, "td class=\"r\"", "%s", human_bytes(rule[i].bytes).s);
		fputs("</tr>\n", f);
	}
	fputs("</tbody>\n</table></div>\n", f);
	free(rule);
}

static void fallbacks(FILE *f, const struct heft_output *o)
{
	size_t shown = 0;

	if (!o->n_fallbacks)
		return;
	html_element(f, "h3", "Fallbacks");
	html_element(f, "p class=\"lead warn\"", "%zu tensor%s not fit the asked type and %s another:", o->n_fallbacks, o->n_fallbacks == 1 ? " does" : "s do",
		     o->n_fallbacks == 1 ? "has" : "have");
	fputs("<ul>\n", f);
	for (size_t i = 0; i < o->n_items && shown < LISTED; i++)
		if (o->item[i].fallback) {
			html_element(f, "li", "%s: %s, %s", o->item[i].name, heft_encoding_name(o->item[i].to), o->item[i].why ? o->item[i].why : "");
			shown++;
		}
	if (o->n_fallbacks > shown)
		html_element(f, "li", "and %zu more", o->n_fallbacks - shown);
	fputs("</ul>\n", f);
}

static void drops(FILE *f, const struct heft_plan *p)
{
	const struct heft_drop *drop;
	size_t n = heft_plan_drops(p, &drop);

	if (!n)
		return;
	html_element(f, "h3", "Left out of the source");
	fputs("<ul>\n", f);
	for (size_t i = 0; i < n && i < LISTED; i++)
		html_element(f, "li", "%s: %s", drop[i].name, drop[i].why);
	if (n > LISTED)
		html_element(f, "li", "and %zu more", n - LISTED);
	fputs("</ul>\n", f);
}

static void nonfinite(FILE *f, const struct survey *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_rows; i++) {
		const struct survey_row *r = &s->row[i];
		if (!r->error || !r->error->nonfinite)
			continue;
		if (n++ < LISTED)
			html_element(f, "p class=\"warn\"", "%s: %" PRIu64 " of its values are NaN or infinite.", r->name, r->error->nonfinite);
	}
	if (n > LISTED)
		html_element(f, "p class=\"warn\"", "%zu more tensors have such values.", n - LISTED);
}

static void importance(FILE *f, const struct heft_output *o)
{
	if (o->n_weighted + o->n_unweighted)
		html_element(f, "p", "The importance matrix weighs %zu of %zu quantized tensors.", o->n_weighted, o->n_weighted + o->n_unweighted);
	if (!isnan(o->bits_per_weight) && o->n_needs_imatrix)
		html_element(f, "p class=\"warn\"", "%zu tensors have a type that needs an importance matrix and no entry in it.", o->n_needs_imatrix);
}

static void plan(FILE *f, const struct heft_plan *p, const struct heft_output *o, const struct survey *s)
{
	html_section(f, "Plan", "Why each tensor has its type.");
	rules(f, s);
	importance(f, o);
	nonfinite(f, s);
	fallbacks(f, o);
	drops(f, p);
	fputs("</section>\n", f);
}

/* ---- metadata ---- */

static void metadata(FILE *f, const struct heft_output *o)
{
	if (!o->n_kv)
		return;
	html_section(f, "Metadata", NULL);
	fprintf(f, "<details><summary>%zu keys</summary>\n<dl class=\"facts\">\n", o->n_kv);
	for (size_t i = 0; i < o->n_kv; i++) {
		char *text = NULL;
		size_t n;
		FILE *mem = need(open_memstream(&text, &n));

		show_value(mem, &o->kv[i].value, 8);
		if (fclose(mem))
			need(NULL);
		fputs("<dt><code>", f);
		html_text(f, o->kv[i].key);
		fputs("</code></dt>", f);
		html_element(f, "dd", "%s", text);
		putc('\n', f);
		free(text);
	}
	fputs("</dl>\n</details>\n</section>\n", f);
}

/* ---- provenance ---- */

static void provenance(FILE *f, const struct report_of *r, const struct heft_output *o, const struct heft_manifest *m)
{
	html_section(f, "Provenance", NULL);
	fputs("<dl class=\"facts\">\n", f);
	page_making(f, r->model, r->tool, r->options);
	html_element(f, "dt", "output");
	html_element(f, "dd", "%s, %" PRIu64 " bytes, %s", name_of(o).s, o->size, kind_of(r, o));
	if (o->n_beside) {
		html_element(f, "dt", "beside it");
		fputs("<dd>", f);
		for (size_t i = 0; i < o->n_beside; i++)
			html_said(f, "%s%s", i ? ", " : "", page_base(o->beside[i]));
		fputs("</dd>\n", f);
	}
	fputs("</dl>\n", f);
	if (m)
		page_digests(f, m);
	fputs("</section>\n", f);
}

/* ---- the page ---- */

static void output(FILE *f, const struct report_of *r, const struct heft_output *o, const struct heft_error *e, const struct heft_manifest *m)
{
	struct survey s;

	survey_output(&s, o, e);
	tiles(f, r, o, &s);
	if (o->n_items) {
		page_sizes(f, &s);
		page_errors(f, &s);
		page_map(f, &s);
		page_histograms(f, &s);
		page_types(f, &s);
		plan(f, r->plan, o, &s);
		page_tensors(f, &s);
	}
	metadata(f, o);
	provenance(f, r, o, m);
	survey_release(&s);
}

void report_html(const struct report_of *r, const struct heft_summary *sum, FILE *f)
{
	size_t n = heft_plan_outputs(r->plan);

	html_begin(f, name_of(heft_plan_output(r->plan, 0)).s);
	for (size_t i = 0; i < n; i++) {
		const struct heft_output *o = heft_plan_output(r->plan, i);

		html_element(f, i ? "h2 class=\"output\"" : "h1", "%s", name_of(o).s);
		fputs("<p class=\"lead\">", f);
		html_said(f, "%s as %s: what it takes, what it lost, and why.", r->model->name ? r->model->name : page_base(r->model->path), kind_of(r, o));
		fputs("</p>\n", f);
		output(f, r, o, sum && sum->error ? sum->error[i] : NULL, r->manifest ? r->manifest[i] : NULL);
	}
	html_end(f);
}
