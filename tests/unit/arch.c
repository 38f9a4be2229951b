/* Families: which there are, which one a class asks for, how findings are told. Plans are tested by tests/plans.t. */
#include "quant/quant.h"
#include "src/arch_rows.h"
#include "tests/tap.h"

static struct heft_err err;
static struct arena *arena;

static const char config[] =
	"{\"architectures\": [\"LlamaForCausalLM\"], \"model_type\": \"llama\", \"vocab_size\": 8, \"hidden_size\": 4, "
	"\"intermediate_size\": 4, \"num_hidden_layers\": 1, \"num_attention_heads\": 2}";

static void test_set(void)
{
	struct heft_family f[512];
	struct arch_set *s = arch_set_open(NULL, &err);
	size_t n = arch_set_list(s, f, 512);
	bool sorted = true;
	for (size_t i = 1; i < n; i++)
		sorted = sorted && strcmp(f[i - 1].name, f[i].name) <= 0;
	ok(n >= 4 && sorted, "families are listed by name, fragments are not");
	for (size_t i = 0; i < n; i++)
		ok(f[i].from[0] && (f[i].projector ? arch_find_projector : arch_find)(s, f[i].from[0], &err), "%s: %s", f[i].name, f[i].from[0]);
	ok(arch_find(s, "MixtralForCausalLM", &err) == arch_find(s, "MistralForCausalLM", &err),
		"a family is parsed once");
	ok(!arch_find(s, "LlamaForCausalLmm", &err) && err.code == HEFT_E_FAMILY, "an unknown class");
	ok(strstr(err.text, "LlamaForCausalLM") != NULL, "near matches are named: %s", err.text);
	ok(!arch_find(s, NULL, &err) && err.code == HEFT_E_FAMILY, "no class");
	arch_set_close(s);
	ok(!arch_set_open("/no/such/file.arch", &err) && err.code == HEFT_E_OPEN, "a file that is not there");
	ok(!arch_set_open("testdata", &err) && err.code == HEFT_E_READ, "a directory");
}

static void test_class(void)
{
	static const struct { const char *json, *want; } rows[] = {
		{ "{\"architectures\": [\"A\", \"B\"]}", "A" },
		{ "{\"architectures\": [\"A\"], \"text_config\": {\"architectures\": [\"T\"]}}", "T" },
		{ "{\"architectures\": [\"A\"], \"text_config\": {\"architectures\": null}}", "A" },
		{ "{\"architectures\": [\"A\"], \"llm_config\": {\"architectures\": [\"L\"]}}", "L" },
		{ "{\"architectures\": []}", NULL }, { "{}", NULL }, { "{\"architectures\": 7}", NULL },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct json_doc *d = json_parse(rows[i].json, strlen(rows[i].json), "c", false, &err);
		is_str(arch_class_of(json_root(d)), rows[i].want, "class of %s", rows[i].json);
		json_free(d);
	}
}

static int64_t count(void *ctx)
{
	return 5;
}

static int64_t listed(void *ctx)
{
	return 7;
}

static int64_t id(void *ctx, const char *text)
{
	return strcmp(text, "<s>") ? -1 : 3;
}

static int values(void *ctx, const struct heft_tensor *t, float *out, struct heft_err *e)
{
	for (uint64_t i = 0; i < t->dim[0] * t->dim[1]; i++)
		out[i] = (float)i + 0.25f;
	return 0;
}

static const char *const *asked; /* options of the next evaluation */

static int evaluate(const char *family, const struct heft_tensor *t, size_t n, struct sink *sink, struct arch_result *r)
{
	err.text[0] = 0;
	struct arch_set *s = arch_set_open_text("test.arch", family, strlen(family), &err);
	const struct arch *a = s ? arch_find(s, NULL, &err) : NULL;
	struct json_doc *d = json_parse(config, sizeof(config) - 1, "config.json", false, &err);
	struct arch_input in = {
		.config = json_root(d), .tensor = t, .n_tensors = n, .vocab_count = count, .vocab_id = id, .vocab_listed = listed, .option = asked,
		.values = values
	};
	int rc = a ? arch_eval(a, &in, r, arena, sink, &err) : -1;
	json_free(d); /* nothing of the result may borrow from it, or from the set */
	arch_set_close(s);
	return rc;
}

static struct heft_tensor tensor(const char *name, uint64_t rows, uint64_t cols)
{
	return (struct heft_tensor){ .name = name, .enc = quant_find("bf16"), .rank = 2, .dim = { rows, cols } };
}

