/*
 * metadata.c - general.* metadata: what the reference reads from each model card of testdata/cards (expected.txt, which
 * only `tests/oracle/metadata.py record` writes), and what overrides, generation settings and paths make of it.
 */
#include "src/target/llamacpp_card.h"
#include "src/target/target.h"
#include "tests/tap.h"

#include <sys/stat.h>
#include <unistd.h>

static char root[] = "/tmp/heft-metadata-XXXXXX";
static struct arena *arena;

static const char *in_root(const char *name)
{
	return arena_printf(arena, "%s/%s", root, name);
}

static void write_file(const char *path, const char *text, size_t n)
{
	FILE *f = fopen(path, "wb");
	if (!f || fwrite(text, 1, n, f) != n || fclose(f))
		abort();
}

static char *read_file(const char *path, size_t *n)
{
	char *text = arena_alloc(arena, 1 << 20);
	FILE *f = fopen(path, "rb");
	*n = f ? fread(text, 1, (1 << 20) - 1, f) : 0;
	if (f)
		fclose(f);
	return text;
}

/* The value as expected.txt has it. */
static const char *show(const struct heft_value *v)
{
	static const char *const types[] = { "u8", "i8", "u16", "i16", "u32", "i32", "f32", "bool", "string" };
	struct jbuf b = { 0 };
	jbuf_printf(&b, "%s%s", types[v->type], v->array ? "[] [" : " ");
	const struct heft_str *s = v->array ? v->data : &v->s;
	for (uint64_t i = 0; i < v->count; i++) {
		if (i)
			jbuf_raw(&b, ",", 1);
		if (v->type == HEFT_STRING)
			jbuf_string(&b, s[i].p, s[i].n);
		else if (v->type == HEFT_F32)
			jbuf_printf(&b, "%g", v->f);
		else
			jbuf_printf(&b, "%lld", (long long)v->i);
	}
	const char *text = arena_printf(arena, "%.*s%s", (int)b.n, b.p, v->array ? "]" : "");
	jbuf_release(&b);
	return text;
}

static struct heft_kv *kv;
static size_t n_kv;
static struct heft_err err;

static const char *get(const char *key)
{
	for (size_t i = 0; i < n_kv; i++)
		if (!strcmp(kv[i].key, key))
			return show(&kv[i].value);
	return NULL;
}

static int read_dir(const char *dir, const char *metadata, const char *name)
{
	static const struct weight weight = { .name = "w", .shape = { 1, { 7000000000 } } };
	struct general_input in = { .dir = dir, .model_path = dir, .metadata_file = metadata, .model_name = name,
				    .arch = "llama", .weight = &weight, .n_weights = 1 };
	return llamacpp_general(&in, &kv, &n_kv, arena, &err);
}

/* One "# NAME" section of expected.txt; *line moves behind it. */
static void test_card(const char *card, char **line)
{
	size_t n, matched = 0;
	const char *text = read_file(arena_printf(arena, "testdata/cards/%s", card), &n);
	const char *dir = in_root("Some-Model-7B-chat");
	mkdir(dir, 0777);
	write_file(arena_printf(arena, "%s/README.md", dir), text, n);
	int rc = read_dir(dir, NULL, NULL);
	ok(!rc, "%s is read", card);
	for (; *line && **line != '#'; *line = strtok(NULL, "\n"), matched++) {
		char *space = strchr(*line, ' ');
		*space = 0;
		is_str(rc ? NULL : get(*line), space + 1, "%s: %s", card, *line);
	}
	is_int(rc ? 0 : n_kv, matched, "%s: nothing else", card);
}

static void test_cards(void)
{
	size_t n;
	char *text = read_file("testdata/cards/expected.txt", &n), *line = strtok(text, "\n");
	ok(n > 1000, "expected.txt is there");
	while (line) {
		char *card = line + 2;
		line = strtok(NULL, "\n");
		test_card(card, &line);
	}
}

static void test_bad_cards(void)
{
	size_t n;
	const char *dir = in_root("Some-Model-7B-chat"), *readme = arena_printf(arena, "%s/README.md", dir);
	const char *text = read_file("testdata/cards/bad-yaml.md", &n);
	write_file(readme, text, n);
	ok(read_dir(dir, NULL, NULL) && strstr(err.text, "README.md"),
	   "a card that is no YAML is an error that names it: %s", err.text);
	text = read_file("testdata/cards/bad-list.md", &n);
	write_file(readme, text, n);
	ok(!read_dir(dir, NULL, NULL) && !get("general.license"), "a list in place of keys says nothing");
	text = read_file("testdata/cards/bad-number.md", &n);
	write_file(readme, text, n);
	ok(!read_dir(dir, NULL, NULL), "numbers where texts belong are read");
	is_str(get("general.version"), "string \"1.0\"", "a number becomes the text that stands there");
	is_str(get("general.license"), "string \"no\"", "and so does a word that YAML takes for a truth value");
	unlink(readme);
	mkdir(readme, 0777);
	ok(!read_dir(dir, NULL, NULL), "a directory named README.md is no card");
	rmdir(readme);
}

