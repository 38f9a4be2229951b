/*
 * model_meta.c - Llama as Meta publishes it: consolidated.00.pth, consolidated.01.pth, ... and params.json.
 *
 *	{"dim": 4096, "n_layers": 32, "n_heads": 32, "n_kv_heads": 8, "norm_eps": 1e-05, "rope_theta": 500000.0, ...}
 *
 * Each file holds a part of every matrix, cut for tensor-parallel inference: the projections that make heads and hidden units by rows, those
 * that take them by columns, norms in every file. The parts become one tensor, read from all files; params.json becomes the configuration
 * that families ask. What params.json leaves out follows from the tensors' shapes, or from what Meta's releases have in common.
 * Refuses parts whose shapes do not fit together, and mixtures of experts.
 */
#include "model.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../base/json.h"
#include "../base/source.h"

enum { PARAMS_LIMIT = 1 << 20, SHARDS_MAX = 64 };

/* Along which axis a tensor is cut, by the end of its name */
enum cut { WHOLE, BY_ROWS, BY_COLUMNS, EMBEDDING };

static enum cut cut_of(const char *name)
{
	static const struct {
		const char *end;
		enum cut cut;
	} rows[] = {
		{ ".wq.weight", BY_ROWS }, { ".wk.weight", BY_ROWS }, { ".wv.weight", BY_ROWS }, { ".w1.weight", BY_ROWS }, { ".w3.weight", BY_ROWS },
		{ ".wq.bias", BY_ROWS }, { ".wk.bias", BY_ROWS }, { ".wv.bias", BY_ROWS }, { "output.weight", BY_ROWS },
		{ ".wo.weight", BY_COLUMNS }, { ".w2.weight", BY_COLUMNS }, { "tok_embeddings.weight", EMBEDDING },
	};
	size_t n = strlen(name);

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		size_t k = strlen(rows[i].end);

		if (n >= k && !strcmp(name + n - k, rows[i].end))
			return rows[i].cut;
	}
	return WHOLE;
}

struct params {
	uint64_t dim, layers, heads, kv_heads, vocabulary, hidden;
	double eps, theta;
	bool scaled;
};

/* ---- joining ---- */

static bool same_but_axis(const struct heft_tensor *a, const struct heft_tensor *b, int axis)
{
	if (a->enc != b->enc || a->rank != b->rank)
		return false;
	for (int i = 0; i < a->rank; i++)
		if (i != axis && a->dim[i] != b->dim[i])
			return false;
	return true;
}

/* t becomes all of its parts, in the order of the files. */
static int join_parts(struct heft_model *m, struct heft_tensor *t, struct heft_tensor *const *part, size_t n, int axis, struct heft_err *err)
{
	struct source_part from[SHARDS_MAX];
	uint64_t rows = axis ? t->dim[0] : 1, size = 0;
	struct heft_tensor joined = *t;

	joined.dim[axis] = 0;
	for (size_t i = 0; i < n; i++) {
		const struct heft_extent *x = &part[i]->plane[0];

		if (!same_but_axis(t, part[i], axis) || !rows || !x->size)
			return heft_fail(err, HEFT_E_SHAPE, "tensor '%s': its parts in %s and %s do not fit together", t->name,
					 path_base(m->file[t->plane[0].file].path), path_base(m->file[x->file].path));
		from[i].from = model_extent(m, x, &from[i].offset);
		from[i].row = x->size / rows;
		if (__builtin_add_overflow(joined.dim[axis], part[i]->dim[axis], &joined.dim[axis]) || __builtin_add_overflow(size, x->size, &size))
			return heft_fail(err, HEFT_E_SHAPE, "tensor '%s': has a shape whose size overflows 64 bits", t->name);
	}
	joined.plane[0].made = source_joined(from, n, rows);
	joined.plane[0].size = size;
	source_adopt(m->file[t->plane[0].file].source, joined.plane[0].made);
	*t = joined;
	return 0;
}

