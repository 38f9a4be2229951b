/*
 * mkmodel.c - writes checkpoints for tests, without Python: config.json, (sharded) safetensors, index.
 *
 * usage: mkmodel PRESET DIR [KEY=VALUE ...]     keys: the fields of struct shape, dtype=bf16|f16|f32|mixed, shards=N, sparse=1,
 *                                               fp8=1: projections in F8_E4M3 with a scale per block of 128 x 128
 *
 * The bytes depend on the arguments alone: each tensor's numbers come from its name, by integer arithmetic and correctly rounded
 * float operations. Weights have a bell with a heavy tail, norms lie near 1. sparse=1 writes true headers and leaves the data to
 * truncate(), so that a model of 140 GB takes a few pages of disk. The tokenizer is the caller's to copy.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct shape {
	long hidden, ffn, layers, heads, kv_heads, head_dim, vocab, experts, moe_ffn, tie, seed;
};

enum family { LLAMA, LLAMA3, MISTRAL, MIXTRAL, QWEN2, QWEN3, QWEN3MOE };

static const struct family_row {
	const char *cls, *model_type, *more; /* more: members of config.json beyond the shape */
	bool qk_norm, qkv_bias, moe;
	const char *expert, *gate, *up, *down; /* of a mixture: names below model.layers.N. */
	const char *router;
} families[] = {
	[LLAMA] = { .cls = "LlamaForCausalLM", .model_type = "llama", .more = "\"rms_norm_eps\": 1e-05, \"rope_theta\": 10000.0" },
	[LLAMA3] = { .cls = "LlamaForCausalLM", .model_type = "llama",
		     .more = "\"rms_norm_eps\": 1e-05, \"rope_theta\": 500000.0, \"rope_scaling\": {\"factor\": 32.0, \"high_freq_factor\": 4.0, "
		     "\"low_freq_factor\": 1.0, \"original_max_position_embeddings\": 8192, \"rope_type\": \"llama3\"}" },
	[MISTRAL] = { .cls = "MistralForCausalLM", .model_type = "mistral",
		      .more = "\"rms_norm_eps\": 1e-05, \"rope_parameters\": {\"rope_theta\": 1000000.0, \"rope_type\": \"default\"}, \"sliding_window\": 4096" },
	[MIXTRAL] = { .cls = "MixtralForCausalLM", .model_type = "mixtral",
		      .more = "\"rms_norm_eps\": 1e-05, \"rope_theta\": 1000000.0, \"num_experts_per_tok\": 2, \"sliding_window\": null", .moe = true,
		      .expert = "block_sparse_moe.experts", .gate = "w1", .up = "w3", .down = "w2", .router = "block_sparse_moe.gate" },
	[QWEN2] = { .cls = "Qwen2ForCausalLM", .model_type = "qwen2", .more = "\"rms_norm_eps\": 1e-06, \"rope_theta\": 1000000.0, \"use_sliding_window\": false", .qkv_bias = true },
	[QWEN3] = { .cls = "Qwen3ForCausalLM", .model_type = "qwen3", .more = "\"rms_norm_eps\": 1e-06, \"rope_theta\": 1000000", .qk_norm = true },
	[QWEN3MOE] = { .cls = "Qwen3MoeForCausalLM", .model_type = "qwen3_moe",
		       .more = "\"rms_norm_eps\": 1e-06, \"rope_theta\": 1000000.0, \"num_experts_per_tok\": 2, \"norm_topk_prob\": true, "
		       "\"decoder_sparse_step\": 1, \"mlp_only_layers\": []", .qk_norm = true, .moe = true,
		       .expert = "mlp.experts", .gate = "gate_proj", .up = "up_proj", .down = "down_proj", .router = "mlp.gate" },
};

