/*
 * rows.c - the rows of a vocabulary as they are written, and the reference's rules about the look of a token.
 */
#include "internal.h"

#include <string.h>

#define MARK "\xe2\x96\x81" /* U+2581, SentencePiece's space */
#define BAR "\xef\xbd\x9c"  /* U+FF5C, DeepSeek's bar */

void rows_init(struct rows *r, size_t n, bool scores, float score, struct arena *a)
{
	r->n = n;
	r->text = arena_array(a, n, sizeof(*r->text));
	r->type = arena_array(a, n, sizeof(*r->type));
	r->score = scores ? arena_array(a, n, sizeof(*r->score)) : NULL;
	for (size_t i = 0; i < n; i++) {
		r->type[i] = TOKEN_UNUSED;
		if (scores)
			r->score[i] = score;
	}
}

void rows_pad(struct rows *r, struct arena *a)
{
	for (size_t i = 0; i < r->n; i++)
		if (!r->text[i].p) {
			char *name = arena_printf(a, "[PAD%zu]", i);
			r->text[i] = (struct heft_str){ name, strlen(name) };
		}
}

bool str_is(struct heft_str s, const char *z)
{
	return s.p && s.n == strlen(z) && !memcmp(s.p, z, s.n);
}

static bool begins(struct heft_str s, const char *z)
{
	return s.n >= strlen(z) && !memcmp(s.p, z, strlen(z));
}

static bool ends(struct heft_str s, const char *z)
{
	return s.n >= strlen(z) && !memcmp(s.p + s.n - strlen(z), z, strlen(z));
}

/* Tokens that their vendors forgot to mark: they become control tokens whatever the files say. */
bool looks_special(struct heft_str s)
{
	static const char *const whole[] = { "<pad>", "<mask>", "<2mass>", "[@BOS@]" };
	static const char *const around[][2] = { { "<|", "|>" }, { "<" BAR, BAR ">" }, { "<unused", ">" } };

	for (size_t i = 0; i < sizeof(whole) / sizeof(*whole); i++)
		if (str_is(s, whole[i]))
			return true;
	for (size_t i = 0; i < sizeof(around) / sizeof(*around); i++)
		if (begins(s, around[i][0]) && ends(s, around[i][1]))
			return true;
	return false;
}

struct heft_str spaces_for_marks(struct heft_str s, struct arena *a)
{
	char *to;
	size_t n = 0;

	if (!memmem(s.p, s.n, MARK, 3))
		return s;
	to = arena_alloc(a, s.n + 1);
	for (size_t i = 0; i < s.n; i++)
		if (s.n - i >= 3 && !memcmp(s.p + i, MARK, 3)) {
			to[n++] = ' ';
			i += 2;
		} else {
			to[n++] = s.p[i];
		}
	return (struct heft_str){ to, n };
}