static void test_mapping(void)
{
	static const char family[] =
		"arch t\nkey name = \"x\" ++ model_type\nkey list = [1.5, 2]\nkey no = null\nkey general.file_type = null\nkey skipped = 1 when false\n"
		"layers num_hidden_layers\nmap a.{e}.w -> all\nmap q + k -> qk : join(0) perm(1, 0)\n"
		"map s.{l} -> s.{l}.x : take(0, 0, shape[0] // 2)\nmap s.{l} -> s.{l}.y : take(0, shape[0] // 2, -1)\n"
		"map one -> two.{k in range(2)}\ntype s.0.x F32\ngen freqs = [x / 2 : x in range(vocab.listed - 4)]\n"
		"vocab bpe add=true n=7 | spm\nvocab_size ceil_to(vocab.count, 4)\ntoken bos = \"<s>\"\ntoken eos ?= 9\n"
		"skip z{*} when vocab_size == 8 \"why not\"\n";
	struct heft_tensor t[] = { tensor("a.1.w", 2, 4), tensor("k", 2, 4), tensor("a.0.w", 2, 4), tensor("s.0", 6, 4),
		tensor("q", 4, 4), tensor("one", 1, 1), tensor("zz", 1, 1) };
	struct arch_result r;
	is_int(evaluate(family, t, 7, NULL, &r), 0, "evaluates: %s", err.text);
	is_str(r.name, "t", "name");
	is_int(r.n_kv, 2, "keys");
	is_str(r.kv[0].key, "t.name", "key gets its prefix");
	is_str(r.kv[0].value.s.p, "xllama", "string");
	ok(r.kv[1].value.array && r.kv[1].value.type == HEFT_F32 && r.kv[1].value.count == 2, "list of numbers");
	ok(r.no_file_type, "no file type");
	is_int(r.n_weights, 7, "weights");
	is_str(r.weight[0].name, "freqs", "generated ones come first");
	ok(r.weight[0].generated && r.weight[0].generated[1] == 0.5f && r.weight[0].shape.dim[0] == 3, "their values");
	is_str(r.weight[1].name, "all", "then in the order of first sources");
	ok(r.weight[1].combine == COMBINE_STACK && r.weight[1].source[0] == &t[2] && r.weight[1].shape.rank == 3,
		"stacked by number");
	ok(r.weight[2].combine == COMBINE_JOIN && r.weight[2].source[0] == &t[4] && r.weight[2].shape.dim[1] == 6,
		"joined in the row's order");
	is_str(r.weight[3].name, "s.0.x", "split");
	ok(r.weight[3].forced == quant_find("f32") && !r.weight[4].forced, "forced type");
	is_str(r.weight[6].name, "two.1", "repeated");
	is_str(r.drop[0].why, "why not", "dropped");
	is_str(r.vocab[0].option[3], "7", "vocabulary options");
	is_int(r.n_vocab, 2, "strategies");
	is_int(r.vocab_size, 8, "vocabulary size");
	is_int(r.token[0].id, 3, "token by text");
	is_int(r.token[1].id, 9, "token by number");
	ok(!r.token[0].unless_said && r.token[1].unless_said, "only one gives way to what the tokenizer says");
}

/* Numbers of a source tensor, keys without the architecture's name, and matrices that the runtime's rules would keep in 32 bits. */
static void test_extras(void)
{
	static const char family[] =
		"arch t\nlayers 2\nkey xielu.beta = [tensors.values(\"a.\" ++ text(l))[1] : l in range(2)]\n"
		"key lost = tensors.values(\"b\")\nmap a.{l} -> blk.{l}.x.weight\ntype blk.{l}.x.weight asked when l == 1\n";
	struct heft_tensor t[] = { tensor("a.0", 1, 2), tensor("a.1", 1, 2) };
	struct arch_result r;
	is_int(evaluate(family, t, 2, NULL, &r), 0, "evaluates: %s", err.text);
	is_int(r.n_kv, 1, "what is not there has no values");
	is_str(r.kv[0].key, "xielu.beta", "a whole key");
	ok(r.kv[0].value.count == 2 && ((const float *)r.kv[0].value.data)[1] == 1.25f, "values of a tensor");
	ok(!r.weight[0].as_asked && r.weight[1].as_asked && !r.weight[1].forced, "the type that is asked for");
}

static void test_projector(void)
{
	static const char family[] = "arch clip\nprojector SeesForConditionalGeneration\nkey vision.image_size = 3\nkey b = config.model_type\nkey c = model_type\n";
	struct arch_result r;
	struct arch_set *s = arch_set_open(NULL, &err);
	is_int(evaluate(family, NULL, 0, NULL, &r), 0, "a projector's family: %s", err.text);
	is_int(r.n_kv, 2, "the configuration outside of vision_config has only its own name");
	is_str(r.kv[0].key, "clip.vision.image_size", "key");
	ok(r.kv[0].value.type == HEFT_U32, "is typed by its whole name");
	ok(arch_is_projector(arch_find_projector(s, "Gemma3ForConditionalGeneration", &err)), "one class has two families");
	ok(!arch_is_projector(arch_find(s, "Gemma3ForConditionalGeneration", &err)), "one of them without the option");
	ok(!arch_find_projector(s, "LlamaForCausalLM", &err) && strstr(err.text, "no projector's family"), "none for what sees nothing");
	arch_set_close(s);
	s = arch_set_open_text("my.arch", "arch x\n", 7, &err);
	ok(!arch_find_projector(s, "x", &err) && strstr(err.text, "'my.arch' has no 'projector' row"), "a file of the user's that is for text");
	arch_set_close(s);
}

