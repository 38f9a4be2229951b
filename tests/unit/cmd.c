/*
 * What the tools share: sizes, numbers for people, suggestions, text made safe, JSON, tables. The tools are no library,
 * so their files are compiled in here.
 */
#include "tests/tap.h"

#include "src/cmd/emit.c"
#include "src/cmd/file.c"
#include "src/cmd/opt.c"
#include "src/cmd/out.c"
#include "src/cmd/say.c"
#include "src/cmd/table.c"
#include "src/cmd/words.c"

const struct tool *const tools[] = { NULL };

static void test_sizes(void)
{
	static const struct {
		const char *text;
		bool good;
		uint64_t n;
	} t[] = {
		{ "0", true, 0 },
		{ "100", true, 100 },
		{ "100B", true, 100 },
		{ "4G", true, 4000000000 },
		{ "4GB", true, 4000000000 },
		{ "512M", true, 512000000 },
		{ "2GiB", true, 2147483648 },
		{ "2gib", true, 2147483648 },
		{ "2Gi", true, 2147483648 },
		{ "1.5G", true, 1500000000 },
		{ "0.25Ki", true, 256 },
		{ "1.000000001G", true, 1000000001 },
		{ "18446744073709551615", true, UINT64_MAX },
		{ "18446744073709551616", false, 0 },
		{ "18447P", false, 0 },
		{ "1.5", false, 0 },
		{ "1.0000000001G", false, 0 },
		{ ".5G", false, 0 },
		{ "1.G", false, 0 },
		{ "", false, 0 },
		{ "G", false, 0 },
		{ "-1", false, 0 },
		{ " 1", false, 0 },
		{ "1 G", false, 0 },
		{ "4GiBs", false, 0 },
		{ "4i", false, 0 },
		{ "1e9", false, 0 },
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		uint64_t n = 0;
		bool good = opt_size(t[i].text, &n);
		ok(good == t[i].good && (!good || n == t[i].n), "size '%s'", t[i].text);
	}
}

static void test_human(void)
{
	is_str(human_bytes(0).s, "0 B", "no bytes");
	is_str(human_bytes(999).s, "999 B", "bytes stay whole");
	is_str(human_bytes(1000).s, "1.00 kB", "a kilobyte");
	is_str(human_bytes(999999).s, "1.00 MB", "rounding takes the next unit");
	is_str(human_bytes(16060522496).s, "16.1 GB", "three digits");
	is_str(human_bytes(UINT64_MAX).s, "18.4 EB", "the largest");
	is_str(human_count(8030261248).s, "8.03 B", "billions of weights");
	is_str(human_time(9.4).s, "0:09", "seconds");
	is_str(human_time(3723).s, "1:02:03", "hours");
	is_str(human_time(-1).s, "0:00", "never negative");
	is_str(human_dims((uint64_t[]){ 4096, 14336 }, 2).s, "4096 x 14336", "dimensions");
	is_str(human_dims(NULL, 0).s, "scalar", "no dimensions");
	uint64_t most[] = { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX };
	ok(strlen(human_dims(most, 4).s) < sizeof(struct text), "dimensions too long are cut");
}

static void test_words(void)
{
	struct word w;
	size_t best = SIZE_MAX;

	ok(word_nearest("auto|json|none", "jsno", &w) && !strcmp(w.s, "json"), "two letters swapped");
	ok(!word_nearest("auto|json|none", "zebra", &w), "nothing near");
	ok(word_known("none|file", "none") && word_open("none|file") && !word_open("auto|json"),
	   "open and closed sets");
	ok(word_at("none|file", 0, &w) && !word_at("none|file", 1, &w), "'file' is no word");
	ok(word_nearer("splitsize", "split-size", &best), "a hyphen lost");
	ok(!word_nearer("splitsize", "force", &best), "farther than the best");
}

/* What f writes, as a string. */
static const char *written(void (*f)(FILE *out))
{
	static char text[512];
	FILE *out = tmpfile();

	f(out);
	rewind(out);
	text[fread(text, 1, sizeof text - 1, out)] = 0;
	fclose(out);
	return text;
}

static void write_safe(FILE *f)
{
	safe_put(f, "a\033[31m\0b\xff\xc3\xa9\xe2\x80\xae\xed\xa0\x80", 17);
}

static void write_json(FILE *f)
{
	struct emitter w = { .f = f, .line = true };

	emit_open(&w, NULL, '{');
	emit_bytes(&w, "s\"", (struct heft_str){ "\n\\\xff\xe2\x80\xae\xf3\xa0\x80\x81\xc3\xa9", 12 });
	emit_real(&w, "third", 1.0 / 3);
	emit_real(&w, "tenth", 0.1);
	emit_real(&w, "inf", INFINITY);
	emit_real(&w, "nan", NAN);
	emit_open(&w, "empty", '[');
	emit_close(&w, ']');
	emit_integer(&w, "min", INT64_MIN);
	emit_text(&w, "null", NULL);
	emit_close(&w, '}');
}

static void write_table(FILE *f)
{
	static const char *const head[] = { "name", "n", "" };
	struct table t;

	table_init(&t, "lrl", head);
	table_add(&t, "%s", "a");
	table_add(&t, "%d", 100);
	table_add(&t, "%s", "");
	table_add(&t, "%s", "long name\t");
	table_add(&t, "%d", 1);
	table_add(&t, "%s", "note");
	table_print(&t, f, 1);
}

int main(void)
{
	test_sizes();
	test_human();
	test_words();
	is_str(written(write_safe), "a\\x1b[31m\\x00b\\xff\xc3\xa9\\xe2\\x80\\xae\\xed\\xa0\\x80", "text made safe");
	is_str(written(write_json),
	       "{\"s\\\"\": \"\\u000a\\\\\\ufffd\\u202e\\udb40\\udc01\xc3\xa9\", \"third\": 0.3333333333333333, "
	       "\"tenth\": 0.1, \"inf\": null, \"nan\": null, \"empty\": [], "
	       "\"min\": -9223372036854775808, \"null\": null}",
	       "JSON on a line");
	is_str(written(write_table), " name             n\n a              100\n long name\\x09    1  note\n",
	       "a table: aligned, safe, no space at line ends");
	return done();
}
