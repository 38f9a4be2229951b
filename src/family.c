/*
 * family.c - joins the rooms that know about a checkpoint: the family language, the tokenizer, the target's general metadata.
 */
#include "family.h"

#include "../base/json.h"
#include "arch.h"
#include "llama2c.h"
#include "lora.h"
#include "model.h"
#include "packed.h"
#include "target/target.h"
#include "tile.h"
#include "tokenizer/tokenizer.h"

#include <stdlib.h>
#include <string.h>

enum { QUANTIZATION_VERSION = 2 };

/* ---- names as they are ---- */

/* As its library has it, where names are kept; as it is stored, where a family's rows look at it. */
static const struct heft_tensor *as_named(const struct heft_tensor *t, bool by_library, struct arena *a)
{
	const struct heft_tensor *turned = by_library && t->packed && t->packed->turns ? packed_turned(t, a) : NULL;

	return turned ? turned : t;
}

static void identity_weights(struct family *f, const struct heft_model *m, bool by_library, struct arena *a)
{
	f->n_weights = m->n_tensors;
	f->weight = arena_array(a, m->n_tensors, sizeof *f->weight);
	for (size_t i = 0; i < m->n_tensors; i++) {
		const struct heft_tensor *t = as_named(&m->tensor[i], by_library, a);
		const struct heft_tensor **source = arena_alloc(a, sizeof *source);
		struct weight *w = &f->weight[i];

		*source = t;
		w->name = t->name;
		w->source = source;
		w->n_sources = 1;
		w->shape.rank = t->rank;
		memcpy(w->shape.dim, t->dim, sizeof w->shape.dim);
	}
}

static int from_gguf(struct family *f, const struct heft_model *m, struct arena *a, struct heft_err *err)
{
	identity_weights(f, m, false, a);
	kv_set_all(&f->kv, m->kv, m->n_kv);
	kv_remove_prefix(&f->kv, "split.");
	kv_remove_prefix(&f->kv, "ollama.");
	f->arch = kv_string(m->kv, m->n_kv, "general.architecture");
	if (strcmp(m->format, "llama2c"))
		return 0;
	kv_set(&f->kv, "general.name", value_string(m->name));
	return llama2c_tokenizer(&f->kv, m->dir ? m->dir : path_dir(a, m->path), err);
}

/* For a safetensors file: its own __metadata__; of another container, what transformers wants to see. */
static int with_own_names(struct family *f, struct heft_model *m, const struct family_options *o, struct arena *a, struct heft_err *err)
{
	struct json_doc *config;
	int rc = 0;

	identity_weights(f, m, !o->as_stored, a);
	if (!strcmp(m->format, "safetensors"))
		kv_set_all(&f->kv, m->kv, m->n_kv);
	kv_set(&f->kv, "format", value_string("pt"));
	if (!m->dir || (o->arch && !strcmp(o->arch, "none")))
		return 0;
	config = model_config_read(m, a, &(struct heft_err){ 0 });
	if (config && family_is_mlx(m, json_root(config)))
		rc = family_from_section(f, m, json_root(config), o, a, err);
	json_free(config);
	return rc;
}

static void without_family(struct family *f, const struct heft_model *m, const struct family_options *o, struct arena *a)
{
	identity_weights(f, m, false, a);
	f->arch = "none";
	kv_set(&f->kv, "general.architecture", value_string(f->arch));
	kv_set(&f->kv, "general.name", value_string(o->model_name ? o->model_name : m->name));
	kv_set(&f->kv, "general.quantization_version", value_u32(QUANTIZATION_VERSION));
}

/* ---- through the family ---- */

struct context {
	struct heft_model *model;
	const struct family_options *options;
	struct arena *arena;
	struct sink *sink;
	struct heft_err *err;
	const struct json *config;
	const struct heft_tensor *tensor; /* the model's, or what they were before another tool renamed them */
	size_t n_tensors;
	struct tokenizer *tokenizer;
};

static int64_t vocab_count(void *ctx)
{
	struct context *c = ctx;

	return c->tokenizer ? tokenizer_count(c->tokenizer) : -1;
}

static int64_t vocab_listed(void *ctx)
{
	struct context *c = ctx;

	return c->tokenizer ? tokenizer_listed(c->tokenizer) : -1;
}

