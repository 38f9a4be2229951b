/*
 * plan_codes.c - sources whose numbers are codes already: what a target must have so that they stay what they are.
 *
 *   number = code * scale, a scale per group    in the target: the same group or one that it holds whole, room for the code, the scale's type
 *
 * That they do stay is seen number by number when they are encoded (quant/fit.h, fit_exact and fit_exact_line); here is what a plan can know before.
 */
#include "plan.h"

#include <string.h>

#include "../quant/quant.h"
#include "packed.h"

enum { USUAL_GROUP = 64 }; /* MLX's */

/* Blocks of 32 of GGUF with a half as scale. */
static const struct kept {
	const char *name;
	unsigned bits;
	bool either; /* scales of either sign, whose largest code is that of the negative end */
	bool bias;   /* another half, which code 0 stands for */
} kepts[] = {
	{ "q4_0", 4, true, false },
	{ "q5_0", 5, true, false },
	{ "q8_0", 8, false, false },
	{ "q4_1", 4, false, true },
	{ "q5_1", 5, false, true },
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

static const struct packed *integers_of(const struct weight *w)
{
	const struct packed *k = w->n_sources ? w->source[0]->packed : NULL;

	return k && k->multiples ? k : NULL;
}

unsigned plan_integer_bits(const struct weight *w, uint32_t group, const struct heft_encoding *scales)
{
	const struct packed *k = integers_of(w);

	return k && (k->group == PACKED_ALL || k->group % (group ? group : USUAL_GROUP) == 0) && packed_scale_type(k) == scales ? k->bits : 0;
}

bool plan_looks_for_codes(const struct weight *w, const struct scheme *s)
{
	return scheme_finds(s) && (s->biases ? integers_of(w) != NULL : plan_is_quantized(w));
}

bool plan_keeps_integers(const struct weight *w, const struct scheme *s)
{
	unsigned bits = s->biases && scheme_finds(s) ? plan_integer_bits(w, s->group, s->type[SCHEME_SCALES]) : 0;

	return bits && bits <= s->scaled.bits;
}

bool plan_integers(const struct heft_plan *p)
{
	const struct weight *w = speaker(p);

	return w && integers_of(w);
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
	const struct heft_encoding *scales = scaled_is_power(&s->scaled) ? quant_find("f8_e8m0") : s->type[SCHEME_SCALES];

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

const struct heft_encoding *plan_taken(const struct weight *w, const struct scheme *s)
{
	const struct heft_encoding *e;

	for (size_t i = 0; (e = quant_at(i)); i++)
		if (tile_has_bytes(w, e) && scheme_holds(s, e))
			return e;
	return NULL;
}

/* Blocks of GGUF, whatever their rows' order. */
static int take_blocks(const struct heft_model *m, const struct plan_weight *w, const struct scheme *s, const struct heft_encoding *e, const struct scheme_strip *t,
		       uint64_t row, void *const *plane, const struct plan_room *room, struct heft_err *err)
{
	if (tile_read_bytes(&w->tile, m, e, row * t->cols, (size_t)(t->rows * t->cols), room->blocks, room->scratch, err))
		return -1;
	if (!scheme_take(s, t, e, room->blocks, plane, room->code))
		return heft_fail(err, HEFT_E_TYPE, "tensor '%s': a scale is too large for F16; name a float type with --tensor-type", w->weight->name);
	return 0;
}

int plan_copy_planes(const struct heft_model *m, const struct plan_weight *w, const struct scheme *s, const struct scheme_strip *t, uint64_t row,
		     void *const *plane, const struct plan_room *room, struct heft_err *err)
{
	const struct heft_encoding *e = plan_taken(w->weight, s);
	const struct heft_tensor *from = w->weight->source[0];

	if (e)
		return take_blocks(m, w, s, e, t, row, plane, room, err);
	for (int p = SCHEME_CODES; p <= SCHEME_SCALES; p++)
		if (packed_read_plane(m, from, p, scheme_offset(s, p, row, t->cols), plane[p], (size_t)scheme_offset(s, p, t->rows, t->cols), err))
			return -1;
	return s->whole ? copy_whole(m, from, s, plane[s->whole], err) : 0;
}

bool plan_keeps_codes(const struct weight *w, const struct scheme *s)
{
	const struct kept *k = kept_of(w);
	const struct scaled *c = &s->scaled;

	if (plan_taken(w, s))
		return true;
	if (w->n_sources && !strcmp(w->source[0]->enc->name, "mxfp4"))
		return c->code >= SCALED_E2M1 && scaled_is_power(c);
	if (!k || k->bias || !s->search || c->code != SCALED_INTEGER || c->scale == SCALED_AFFINE || c->bits < k->bits ||
	    s->enc.plane[SCHEME_SCALES].cols > 32 || s->enc.plane[SCHEME_SCALES].rows > 1)
		return false;
	return scaled_stored(c) != SCALED_BF16 && (!k->either || c->bits > k->bits || c->zeros || c->negative);
}
