/*
 * tokenize.c - the token ids that a checkpoint's own tokenizer gives a text, so that they can be compared with those of
 * other programs. Which files are read is what the model's family says; where it is not known, the first that are there.
 */
#include "../base/json.h"
#include "arch.h"
#include "model.h"
#include "tokenizer/tokenizer.h"

#include <stdlib.h>
#include <string.h>

static int64_t no_count(void *ctx)
{
	return -1;
}

static int64_t no_id(void *ctx, const char *text)
{
	return -1;
}

/* The strategies of the model's family, in its arena; 0 where the family is not known. */
static size_t strategies(struct heft_model *m, const struct json *config, const char *arch_file, struct arch_vocab **out)
{
	struct arch_input in = { .config = config, .dir = m->dir, .tensor = m->tensor, .n_tensors = m->n_tensors,
				 .vocab_count = no_count, .vocab_id = no_id, .metadata_only = true };
	struct heft_err err = { 0 };
	struct sink sink = { .err = &err };
	struct arch_set *set = arch_set_open(arch_file, &err);
	const char *class = arch_class_of(config);
	const struct arch *arch = set && (class || arch_file) ? arch_find(set, class ? class : "", &err) : NULL;
	struct arch_result r = { 0 };

	if (arch && arch_eval(arch, &in, &r, m->arena, &sink, &err))
		r.n_vocab = 0;
	arch_set_close(set);
	*out = r.vocab;
	return r.n_vocab;
}

static int open_first(struct tokenizer **out, struct heft_model *m, const struct json *config, const char *arch_file, struct heft_err *err)
{
	static struct arch_vocab usual[] = { { "spm", NULL }, { "spm_hf", NULL }, { "bpe", NULL } };
	/* the pre-tokenizer's name does not change the ids: none is asked for */
	struct tokenizer_options o = { .pre = "default", .vocab_size = -1, .config = config };
	struct arch_vocab *v;
	size_t n = strategies(m, config, arch_file, &v);

	if (!n) {
		v = usual;
		n = sizeof usual / sizeof *usual;
	}
	for (size_t i = 0; i < n; i++) {
		if (!tokenizer_has(m->dir, v[i].strategy))
			continue;
		o.strategy = v[i].strategy;
		o.option = v[i].option;
		return tokenizer_open(out, m->dir, &o, err);
	}
	return heft_fail(err, HEFT_E_TOKENIZER, "%s: no tokenizer files: download tokenizer.json or tokenizer.model too", m->dir);
}

static int encode(struct heft_model *m, const struct tokenizer *t, struct heft_str text, struct heft_token **out, size_t *n, struct heft_err *err)
{
	int32_t *id;
	int64_t count = tokenizer_encode(t, text.p, text.n, &id, err);

	if (count < 0)
		return -1;
	*n = (size_t)count;
	*out = arena_array(m->arena, *n, sizeof **out);
	for (size_t i = 0; i < *n; i++) {
		struct heft_str s = tokenizer_token(t, id[i]);

		(*out)[i] = (struct heft_token){ id[i], { s.p ? arena_memdup(m->arena, s.p, s.n) : "", s.n } };
	}
	free(id);
	return 0;
}

int heft_tokenize(struct heft_model *m, const char *arch_file, struct heft_str text, struct heft_token **out, size_t *n, struct heft_err *err)
{
	struct tokenizer *t = NULL;
	struct json_doc *config;
	int rc;

	if (!m->dir || model_speaks_gguf(m))
		return heft_fail(err, HEFT_E_TOKENIZER, "%s: only a checkpoint's tokenizer files can be asked for ids", m->path);
	config = model_config_read(m, m->arena, err);
	if (!config)
		return -1;
	rc = open_first(&t, m, json_root(config), arch_file, err) || encode(m, t, text, out, n, err) ? -1 : 0;
	tokenizer_close(t);
	json_free(config);
	return rc;
}
