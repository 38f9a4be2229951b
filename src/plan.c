/*
 * plan.c - decides every byte of a job's outputs before a weight is read: which weights, which encoding and why, where.
 */
#include "plan_build.h"

#include "digests.h"
#include "model.h"
#include "plan_rules.h"
#include "recipe.h"
#include "target/target.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_OUTPUTS = 64, DEFAULT_SPOOL = 256 * 1024 * 1024 };


/* ---- weights ---- */

/* Of a source that several weights share, each counts its part. */
static uint64_t bytes_read(const struct plan_weight *w)
{
	uint64_t bytes = 0, elements = 0;

	for (size_t s = 0; s < w->weight->n_sources; s++) {
		elements += heft_tensor_count(w->weight->source[s]);
		for (int k = 0; k < w->weight->source[s]->n_planes; k++)
			bytes += w->weight->source[s]->plane[k].size;
	}
	return w->tile.count < elements ? (uint64_t)((unsigned __int128)bytes * w->tile.count / elements) : bytes;
}

static int add_weights(struct build *b)
{
	struct heft_plan *p = b->plan;
	struct family *f = &p->family;

	p->n_weights = b->job->vocab_only ? 0 : f->n_weights;
	p->weight = arena_array(p->arena, p->n_weights, sizeof *p->weight);
	for (size_t i = 0; i < p->n_weights; i++) {
		struct plan_weight *w = &p->weight[i];

		w->weight = &f->weight[i];
		w->old_name = p->old_name[i];
		if (tile_plan_init(&w->tile, w->weight, b->err))
			return -1;
		w->keeps_f32 = !b->keeps_names && !b->from_gguf && !w->weight->as_asked &&
			       (w->weight->generated || llamacpp_keeps_f32(w->weight->name, w->weight->shape.rank));
		w->keeps_float = !b->keeps_names && !b->from_gguf && w->weight->shape.rank > 1 && llamacpp_keeps_float(w->weight->name);
		p->bytes_in += bytes_read(w);
	}
	return 0;
}

/* ---- items ---- */

static const char **source_names(const struct weight *w, struct arena *a)
{
	const char **names = arena_array(a, w->n_sources, sizeof *names);

	for (size_t i = 0; i < w->n_sources; i++)
		names[i] = w->source[i]->name;
	return names;
}

static void describe_item(struct heft_plan *p, struct heft_item *it, const struct plan_weight *w)
{
	it->name = w->weight->name;
	it->from = source_encoding(w->weight);
	it->source = source_names(w->weight, p->arena);
	it->n_sources = w->weight->n_sources;
	it->rank = w->weight->shape.rank;
	memcpy(it->dim, w->weight->shape.dim, sizeof it->dim);
	it->operation = weight_describe(w->weight, p->arena);
}

/* Are the bytes to be had without a calculation? Codes of a packed source go over as they are, whatever the two-step pipeline does. */
static bool takes_bytes(const struct plan_weight *w, const struct heft_encoding *to, const struct heft_encoding *via)
{
	const struct weight *wt = w->weight;

	return tile_has_bytes(wt, to) && w->tile.grain % to->block == 0 && (!via || wt->source[0]->packed);
}

