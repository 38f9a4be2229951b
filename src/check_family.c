/*
 * check_family.c - asks the model's family and its tokenizer's reader whether they know what lies there.
 */
#include "check.h"

#include <string.h>

#include "arch.h"
#include "family.h"
#include "model.h"
#include "tokenizer/tokenizer.h"

enum { CONFIG_LIMIT = 64 << 20 };

/* A family that heft does not know is no fault of the download. */
static void tell(struct check *c, const struct heft_err *e)
{
	struct heft_problem p = { .code = e->code, .text = e->text, .warning = true };

	if (e->code == HEFT_E_FAMILY)
		sink_tell(&c->sink, &p);
	else
		model_tell_error(&c->sink, e, NULL);
}

static int open_tokenizer(struct check *c, const struct arch_result *r, const struct json *config, struct heft_err *err)
{
	struct tokenizer_options o = { .vocab_size = r->vocab_size, .config = config };
	struct tokenizer *t = NULL;
	struct heft_kv *kv;
	size_t n;
	int rc;

	for (size_t i = 0; i < r->n_vocab; i++) {
		if (!tokenizer_has(c->model->dir, r->vocab[i].strategy))
			continue;
		o.strategy = r->vocab[i].strategy;
		o.option = r->vocab[i].option;
		rc = tokenizer_open(&t, c->model->dir, &o, err) || tokenizer_metadata(t, &kv, &n, c->model->arena, err);
		tokenizer_close(t);
		return rc ? -1 : 0;
	}
	return heft_fail(err, HEFT_E_TOKENIZER, "%s: no tokenizer files that family '%s' can use: download tokenizer.json or tokenizer.model too", c->model->dir,
			 r->name);
}

static int64_t no_count(void *ctx)
{
	return -1;
}

static int64_t no_id(void *ctx, const char *text)
{
	return -1;
}

/* The family's vocab rows say which tokenizer to look for. */
static void check_tokenizer(struct check *c, const struct arch *arch, const struct json *config)
{
	struct arch_input in = {
		.config = config, .dir = c->model->dir, .tensor = c->model->tensor, .n_tensors = c->model->n_tensors,
		.vocab_count = no_count, .vocab_id = no_id, .metadata_only = true,
	};
	struct arch_result r;
	struct heft_err err = { 0 };
	size_t told = c->sink.errors;

	if ((arch_eval(arch, &in, &r, c->model->arena, &c->sink, &err) || open_tokenizer(c, &r, config, &err)) &&
	    told == c->sink.errors && !model_tokenizer_is_impostor(in.dir, NULL)) /* told by check_companions */
		tell(c, &err);
}

static void check_mapping(struct check *c)
{
	struct family_options o = { .arch = c->options->arch, .names_only = true };
	struct family f;
	struct heft_err err = { 0 };
	size_t told = c->sink.errors;

	/* findings are told one by one, and the error then only says that there were some */
	if (family_resolve(&f, c->model, &o, c->model->arena, &c->sink, &err) && told == c->sink.errors)
		tell(c, &err);
}

void check_family(struct check *c)
{
	struct heft_model *m = c->model;
	struct json_doc *config = NULL;
	struct arch_set *set = NULL;
	const struct arch *arch = NULL;
	const char *class;
	struct heft_err err = { 0 };

	if (!m->dir || model_speaks_gguf(m))
		return;
	config = json_read_file(path_join(m->arena, m->dir, "config.json"), CONFIG_LIMIT,
				NULL); /* told by check_companions */
	if (config && (set = arch_set_open(c->options->arch, &err))) {
		class = arch_class_of(json_root(config));
		arch = arch_find(set, class ? class : "", &err);
	}
	if (arch)
		check_tokenizer(c, arch, json_root(config));
	else if (config)
		tell(c, &err);
	if (arch && !m->missing_shards)
		check_mapping(c);
	arch_set_close(set);
	json_free(config);
}
