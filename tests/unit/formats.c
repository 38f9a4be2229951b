/* Containers: what is laid out is listed again; what is wrong is told, all of it; tables agree with the encodings. */
#include "formats/format.h"
#include "formats/gguf.h"
#include "quant/quant.h"
#include "tests/tap.h"

static struct arena *arena;

/* ---- the sink ---- */

struct told {
	int n;
	enum heft_code code[16];
	char tensor[16][32];
};

static void note(void *ctx, const struct heft_problem *p)
{
	struct told *t = ctx;

	if (t->n < 16) {
		t->code[t->n] = p->code;
		snprintf(t->tensor[t->n], 32, "%s", p->tensor ? p->tensor : "");
	}
	t->n++;
}

static bool was_told(const struct told *t, enum heft_code code, const char *tensor)
{
	for (int i = 0; i < t->n && i < 16; i++)
		if (t->code[i] == code && !strcmp(t->tensor[i], tensor))
			return true;
	return false;
}

static int list(const char *format, const void *p, size_t n, struct format_listing *l, struct told *told)
{
	struct heft_err err = { 0 };
	struct sink sink = { .fn = told ? note : NULL, .ctx = told, .err = &err };
	struct source *src = source_memory(p, n, "memory");
	int rc = format_find(format)->list(l, src, arena, &sink, &err);

	source_close(src);
	if (rc && !told)
		printf("# E%d %s\n", err.code, err.text);
	return rc;
}

/* ---- there and back ---- */

static const struct heft_str words[] = { { "one", 3 }, { "", 0 }, { "t\0o", 3 } };
static const uint16_t numbers[] = { 1, 65535 };
static const uint8_t truths[] = { 1, 0, 1 };

static const struct heft_kv kvs[] = {
	{ "general.architecture", { .type = HEFT_STRING, .count = 1, .s = { "llama", 5 } } },
	{ "u8", { .type = HEFT_U8, .count = 1, .u = 200 } },
	{ "i8", { .type = HEFT_I8, .count = 1, .i = -100 } },
	{ "u16", { .type = HEFT_U16, .count = 1, .u = 65000 } },
	{ "i16", { .type = HEFT_I16, .count = 1, .i = -30000 } },
	{ "u32", { .type = HEFT_U32, .count = 1, .u = 4000000000u } },
	{ "i32", { .type = HEFT_I32, .count = 1, .i = -2000000000 } },
	{ "u64", { .type = HEFT_U64, .count = 1, .u = UINT64_MAX } },
	{ "i64", { .type = HEFT_I64, .count = 1, .i = INT64_MIN } },
	{ "f32", { .type = HEFT_F32, .count = 1, .f = 1.5 } },
	{ "f64", { .type = HEFT_F64, .count = 1, .f = 0.1 } },
	{ "bool", { .type = HEFT_BOOL, .count = 1, .b = true } },
	{ "words", { .type = HEFT_STRING, .array = true, .count = 3, .data = words } },
	{ "numbers", { .type = HEFT_U16, .array = true, .count = 2, .data = numbers } },
	{ "truths", { .type = HEFT_BOOL, .array = true, .count = 3, .data = truths } },
	{ "none", { .type = HEFT_I32, .array = true, .count = 0, .data = numbers } },
};
enum { N_KV = sizeof kvs / sizeof *kvs };

static bool same_array(const struct heft_value *a, const struct heft_value *b)
{
	const struct heft_str *s = a->data, *t = b->data;

	if (a->type != HEFT_STRING)
		return !memcmp(a->data, b->data, a->count * gguf_value_size[a->type]);
	for (uint64_t i = 0; i < a->count; i++)
		if (s[i].n != t[i].n || memcmp(s[i].p, t[i].p, s[i].n))
			return false;
	return true;
}

static bool same_value(const struct heft_value *a, const struct heft_value *b)
{
	if (a->type != b->type || a->array != b->array || a->count != b->count)
		return false;
	if (a->array)
		return same_array(a, b);
	if (a->type == HEFT_STRING)
		return a->s.n == b->s.n && !memcmp(a->s.p, b->s.p, a->s.n);
	return a->type == HEFT_BOOL ? a->b == b->b : a->u == b->u;
}