static void put(const char *name, const char *text)
{
	write_file(in_root(name), text, strlen(text));
}

static void test_other_files(void)
{
	const char *dir = in_root("Some-Model-7B-chat"), *meta = in_root("meta.json");
	put("Some-Model-7B-chat/generation_config.json",
	    "{\"temperature\": 0.5, \"top_k\": 20, \"penalty_repeat\": null, "
	    "\"repetition_penalty\": 2}");
	ok(!read_dir(dir, NULL, "Given Name"), "generation_config.json is read");
	is_str(get("general.sampling.temp"), "f32 0.5", "temperature");
	is_str(get("general.sampling.top_k"), "i32 20", "top_k is signed");
	is_str(get("general.sampling.penalty_repeat"), NULL, "a null hides the other spelling");
	is_str(get("general.name"), "string \"Given Name\"", "--model-name wins");
	put("meta.json",
	    "{\"general.author\": \"A\", \"general.sampling.temp\": null, \"general.size_label\": \"9B\", "
	    "\"general.tags\": [\"t\"],"
	    " \"general.base_models\": [{\"name\": \"N\", \"uuid\": \"1\"}], \"general.license\": \"mit\"}");
	ok(!read_dir(dir, meta, NULL), "--metadata is read");
	is_str(get("general.author"), "string \"A\"", "a key is set");
	is_str(get("general.sampling.temp"), NULL, "a null takes a key away");
	is_str(get("general.size_label"), "string \"9B\"", "a key is replaced");
	is_str(get("general.base_model.0.uuid"), "string \"1\"", "base models are objects");
	is_str(get("general.base_model.count"), "u32 1", "and are counted");
	is_str(get("general.license"), NULL, "the licence is the card's to say, as in the reference");
	put("meta.json", "{\"general.sampling.top_k\": \"many\"}");
	ok(read_dir(dir, meta, NULL) && err.code == HEFT_E_CONFIG, "a text for a number: %s", err.text);
	put("meta.json", "[]");
	ok(read_dir(dir, meta, NULL), "metadata that is no object: %s", err.text);
	ok(read_dir(dir, in_root("none.json"), NULL) && err.code == HEFT_E_OPEN, "metadata that is not there: %s",
	   err.text);
	put("Some-Model-7B-chat/generation_config.json", "{");
	ok(!read_dir(dir, NULL, NULL), "generation settings that are no JSON say nothing");
}

static void test_paths(void)
{
	static const struct { const char *path, *name, *organization; } rows[] = {
		{"hub/models--Org-X--Base-7B-v2/snapshots/0123456789abcdef0123456789abcdef01234567", "Base 7B v2", "Org X"},
		{"hub/models--gpt2/snapshots/abc", "Gpt2", NULL},
		{"a/Base-7B-v2/.", "Base 7B v2", NULL},
		{"a/b/", "B", NULL},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		is_int(read_dir(rows[i].path, NULL, NULL), 0, "%s", rows[i].path);
		is_str(get("general.name"), arena_printf(arena, "string \"%s\"", rows[i].name), "its name");
		const char *org = rows[i].organization;
		is_str(get("general.organization"), org ? arena_printf(arena, "string \"%s\"", org) : NULL,
		       "its organization");
	}
	struct general_input in = { .model_path = "x/My-Net/model-00001-of-00002.safetensors", .arch = "a" };
	ok(!llamacpp_general(&in, &kv, &n_kv, arena, &err), "a lone file");
	is_str(get("general.name"), "string \"My Net\"", "is named by its directory where its own name says nothing");
	is_str(get("general.size_label"), NULL, "and has no size without weights");
}

static void test_front_matter(void)
{
	size_t n = 0;
	static const char text[] = "---\na:\tb\n- no\n---\nrest";
	is_str(card_front_matter(text, sizeof(text) - 1, &n, arena), "a:  b\n- \"no\"\n",
	       "tabs and Norwegian are repaired");
	is_int(n, 13, "its length");
	is_str(card_front_matter("--- \nx", 6, &n, arena), NULL, "a fence is three dashes and nothing else");
	size_t big = 1 << 20;
	char *card = arena_alloc(arena, big);
	memset(card, 'x', big);
	memcpy(card, "---\n", 4);
	ok(!card_front_matter(card, big, &n, arena), "a block that does not end within the limit is none");
}

int main(void)
{
	arena = arena_new();
	if (!mkdtemp(root))
		return 1;
	test_cards();
	test_bad_cards();
	test_other_files();
	test_paths();
	test_front_matter();
	if (!strncmp(root, "/tmp/", 5) && system(arena_printf(arena, "rm -rf %s", root)))
		return 1;
	arena_free(arena);
	return done();
}
