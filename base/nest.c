/*
 * nest.c - names with dots as nested JSON objects: rows are sorted by their parts, and an object is open while its rows
 * go by.
 */
#include "nest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LEVELS = 32 };

bool nest_has(const struct nest *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (!strcmp(s->row[i].name, name))
			return true;
	return false;
}

void nest_put(struct nest *s, const char *name, const char *json)
{
	s->row = arena_grow(s->arena, s->row, &s->cap, s->n + 1, sizeof *s->row);
	s->row[s->n] = (struct nest_row){ name, json, s->n };
	s->n++;
}

/* A dot comes before all other bytes, so that what lies below a name follows it. */
static int by_parts(const void *a, const void *b)
{
	const struct nest_row *r = a, *t = b;
	const unsigned char *x = (const unsigned char *)r->name, *y = (const unsigned char *)t->name;

	while (*x && *x == *y)
		x++, y++;
	if (*x == *y)
		return r->order < t->order ? -1 : r->order > t->order;
	if (!*x || !*y)
		return *x ? 1 : -1;
	return *x == '.' ? -1 : *y == '.' ? 1 : *x < *y ? -1 : 1;
}

/* How many objects two names lie in together; both end in a part that is no object. */
static int common_levels(const char *a, const char *b)
{
	int n = 0;

	for (; *a && *a == *b; a++, b++)
		n += *a == '.';
	return n;
}

static int levels_of(const char *name)
{
	int n = 0;

	for (; *name; name++)
		n += *name == '.';
	return n;
}

/* ... or is it again */
static bool lies_below(const char *name, const char *above)
{
	size_t n = strlen(above);

	return !strncmp(name, above, n) && (name[n] == '.' || !name[n]);
}

/* A new line, with a comma where something stands before on this level. */
static void begin_line(struct jbuf *b, int level, bool more)
{
	jbuf_printf(b, "%s\n%*s", more ? "," : "", 2 * level, "");
}

static void close_objects(struct jbuf *b, int from, int to)
{
	for (; from > to; from--)
		jbuf_printf(b, "\n%*s}", 2 * from, "");
}

static void write_row(struct jbuf *b, const struct nest_row *r, int level)
{
	const char *part = r->name;
	bool more = b->p[b->n - 1] != '{';

	for (int i = 0; i < level; i++)
		part = strchr(part, '.') + 1;
	for (const char *dot; (dot = strchr(part, '.')); part = dot + 1) {
		begin_line(b, ++level, more);
		jbuf_string(b, part, (size_t)(dot - part));
		jbuf_printf(b, ": {");
		more = false;
	}
	begin_line(b, level + 1, more);
	jbuf_string(b, part, strlen(part));
	jbuf_printf(b, ": %s", r->json);
}

struct heft_str nest_text(const struct nest *s)
{
	struct nest_row *row = (struct nest_row *)arena_memdup(s->arena, s->row, s->n * sizeof *row);
	const char *before = "";
	struct jbuf b = { 0 };
	struct heft_str out;
	int level = 0;

	if (s->n)
		qsort(row, s->n, sizeof *row, by_parts);
	jbuf_raw(&b, "{", 1);
	for (size_t i = 0; i < s->n; i++) {
		if ((*before && lies_below(row[i].name, before)) || levels_of(row[i].name) > LEVELS)
			continue;
		close_objects(&b, level, common_levels(before, row[i].name));
		level = common_levels(before, row[i].name);
		write_row(&b, &row[i], level);
		level = levels_of(row[i].name);
		before = row[i].name;
	}
	close_objects(&b, level, 0);
	jbuf_raw(&b, "\n}\n", 3);
	out = (struct heft_str){ arena_memdup(s->arena, b.p, b.n), b.n };
	jbuf_release(&b);
	return out;
}

const char *json_of_str(struct heft_str s, struct arena *a)
{
	struct jbuf b = { 0 };
	const char *out;

	jbuf_string(&b, s.p, s.n);
	out = arena_memdup(a, b.p, b.n);
	jbuf_release(&b);
	return out;
}

/* Python would take a number without point and exponent for an integer. */
static const char *as_float(char *s, struct arena *a)
{
	char *comma = strchr(s, ','); /* of the locale */

	if (comma)
		*comma = '.';
	return strpbrk(s, ".eE") ? s : arena_printf(a, "%s.0", s);
}

const char *json_of_f64(double v, struct arena *a)
{
	char *s = NULL;

	if (!isfinite(v))
		return isnan(v) ? "NaN" : v > 0 ? "Infinity" : "-Infinity";
	for (int digits = 15; digits <= 17; digits++) {
		s = arena_printf(a, "%.*g", digits, v);
		if (strtod(s, NULL) == v)
			break;
	}
	return as_float(s, a);
}

const char *json_of_f32(float v, struct arena *a)
{
	char *s = NULL;

	if (!isfinite(v))
		return json_of_f64((double)v, a);
	for (int digits = 6; digits <= 9; digits++) {
		s = arena_printf(a, "%.*g", digits, (double)v);
		if (strtof(s, NULL) == v)
			break;
	}
	return as_float(s, a);
}
