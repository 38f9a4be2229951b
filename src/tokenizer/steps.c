/*
 * steps.c - runs primitive steps over texts and pieces. Refuses texts that grow beyond reason and patterns that pass
 * their limits.
 */
#include "charsmap.h"
#include "steps.h"

#include <stdlib.h>
#include <string.h>

struct growing {
	char *p;
	size_t n, cap, limit;
	struct arena *arena;
};

/* Beyond the limit bytes are only counted. */
static void put(struct growing *g, const char *p, size_t n)
{
	if (n > g->limit || g->n > g->limit - n) {
		g->n = g->limit + 1;
		return;
	}
	if (!g->p || g->n + n + 1 > g->cap)
		g->p = arena_grow(g->arena, g->p, &g->cap, g->n + n + 1, 1);
	memcpy(g->p + g->n, p, n);
	g->n += n;
	g->p[g->n] = 0;
}

static struct heft_str grown(const struct growing *g)
{
	return (struct heft_str){ g->p ? g->p : "", g->n };
}

/* The next match of a step's pattern at or behind *from: 1, 0 or -1. */
static int find(const struct step *s, struct heft_str text, size_t *from, size_t *to, struct heft_err *err)
{
	const char *p;

	if (s->regex)
		return pattern_find(s->regex, text, from, to, err);
	p = memmem(text.p + *from, text.n - *from, s->literal.p, s->literal.n);
	if (!p)
		return 0;
	*from = (size_t)(p - text.p);
	*to = *from + s->literal.n;
	return 1;
}

struct range {
	size_t from, to;
	bool match;
};

struct ranges {
	struct range *range;
	size_t n, cap;
	struct arena *arena;
};

static void add_range(struct ranges *r, size_t from, size_t to, bool match)
{
	if (r->n == r->cap)
		r->range = arena_grow(r->arena, r->range, &r->cap, r->n + 1, sizeof(*r->range));
	r->range[r->n++] = (struct range){ from, to, match };
}

/* Ranges that cover the text: matches and what lies between. An empty match counts, but not right behind another
 * match. */
static int find_all(const struct step *s, struct heft_str text, struct ranges *r, struct heft_err *err)
{
	size_t at = 0, covered = 0, last = SIZE_MAX;
	int found = 0;

	while (at <= text.n) {
		size_t from = at, to = 0;
		found = find(s, text, &from, &to, err);
		if (found <= 0)
			break;
		if (from == to && to == last) {
			at = to < text.n ? to + char_length(text.p + to, text.n - to) : to + 1;
			continue;
		}
		if (covered < from)
			add_range(r, covered, from, s->invert);
		add_range(r, from, to, !s->invert);
		covered = at = last = to;
	}
	if (covered < text.n)
		add_range(r, covered, text.n, s->invert);
	return found < 0 ? -1 : 0;
}

/* Joins neighbours as the behavior says; the ranges that remain are pieces. */
static void join(struct ranges *r, enum behavior behavior)
{
	size_t n = 0;
	bool before = false;

	if (behavior == MERGED_WITH_NEXT) {
		for (size_t i = r->n; i-- > 0;) {
			struct range *next = n ? &r->range[r->n - n] : NULL;
			bool match = r->range[i].match;
			if (match && !before && next)
				next->from = r->range[i].from;
			else
				r->range[r->n - ++n] = r->range[i];
			before = match;
		}
		if (n)
			memmove(r->range, r->range + r->n - n, n * sizeof(*r->range));
		r->n = n;
		return;
	}
	for (size_t i = 0; i < r->n; i++) {
		bool match = r->range[i].match;
		bool joins =
			behavior == CONTIGUOUS ? match == before : behavior == MERGED_WITH_PREVIOUS && match && !before;
		if (joins && n)
			r->range[n - 1].to = r->range[i].to;
		else if (behavior != REMOVED || !match)
			r->range[n++] = r->range[i];
		before = match;
	}
	r->n = n;
}

