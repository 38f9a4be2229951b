/* meta.c - metadata from words and JSON: types, limits, what is refused; and the headers that edits make of the samples. */
#include "tests/edit.h"
#include "tests/tap.h"

#include <glob.h>
#include <math.h>

static struct arena *arena;
static struct kv_list list;

/* The value that the words give a key that is `now`; NULL: refused. */
static const struct heft_value *taken(const char *words, const struct heft_value *now)
{
	struct heft_kv old = { "k", now ? *now : (struct heft_value){ 0 } };
	struct heft_err err = { 0 };

	list = (struct kv_list){ .arena = arena };
	return meta_take(&list, words, &old, now != NULL, &err) ? NULL : &list.v[0].value;
}

static void is_whole(const char *words, enum heft_vtype type, uint64_t bits)
{
	const struct heft_value *v = taken(words, NULL);

	ok(v && v->type == type && !v->array && v->u == bits, "%s", words);
}

static void is_real(const char *words, enum heft_vtype type, double want)
{
	const struct heft_value *v = taken(words, NULL);

	ok(v && v->type == type && !v->array && v->f == want, "%s", words);
}

static void refused(const char *words)
{
	ok(!taken(words, NULL), "'%s' is refused", words);
}

static void of_type(void)
{
	is_whole("k=u8:255", HEFT_U8, 255);
	is_whole("k=i8:-128", HEFT_I8, (uint64_t)-128);
	is_whole("k=u16:65535", HEFT_U16, 65535);
	is_whole("k=i16:-32768", HEFT_I16, (uint64_t)-32768);
	is_whole("k=u32:4294967295", HEFT_U32, UINT32_MAX);
	is_whole("k=i32:-2147483648", HEFT_I32, (uint64_t)INT32_MIN);
	is_whole("k=u64:18446744073709551615", HEFT_U64, UINT64_MAX);
	is_whole("k=u64:9223372036854775808", HEFT_U64, (uint64_t)INT64_MAX + 1);
	is_whole("k=i64:-9223372036854775808", HEFT_I64, (uint64_t)INT64_MIN);
	is_real("k=f32:0.1", HEFT_F32, (double)0.1f);
	is_real("k=f64:0.1", HEFT_F64, 0.1);
	is_real("k=f64:1e300", HEFT_F64, 1e300);
	is_whole("k=bool:true", HEFT_BOOL, 1);
	is_whole("k=bool:false", HEFT_BOOL, 0);
	ok(taken("k=str:a=b:c", NULL) && list.v[0].value.s.n == 5, "a text holds all that follows");
	ok(taken("k=str:", NULL) && list.v[0].value.s.n == 0, "also nothing");
}

static void of_kind(void)
{
	is_whole("k=int:7", HEFT_U32, 7);
	is_whole("k=int:-7", HEFT_I32, (uint64_t)-7);
	is_whole("k=int:5000000000", HEFT_U64, 5000000000);
	is_whole("k=int:18446744073709551615", HEFT_U64, UINT64_MAX);
	is_whole("k=int:-5000000000", HEFT_I64, (uint64_t)-5000000000);
	is_real("k=float:1.5", HEFT_F32, 1.5);
	is_whole("k=json:7", HEFT_I32, 7);
	is_whole("k=json:5000000000", HEFT_I64, 5000000000);
	is_whole("k=json:18446744073709551615", HEFT_U64, UINT64_MAX);
	is_real("k=json:7.0", HEFT_F32, 7);
	is_real("k=json:1e300", HEFT_F64, 1e300);
	is_whole("k=json:true", HEFT_BOOL, 1);
}

static void of_key(void)
{
	static const struct heft_value u16 = { .type = HEFT_U16, .count = 1 }, f32 = { .type = HEFT_F32, .count = 1 },
				       f64 = { .type = HEFT_F64, .count = 1 }, bytes = { .type = HEFT_U8, .array = true, .count = 1 };
	const struct heft_value *v = taken("k=int:7", &u16);

	ok(v && v->type == HEFT_U16 && v->u == 7, "a key keeps its type");
	v = taken("k=int:70000", &u16);
	ok(v && v->type == HEFT_U32, "but where the value does not fit it");
	v = taken("k=json:7", &f32);
	ok(v && v->type == HEFT_F32 && v->f == 7, "an integer of JSON for a float");
	v = taken("k=json:18446744073709551615", &f64);
	ok(v && v->type == HEFT_F64 && v->f == 18446744073709551616.0, "also one beyond 63 bits");
	v = taken("k=float:1e300", &f64);
	ok(v && v->type == HEFT_F64 && v->f == 1e300, "a float that only its own type holds");
	v = taken("k=json:[1,2,255]", &bytes);
	ok(v && v->array && v->type == HEFT_U8 && v->count == 3 && ((const uint8_t *)v->data)[2] == 255, "an array");
	v = taken("k=json:[1,2,256]", &bytes);
	ok(v && v->array && v->type == HEFT_I32, "an array that it does not fit");
}