static void test_option(void)
{
	static const char family[] = "arch t\nkey a = option.mtp\nkey b = option.no_mtp ?? \"none\"\nkey c = 1 when option.no_mtp\nvocab bpe\n";
	static const char *const mtp[] = { "mtp", NULL };
	struct arch_result r;
	asked = mtp;
	is_int(evaluate(family, NULL, 0, NULL, &r), 0, "options: %s", err.text);
	is_int(r.n_kv, 2, "an option that was not given is null");
	is_str(r.kv[1].value.s.p, "none", "and may be asked about");
	asked = NULL;
	is_int(evaluate(family, NULL, 0, NULL, &r), 0, "no options: %s", err.text);
	is_int(r.n_kv, 1, "nothing is true");
}

static size_t told;

static void tell(void *ctx, const struct heft_problem *p)
{
	told++;
}

static void test_findings(void)
{
	struct heft_tensor t[] = { tensor("a", 2, 4), tensor("b", 2, 4), tensor("c", 2, 4) };
	struct sink sink = { .fn = tell, .err = &err };
	struct arch_result r;
	is_int(evaluate("arch t\nmap b -> x\n", t, 3, &sink, &r), -1, "two tensors without a row");
	is_int(told, 2, "both are told");
	is_str(err.text, "tensor 'a': family t has no row for it (and 1 more)", "the error counts them");
	sink.fn = NULL;
	is_int(evaluate("arch t\nmap b -> x\n", t, 3, &sink, &r), -1, "without a function the first ends it");
	ok(err.code == HEFT_E_UNMAPPED && strstr(err.text, "'a'"), "%s", err.text);
	is_int(evaluate("arch t\nskip {*}\ntoken bos = \"<none>\"\n", t, 3, NULL, &r), -1, "a token that is not there");
	ok(err.code == HEFT_E_TOKENIZER, "%s", err.text);
}

static void test_pre(void)
{
	static const char family[] =
		"arch t\npre ^x.{l}. -> y.{l + 1}.\npre \"..\" -> \".\"\npre .old$ -> .new\npre mid{w:dle|} -> <{w}>\n"
		"map {*} -> never when false\nmap y.{l}.a.new -> first\nmap <dle>.<> -> second\nmap <dle> -> third\n";
	struct heft_tensor t[] = { tensor("x.4.a..old", 1, 1), tensor("middle.middle", 1, 1) };
	struct arch_result r;
	is_int(evaluate(family, t, 1, NULL, &r), 0, "prefix, everywhere, suffix: %s", err.text);
	is_str(r.weight[0].name, "first", "name rewritten");
	ok(evaluate(family, t + 1, 1, NULL, &r) && strstr(err.text, "no row"),
		"without an anchor the first place is rewritten");
}

static void test_limits(void)
{
	struct arch_result r;
	char *many = arena_strdup(arena, "arch t\n"), *large = arena_alloc(arena, 70000);
	struct jbuf b = { 0 };
	jbuf_printf(&b, "%s", many);
	for (int i = 0; i < 4096; i++)
		jbuf_printf(&b, "let a%d = 1\n", i);
	jbuf_raw(&b, "", 1);
	is_int(evaluate(b.p, NULL, 0, NULL, &r), -1, "4097 rows");
	ok(strstr(err.text, "more than 4096 rows") || strstr(err.text, "bytes"), "%s", err.text);
	memset(large, '#', 69999);
	memcpy(large, many, 7);
	is_int(evaluate(large, NULL, 0, NULL, &r), -1, "70000 bytes");
	jbuf_release(&b);
	b = (struct jbuf){ 0 };
	jbuf_printf(&b, "arch t\nlet a0 = 1\n");
	for (int i = 1; i < 100; i++)
		jbuf_printf(&b, "let a%d = a%d + 1\n", i, i - 1);
	jbuf_printf(&b, "need a99 == 100 \"no\"");
	jbuf_raw(&b, "", 1);
	is_int(evaluate(b.p, NULL, 0, NULL, &r), -1, "a chain of 100 lets");
	ok(strstr(err.text, "more than 64 rows depend") != NULL, "%s", err.text);
	jbuf_release(&b);
}

int main(void)
{
	arena = arena_new();
	test_set();
	test_class();
	test_mapping();
	test_extras();
	test_projector();
	test_option();
	test_findings();
	test_pre();
	test_limits();
	arena_free(arena);
	return done();
}
