/*
 * Memory of published models, computed by hand from their configurations: the products stand beside the numbers. Then sizes, words, and what
 * is refused.
 */
#include <stdlib.h>
#include <string.h>

#include "heft_memory.h"
#include "tests/tap.h"

enum { KEYS = 64 };

/* "block_count=32 head_count=0,0,8": the keys of an architecture, numbers and lists of them, as metadata. */
struct metadata {
	struct heft_kv kv[KEYS];
	char key[KEYS][96];
	uint32_t list[KEYS][128];
	size_t n;
};

static void add_number(struct metadata *m, const char *arch, const char *name, const char *value)
{
	struct heft_kv *kv = &m->kv[m->n];
	uint32_t *list = m->list[m->n];
	size_t count = 0;

	for (const char *s = value; s && *s; s = strchr(s, ',') ? strchr(s, ',') + 1 : NULL)
		list[count++] = (uint32_t)strtoul(s, NULL, 10);
	snprintf(m->key[m->n], sizeof m->key[0], "%s.%s", arch, name);
	kv->key = m->key[m->n++];
	kv->value = count > 1 ? (struct heft_value){ .type = HEFT_U32, .array = true, .count = count, .data = list }
			      : (struct heft_value){ .type = HEFT_U32, .count = 1, .u = list[0] };
}

static void metadata_of(struct metadata *m, const char *arch, const char *words)
{
	char copy[2048], *rest = NULL;

	m->kv[0] = (struct heft_kv){ "general.architecture", { .type = HEFT_STRING, .count = 1, .s = { arch, strlen(arch) } } };
	m->n = 1;
	snprintf(copy, sizeof copy, "%s", words);
	for (char *w = strtok_r(copy, " ", &rest); w; w = strtok_r(NULL, " ", &rest)) {
		char *value = strchr(w, '=');

		*value++ = '\0';
		add_number(m, arch, w, value);
	}
}

static int memory(struct heft_memory *out, const char *arch, const char *keys, const struct heft_memory_options *o, struct heft_err *err)
{
	static struct metadata m;

	metadata_of(&m, arch, keys);
	return heft_memory_of(out, m.kv, m.n, o, err);
}

#define A "attention."
#define JAMBA_KV "0,0,0,0,8,0,0,0,0,0,0,0,8,0,0,0,0,0,0,0,8,0,0,0,0,0,0,0,8,0,0,0"

