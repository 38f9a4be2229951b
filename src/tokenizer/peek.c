/*
 * peek.c - looks a few values up in a tokenizer.json without parsing it: model.type, model.byte_fallback, decoder.type.
 * Megabytes of vocabulary are passed over byte by byte. Refuses nothing: what is no JSON has none of these.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#define HEAD 65536 /* bytes that are looked at where the file may not be read */

struct scan {
	struct heft_str text;
	size_t i;
	size_t depth;
	struct heft_str key[3]; /* of the members that are open; the outermost object's is key[1] */
};

/* The string whose opening quote is at i; i moves behind it. Escapes stay: no name that is looked for has any. */
static struct heft_str scan_string(struct scan *s)
{
	size_t from = ++s->i;

	while (s->i < s->text.n && s->text.p[s->i] != '"')
		s->i += s->text.p[s->i] == '\\' ? 2 : 1;
	if (s->i > s->text.n)
		s->i = s->text.n;
	return (struct heft_str){ s->text.p + from, s->i++ - from };
}

static void keep(char *to, size_t cap, struct heft_str s)
{
	size_t n = s.n < cap ? s.n : cap - 1;

	memcpy(to, s.p, n);
	to[n] = 0;
}

static void take(struct peek *p, const struct scan *s, struct heft_str value)
{
	if (s->depth != 2)
		return;
	if (str_is(s->key[1], "model") && str_is(s->key[2], "type"))
		keep(p->model, sizeof(p->model), value);
	else if (str_is(s->key[1], "decoder") && str_is(s->key[2], "type"))
		keep(p->decoder, sizeof(p->decoder), value);
	else if (str_is(s->key[1], "model") && str_is(s->key[2], "byte_fallback"))
		p->byte_fallback = str_is(value, "true");
}

void peek_text(struct peek *p, struct heft_str text)
{
	struct scan s = { .text = text };
	bool value = false; /* a colon stands before */

	memset(p, 0, sizeof(*p));
	while (s.i < text.n) {
		char c = text.p[s.i];
		if (c == '"') {
			struct heft_str string = scan_string(&s);
			if (value)
				take(p, &s, string);
			else if (s.depth >= 1 && s.depth <= 2)
				s.key[s.depth] = string;
			value = false;
			continue;
		}
		if (c == 't' && value && text.n - s.i >= 4)
			take(p, &s, (struct heft_str){ text.p + s.i, 4 });
		if (c == '{' || c == '[')
			s.depth++;
		else if ((c == '}' || c == ']') && s.depth)
			s.depth--;
		value = c == ':' || (value && (c == ' ' || c == '\n' || c == '\t' || c == '\r'));
		s.i++;
	}
}

bool peek_file(struct peek *p, const char *dir, size_t limit)
{
	struct arena *a = arena_new();
	struct heft_str text;
	bool there = file_exists(dir, "tokenizer.json");

	memset(p, 0, sizeof(*p));
	if (there && (limit ? file_read(dir, "tokenizer.json", limit, &text, a, NULL)
			    : file_head(dir, "tokenizer.json", HEAD, &text, a, NULL)))
		there = false;
	if (there)
		peek_text(p, text);
	arena_free(a);
	return there;
}
