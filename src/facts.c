/*
 * facts.c - what is known of a model from headers and configuration alone: no weights, no vocabulary, so that it takes
 * no time on any size.
 */
#include "../base/json.h"
#include "arch.h"
#include "kv.h"
#include "model.h"
#include "target/target.h"
#include "tokenizer/tokenizer.h"

#include <string.h>

/* ---- parameters ------------------------------------------------------------------------------------------------ */

struct counted {
	uint64_t total, expert; /* all elements; those of experts */
	uint64_t bytes;         /* of their encodings */
};

static bool is_expert(const char *name)
{
	return strstr(name, "_exps.") || strstr(name, ".experts.");
}

static struct counted count(const struct heft_model *m)
{
	struct counted c = { 0 };

	for (size_t i = 0; i < m->n_tensors; i++) {
		const struct heft_tensor *t = &m->tensor[i];
		uint64_t n = heft_tensor_count(t);

		c.total += n;
		c.expert += is_expert(t->name) ? n : 0;
		for (int k = 0; k < t->n_planes; k++)
			c.bytes += t->plane[k].size;
	}
	return c;
}

/* Bytes of one number by the configuration's "dtype". */
static double bytes_per_weight(const struct json *config)
{
	static const struct { const char *name; double bytes; } rows[] = {
		{ "float32", 4 }, { "float16", 2 }, { "bfloat16", 2 }, { "float8_e4m3fn", 1 }, { "float64", 8 },
	};
	const char *name = json_cstr(json_get(config, "dtype"));

	if (!name)
		name = json_cstr(json_get(config, "torch_dtype"));
	for (size_t i = 0; name && i < sizeof rows / sizeof *rows; i++)
		if (!strcmp(name, rows[i].name))
			return rows[i].bytes;
	return 2;
}

/* Shards that are not there are counted by the size that the index gives. */
static void count_missing(struct counted *c, const struct heft_model *m, const struct json *config)
{
	double each = c->total ? (double)c->bytes / (double)c->total : bytes_per_weight(config), whole;
	uint64_t known = c->total;

	bool packed = json_get(config, "quantization_config") || json_get(config, "quantization"); /* then size says little */

	if (!m->missing_shards || m->index_total_size <= c->bytes || packed)
		return;
	whole = (double)m->index_total_size / each;
	c->total = whole < 9e18 ? (uint64_t)(whole + 0.5) : UINT64_MAX;
	if (known)
		c->expert = (uint64_t)((double)c->expert / (double)known * (double)c->total);
}

static void set_parameters(struct heft_facts *f, const struct counted *c)
{
	f->parameters = f->active_parameters = c->total;
	if (f->experts && f->experts_used && f->experts_used < f->experts)
		f->active_parameters = c->total - c->expert + c->expert / f->experts * f->experts_used;
}

/* ---- from metadata --------------------------------------------------------------------------------------------- */

/* A number of the architecture; of a list per layer, the largest. */
static uint64_t arch_number(const struct heft_facts *f, const char *name)
{
	char key[192];
	const struct heft_value *v;
	uint64_t most = 0;

	snprintf(key, sizeof key, "%s.%s", f->family ? f->family : "", name);
	v = kv_find(f->kv, f->n_kv, key);
	if (!v || !v->array)
		return kv_uint(f->kv, f->n_kv, key, 0);
	for (uint64_t i = 0; i < v->count && (v->type == HEFT_I32 || v->type == HEFT_U32); i++) {
		uint32_t x = ((const uint32_t *)v->data)[i];

		if (x > most && x <= INT32_MAX)
			most = x;
	}
	return most;
}

static void read_kv(struct heft_facts *f)
{
	static const struct { const char *key; size_t field; } texts[] = {
		{ "general.architecture", offsetof(struct heft_facts, family) },
		{ "general.name", offsetof(struct heft_facts, name) },
		{ "general.license", offsetof(struct heft_facts, license) },
		{ "tokenizer.ggml.model", offsetof(struct heft_facts, tokenizer) },
		{ "tokenizer.ggml.pre", offsetof(struct heft_facts, pre_tokenizer) },
		{ "tokenizer.chat_template", offsetof(struct heft_facts, chat_template) },
	};
	static const struct { const char *key; size_t field; } numbers[] = {
		{ "context_length", offsetof(struct heft_facts, context) },
		{ "block_count", offsetof(struct heft_facts, layers) },
		{ "embedding_length", offsetof(struct heft_facts, embedding) },
		{ "attention.head_count", offsetof(struct heft_facts, heads) },
		{ "attention.head_count_kv", offsetof(struct heft_facts, kv_heads) },
		{ "feed_forward_length", offsetof(struct heft_facts, feed_forward) },
		{ "expert_count", offsetof(struct heft_facts, experts) },
		{ "expert_used_count", offsetof(struct heft_facts, experts_used) },
		{ "vocab_size", offsetof(struct heft_facts, vocabulary) },
	};
	const struct heft_value *tokens;

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		*(const char **)((char *)f + texts[i].field) = kv_string(f->kv, f->n_kv, texts[i].key);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		*(uint64_t *)((char *)f + numbers[i].field) = arch_number(f, numbers[i].key);
	tokens = kv_find(f->kv, f->n_kv, "tokenizer.ggml.tokens");
	if (!f->vocabulary && tokens && tokens->array)
		f->vocabulary = tokens->count;
	if (!f->kv_heads)
		f->kv_heads = f->heads;
}

