/* Families read right to left: what each row's inverse is, that it leads every element back to where it came from, and which rows have none. */
#include "base/nest.h"
#include "quant/quant.h"
#include "src/arch_rows.h"
#include "src/kv.h"
#include "src/op_map.h"
#include "tests/tap.h"

static struct heft_err err;
static struct arena *arena;

static const char config[] = "{\"architectures\": [\"SampleModel\"], \"model_type\": \"sample\", \"hidden_size\": 8, \"num_layers\": 2, "
			     "\"heads\": 2, \"eps\": 1e-05, \"theta\": 500000.0, \"scaling\": {\"kind\": \"linear\", \"factor\": 2.0}, \"flags\": [true, false]}";

#define HEAD "arch sample\nfrom SampleModel\nlet h = heads\nlayers num_layers\n" \
	"key block_count = num_layers\nkey embedding_length = hidden_size | n_embd\nkey heads = heads\nkey eps = eps\n" \
	"key rope.theta = theta\nkey rope.kind = scaling.kind\nkey rope.factor = scaling.factor when scaling.kind == \"linear\"\nkey flags = flags\n"
#define BACK "back model_type = general.architecture\nback architectures = [\"SampleModel\"]\nback hidden_size = embedding_length\n" \
	"back scaling.kind = rope.kind\nback scaling.factor = rope.factor\n"

static struct heft_tensor tensor(const char *name, uint64_t rows, uint64_t cols)
{
	struct heft_tensor t = { .name = name, .enc = quant_find("f32"), .rank = cols ? 2 : 1, .dim = { rows, cols } };
	return t;
}

struct trip { /* there and back */
	struct arch_set *set;
	struct json_doc *doc;
	struct arch_result there;
	struct heft_tensor *made; /* the GGUF's tensors */
	struct heft_kv *kv;
	struct arch_back back;
};

static const struct arch *open_family(struct trip *p, const char *text)
{
	p->set = arch_set_open_text("test.arch", text, strlen(text), &err);
	return p->set ? arch_find(p->set, NULL, &err) : NULL;
}

static void forward(struct trip *p, const struct arch *a, const struct heft_tensor *t, size_t n)
{
	p->doc = json_parse(config, sizeof(config) - 1, "config.json", false, &err);
	struct arch_input in = { .config = json_root(p->doc), .tensor = t, .n_tensors = n };
	err.text[0] = 0;
	ok(!arch_eval(a, &in, &p->there, arena, NULL, &err), "left to right %s", err.text);
	p->made = arena_array(arena, p->there.n_weights, sizeof(*p->made));
	for (size_t i = 0; i < p->there.n_weights; i++) {
		const struct weight *w = &p->there.weight[i];
		p->made[i] = (struct heft_tensor){ .name = w->name, .enc = quant_find("f32"), .rank = w->shape.rank };
		memcpy(p->made[i].dim, w->shape.dim, sizeof(p->made[i].dim));
	}
	p->kv = arena_array(arena, p->there.n_kv + 1, sizeof(*p->kv));
	memcpy(p->kv, p->there.kv, p->there.n_kv * sizeof(*p->kv));
	p->kv[p->there.n_kv] = (struct heft_kv){ "general.architecture", value_string("sample") };
}

static int backward(struct trip *p, const struct arch *a)
{
	struct arch_input in = { .tensor = p->made, .n_tensors = p->there.n_weights };
	return arch_eval_back(a, &in, p->kv, p->there.n_kv + 1, &p->back, arena, &err);
}

static void close_trip(struct trip *p)
{
	json_free(p->doc);
	arch_set_close(p->set);
}

/* Each element of what came back is, by way of the GGUF, the same element of the tensor that it was. */
static bool leads_back(const struct trip *p, const struct weight *w)
{
	struct op_map m, n;
	uint64_t count = 1, at;
	size_t s;
	if (op_map_init(&m, w, &err))
		return false;
	for (int i = 0; i < w->shape.rank; i++)
		count *= w->shape.dim[i];
	for (uint64_t i = 0; i < count; i++) {
		if (!op_map_locate(&m, i, &s, &at))
			return false;
		const struct weight *made = &p->there.weight[w->source[s] - p->made];
		if (op_map_init(&n, made, &err) || !op_map_locate(&n, at, &s, &at) || at != i || strcmp(made->source[s]->name, w->name))
			return false;
	}
	return true;
}

