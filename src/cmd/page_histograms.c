/*
 * page_histograms.c owns the plots of how large the errors of the worst tensors are. Bins are powers of two, and the same in all plots.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "page.h"

enum { WORST = 8 };
#define SMALL 0.002 /* a share below this at the ends is not drawn by itself */

struct span {
	int first, last;
};

static uint64_t counted(const struct heft_error *e)
{
	uint64_t n = 0;

	for (int i = 0; i < HEFT_ERROR_BINS; i++)
		n += e->histogram[i];
	return n;
}

static double share(const struct heft_error *e, int bin)
{
	uint64_t n = counted(e);

	return n ? (double)e->histogram[bin] / (double)n : 0;
}

/* Bins in which any of the tensors has a share that is seen. */
static struct span span_of(const struct survey_row *const *row, size_t n)
{
	struct span s = { HEFT_ERROR_BINS, -1 };

	for (size_t i = 0; i < n; i++)
		for (int b = 1; b < HEFT_ERROR_BINS; b++)
			if (share(row[i]->error, b) >= SMALL) {
				s.first = b < s.first ? b : s.first;
				s.last = b > s.last ? b : s.last;
			}
	return s;
}

static double highest(const struct survey_row *const *row, size_t n)
{
	double top = 0;

	for (size_t i = 0; i < n; i++)
		for (int b = 1; b < HEFT_ERROR_BINS; b++)
			top = fmax(top, share(row[i]->error, b));
	return top;
}

static void draw(FILE *f, const struct survey *s, const struct survey_row *r, struct span span, double top)
{
	int bins = span.last - span.first + 1;

	fprintf(f, "<svg viewBox=\"0 0 %d 100\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"", bins * 10);
	html_said(f, "How many of the weights of %s have an error of which size", r->name);
	fputs("\">", f);
	for (int b = span.first; b <= span.last; b++) {
		double x = share(r->error, b), h = 100 * x / top;
		fprintf(f, "<rect x=\"%.1f\" y=\"%.2f\" width=\"9\" height=\"%.2f\" fill=\"var(--c%d)\"><title>%.3g to %.3g: %.2f%%</title></rect>",
			(b - span.first) * 10 + .5, 100 - h, h, page_colour(s, r->to), ldexp(1, b - 41), ldexp(1, b - 40), 100 * x);
	}
	fputs("</svg><div class=\"axis\">", f);
	html_element(f, "span", "%.2g", ldexp(1, span.first - 41));
	html_element(f, "span", "%.2g", ldexp(1, span.last - 40));
	fputs("</div>", f);
}

static void figure(FILE *f, const struct survey *s, const struct survey_row *r, struct span span, double top)
{
	const struct heft_error *e = r->error;

	fputs("<figure><figcaption>", f);
	html_name(f, "b", r->name);
	html_element(f, "span", "%s", heft_encoding_name(r->to));
	fputs("</figcaption>", f);
	if (span.last >= span.first && counted(e))
		draw(f, s, r, span, top);
	fputs("<p class=\"lead\">", f);
	html_said(f, "relative error %.2f%%, SQNR %s, largest %.3g", 100 * survey_relative(e), show_sqnr(e).s, e->max_err);
	if (share(e, 0) >= 0.0005)
		html_said(f, ", %.1f%% exact", 100 * share(e, 0));
	if (e->clippable)
		html_said(f, ", %" PRIu64 " clipped", e->clipped);
	fputs("</p></figure>\n", f);
}

void page_histograms(FILE *f, const struct survey *s)
{
	const struct survey_row *worst[WORST];
	size_t n = survey_worst(s, worst, WORST);
	struct span span = span_of(worst, n);
	double top = highest(worst, n);

	if (!n)
		return;
	html_section(f, "Worst tensors", "Those with the lowest ratio of signal to error, the worst first. A plot shows which share of a tensor's weights is "
		     "off by how much: each bar is a power of two, widths and heights are the same in all plots.");
	fputs("<div class=\"minis\">\n", f);
	for (size_t i = 0; i < n; i++)
		figure(f, s, worst[i], span, top);
	fputs("</div>\n</section>\n", f);
}
