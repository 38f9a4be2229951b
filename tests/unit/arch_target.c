/* Sections of another target: which rows it sees, names there and back, what is stored how, members of config.json. */
#include "quant/quant.h"
#include "src/arch_rows.h"
#include "src/family.h"
#include "src/plan.h"
#include "tests/tap.h"

static struct heft_err err;
static struct arena *arena;

static const char family[] =
	"arch sample\n"
	"from SampleForCausalLM\n"
	"layers num_hidden_layers\n"
	"let heads = num_attention_heads\n"
	"key block_count = layers\n"
	"map model.x.weight -> x.weight\n"
	"target mlx\n"
	"pre ^transformer. -> model.\n"
	"quant {*}.mlp.gate.weight 8bit\n"
	"quant {*}.plain.weight no\n"
	"type {*}.bias_of_all stored\n"
	"map model.layers.{l}.kv.weight -> model.layers.{l}.k.weight : view(heads, 3, -1) take(1, 0, 1) perm(0, 2, 1) back view(heads * 3, -1)\n"
	"map model.layers.{l}.kv.weight -> model.layers.{l}.v.weight : view(heads, 3, -1) take(1, 1, 2)\n"
	"map model.norm.weight -> model.norm.weight : add(1)\n"
	"set rope_theta ?= 5.0\n";

static struct arch_set *open_text(const char *text)
{
	return arch_set_open_text("test.arch", text, strlen(text), &err);
}

static void test_parse(void)
{
	static const struct { const char *text, *want; } rows[] = {
		{ "arch x\nquant a 8bit\n", "below 'target mlx'" },
		{ "arch x\ntarget mlx\nvocab bpe\n", "target mlx has no 'vocab' rows" },
		{ "arch x\ntarget mlx\nquant a 5bit\n", "quant takes 8bit, 8bit-fp or no" },
		{ "arch x\ntarget mlx\nmap a -> \n", "test.arch:3" },
		{ "arch x\ntarget mlx\nset a\n", "expected '='" },
		{ "arch x\ntarget other\nno row at all\n", NULL },
		{ "arch x\ntarget mlx\nskip a\ntarget llamacpp\nkey a = 1\n", NULL },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arch_set *s = open_text(rows[i].text);
		const struct arch *a = s ? arch_find(s, NULL, &err) : NULL;
		ok(rows[i].want ? !a && strstr(err.text, rows[i].want) : a != NULL, "row %zu: %s", i, a ? "read" : err.text);
		arch_set_close(s);
	}
}

static struct heft_tensor tensor(const char *name, int rank, uint64_t a, uint64_t b)
{
	return (struct heft_tensor){ .name = name, .enc = quant_find("bf16"), .rank = rank, .dim = { a, b } };
}

static const struct weight *weight_named(const struct weight *w, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(w[i].name, name))
			return &w[i];
	return NULL;
}

static const struct arch_member *member_named(const struct arch_result *r, const char *key)
{
	for (size_t i = 0; i < r->n_members; i++)
		if (!strcmp(r->member[i].key, key))
			return &r->member[i];
	return NULL;
}

static struct arch_result forward(struct arch_set *s, const struct heft_tensor *t, size_t n, const char *config, int *rc)
{
	struct json_doc *d = json_parse(config, strlen(config), "config.json", false, &err);
	struct arch_input in = { .config = json_root(d), .tensor = t, .n_tensors = n };
	struct arch_result r = { 0 };
	const struct arch *a = arch_find_target(s, in.config, &err);
	*rc = a ? arch_eval(a, &in, &r, arena, NULL, &err) : -1;
	json_free(d);
	return r;
}