/* Bytes of keys and values, of an indexer's keys, of states. */
static const struct golden {
	const char *name, *arch, *keys, *type;
	uint64_t context, cache, index, state;
} goldens[] = {
	/* layers * kv_heads * head * 2 (keys, values) * 2 bytes * context */
	{ "Llama 3 8B", "llama", "block_count=32 embedding_length=4096 " A "head_count=32 " A "head_count_kv=8", "f16", 8192, 1073741824, 0, 0 },
	{ "Llama 3 70B", "llama", "block_count=80 embedding_length=8192 " A "head_count=64 " A "head_count_kv=8", "f16", 32768, 10737418240, 0, 0 },
	{ "Llama 3.1 405B", "llama", "block_count=126 embedding_length=16384 " A "head_count=128 " A "head_count_kv=8",
	  "f16", 131072, 67645734912, 0, 0 },
	{ "Mistral 7B", "llama", "block_count=32 embedding_length=4096 " A "head_count=32 " A "head_count_kv=8", "f16", 32768, 4294967296, 0, 0 },
	{ "Mixtral 8x7B", "llama", "block_count=32 embedding_length=4096 expert_count=8 " A "head_count=32 " A "head_count_kv=8",
	  "f16", 32768, 4294967296, 0, 0 },
	{ "Llama 2 7B: no groups", "llama", "block_count=32 embedding_length=4096 " A "head_count=32", "f16", 4096, 2147483648, 0, 0 },
	/* heads have their own size: 128, not 4096 / 32 and 2048 / 32 */
	{ "Qwen3 8B", "qwen3", "block_count=36 embedding_length=4096 " A "head_count=32 " A "head_count_kv=8 " A "key_length=128 " A "value_length=128",
	  "f16",
	  40960, 6039797760, 0, 0 },
	{ "Qwen3 30B-A3B", "qwen3moe", "block_count=48 embedding_length=2048 " A "head_count=32 " A "head_count_kv=4 " A "key_length=128 " A "value_length=128",
	  "f16", 32768, 3221225472, 0, 0 },
	/* 512 numbers are 16 blocks of 34 bytes, or of 18: 48 * 2 * 544 * 32768 */
	{ "Qwen3 30B-A3B, q8_0", "qwen3moe", "block_count=48 embedding_length=2048 " A "head_count=32 " A "head_count_kv=4 " A "key_length=128 " A "value_length=128",
	  "q8_0", 32768, 1711276032, 0, 0 },
	{ "Qwen3 30B-A3B, q4_0", "qwen3moe", "block_count=48 embedding_length=2048 " A "head_count=32 " A "head_count_kv=4 " A "key_length=128 " A "value_length=128",
	  "q4_0", 32768, 905969664, 0, 0 },
	/* the window is not used: 32 * 32 * 96 * 4 * 4096 */
	{ "Phi-3 mini", "phi3", "block_count=32 embedding_length=3072 " A "head_count=32 " A "head_count_kv=32 " A "sliding_window=2047",
	  "f16", 4096, 1610612736, 0, 0 },
	{ "Phi-4", "phi3", "block_count=40 embedding_length=5120 " A "head_count=40 " A "head_count_kv=10 " A "sliding_window=0",
	  "f16", 16384, 3355443200, 0, 0 },
	/* 23 layers of 8192 tokens and 23 of 4096 + 512, 16 * 128 * 4 bytes each */
	{ "Gemma 2 27B", "gemma2", "block_count=46 embedding_length=4608 " A "head_count=32 " A "head_count_kv=16 " A "key_length=128 " A "value_length=128 "
	  A "sliding_window=4096", "f16", 8192, 1543503872ull + 868220928, 0, 0 },
	/* 10 of 62 are whole; 1024 + 512 tokens */
	{ "Gemma 3 27B", "gemma3", "block_count=62 embedding_length=5376 " A "head_count=32 " A "head_count_kv=16 " A "key_length=128 " A "value_length=128 "
	  A "sliding_window=1024", "f16", 32768, 2684354560ull + 654311424, 0, 0 },
	/* 20 of 35 have a cache: 4 whole, 16 of 512 + 512 tokens; 2 * 256 * 4 bytes */
	{ "Gemma 3n E4B", "gemma3n", "block_count=35 embedding_length=2048 " A "head_count=8 " A "head_count_kv=2 " A "key_length=256 " A "value_length=256 "
	  A "sliding_window=512 " A "shared_kv_layers=15", "f16", 32768, 268435456ull + 33554432, 0, 0 },
	/* 18 whole, 18 of 128 + 512 = 640, as 768; 8 * 64 * 4 bytes */
	{ "gpt-oss 120B", "gpt-oss", "block_count=36 embedding_length=2880 " A "head_count=64 " A "head_count_kv=8 " A "key_length=64 " A "value_length=64 "
	  A "sliding_window=128", "f16", 131072, 4831838208ull + 28311552, 0, 0 },
	/* 12 whole, 36 in chunks of 8192 + 512 */
	{ "Llama 4 Scout", "llama4", "block_count=48 embedding_length=5120 " A "head_count=40 " A "head_count_kv=8 " A "key_length=128 " A "value_length=128",
	  "f16",
	  131072, 6442450944ull + 1283457024, 0, 0 },
	{ "Command R7B", "cohere2", "block_count=32 embedding_length=4096 " A "head_count=32 " A "head_count_kv=8 " A "sliding_window=4096",
	  "f16", 16384,
	  536870912ull + 452984832, 0, 0 },
	{ "EXAONE 4 32B", "exaone4", "block_count=64 embedding_length=5120 " A "head_count=40 " A "head_count_kv=8 " A "sliding_window=4096",
	  "f16", 32768,
	  2147483648ull + 905969664, 0, 0 },
	{ "EXAONE 4 1.2B: no window", "exaone4", "block_count=30 embedding_length=2048 " A "head_count=32 " A "head_count_kv=8 " A "sliding_window=4096",
	  "f16",
	  32768, 2013265920, 0, 0 },
	/* 61 * (512 + 64) * 2 bytes, and no values */
	{ "DeepSeek-V3", "deepseek2", "block_count=61 embedding_length=7168 " A "head_count=128 " A "head_count_kv=1 " A "key_length=576 " A "value_length=512 "
	  A "kv_lora_rank=512 " A "key_length_mla=192 " A "value_length_mla=128", "f16", 32768, 2302672896, 0, 0 },
	{ "DeepSeek-V3, q8_0", "deepseek2", "block_count=61 embedding_length=7168 " A "head_count=128 " A "head_count_kv=1 " A "key_length=576 " A "value_length=512 "
	  A "kv_lora_rank=512 " A "key_length_mla=192 " A "value_length_mla=128", "q8_0", 32768, 1223294976, 0, 0 },
	/* and an indexer's 128 numbers; the 62nd layer predicts further tokens */
	{ "DeepSeek-V3.2", "deepseek32", "block_count=62 nextn_predict_layers=1 embedding_length=7168 " A "head_count=128 " A "head_count_kv=1 " A "key_length=576 "
	  A "value_length=512 " A "kv_lora_rank=512 " A "key_length_mla=192 " A "value_length_mla=128 " A "indexer.key_length=128",
	  "f16", 32768, 2302672896, 511705088, 0 },
	{ "GLM-4.5 Air", "glm4moe", "block_count=47 nextn_predict_layers=1 embedding_length=4096 " A "head_count=96 " A "head_count_kv=8 " A "key_length=128 "
	  A "value_length=128", "f16", 32768, 6174015488, 0, 0 },
	/* 4 layers attend; 28 have (3 + 16) * 8192 numbers of 4 bytes */
	{ "Jamba 1.5 Mini", "jamba", "block_count=32 embedding_length=4096 ssm.conv_kernel=4 ssm.inner_size=8192 ssm.state_size=16 " A "head_count=32 "
	  A "head_count_kv=" JAMBA_KV, "f16", 32768, 536870912, 0, 17432576 },
	{ "Mamba 2.8B", "mamba", "block_count=64 embedding_length=2560 ssm.conv_kernel=4 ssm.inner_size=5120 ssm.state_size=16 " A "head_count=0",
	  "f16", 32768, 0, 0,
	  24903680 },
	/* each layer attends and has (3 * (3072 + 2 * 256) + 256 * 3072) * 4 bytes */
	{ "Falcon-H1 7B", "falcon-h1", "block_count=44 embedding_length=3072 ssm.conv_kernel=4 ssm.inner_size=3072 ssm.state_size=256 ssm.group_count=1 "
	  A "head_count=12 " A "head_count_kv=2 " A "key_length=128 " A "value_length=128", "f16", 32768, 1476395008, 0, 140304384 },
	/* each fourth attends; 36 have (3 * (4096 + 2 * 16 * 128) + 128 * 4096) * 4 bytes */
	{ "Qwen3-Next 80B", "qwen3next", "block_count=48 embedding_length=2048 ssm.conv_kernel=4 ssm.inner_size=4096 ssm.state_size=128 ssm.group_count=16 "
	  A "head_count=16 " A "head_count_kv=2 " A "key_length=256 " A "value_length=256", "f16", 32768, 805306368, 0, 79036416 },
	{ "LFM2 1.2B", "lfm2", "block_count=16 embedding_length=2048 shortconv.l_cache=3 " A "head_count=32 " A "head_count_kv=0,0,8,0,0,8,0,0,8,0,8,0,8,0,8,0",
	  "f16", 32768, 402653184, 0, 163840 },
	{ "RWKV-6 1.6B", "rwkv6", "block_count=24 embedding_length=2048 wkv.head_size=64 token_shift_count=2 " A "head_count=0",
	  "f16", 4096, 0, 0, 12976128 },
	{ "BERT", "bert", "block_count=12 embedding_length=768 " A "head_count=12", "f16", 512, 0, 0, 0 },
};

