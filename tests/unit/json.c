/* json.h against what Python's json module writes and what strangers send. */
#include "base/json.h"
#include "base/json_scan.h"
#include "base/utf8.h"
#include "tests/tap.h"

#include <math.h>

static struct json_doc *parse(const char *s, struct heft_err *err)
{
	return json_parse(s, strlen(s), "test", false, err);
}

static void numbers(void)
{
	struct heft_err err;
	struct json_doc *d = parse("\xef\xbb\xbf{\"a\":1,\"b\":1.0,\"c\":NaN,\"d\":-Infinity,\"e\":{\"__float__\":\"Infinity\"},"
				   "\"f\":9223372036854775807,\"g\":1000000000000000019884624838656,\"h\":-1e-5,\"a\":2}",
				   &err);
	const struct json *r = json_root(d);
	int64_t i = 0;
	double v = 0;

	ok(d, "parses with a byte order mark");
	ok(json_int(json_get(r, "a"), &i) && i == 2, "the last of two equal keys wins");
	ok(!json_is_float(json_get(r, "a")) && json_is_float(json_get(r, "b")), "1 is an integer, 1.0 is not");
	ok(json_int(json_get(r, "b"), &i) && i == 1, "1.0 has an integer value");
	ok(json_num(json_get(r, "c"), &v) && isnan(v), "NaN");
	ok(json_num(json_get(r, "d"), &v) && isinf(v) && v < 0, "-Infinity");
	ok(json_num(json_get(r, "e"), &v) && isinf(v), "__float__");
	ok(json_int(json_get(r, "f"), &i) && i == INT64_MAX, "an exact 64-bit integer");
	ok(!json_int(json_get(r, "g"), &i) && json_num(json_get(r, "g"), &v) && v > 1e29, "too large for an integer");
	ok(json_num(json_get(r, "h"), &v) && v == -1e-5, "exponent");
	ok(json_kind(json_get(r, "zz")) == JSON_NONE && !json_num(json_get(json_get(r, "zz"), "y"), &v), "absent keys chain");
	json_free(d);
}

static void strings(void)
{
	struct heft_err err;
	struct json_doc *d = parse("{\"a\":\"x\\u0000y\\u0000\",\"\\u0000k\":\"\\ud83d\\ude00\"}", &err);
	const struct json *m = json_first(json_root(d));
	struct heft_str s = { 0 };

	ok(json_str(m, &s) && s.n == 4 && !memcmp(s.p, "x\0y\0", 5), "U+0000 in a string");
	ok(!json_cstr(m), "which is no C string");
	m = json_next(m);
	s = json_key(m);
	ok(s.n == 2 && !memcmp(s.p, "\0k", 2), "U+0000 in a key");
	is_str(json_cstr(m), "\xf0\x9f\x98\x80", "a surrogate pair");
	json_free(d);
}

/* Eight bytes are looked at at once: one that is not plain, at each place of them, behind a text of bytes close to those sought. */
static void places(void)
{
	static const char plain[] = "!#[] \x7f";
	int wrong = 0;

	for (size_t n = 0; n < 24; n++) {
		for (int c = 1; c < 0x80; c++) {
			char text[40] = "\"";
			bool plain_byte = c >= 0x20 && c != '"' && c != '\\', good;
			struct json_scan s;
			struct heft_str got = { 0 };
			struct heft_err err;
			size_t want = n + (c == '"' ? 0 : c == '\\' ? 1 : 2);

			for (size_t i = 0; i < n; i++)
				text[1 + i] = plain[i % 6];
			text[1 + n] = (char)c;
			memcpy(text + 2 + n, "n\"", 2); /* with a backslash: a line feed */
			if (jscan_init(&s, text, n + 4, "test", &err))
				wrong++;
			good = !jscan_string(&s, &got);
			wrong += good != (plain_byte || c == '"' || c == '\\') || (good && got.n != want);
			jscan_release(&s);
		}
	}
	is_int(wrong, 0, "a byte that ends a run of plain ones is seen at each place");
	wrong = 0;
	for (size_t n = 1; n < 24; n++)
		for (size_t i = 0; i < n; i++) {
			char text[24];

			memset(text, 'a', sizeof text);
			text[i] = (char)0xff;
			wrong += utf8_valid(text, n);
			text[i] = (char)0x80;
			wrong += utf8_valid(text, n);
			if (i + 2 <= n) {
				memcpy(text + i, "\xc3\xa4", 2);
				wrong += !utf8_valid(text, n);
			}
		}
	is_int(wrong, 0, "a byte that is no UTF-8 is seen at each place");
}

static void refusals(void)
{
	static const char *const bad[] = { "", "{", "{\"a\":1,}", "[1,2", "{\"a\":1}x", "\"\xff\"", "[01x]", "[1.]", "[-]", "\"\n\"", "nul",
					   "\"\\ud800\"", "[\"a\" \"b\"]", "{1:2}", "\"abc", "\x01", "[1e]" };
	struct heft_err err;
	char deep[1000];

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct json_doc *d = parse(bad[i], &err);

		ok(!d, "refuses text %zu", i);
		json_free(d);
	}
	memset(deep, '[', sizeof deep);
	ok(!json_parse(deep, sizeof deep, "test", false, &err) && err.code == HEFT_E_JSON, "refuses depth");
	ok(!json_parse("{\"a\":{\"b\":1,\"b\":2}}", 19, "t", true, &err) && err.code == HEFT_E_DUPLICATE, "refuses duplicates");
}

static void writing(void)
{
	struct jbuf b = { 0 };

	jbuf_string(&b, "a\"\\\n\xff\xc3\xa9", 7);
	jbuf_printf(&b, " %d", 7);
	ok(b.n == strlen("\"a\\\"\\\\\\u000a\xef\xbf\xbd\xc3\xa9\" 7"), "length %zu", b.n);
	ok(!memcmp(b.p, "\"a\\\"\\\\\\u000a\xef\xbf\xbd\xc3\xa9\" 7", b.n), "escapes");
	jbuf_release(&b);
}

int main(void)
{
	numbers();
	strings();
	places();
	refusals();
	writing();
	return done();
}
