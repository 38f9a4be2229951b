/*
 * unicode.c - UTF-8 and the properties of characters, through utf8proc. Refuses nothing: bytes that are no character
 * pass as they are.
 */
#include "unicode.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

static utf8proc_ssize_t decode(const char *p, size_t n, utf8proc_int32_t *c)
{
	return utf8proc_iterate((const utf8proc_uint8_t *)p, n > 4 ? 4 : (utf8proc_ssize_t)n, c);
}

size_t char_length(const char *p, size_t n)
{
	utf8proc_int32_t c;
	utf8proc_ssize_t k = decode(p, n, &c);

	return k > 0 ? (size_t)k : 1;
}

int32_t char_at(const char *p, size_t n)
{
	utf8proc_int32_t c;

	return decode(p, n, &c) > 0 ? c : 0xfffd;
}

size_t grapheme_length(struct heft_str s)
{
	utf8proc_int32_t state = 0, before, c;
	size_t n = char_length(s.p, s.n);

	for (before = char_at(s.p, s.n); n < s.n; before = c, n += char_length(s.p + n, s.n - n)) {
		c = char_at(s.p + n, s.n - n);
		if (utf8proc_grapheme_break_stateful(before, c, &state))
			break;
	}
	return n;
}

size_t char_put(char *to, int32_t c)
{
	return (size_t)utf8proc_encode_char(c, (utf8proc_uint8_t *)to);
}

bool char_is_word(int32_t c)
{
	switch (utf8proc_category(c)) {
	case UTF8PROC_CATEGORY_LU:
	case UTF8PROC_CATEGORY_LL:
	case UTF8PROC_CATEGORY_LT:
	case UTF8PROC_CATEGORY_LM:
	case UTF8PROC_CATEGORY_LO:
	case UTF8PROC_CATEGORY_MN:
	case UTF8PROC_CATEGORY_MC:
	case UTF8PROC_CATEGORY_ME:
	case UTF8PROC_CATEGORY_ND:
	case UTF8PROC_CATEGORY_NL:
	case UTF8PROC_CATEGORY_PC:
		return true;
	default: /* the joiners, and the circled letters, which are symbols yet alphabetic */
		return c == 0x200c || c == 0x200d || (c >= 0x24b6 && c <= 0x24e9) || (c >= 0x1f130 && c <= 0x1f149) ||
		       (c >= 0x1f150 && c <= 0x1f169) || (c >= 0x1f170 && c <= 0x1f189);
	}
}

bool char_is_space(int32_t c)
{
	return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xa0 || c == 0x1680 ||
	       (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

struct heft_str unicode_form(struct heft_str s, enum form form, struct arena *a)
{
	static const utf8proc_option_t option[] = {
		[FORM_NFC] = UTF8PROC_STABLE | UTF8PROC_COMPOSE,
		[FORM_NFD] = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE,
		[FORM_NFKC] = UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT,
		[FORM_NFKD] = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT,
	};
	utf8proc_uint8_t *to = NULL;
	utf8proc_ssize_t n = utf8proc_map((const utf8proc_uint8_t *)s.p, (utf8proc_ssize_t)s.n, &to, option[form]);
	struct heft_str out = { NULL, 0 };

	if (n >= 0)
		out = (struct heft_str){ arena_memdup(a, to, (size_t)n), (size_t)n };
	free(to);
	return out;
}

struct heft_str unicode_lower(struct heft_str s, struct arena *a)
{
	char *to = arena_array(a, s.n + 1, 3); /* one byte may become three */
	size_t n = 0;

	for (size_t i = 0, k; i < s.n; i += k) {
		int32_t c = char_at(s.p + i, s.n - i);
		k = char_length(s.p + i, s.n - i);
		if (c == 0x130) /* the one character whose lower case is two */
			n += char_put(to + n, 'i') + char_put(to + n + 1, 0x307);
		else
			n += char_put(to + n, utf8proc_tolower(c));
	}
	return (struct heft_str){ to, n };
}
