/*
 * emit.c owns the JSON that the tools write: UTF-8 out whatever comes in, one entry per line near the top so that
 * reports can be compared line by line, no number that JSON cannot hold.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"

enum { DEEP = 3 }; /* from this depth on, everything stays on the line */

/* One character, escaped where JSON asks for it or where it would steer a terminal. Returns the bytes used. */
static size_t put_char(FILE *f, const char *s, size_t n)
{
	uint32_t c;
	size_t len = safe_decode(s, n, &c);

	if (!len)
		fputs("\\ufffd", f);
	else if (c == '"' || c == '\\')
		fprintf(f, "\\%c", (int)c);
	else if (!safe_steers(c))
		fwrite(s, 1, len, f);
	else if (c < 0x10000)
		fprintf(f, "\\u%04" PRIx32, c);
	else
		fprintf(f, "\\u%04" PRIx32 "\\u%04" PRIx32, 0xd7c0 + (c >> 10), 0xdc00 + (c & 0x3ff));
	return len ? len : 1;
}

static void put_string(FILE *f, const char *s, size_t n)
{
	putc('"', f);
	while (n) {
		size_t len = put_char(f, s, n);
		s += len;
		n -= len;
	}
	putc('"', f);
}

static void new_line(struct emitter *w)
{
	if (w->line || w->depth >= DEEP)
		return;
	putc('\n', w->f);
	for (int i = 0; i < w->depth; i++)
		putc('\t', w->f);
}

/* What stands before a value: comma, line, key. */
static void begin(struct emitter *w, const char *key)
{
	if (w->comma)
		fputs(w->line || w->depth >= DEEP ? ", " : ",", w->f);
	if (w->depth)
		new_line(w);
	if (key) {
		put_string(w->f, key, strlen(key));
		fputs(": ", w->f);
	}
	w->comma = true;
}

void emit_open(struct emitter *w, const char *key, char bracket)
{
	begin(w, key);
	putc(bracket, w->f);
	w->depth++;
	w->comma = false;
}

void emit_close(struct emitter *w, char bracket)
{
	bool empty = !w->comma;

	w->depth--;
	if (!empty && w->depth < DEEP - 1)
		new_line(w);
	putc(bracket, w->f);
	w->comma = true;
}

void emit_bytes(struct emitter *w, const char *key, struct heft_str s)
{
	begin(w, key);
	put_string(w->f, s.p, s.n);
}

void emit_text(struct emitter *w, const char *key, const char *s)
{
	if (s) {
		emit_bytes(w, key, (struct heft_str){ s, strlen(s) });
		return;
	}
	begin(w, key);
	fputs("null", w->f);
}

void emit_number(struct emitter *w, const char *key, uint64_t n)
{
	begin(w, key);
	fprintf(w->f, "%" PRIu64, n);
}

void emit_integer(struct emitter *w, const char *key, int64_t n)
{
	begin(w, key);
	fprintf(w->f, "%" PRId64, n);
}

/* The shortest decimal that reads back as the same number. */
void emit_real(struct emitter *w, const char *key, double x)
{
	char text[40];

	if (!isfinite(x)) {
		emit_text(w, key, NULL);
		return;
	}
	for (int digits = 6; digits <= 17; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, x);
		if (strtod(text, NULL) == x)
			break;
	}
	begin(w, key);
	fputs(text, w->f);
}

void emit_flag(struct emitter *w, const char *key, bool b)
{
	begin(w, key);
	fputs(b ? "true" : "false", w->f);
}

void emit_dims(struct emitter *w, const char *key, const uint64_t *dim, int rank)
{
	emit_open(w, key, '[');
	for (int i = 0; i < rank; i++)
		emit_number(w, NULL, dim[i]);
	emit_close(w, ']');
}

void emit_report(struct emitter *w, const char *tool)
{
	emit_report_to(w, stdout, tool);
}

void emit_report_to(struct emitter *w, FILE *f, const char *tool)
{
	*w = (struct emitter){ .f = f };
	emit_open(w, NULL, '{');
	emit_number(w, "schema", HEFT_SCHEMA);
	emit_text(w, "heft", HEFT_VERSION);
	emit_text(w, "tool", tool);
}

void emit_report_end(struct emitter *w)
{
	emit_close(w, '}');
	putc('\n', w->f);
}
