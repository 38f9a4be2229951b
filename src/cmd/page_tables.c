/*
 * page_tables.c owns the tables of a report's page: types, and every tensor.
 */
#include <inttypes.h>

#include "page.h"

enum { MAX_ROWS = 5000 };

static void head(FILE *f, const char *const *name, size_t text)
{
	fputs("<div class=\"wide\"><table>\n<thead><tr>", f);
	for (size_t i = 0; name[i]; i++)
		html_element(f, i < text ? "th scope=\"col\"" : "th scope=\"col\" class=\"r\"", "%s", name[i]);
	fputs("</tr></thead>\n<tbody>\n", f);
}

static void foot(FILE *f)
{
	fputs("</tbody>\n</table></div>\n", f);
}

static const char right[] = "td class=\"r\"";

static void error_cells(FILE *f, const struct heft_error *e)
{
	html_element(f, right, "%s", show_relative(e).s);
	html_element(f, right, "%s", show_sqnr(e).s);
	html_element(f, right, "%.6f", heft_error_cosine(e));
	html_element(f, right, "%.3g", e->max_err);
}

static void type_row(FILE *f, const struct survey *s, const struct survey_type *t)
{
	fputs("<tr><th scope=\"row\">", f);
	page_type(f, s, t->enc);
	fputs("</th>", f);
	html_element(f, right, "%" PRIu64, t->tensors);
	html_element(f, right, "%s", human_count(t->weights).s);
	html_element(f, right, "%s", human_bytes(t->bytes).s);
	html_element(f, right, "%.2f", t->weights ? 8 * (double)t->bytes / (double)t->weights : 0.0);
	if (s->measured)
		error_cells(f, &t->error);
	if (s->weighted && t->error.sum_weighted_sq > 0)
		html_element(f, right, "%.3f%%", 100 * heft_error_weighted(&t->error));
	else if (s->weighted)
		html_element(f, right, "-");
	fputs("</tr>\n", f);
}

void page_types(FILE *f, const struct survey *s)
{
	const char *name[] = { "type", "tensors", "weights", "size", "bits", "relative error", "SQNR", "cosine", "largest", "weighted error", NULL };

	if (!s->weighted)
		name[9] = NULL;
	if (!s->measured)
		name[5] = NULL;
	html_section(f, "Types", s->weighted ? "The weighted error counts each column by the importance matrix." : NULL);
	head(f, name, 1);
	for (size_t i = 0; i < s->n_types; i++)
		type_row(f, s, &s->type[i]);
	foot(f);
	fputs("</section>\n", f);
}

static void tensor_row(FILE *f, const struct survey *s, const struct survey_row *r)
{
	fputs("<tr>", f);
	html_element(f, "th scope=\"row\" class=\"name\"", "%s", r->name);
	html_element(f, "td", "%s", r->dim ? human_dims(r->dim, r->rank).s : human_count(r->weights).s);
	html_element(f, "td", "%s", r->from ? heft_encoding_name(r->from) : "-");
	fputs("<td>", f);
	page_type(f, s, r->to);
	fputs("</td>", f);
	html_element(f, right, "%" PRIu64, r->bytes);
	if (s->measured && r->error)
		error_cells(f, r->error);
	else if (s->measured)
		fputs("<td></td><td></td><td></td><td></td>", f);
	fputs("</tr>\n", f);
}

void page_tensors(FILE *f, const struct survey *s)
{
	const char *name[] = { "tensor", "shape", "from", "to", "bytes", "relative error", "SQNR", "cosine", "largest", NULL };
	size_t n = s->n_rows < MAX_ROWS ? s->n_rows : MAX_ROWS;

	if (!s->measured)
		name[5] = NULL;
	html_section(f, "Tensors", NULL);
	fprintf(f, "<details><summary>%s %zu</summary>\n", n < s->n_rows ? "The first" : "All", n);
	head(f, name, 4);
	for (size_t i = 0; i < n; i++)
		tensor_row(f, s, &s->row[i]);
	foot(f);
	if (n < s->n_rows)
		html_element(f, "p class=\"lead\"", "%zu more are in the report that is not a page: --report FILE.json.", s->n_rows - n);
	fputs("</details>\n</section>\n", f);
}