static int check_item(struct build *b, struct plan_output *o, size_t i)
{
	const struct plan_weight *w = &b->plan->weight[i];
	struct heft_item *it = &o->item[i];
	const struct weight *wt = w->weight;
	uint64_t cols = wt->shape.rank ? wt->shape.dim[wt->shape.rank - 1] : 1, rows = 1;

	for (int k = 0; k + 1 < wt->shape.rank; k++)
		rows *= wt->shape.dim[k];
	if (o->scheme && o->scheme[i])
		return 0;
	if (o->big_endian && !plan_turns(it->to) && it->to != tile_stays_as(wt))
		return heft_fail(b->err, HEFT_E_TYPE, "tensor '%s': %s has no big-endian form; --bigendian goes with -t f32, f16 or bf16", it->name, it->to->name);
	if (!format_stores(b->format, it->to))
		return heft_fail(b->err, HEFT_E_TYPE, "tensor '%s': %s cannot hold %s; name another type with --tensor-type '%s=TYPE'",
				 it->name, b->format->name, it->to->name, it->name);
	if (!quant_plane_size(it->to, 0, rows, cols, &it->size))
		return heft_fail(b->err, HEFT_E_FALLBACK, "tensor '%s': rows of %llu do not fit %s", it->name,
				 (unsigned long long)cols, it->to->name);
	o->copy[i] = takes_bytes(w, it->to, o->via[i]);
	it->lossless = (o->copy[i] && !tile_rounds(wt, it->to)) || (weight_moves_only(wt) && is_word(it->to->name, "f32") && it->from->class == QUANT_FLOAT &&
				      it->from->plane[0].bytes < 4 && !o->via[i]);
	if (o->copy[i] || it->to->class == QUANT_INTEGER)
		return o->copy[i] ? 0
				  : heft_fail(b->err, HEFT_E_TYPE, "tensor '%s': numbers are not turned into %s", it->name, it->to->name);
	if (!quant_encoder(it->to))
		return heft_fail(b->err, HEFT_E_TYPE, "tensor '%s': heft does not write %s", it->name, it->to->name);
	for (size_t s = 0; s < wt->n_sources; s++)
		if (wt->source[s]->enc->class == QUANT_BLOCK && (!wt->source[s]->packed || tile_stays_as(wt)) && it->to->class == QUANT_BLOCK && !b->job->allow_requantize)
			return heft_fail(b->err, HEFT_E_REQUANTIZE,
					 "tensor '%s' is quantized already (%s); quantizing it again loses quality: --allow-requantize does it all the same",
					 wt->source[s]->name, wt->source[s]->enc->name);
	return 0;
}

/* ---- outputs ---- */

static const char *output_path(struct build *b, struct plan_output *o, const struct target *target, const char *given, const char *type)
{
	struct arena *a = b->plan->arena;
	const char *name;

	if (target->scheme && !(given && *given))
		given = arena_printf(a, "%s-%s", b->plan->model->name, target->name);
	if (target->scheme || (given && b->keeps_names && plan_has_config(b->plan) && plan_names_checkpoint(given))) {
		o->directory = arena_strdup(a, given);
		return arena_printf(a, "%s%smodel%s", given, given[strlen(given) - 1] == '/' ? "" : "/", b->format->extension);
	}
	if (given && !strcmp(given, "-"))
		return given;
	if (given && *given && !plan_is_directory(given))
		return arena_strdup(a, given);
	name = llamacpp_file_name(o->kv.v, o->kv.n, b->plan->model->name ? b->plan->model->name : b->plan->model->path,
				  b->job->vocab_only ? "vocab" : type, a);
	if (b->plan->model->adapter)
		name = arena_printf(a, "%.*s-LoRA.gguf", (int)(strlen(name) - strlen(".gguf")), name);
	if (b->keeps_names) /* named alike, with the container's own ending */
		name = arena_printf(a, "%.*s%s", (int)(strlen(name) - strlen(".gguf")), name, b->format->extension);
	return given && *given ? arena_printf(a, "%s%s%s", given, given[strlen(given) - 1] == '/' ? "" : "/", name) : name;
}

static void total_up(struct build *b, struct plan_output *o)
{
	uint64_t bits = 0, elements = 0;

	for (size_t i = 0; i < b->plan->n_weights; i++) {
		bits += o->item[i].size * 8;
		elements += b->plan->weight[i].tile.count;
	}
	o->pub.kv = o->kv.v;
	o->pub.n_kv = o->kv.n;
	o->pub.n_parts = o->n_parts;
	o->pub.beside = plan_side_paths(o, b->plan->arena);
	o->pub.directory = o->directory;
	o->pub.n_beside = o->n_sides;
	for (size_t i = 0; i < o->n_parts; i++)
		o->pub.size += o->part[i].layout.file_size;
	o->pub.bits_per_weight = elements ? (double)bits / (double)elements : 0;
}

