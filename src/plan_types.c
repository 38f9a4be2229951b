/*
 * plan_types.c - the type of each tensor of an output: what the two-step pipeline's 16-bit file would hold, the recipe's decision, and the
 * metadata that tells it.
 */
#include "plan_build.h"

#include "recipe.h"

#include <string.h>

/* What the two-step pipeline's first file would hold for a weight. */
static const struct heft_encoding *stored_encoding(const struct build *b, const struct plan_weight *w, const char *via)
{
	if (b->from_gguf)
		return source_encoding(w->weight);
	if (w->weight->forced)
		return w->weight->forced;
	if (tile_stays_as(w->weight))
		return tile_stays_as(w->weight);
	if (plan_fp8_as_q8(b->job, w->weight))
		return quant_find("q8_0");
	if (w->keeps_float)
		return quant_find(is_word(via, "f16") ? "f16" : "f32");
	return quant_find(w->keeps_f32 ? "f32" : via);
}

/* The reference's quantizer counts no outermost dimensions of one: a matrix of one row is a vector to it. */
static struct shape quantizer_shape(const struct shape *from)
{
	struct shape s = *from;
	while (s.rank > 1 && s.dim[0] == 1)
		memmove(s.dim, s.dim + 1, (size_t)--s.rank * sizeof(s.dim[0]));
	return s;
}

static struct recipe_item *recipe_items(const struct build *b, const char *via, bool quantizer)
{
	struct heft_plan *p = b->plan;
	struct recipe_item *item = arena_array(p->arena, p->n_weights, sizeof *item);

	for (size_t i = 0; i < p->n_weights; i++) {
		const struct plan_weight *w = &p->weight[i];

		item[i].name = w->weight->name;
		item[i].shape = quantizer ? quantizer_shape(&w->weight->shape) : w->weight->shape;
		item[i].fixed = !quantizer && (w->keeps_f32 || w->keeps_float || w->weight->forced || plan_fp8_as_q8(b->job, w->weight));
		item[i].stored = via || tile_stays_as(w->weight) ? stored_encoding(b, w, via) : source_encoding(w->weight);
	}
	return item;
}

/* safetensors: every float tensor becomes T, integers stay; no recipe */
void plan_cast_all(struct build *b, struct plan_output *o, const char *type)
{
	for (size_t i = 0; i < b->plan->n_weights; i++) {
		const struct heft_encoding *from = source_encoding(b->plan->weight[i].weight);
		bool cast = !is_word(type, "keep") && from->class != QUANT_INTEGER;

		o->item[i].to = cast ? quant_find(type) : from;
		o->item[i].why = cast ? "as asked" : from->class == QUANT_INTEGER ? "integers stay" : "kept";
	}
}

/* Do a weight's values fit an encoding as they are? */
static bool is_exact(const struct weight *w, const struct heft_encoding *e)
{
	if (!strcmp(e->name, "f32"))
		return true;
	if (e == tile_stays_as(w))
		return true;
	for (size_t i = 0; i < w->n_sources; i++)
		if (w->source[i]->enc != e)
			return false;
	return weight_moves_only(w);
}

/* Values that adapters changed are in no file yet. */
static bool is_merged(const struct weight *w)
{
	return w->n_sources && w->source[0]->lora;
}

static bool keeps_types(const char *type)
{
	return is_word(type, "keep") || is_word(type, "copy");
}

/* A file that the converter alone writes is named by the codes that stay in it. */
static uint32_t file_type(const struct build *b, const struct plan_output *o, const struct recipe *r)
{
	enum { MXFP4_MOE = 38, NVFP4 = 39 };

	for (size_t i = 0; i < b->plan->n_weights; i++) {
		const struct heft_encoding *e = tile_stays_as(b->plan->weight[i].weight);

		if (e && e == o->item[i].to && is_plain_float(recipe_name(r)) && !b->from_gguf)
			return !strcmp(e->name, "nvfp4") ? NVFP4 : MXFP4_MOE;
	}
	return recipe_file_type(r);
}