static struct format_tensor tensors[3];

static void make_tensors(void)
{
	tensors[0] = (struct format_tensor){ "norm", quant_find("f32"), 1, { 5 }, 20, 0 };
	tensors[1] = (struct format_tensor){ "empty", quant_find("f16"), 2, { 0, 7 }, 0, 0 };
	tensors[2] = (struct format_tensor){ "matrix", quant_find("bf16"), 2, { 2, 3 }, 12, 0 };
}

/* A file of the layout with zero data. */
static void *whole_file(struct format_layout *f)
{
	unsigned char *p = calloc(1, f->file_size + 1);

	memcpy(p, f->header, f->header_size);
	return p;
}

static void there_and_back(const char *format, size_t n_kv, uint64_t alignment)
{
	struct format_layout f = { .kv = kvs, .n_kv = n_kv, .tensor = tensors, .n_tensors = 3 };
	struct heft_err err = { 0 };
	struct format_listing l;
	bool same = true;
	void *p;

	make_tensors();
	ok(!format_find(format)->layout(&f, arena, &err), "%s: a layout is made", format);
	ok(tensors[2].offset % alignment == 0 && tensors[2].offset >= f.header_size + 20, "%s: tensors are aligned",
	   format);
	p = whole_file(&f);
	ok(!list(format, p, f.file_size, &l, NULL) && l.n_tensors == 3 && l.n_kv == n_kv, "%s: it is listed again",
	   format);
	is_int(l.data_offset, f.header_size, "%s: data begins behind the header", format);
	for (size_t i = 0; i < n_kv; i++)
		same &= !strcmp(l.kv[i].key, kvs[i].key) && same_value(&l.kv[i].value, &kvs[i].value);
	ok(same, "%s: all metadata is the same", format);
	for (size_t i = 0; i < 3; i++)
		for (size_t k = 0; k < 3; k++)
			if (!strcmp(l.tensor[i].name, tensors[k].name))
				same &= l.tensor[i].plane[0].offset == tensors[k].offset &&
					l.tensor[i].enc == tensors[k].enc &&
					l.tensor[i].plane[0].size == tensors[k].size &&
					l.tensor[i].rank == tensors[k].rank &&
					!memcmp(l.tensor[i].dim, tensors[k].dim, sizeof tensors[k].dim);
	ok(same, "%s: all tensors are the same", format);
	free(p);
}

static void layout_refuses(void)
{
	struct format_layout f = { .kv = kvs, .n_kv = 2, .tensor = tensors, .n_tensors = 1 };
	char name[65];
	struct heft_err err = { 0 };
	struct heft_kv odd = { "general.alignment", { .type = HEFT_U32, .count = 1, .u = 24 } };

	make_tensors();
	memset(name, 'n', 64);
	name[64] = 0;
	tensors[0].name = name;
	ok(format_find("gguf")->layout(&f, arena, &err) && err.code == HEFT_E_LIMIT,
	   "gguf: a name of 64 bytes is refused");
	make_tensors();
	tensors[0].rank = 5;
	ok(format_find("gguf")->layout(&f, arena, &err) && err.code == HEFT_E_LIMIT, "gguf: 5 dimensions are refused");
	make_tensors();
	tensors[0].size = UINT64_MAX - 3;
	ok(format_find("gguf")->layout(&f, arena, &err) && err.code == HEFT_E_LIMIT, "gguf: 2^64 bytes are refused");
	make_tensors();
	tensors[0].enc = quant_find("u8");
	ok(format_find("gguf")->layout(&f, arena, &err) && err.code == HEFT_E_TYPE,
	   "gguf: a type that it has no number for is refused");
	make_tensors();
	f.kv = &odd;
	f.n_kv = 1;
	ok(format_find("gguf")->layout(&f, arena, &err) && err.code == HEFT_E_HEADER, "gguf: alignment 24 is refused");
	f.kv = &kvs[1];
	ok(format_find("safetensors")->layout(&f, arena, &err) && err.code == HEFT_E_LIMIT,
	   "safetensors: a number as metadata is refused");
	f.n_kv = 0;
	tensors[0].enc = quant_find("q4_k");
	ok(format_find("safetensors")->layout(&f, arena, &err) && err.code == HEFT_E_TYPE,
	   "safetensors: Q4_K is refused");
}