/* The recipe of a spec, and the word for what a tensor becomes that it says nothing of. */
static int choose_recipe(struct build *b, struct plan_output *o, const struct heft_output_spec *spec, const char **type)
{
	const char *file = spec->recipe_file ? spec->recipe_file : "recipe";

	*type = spec->type ? spec->type : "auto";
	if (!spec->recipe)
		return 0;
	if (spec->type)
		return heft_fail(b->err, HEFT_E_OPTION, "%s: a recipe says which types there are: no type goes with it", file);
	if (b->plan->model->adapter || (b->keeps_names && !b->target->scheme))
		return heft_fail(b->err, HEFT_E_OPTION, "%s: such an output's tensors have no types of their own that a recipe could name", file);
	if (b->job->pure)
		return heft_fail(b->err, HEFT_E_OPTION, "%s: --pure has no use for a recipe's rows", file);
	o->recipe = recipe_read(file, spec->recipe, strlen(spec->recipe), b->plan->arena, b->err);
	if (!o->recipe)
		return -1;
	if (recipe_target(o->recipe) != (b->target->scheme ? b->target : NULL))
		return heft_fail(b->err, HEFT_E_OPTION, "%s is a recipe for --to %s, not --to %s", file,
				 recipe_target(o->recipe) ? recipe_target(o->recipe)->name : "gguf", b->target->name);
	*type = !b->target->scheme ? recipe_name(o->recipe) : recipe_type_word(o->recipe) ? recipe_type_word(o->recipe) : "auto";
	return 0;
}

static int add_output(struct build *b, struct plan_output *o, const struct heft_output_spec *spec)
{
	struct heft_plan *p = b->plan;
	const char *type;
	struct plan_limits limits = { b->job->split_size, b->job->split_tensors, b->part, b->job->no_tensor_first_split, b->job->splitter_order };
	const struct target *target = b->target;

	if (choose_recipe(b, o, spec, &type))
		return -1;
	if (target->typed && plan_choose(&target, &o->given, type, b->err))
		return -1;
	if (target->typed)
		type = target->name;
	if (is_plain_float(type))
		o->given = quant_find(type);
	if (is_word(type, "auto"))
		type = b->from_gguf && !b->keeps_names ? "keep" : b->auto_type;
	if (b->job->machine && !o->recipe && plan_mac_type(p, spec->type, &type, b->err))
		return -1;
	if (!target->typed && (!o->recipe || b->keeps_names) && plan_known_type(b, type))
		return -1;
	if (!o->recipe && !b->keeps_names)
		o->recipe = recipe_find(type);
	o->target = target;
	o->said = plan_said(b->job, p->arena);
	o->format = b->format;
	o->big_endian = b->job->big_endian;
	o->kv.arena = p->arena;
	kv_set_all(&o->kv, p->family.kv.v, p->family.kv.n);
	o->item = arena_array(p->arena, p->n_weights, sizeof *o->item);
	o->pub.item = o->item;
	o->pub.n_items = p->n_weights;
	o->copy = arena_array(p->arena, p->n_weights, sizeof *o->copy);
	o->via = arena_array(p->arena, p->n_weights, sizeof *o->via);
	for (size_t i = 0; i < p->n_weights; i++)
		describe_item(p, &o->item[i], &p->weight[i]);
	if (b->keeps_names && !b->target->scheme)
		plan_cast_all(b, o, type);
	else if (target->scheme ? plan_schemes(p, o, target, b->job, b->err)
				: p->model->adapter ? plan_adapter(p, o, type, b->err) : plan_decide_types(b, o, spec->recipe ? type : spec->type, type))
		return -1;
	for (size_t i = 0; i < p->n_weights; i++)
		if (check_item(b, o, i))
			return -1;
	o->pub.type = arena_strdup(p->arena, o->recipe && !b->keeps_names ? recipe_name(o->recipe) : type);
	plan_edit_metadata(p, &o->kv, b->job);
	if (plan_importance(p, o, b->job, b->err))
		return -1;
	o->pub.path = output_path(b, o, target, spec->path, o->pub.type);
	o->to_stdout = !strcmp(o->pub.path, "-");
	if (!(p->sizes_only && target->scheme) && plan_layout(o, &limits, p->arena, b->err)) /* a header of names, not needed for weights' sizes */
		return -1;
	plan_files(p, o);
	if (target->scheme ? plan_scheme_files(p, o, target, b->err) : plan_checkpoint(p, o, type, b->err))
		return -1;
	total_up(b, o);
	return 0;
}