static void from_gguf(struct heft_facts *f, const struct heft_model *m)
{
	struct counted c = count(m);

	f->kv = m->kv;
	f->n_kv = m->n_kv;
	read_kv(f);
	set_parameters(f, &c);
}

/* ---- from configuration ---------------------------------------------------------------------------------------- */

static int64_t no_count(void *ctx)
{
	return -1;
}

static int64_t no_id(void *ctx, const char *text)
{
	return -1;
}

/* The keys that the family gives, without mapping a tensor. */
static int arch_keys(struct kv_list *kv, const char **name, struct heft_model *m, const struct json *config,
		     const char *arch_file, struct heft_err *err)
{
	struct arch_input in = { .config = config, .dir = m->dir, .tensor = m->tensor, .n_tensors = m->n_tensors,
				 .vocab_count = no_count, .vocab_id = no_id, .metadata_only = true };
	struct sink sink = { .err = err };
	struct arch_set *set = arch_set_open(arch_file, err);
	const char *class = arch_class_of(config);
	const struct arch *arch;
	struct arch_result r;
	int rc = -1;

	if (!set)
		return -1;
	arch = class || arch_file ? arch_find(set, class ? class : "", err) : NULL;
	if (!class && !arch_file)
		heft_fail(err, HEFT_E_CONFIG, "%s/config.json: no \"architectures\", so the family is not known",
			  m->dir);
	if (arch && !arch_eval(arch, &in, &r, m->arena, &sink, err)) {
		*name = arena_strdup(m->arena, r.name);
		kv_set_all(kv, r.kv, r.n_kv);
		rc = 0;
	}
	arch_set_close(set);
	return rc;
}

/* Two weights that stand for all: what is shared, and the experts. */
static size_t stand_ins(struct weight w[2], const struct counted *c, uint64_t experts)
{
	bool mixture = experts && c->expert;

	w[0] = (struct weight){ .name = "shared.weight", .shape = { 1, { c->total - (mixture ? c->expert : 0) } } };
	w[1] = (struct weight){ .name = "ffn_exps.weight", .shape = { 3, { experts, 1, c->expert } } };
	if (mixture)
		w[1].shape.dim[2] /= experts;
	return mixture ? 2 : 1;
}

/* general.* keys stand first. A model card that cannot be read is told of by the conversion, not here. */
static void general_keys(struct kv_list *kv, struct heft_model *m, const struct json *config, const char *arch,
			 const struct counted *c)
{
	struct weight w[2];
	struct general_input in = { .dir = m->dir, .model_path = m->path, .config = config, .arch = arch, .weight = w };
	struct kv_list all = { .arena = m->arena };
	struct heft_err ignored;
	struct heft_kv *general;
	size_t n;
	char key[192];

	snprintf(key, sizeof key, "%s.expert_count", arch);
	in.n_weights = stand_ins(w, c, kv_uint(kv->v, kv->n, key, 0));
	if (llamacpp_general(&in, &general, &n, m->arena, &ignored))
		kv_set(&all, "general.architecture", value_string(arch));
	else
		kv_set_all(&all, general, n);
	kv_set_all(&all, kv->v, kv->n);
	*kv = all;
}

static void read_tokenizer(struct heft_facts *f, struct heft_model *m)
{
	struct heft_str chat = tokenizer_chat_template(m->dir, m->arena);

	f->tokenizer = tokenizer_kind(m->dir);
	f->chat_template = chat.p;
}

static int from_config(struct heft_facts *f, struct heft_model *m, const char *arch_file, struct heft_err *err)
{
	struct kv_list kv = { .arena = m->arena };
	struct counted c = count(m);
	const struct json *config;
	const char *arch;
	struct json_doc *doc;

	if (!(doc = model_config_read(m, m->arena, err)))
		return -1;
	config = json_root(doc);
	count_missing(&c, m, config);
	if (arch_keys(&kv, &arch, m, config, arch_file, err)) {
		json_free(doc);
		return -1;
	}
	general_keys(&kv, m, config, arch, &c);
	json_free(doc);
	f->kv = kv.v;
	f->n_kv = kv.n;
	read_kv(f);
	f->family = arch;
	read_tokenizer(f, m);
	set_parameters(f, &c);
	return 0;
}

int heft_model_facts(struct heft_model *m, const char *arch_file, struct heft_facts *out, struct heft_err *err)
{
	struct counted c;

	*out = (struct heft_facts){ 0 };
	if (model_speaks_gguf(m)) {
		from_gguf(out, m);
	} else if (arch_file && !strcmp(arch_file, "none")) {
		c = count(m);
		out->kv = m->kv;
		out->n_kv = m->n_kv;
		set_parameters(out, &c);
	} else if (from_config(out, m, arch_file, err)) {
		return -1;
	}
	if (!out->name)
		out->name = m->name;
	return 0;
}