/* ---- everything wrong at once ---- */

#define ST(text) (text), sizeof(text) - 1

static size_t safetensors(unsigned char *out, const char *text, size_t n, size_t data)
{
	uint64_t length = n;

	memcpy(out, &length, 8);
	memcpy(out + 8, text, n);
	memset(out + 8 + n, 0, data);
	return 8 + n + data;
}

static void tells_all(void)
{
	unsigned char file[1024];
	struct format_listing l;
	struct told t = { 0 };
	size_t n = safetensors(file, ST("{\"a\":{\"dtype\":\"Q9\",\"shape\":[1],\"data_offsets\":[0,4]},"
					"\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,8]},"
					"\"c\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[12,16]},"
					"\"d\":{\"dtype\":\"C64\",\"shape\":[1],\"data_offsets\":[16,24]},"
					"\"e\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[24,26]}}"), 20);

	ok(!list("safetensors", file, n, &l, &t), "with a sink, listing goes on");
	ok(was_told(&t, HEFT_E_DTYPE, "a") && was_told(&t, HEFT_E_SHAPE, "b") && was_told(&t, HEFT_E_OVERLAP, "c") &&
	       was_told(&t, HEFT_E_DTYPE, "d") && was_told(&t, HEFT_E_SHAPE, "e") && was_told(&t, HEFT_E_TRUNCATED, ""),
	   "and tells everything");
	is_int(t.n, 6, "once each");
	is_int(l.n_tensors, 5, "all names are listed");
	ok(!l.tensor[0].enc && !l.tensor[1].enc && l.tensor[2].enc && !l.tensor[3].enc && !l.tensor[4].enc,
	   "those that cannot be used have no encoding");
}

/* Block types too are held to the bytes that are there. */
static void blocks_are_placed(void)
{
	static const char gguf[] = "GGUF\3\0\0\0\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
		"\1\0\0\0\0\0\0\0a\1\0\0\0\0\2\0\0\0\0\0\0\x10\0\0\0\0\0\0\0\0\0\0\0"   /* 512 x iq2_xxs: 132 bytes */
		"\1\0\0\0\0\0\0\0b\1\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\x80\0\0\0\0\0\0\0"; /* f32 at 128 */
	struct format_listing l;
	struct told t = { 0 };

	ok(!list("gguf", gguf, sizeof gguf - 1, &l, &t) && was_told(&t, HEFT_E_OVERLAP, "b") &&
	       was_told(&t, HEFT_E_TRUNCATED, ""),
	   "the range of a block type is checked");
}

/* ---- tables ---- */

static void tables_agree(void)
{
	const struct heft_format_info *info;
	size_t n = heft_formats(&info);
	bool same = true;

	for (const struct gguf_type *t = gguf_types; t->name; t++) {
		const struct heft_encoding *e = quant_find(t->name);

		same &= !e || (e->block == t->block && e->n_planes == 1 && e->plane[0].cols == t->block &&
			       e->plane[0].bytes == t->bytes);
	}
	ok(same, "gguf's blocks are those of the encodings");
	ok(n >= 3 && !strcmp(info[0].name, "safetensors") && info[1].writes, "formats are listed");
	ok(format_stores(format_find("gguf"), quant_find("q4_k")) &&
	       !format_stores(format_find("safetensors"), quant_find("q4_k")),
	   "formats know what they can hold");
	ok(!format_at(n) && !format_find("zip"), "there are no others");
	ok(!format_probe((const uint8_t *)"xxxxxxxxx\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 9), "nobody bids for strangers");
}

int main(void)
{
	arena = arena_new();
	there_and_back("gguf", N_KV, GGUF_ALIGNMENT);
	there_and_back("safetensors", 1, 1);
	layout_refuses();
	tells_all();
	blocks_are_placed();
	tables_agree();
	arena_free(arena);
	return done();
}