static void of_array(void)
{
	const struct heft_value *v = taken("k=json:[1,18446744073709551615]", NULL);

	ok(v && v->type == HEFT_U64 && ((const uint64_t *)v->data)[1] == UINT64_MAX, "the widest integers");
	v = taken("k=json:[1,2.5]", NULL);
	ok(v && v->type == HEFT_F32 && ((const float *)v->data)[0] == 1, "integers among floats are floats");
	v = taken("k=json:[true,false]", NULL);
	ok(v && v->type == HEFT_BOOL && ((const uint8_t *)v->data)[0] == 1 && !((const uint8_t *)v->data)[1], "truths");
	v = taken("k=json:[\"a\",\"b\\u0000c\"]", NULL);
	ok(v && v->type == HEFT_STRING && ((const struct heft_str *)v->data)[1].n == 3, "texts");
	v = taken("k=json:[]", NULL);
	ok(v && v->array && !v->count, "nothing");
}

static void refusals(void)
{
	static const char *const bad[] = {
		"k", "k=", "k=7", "=int:7", "k=int:", "k=int:-", "k=int: 7", "k=int:7 ", "k=int:7.5", "k=int:0x7", "k=u8:256", "k=u8:-1", "k=i8:128",
		"k=u64:-1", "k=u64:18446744073709551616", "k=i64:9223372036854775808", "k=f32:1e300", "k=float:1e300", "k=float:nan", "k=f64:inf", "k=f64:1e999", "k=float:x",
		"k=bool:1", "k=bool:", "k=word:x", "k=json:", "k=json:[1", "k=json:null", "k=json:{}", "k=json:[[1]]", "k=json:[1,\"a\"]",
		"k=json:[true,1]", "k=json:[-1,18446744073709551615]", "k=json:18446744073709551616", "k=str:\xff",
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		refused(bad[i]);
}

/* ---- edits of whole files ---- */

static const char *const edits[] = {
	"", "new=str:a", "-general.name\n-general.architecture\n-format\n-a", "general.name=str:a longer name than any that a sample has\nformat=str:xx",
	"a=str:1\nb=str:2\nc=str:3\n-b", "x=json:[\"a\",\"\"]\ny=u64:18446744073709551615\nz=json:[]\nw=f64:0.5",
};

static uint8_t *read_all(const char *path, size_t *n)
{
	uint8_t *p = arena_alloc(arena, 1 << 20);
	FILE *f = fopen(path, "rb");

	*n = f ? fread(p, 1, 1 << 20, f) : 0;
	if (f)
		fclose(f);
	return p;
}

/* Safetensors holds texts alone: the last edit is refused there. */
static void edit_sample(const char *path)
{
	const struct format *f = format_find(strstr(path, ".gguf") ? "gguf" : "safetensors");
	size_t n, taken_edits = 0;
	uint8_t *p = read_all(path, &n);
	const char *wrong = NULL;

	for (size_t i = 0; i < sizeof edits / sizeof *edits && !wrong; i++) {
		struct edited e;

		if (!edited_make(&e, f, p, n, edits[i])) {
			taken_edits++;
			wrong = edited_check(&e, f);
			if (!wrong && !*edits[i] && (e.size < n || memcmp(e.file, p, n)) && f == format_find("gguf"))
				wrong = "no edit, and another file";
		}
		arena_free(e.arena);
	}
	ok(!wrong && taken_edits >= 5, "%s: %zu edits%s%s", path, taken_edits, wrong ? ": " : "", wrong ? wrong : "");
}

static void samples(void)
{
	glob_t g;

	if (glob("testdata/samples/good-*.{gguf,safetensors}", GLOB_BRACE, NULL, &g))
		abort();
	for (size_t i = 0; i < g.gl_pathc; i++)
		edit_sample(g.gl_pathv[i]);
	globfree(&g);
}

int main(void)
{
	arena = arena_new();
	of_type();
	of_kind();
	of_key();
	of_array();
	refusals();
	samples();
	arena_free(arena);
	return done();
}
