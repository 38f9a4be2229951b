/*
 * histogram.c owns how errors are drawn: for each type, what share of its weights is off by how much, in powers of two.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

enum { BAR = 40 };
#define SMALL 0.005 /* shares below this at either end are put together */

/* A bin's lower bound. */
static double bound(int bin)
{
	return ldexp(1, bin - 41);
}

struct span { /* bins that are drawn: what lies outside is put into the first and the last */
	int first, last;
	uint64_t all;
};

static struct span span_of(const struct heft_error *e)
{
	struct span s = { .first = 1, .last = HEFT_ERROR_BINS - 1 };
	uint64_t low = 0, high = 0;

	for (int i = 0; i < HEFT_ERROR_BINS; i++)
		s.all += e->histogram[i];
	while (s.first < s.last && (double)(low += e->histogram[s.first]) < SMALL * (double)s.all)
		s.first++;
	while (s.last > s.first && (double)(high += e->histogram[s.last]) < SMALL * (double)s.all)
		s.last--;
	return s;
}

static double share_of(const struct heft_error *e, const struct span *s, int bin)
{
	uint64_t n = e->histogram[bin];

	for (int i = 1; bin == s->first && i < s->first; i++)
		n += e->histogram[i];
	for (int i = s->last + 1; bin == s->last && i < HEFT_ERROR_BINS; i++)
		n += e->histogram[i];
	return (double)n / (double)s->all;
}

static void print_row(FILE *f, const struct heft_error *e, const struct span *s, int bin, double top)
{
	double rms = sqrt(e->sum_sq / (double)(e->count - e->nonfinite)), share = share_of(e, s, bin);
	char from[16], to[16];

	snprintf(from, sizeof from, bin == s->first ? "0" : "%.2g", bound(bin));
	snprintf(to, sizeof to, "%.2g", bin == s->last ? e->max_err : bound(bin + 1));
	fprintf(f, "    %8s to %-8s  %8.2f%%  %5.1f%%  ", from, to, 100 * (bin == s->last ? e->max_err : bound(bin + 1)) / rms, 100 * share);
	draw_bar(f, share / top, BAR);
	putc('\n', f);
}

void histogram_print(const char *type, const struct heft_error *e, FILE *f)
{
	struct span s = span_of(e);
	double top = 0;

	if (!s.all || s.all == e->histogram[0])
		return;
	for (int i = s.first; i <= s.last; i++)
		top = fmax(top, share_of(e, &s, i));
	fprintf(f, "  %s%s%s: error, at most so much of the weights' RMS, share of the weights\n", style(f, BOLD), type, style(f, PLAIN));
	if (e->histogram[0])
		fprintf(f, "    exact                 %8s   %5.1f%%\n", "", 100 * (double)e->histogram[0] / (double)s.all);
	for (int i = s.first; i <= s.last; i++)
		print_row(f, e, &s, i, top);
	if (e->clippable)
		fprintf(f, "    clipped: %" PRIu64 " of %" PRIu64 "\n", e->clipped, e->clippable);
}
