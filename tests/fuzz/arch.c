/* arch.c - a stranger's family file, parsed and evaluated for a small model. */
#include "quant/quant.h"
#include "src/arch_rows.h"

static const char config[] =
	"{\"model_type\": \"llama\", \"vocab_size\": 8, \"hidden_size\": 4, \"num_hidden_layers\": 2, \"n\": null, "
	"\"num_attention_heads\": 2, \"list\": [1, 2.5, \"a\", [3]], \"rope_scaling\": {\"type\": \"yarn\", \"factor\": 2}}";

static int64_t vocab_count(void *ctx)
{
	return 8;
}

static int64_t vocab_id(void *ctx, const char *text)
{
	return text[0] == '<' ? 1 : -1;
}

static void evaluate(const struct arch *a, bool metadata_only)
{
	struct heft_tensor t[6] = { { .name = "model.embed_tokens.weight", .rank = 2, .dim = { 8, 4 } },
				    { .name = "model.layers.0.self_attn.q_proj.weight", .rank = 2, .dim = { 4, 4 } },
				    { .name = "model.layers.1.self_attn.q_proj.weight", .rank = 2, .dim = { 4, 4 } },
				    { .name = "model.layers.0.mlp.experts.0.w1.weight", .rank = 2, .dim = { 4, 4 } },
				    { .name = "model.layers.0.mlp.experts.1.w1.weight", .rank = 2, .dim = { 4, 4 } },
				    { .name = "model.norm.weight", .rank = 1, .dim = { 4 } } };
	struct heft_err err;
	struct arena *arena = arena_new();
	struct json_doc *d = json_parse(config, sizeof(config) - 1, "config.json", false, &err);
	struct arch_input in = { .config = json_root(d),
		.tensor = t,
		.n_tensors = 6,
		.vocab_count = vocab_count,
		.vocab_id = vocab_id,
		.metadata_only = metadata_only };
	struct arch_result r;
	for (int i = 0; i < 6; i++)
		t[i].enc = quant_find("bf16");
	arch_eval(a, &in, &r, arena, NULL, &err);
	json_free(d);
	arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct heft_err err;
	struct arch_set *s = arch_set_open_text("fuzz.arch", (const char *)data, n, &err);
	const struct arch *a = s ? arch_find(s, NULL, &err) : NULL;
	if (a) {
		evaluate(a, false);
		evaluate(a, true);
	}
	arch_set_close(s);
	s = arch_set_open_text("fuzz.arch", (const char *)data, n, &err);
	if (s) {
		arch_set_aim(s, "mlx");
		a = arch_find_target(s, NULL, &err);
		if (a)
			evaluate(a, false);
	}
	arch_set_close(s);
	return 0;
}