static void check_golden(const struct golden *g)
{
	const struct heft_encoding *e = heft_memory_type(g->type);
	struct heft_memory_options o = { .context = g->context, .k = e, .v = e };
	struct heft_memory m;
	struct heft_err err = { 0 };

	ok(!memory(&m, g->arch, g->keys, &o, &err), "%s: %s", g->name, err.text);
	ok(m.k_bytes + m.v_bytes == g->cache, "%s: keys and values %llu, wanted %llu", g->name, (unsigned long long)(m.k_bytes + m.v_bytes),
	   (unsigned long long)g->cache);
	ok(m.index_bytes == g->index && m.state_bytes == g->state, "%s: index %llu, states %llu", g->name, (unsigned long long)m.index_bytes,
	   (unsigned long long)m.state_bytes);
	ok(m.cache_bytes == g->cache + g->index + g->state && m.compute_least <= m.compute_most, "%s: the sum", g->name);
	heft_memory_release(&m);
}

/* ---- options ---- */

#define PLAIN "block_count=2 embedding_length=256 context_length=1000 " A "head_count=8 " A "head_count_kv=4" /* 2 * 4 * 32 * 4 = 1024 bytes a token */

static uint64_t cache_of(const struct heft_memory_options *o)
{
	struct heft_memory m;
	struct heft_err err;
	uint64_t n = memory(&m, "llama", PLAIN, o, &err) ? 0 : m.cache_bytes;

	heft_memory_release(&m);
	return n;
}

