/*
 * packed_factor.c - NVFP4 for GGUF, which has no room for a tensor's factor in its blocks: it stands in a tensor beside.
 *
 *   blk.0.ffn_up.weight  NVFP4   codes and the scales of 16    blk.0.ffn_up.scale        F32 [1], or one per expert
 *                                                              blk.0.ffn_up.input_scale  F32, of the activations
 *
 * As in the reference a tensor of nothing but ones is left out. A weight that cannot go over as it is keeps its factor inside.
 */
#include "packed.h"

#include "../base/source.h"
#include "family.h"
#include "model.h"

#include <math.h>
#include <string.h>

enum { FACTOR = 2, INPUT = 3, EXTRA = 2 };

static bool is_split(const struct weight *w)
{
	for (size_t i = 0; i < w->n_sources; i++) {
		const struct packed *k = w->source[i]->packed;

		if (!k || k->enc.n_planes <= FACTOR || !k->repack || strcmp(k->repack->to, "nvfp4"))
			return false;
	}
	return w->n_sources > 0 && weight_moves_only(w) && (w->n_sources == 1 || w->combine == COMBINE_STACK);
}

static uint64_t matrices_of(const struct heft_tensor *t)
{
	return packed_shape(t->rank, t->dim).matrices;
}

/* The factors of one source, as they multiply; ones where the plane is not there. */
static int read_factors(const struct heft_model *m, const struct heft_tensor *t, int plane, float *dst, struct heft_err *err)
{
	uint64_t n = matrices_of(t), begin;
	struct source *src;

	for (uint64_t i = 0; i < n; i++)
		dst[i] = 1;
	if (plane >= t->n_planes)
		return 0;
	src = model_extent(m, &t->plane[plane], &begin);
	if (source_is_stream(src))
		return heft_fail(err, HEFT_E_OPTION, "tensor '%s': its factor must be read before the weights, which a stream does not allow: give a file",
				 t->name);
	if (source_read(src, begin, dst, (size_t)n * sizeof *dst, err))
		return -1;
	for (uint64_t i = 0; i < n && t->packed->param[0]; i++)
		dst[i] = 1 / dst[i];
	return 0;
}

static bool all_ones(const float *v, uint64_t n)
{
	double tolerance = n > 1 ? 1.1e-5 : 1e-6;

	for (uint64_t i = 0; i < n; i++)
		if (!(fabs((double)v[i] - 1) < tolerance))
			return false;
	return true;
}

static const char *name_beside(const char *name, const char *ending, struct arena *a)
{
	size_t n = strlen(name), k = strlen(".weight");

	if (n > k && !strcmp(name + n - k, ".weight"))
		n -= k;
	return arena_printf(a, "%.*s%s", (int)n, name, ending);
}

static int add_beside(struct family *f, const struct heft_model *m, const struct weight *w, int plane, struct arena *a, struct heft_err *err)
{
	struct weight *x = &f->weight[f->n_weights];
	uint64_t n = 0, done = 0;
	float *v;

	for (size_t i = 0; i < w->n_sources; i++)
		n += matrices_of(w->source[i]);
	v = arena_array(a, n, sizeof *v);
	for (size_t i = 0; i < w->n_sources; done += matrices_of(w->source[i++]))
		if (read_factors(m, w->source[i], plane, v + done, err))
			return -1;
	if (all_ones(v, n))
		return 0;
	*x = (struct weight){ .name = name_beside(w->name, plane == FACTOR ? ".scale" : ".input_scale", a), .generated = v };
	x->shape = (struct shape){ .rank = 1, .dim = { n } };
	f->n_weights++;
	return 0;
}

/* Copies of the weight's sources that have codes and scales alone. */
static void take_factors_out(struct weight *w, struct packed **kind, const struct packed **of, struct arena *a)
{
	const struct heft_tensor **source = arena_array(a, w->n_sources, sizeof *source);
	struct heft_tensor *copy = arena_array(a, w->n_sources, sizeof *copy);

	for (size_t i = 0; i < w->n_sources; i++) {
		copy[i] = *w->source[i];
		if (*of != copy[i].packed) {
			*of = copy[i].packed;
			*kind = arena_alloc(a, sizeof **kind);
			**kind = *copy[i].packed;
			(*kind)->enc.n_planes = FACTOR;
		}
		copy[i].packed = *kind;
		copy[i].enc = &(*kind)->enc;
		copy[i].n_planes = FACTOR;
		source[i] = &copy[i];
	}
	w->source = source;
}

int packed_split_factors(struct family *f, const struct heft_model *m, struct arena *a, struct heft_err *err)
{
	size_t n = f->n_weights, split = 0;
	const struct weight *was = f->weight;
	const struct packed *of = NULL;
	struct packed *kind = NULL;

	for (size_t i = 0; i < n; i++)
		split += is_split(&was[i]);
	if (!split)
		return 0;
	f->weight = arena_array(a, n + EXTRA * split, sizeof *f->weight);
	memcpy(f->weight, was, n * sizeof *f->weight);
	for (size_t i = 0; i < n; i++) {
		if (!is_split(&was[i]))
			continue;
		if (add_beside(f, m, &was[i], FACTOR, a, err) || add_beside(f, m, &was[i], INPUT, a, err))
			return -1;
		take_factors_out(&f->weight[i], &kind, &of, a);
	}
	return 0;
}
