/*
 * target.c - what llama.cpp wants: types of keys, tensors that stay F32, counts and sizes, file names, metadata of a
 * GGUF quantized again.
 */
#include "src/target/target.h"
#include "tests/tap.h"

static struct arena *arena;

static void test_keys(void)
{
	static const struct { const char *key; enum key_type type; } rows[] = {
		{ "block_count", KEY_U32 }, { "rope.freq_base", KEY_F32 }, { "attention.causal", KEY_BOOL },
		{ "rope.scaling.type", KEY_STRING }, { "rope.dimension_sections", KEY_I32_ARRAY },
		{ "activation_sparsity_scale", KEY_F32_ARRAY }, { "attention.recurrent_layers", KEY_BOOL_ARRAY },
		{ "general.tags", KEY_STRING_ARRAY }, { "attention.head_count", KEY_U32_OR_ARRAY },
		{ "attention.head_count_kv", KEY_U32_OR_ARRAY }, { "feed_forward_length", KEY_U32_OR_ARRAY },
		{ "attention.sliding_window_pattern", KEY_U32_OR_BOOLS }, { "general.sampling.top_k", KEY_I32 },
		{ "general.base_model.12.repo_url", KEY_STRING }, { "general.base_model.count", KEY_U32 },
		{ "tokenizer.chat_template.tool_use", KEY_STRING }, { "dense_2_feat_in", KEY_U32 },
		{ "tokenizer.ggml.scores", KEY_F32_ARRAY }, { "tokenizer.ggml.token_type", KEY_I32_ARRAY },
		{ "general.base_model.12.colour", KEY_UNKNOWN }, { "blockcount", KEY_UNKNOWN }, { "", KEY_UNKNOWN },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		is_int(llamacpp_key_type(rows[i].key), rows[i].type, "type of '%s'", rows[i].key);
}

static void test_f32(void)
{
	static const struct { const char *name; int rank; bool f32; } rows[] = {
		{"blk.0.attn_q.weight", 2, false},
		{"blk.0.attn_q.bias", 2, true},
		{"blk.0.attn_q.weight", 1, true},
		{"blk.0.attn_norm.weight", 2, true},
		{"blk.12.ffn_gate_inp.weight", 2, true},
		{"blk.12.ffn_gate_inp_shexp.weight", 2, true},
		{"blk..ffn_gate_inp.weight", 2, false},
		{"blk.12.ffn_gate_inp.weight.x.weight", 2, false},
		{"ffn_gate_inp.weight", 2, false},
		{"token_embd.weight", 2, false},
		{"position_embd.weight", 2, true},
		{"blk.3.ssm_conv1d.weight", 2, true},
		{"blk.3.ssm_a", 2, true},
		{"blk.3.attn_q.weight.lora_a", 2, false},
		{"posnet.1.norm2.weight", 2, true},
		{"blk.1.ffn_up_exps.weight", 3, false},
		{"output.weight", 2, false},
		{"weight", 2, true},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		is_int(llamacpp_keeps_f32(rows[i].name, rows[i].rank), rows[i].f32, "f32: %s of rank %d", rows[i].name,
		       rows[i].rank);
}

static void test_sizes(void)
{
	static const struct { uint64_t n; const char *label; } rows[] = {
		{1, "0.00K"},	  {499, "0.50K"},	{999499, "999K"},     {1000000, "1000K"},
		{1000001, "1.0M"},	  {1234567, "1.2M"},	{9400000, "9.4M"},    {9949999, "10M"},
		{12500000000, "12B"}, {8030261248, "8.0B"}, {70553706496, "71B"}, {1000000000001, "1.0T"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct param_count c = { 0 };
		llamacpp_count(&c, "w", &(struct shape){ 1, { rows[i].n } });
		is_str(llamacpp_size_label(&c, arena), rows[i].label, "%llu", (unsigned long long)rows[i].n);
	}
	struct param_count c = { 0 };
	llamacpp_count(&c, "blk.0.ffn_up_exps.weight", &(struct shape){ 3, { 8, 14336, 4096 } });
	llamacpp_count(&c, "blk.0.ffn_up_exps.bias", &(struct shape){ 3, { 1, 8, 14336 } });
	llamacpp_count(&c, "blk.0.ffn_down_exps.bias", &(struct shape){ 2, { 8, 4096 } });
	llamacpp_count(&c, "blk.0.attn_q.weight", &(struct shape){ 2, { 4096, 4096 } });
	is_int(llamacpp_experts(&c), 8, "experts are counted");
	is_int(c.expert, 14336 * 4096 + 14336, "parameters of one of them");
	is_int(c.shared, 4096 * 4096 + 8 * 4096, "parameters of the rest");
	is_str(llamacpp_size_label(&c, arena), "8x76M", "size of a mixture");
}

#define TEXT(k, t) { k, { .type = HEFT_STRING, .count = 1, .s = { t, sizeof(t) - 1 } } }

static void test_file_names(void)
{
	static const struct heft_kv full[] = {
		TEXT("general.name", "Llama 3.1 8B Instruct"),
		TEXT("general.basename", "Llama-3.1"),
		TEXT("general.size_label", "8B"),
		TEXT("general.finetune", "Instruct"),
		TEXT("general.version", "v2"),
	};
	static const struct heft_kv named[] = { TEXT("general.name", " My own Model ") };
	static const struct heft_kv hostile[] = {TEXT("general.name", "../../etc/passwd"),
						 TEXT("general.version", "a/../b\n")};
	static const struct heft_kv projector[] = { TEXT("general.type", "mmproj"), TEXT("general.name", "Net"), TEXT("general.size_label", "8B") };
	static const struct heft_kv option[] = { TEXT("general.name", "-o") };
	is_str(llamacpp_file_name(full, 5, "x", "q4_k_m", arena), "Llama-3.1-8B-Instruct-v2-Q4_K_M.gguf", "all parts");
	is_str(llamacpp_file_name(full, 3, "x", NULL, arena), "Llama-3.1-8B.gguf", "without a type");
	is_str(llamacpp_file_name(named, 1, "x", "bf16", arena), "My-own-Model-BF16.gguf",
	       "the name where there is no base name");
	is_str(llamacpp_file_name(NULL, 0, "models/Net-7B/", "f16", arena), "Net-7B-F16.gguf",
	       "the path where there is no name");
	is_str(llamacpp_file_name(hostile, 2, "x", "f16", arena), "etc-passwd-a-..-b-F16.gguf",
	       "no way out of the directory");
	is_str(llamacpp_file_name(option, 1, "x", "f16", arena), "o-F16.gguf", "no option");
	char *endless = arena_alloc(arena, 5001);
	memset(endless, 'n', 5000);
	const struct heft_kv kv = { "general.name", { .type = HEFT_STRING, .count = 1, .s = { endless, 5000 } } };
	is_str(llamacpp_file_name(projector, 3, "x", "f16", arena), "mmproj-Net-F16.gguf", "a projector is not as large as its model");
	ok(strlen(llamacpp_file_name(&kv, 1, "x", "f16", arena)) < 255, "no longer than a file system takes");
}

static void test_requantized(void)
{
	static const struct heft_kv in[] = {
		TEXT("general.architecture", "llama"),
		{ "general.file_type", { .type = HEFT_U32, .count = 1, .u = 1 } },
		{ "split.no", { .type = HEFT_U16, .count = 1 } },
		{ "split.count", { .type = HEFT_U16, .count = 1, .u = 3 } },
		{ "split.tensors.count", { .type = HEFT_I32, .count = 1, .i = 30 } },
		{ "llama.block_count", { .type = HEFT_U32, .count = 1, .u = 4 } },
	};
	struct heft_kv *out;
	size_t n;
	llamacpp_requantized(in, 6, 15, &out, &n, arena);
	is_int(n, 4, "the marks of a split set are gone, the version is new");
	is_str(out[1].key, "general.file_type", "keys keep their places");
	is_int(out[1].value.u, 15, "the type is the new one");
	is_str(out[3].key, "general.quantization_version", "a key that was missing comes last");
	ok(out[3].value.u == 2 && out[3].value.type == HEFT_U32, "version 2");
}

int main(void)
{
	arena = arena_new();
	test_keys();
	test_f32();
	test_sizes();
	test_file_names();
	test_requantized();
	arena_free(arena);
	return done();
}
