/* The door to libyaml: scalars mean what they mean to PyYAML's safe_load (the values here are its answers). */
#include "base/yaml.h"
#include "tests/tap.h"

/* The tree as text: floats begin with f. */
static void show(const struct json *j, struct jbuf *b)
{
	struct heft_str s;
	double d;
	bool t;
	int64_t i;

	switch (json_kind(j)) {
	case JSON_NULL:
		jbuf_printf(b, "null");
		break;
	case JSON_BOOL:
		json_bool(j, &t);
		jbuf_printf(b, t ? "true" : "false");
		break;
	case JSON_STRING:
		json_str(j, &s);
		jbuf_string(b, s.p, s.n);
		break;
	case JSON_NUMBER:
		json_num(j, &d);
		if (json_is_float(j) || !json_int(j, &i))
			jbuf_printf(b, "f%g", d);
		else
			jbuf_printf(b, "%lld", (long long)i);
		break;
	default:
		jbuf_printf(b, json_kind(j) == JSON_ARRAY ? "[" : "{");
		for (const struct json *m = json_first(j); m; m = json_next(m)) {
			jbuf_printf(b, m == json_first(j) ? "" : " ");
			if (json_kind(j) == JSON_OBJECT)
				jbuf_printf(b, "%s=", json_key(m).p);
			show(m, b); /* as deep as the texts of this test */
		}
		jbuf_printf(b, json_kind(j) == JSON_ARRAY ? "]" : "}");
	}
}

static void means(const char *yaml, const char *want)
{
	struct heft_err err = { 0 };
	struct json_doc *doc = yaml_parse(yaml, strlen(yaml), "test", &err);
	struct jbuf b = { 0 };

	if (doc)
		show(json_root(doc), &b);
	else
		jbuf_printf(&b, "%s", err.text);
	jbuf_raw(&b, "", 1);
	is_str(b.p, want, "%.60s", want);
	jbuf_release(&b);
	json_free(doc);
}

static void refused(const char *yaml, size_t n, const char *what)
{
	struct heft_err err = { 0 };
	struct json_doc *doc = yaml_parse(yaml, n, "test", &err);

	ok(!doc && err.text[0] && !strchr(err.text, '\n'), "%s is refused", what);
	json_free(doc);
}

/* 8 aliases of 8 aliases of ...: 8^9 numbers from half a kilobyte. */
static void bomb(void)
{
	char text[4096];
	int n = snprintf(text, sizeof text, "a0: &a0 [1]\n");

	for (int i = 1; i < 10; i++) {
		n += snprintf(text + n, sizeof text - (size_t)n, "a%d: &a%d [", i, i);
		for (int k = 0; k < 8; k++)
			n += snprintf(text + n, sizeof text - (size_t)n, "%s*a%d", k ? "," : "", i - 1);
		n += snprintf(text + n, sizeof text - (size_t)n, "]\n");
	}
	refused(text, (size_t)n, "a bomb of aliases");
}

int main(void)
{
	static char deep[2000], large[(1 << 20) + 1];

	means("license: apache-2.0", "{license=\"apache-2.0\"}");
	means("[no, Yes, off, ON, True, y, ~, null, '']", "[false true false true true \"y\" null null \"\"]");
	means("[1, -12, +3, 0, -0, 1_000, 0x1F, 017, 0b101, 1:30, -1:2:3, 190:20:30]",
	      "[1 -12 3 0 0 1000 31 15 5 90 -3723 685230]");
	means("[08, 1e5, 1.5e3, 12e03, 0o7, -.5, 2024-01-05, 1.2.3, 1:60]",
	      "[\"08\" \"1e5\" \"1.5e3\" \"12e03\" \"0o7\" \"-.5\" \"2024-01-05\" \"1.2.3\" \"1:60\"]");
	means("[1.5, .5, 1., 1.5e+3, 1_0.5_0, .inf, -.INF, .nan]", "[f1.5 f0.5 f1 f1500 f10.5 finf f-inf fnan]");
	means("[\"5\", 'no', !!str 7, !!int \"8\", ! 9]", "[\"5\" \"no\" \"7\" 8 \"9\"]");
	means("a: &x [1, {k: v}]\nb: *x", "{a=[1 {k=\"v\"}] b=[1 {k=\"v\"}]}");
	means("a: |\n  x\n  y\nb: >-\n  x\n  y\n", "{a=\"x\\u000ay\\u000a\" b=\"x y\"}");
	means("1: a\ntrue: b", "{1=\"a\" true=\"b\"}");
	means("", "null");
	means("a: 1\na: 2\n", "{a=1 a=2}");
	refused("a: b: c", 7, "a mapping inside a plain scalar");
	refused("a: &a [*a]", 10, "an anchor that holds itself");
	refused("a: *b", 5, "an alias of nothing");
	refused("a\n---\nb", 7, "a second document");
	refused("!!python/object:x {}", 20, "a Python object");
	refused("<<: {a: 1}", 10, "a merge key");
	refused("{[1]: 2}", 8, "a list as a key");
	refused("a: \xff", 4, "text that is not UTF-8");
	memset(deep, '[', sizeof deep);
	refused(deep, sizeof deep, "deep nesting");
	refused(large, sizeof large, "a text above 1 MiB");
	bomb();
	return done();
}
