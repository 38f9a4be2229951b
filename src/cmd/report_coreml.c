/*
 * report_coreml.c owns the sums and the page of `heft convert --to coreml --report FILE.html`. The types of constants are those that the
 * package has when it is opened again.
 */
#include "report_coreml.h"

#include <inttypes.h>
#include <string.h>

#include "page.h"

/* ---- sums ---- */

static const struct heft_tensor *find(const struct heft_model *m, const char *name)
{
	for (size_t i = 0; i < m->n_tensors; i++)
		if (!strcmp(m->tensor[i].name, name))
			return &m->tensor[i];
	return NULL;
}

/* Each constant of a package has a type of its own: the first that is called so stands for all. */
static const struct heft_encoding *type_of(const struct heft_model *m, const struct heft_encoding *enc)
{
	for (size_t i = 0; i < m->n_tensors; i++)
		if (!strcmp(heft_encoding_name(m->tensor[i].enc), heft_encoding_name(enc)))
			return m->tensor[i].enc;
	return enc;
}

int report_coreml_take(struct report_coreml *r, struct heft_err *err)
{
	struct heft_open_options open = { .as_stored = true };

	if (heft_open(&r->written, r->plan->path, &open, err))
		return -1;
	for (size_t i = 0; i < r->plan->n_items; i++) {
		const struct heft_coreml_item *it = &r->plan->item[i];
		const struct heft_tensor *t = find(r->written, it->name);
		struct survey_row row = { .name = it->name, .from = it->from, .bytes = it->size_out, .error = it->error.count ? &it->error : NULL, .why = it->why };

		row.to = t ? type_of(r->written, t->enc) : it->from;
		row.weights = t ? heft_tensor_count(t) : 0;
		row.dim = t ? t->dim : NULL;
		row.rank = t ? t->rank : 0;
		survey_add(&r->survey, &row);
	}
	survey_finish(&r->survey);
	return 0;
}

void report_coreml_release(struct report_coreml *r)
{
	survey_release(&r->survey);
	heft_close(r->written);
	r->written = NULL;
}

/* ---- the page ---- */

static void tiles(FILE *f, const struct report_coreml *r)
{
	const struct heft_coreml_plan *p = r->plan;
	struct tile t[5] = { { .what = "size", .value = human_bytes(p->size_out) }, { .what = "constants", .note = p->type } };
	char share[80];
	size_t n = 2;

	snprintf(share, sizeof share, "%.1f%% of the source", p->size_in ? 100 * (double)p->size_out / (double)p->size_in : 0);
	t[0].note = share;
	snprintf(t[1].value.s, sizeof t[1].value.s, "%zu of %zu", p->n_changed, p->n_items);
	if (r->survey.measured) {
		t[n++] = (struct tile){ .what = "relative error", .value = show_relative(&r->survey.error), .note = "of all that changed" };
		t[n++] = (struct tile){ .what = "signal to error", .value = show_sqnr(&r->survey.error), .note = "SQNR" };
	}
	page_tiles(f, t, n);
}

static void allocation(FILE *f, const struct report_coreml *r)
{
	html_section(f, "Plan", "Why each constant is stored as it is.");
	fputs("<div class=\"wide\"><table>\n<thead><tr><th scope=\"col\">constant</th><th scope=\"col\">from</th><th scope=\"col\">to</th>"
	      "<th scope=\"col\">why</th><th scope=\"col\" class=\"r\">bytes before</th><th scope=\"col\" class=\"r\">bytes</th></tr></thead>\n<tbody>\n", f);
	for (size_t i = 0; i < r->survey.n_rows; i++) {
		const struct survey_row *row = &r->survey.row[i];

		fputs("<tr>", f);
		html_element(f, "th scope=\"row\" class=\"name\"", "%s", row->name);
		html_element(f, "td", "%s", heft_encoding_name(row->from));
		fputs("<td>", f);
		page_type(f, &r->survey, row->to);
		fputs("</td>", f);
		html_element(f, "td", "%s", row->why ? row->why : "");
		html_element(f, "td class=\"r\"", "%" PRIu64, r->plan->item[i].size_in);
		html_element(f, "td class=\"r\"", "%" PRIu64, row->bytes);
		fputs("</tr>\n", f);
	}
	fputs("</tbody>\n</table></div>\n</section>\n", f);
}

static void provenance(FILE *f, const struct report_coreml *r, const char *name)
{
	html_section(f, "Provenance", NULL);
	fputs("<dl class=\"facts\">\n", f);
	page_making(f, r->source, r->tool, r->options);
	html_element(f, "dt", "output");
	html_element(f, "dd", "%s, %" PRIu64 " bytes of program and weights, %s", name, r->plan->size_out, r->plan->type);
	fputs("</dl>\n", f);
	if (r->manifest)
		page_digests(f, r->manifest);
	fputs("</section>\n", f);
}

void report_coreml_html(const struct report_coreml *r, FILE *f)
{
	const char *name = page_base(r->plan->path);

	html_begin(f, name);
	html_element(f, "h1", "%s", name);
	html_element(f, "p class=\"lead\"", "%s as %s: what it takes, what it lost, and why.", page_base(r->source->path), r->plan->type);
	tiles(f, r);
	if (r->survey.n_rows) {
		page_sizes(f, &r->survey);
		page_errors(f, &r->survey);
		page_map(f, &r->survey);
		page_types(f, &r->survey);
		allocation(f, r);
		page_tensors(f, &r->survey);
	}
	provenance(f, r, name);
	html_end(f);
}
