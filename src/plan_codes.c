/*
 * plan_codes.c - sources whose numbers are codes already: what a target must have so that they stay what they are.
 *
 *   number = code * scale, a scale per group    in the target: the same group or one that it holds whole, room for the code, the scale's type
 *
 * That they do stay is seen number by number when they are encoded (quant/fit.h, fit_exact); here is what a plan can know before.
 */
#include "plan.h"

#include <string.h>

#include "../quant/quant.h"
#include "packed.h"

/* Blocks of 32 of GGUF with a half as scale. */
static const struct kept {
	const char *name;
	unsigned bits;
	bool either; /* scales of either sign, whose largest code is that of the negative end */
} kepts[] = {
	{ "q4_0", 4, true },
	{ "q5_0", 5, true },
	{ "q8_0", 8, false },
};

static const struct kept *kept_of(const struct weight *w)
{
	const struct heft_encoding *e = w->n_sources ? w->source[0]->enc : NULL;

	for (size_t i = 0; e && i < sizeof kepts / sizeof *kepts; i++)
		if (!strcmp(kepts[i].name, e->name))
			return &kepts[i];
	return NULL;
}

bool plan_is_quantized(const struct weight *w)
{
	return w->n_sources && w->source[0]->enc->class == QUANT_BLOCK;
}

/* The first matrix whose codes could be kept speaks for all: a checkpoint has one type and one size. */
static const struct weight *speaker(const struct heft_plan *p)
{
	for (size_t i = 0; i < p->n_weights; i++) {
		const struct weight *w = p->weight[i].weight;

		if (w->n_sources && (kept_of(w) || (w->source[0]->packed && packed_scale_type(w->source[0]->packed))))
			return w;
	}
	return NULL;
}

const struct heft_encoding *plan_scale_type(const struct heft_plan *p)
{
	const struct weight *w = speaker(p);

	if (!w)
		return quant_find("bf16");
	return kept_of(w) ? quant_find("f16") : packed_scale_type(w->source[0]->packed);
}

uint32_t plan_group(const struct heft_plan *p)
{
	const struct weight *w = speaker(p);
	uint32_t group = !w ? 0 : kept_of(w) ? w->source[0]->enc->block : w->source[0]->packed->group;

	return group == 32 || group == 64 || group == 128 ? group : 0;
}

static bool same_unit(const struct quant_plane *a, const struct quant_plane *b)
{
	return a->rows == b->rows && a->cols == b->cols && a->bytes == b->bytes;
}

static bool same_codes(const struct packed *k, const struct scheme *s)
{
	if (s->scaled.code == SCALED_E4M3)
		return k->codes == quant_decoder(quant_find("f8_e4m3"));
	return s->scaled.code >= SCALED_E2M1 && !strncmp(k->enc.name, s->whole ? "nvfp4 pairs" : "mxfp4 pairs", strlen("nvfp4 pairs"));
}

bool plan_same_planes(const struct weight *w, const struct scheme *s)
{
	const struct heft_tensor *t = w->n_sources == 1 && !w->n_ops && w->shape.rank == 2 ? w->source[0] : NULL;
	const struct packed *k = t && !t->lora ? t->packed : NULL;
	const struct heft_encoding *scales = s->scaled.scale == SCALED_E8M0 ? quant_find("f8_e8m0") : s->type[SCHEME_SCALES];

	if (!k || !k->decode || !s->search || !same_codes(k, s) || k->scales != quant_decoder(scales))
		return false;
	return same_unit(&k->enc.plane[SCHEME_CODES], &s->enc.plane[SCHEME_CODES]) && same_unit(&k->enc.plane[SCHEME_SCALES], &s->enc.plane[SCHEME_SCALES]);
}

/* The factor of all scales as this layout has it, which divides or multiplies. */
static int copy_whole(const struct heft_model *m, const struct heft_tensor *t, const struct scheme *s, void *dst, struct heft_err *err)
{
	float v;

	if (packed_read_plane(m, t, s->whole, 0, &v, sizeof v, err))
		return -1;
	if ((t->packed->param[0] != 0) != (s->scaled.scale == SCALED_DIVIDED))
		v = 1 / v;
	memcpy(dst, &v, sizeof v);
	return 0;
}

int plan_copy_planes(const struct heft_model *m, const struct weight *w, const struct scheme *s, uint64_t row, uint64_t rows, void *const *plane,
		     struct heft_err *err)
{
	uint64_t cols = w->shape.dim[1];

	for (int p = SCHEME_CODES; p <= SCHEME_SCALES; p++)
		if (packed_read_plane(m, w->source[0], p, scheme_offset(s, p, row, cols), plane[p], (size_t)scheme_offset(s, p, rows, cols), err))
			return -1;
	return s->whole ? copy_whole(m, w->source[0], s, plane[s->whole], err) : 0;
}

bool plan_keeps_codes(const struct weight *w, const struct scheme *s)
{
	const struct kept *k = kept_of(w);
	const struct scaled *c = &s->scaled;

	if (w->n_sources && !strcmp(w->source[0]->enc->name, "mxfp4"))
		return c->code >= SCALED_E2M1 && c->scale == SCALED_E8M0;
	if (!k || !s->search || c->code != SCALED_INTEGER || c->bits < k->bits || s->enc.plane[SCHEME_SCALES].cols > 32 || s->enc.plane[SCHEME_SCALES].rows > 1)
		return false;
	return scaled_stored(c) != SCALED_BF16 && (!k->either || c->bits > k->bits || c->zeros || c->negative);
}
