/*
 * json_scan.c - a forward reader of JSON text; no recursion, no allocation but for strings with escapes.
 */
#include "json_scan.h"

#include <string.h>

#include "utf8.h"

enum { DEPTH_LIMIT = 200 };

int jscan_refuse(struct json_scan *s, const char *what)
{
	return heft_fail(s->err, HEFT_E_JSON, "%s: byte %zu of the JSON text: %s", s->name, (size_t)(s->at - s->text),
			 what);
}

int jscan_init(struct json_scan *s, const char *text, size_t n, const char *name, struct heft_err *err)
{
	*s = (struct json_scan){ .text = text, .at = text, .end = text + n, .name = name, .err = err };
	return utf8_valid(text, n) ? 0 : heft_fail(err, HEFT_E_UTF8, "%s: the JSON text is not UTF-8", name);
}

void jscan_release(struct json_scan *s)
{
	jbuf_release(&s->unescaped);
}

char jscan_peek(struct json_scan *s)
{
	while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' || *s->at == '\r' || *s->at == '\t'))
		s->at++;
	return s->at < s->end ? *s->at : 0;
}

static int expect(struct json_scan *s, char c, const char *what)
{
	if (jscan_peek(s) != c)
		return jscan_refuse(s, what);
	s->at++;
	return 0;
}

int jscan_end(struct json_scan *s)
{
	return jscan_peek(s) || s->at != s->end ? jscan_refuse(s, "the text goes on behind its value") : 0;
}

/* ---- strings ---- */

static int hex4(const char *p, const char *end, unsigned *out)
{
	*out = 0;
	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		char c = p[i];
		int d = c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;

		if (d < 0)
			return -1;
		*out = *out << 4 | (unsigned)d;
	}
	return 0;
}

static void put_utf8(struct jbuf *b, unsigned c)
{
	char s[4];
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	for (size_t i = n - 1; i > 0; i--, c >>= 6)
		s[i] = (char)(0x80 | (c & 0x3f));
	s[0] = (char)(n == 1 ? c : (0xf00u >> n & 0xf0) | c); /* the first byte's high bits: 110, 1110, 11110 */
	jbuf_raw(b, s, n);
}

/* \uXXXX, or two that are a surrogate pair; at stands behind "\u". */
static int take_unicode(struct json_scan *s)
{
	unsigned c, low;

	if (hex4(s->at, s->end, &c))
		return jscan_refuse(s, "\\u without four hex digits");
	s->at += 4;
	if (c >= 0xd800 && c < 0xdc00 && s->end - s->at >= 6 && s->at[0] == '\\' && s->at[1] == 'u' &&
	    !hex4(s->at + 2, s->end, &low) && low >= 0xdc00 && low < 0xe000) {
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
		s->at += 6;
	}
	if (c >= 0xd800 && c < 0xe000)
		return jscan_refuse(s, "half a surrogate pair");
	put_utf8(&s->unescaped, c);
	return 0;
}

static int take_escape(struct json_scan *s)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *p;

	s->at++;
	if (s->at == s->end)
		return jscan_refuse(s, "a string without end");
	if (*s->at == 'u') {
		s->at++;
		return take_unicode(s);
	}
	p = memchr(from, *s->at, sizeof from - 1);
	if (!p)
		return jscan_refuse(s, "an unknown escape");
	jbuf_raw(&s->unescaped, &to[p - from], 1);
	s->at++;
	return 0;
}

/* No byte of eight is a quote, a backslash or a control character: each term sets the high bit of one that is, and may set more, never less. */
static bool all_plain(const char p[8])
{
	const uint64_t ones = 0x0101010101010101u, high = 0x80 * ones;
	uint64_t v, quote, slash;

	memcpy(&v, p, sizeof v);
	quote = v ^ ('"' * ones);
	slash = v ^ ('\\' * ones);
	return !((((quote - ones) & ~quote) | ((slash - ones) & ~slash) | ((v - 0x20 * ones) & ~v)) & high);
}

/* Behind the bytes that stand for themselves. */
static const char *plain_run(const struct json_scan *s)
{
	const char *p = s->at;

	while (s->end - p >= 8 && all_plain(p))
		p += 8;
	while (p < s->end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20)
		p++;
	return p;
}