static void test_rows(void)
{
	static const char config[] = "{\"num_hidden_layers\": 1, \"num_attention_heads\": 2}";
	struct heft_tensor t[] = { tensor("transformer.layers.0.mlp.gate.weight", 2, 4, 4), tensor("model.layers.0.kv.weight", 2, 6, 8),
				   tensor("model.norm.weight", 1, 4, 0), tensor("model.layers.0.plain.weight", 2, 4, 4),
				   tensor("model.layers.0.mlp.experts.0.up_proj.weight", 2, 4, 4), tensor("model.layers.0.mlp.experts.1.up_proj.weight", 2, 4, 4),
				   tensor("model.layers.0.bias_of_all", 1, 4, 0), tensor("model.layers.1.extra.weight", 2, 4, 4) };
	struct arch_set *s = open_text(family);
	int rc;
	arch_set_aim(s, "mlx");
	struct arch_result r = forward(s, t, sizeof(t) / sizeof(t[0]), config, &rc);
	ok(!rc, "a section maps: %s", rc ? err.text : "");
	const struct weight *gate = weight_named(r.weight, r.n_weights, "model.layers.0.mlp.gate.weight");
	ok(gate && gate->quant && !strcmp(gate->quant, "8bit"), "quant, by the name that pre made");
	const struct weight *plain = weight_named(r.weight, r.n_weights, "model.layers.0.plain.weight");
	ok(plain && plain->quant && !strcmp(plain->quant, "no") && !plain->n_ops, "quant no; a name that no row takes stays");
	const struct weight *k = weight_named(r.weight, r.n_weights, "model.layers.0.k.weight");
	const struct weight *v = weight_named(r.weight, r.n_weights, "model.layers.0.v.weight");
	ok(k && k->shape.rank == 3 && k->shape.dim[1] == 8 && k->shape.dim[2] == 1 && v && v->shape.dim[1] == 2, "a split");
	const struct weight *up = weight_named(r.weight, r.n_weights, "model.layers.0.mlp.switch_mlp.up_proj.weight");
	ok(up && up->n_sources == 2 && up->combine == COMBINE_STACK && up->shape.rank == 3, "the rows of all families come last");
	const struct weight *bias = weight_named(r.weight, r.n_weights, "model.layers.0.bias_of_all");
	ok(bias && bias->as_stored, "type stored");
	ok(r.n_drops == 1 && !strcmp(r.drop[0].name, "model.layers.1.extra.weight"), "layers behind the last are left out");
	ok(!weight_named(r.weight, r.n_weights, "x.weight") && !r.n_kv, "rows of the other target are not seen");
	arch_set_close(s);
}

static void test_members(void)
{
	static const char config[] = "{\"dtype\": \"bfloat16\", \"vision_config\": {}, \"rope_parameters\": {\"rope_theta\": 1e6, \"rope_type\": \"yarn\", \"factor\": 2.0, "
				     "\"list\": [1, 2]}}";
	struct arch_set *s = arch_set_open_target(NULL, "mlx", &err);
	int rc;
	struct arch_result r = forward(s, NULL, 0, config, &rc);
	const struct arch_member *m;
	ok(!rc, "a class of no family has the fragment's rows");
	ok((m = member_named(&r, "rope_theta")) && !strcmp(m->json, "1000000.0") && m->if_absent, "rope_theta");
	ok((m = member_named(&r, "rope_scaling")) && !strcmp(m->json, "{\"rope_type\": \"yarn\", \"factor\": 2.0, \"list\": [1, 2]}"), "rope_scaling is the rest");
	ok((m = member_named(&r, "torch_dtype")) && !strcmp(m->json, "\"bfloat16\""), "torch_dtype");
	ok((m = member_named(&r, "vision_config")) && !m->json, "vision_config goes");
	arch_set_close(s);
}