static const struct preset {
	const char *name;
	enum family family;
	struct shape shape;
} presets[] = {
	/* small ones: `wide` rows hold every k-quant, `narrow` ones make them fall back */
	{ "llama", LLAMA, { 256, 512, 8, 4, 2, 64, 2048, 0, 0, 0, 0 } },
	{ "llama-narrow", LLAMA, { 64, 160, 3, 4, 2, 16, 2048, 0, 0, 0, 0 } },
	{ "llama3", LLAMA3, { 256, 768, 4, 4, 2, 64, 2048, 0, 0, 1, 0 } },
	{ "llama-80", LLAMA, { 256, 256, 80, 4, 2, 64, 2048, 0, 0, 0, 0 } },
	{ "mistral", MISTRAL, { 256, 512, 8, 4, 1, 64, 2048, 0, 0, 0, 0 } },
	{ "mixtral", MIXTRAL, { 256, 256, 4, 4, 2, 64, 2048, 8, 256, 0, 0 } },
	{ "mixtral-narrow", MIXTRAL, { 96, 128, 3, 4, 4, 24, 2048, 4, 128, 0, 0 } },
	{ "qwen2", QWEN2, { 256, 512, 4, 4, 2, 64, 2048, 0, 0, 1, 0 } },
	{ "qwen3", QWEN3, { 256, 512, 4, 4, 2, 128, 2048, 0, 0, 1, 0 } },
	{ "qwen3moe", QWEN3MOE, { 256, 512, 4, 4, 2, 64, 2048, 8, 256, 0, 0 } },
	/* for the benchmark: 1.1 GB in bf16 */
	{ "bench", LLAMA, { 2048, 5632, 11, 16, 4, 128, 8192, 0, 0, 0, 0 } },
	/* published sizes, for sparse=1 */
	{ "llama-70b", LLAMA3, { 8192, 28672, 80, 64, 8, 128, 128256, 0, 0, 0, 0 } },
	{ "llama-405b", LLAMA3, { 16384, 53248, 126, 128, 8, 128, 128256, 0, 0, 0, 0 } },
	{ "moe-256", QWEN3MOE, { 2048, 6144, 48, 32, 4, 128, 151936, 256, 768, 0, 0 } },
};

enum kind { MATRIX, NORM, BIAS, CODES, SCALES };

struct tensor {
	char name[96];
	enum kind kind;
	const char *dtype; /* as safetensors spells it */
	int rank;
	uint64_t dim[2], bytes, offset;
	int shard;
};

struct model {
	const char *dir, *dtype;
	const struct family_row *family;
	struct shape shape;
	long shards, sparse, fp8;
	struct tensor *tensor;
	size_t n, cap;
};