static int add_outputs(struct build *b)
{
	static const struct heft_output_spec one = { 0 };
	const struct heft_output_spec *spec = b->job->n_outputs ? b->job->output : &one;
	struct heft_plan *p = b->plan;
	size_t pipes = 0;

	p->n_outputs = b->job->n_outputs ? b->job->n_outputs : 1;
	if (p->n_outputs > MAX_OUTPUTS)
		return heft_fail(b->err, HEFT_E_OPTION, "more than %d outputs", MAX_OUTPUTS);
	p->output = arena_array(p->arena, p->n_outputs, sizeof *p->output);
	for (size_t i = 0; i < p->n_outputs; i++) {
		p->output[i].instead = b->instead ? &b->instead[i] : NULL;
		if (add_output(b, &p->output[i], &spec[i]))
			return -1;
		pipes += p->output[i].to_stdout;
		for (size_t k = 0; k < i; k++)
			if (!strcmp(p->output[k].pub.path, p->output[i].pub.path))
				return heft_fail(b->err, HEFT_E_OPTION, "two outputs are called '%s'", p->output[i].pub.path);
	}
	if (pipes && (b->job->no_tensor_first_split || b->job->split_size || b->job->split_tensors || b->job->keep_split))
		return heft_fail(b->err, HEFT_E_OPTION, "standard output cannot be split");
	return 0;
}

static int named_encoding(const struct build *b, const char *option, const char *name, const struct heft_encoding **out)
{
	*out = name ? quant_find(name) : NULL;
	if (name && (!*out || !heft_encoding_can_encode(*out)))
		return heft_fail(b->err, HEFT_E_TYPE, "%s '%s': no type to write ('heft types' lists them)", option, name);
	return 0;
}

static int check_words(struct build *b)
{
	const struct heft_job *j = b->job;
	const struct target *target;

	if (!quant_limit_known())
		return heft_fail(b->err, HEFT_E_OPTION, "HEFT_CPU is '%s': it takes scalar, avx2, avx512 or neon", getenv("HEFT_CPU"));
	target = target_find(j->to);
	b->target = target;
	b->format = target ? format_find(target->format) : NULL;
	if (!b->format || !b->format->layout)
		return heft_fail(b->err, HEFT_E_OPTION, "--to '%s' %s", j->to,
				 heft_target_instead(j->to) ? heft_target_instead(j->to) : "is no layout ('heft convert --help' lists them)");
	if (j->group_size && !target->groups)
		return heft_fail(b->err, HEFT_E_OPTION, "--group-size: %s has no groups of a size to choose", target->name);
	if (j->via && !is_word(j->via, "auto") && !is_plain_float(j->via))
		return heft_fail(b->err, HEFT_E_OPTION, "--via '%s': auto, bf16, f16 or f32", j->via);
	b->keeps_names = target->keeps_names;
	b->from_gguf = model_speaks_gguf(b->plan->model);
	b->auto_type = plan_auto_type(b->plan->model);
	b->via = is_word(j->via, "auto") ? b->auto_type : j->via;
	if (named_encoding(b, "--output-tensor-type", j->output_tensor_type, &b->output_type) ||
	    named_encoding(b, "--token-embedding-type", j->token_embedding_type, &b->embedding_type))
		return -1;
	return plan_check_together(b->job, b->plan->model, target, b->err);
}

