/*
 * page.c owns the sections and plots of a report's page. Plots are SVG that is stretched to the width there is; their words stand beside
 * them as HTML, so that they are not stretched. Whatever hovers is in a title, whatever matters is printed.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "page.h"

enum { MAX_KINDS = 60, MAX_TENSORS = 5000 };

bool page_wanted(const char *path)
{
	const char *dot = path ? strrchr(path, '.') : NULL;

	return dot && (!strcasecmp(dot, ".html") || !strcasecmp(dot, ".htm"));
}

const char *page_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

/* ---- types and their colours ---- */

/* Types of like size have like colours on every page; where two would have one, the larger takes the next. */
static int first_colour(const struct heft_encoding *enc)
{
	static const double below[] = { 2.2, 3, 4, 4.8, 5.8, 8, 10 };
	double bits = heft_encoding_bits(enc);
	int c = 0;

	if (bits >= 16)
		return bits >= 32 ? 9 : 8;
	while (c < 7 && bits >= below[c])
		c++;
	return c;
}

int page_colour(const struct survey *s, const struct heft_encoding *enc)
{
	const struct survey_type *t = survey_type_of(s, enc);
	int colour = -1;

	for (size_t rank = 0; t && rank <= t->rank; rank++)
		for (size_t i = 0; i < s->n_types; i++)
			if (s->type[i].rank == rank) {
				int c = first_colour(s->type[i].enc);
				colour = c > colour ? c : (colour + 1) % 10;
			}
	return colour < 0 ? 9 : colour;
}

void page_type(FILE *f, const struct survey *s, const struct heft_encoding *enc)
{
	fprintf(f, "<span class=\"chip\" style=\"background:var(--c%d)\"></span>", page_colour(s, enc));
	html_text(f, heft_encoding_name(enc));
}

/* As the type has it, or as it came out where the type is one file's own. */
static double bits_of(const struct survey_type *t)
{
	double bits = heft_encoding_bits(t->enc);

	return bits >= 1 || !t->weights ? bits : 8 * (double)t->bytes / (double)t->weights;
}

static void legend(FILE *f, const struct survey *s)
{
	fputs("<ul class=\"legend\">", f);
	for (size_t rank = 0; rank < s->n_types; rank++)
		for (size_t i = 0; i < s->n_types; i++)
			if (s->type[i].rank == rank) {
				fputs("<li>", f);
				page_type(f, s, s->type[i].enc);
				html_said(f, " \302\267 %.3g bit", bits_of(&s->type[i]));
				fputs("</li>", f);
			}
	fputs("</ul>\n", f);
}

/* ---- tiles ---- */

void page_tiles(FILE *f, const struct tile *t, size_t n)
{
	fputs("<dl class=\"tiles\">\n", f);
	for (size_t i = 0; i < n; i++) {
		fputs("<div>", f);
		html_element(f, "dt", "%s", t[i].what);
		html_element(f, "dd", "%s", t[i].value.s);
		if (t[i].note)
			html_element(f, "dd class=\"note\"", "%s", t[i].note);
		fputs("</div>\n", f);
	}
	fputs("</dl>\n", f);
}

/* ---- size by part ---- */

static uint64_t bytes_of(const struct survey *s, size_t part, const struct heft_encoding *enc)
{
	uint64_t n = 0;

	for (size_t i = 0; i < s->n_rows; i++)
		if (s->kind[s->row[i].kind].part == part && s->row[i].to == enc)
			n += s->row[i].bytes;
	return n;
}

/* One bar: the share of each type, of the largest part. */
static void draw_part(FILE *f, const struct survey *s, size_t part, uint64_t most)
{
	double x = 0;

	fputs("<svg viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\">", f);
	for (size_t rank = 0; rank < s->n_types; rank++)
		for (size_t i = 0; i < s->n_types; i++) {
			const struct survey_type *t = &s->type[i];
			double w = t->rank == rank ? 1000 * (double)bytes_of(s, part, t->enc) / (double)most : 0;
			if (w <= 0)
				continue;
			fprintf(f, "<rect x=\"%.2f\" width=\"%.2f\" height=\"10\" fill=\"var(--c%d)\"/>", x, w, page_colour(s, t->enc));
			x += w;
		}
	fputs("</svg>", f);
}

