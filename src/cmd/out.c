/*
 * out.c owns standard output: colours only where wanted, numbers for people, text from files made safe, and the check
 * at the end that everything arrived.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"

const char *style(FILE *f, enum style s)
{
	static const char *const code[] = { "\033[0m", "\033[1m", "\033[2m", "\033[31m", "\033[32m", "\033[33m" };
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	if ((no_color && *no_color) || !term || !*term || !strcmp(term, "dumb") || !isatty(fileno(f)))
		return "";
	return code[s];
}

int out_finish(int status)
{
	bool failed = fflush(stdout) || ferror(stdout);
	struct heft_err err = { .code = HEFT_E_WRITE };

	if (fclose(stdout) && errno != EBADF) /* never opened and never used is fine */
		failed = true;
	if (!failed)
		return status;
	snprintf(err.text, sizeof err.text, "cannot write to standard output: %s", strerror(errno ? errno : EIO));
	return fail(&err);
}

/* n in units of powers of 1000, with three digits and the unit's letter. */
static struct text human(uint64_t n, const char *const *unit)
{
	struct text t;
	double x = (double)n;

	while (x >= 999.5 && unit[1]) {
		x /= 1000;
		unit++;
	}
	snprintf(t.s, sizeof t.s, "%.*f%s", (double)n == x || x >= 99.95 ? 0 : x >= 9.995 ? 1 : 2, x, *unit);
	return t;
}

struct text human_bytes(uint64_t n)
{
	static const char *const unit[] = { " B", " kB", " MB", " GB", " TB", " PB", " EB", NULL };

	return human(n, unit);
}

struct text human_count(uint64_t n)
{
	static const char *const unit[] = { "", " k", " M", " B", " T", NULL };

	return human(n, unit);
}

struct text human_time(double seconds)
{
	struct text t;
	uint64_t s = seconds > 0 && seconds < 1e9 ? (uint64_t)(seconds + 0.5) : 0;

	if (s >= 3600)
		snprintf(t.s, sizeof t.s, "%u:%02u:%02u", (unsigned)(s / 3600), (unsigned)(s / 60 % 60),
			 (unsigned)(s % 60));
	else
		snprintf(t.s, sizeof t.s, "%u:%02u", (unsigned)(s / 60), (unsigned)(s % 60));
	return t;
}

struct text human_dims(const uint64_t *dim, int rank)
{
	struct text t = { "scalar" };
	size_t n = 0;

	for (int i = 0; i < rank && n < sizeof t.s; i++)
		n += (size_t)snprintf(t.s + n, sizeof t.s - n, "%s%llu", i ? " x " : "", (unsigned long long)dim[i]);
	return t;
}

/* ---- text from files ---- */

size_t safe_decode(const char *text, size_t n, uint32_t *c)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *s = (const unsigned char *)text;
	size_t len = s[0] < 0x80 ? 1 : s[0] >> 5 == 6 ? 2 : s[0] >> 4 == 14 ? 3 : s[0] >> 3 == 30 ? 4 : 0;

	if (!len || len > n)
		return 0;
	*c = len == 1 ? s[0] : s[0] & (0x7f >> len);
	for (size_t i = 1; i < len; i++) {
		if (s[i] >> 6 != 2)
			return 0;
		*c = *c << 6 | (s[i] & 0x3f);
	}
	return *c < smallest[len] || *c > 0x10ffff || (*c >= 0xd800 && *c < 0xe000) ? 0 : len;
}

bool safe_steers(uint32_t c)
{
	static const uint32_t range[][2] = {
		{ 0, 0x1f },          { 0x7f, 0x9f },       { 0x061c, 0x061c }, { 0x200b, 0x200f },
		{ 0x2028, 0x202e },   { 0x2060, 0x206f },   { 0xfeff, 0xfeff }, { 0xfff9, 0xfffb },
		{ 0xe0000, 0xe007f },
	};

	for (size_t i = 0; i < sizeof range / sizeof *range; i++)
		if (c >= range[i][0] && c <= range[i][1])
			return true;
	return false;
}

size_t safe_char(const char *s, size_t n)
{
	uint32_t c;
	size_t len = n ? safe_decode(s, n, &c) : 0;

	return len && !safe_steers(c) ? len : 0;
}

size_t safe_put(FILE *f, const char *s, size_t n)
{
	size_t width = 0;

	while (n) {
		size_t len = safe_char(s, n);
		if (len) {
			width++;
			if (f)
				fwrite(s, 1, len, f);
		} else {
			len = 1;
			width += 4;
			if (f)
				fprintf(f, "\\x%02x", (unsigned char)*s);
		}
		s += len;
		n -= len;
	}
	return width;
}

size_t safe_puts(FILE *f, const char *s)
{
	return safe_put(f, s, strlen(s));
}

int print_whole(char *text, const struct heft_err *err)
{
	if (!text)
		return fail(err);
	fputs(text, stdout);
	free(text);
	return EXIT_DONE;
}