static int64_t vocab_id(void *ctx, const char *text)
{
	struct context *c = ctx;

	return c->tokenizer ? tokenizer_id(c->tokenizer, text) : -1;
}

/* The first of the family's strategies whose files are there. */
static int open_tokenizer(struct context *c, const struct arch_result *r)
{
	struct tokenizer_options o = { .pre = c->options->pre, .vocab_size = r->vocab_size, .config = c->config };

	for (size_t i = 0; i < r->n_vocab; i++) {
		if (!tokenizer_has(c->model->dir, r->vocab[i].strategy))
			continue;
		o.strategy = r->vocab[i].strategy;
		o.option = r->vocab[i].option;
		if (!tokenizer_open(&c->tokenizer, c->model->dir, &o, c->err))
			return 0;
		model_tokenizer_is_impostor(c->model->dir, c->err); /* then that is the better message */
		return -1;
	}
	return heft_fail(c->err, HEFT_E_TOKENIZER, "%s: no tokenizer files that family '%s' can use: download tokenizer.json or tokenizer.model too", c->model->dir, r->name);
}

static int general_metadata(struct context *c, struct family *f)
{
	struct general_input in = {
		.dir = c->model->dir, .model_path = c->model->path, .metadata_file = c->options->metadata_file,
		.model_name = c->options->model_name, .config = c->config, .arch = f->arch,
		.projector = f->projector,
		.weight = c->options->vocab_only ? NULL : f->weight, .n_weights = c->options->vocab_only ? 0 : f->n_weights,
	};
	struct heft_kv *kv;
	size_t n;

	if (llamacpp_general(&in, &kv, &n, c->arena, c->err))
		return -1;
	kv_set_all(&f->kv, kv, n);
	return 0;
}

/* Roles of the family language as GGUF spells them. */
static const char *role_key(const char *role)
{
	static const char *const rows[][2] = { { "unk", "unknown" }, { "pad", "padding" }, { "sep", "seperator" } };

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (!strcmp(role, rows[i][0]))
			return rows[i][1];
	return role;
}

static int vocab_metadata(struct context *c, struct family *f, const struct arch_result *r)
{
	struct heft_kv *kv;
	size_t n;

	if (tokenizer_metadata(c->tokenizer, &kv, &n, c->arena, c->err))
		return -1;
	kv_set_all(&f->kv, kv, n);
	for (size_t i = 0; i < r->n_tokens; i++) {
		char key[96];

		snprintf(key, sizeof key, "tokenizer.ggml.%s_token_id", role_key(r->token[i].role));
		if (r->token[i].id >= 0 && !(r->token[i].unless_said && kv_find(f->kv.v, f->kv.n, key)))
			kv_set(&f->kv, key, value_u32((uint32_t)r->token[i].id));
	}
	return 0;
}

static bool asked(const struct family_options *o, const char *name)
{
	for (const char *const *p = o->option; p && *p; p++)
		if (!strcmp(*p, name))
			return true;
	return false;
}

/* What the family says of itself, without its vocabulary. */
static void family_keys(struct family *f, const struct arch_result *r)
{
	kv_set(&f->kv, "general.architecture", value_string(r->name));
	kv_set_all(&f->kv, r->kv, r->n_kv);
}

static int evaluate(struct context *c, struct family *f, const struct arch *arch)
{
	struct arch_input in = {
		.config = c->config, .dir = c->model->dir, .tensor = c->tensor, .n_tensors = c->n_tensors,
		.vocab_count = vocab_count, .vocab_id = vocab_id, .vocab_listed = vocab_listed, .vocab = c, .option = c->options->option,
		.values = tile_read_values, .values_ctx = c->model,
	};
	struct arch_result first, r;
	int rc;

	f->projector = arch_is_projector(arch); /* its file has no vocabulary */
	if (!c->options->names_only && !f->projector) { /* the vocab rows say which tokenizer the other rows ask about */
		in.metadata_only = true;
		if (arch_eval(arch, &in, &first, c->arena, c->sink, c->err) || open_tokenizer(c, &first))
			return -1;
		in.metadata_only = false;
	}
	rc = arch_eval(arch, &in, &r, c->arena, c->sink, c->err);
	f->use = r.use;
	f->n_uses = r.n_uses;
	f->n_taken = r.n_taken;
	f->arch = r.name;
	if (rc)
		return -1;
	f->weight = r.weight;
	f->n_weights = r.n_weights;
	f->no_file_type = r.no_file_type;
	f->n_drops = r.n_drops;
	f->drop = arena_array(c->arena, r.n_drops, sizeof *f->drop);
	for (size_t i = 0; i < r.n_drops; i++)
		f->drop[i] = (struct heft_drop){ r.drop[i].name, r.drop[i].why };
	if (c->options->no_vocabulary)
		family_keys(f, &r);
	if (c->options->names_only)
		return 0;
	if (general_metadata(c, f))
		return -1;
	kv_set_all(&f->kv, r.kv, r.n_kv);
	return f->projector ? 0 : vocab_metadata(c, f, &r);
}

