/*
 * utf8.c - recognises UTF-8 as RFC 3629 defines it.
 */
#include "utf8.h"

#include <stdint.h>
#include <string.h>

size_t utf8_length(const void *p, size_t left)
{
	const unsigned char *s = p;
	size_t n;

	if (!left)
		return 0;
	n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;
	if (!n || n > left)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] >= 0xa0) || (s[0] == 0xf0 && s[1] < 0x90) ||
	    (s[0] == 0xf4 && s[1] >= 0x90))
		return 0;
	return n;
}

static bool all_ascii(const unsigned char s[8])
{
	uint64_t v;

	memcpy(&v, s, sizeof v);
	return !(v & 0x8080808080808080u);
}

bool utf8_valid(const void *p, size_t n)
{
	const unsigned char *s = p;

	for (size_t i = 0, len; i < n; i += len) {
		len = n - i >= 8 && all_ascii(s + i) ? 8 : s[i] < 0x80 ? 1 : utf8_length(s + i, n - i);
		if (!len)
			return false;
	}
	return true;
}
