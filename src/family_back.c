/*
 * family_back.c - a GGUF as the checkpoint that its family makes it of: weights under their own names, and the files
 * that belong beside them. Refuses a family whose rows do not go back.
 *
 *   config.json              the family's rows, and the type of the weights
 *   generation_config.json   special tokens, general.sampling.*
 *   README.md                general.*, as the head of a model card
 *   tokenizer.json ...       tokenizer.*
 */
#include "family.h"

#include "../base/nest.h"
#include "arch.h"
#include "model.h"
#include "target/target.h"
#include "tile.h"
#include "tokenizer/tokenizer.h"

#include <string.h>

enum { MAX_FILES = 16 };

struct back {
	struct heft_model *model;
	const struct family_options *options;
	struct family *out;
	struct arena *arena;
	struct heft_err *err;
};

/* ---- what the rows ask ---- */

static const struct heft_value *tokens(const struct heft_model *m)
{
	const struct heft_value *v = kv_find(m->kv, m->n_kv, "tokenizer.ggml.tokens");

	return v && v->array && v->type == HEFT_STRING ? v : NULL;
}

static int64_t vocab_count(void *ctx)
{
	const struct heft_value *v = tokens(ctx);

	return v ? (int64_t)v->count : -1;
}

static int64_t vocab_id(void *ctx, const char *text)
{
	const struct heft_value *v = tokens(ctx);

	for (uint64_t i = 0; v && i < v->count; i++)
		if (!strcmp(((const struct heft_str *)v->data)[i].p, text))
			return (int64_t)i;
	return -1;
}

/* ---- the files ---- */

static void add_file(struct back *b, const char *name, struct heft_str text, size_t dtype_at)
{
	if (text.n && b->out->n_files < MAX_FILES)
		b->out->file[b->out->n_files++] = (struct family_file){ name, text, dtype_at };
}

/* The configuration with a place for the type of the weights, which each output has its own of. */
static void add_config(struct back *b, struct heft_str config)
{
	static const char member[] = "  \"torch_dtype\": \"\",\n";
	const char *brace = strchr(config.p, '\n') + 1;
	size_t head = (size_t)(brace - config.p);
	char *text = arena_printf(b->arena, "%.*s%s%s", (int)head, config.p, member, brace);

	add_file(b, "config.json", (struct heft_str){ text, strlen(text) }, head + strlen(member) - 3);
}

static void add_generation(struct back *b, struct nest *s)
{
	static const char *const keys[][2] = { { "bos_token_id", "tokenizer.ggml.bos_token_id" },
					       { "eos_token_id", "tokenizer.ggml.eos_token_id" },
					       { "pad_token_id", "tokenizer.ggml.padding_token_id" } };

	if (s->n)
		nest_put(s, "do_sample", "true");
	nest_put(s, "_from_model_config", "true");
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		uint64_t id = kv_uint(b->model->kv, b->model->n_kv, keys[i][1], UINT64_MAX);

		if (id != UINT64_MAX)
			nest_put(s, keys[i][0], arena_printf(b->arena, "%llu", (unsigned long long)id));
	}
	add_file(b, "generation_config.json", nest_text(s), SIZE_MAX);
}

static int add_files(struct back *b, struct heft_str config)
{
	const struct heft_model *m = b->model;
	struct nest generation = { .arena = b->arena };
	struct tokenizer_file *file;
	struct heft_str card;
	size_t n;

	b->out->file = arena_array(b->arena, MAX_FILES, sizeof *b->out->file);
	add_config(b, config);
	llamacpp_general_back(m->kv, m->n_kv, &card, &generation, b->arena);
	add_file(b, "README.md", card, SIZE_MAX);
	add_generation(b, &generation);
	if (tokenizer_back(m->kv, m->n_kv, b->options->pre, &file, &n, b->arena, b->err))
		return -1;
	for (size_t i = 0; i < n; i++)
		add_file(b, file[i].name, file[i].text, SIZE_MAX);
	return 0;
}

/* ---- all ---- */

static int evaluate(struct back *b, const struct arch *arch)
{
	struct heft_model *m = b->model;
	struct arch_input in = { .tensor = m->tensor, .n_tensors = m->n_tensors, .vocab_count = vocab_count, .vocab_id = vocab_id,
				 .vocab = m, .values = tile_read_values, .values_ctx = m };
	const char *why = arch_no_way_back(arch);
	struct arch_back r;

	if (why)
		return heft_fail(b->err, HEFT_E_FAMILY, "this family does not go back to a checkpoint: %s (--arch none keeps the GGUF's names)",
				 why);
	if (arch_eval_back(arch, &in, m->kv, m->n_kv, &r, b->arena, b->err))
		return -1;
	b->out->n_files = 0;
	b->out->weight = r.weight;
	b->out->n_weights = r.n_weights;
	b->out->n_drops = r.n_drops;
	b->out->drop = arena_array(b->arena, r.n_drops, sizeof *b->out->drop);
	for (size_t i = 0; i < r.n_drops; i++)
		b->out->drop[i] = (struct heft_drop){ arena_strdup(b->arena, r.drop[i].name), r.drop[i].why };
	kv_set(&b->out->kv, "format", value_string("pt"));
	return b->options->files ? add_files(b, r.config) : 0;
}

int family_back(struct family *out, struct heft_model *m, const struct family_options *o, struct arena *a, struct heft_err *err)
{
	struct back b = { .model = m, .options = o, .out = out, .arena = a, .err = err };
	struct arch_set *set = arch_set_open(o->arch, err);
	const char *name = kv_string(m->kv, m->n_kv, "general.architecture");
	const struct arch *arch;
	struct heft_err other = { 0 }; /* what the first family says counts */
	int rc = -1;

	for (size_t n = 0; set && rc && (arch = arch_find_way_back(set, name ? name : "", n, n ? &other : err)); n++) {
		b.err = n ? &other : err;
		rc = evaluate(&b, arch);
	}
	arch_set_close(set);
	return rc;
}