static int join_tensor(struct heft_model *m, struct heft_tensor *t, struct heft_tensor *const *part, size_t n, const struct params *p,
		       struct heft_err *err)
{
	enum cut cut = t->rank ? cut_of(t->name) : WHOLE;

	if (cut == WHOLE)
		return 0;
	if (n != m->n_files)
		return heft_fail(err, HEFT_E_TENSOR_MISSING, "tensor '%s': %zu of %zu files have a part of it", t->name, n, m->n_files);
	if (cut == EMBEDDING) /* by columns up to Llama 2, by rows since */
		cut = t->rank == 2 && t->dim[1] == p->dim ? BY_ROWS : BY_COLUMNS;
	if (cut == BY_COLUMNS && t->rank != 2)
		return heft_fail(err, HEFT_E_SHAPE, "tensor '%s': is no matrix", t->name);
	return join_parts(m, t, part, n, cut == BY_COLUMNS, err);
}

/* The tensors of the first file take their parts from the others, which have them in any order. */
static int join_all(struct heft_model *m, struct map *names, const struct params *p, struct heft_err *err)
{
	struct heft_tensor **part = arena_array(m->arena, m->n_tensors, sizeof *part); /* the next one of the same name */
	size_t kept = 0;
	bool found;

	for (size_t i = m->n_tensors; i--;) {
		struct map_slot *slot = map_put(names, m->tensor[i].name, strlen(m->tensor[i].name), &found);

		part[i] = found ? slot->value.p : NULL;
		slot->value.p = &m->tensor[i];
	}
	for (size_t i = 0; i < m->n_tensors; i++) {
		struct heft_tensor *t = &m->tensor[i], *all[SHARDS_MAX];
		size_t n = 0;

		if (map_find(names, t->name, strlen(t->name))->value.p != t)
			continue;
		for (struct heft_tensor *x = t; x && n < SHARDS_MAX; x = part[x - m->tensor])
			all[n++] = x;
		if (join_tensor(m, t, all, n, p, err))
			return -1;
	}
	for (size_t i = 0; i < m->n_tensors; i++)
		if (map_find(names, m->tensor[i].name, strlen(m->tensor[i].name))->value.p == &m->tensor[i])
			part[kept++] = &m->tensor[i];
	for (size_t i = 0; i < kept; i++)
		m->tensor[i] = *part[i]; /* ascending: none is overwritten before it is moved */
	m->n_tensors = kept;
	return 0;
}

/* ---- the configuration ---- */

static const struct heft_tensor *tensor_named(const struct heft_model *m, const char *name)
{
	for (size_t i = 0; i < m->n_tensors; i++)
		if (!strcmp(m->tensor[i].name, name))
			return &m->tensor[i];
	return NULL;
}

static int take_params(struct params *p, const struct json *j, const char *path, struct heft_err *err)
{
	*p = (struct params){ .theta = 10000, .eps = 1e-5 };
	if (json_get(j, "moe") || json_get(j, "num_experts"))
		return heft_fail(err, HEFT_E_NEED, "%s: a mixture of experts in Meta's layout is not read: download the Hugging Face version", path);
	if (!json_uint(json_get(j, "dim"), &p->dim) || !json_uint(json_get(j, "n_layers"), &p->layers) ||
	    !json_uint(json_get(j, "n_heads"), &p->heads) || !p->dim || !p->heads)
		return heft_fail(err, HEFT_E_CONFIG, "%s: lacks dim, n_layers or n_heads", path);
	if (!json_uint(json_get(j, "n_kv_heads"), &p->kv_heads))
		p->kv_heads = p->heads;
	json_num(json_get(j, "norm_eps"), &p->eps);
	json_num(json_get(j, "rope_theta"), &p->theta);
	json_bool(json_get(j, "use_scaled_rope"), &p->scaled);
	return 0;
}