static void check_options(void)
{
	ok(cache_of(NULL) == 1024 * 1024, "the model's own length, in blocks of 256");
	ok(cache_of(&(struct heft_memory_options){ .context = 1 }) == 256 * 1024, "one token takes 256");
	ok(cache_of(&(struct heft_memory_options){ .context = 256 }) == 256 * 1024, "256 take 256");
	ok(cache_of(&(struct heft_memory_options){ .context = 257 }) == 512 * 1024, "257 take 512");
	ok(cache_of(&(struct heft_memory_options){ .context = 256, .sequences = 4 }) == 4 * 256 * 1024, "four sequences");
	ok(cache_of(&(struct heft_memory_options){ .context = 256, .k = heft_memory_type("q8_0") }) == 256 * (512 + 272), "keys alone in q8_0");
	ok(!cache_of(&(struct heft_memory_options){ .context = UINT64_MAX }), "a context that no runtime has");
	ok(!cache_of(&(struct heft_memory_options){ .context = 256, .v = heft_memory_type("q8_0"), .no_flash = true }), "values in q8_0 need flash attention");
	ok(!heft_memory_type("q4_k") && !heft_memory_type("nonsense") && heft_memory_type("Q8_0"), "types that a cache has");
}

static void check_windows(void)
{
	static const char keys[] = "block_count=3 embedding_length=256 " A "head_count=8 " A "head_count_kv=4 " A "sliding_window=100 "
				   A "sliding_window_pattern=1,0,1";
	struct heft_memory m;
	struct heft_err err;

	ok(!memory(&m, "gemma3", keys, &(struct heft_memory_options){ .context = 4096 }, &err), "a list says which layers have a window");
	ok(m.layer[0].kind == HEFT_CACHE_WINDOW && m.layer[1].kind == HEFT_CACHE_FULL && m.layer[2].kind == HEFT_CACHE_WINDOW, "which");
	ok(m.layer[0].cells == 768 && m.layer[1].cells == 4096, "100 + 512 tokens, as 768");
	heft_memory_release(&m);
	memory(&m, "gemma3", keys, &(struct heft_memory_options){ .context = 256 }, &err);
	ok(m.layer[0].cells == 256, "no more than the context");
	heft_memory_release(&m);
	memory(&m, "gemma3", keys, &(struct heft_memory_options){ .context = 4096, .full_window = true }, &err);
	ok(m.layer[0].cells == 4096, "all tokens, where that is asked");
	heft_memory_release(&m);
	memory(&m, "gemma3n", "block_count=30 embedding_length=256 " A "head_count=8 " A "sliding_window=100", NULL, &err);
	ok(m.layer[19].kind == HEFT_CACHE_FULL && m.layer[20].kind == HEFT_CACHE_SHARED, "layers behind the 20th share");
	ok(m.layer[20].of == 18 && m.layer[24].of == 19, "the last of their kind");
	heft_memory_release(&m);
}