static const struct weight *came_back(const struct trip *p, const char *name)
{
	for (size_t i = 0; i < p->back.n_weights; i++)
		if (!strcmp(p->back.weight[i].name, name))
			return &p->back.weight[i];
	return NULL;
}

/* One map row and one tensor of a shape, and how the way back is described. */
static void check_row(const char *row, const char *name, uint64_t rows, uint64_t cols, const char *want)
{
	struct trip p = { 0 };
	struct heft_tensor t = tensor(name, rows, cols);
	const struct arch *a = open_family(&p, arena_printf(arena, HEAD "%s\n" BACK, row));
	forward(&p, a, &t, 1);
	ok(!backward(&p, a), "%s", row);
	const struct weight *w = p.back.n_weights == 1 ? came_back(&p, name) : NULL;
	is_str(w ? weight_describe(w, arena) : NULL, want, "... by %s", want);
	ok(w && leads_back(&p, w), "... leads every element back");
	close_trip(&p);
}

static void test_rows(void)
{
	check_row("map a.{l}.w -> b.{l}.v : rope(h)", "a.1.w", 16, 4, "unrope(2)");
	check_row("map a.{l}.w -> b.{l}.v : unrope(h, 4)", "a.1.w", 16, 4, "rope(2, 4)");
	check_row("map a.{l}.w -> b.{l}.v : regroup(2, 1, 2, 1)", "a.0.w", 8, 4, "ungroup(2, 1, 2, 1)");
	check_row("map a.{l}.w -> b.{l}.v : perm(1, 0)", "a.0.w", 8, 4, "perm(1, 0)");
	check_row("map a.{l}.w -> b.{l}.v : at(0, 4, -1 : rope(1)) regroup(4, 1, 1)", "a.0.w", 8, 4, "ungroup(4, 1, 1) at(0, 4, -1 unrope(1))");
	check_row("map a.0.w -> b.{k in range(1)}.v : perm(1, 0)", "a.0.w", 8, 4, "perm(1, 0)");
	check_row("pre ^m.{i}. -> a.{i + 1}.\nunpre ^a.{i}. -> m.{i - 1}. when i > 0\nmap a.{l}.w -> b.{l}.v", "m.0.w", 8, 4, "copy");
	check_row("pre ^m.{i}. -> a.{i + 1}.\nunpre ^a.{i}. -> m.{i - 1}. when i > 0\nmap a.{l}.w -> b.{l}.v", "a.0.w", 8, 4, "copy");
	check_row("map a.{l}.w -> b.{l}.v{h} : perm(1, 0)", "a.0.w", 8, 4, "perm(1, 0)");
	check_row("map a.{l}.w -> b.{l}.q : take(0, 0, 4) rope(h)\nmap a.{l}.w -> b.{l}.k : take(0, 4, 2) rope(1)\nmap a.{l}.w -> b.{l}.v : take(0, 6, -1)",
		  "a.0.w", 8, 4, "join flat at(0, 0, 16 view(4, 4) unrope(2) view(16)) at(0, 16, 8 view(2, 4) unrope(1) view(8)) ungroup(1, 16, 8, 8) view(8, 4)");
	check_row("map a.{l}.w -> b.{l}.q : regroup(2, 2, 1) take(0, 0, 4)\nmap a.{l}.w -> b.{l}.k : regroup(2, 2, 1) take(0, 4, -1)", "a.0.w", 6, 3,
		  "join flat ungroup(1, 12, 6) view(6, 3) ungroup(2, 2, 1)");
	check_row("map a.{l}.w -> b.{l}.q : perm(1, 0) take(0, 0, 3, 2)\nmap a.{l}.w -> b.{l}.k : perm(1, 0) take(0, 1, 3, 2)", "a.0.w", 4, 6,
		  "join flat ungroup(3, 4, 4) view(6, 4) perm(1, 0)");
	check_row("map a.{l}.w -> b.{l}.q : view(h, 4, -1) take(1, 0, 3) perm(0, 2, 1) back view(8, -1)\nmap a.{l}.w -> b.{l}.k : view(h, 4, -1) take(1, 3, 1)",
		  "a.0.w", 8, 5, "join flat at(0, 0, 30 view(2, 5, 3) perm(0, 2, 1) view(30)) ungroup(2, 15, 5) view(2, 4, 5) view(8, -1)");
	check_row("map a.{l}.w -> b.{l}.v : view(shape[0] * shape[1]) back view(-1, 4)", "a.0.w", 8, 4, "view(-1, 4)");
	check_row("map a.{l}.{x:old|new}.{s} -> b.{l}.{s}", "a.0.old.bias", 8, 0, "copy");
	check_row("map a.w -> b : add(1) mul(4)", "a.w", 8, 0, "mul(0.25) add(-1)");
	check_row("map a.w -> b : fn(negexp)", "a.w", 8, 0, "logneg()");
}

