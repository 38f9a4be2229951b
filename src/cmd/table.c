/*
 * table.c owns aligned tables: cells are kept until the widths are known.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"

static void add(struct table *t, char *cell)
{
	t->cell = need(realloc(t->cell, (t->n + 1) * sizeof *t->cell));
	t->cell[t->n++] = cell;
}

void table_init(struct table *t, const char *align, const char *const head[])
{
	*t = (struct table){ .align = align, .columns = strlen(align) };
	for (size_t i = 0; i < t->columns; i++)
		add(t, need(strdup(head[i])));
}

void table_add(struct table *t, const char *fmt, ...)
{
	va_list ap;
	char text[1024];

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	add(t, need(strdup(text)));
}

static int width_of(const struct table *t, size_t column)
{
	size_t widest = 0;

	for (size_t i = column; i < t->n; i += t->columns) {
		size_t w = safe_puts(NULL, t->cell[i]);
		widest = w > widest ? w : widest;
	}
	return (int)widest;
}

/* One cell; *gap is what must stand before the next one, kept back so that no line ends in spaces. */
static void put(const struct table *t, FILE *f, size_t i, int width, int *gap)
{
	int used = (int)safe_puts(NULL, t->cell[i]);
	bool right = t->align[i % t->columns] == 'r';

	if (used) {
		fprintf(f, "%*s", *gap + (right ? width - used : 0), "");
		safe_puts(f, t->cell[i]);
		*gap = 0;
	}
	*gap += 2 + (used && right ? 0 : width - used);
}

void table_print(struct table *t, FILE *f, int indent)
{
	int width[16], gap = 0;

	assert(t->columns > 0 && t->columns <= sizeof width / sizeof *width);
	for (size_t c = 0; c < t->columns; c++)
		width[c] = width_of(t, c);
	for (size_t i = 0; i < t->n; i++) {
		size_t c = i % t->columns;
		if (c == 0) {
			fputs(i == 0 ? style(f, DIM) : "", f);
			gap = indent;
		}
		put(t, f, i, width[c], &gap);
		if (c + 1 == t->columns)
			fprintf(f, "%s\n", i < t->columns ? style(f, PLAIN) : "");
		free(t->cell[i]);
		t->cell[i] = NULL;
	}
	free(t->cell);
	t->cell = NULL;
}
