/*
 * draw.c owns plots of characters: bars, and one character per layer. Block characters where the locale is UTF-8, else what every terminal has.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "survey.h"

enum { BAR = 24, COLUMNS = 48 };

/* Where the locale says so; a block character of eighths is finer than a letter. */
static bool wants_blocks(void)
{
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const char *v = getenv(names[i]);
		if (v && *v)
			return strstr(v, "UTF-8") || strstr(v, "utf8") || strstr(v, "UTF8");
	}
	return false;
}

void draw_bar(FILE *f, double share, int columns)
{
	static const char *const eighth[] = { "", "▏", "▎", "▍", "▌", "▋", "▊", "▉" };
	int n = (int)lrint(share * columns * 8);
	bool blocks = wants_blocks();

	for (int i = 0; i < n / 8; i++)
		fputs(blocks ? "█" : "#", f);
	if (blocks)
		fputs(eighth[n % 8], f);
	else if (n % 8 >= 4)
		putc('#', f);
}

static void draw_sizes(const struct survey *s, FILE *f)
{
	uint64_t most = 1;

	for (size_t p = 0; survey_part_name(p); p++)
		most = survey_part_at(s, p).bytes > most ? survey_part_at(s, p).bytes : most;
	fprintf(f, "  %ssize by part%s\n", style(f, DIM), style(f, PLAIN));
	for (size_t p = 0; survey_part_name(p); p++) {
		struct survey_part part = survey_part_at(s, p);
		if (!part.tensors)
			continue;
		fprintf(f, "  %-18s %9s %5.1f%%  ", survey_part_name(p), human_bytes(part.bytes).s, s->bytes ? 100 * (double)part.bytes / (double)s->bytes : 0.0);
		draw_bar(f, (double)part.bytes / (double)most, BAR);
		putc('\n', f);
	}
}

/* ---- layers ---- */

/* Layers of one part, put together where there are more of them than columns. */
static int columns_of(const struct survey *s, size_t part, double *column)
{
	int per = (s->layers + COLUMNS - 1) / COLUMNS, n = (s->layers + per - 1) / per;
	struct heft_error *e = need(calloc((size_t)n, sizeof *e));

	for (size_t i = 0; i < s->n_rows; i++)
		if (s->row[i].layer >= 0 && s->row[i].error && s->kind[s->row[i].kind].part == part)
			heft_error_add(&e[s->row[i].layer / per], s->row[i].error);
	for (int i = 0; i < n; i++)
		column[i] = survey_relative(&e[i]);
	free(e);
	return n;
}

static void draw_line(FILE *f, const double *column, int n, double top)
{
	static const char *const block[] = { " ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
	static const char ascii[] = " .:-=+*#@";
	bool blocks = wants_blocks();

	for (int i = 0; i < n; i++) {
		int k = column[i] > 0 ? 1 + (int)(column[i] / top * 7.999) : 0;
		if (blocks)
			fputs(block[k > 8 ? 8 : k], f);
		else
			putc(ascii[k > 8 ? 8 : k], f);
	}
}

static void draw_layers(const struct survey *s, FILE *f)
{
	double column[COLUMNS], top = 0;

	for (size_t p = 0; survey_part_name(p); p++)
		for (int n = columns_of(s, p, column), i = 0; i < n; i++)
			top = fmax(top, column[i]);
	if (top <= 0)
		return;
	fprintf(f, "  %serror by layer, 0 to %d%s\n", style(f, DIM), s->layers - 1, style(f, PLAIN));
	for (size_t p = 0; survey_part_name(p); p++) {
		double least = INFINITY, most = 0;
		int n = columns_of(s, p, column);
		for (int i = 0; i < n; i++) {
			least = fmin(least, column[i]);
			most = fmax(most, column[i]);
		}
		if (most <= 0)
			continue;
		fprintf(f, "  %-18s %6.2f%% to %5.2f%%  ", survey_part_name(p), 100 * least, 100 * most);
		draw_line(f, column, n, top);
		putc('\n', f);
	}
}

void draw_survey(const struct survey *s, FILE *f)
{
	draw_sizes(s, f);
	if (s->layers)
		draw_layers(s, f);
}