static void test_many(void)
{
	struct trip p = { 0 };
	struct heft_tensor t[] = { tensor("a.0.qkv", 12, 8), tensor("a.1.qkv", 12, 8), tensor("a.0.e.0.w", 8, 4), tensor("a.0.e.1.w", 8, 4), tensor("a.0.e.2.w", 8, 4) };
	const struct arch *a = open_family(&p, HEAD "map a.{l}.qkv -> b.{l}.q : take(0, 0, hidden_size)\nmap a.{l}.qkv -> b.{l}.k : take(0, hidden_size, 2)\n"
		"map a.{l}.qkv -> b.{l}.v : take(0, hidden_size + 2, -1)\nmap a.{l}.e.{e}.w -> b.{l}.es : perm(0, 2, 1)\n" BACK);
	forward(&p, a, t, 5);
	ok(!backward(&p, a), "split and stacked tensors");
	is_int(p.back.n_weights, 5, "all come back");
	const struct weight *qkv = came_back(&p, "a.1.qkv"), *e = came_back(&p, "a.0.e.2.w");
	is_str(qkv ? weight_describe(qkv, arena) : NULL, "join(0)", "a split tensor is joined");
	ok(qkv && leads_back(&p, qkv), "... in its order");
	is_str(e ? weight_describe(e, arena) : NULL, "perm(0, 2, 1) take(0, 2, 1) view(8, 4)", "one of a stack is a slice");
	ok(e && leads_back(&p, e), "... the right one");
	close_trip(&p);
}

static void test_config(void)
{
	struct trip p = { 0 };
	struct heft_tensor t = tensor("a.w", 8, 4);
	const struct arch *a = open_family(&p, HEAD "map a.w -> b\n" BACK);
	forward(&p, a, &t, 1);
	ok(!backward(&p, a), "a configuration");
	is_str(p.back.config.p, "{\n  \"architectures\": [\"SampleModel\"],\n  \"eps\": 1e-05,\n  \"flags\": [true, false],\n  \"heads\": 2,\n  \"hidden_size\": 8,\n"
	       "  \"model_type\": \"sample\",\n  \"num_layers\": 2,\n  \"scaling\": {\n    \"factor\": 2.0,\n    \"kind\": \"linear\"\n  },\n  \"theta\": 500000.0\n}\n", "... as text");
	is_str(arch_no_way_back(a), NULL, "the family goes back");
	close_trip(&p);
}

static void test_settings(void)
{
	struct trip p = { 0 };
	struct heft_tensor t = tensor("a.w", 8, 4);
	const struct arch *a = open_family(&p, HEAD "key heads = hidden_size // 4\nkey eps = epsilon\nmap a.w -> b\n" BACK "back none = null\nback lost ?= null\n");
	forward(&p, a, &t, 1);
	ok(!backward(&p, a), "rows that give nothing");
	ok(strstr(p.back.config.p, "\"lost\": null") && !strstr(p.back.config.p, "none"), "a null is written where ?= says so");
	ok(!strstr(p.back.config.p, "epsilon"), "a key row behind one that always decides copies nothing");
	close_trip(&p);
}

static void refuses(const char *rows, enum heft_code code, const char *words)
{
	struct trip p = { 0 };
	struct heft_tensor t[] = { tensor("a.w", 8, 4), tensor("c.w", 8, 4) };
	const struct arch *a = open_family(&p, arena_printf(arena, HEAD "%s", rows));
	forward(&p, a, t, 2);
	ok(backward(&p, a) && err.code == code && strstr(err.text, words), "refused: %s", err.text);
	close_trip(&p);
}