/* Not in params.json: what each release was trained for */
static uint64_t context_of(const struct params *p)
{
	if (p->scaled)
		return 131072; /* Llama 3.1 on */
	if (p->theta == 500000)
		return 8192; /* 3 */
	if (p->theta == 1000000)
		return 16384; /* Code Llama */
	return p->eps == 1e-5 ? 4096 : 2048; /* 2, 1 */
}

static int take_shapes(const struct heft_model *m, struct params *p, struct heft_err *err)
{
	const struct heft_tensor *embedding = tensor_named(m, "tok_embeddings.weight"), *gate = tensor_named(m, "layers.0.feed_forward.w1.weight"),
				 *query = tensor_named(m, "layers.0.attention.wq.weight");

	if (!embedding || !gate || !query || embedding->rank != 2 || gate->rank != 2 || query->rank != 2)
		return heft_fail(err, HEFT_E_TENSOR_MISSING, "%s: has no tok_embeddings, w1 or wq: no Llama of Meta's layout", m->path);
	if (embedding->dim[1] != p->dim || query->dim[0] % p->heads || query->dim[0] != p->dim || gate->dim[1] != p->dim)
		return heft_fail(err, HEFT_E_SHARD_MISSING, "%s: all parts together have %" PRIu64 " rows of wq, params.json says %" PRIu64
				 ": is a consolidated.NN.pth missing?", m->path, query->dim[0], p->dim);
	p->vocabulary = embedding->dim[0];
	p->hidden = gate->dim[0];
	return 0;
}

/* As config.json of the same model in Hugging Face's layout says it */
static void write_config(struct heft_model *m, const struct params *p)
{
	bool small = p->dim < 4096; /* 3.2's 1B and 3B stretch their positions further */
	bool large = p->vocabulary >= 128000; /* 3 on: another tokenizer */
	struct jbuf b = { 0 };

	jbuf_printf(&b, "{\"architectures\":[\"LlamaForCausalLM\"],\"model_type\":\"llama\",\"hidden_size\":%" PRIu64 ",\"num_hidden_layers\":%" PRIu64
			",\"num_attention_heads\":%" PRIu64 ",\"num_key_value_heads\":%" PRIu64 ",\"vocab_size\":%" PRIu64
			",\"intermediate_size\":%" PRIu64 ",\"max_position_embeddings\":%" PRIu64 ",\"rms_norm_eps\":%.17g,\"rope_theta\":%.17g,\"bos_token_id\":%d,\"eos_token_id\":%d",
		    p->dim, p->layers, p->heads, p->kv_heads, p->vocabulary, p->hidden, context_of(p), p->eps, p->theta,
		    large ? 128000 : 1, large ? 128001 : 2);
	if (p->scaled)
		jbuf_printf(&b, ",\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":%s,\"low_freq_factor\":1.0,\"high_freq_factor\":4.0,"
				"\"original_max_position_embeddings\":8192}", small ? "32.0" : "8.0");
	jbuf_printf(&b, "}");
	m->config = arena_memdup(m->arena, b.p, b.n);
	jbuf_release(&b);
}

int meta_join(struct heft_model *m, const char *params, struct heft_err *err)
{
	struct json_doc *doc = json_read_file(params, PARAMS_LIMIT, err);
	struct params p;
	struct map names;
	int rc;

	if (!doc)
		return -1;
	rc = take_params(&p, json_root(doc), params, err);
	json_free(doc);
	if (rc)
		return -1;
	if (m->n_files > SHARDS_MAX)
		return heft_fail(err, HEFT_E_INDEX, "%s: more than %d parts", m->path, SHARDS_MAX);
	map_init(&names);
	rc = m->n_files > 1 ? join_all(m, &names, &p, err) : 0;
	map_release(&names);
	if (rc || take_shapes(m, &p, err))
		return -1;
	write_config(m, &p);
	return 0;
}