static void refuses(const char *arch, const char *keys, enum heft_code code, const char *label)
{
	struct heft_memory m;
	struct heft_err err = { 0 };

	ok(memory(&m, arch, keys, &(struct heft_memory_options){ .context = 256, .k = heft_memory_type("q8_0") }, &err) && err.code == code, "%s: %s", label,
	   err.text);
	heft_memory_release(&m);
}

static void check_refused(void)
{
	struct heft_memory m;
	struct heft_err err = { 0 };

	ok(heft_memory_of(&m, NULL, 0, NULL, &err) && err.code == HEFT_E_FAMILY, "no metadata: %s", err.text);
	heft_memory_release(&m);
	refuses("llama", "block_count=4000000000", HEFT_E_CONFIG, "more layers than there can be");
	refuses("llama", "block_count=2 " A "head_count_kv=4294967295", HEFT_E_CONFIG, "more heads than there can be");
	refuses("llama", "block_count=2 embedding_length=80 " A "head_count=4", HEFT_E_OPTION, "heads of 20 in blocks of 32");
}

/* ---- words ---- */

static const struct {
	const char *s;
	uint64_t bytes; /* 0: refused */
} sizes[] = {
	{ "24G", 24ull << 30 }, { "24g", 24ull << 30 }, { "24GiB", 24ull << 30 }, { "24GB", 24000000000 }, { "1.5G", 3ull << 29 }, { "512M", 512 << 20 },
	{ "1T", 1ull << 40 }, { "24000000000", 24000000000 }, { "1048576", 1 << 20 }, { "1048575", 0 }, { "24", 0 }, { "16k", 0 }, { "2048k", 2 << 20 }, { "24X", 0 }, { "", 0 }, { "G", 0 }, { "-1G", 0 }, { "24 G", 0 }, { "0", 0 },
	{ "99999999999999999999T", 0 }, { "9000000T", 0 }, { "1e3", 0 }, { "24Gi", 0 }, { "1.G", 1ull << 30 },
};

static void check_words(void)
{
	struct heft_memory_options o = { 0 };
	struct heft_err err;
	uint64_t n;

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		int rc = heft_memory_size(sizes[i].s, &n, &err);

		ok(sizes[i].bytes ? !rc && n == sizes[i].bytes : rc && err.code == HEFT_E_OPTION, "size '%s'", sizes[i].s);
	}
	ok(!heft_memory_tokens("32k", &n, &err) && n == 32768, "32k tokens");
	ok(!heft_memory_tokens("1M", &n, &err) && n == 1 << 20, "1M tokens");
	ok(heft_memory_tokens("1G", &n, &err) && heft_memory_tokens("0", &n, &err) && heft_memory_tokens("x", &n, &err), "no numbers of tokens");
	ok(!heft_memory_parse("24G ctx=16k kv=q8_0 seqs=2 ubatch=1024", &n, &o, &err), "a line");
	ok(n == 24ull << 30 && o.context == 16384 && o.k == heft_memory_type("q8_0") && o.v == o.k && o.sequences == 2 && o.ubatch == 1024, "all of it");
	ok(!heft_memory_parse("fa=off k=f16 v=bf16 8G", &n, &o, &err) && o.no_flash && o.v == heft_memory_type("bf16") && o.context == 16384, "in any order");
	ok(heft_memory_parse("24G 25G", &n, &o, &err), "two sizes: %s", err.text);
	ok(heft_memory_parse("ctx=16k", &n, &o, &err), "no size: %s", err.text);
	ok(heft_memory_parse("", &n, &o, &err), "nothing: %s", err.text);
	ok(heft_memory_parse("24G ctx=", &n, &o, &err), "no number: %s", err.text);
	ok(heft_memory_parse("24G kv=q9", &n, &o, &err), "no type: %s", err.text);
	ok(heft_memory_parse("24G colour=red", &n, &o, &err), "no word: %s", err.text);
	ok(heft_memory_parse("24G fa=maybe", &n, &o, &err), "neither on nor off: %s", err.text);
}

int main(void)
{
	for (size_t i = 0; i < sizeof goldens / sizeof *goldens; i++)
		check_golden(&goldens[i]);
	check_options();
	check_windows();
	check_refused();
	check_words();
	return done();
}