void pieces_add(struct pieces *p, struct heft_str text, int32_t id, bool first)
{
	if (p->n == p->cap)
		p->piece = arena_grow(p->arena, p->piece, &p->cap, p->n + 1, sizeof(*p->piece));
	p->piece[p->n++] = (struct piece){ text, id, first };
}

static int split(const struct step *s, const struct piece *piece, struct pieces *out, struct heft_err *err)
{
	struct ranges r = { .arena = out->arena };

	if (find_all(s, piece->text, &r, err))
		return -1;
	join(&r, s->behavior);
	for (size_t i = 0; i < r.n; i++)
		if (r.range[i].from < r.range[i].to)
			pieces_add(
				out,
				(struct heft_str){ piece->text.p + r.range[i].from, r.range[i].to - r.range[i].from },
				-1, piece->first && r.range[i].from == 0);
	return 0;
}

static int replace(const struct step *s, struct heft_str *text, size_t limit, struct arena *a, struct heft_err *err)
{
	struct ranges r = { .arena = a };
	struct growing g = { .arena = a, .limit = limit };

	if (find_all(s, *text, &r, err))
		return -1;
	for (size_t i = 0; i < r.n; i++)
		if (r.range[i].match)
			put(&g, s->text.p, s->text.n);
		else
			put(&g, text->p + r.range[i].from, r.range[i].to - r.range[i].from);
	*text = grown(&g);
	return 0;
}

static void prepend(const struct step *s, struct heft_str *text, bool first, size_t limit, struct arena *a)
{
	struct growing g = { .arena = a, .limit = limit };
	bool there = text->n >= s->text.n && !memcmp(text->p, s->text.p, s->text.n);

	if (!text->n || (s->prepend != PREPEND_ANY && there) || (s->prepend == PREPEND_FIRST_UNLESS_THERE && !first))
		return;
	put(&g, s->text.p, s->text.n);
	put(&g, text->p, text->n);
	*text = grown(&g);
}

/* ---- bytes as printable characters
 * -------------------------------------------------------------------------------- */

/* Bytes that print stand for themselves; 00-20, 7F-A0 and AD follow one another from U+0100. */
enum { FROM_00 = 0x100, FROM_7F = FROM_00 + 0x21, FROM_AD = FROM_7F + 0x22 };

static int32_t char_of_byte(int b)
{
	return b < 0x21 ? FROM_00 + b : b == 0xad ? FROM_AD : b >= 0x7f && b < 0xa1 ? FROM_7F + b - 0x7f : b;
}

static int byte_of_char(int32_t c)
{
	if (c < FROM_00)
		return char_of_byte(c) == c ? c : -1;
	return c < FROM_7F ? c - FROM_00 : c < FROM_AD ? c - FROM_7F + 0x7f : c == FROM_AD ? 0xad : -1;
}

struct heft_str bytes_to_chars(struct heft_str s, struct arena *a)
{
	char *to = arena_array(a, s.n + 1, 2);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += char_put(to + n, char_of_byte((unsigned char)s.p[i]));
	return (struct heft_str){ to, n };
}

/* Bytes that are no UTF-8 become U+FFFD: one for each longest beginning of a character, as decoders do. */
static struct heft_str lossy(struct heft_str s, struct arena *a)
{
	struct growing g = { .arena = a, .limit = SIZE_MAX };

	for (size_t i = 0; i < s.n;) {
		unsigned char c = (unsigned char)s.p[i];
		size_t k = char_length(s.p + i, s.n - i), want = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
		if (k > 1 || c < 0x80) {
			put(&g, s.p + i, k);
			i += k;
			continue;
		}
		put(&g, "\xef\xbf\xbd", 3);
		for (k = 1; c >= 0xc2 && c <= 0xf4 && k < want - 1 && i + k < s.n; k++) {
			unsigned char d = (unsigned char)s.p[i + k];
			bool fits = (d & 0xc0) == 0x80;
			if (k == 1)
				fits = fits && !(c == 0xe0 && d < 0xa0) && !(c == 0xed && d > 0x9f) &&
				       !(c == 0xf0 && d < 0x90) && !(c == 0xf4 && d > 0x8f);
			if (!fits)
				break;
		}
		i += k;
	}
	return grown(&g);
}

