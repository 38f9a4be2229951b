/*
 * plan_filetype.c - general.file_type: what it is where nobody says it, and where it stands among the keys.
 */
#include "plan.h"

#include "../quant/quant.h"
#include "recipe.h"
#include "target/target.h"

static const struct heft_encoding *source_encoding(const struct weight *w)
{
	return w->n_sources ? w->source[0]->enc : quant_find("f32");
}

/* What llama-quantize takes the file type to be where no key says it: that of most tensors, marked as a guess. */
uint32_t plan_guess_file_type(const struct heft_plan *p)
{
	enum { GUESSED = 1024 };
	const struct heft_encoding *e, *most = NULL;
	size_t best = 0;

	for (size_t k = 0; (e = quant_at(k)); k++) {
		size_t n = 0;

		for (size_t i = 0; i < p->n_weights; i++)
			n += source_encoding(p->weight[i].weight) == e;
		if (n > best) {
			best = n;
			most = e;
		}
	}
	const struct recipe *r = most ? recipe_find(most->name) : NULL;
	return GUESSED | (r ? recipe_file_type(r) : 0);
}

/* In llama-quantize's order: behind all other keys. */
static void set_file_type_last(struct kv_list *kv, uint32_t file_type)
{
	enum { QUANTIZATION_VERSION = 2 };

	kv_set_last(kv, "general.quantization_version", value_u32(QUANTIZATION_VERSION));
	kv_set_last(kv, "general.file_type", value_u32(file_type));
}

void plan_set_file_type(const struct heft_plan *p, struct plan_output *o, uint32_t file_type, bool quantizer_order, bool from_gguf)
{
	struct heft_kv *kv;
	size_t n;

	if (quantizer_order) {
		set_file_type_last(&o->kv, file_type);
		return;
	}
	if (!from_gguf) {
		kv_set(&o->kv, "general.file_type", value_u32(file_type));
		return;
	}
	llamacpp_requantized(o->kv.v, o->kv.n, file_type, &kv, &n, p->arena);
	o->kv = (struct kv_list){ .arena = p->arena };
	kv_set_all(&o->kv, kv, n);
}