/* What the recipes see: metadata with the user's overrides, and layers as they were before some were left out. */
static void set_facts(struct build *b)
{
	struct heft_plan *p = b->plan;

	b->facts.arena = p->arena;
	kv_set_all(&b->facts, p->family.kv.v, p->family.kv.n);
	kv_set_all(&b->facts, p->override.v, p->override.n);
	if (!b->job->keep_split)
		return;
	b->part = arena_array(p->arena, p->n_weights, sizeof *b->part);
	for (size_t i = 0; i < p->n_weights; i++)
		b->part[i] = p->weight[i].weight->n_sources ? p->weight[i].weight->source[0]->plane[0].file : 0;
}

static int build_plan(struct build *b)
{
	struct heft_plan *p = b->plan;
	const struct heft_job *j = b->job;
	struct sink first = { .err = b->err };
	struct family_options fo;

	if (check_words(b))
		return -1;
	fo = (struct family_options){ .option = plan_family_choices(j, p->arena), .arch = j->arch, .pre = j->pre, .metadata_file = j->metadata_file,
				      .model_name = j->model_name, .own_names = b->keeps_names, .as_stored = b->target->scheme != NULL,
				      .section = b->target->section, .files = plan_wants_files(j), .vocab_only = j->vocab_only,
				      .names_only = j->no_vocabulary, .no_vocabulary = j->no_vocabulary };
	if (family_resolve(&p->family, p->model, &fo, p->arena, &first, b->err) || (b->target->scheme && plan_experts(p, b->target, b->err)) ||
	    plan_fuse(p, j, b->err) || plan_edit(p, j, b->err) || add_weights(b))
		return -1;
	if (p->family.projector) {
		b->auto_type = plan_auto_type_of(&p->family);
		b->via = is_word(j->via, "auto") ? b->auto_type : j->via;
	}
	set_facts(b);
	if (j->imatrix && b->target->scheme && plan_columns(p, j, b->err))
		return -1;
	if (plan_open_importance(p, j, b->err) || add_outputs(b))
		return -1;
	return plan_order(p, j->spool ? j->spool : DEFAULT_SPOOL, b->err);
}

int plan_new_instead(struct heft_plan **out, struct heft_model *m, const struct heft_job *job, const struct plan_instead *instead, struct heft_err *err)
{
	struct arena *a = arena_new();
	struct heft_plan *p = arena_alloc(a, sizeof *p);
	struct build b = { .plan = p, .job = job, .err = err, .instead = instead };

	p->arena = a;
	p->model = m;
	p->threads = job->threads > 0 ? job->threads : heft_default_threads();
	p->force = job->force;
	p->sizes_only = job->no_vocabulary;
	p->consume = job->consume;
	p->digested = job->digests;
	p->effort = job->effort;
	*out = NULL;
	if (build_plan(&b)) {
		heft_plan_free(p);
		return -1;
	}
	*out = p;
	return 0;
}

int heft_plan_new(struct heft_plan **out, struct heft_model *m, const struct heft_job *job, struct heft_err *err)
{
	return plan_new_instead(out, m, job, NULL, err);
}

void heft_plan_free(struct heft_plan *p)
{
	if (!p)
		return;
	heft_imatrix_close(p->imatrix);
	digests_free(p->digests);
	for (size_t i = 0; p->error && i < p->n_outputs; i++)
		free(p->error[i]);
	arena_free(p->arena);
}

size_t heft_plan_outputs(const struct heft_plan *p)
{
	return p->n_outputs;
}

const struct heft_output *heft_plan_output(const struct heft_plan *p, size_t i)
{
	return i < p->n_outputs ? &p->output[i].pub : NULL;
}

size_t heft_plan_drops(const struct heft_plan *p, const struct heft_drop **out)
{
	*out = p->family.drop;
	return p->family.n_drops;
}

uint64_t heft_plan_bytes_in(const struct heft_plan *p)
{
	return p->bytes_in;
}
