/*
 * family_try.c - a family against a checkpoint, for whoever writes a family file: which rows took how many tensors, what
 * is left over, and which built-in family is nearest. Nothing is refused here; all that does not fit is told.
 */
#include "arch.h"
#include "family.h"
#include "model.h"

#include <string.h>

static int64_t no_count(void *ctx)
{
	return -1;
}

static int64_t no_id(void *ctx, const char *text)
{
	return -1;
}

static void note_nearest(struct heft_model *m, const struct arch *a, const char *name, const struct arch_input *in, struct heft_family_test *out)
{
	size_t n = a ? arch_takes(a, in) : 0;

	if (n <= out->nearest_taken)
		return;
	out->nearest = arena_strdup(m->arena, name);
	out->nearest_taken = n;
}

/* Does the family in the user's file write projectors? */
static bool is_projector(const char *arch_file)
{
	struct arch_set *set = arch_file ? arch_set_open(arch_file, NULL) : NULL;
	const struct arch *a = set ? arch_find(set, NULL, NULL) : NULL;
	bool projector = a && arch_is_projector(a);

	arch_set_close(set);
	return projector;
}

/* The built-in family of the same kind whose rows take the most tensors: of several the one that the configuration asks for, or the first in name order. */
static void find_nearest(struct heft_model *m, const char *arch_file, const struct json *config, struct heft_family_test *out)
{
	struct arch_input in = { .config = config, .dir = m->dir, .tensor = m->tensor, .n_tensors = m->n_tensors,
				 .vocab_count = no_count, .vocab_id = no_id };
	struct arch_set *set = arch_set_open(NULL, NULL);
	const char *class = arch_class_of(config), *name = NULL;
	bool projector = is_projector(arch_file);
	const struct arch *a = set && class && !projector ? arch_built_in_for(set, class, &name) : NULL;

	note_nearest(m, a, name, &in, out);
	for (size_t i = 0; set && (a = arch_built_in(set, i, &name)); i++)
		if (arch_is_projector(a) == projector)
			note_nearest(m, a, name, &in, out);
	arch_set_close(set);
}

static void note_rows(struct heft_model *m, const struct family *f, struct heft_family_test *out)
{
	struct heft_family_row *row = arena_array(m->arena, f->n_uses, sizeof *row);

	for (size_t i = 0; i < f->n_uses; i++)
		row[i] = (struct heft_family_row){ f->use[i].file, f->use[i].text, f->use[i].line, f->use[i].taken };
	out->row = row;
	out->n_rows = f->n_uses;
	out->n_taken = f->n_taken;
}

/* What the names give; and where all fit, what the tokenizer and the model card add. A finding that ends the work is told like the others. */
static void resolve(struct heft_model *m, const char *arch_file, struct sink *sink, struct heft_family_test *out)
{
	struct family_options o = { .arch = arch_file, .names_only = true };
	struct family f;
	struct heft_err err = { 0 };
	int rc = family_resolve(&f, m, &o, m->arena, sink, &err);

	note_rows(m, &f, out);
	out->family = f.arch;
	if (!rc) {
		o.names_only = false;
		rc = family_resolve(&f, m, &o, m->arena, sink, &err);
	}
	if (rc && !sink->errors)
		sink_tellf(sink, err.code, NULL, NULL, NULL, "%s", err.text);
	out->fits = !rc;
	if (rc)
		return;
	out->n_outputs = f.n_weights;
	out->n_dropped = f.n_drops;
	out->n_keys = f.kv.n;
}

/* A file that cannot be read is an error, not a finding. */
static int can_be_read(const char *arch_file, struct heft_err *err)
{
	struct arch_set *set = arch_set_open(arch_file, err);
	int rc = set && (!arch_file || arch_find(set, NULL, err)) ? 0 : -1;

	arch_set_close(set);
	return rc;
}

int heft_family_try(struct heft_model *m, const char *arch_file, heft_problem_fn *problem, void *ctx, struct heft_family_test *out,
		    struct heft_err *err)
{
	struct sink sink = { .fn = problem, .ctx = ctx };
	struct json_doc *config;

	*out = (struct heft_family_test){ .n_sources = m->n_tensors };
	if (model_speaks_gguf(m))
		return heft_fail(err, HEFT_E_FAMILY, "%s: a GGUF file has its names already; a family is tried on a checkpoint", m->path);
	if (can_be_read(arch_file, err))
		return -1;
	config = model_config_read(m, m->arena, err);
	if (!config)
		return -1;
	resolve(m, arch_file, &sink, out);
	find_nearest(m, arch_file, json_root(config), out);
	json_free(config);
	return 0;
}
