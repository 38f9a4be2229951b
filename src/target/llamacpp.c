/*
 * llamacpp.c - what llama.cpp wants of a file: which tensors stay F32, and what quantizing a GGUF again does to its
 * metadata.
 */
#include "target.h"

#include <string.h>

enum { QUANTIZATION_VERSION = 2 };

const struct target target_llamacpp = {
	.name = "gguf",
	.format = "gguf",
};

/* Small weights that its operators only take as F32; N stands for a number. Norms and what is no ".weight" are F32 by
 * rule. */
static const char *const f32_names[] = {
	"blk.N.ffn_gate_inp.weight",
	"blk.N.ffn_gate_inp_shexp.weight",
	"position_embd.weight",
	"token_types.weight",
	"v.position_embd.weight",
	"a.position_embd.weight",
	"blk.N.ssm_conv1d.weight",
	"blk.N.ssm_conv1d_q.weight",
	"blk.N.ssm_conv1d_k.weight",
	"blk.N.ssm_conv1d_v.weight",
	"blk.N.shortconv.conv.weight",
	"blk.N.time_mix_first.weight",
	"blk.N.time_mix_w1.weight",
	"blk.N.time_mix_w2.weight",
	"blk.N.time_mix_decay_w1.weight",
	"blk.N.time_mix_decay_w2.weight",
	"blk.N.time_mix_lerp_fused.weight",
	"posnet.N.norm1.weight",
	"posnet.N.norm2.weight",
	"blk.N.altup_correct_coef.weight",
	"blk.N.altup_predict_coef.weight",
	"blk.N.indexer.proj.weight",
};

static bool matches(const char *pattern, const char *name)
{
	for (; *pattern; pattern++) {
		size_t n = strspn(name, "0123456789");
		if (*pattern == 'N' && !n)
			return false;
		if (*pattern != 'N' && *pattern != *name)
			return false;
		name += *pattern == 'N' ? n : 1;
	}
	return !*name;
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);
	return n >= m && !memcmp(s + n - m, end, m);
}

bool llamacpp_keeps_f32(const char *name, int rank)
{
	if (rank <= 1 || ends_with(name, "_norm.weight"))
		return true;
	if (!ends_with(name, ".weight") && !ends_with(name, ".lora_a") && !ends_with(name, ".lora_b"))
		return true;
	for (size_t i = 0; i < sizeof(f32_names) / sizeof(f32_names[0]); i++)
		if (matches(f32_names[i], name))
			return true;
	return false;
}

/* Convolutions that its operators take as either float. */
bool llamacpp_keeps_float(const char *name)
{
	return strstr(name, ".patch_embd.weight") || strstr(name, ".patch_merger.weight");
}

static bool is_in(const char *const *list, const char *s)
{
	while (*list && strcmp(*list, s))
		list++;
	return *list != NULL;
}

/* Architectures with three attention matrices and no name for them in one; the others have both. */
static const char *const apart_only[] = {
	"bailingmoe3", "bitnet", "cohere2moe", "deepseek2", "dflash", "eagle3", "gemma-embedding2", "glm5-next", "granite_swa", "hrm_text", "hy_v3",
	"k2-horizon", "kimi-k3", "laguna", "maple", "mellum", "minimax-m3", "nanbeige", "pockettts", "qwen3tts", "talkie", "vllm-decision2", NULL
};

bool llamacpp_has_qkv(const char *arch)
{
	return !is_in(apart_only, arch);
}

static const char *const gate_up[] = {
	"cohere2moe", "deepseek2-ocr", "gemma4", "granite_swa", "mistral4", "qwen35moe", "qwen3next", "qwen4exp", NULL
};

bool llamacpp_has_gate_up(const char *arch)
{
	return is_in(gate_up, arch);
}

/* Types that llama-quantize refuses to write without an importance matrix, but for the embeddings and the output matrix. */
static const char *const weighted_types[] = { "iq1_s", "iq1_m", "iq2_xxs", "iq2_xs", "iq2_s", "iq3_xxs" };

bool heft_encoding_needs_imatrix(const struct heft_encoding *e)
{
	for (size_t i = 0; i < sizeof(weighted_types) / sizeof(weighted_types[0]); i++)
		if (!strcmp(heft_encoding_name(e), weighted_types[i]))
			return true;
	return false;
}

/* ---- metadata of a GGUF that is quantized again ---------------------------------------------------------------- */

static struct heft_kv kv_u32(const char *key, uint32_t v)
{
	return (struct heft_kv){ key, { .type = HEFT_U32, .count = 1, .u = v } };
}

static bool is_split_mark(const char *key)
{
	return !strcmp(key, "split.no") || !strcmp(key, "split.count") || !strcmp(key, "split.tensors.count");
}

/* Overwrites in place where the key is there, so that the order of the input is kept. */
static size_t set_kv(struct heft_kv *kv, size_t n, struct heft_kv v)
{
	size_t i = 0;
	while (i < n && strcmp(kv[i].key, v.key))
		i++;
	kv[i] = v;
	return i == n ? n + 1 : n;
}

void llamacpp_requantized(const struct heft_kv *in, size_t n, uint32_t file_type, struct heft_kv **out, size_t *n_out,
			  struct arena *a)
{
	struct heft_kv *kv = arena_array(a, n + 2, sizeof(*kv));
	size_t m = 0;
	for (size_t i = 0; i < n; i++)
		if (!is_split_mark(in[i].key))
			kv[m++] = in[i];
	m = set_kv(kv, m, kv_u32("general.quantization_version", QUANTIZATION_VERSION));
	m = set_kv(kv, m, kv_u32("general.file_type", file_type));
	*out = kv;
	*n_out = m;
}