static void test_config(void)
{
	static const struct arch_member member[] = { { "a", "1", false }, { "b", "2", true }, { "c", NULL, false }, { "d", "[3]", true } };
	static const struct { const char *text, *want; } rows[] = {
		{ "{}", "{\n  \"a\": 1,\n  \"b\": 2,\n  \"d\": [3]\n}\n" },
		{ "{\"a\": 0, \"b\": 5, \"c\": {}, \"d\": null}", "{ \"b\": 5,\n  \"a\": 1,\n  \"d\": [3]\n}\n" },
		{ "{\"text_config\": {\"b\": 7}, \"a\": 9, \"c\": 1}", "{\"text_config\": {\"b\": 7,\n    \"a\": 1,\n    \"d\": [3]\n  }, \"a\": 9\n}\n" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct jbuf out = { 0 };
		int rc = config_set(&out, rows[i].text, strlen(rows[i].text), "config.json", member, 4, arena, &err);
		ok(!rc && out.n == strlen(rows[i].want) && !memcmp(out.p, rows[i].want, out.n), "members, case %zu", i);
		jbuf_release(&out);
	}
}

/* Slices of a stack make it again; what is turned comes through both steps. */
static void test_compose(void)
{
	struct heft_tensor stack = { .name = "s", .enc = quant_find("bf16"), .rank = 3, .dim = { 2, 4, 4 } }, flat = tensor("f", 2, 4, 6);
	const struct heft_tensor *of_stack = &stack, *of_flat = &flat;
	const int64_t take[2][3] = { { 0, 0, 1 }, { 0, 1, 1 } }, view[] = { 4, 4 }, perm[] = { 1, 0 };
	const struct op slice[2][2] = { { { .kind = OP_TAKE, .n_args = 3, .arg = take[0] }, { .kind = OP_VIEW, .n_args = 2, .arg = view } },
					{ { .kind = OP_TAKE, .n_args = 3, .arg = take[1] }, { .kind = OP_VIEW, .n_args = 2, .arg = view } } };
	const struct op turn = { .kind = OP_PERM, .n_args = 2, .arg = perm };
	struct weight from[] = { { .name = "e.0", .source = &of_stack, .n_sources = 1, .op = slice[0], .n_ops = 2 },
				 { .name = "e.1", .source = &of_stack, .n_sources = 1, .op = slice[1], .n_ops = 2 },
				 { .name = "t", .source = &of_flat, .n_sources = 1, .op = &turn, .n_ops = 1 } };
	for (int i = 0; i < 3; i++)
		weight_shape(&from[i], &err);
	struct heft_tensor *t = family_as_tensors(from, 3, arena);
	const struct heft_tensor *both[] = { &t[0], &t[1] }, *wrong[] = { &t[1], &t[0] }, *last = &t[2];
	struct weight w[] = { { .name = "all", .source = both, .n_sources = 2, .combine = COMBINE_STACK },
			      { .name = "again", .source = &last, .n_sources = 1, .op = &turn, .n_ops = 1 } };
	struct weight bad = { .name = "bad", .source = wrong, .n_sources = 2, .combine = COMBINE_STACK };
	ok(t[2].dim[0] == 6 && t[2].dim[1] == 4, "a weight as a tensor");
	ok(!family_compose(w, 2, t, from, arena, &err), "two steps as one");
	ok(w[0].n_sources == 1 && w[0].source[0] == &stack && !w[0].n_ops && w[0].combine == COMBINE_ONE, "a stack taken apart and put together is the stack");
	ok(w[1].source[0] == &flat && w[1].n_ops == 2, "operations follow each other");
	ok(family_compose(&bad, 1, t, from, arena, &err) && strstr(err.text, "'bad'"), "in another order it is not: %s", err.text);
}

static void test_inverse(void)
{
	static const char config[] = "{\"architectures\": [\"MixtralForCausalLM\"], \"model_type\": \"mixtral\"}";
	struct heft_tensor t[] = { { .name = "model.layers.0.block_sparse_moe.switch_mlp.up_proj.weight", .enc = quant_find("bf16"), .rank = 3, .dim = { 2, 4, 4 } },
				   tensor("model.norm.weight", 1, 4, 0) };
	struct arch_set *s = arch_set_open_target(NULL, "mlx", &err);
	struct json_doc *d = json_parse(config, strlen(config), "config.json", false, &err);
	struct arch_input in = { .config = json_root(d), .tensor = t, .n_tensors = 2 };
	struct arch_result r = { 0 };
	const struct arch *a = arch_find_target(s, in.config, &err);
	ok(a && !arch_eval_inverse(a, &in, &r, arena, &err), "from right to left");
	ok(r.n_weights == 3 && weight_named(r.weight, r.n_weights, "model.layers.0.block_sparse_moe.experts.1.w3.weight") && weight_named(r.weight, r.n_weights, "model.norm.weight"),
	   "a stack comes apart, what no row makes stays");
	arch_set_close(s);
	json_free(d);
}

/* By class; else by model_type, as runtimes have it that know no classes; else none. */
static void test_types(void)
{
	static const char *const configs[] = { "{\"architectures\": [\"Qwen3MoeForCausalLM\"]}", "{\"model_type\": \"qwen3_moe\"}", "{\"architectures\": [\"Own\"], \"model_type\": \"qwen3_moe\"}",
						"{\"model_type\": \"qwen3_mo\"}", "{\"model_type\": \"qwen3_moe_for_causal_lm\"}", "{\"model_type\": \"\"}" };
	struct arch_set *s = arch_set_open_target(NULL, "mlx", &err);
	const struct arch *found[6];
	for (int i = 0; i < 6; i++) {
		struct json_doc *d = json_parse(configs[i], strlen(configs[i]), "config.json", false, &err);
		found[i] = arch_find_target(s, json_root(d), &err);
		json_free(d);
	}
	ok(found[0] && found[0] != found[3] && found[1] == found[0] && found[2] == found[0], "a model_type stands for its class");
	ok(found[3] && found[4] == found[3] && found[5] == found[3], "one that is no class's has the rows of all");
	arch_set_close(s);
}

int main(void)
{
	arena = arena_new();
	test_parse();
	test_rows();
	test_members();
	test_config();
	test_compose();
	test_inverse();
	test_types();
	arena_free(arena);
	return done();
}