void page_sizes(FILE *f, const struct survey *s)
{
	uint64_t most = 1;

	html_section(f, "Size by part", "How much of the weights' bytes each part of the model takes, and in which types.");
	legend(f, s);
	for (size_t p = 0; survey_part_name(p); p++)
		most = survey_part_at(s, p).bytes > most ? survey_part_at(s, p).bytes : most;
	fputs("<ul class=\"bars\">\n", f);
	for (size_t p = 0; survey_part_name(p); p++) {
		struct survey_part part = survey_part_at(s, p);
		if (!part.tensors)
			continue;
		fputs("<li><div class=\"head\">", f);
		html_element(f, "b", "%s", survey_part_name(p));
		html_element(f, "span", "%s \302\267 %.1f%% \302\267 %.3g bit", human_bytes(part.bytes).s,
			     s->bytes ? 100 * (double)part.bytes / (double)s->bytes : 0.0, part.weights ? 8 * (double)part.bytes / (double)part.weights : 0.0);
		fputs("</div>", f);
		draw_part(f, s, p, most);
		fputs("</li>\n", f);
	}
	fputs("</ul>\n</section>\n", f);
}

/* ---- error by layer ---- */

static struct survey_cell *all_cells(const struct survey *s)
{
	struct survey_cell *all = need(calloc((size_t)s->layers + 1, sizeof *all));

	for (size_t i = 0; i < s->n_rows; i++)
		if (s->row[i].layer >= 0 && s->row[i].error) {
			all[s->row[i].layer].tensors++;
			heft_error_add(&all[s->row[i].layer].error, s->row[i].error);
		}
	return all;
}

static double highest(const struct survey_cell *cell, int n)
{
	double top = 0;

	for (int i = 0; i < n; i++)
		top = fmax(top, survey_relative(&cell[i].error));
	return top;
}

/* One bar for each layer, as high as its relative error; top is the full height. Cells of many kinds have the page's own colour. */
static void draw_layers(FILE *f, const struct survey *s, const struct survey_cell *cell, double top, const char *label)
{
	fprintf(f, "<svg viewBox=\"0 0 %d 100\" preserveAspectRatio=\"none\" shape-rendering=\"crispEdges\" role=\"img\" aria-label=\"", s->layers * 10);
	html_text(f, label);
	fputs("\">", f);
	for (int i = 0; i < s->layers; i++) {
		double x = survey_relative(&cell[i].error), h = top > 0 ? 100 * x / top : 0;
		if (!cell[i].tensors)
			continue;
		fprintf(f, "<rect x=\"%d\" y=\"%.2f\" width=\"%d\" height=\"%.2f\" fill=\"var(--", i * 10, 100 - h, s->layers > 32 && cell[i].largest ? 10 : 8, h);
		if (cell[i].largest)
			fprintf(f, "c%d", page_colour(s, cell[i].largest->to));
		else
			fputs("accent", f);
		fprintf(f, ")\"><title>layer %d", i);
		if (cell[i].largest)
			html_said(f, ", %s%s", heft_encoding_name(cell[i].largest->to), cell[i].mixed ? " and others" : "");
		html_said(f, ": %.3f%%", 100 * x);
		fputs("</title></rect>", f);
	}
	fputs("</svg>", f);
}

/* 1, 2 or 5 of a power of ten, so that about three of them are x. */
static double step_of(double x)
{
	double power = pow(10, floor(log10(x / 3))), part = x / 3 / power;

	return power * (part < 1.5 ? 1 : part < 3.5 ? 2 : part < 7.5 ? 5 : 10);
}

static void draw_all(FILE *f, const struct survey *s, const struct survey_cell *all)
{
	double top = 1.08 * highest(all, s->layers), step = step_of(top);

	fputs("<div class=\"plot\"><div class=\"area\">", f);
	for (int k = 0; k * step < top && k < 8; k++) {
		fprintf(f, "<i style=\"bottom:%.2f%%\">", 100 * k * step / top);
		html_element(f, "span", "%.3g%%", 100 * k * step);
		fputs("</i>", f);
	}
	draw_layers(f, s, all, top, "Relative error of all tensors of each layer");
	fputs("</div><div class=\"axis\">", f);
	html_element(f, "span", "layer 0");
	if (s->layers > 1)
		html_element(f, "span", "layer %d", s->layers - 1);
	fputs("</div></div>\n", f);
}

static void draw_kind(FILE *f, const struct survey *s, size_t kind, double top)
{
	struct survey_cell *cell = need(calloc((size_t)s->layers + 1, sizeof *cell));
	const struct survey_kind *k = &s->kind[kind];

	survey_cells(s, kind, cell);
	fputs("<figure><figcaption>", f);
	html_name(f, "b", k->label);
	html_element(f, "span", "%.2f%%", 100 * survey_relative(&k->error));
	fputs("</figcaption>", f);
	draw_layers(f, s, cell, top, k->label);
	fputs("</figure>\n", f);
	free(cell);
}

static bool is_drawn(const struct survey_kind *k)
{
	return k->layered && survey_relative(&k->error) > 0;
}

static double highest_of_kinds(const struct survey *s)
{
	double top = 0;

	for (size_t i = 0; i < s->n_rows; i++)
		if (s->row[i].error && is_drawn(&s->kind[s->row[i].kind]))
			top = fmax(top, survey_relative(s->row[i].error));
	return top;
}

