/*
 * scan.c - the rows of a family or recipe, and their words: names, strings, punctuation. Knows nothing of their
 * meaning.
 */
#include "expr.h"

#include <stdio.h>
#include <string.h>

/* Longest first, so that "+" is not found in "++". */
static const char *const marks[] = { "->", "??", "?=", "++", "//", "**", "==", "!=", "<=", ">=", "?", ":", "|", "+",
	"-", "*", "/", "%", "<", ">", "(", ")", "[", "]", ",", ".", "=", "{", "}", NULL };

static bool name_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool name_char(char c)
{
	return name_start(c) || (c >= '0' && c <= '9');
}

void symbols_init(struct symbols *s, struct arena *a)
{
	*s = (struct symbols){ .arena = a };
	map_init(&s->map);
}

void symbols_release(struct symbols *s)
{
	map_release(&s->map);
}

int symbols_add(struct symbols *s, const char *name, size_t n)
{
	bool found;
	const struct map_slot *known = map_find(&s->map, name, n);
	if (known)
		return (int)known->value.i;
	char *own = arena_memdup(s->arena, name, n);
	if (s->n == s->cap)
		s->name = arena_grow(s->arena, s->name, &s->cap, s->n + 1, sizeof(*s->name));
	s->name[s->n] = own;
	map_put(&s->map, own, n, &found)->value.i = (int64_t)s->n;
	return (int)s->n++;
}

/* Bytes of a line that are not comment: up to a carriage return or a # outside of quotes. */
static size_t line_length(const char *line)
{
	bool quoted = false;
	const char *p = line;
	for (; *p && *p != '\n' && *p != '\r' && (quoted || *p != '#'); p++) {
		if (quoted && *p == '\\' && p[1] && p[1] != '\n')
			p++;
		else if (*p == '"')
			quoted = !quoted;
	}
	return (size_t)(p - line);
}

/* The line and column where byte `at` of a row was written: its lines stand one behind another, without comments. */
static int place_of(const char *source, size_t at, int *line)
{
	for (;;) {
		size_t n = line_length(source);
		const char *next = strchr(source, '\n');
		if (at <= n || !next)
			return (int)at + 1;
		if (n > strspn(source, " \t"))
			at -= n;
		source = next + 1;
		++*line;
	}
}

int (scan_fail)(struct scan *s, const char *fmt, ...)
{
	char text[256];
	int line = s->line;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (s->source) {
		int column = place_of(s->source, (size_t)(s->p - s->row), &line);
		return heft_fail(s->err, s->code, "%s:%d:%d: %s", s->file, line, column, text);
	}
	return heft_fail(s->err, s->code, "%s:%d: %s", s->file, s->line, text);
}

void scan_blank(struct scan *s)
{
	while (*s->p == ' ' || *s->p == '\t')
		s->p++;
}

bool scan_end(struct scan *s)
{
	scan_blank(s);
	return !*s->p;
}

static size_t name_length(const char *p)
{
	size_t n = 0;
	if (name_start(p[0]))
		while (name_char(p[n]))
			n++;
	return n;
}

bool scan_word(struct scan *s, const char *word)
{
	scan_blank(s);
	size_t n = name_length(s->p);
	if (!n || n != strlen(word) || memcmp(s->p, word, n))
		return false;
	s->p += n;
	return true;
}

bool scan_name(struct scan *s, struct heft_str *out)
{
	scan_blank(s);
	size_t n = name_length(s->p);
	if (!n || n > EXPR_NAME_MAX)
		return false;
	*out = (struct heft_str){ s->p, n };
	s->p += n;
	return true;
}

bool scan_mark(struct scan *s, const char *mark)
{
	scan_blank(s);
	for (const char *const *m = marks; *m; m++) {
		size_t n = strlen(*m);
		if (strncmp(s->p, *m, n))
			continue;
		if (strcmp(*m, mark))
			return false;
		s->p += n;
		return true;
	}
	return false;
}

int scan_string(struct scan *s, struct heft_str *out)
{
	scan_blank(s);
	if (*s->p != '"')
		return 0;
	char *text = arena_alloc(s->arena, strlen(s->p));
	size_t n = 0;
	for (s->p++; *s->p != '"'; s->p++) {
		if (*s->p == '\\')
			s->p++;
		if (!*s->p)
			return scan_fail(s, "a string does not end");
		text[n++] = *s->p == 'n' && s->p[-1] == '\\' ? '\n' : *s->p;
	}
	s->p++;
	*out = (struct heft_str){ text, n };
	return 1;
}

char *scan_row(char *text, int *line, char **row, int *row_line)
{
	*row = NULL;
	while (*text) {
		char *end = strchr(text, '\n'), *next = end ? end + 1 : text + strlen(text);
		if (end)
			*end = 0;
		++*line;
		text[line_length(text)] = 0;
		bool empty = !text[strspn(text, " \t")], more = text[0] == ' ' || text[0] == '\t';
		if (!empty && !*row) {
			*row = text;
			*row_line = *line;
		} else if (!empty && more) {
			memmove(*row + strlen(*row), text, strlen(text) + 1);
		}
		text = next;
		bool goes_on = *next == ' ' || *next == '\t' || *next == '#';
		if (*row && !goes_on)
			return text;
	}
	return *row ? text : NULL;
}