_Noreturn static void die(const char *what)
{
	fprintf(stderr, "mkmodel: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- numbers --------------------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

/* Four 15-bit numbers make a bell of standard deviation near 1; one value in 512 is six times as far out. */
static float bell(uint64_t r)
{
	int sum = (int)(r & 0x7fff) + (int)(r >> 15 & 0x7fff) + (int)(r >> 30 & 0x7fff) + (int)(r >> 45 & 0x7fff) - 65534;
	float v = (float)sum * (1.0f / 18918.0f);
	return (r >> 60 == 0 && (r & 31) == 0) ? v * 6.0f : v;
}

static float value(enum kind kind, uint64_t seed, uint64_t i)
{
	float b = bell(mix(seed + i * 0x9e3779b97f4a7c15u));
	if (kind == SCALES)
		return 0.0001f + (b < 0 ? -b : b) * 0.0001f;
	return kind == NORM ? 1.0f + b * 0.05f : kind == BIAS ? b * 0.1f : b * 0.02f;
}

static uint16_t to_bf16(float f)
{
	uint32_t u;
	memcpy(&u, &f, 4);
	return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

/* All values lie within half precision's range; below 2^-14 its step is 2^-24. Ties to even. */
static uint16_t to_f16(float f)
{
	uint32_t u, sign, mant, drop, half;
	memcpy(&u, &f, 4);
	sign = u >> 16 & 0x8000;
	int e = (int)(u >> 23 & 0xff) - 112;
	mant = (u & 0x7fffff) | 0x800000;
	drop = e > 0 ? 13 : 14 - e;
	if (drop > 24)
		return (uint16_t)sign;
	half = (mant >> drop) + (e > 0 ? ((uint32_t)(e - 1) << 10) : 0);
	uint32_t rest = mant & ((1u << drop) - 1), tie = 1u << (drop - 1);
	half += rest > tie || (rest == tie && (half & 1));
	return (uint16_t)(sign | half);
}

static uint64_t hash_name(const char *s, uint64_t seed)
{
	uint64_t h = 0xcbf29ce484222325u ^ seed;
	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 0x100000001b3u;
	return mix(h);
}

/* ---- tensors --------------------------------------------------------------------------------------------------- */

static const char *dtype_of(const struct model *m, enum kind kind, const char *name)
{
	if (kind == CODES)
		return "F8_E4M3";
	if (kind == SCALES || !strcmp(m->dtype, "f32"))
		return "F32";
	if (!strcmp(m->dtype, "f16"))
		return "F16";
	if (!strcmp(m->dtype, "mixed"))
		return kind == NORM ? "F32" : strstr(name, "k_proj") ? "F16" : "BF16";
	return "BF16";
}

static uint64_t size_of(const struct tensor *t)
{
	return t->kind == CODES ? 1 : strcmp(t->dtype, "F32") ? 2 : 4;
}

__attribute__((format(printf, 5, 6)))
static void add(struct model *m, enum kind kind, uint64_t rows, uint64_t cols, const char *fmt, ...)
{
	if (m->n == m->cap) {
		m->cap = m->cap ? m->cap * 2 : 256;
		m->tensor = realloc(m->tensor, m->cap * sizeof(*m->tensor));
		if (!m->tensor)
			die("tensors");
	}
	struct tensor *t = &m->tensor[m->n++];
	memset(t, 0, sizeof(*t));
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(t->name, sizeof(t->name), fmt, ap);
	va_end(ap);
	t->kind = kind;
	t->rank = rows ? 2 : 1;
	t->dim[0] = rows ? rows : cols;
	t->dim[1] = cols;
	t->dtype = dtype_of(m, kind, t->name);
	t->bytes = (rows ? rows : 1) * cols * size_of(t);
}

/* A projection: one tensor, or codes and scales. */
__attribute__((format(printf, 4, 5)))
static void add_linear(struct model *m, uint64_t rows, uint64_t cols, const char *fmt, ...)
{
	char name[80];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);
	add(m, m->fp8 ? CODES : MATRIX, rows, cols, "%s", name);
	if (m->fp8)
		add(m, SCALES, (rows + 127) / 128, (cols + 127) / 128, "%s_scale_inv", name);
}

static void add_attention(struct model *m, long l)
{
	static const char *const part[] = { "q_proj", "k_proj", "v_proj" };
	const struct shape *s = &m->shape;
	for (int i = 0; i < 3; i++) {
		uint64_t rows = (uint64_t)((i ? s->kv_heads : s->heads) * s->head_dim);
		add_linear(m, rows, (uint64_t)s->hidden, "model.layers.%ld.self_attn.%s.weight", l, part[i]);
		if (m->family->qkv_bias)
			add(m, BIAS, 0, rows, "model.layers.%ld.self_attn.%s.bias", l, part[i]);
	}
	add_linear(m, (uint64_t)s->hidden, (uint64_t)(s->heads * s->head_dim), "model.layers.%ld.self_attn.o_proj.weight", l);
	if (m->family->qk_norm) {
		add(m, NORM, 0, (uint64_t)s->head_dim, "model.layers.%ld.self_attn.q_norm.weight", l);
		add(m, NORM, 0, (uint64_t)s->head_dim, "model.layers.%ld.self_attn.k_norm.weight", l);
	}
}

static void add_ffn(struct model *m, const char *prefix, const char *gate, const char *up, const char *down, long ffn)
{
	add_linear(m, (uint64_t)ffn, (uint64_t)m->shape.hidden, "%s.%s.weight", prefix, gate);
	add_linear(m, (uint64_t)ffn, (uint64_t)m->shape.hidden, "%s.%s.weight", prefix, up);
	add_linear(m, (uint64_t)m->shape.hidden, (uint64_t)ffn, "%s.%s.weight", prefix, down);
}

static void add_layer(struct model *m, long l)
{
	const struct family_row *f = m->family;
	char prefix[64];
	add(m, NORM, 0, (uint64_t)m->shape.hidden, "model.layers.%ld.input_layernorm.weight", l);
	add_attention(m, l);
	add(m, NORM, 0, (uint64_t)m->shape.hidden, "model.layers.%ld.post_attention_layernorm.weight", l);
	if (!f->moe) {
		snprintf(prefix, sizeof(prefix), "model.layers.%ld.mlp", l);
		add_ffn(m, prefix, "gate_proj", "up_proj", "down_proj", m->shape.ffn);
		return;
	}
	add(m, MATRIX, (uint64_t)m->shape.experts, (uint64_t)m->shape.hidden, "model.layers.%ld.%s.weight", l, f->router);
	for (long e = 0; e < m->shape.experts; e++) {
		snprintf(prefix, sizeof(prefix), "model.layers.%ld.%s.%ld", l, f->expert, e);
		add_ffn(m, prefix, f->gate, f->up, f->down, m->shape.moe_ffn);
	}
}

static void add_all(struct model *m)
{
	const struct shape *s = &m->shape;
	add(m, MATRIX, (uint64_t)s->vocab, (uint64_t)s->hidden, "model.embed_tokens.weight");
	for (long l = 0; l < s->layers; l++)
		add_layer(m, l);
	add(m, NORM, 0, (uint64_t)s->hidden, "model.norm.weight");
	if (!s->tie)
		add(m, MATRIX, (uint64_t)s->vocab, (uint64_t)s->hidden, "lm_head.weight");
}

/* Spreads the tensors, in order, over the shards by bytes; no shard stays empty. */
static uint64_t assign_shards(struct model *m)
{
	uint64_t total = 0, before = 0;
	if (m->shards < 1 || (size_t)m->shards > m->n)
		m->shards = 1;
	for (size_t i = 0; i < m->n; i++)
		total += m->tensor[i].bytes;
	int last = -1;
	for (size_t i = 0; i < m->n; i++) {
		int want = (int)((unsigned __int128)before * (uint64_t)m->shards / total);
		int least = (int)m->shards - (int)(m->n - i); /* leave a tensor for each later shard */
		want = want > last + 1 ? last + 1 : want < least ? least : want < last ? last : want;
		m->tensor[i].shard = last = want;
		before += m->tensor[i].bytes;
	}
	return total;
}

/* ---- files ----------------------------------------------------------------------------------------------------- */

static FILE *create(const struct model *m, const char *name)
{
	char path[4096];
	snprintf(path, sizeof(path), "%s/%s", m->dir, name);
	FILE *f = fopen(path, "wb");
	if (!f)
		die(path);
	return f;
}

static void finish(FILE *f)
{
	if (ferror(f) || fclose(f))
		die("write");
}

static void shard_name(const struct model *m, int shard, char out[64])
{
	if (m->shards == 1)
		snprintf(out, 64, "model.safetensors");
	else
		snprintf(out, 64, "model-%05d-of-%05ld.safetensors", shard + 1, m->shards);
}

static void write_config(const struct model *m)
{
	const struct shape *s = &m->shape;
	FILE *f = create(m, "config.json");
	const char *dtype = !strcmp(m->dtype, "f32") ? "float32" : !strcmp(m->dtype, "f16") ? "float16" : "bfloat16";
	fprintf(f, "{\n  \"architectures\": [\"%s\"],\n  \"model_type\": \"%s\",\n  \"torch_dtype\": \"%s\",\n", m->family->cls,
		m->family->model_type, dtype);
	fprintf(f, "  \"bos_token_id\": 1,\n  \"eos_token_id\": 2,\n  \"hidden_act\": \"silu\",\n");
	fprintf(f, "  \"hidden_size\": %ld,\n  \"intermediate_size\": %ld,\n  \"num_hidden_layers\": %ld,\n", s->hidden, s->ffn, s->layers);
	fprintf(f, "  \"num_attention_heads\": %ld,\n  \"num_key_value_heads\": %ld,\n  \"head_dim\": %ld,\n", s->heads, s->kv_heads, s->head_dim);
	if (m->family->moe)
		fprintf(f, "  \"%s\": %ld,\n", m->family - families == MIXTRAL ? "num_local_experts" : "num_experts", s->experts);
	if (m->family - families == QWEN3MOE)
		fprintf(f, "  \"moe_intermediate_size\": %ld,\n", s->moe_ffn);
	if (m->fp8)
		fprintf(f, "  \"quantization_config\": {\"quant_method\": \"fp8\", \"weight_block_size\": [128, 128]},\n");
	fprintf(f, "  \"max_position_embeddings\": 131072,\n  %s,\n", m->family->more);
	fprintf(f, "  \"tie_word_embeddings\": %s,\n  \"vocab_size\": %ld\n}\n", s->tie ? "true" : "false", s->vocab);
	finish(f);
}

static void write_index(const struct model *m, uint64_t total)
{
	char file[64];
	FILE *f = create(m, "model.safetensors.index.json");
	fprintf(f, "{\n  \"metadata\": {\"total_size\": %llu},\n  \"weight_map\": {", (unsigned long long)total);
	for (size_t i = 0; i < m->n; i++) {
		shard_name(m, m->tensor[i].shard, file);
		fprintf(f, "%s\n    \"%s\": \"%s\"", i ? "," : "", m->tensor[i].name, file);
	}
	fprintf(f, "\n  }\n}\n");
	finish(f);
}

static void write_data(FILE *f, const struct tensor *t, uint64_t seed)
{
	unsigned char buf[1 << 15] = { 0 };
	size_t size = size_of(t), n = 0;
	uint64_t base = hash_name(t->name, seed);
	for (uint64_t i = 0; i < t->bytes / size; i++) {
		float v = value(t->kind, base, i);
		if (size == 1) {
			buf[n] = (unsigned char)(mix(base + i) % 0x7f + (mix(base + i) >> 56 & 0x80)); /* any number but NaN */
		} else if (size == 4) {
			memcpy(buf + n, &v, 4);
		} else {
			uint16_t h = t->dtype[0] == 'F' ? to_f16(v) : to_bf16(v);
			memcpy(buf + n, &h, 2);
		}
		n += size;
		if (n == sizeof(buf)) {
			fwrite(buf, 1, n, f);
			n = 0;
		}
	}
	fwrite(buf, 1, n, f);
}

static void write_header(FILE *f, struct model *m, int shard, uint64_t *end)
{
	char *text = NULL;
	size_t n = 0;
	uint64_t offset = 0;
	FILE *h = open_memstream(&text, &n);
	if (!h)
		die("memory");
	fprintf(h, "{\"__metadata__\":{\"format\":\"pt\"}");
	for (size_t i = 0; i < m->n; i++) {
		struct tensor *t = &m->tensor[i];
		if (t->shard != shard)
			continue;
		fprintf(h, ",\"%s\":{\"dtype\":\"%s\",\"shape\":[%llu", t->name, t->dtype, (unsigned long long)t->dim[0]);
		if (t->rank == 2)
			fprintf(h, ",%llu", (unsigned long long)t->dim[1]);
		fprintf(h, "],\"data_offsets\":[%llu,", (unsigned long long)offset);
		offset += t->bytes;
		fprintf(h, "%llu]}", (unsigned long long)offset);
	}
	fprintf(h, "}");
	while (fflush(h) == 0 && n % 8)
		fputc(' ', h);
	fclose(h);
	unsigned char len[8];
	for (int i = 0; i < 8; i++)
		len[i] = (unsigned char)((uint64_t)n >> (8 * i));
	fwrite(len, 1, 8, f);
	fwrite(text, 1, n, f);
	free(text);
	*end = 8 + n + offset;
}

static void write_shard(struct model *m, int shard)
{
	char name[64];
	uint64_t end;
	shard_name(m, shard, name);
	FILE *f = create(m, name);
	write_header(f, m, shard, &end);
	if (m->sparse) {
		if (fflush(f) || ftruncate(fileno(f), (off_t)end))
			die(name);
	} else {
		for (size_t i = 0; i < m->n; i++)
			if (m->tensor[i].shard == shard)
				write_data(f, &m->tensor[i], (uint64_t)m->shape.seed);
	}
	finish(f);
}

/* ---- arguments ------------------------------------------------------------------------------------------------- */

static const struct field {
	const char *name;
	size_t offset;
} fields[] = {
#define F(x) { #x, offsetof(struct model, shape.x) }
	F(hidden), F(ffn), F(layers), F(heads), F(kv_heads), F(head_dim), F(vocab), F(experts), F(moe_ffn), F(tie), F(seed),
	{ "shards", offsetof(struct model, shards) }, { "sparse", offsetof(struct model, sparse) },
	{ "fp8", offsetof(struct model, fp8) },
};

static bool set_field(struct model *m, const char *arg)
{
	const char *eq = strchr(arg, '=');
	if (!eq)
		return false;
	if (!strncmp(arg, "dtype=", 6)) {
		m->dtype = eq + 1;
		return true;
	}
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		if (strlen(fields[i].name) == (size_t)(eq - arg) && !strncmp(fields[i].name, arg, (size_t)(eq - arg))) {
			*(long *)((char *)m + fields[i].offset) = strtol(eq + 1, NULL, 10);
			return true;
		}
	return false;
}

static int usage(void)
{
	fprintf(stderr, "usage: mkmodel PRESET DIR [KEY=VALUE ...]\npresets:");
	for (size_t i = 0; i < sizeof(presets) / sizeof(*presets); i++)
		fprintf(stderr, " %s", presets[i].name);
	fprintf(stderr, "\n");
	return 2;
}

int main(int argc, char **argv)
{
	const struct preset *p = NULL;
	for (size_t i = 0; argc >= 3 && i < sizeof(presets) / sizeof(*presets); i++)
		if (!strcmp(presets[i].name, argv[1]))
			p = &presets[i];
	if (!p)
		return usage();
	struct model m = { .dir = argv[2], .dtype = "bf16", .family = &families[p->family], .shape = p->shape, .shards = 1 };
	for (int i = 3; i < argc; i++)
		if (!set_field(&m, argv[i]))
			return usage();
	if (mkdir(m.dir, 0777) && errno != EEXIST)
		die(m.dir);
	add_all(&m);
	uint64_t total = assign_shards(&m);
	write_config(&m);
	if (m.shards > 1)
		write_index(&m, total);
	for (int i = 0; i < m.shards; i++)
		write_shard(&m, i);
	printf("%s: %zu tensors, %llu bytes, %ld shards\n", m.dir, m.n, (unsigned long long)total, m.shards);
	free(m.tensor);
	return 0;
}