static struct heft_str chars_to_bytes(struct heft_str s, struct arena *a)
{
	char *to = arena_alloc(a, s.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i += char_length(s.p + i, s.n - i)) {
		int byte = byte_of_char(char_at(s.p + i, s.n - i));
		if (byte < 0)
			return s;
		to[n++] = (char)byte;
	}
	return lossy((struct heft_str){ to, n }, a);
}

static int hex(char c)
{
	const char *digits = "0123456789abcdef", *p = memchr(digits, c | 32, 16);

	return c >= '0' && c <= '9' ? c - '0' : p && c > '9' ? (int)(p - digits) : -1;
}

static struct heft_str unhex(struct heft_str s, struct arena *a)
{
	int high, low;
	char byte;

	if (s.n != 6 || memcmp(s.p, "<0x", 3) || s.p[5] != '>')
		return s;
	high = hex(s.p[3]);
	low = hex(s.p[4]);
	if (high < 0 || low < 0)
		return s;
	byte = (char)(high << 4 | low);
	return lossy((struct heft_str){ arena_memdup(a, &byte, 1), 1 }, a);
}

static void cut(const struct step *s, struct heft_str *text)
{
	for (size_t i = 0; i < s->n && s->text.n && text->n >= s->text.n; i++) {
		size_t at = s->kind == STEP_CUT ? 0 : text->n - s->text.n;
		if (memcmp(text->p + at, s->text.p, s->text.n))
			break;
		text->n -= s->text.n;
		if (!at)
			text->p += s->text.n;
	}
}

/* ---- running
 * ---------------------------------------------------------------------------------------------------------- */

static int run_step(const struct step *s, struct heft_str *text, bool first, size_t limit, struct arena *a,
		    struct heft_err *err)
{
	struct charsmap map;

	switch (s->kind) {
	case STEP_FORM:
		*text = unicode_form(*text, s->form, a);
		return text->p ? 0 : heft_fail(err, HEFT_E_TOKENIZER, "a text cannot be normalized");
	case STEP_LOWER:
		*text = unicode_lower(*text, a);
		break;
	case STEP_REPLACE:
		if (replace(s, text, limit, a, err))
			return -1;
		break;
	case STEP_PREPEND:
		prepend(s, text, first, limit, a);
		break;
	case STEP_BYTES:
		*text = bytes_to_chars(*text, a);
		break;
	case STEP_UNBYTES:
		*text = chars_to_bytes(*text, a);
		break;
	case STEP_UNHEX:
		*text = unhex(*text, a);
		break;
	case STEP_CHARSMAP:
		map = charsmap_open(s->text);
		*text = charsmap_graphemes(&map, *text, limit, a);
		break;
	case STEP_CUT:
	case STEP_CUT_END:
		cut(s, text);
		break;
	case STEP_SPLIT:
		break;
	}
	return text->n <= limit
		       ? 0
		       : heft_fail(err, HEFT_E_TOKENIZER, "the tokenizer makes a text grow beyond %zu bytes", limit);
}

int steps_text(const struct steps *s, struct heft_str *text, bool first, size_t limit, struct arena *a,
	       struct heft_err *err)
{
	for (size_t i = 0; i < s->n; i++)
		if (run_step(&s->step[i], text, first, limit, a, err))
			return -1;
	return 0;
}

int steps_pieces(const struct steps *s, struct pieces *p, struct heft_err *err)
{
	for (size_t i = 0; i < s->n; i++) {
		struct pieces out = { .arena = p->arena, .limit = p->limit };
		for (size_t k = 0; k < p->n; k++) {
			struct piece piece = p->piece[k];
			bool is_text = piece.id < 0;
			if (is_text && s->step[i].kind == STEP_SPLIT) {
				if (split(&s->step[i], &piece, &out, err))
					return -1;
				continue;
			}
			if (is_text && run_step(&s->step[i], &piece.text, piece.first, p->limit, p->arena, err))
				return -1;
			pieces_add(&out, piece.text, piece.id, piece.first);
		}
		*p = out;
	}
	return 0;
}