/* Metadata that depends on the type, and what the user says about it. */
static void set_metadata(const struct build *b, struct plan_output *o, const char *type, bool quantizer)
{
	const struct heft_plan *p = b->plan;
	const struct recipe *r = keeps_types(type) ? NULL : recipe_find(type);

	if (r && (quantizer || !p->family.no_file_type))
		plan_set_file_type(b->plan, o, file_type(b, o, r), b->job->quantizer_order, b->from_gguf);
	else if (is_word(type, "copy"))
		plan_set_file_type(b->plan, o, (uint32_t)kv_uint(o->kv.v, o->kv.n, "general.file_type", plan_guess_file_type(p)),
				   b->job->quantizer_order, b->from_gguf);
	for (size_t i = 0; i < p->override.n; i++)
		kv_set_last(&o->kv, p->override.v[i].key, p->override.v[i].value);
}

static struct recipe_facts recipe_facts(const struct build *b)
{
	const struct heft_plan *p = b->plan;
	const struct heft_job *j = b->job;
	const char *arch = kv_string(b->facts.v, b->facts.n, "general.architecture");

	return (struct recipe_facts){
		.arch = arch ? arch : p->family.arch, .kv = b->facts.v, .n_kv = b->facts.n,
		.rule = j->tensor_type, .n_rules = j->n_tensor_types,
		.output_type = b->output_type, .embedding_type = b->embedding_type,
		.imatrix = p->imatrix && p->imatrix->n_entries, .pure = j->pure, .leave_output = j->leave_output_tensor,
		.in_order = j->keep_split, .strict = j->strict,
	};
}

int plan_decide_types(struct build *b, struct plan_output *o, const char *type)
{
	struct heft_plan *p = b->plan;
	bool direct = is_plain_float(type) || (p->family.projector && is_word(type, "q8_0")); /* what the converter can write by itself */
	const char *via = keeps_types(type) ? NULL : direct && !b->via ? type : b->via ? b->via : b->auto_type;
	const struct recipe *r = keeps_types(type) ? NULL : recipe_find(type);
	bool quantizer = r && (b->from_gguf || !direct || !is_word(via, type)); /* else it does write the file */
	struct recipe_item *item = recipe_items(b, via, quantizer);
	struct recipe_facts facts = recipe_facts(b);

	if (is_word(type, "copy") && (facts.n_rules || facts.output_type || facts.embedding_type))
		return heft_fail(b->err, HEFT_E_OPTION, "copy changes no tensor's type: leave out the options that name types, or use keep");
	if (recipe_decide(r, item, p->n_weights, &facts, p->arena, b->err))
		return -1;
	for (size_t i = 0; i < p->n_weights; i++) {
		if (r && !quantizer && tile_stays_as(p->weight[i].weight)) {
			item[i].type = item[i].stored;
			item[i].why = "lossless: codes stay";
		}
		o->item[i].rank = item[i].shape.rank;
		memcpy(o->item[i].dim, item[i].shape.dim, sizeof o->item[i].dim);
		o->item[i].to = item[i].type;
		o->item[i].why = item[i].why;
		o->item[i].fallback = item[i].fallback;
		o->pub.n_fallbacks += item[i].fallback;
		if (item[i].stored != item[i].type && !(item[i].fallback && !quantizer) && !is_exact(p->weight[i].weight, item[i].stored) && !(b->from_gguf && is_merged(p->weight[i].weight)))
			o->via[i] = item[i].stored;
	}
	set_metadata(b, o, type, quantizer);
	return 0;
}

int plan_known_type(const struct build *b, const char *type)
{
	bool recipe = recipe_find(type) != NULL;

	if (is_word(type, "keep") || ((recipe || is_word(type, "copy")) && !b->keeps_names) || (b->keeps_names && is_plain_float(type)))
		return 0;
	if (b->keeps_names && (recipe || quant_find(type)))
		return heft_fail(b->err, HEFT_E_TYPE, "type '%s' cannot be written as %s; use f32, f16, bf16 or keep", type,
				 b->format->name);
	return heft_fail(b->err, HEFT_E_TYPE, "no type '%s' ('heft types' lists them)", type);
}