static void test_refusals(void)
{
	refuses("map a.w + c.w -> b : join(0)\n" BACK, HEFT_E_UNMAPPED, "test.arch:13: the row that makes 'b' has no inverse: several tensors");
	refuses("map a.w -> b.{k in range(2)}\nmap c.w -> d\n" BACK, HEFT_E_DUPLICATE, "several tensors would come back as 'a.w'");
	refuses("map a.w -> b : view(-1)\nmap c.w -> d\n" BACK, HEFT_E_UNMAPPED, "an operation has no inverse");
	refuses("map a.w -> b : perm(0, 1) take(0, 0, 4)\nmap a.w -> e : take(0, 4, 4)\nmap c.w -> d\n" BACK, HEFT_E_UNMAPPED, "an operation has no inverse");
	refuses("map a.w -> b : rope(1) take(0, 0, 4)\nmap a.w -> e : rope(2) take(0, 4, 4)\nmap c.w -> d\n" BACK, HEFT_E_SHAPE,
		"test.arch:14: what stands before take() differs from test.arch:13");
	refuses("map a.w -> b : take(0, 0, 4) partial\nmap c.w -> d\n" BACK, HEFT_E_UNMAPPED, "it takes a part");
	refuses("map a.w -> b\nmap c.w -> d\nback model_type = 1\nback architectures = [\"x\"]\nback hidden_size = embedding_length\n", HEFT_E_UNMAPPED,
		"'sample.rope.kind' does not come back: test.arch:10");
	refuses("map a.w -> b\nmap c.w -> d : rope(heads * hidden_size // embd)\nlet embd = hidden_size\n" BACK "back heads = 4\n", HEFT_E_UNMAPPED, "'sample.heads' does not come back");
	refuses("map a.w -> b back view(4, 8)\nmap c.w -> d\n" BACK, HEFT_E_UNMAPPED, "'b' does not come back: family sample makes another shape");
}

static void test_ways(void)
{
	static const struct { const char *rows, *why; } ways[] = {
		{ "map a -> b\n", "test.arch: no row 'back model_type'" },
		{ "oneway \"it is lost\"\nmap a -> b\n" BACK, "test.arch:13: it is lost" },
		{ "map a -> b\nback model_type = \"x\"\n", "test.arch: no row 'back architectures'" },
		{ "map a -> b : view(-1)\n" BACK, "test.arch:13: an operation has no inverse, so that 'b' has no way back" },
		{ "map a -> b : view(-1)\nmap c -> b\n" BACK, NULL },
		{ "map a.{i} -> b\n" BACK, "test.arch:13: a part of the name is lost, so that 'b' has no way back" },
		{ "map a -> b : rope(shape[0])\n" BACK, "test.arch:13: an operation has no inverse, so that 'b' has no way back" },
	};
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct trip p = { 0 };
		const struct arch *a = open_family(&p, arena_printf(arena, HEAD "%s", ways[i].rows));
		is_str(a ? arch_no_way_back(a) : err.text, ways[i].why, "way %zu", i);
		close_trip(&p);
	}
}

static void test_nest(void)
{
	static const struct { const char *names[5], *want; } rows[] = {
		{ { NULL }, "{\n}\n" },
		{ { "b", "a" }, "{\n  \"a\": 1,\n  \"b\": 0\n}\n" },
		{ { "a.b.c", "a.b.d", "a.e", "f" }, "{\n  \"a\": {\n    \"b\": {\n      \"c\": 0,\n      \"d\": 1\n    },\n    \"e\": 2\n  },\n  \"f\": 3\n}\n" },
		{ { "a.b", "a", "a-c", "a.b.c" }, "{\n  \"a\": 1,\n  \"a-c\": 2\n}\n" },
		{ { "x", "x", "x.y" }, "{\n  \"x\": 0\n}\n" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct nest s = { .arena = arena };
		for (int k = 0; rows[i].names[k]; k++)
			nest_put(&s, rows[i].names[k], arena_printf(arena, "%d", k));
		is_str(nest_text(&s).p, rows[i].want, "nest %zu", i);
	}
	is_str(json_of_f32(1e-5f, arena), "1e-05", "a float as it was meant");
	is_str(json_of_f32(500000.0f, arena), "500000.0", "a whole float");
	is_str(json_of_f64(0.1, arena), "0.1", "a double");
}

int main(void)
{
	arena = arena_new();
	test_rows();
	test_many();
	test_config();
	test_settings();
	test_refusals();
	test_ways();
	test_nest();
	arena_free(arena);
	return done();
}