static void draw_kinds(FILE *f, const struct survey *s)
{
	double top = highest_of_kinds(s);
	size_t drawn = 0;

	html_element(f, "h3", "By kind of tensor");
	html_element(f, "p class=\"lead\"", "Each bar is a layer, from the first to the last; the height is %.3g%% in all of them, the colour is the type. "
		     "The number is that of the whole kind.", 100 * top);
	legend(f, s);
	fputs("<div class=\"minis small\">\n", f);
	for (size_t p = 0; survey_part_name(p); p++)
		for (size_t i = 0; i < s->n_kinds && drawn < MAX_KINDS; i++)
			if (s->kind[i].part == p && is_drawn(&s->kind[i])) {
				draw_kind(f, s, i, top);
				drawn++;
			}
	fputs("</div>\n", f);
}

static void list_alone(FILE *f, const struct survey *s)
{
	bool any = false;

	for (size_t i = 0; i < s->n_rows; i++) {
		const struct survey_row *r = &s->row[i];
		if (r->layer >= 0 || !r->error || survey_relative(r->error) <= 0)
			continue;
		fputs(any ? ", " : "<p class=\"lead\">Of no layer: ", f);
		html_said(f, "%s %s %.2f%%", r->name, heft_encoding_name(r->to), 100 * survey_relative(r->error));
		any = true;
	}
	fputs(any ? ".</p>\n" : "", f);
}

void page_errors(FILE *f, const struct survey *s)
{
	struct survey_cell *all;

	if (!s->measured)
		return;
	html_section(f, "Error by layer", survey_relative(&s->error) > 0 ?
		     "Relative error: the root mean square of what changed, as a share of the weights' own." : "Nothing was lost: every weight is what it was.");
	all = all_cells(s);
	if (s->layers && highest(all, s->layers) > 0) {
		draw_all(f, s, all);
		draw_kinds(f, s);
	}
	list_alone(f, s);
	free(all);
	fputs("</section>\n", f);
}

/* ---- the map ---- */

static void draw_strip(FILE *f, const struct survey *s, const struct survey_cell *cell, const char *label)
{
	fprintf(f, "<svg viewBox=\"0 0 %d 10\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"", s->layers * 10);
	html_said(f, "Types of %s", label);
	fputs("\">", f);
	for (int i = 0; i < s->layers; i++) {
		if (!cell[i].tensors)
			continue;
		fprintf(f, "<rect x=\"%d\" width=\"9.5\" height=\"10\" fill=\"var(--c%d)\"><title>layer %d: ", i * 10, page_colour(s, cell[i].largest->to), i);
		html_said(f, "%s%s, %s", heft_encoding_name(cell[i].largest->to), cell[i].mixed ? " and others" : "", human_bytes(cell[i].bytes).s);
		fputs("</title></rect>", f);
	}
	fputs("</svg>\n", f);
}

static void draw_row(FILE *f, const struct survey *s, size_t kind)
{
	struct survey_cell *cell = need(calloc((size_t)s->layers + 1, sizeof *cell));

	survey_cells(s, kind, cell);
	html_name(f, "span", s->kind[kind].label);
	draw_strip(f, s, cell, s->kind[kind].label);
	free(cell);
}

static void list_rest(FILE *f, const struct survey *s)
{
	size_t shown = 0;

	fputs("<ul class=\"legend\">", f);
	for (size_t i = 0; i < s->n_rows && shown < MAX_KINDS; i++) {
		const struct survey_row *r = &s->row[i];
		if (r->layer >= 0 || (r->dim && r->rank <= 1))
			continue;
		fputs("<li>", f);
		page_type(f, s, r->to);
		html_said(f, " \302\267 %s", r->name);
		fputs("</li>", f);
		shown++;
	}
	if (!shown)
		fputs("<li>none</li>", f);
	fputs("</ul>\n", f);
}

void page_map(FILE *f, const struct survey *s)
{
	size_t drawn = 0;

	html_section(f, "Which type where", "A row for each kind of tensor, a column for each layer from the first to the last.");
	legend(f, s);
	if (s->layers) {
		fputs("<div class=\"map\">\n", f);
		for (size_t p = 0; survey_part_name(p); p++)
			for (size_t i = 0; i < s->n_kinds && drawn < MAX_KINDS; i++)
				if (s->kind[i].part == p && s->kind[i].layered) {
					draw_row(f, s, i);
					drawn++;
				}
		fputs("<span></span><div class=\"axis\">", f);
		html_element(f, "span", "layer 0");
		html_element(f, "span", "layer %d", s->layers - 1);
		fputs("</div></div>\n", f);
	}
	html_element(f, "h3", "Of no layer");
	list_rest(f, s);
	fputs("</section>\n", f);
}
