/* recipe.c - a stranger's recipe: read, and used on a small model and on a few modules. */
#include "quant/quant.h"
#include "src/recipe.h"

static void decide(const struct recipe *r, struct arena *a)
{
	static const char *const names[] = { "token_embd.weight", "output.weight", "output_norm.weight", "blk.0.attn_v.weight", "blk.1.attn_v.weight",
					     "blk.0.ffn_down.weight", "blk.1.ffn_down_exps.weight", "blk.1.ffn_gate_inp.weight", "blk.10.\"odd\" {name}" };
	enum { N = sizeof(names) / sizeof(*names) };
	struct heft_kv kv[] = { { "llama.block_count", { .type = HEFT_U32, .u = 2 } }, { "llama.attention.head_count", { .type = HEFT_U32, .u = 8 } },
				{ "llama.expert_count", { .type = HEFT_U32, .u = 4 } } };
	struct recipe_item item[N] = { 0 };
	struct recipe_told told;
	struct recipe_facts f = { .told = &told, .arch = "llama", .kv = kv, .n_kv = 3, .imatrix = true };
	struct heft_err err;
	for (int i = 0; i < N; i++) {
		int rank = i == 2 ? 1 : i == 6 ? 3 : 2;
		item[i] = (struct recipe_item){ .name = names[i], .shape = { rank, { 4, 8, 256 } }, .stored = quant_find(rank > 1 ? "bf16" : "f32") };
		item[i].shape.dim[rank - 1] = i % 2 ? 256 : 80;
	}
	recipe_decide(r, item, N, &f, a, &err);
}

static void ask(const struct recipe *r, struct arena *a)
{
	static const char *const names[] = { "model.embed_tokens", "model.layers.0.self_attn.v_proj", "model.layers.11.mlp.experts.3.down_proj", "model.norm", "lm_head" };
	struct recipe_told told;
	struct recipe_facts f = { .told = &told, .arch = "llama", .layers = 12 };
	struct recipe_says says;
	struct heft_err err;
	struct recipe_use *u = recipe_begin(r, &f, a, &err);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct recipe_item module = { .name = names[i], .shape = { 2, { 64, 64 } }, .stored = quant_find("bf16"), .plain = i == 3 };
		recipe_ask(u, &module, &says);
	}
	recipe_check_used(u, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct arena *a = arena_new();
	struct heft_err err;
	const struct recipe *r = recipe_read("fuzz.recipe", (const char *)data, n, a, &err);
	if (r && recipe_target(r))
		ask(r, a);
	else if (r)
		decide(r, a);
	arena_free(a);
	return 0;
}
