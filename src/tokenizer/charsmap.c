/*
 * charsmap.c - precompiled_charsmap: u32 size of the trie | trie | texts, each ended by NUL. The trie is a double array of u32 units:
 *
 *	31..10 offset | 9 offset is times 256 | 8 a value hangs on this node | 7..0 label
 *	31 set: the unit is a value, bits 30..0
 *
 * Refuses nothing: places beyond the end hold zeros.
 */
#include "charsmap.h"
#include "unicode.h"

#include <string.h>

static uint32_t unit_at(const struct charsmap *t, size_t i)
{
	uint32_t v = 0;

	if (i < t->n)
		memcpy(&v, t->unit + 4 * i, 4);
	return v;
}

struct charsmap charsmap_open(struct heft_str map)
{
	struct charsmap t = { 0 };
	uint32_t size;

	if (map.n < 4)
		return t;
	memcpy(&size, map.p, 4);
	if (size > map.n - 4)
		return t;
	t.unit = map.p + 4;
	t.n = size / 4;
	t.texts = (struct heft_str){ map.p + 4 + size, map.n - 4 - size };
	return t;
}

static size_t unit_offset(uint32_t unit)
{
	return (size_t)(unit >> 10) << ((unit & 0x200) >> 6);
}

size_t charsmap_match(const struct charsmap *t, struct heft_str s, bool longest, struct heft_str *becomes)
{
	size_t at = unit_offset(unit_at(t, 0)), n = 0, text = 0;

	for (size_t i = 0; i < s.n && t->n && (longest || !n); i++) {
		uint32_t unit = unit_at(t, at ^= (unsigned char)s.p[i]);
		if ((unit & 0x800000ff) != (unsigned char)s.p[i])
			break;
		at ^= unit_offset(unit);
		if (unit & 0x100) {
			n = i + 1;
			text = unit_at(t, at) & 0x7fffffff;
		}
	}
	if (!n || text >= t->texts.n)
		return 0;
	becomes->p = t->texts.p + text;
	becomes->n = strnlen(becomes->p, t->texts.n - text);
	return n;
}

enum { SHORT = 6 }; /* bytes from which on a grapheme is not looked up as a whole */

struct out {
	char *p;
	size_t n, cap, limit;
	struct arena *arena;
};

static void put(struct out *o, struct heft_str s)
{
	if (s.n > o->limit || o->n > o->limit - s.n) {
		o->n = o->limit + 1; /* the caller sees that it grew too long */
		return;
	}
	if (!o->p || o->n + s.n + 1 > o->cap)
		o->p = arena_grow(o->arena, o->p, &o->cap, o->n + s.n + 1, 1);
	if (s.n)
		memcpy(o->p + o->n, s.p, s.n);
	o->n += s.n;
}

struct heft_str charsmap_graphemes(const struct charsmap *m, struct heft_str s, size_t limit, struct arena *a)
{
	struct out out = { .limit = limit, .arena = a };
	struct heft_str becomes;

	while (s.n) {
		size_t n = grapheme_length(s);
		if (n < SHORT && charsmap_match(m, (struct heft_str){ s.p, n }, false, &becomes)) {
			put(&out, becomes);
		} else {
			for (size_t i = 0, k; i < n; i += k) {
				struct heft_str c = { s.p + i, k = char_length(s.p + i, n - i) };
				put(&out, charsmap_match(m, c, false, &becomes) ? becomes : c);
			}
		}
		s.p += n;
		s.n -= n;
	}
	return (struct heft_str){ out.p ? out.p : "", out.n };
}
