/*
 * base64.c - bytes that a text file spells as RFC 4648 has it, with its padding. Refuses everything else.
 */
#include "internal.h"

#include <string.h>

bool base64_read(struct heft_str s, struct heft_str *out, struct arena *a)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *to = arena_alloc(a, s.n / 4 * 3 + 4);
	size_t n = 0, used = s.n;
	uint32_t bits = 0;

	while (used && s.p[used - 1] == '=' && s.n - used < 2)
		used--;
	for (size_t i = 0; i < used; i++) {
		const char *digit = s.p[i] ? strchr(digits, s.p[i]) : NULL;
		if (!digit || s.n % 4)
			return false;
		bits = bits << 6 | (uint32_t)(digit - digits);
		if (i % 4)
			to[n++] = (char)(bits >> (6 - i % 4 * 2));
	}
	*out = (struct heft_str){ to, n };
	return true;
}
