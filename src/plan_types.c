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

/* Is it what the converter writes by itself? */
static bool floats(const struct recipe *r)
{
	return r && recipe_type(r) && is_plain_float(recipe_type(r)->name);
}

/* A file that the converter alone writes is named by the codes that stay in it. */
static uint32_t file_type(const struct build *b, const struct plan_output *o, const struct recipe *r)
{
	enum { MXFP4_MOE = 38, NVFP4 = 39 };

	for (size_t i = 0; i < b->plan->n_weights; i++) {
		const struct heft_encoding *e = tile_stays_as(b->plan->weight[i].weight);

		if (e && e == o->item[i].to && floats(r) && !b->from_gguf)
			return !strcmp(e->name, "nvfp4") ? NVFP4 : MXFP4_MOE;
	}
	return recipe_file_type(r);
}

/* Metadata that depends on the type, and what the user says about it. */
static void set_metadata(const struct build *b, struct plan_output *o, const char *type, bool quantizer)
{
	const struct heft_plan *p = b->plan;
	const struct recipe *r = o->recipe;

	if (r && recipe_type(r) && (quantizer || !p->family.no_file_type))
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

/* One item as its recipe has it, and the type that its values are rounded to before. A projector's 8 bits are what the converter writes itself:
 * a tensor of it that has another type does not go through them. */
static void take_decision(struct build *b, struct plan_output *o, size_t i, const struct recipe_item *from, bool quantizer)
{
	const struct weight *w = b->plan->weight[i].weight;
	struct heft_item *it = &o->item[i];

	it->rank = from->shape.rank;
	memcpy(it->dim, from->shape.dim, sizeof it->dim);
	it->to = from->type;
	it->why = from->why;
	it->fallback = from->fallback;
	o->pub.n_fallbacks += from->fallback;
	o->decided[i] = from->by == RECIPE_DECIDED ? from->type->name : from->by == RECIPE_KEPT ? "keep" : NULL;
	if (from->stored != from->type && (quantizer || from->stored->class != QUANT_BLOCK) && !is_exact(w, from->stored) && !(b->from_gguf && is_merged(w)))
		o->via[i] = from->stored;
}

int plan_decide_types(struct build *b, struct plan_output *o, const char *given, const char *type)
{
	struct heft_plan *p = b->plan;
	const struct recipe *r = o->recipe;
	const struct heft_encoding *main = r ? recipe_type(r) : NULL;
	bool direct = floats(r) || (p->family.projector && main && is_word(main->name, "q8_0")); /* what the converter can write by itself */
	const char *via = !main ? NULL : direct && !b->via ? main->name : b->via ? b->via : b->auto_type;
	bool quantizer = main && (b->from_gguf || !direct || !is_word(via, main->name)); /* else it does write the file */
	struct recipe_item *item = recipe_items(b, via, quantizer);
	struct recipe_facts facts = recipe_facts(b);

	facts.told = &o->rows;
	if (is_word(type, "copy") && (facts.n_rules || facts.output_type || facts.embedding_type))
		return heft_fail(b->err, HEFT_E_OPTION, "copy changes no tensor's type: leave out the options that name types, or use keep");
	if (recipe_decide(r, item, p->n_weights, &facts, p->arena, b->err))
		return -1;
	o->decided = arena_array(p->arena, p->n_weights, sizeof *o->decided);
	for (size_t i = 0; i < p->n_weights; i++)
		if (main && !quantizer && tile_stays_as(p->weight[i].weight)) {
			item[i].type = item[i].stored;
			item[i].why = "lossless: codes stay";
			item[i].by = RECIPE_STAYS;
		}
	if (b->job->machine && plan_mac(p, item, b->job, given, type, b->err))
		return -1;
	for (size_t i = 0; i < p->n_weights; i++)
		take_decision(b, o, i, &item[i], quantizer);
	if (is_word(type, "copy"))
		o->decided = NULL;
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