static int find_and_evaluate(struct context *c, struct family *f)
{
	struct arch_set *set = arch_set_open(c->options->arch, c->err);
	const struct arch *arch = NULL;
	bool projector = asked(c->options, "mmproj");
	const char *class = projector ? arch_projector_class_of(c->config) : arch_class_of(c->config);
	int rc = -1;

	if (!set)
		return -1;
	if (!class && !c->options->arch)
		heft_fail(c->err, HEFT_E_CONFIG,
			  "%s/config.json: no \"architectures\", so the family is not known (--arch none carries the tensors as they are)",
			  c->model->dir);
	else
		arch = (projector ? arch_find_projector : arch_find)(set, class ? class : "", c->err);
	if (arch)
		rc = evaluate(c, f, arch);
	arch_set_close(set);
	return rc;
}

static int from_checkpoint(struct family *f, struct heft_model *m, const struct family_options *o, struct arena *a, struct sink *sink,
			   struct heft_err *err)
{
	struct context c = { .model = m, .options = o, .arena = a, .sink = sink, .err = err };
	struct json_doc *config;
	struct family before = { 0 };
	bool mlx;
	int rc = 0;

	config = model_config_read(m, a, err);
	if (!config)
		return -1;
	c.config = json_root(config);
	c.tensor = m->tensor;
	c.n_tensors = m->n_tensors;
	mlx = family_is_mlx(m, c.config);
	if (mlx) {
		identity_weights(&before, m, false, a);
		rc = family_from_section(&before, m, c.config, o, a, err);
		c.tensor = family_as_tensors(before.weight, before.n_weights, a);
		c.n_tensors = before.n_weights;
	}
	if (!rc)
		rc = find_and_evaluate(&c, f);
	if (!rc && mlx)
		rc = family_compose(f->weight, f->n_weights, c.tensor, before.weight, a, err);
	tokenizer_close(c.tokenizer);
	json_free(config);
	return rc;
}

/* Names of a GGUF whose architecture is "none" are the checkpoint's own already. */
static bool goes_back(const struct heft_model *m)
{
	const char *arch = kv_string(m->kv, m->n_kv, "general.architecture");

	return model_speaks_gguf(m) && arch && strcmp(arch, "none");
}

/* An option as the command line spells it. */
static const char *dashed(const char *name, struct arena *a)
{
	char *s = arena_strdup(a, name);

	for (char *p = s; *p; p++)
		if (*p == '_')
			*p = '-';
	return s;
}

int family_resolve(struct family *out, struct heft_model *m, const struct family_options *o, struct arena *a, struct sink *sink,
		   struct heft_err *err)
{
	bool none = o->arch && !strcmp(o->arch, "none");

	*out = (struct family){ .kv = { .arena = a } };
	if (m->adapter)
		return lora_family(out, m, o, a, sink, err);
	if (o->option && *o->option && (o->own_names || none || model_speaks_gguf(m)))
		return heft_fail(err, HEFT_E_OPTION, "--%s: only a checkpoint that becomes a GGUF by its family has a choice there",
				 dashed(*o->option, a));
	if (o->own_names && !o->names_only && !none && goes_back(m)) {
		if (family_back(out, m, o, a, err))
			return -1;
	} else if (o->own_names) {
		if (with_own_names(out, m, o, a, err))
			return -1;
	} else if (model_speaks_gguf(m))
		return from_gguf(out, m, a, err);
	else if (none)
		without_family(out, m, o, a);
	else if (from_checkpoint(out, m, o, a, sink, err))
		return -1;
	if (o->own_names)
		return o->section && !none ? family_to_section(out, m, o, a, sink, err) : 0;
	return packed_split_factors(out, m, a, err);
}