int jscan_string(struct json_scan *s, struct heft_str *out)
{
	const char *run;
	bool escapes = false;

	if (expect(s, '"', "expected a string"))
		return -1;
	s->unescaped.n = 0;
	for (;;) {
		run = s->at;
		s->at = plain_run(s);
		if (s->at == s->end || (unsigned char)*s->at < 0x20)
			return jscan_refuse(s, s->at == s->end ? "a string without end"
							       : "a control character in a string");
		if (*s->at == '"' && !escapes) {
			*out = (struct heft_str){ run, (size_t)(s->at - run) };
			break;
		}
		escapes = true;
		jbuf_raw(&s->unescaped, run, (size_t)(s->at - run));
		if (*s->at == '"') {
			*out = (struct heft_str){ s->unescaped.p, s->unescaped.n };
			break;
		}
		if (take_escape(s))
			return -1;
	}
	s->at++;
	return 0;
}

/* ---- numbers and words ---- */

int jscan_uint(struct json_scan *s, uint64_t *out)
{
	const char *begin;

	jscan_peek(s);
	begin = s->at;
	*out = 0;
	for (; s->at < s->end && *s->at >= '0' && *s->at <= '9'; s->at++)
		if (__builtin_mul_overflow(*out, 10, out) ||
		    __builtin_add_overflow(*out, (uint64_t)(*s->at - '0'), out))
			return jscan_refuse(s, "a number above 64 bits");
	if (s->at == begin || (*begin == '0' && s->at > begin + 1) ||
	    (s->at < s->end && strchr(".eE", *s->at) && *s->at))
		return jscan_refuse(s, "expected a whole number");
	return 0;
}

static bool skip_digits(struct json_scan *s)
{
	const char *begin = s->at;

	while (s->at < s->end && *s->at >= '0' && *s->at <= '9')
		s->at++;
	return s->at > begin;
}

static bool skip_char(struct json_scan *s, const char *set)
{
	if (s->at == s->end || !*s->at || !strchr(set, *s->at))
		return false;
	s->at++;
	return true;
}

static int skip_number(struct json_scan *s)
{
	const char *begin;

	skip_char(s, "-");
	begin = s->at;
	if (!skip_digits(s) || (*begin == '0' && s->at > begin + 1))
		return jscan_refuse(s, "expected a value");
	if (skip_char(s, ".") && !skip_digits(s))
		return jscan_refuse(s, "a number without digits behind its point");
	if (skip_char(s, "eE")) {
		skip_char(s, "+-");
		if (!skip_digits(s))
			return jscan_refuse(s, "a number without digits in its exponent");
	}
	return 0;
}

static int skip_scalar(struct json_scan *s)
{
	static const char *const words[] = { "true", "false", "null" };
	struct heft_str ignored;

	if (jscan_peek(s) == '"')
		return jscan_string(s, &ignored);
	for (size_t i = 0; i < 3; i++) {
		size_t n = strlen(words[i]);

		if ((size_t)(s->end - s->at) >= n && !memcmp(s->at, words[i], n)) {
			s->at += n;
			return 0;
		}
	}
	return skip_number(s);
}

/* ---- containers ---- */

int jscan_begin(struct json_scan *s, char bracket)
{
	s->first = true;
	return expect(s, bracket, bracket == '{' ? "expected an object" : "expected an array");
}

/* 1: something follows; 0: the closing bracket was read. */
static int advance(struct json_scan *s, char closing)
{
	bool first = s->first;
	char c = jscan_peek(s);

	s->first = false;
	if (c == closing) {
		s->at++;
		return 0;
	}
	if (!first && expect(s, ',', "expected a comma or the end"))
		return -1;
	return 1;
}

int jscan_member(struct json_scan *s, struct heft_str *key)
{
	int more = advance(s, '}');

	if (more <= 0)
		return more;
	return jscan_string(s, key) || expect(s, ':', "expected a colon") ? -1 : 1;
}

int jscan_element(struct json_scan *s)
{
	return advance(s, ']');
}

int jscan_skip(struct json_scan *s)
{
	char open[DEPTH_LIMIT];
	struct heft_str key;
	int depth = 0, more;

	for (;;) {
		char c = jscan_peek(s);

		if (c != '{' && c != '[') {
			if (skip_scalar(s))
				return -1;
		} else {
			if (depth == DEPTH_LIMIT)
				return jscan_refuse(s, "nested too deeply");
			open[depth++] = c;
			if (jscan_begin(s, c))
				return -1;
		}
		/* close what ends here; stop at the next value */
		for (more = 0; depth && !more; depth -= !more)
			if ((more = open[depth - 1] == '{' ? jscan_member(s, &key) : jscan_element(s)) < 0)
				return -1;
		if (!more) {
			s->first = false;
			return 0;
		}
	}
}
