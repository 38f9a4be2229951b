/*
 * page_diff.c owns the page of `heft diff --report FILE.html`: where the second checkpoint's numbers differ from the first's, and by how much.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "page.h"

enum { LISTED = 50 };

static bool compared(const struct heft_diff_item *it)
{
	return it->name_a && it->name_b && !it->shapes_differ;
}

static void survey_diff(struct survey *s, const struct heft_diff *d)
{
	for (size_t i = 0; i < d->n_items; i++) {
		const struct heft_diff_item *it = &d->item[i];
		struct survey_row row = { .name = it->name, .from = it->enc_a, .to = it->enc_b, .weights = it->error.count, .error = &it->error };

		if (!compared(it))
			continue;
		row.bytes = (uint64_t)(heft_encoding_bits(it->enc_b) * (double)row.weights / 8);
		survey_add(s, &row);
	}
	survey_finish(s);
}

static void tiles(FILE *f, const struct heft_diff *d, const struct survey *s)
{
	struct tile t[] = {
		{ .what = "relative error", .value = show_relative(&d->total), .note = "of all weights" },
		{ .what = "signal to error", .value = show_sqnr(&d->total), .note = "SQNR" },
		{ .what = "cosine" },
		{ .what = "largest error" },
		{ .what = "tensors compared" },
	};
	char weights[96];

	snprintf(t[2].value.s, sizeof t[2].value.s, "%.6f", heft_error_cosine(&d->total));
	snprintf(t[3].value.s, sizeof t[3].value.s, "%.4g", d->total.max_err);
	snprintf(t[4].value.s, sizeof t[4].value.s, "%zu", s->n_rows);
	snprintf(weights, sizeof weights, "%s weights", human_count(s->weights).s);
	t[4].note = weights;
	page_tiles(f, t, sizeof t / sizeof *t);
}

static void list_unlike(FILE *f, const struct heft_diff *d)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n_items; i++) {
		const struct heft_diff_item *it = &d->item[i];
		if (compared(it))
			continue;
		if (!n++) {
			html_section(f, "Not compared", "Tensors of one that the other lacks, or has in another shape.");
			fputs("<ul>\n", f);
		}
		if (n <= LISTED)
			html_element(f, "li", "%s: %s", it->name, it->shapes_differ ? "another shape" : it->name_a ? "not in B" : "not in A");
	}
	if (n > LISTED)
		html_element(f, "li", "and %zu more", n - LISTED);
	if (n)
		fputs("</ul>\n</section>\n", f);
}

static void side(FILE *f, const char *which, const struct heft_model *m)
{
	html_element(f, "dt", "%s", which);
	html_element(f, "dd", "%s, %s, %zu tensors in %zu file%s%s%s", page_base(m->path), m->format, m->n_tensors, m->n_files, m->n_files == 1 ? "" : "s",
		     m->name ? ", " : "", m->name ? m->name : "");
}

void diff_html(const struct heft_diff *d, const struct heft_model *a, const struct heft_model *b, const struct tool *tool, const void *options, FILE *f)
{
	struct survey s = { 0 };

	survey_diff(&s, d);
	html_begin(f, "What differs");
	html_element(f, "h1", "%s, measured against %s", page_base(b->path), page_base(a->path));
	html_element(f, "p class=\"lead\"", "How far the numbers of two checkpoints are apart. Types and sizes are those of %s.", page_base(b->path));
	tiles(f, d, &s);
	list_unlike(f, d);
	if (s.n_rows) {
		page_errors(f, &s);
		page_histograms(f, &s);
		page_sizes(f, &s);
		page_map(f, &s);
		page_types(f, &s);
		page_tensors(f, &s);
	}
	html_section(f, "Provenance", NULL);
	fputs("<dl class=\"facts\">\n", f);
	html_element(f, "dt", "made by");
	html_element(f, "dd", "heft %s", HEFT_VERSION);
	side(f, "A", a);
	side(f, "B", b);
	page_given(f, tool, options);
	fputs("</dl>\n</section>\n", f);
	html_end(f);
	survey_release(&s);
}
