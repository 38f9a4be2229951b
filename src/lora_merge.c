/*
 * lora_merge.c - merges adapters into a model that is open: each tensor that they change is noted with its terms, and is read with them from
 * then on; tensors that an adapter stores whole take the place of the model's. No number is read here but DoRA's magnitudes.
 *
 * Refuses, naming it, an adapter's tensor that finds none in the model, or one of another shape.
 */
#include "lora.h"

#include "../base/map.h"
#include "../base/source.h"
#include "../quant/quant.h"
#include "model.h"
#include "packed.h"
#include "tile.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

struct merge {
	struct heft_model *model;
	struct map by_name;      /* -> index of the model's tensor */
	bool *replaced;          /* of each */
	struct lora_adapter adapter; /* the one that is being merged */
	const char *path;        /* the adapter's */
	double weight;
	uint32_t first_file;     /* where its files stand among the model's */
	struct heft_err *err;
};

/* Where one and the same language model lies in classes with and without other parts. */
static const char *const prefixes[][2] = {
	{ "", "" }, { "model.", "" }, { "", "model." }, { "model.", "model.language_model." }, { "model.", "language_model.model." },
	{ "model.language_model.", "model." }, { "language_model.model.", "model." },
	{ "model.language_model.", "language_model.model." }, { "language_model.model.", "model.language_model." },
};

static struct heft_tensor *base_tensor(const struct merge *g, const char *target)
{
	struct arena *a = arena_new();
	struct map_slot *slot = NULL;

	for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes && !slot; i++) {
		size_t n = strlen(prefixes[i][0]);
		const char *name = strncmp(target, prefixes[i][0], n) ? NULL : arena_printf(a, "%s%s", prefixes[i][1], target + n);

		slot = name ? map_find(&g->by_name, name, strlen(name)) : NULL;
	}
	arena_free(a);
	return slot ? &g->model->tensor[slot->value.i] : NULL;
}

static int no_base(const struct merge *g, const char *tensor, const char *target)
{
	bool mixed = (g->adapter.kind == LORA_GGUF) != model_speaks_gguf(g->model);

	return heft_fail(g->err, HEFT_E_UNMATCHED, "%s: '%s' finds no '%s' in the base model%s", g->path, tensor, target,
			 !mixed ? ": it is another model's adapter, or the model's output is its embeddings" :
			 g->adapter.kind == LORA_GGUF ? ", which is no GGUF: give the adapter as PEFT or MLX has it" :
							 ", which is a GGUF: make a GGUF adapter first (heft lora convert)");
}

/* The adapter's tensor as one of the model's. */
static struct heft_tensor *adopt(const struct merge *g, const struct heft_tensor *t)
{
	struct heft_tensor *x = arena_alloc(g->model->arena, sizeof *x);

	*x = *t;
	x->name = arena_strdup(g->model->arena, t->name);
	for (int p = 0; p < x->n_planes; p++)
		x->plane[p].file += g->first_file;
	return x;
}

/* ---- whole tensors ---- */

static bool same_shape(const struct heft_tensor *a, const struct heft_tensor *b)
{
	for (int i = 0; i < a->rank && i < b->rank; i++)
		if (a->dim[i] != b->dim[i])
			return false;
	return a->rank == b->rank;
}

static int replace(struct merge *g, const struct lora_whole *w)
{
	struct heft_tensor *base = base_tensor(g, w->target);
	const char *name;

	if (!base)
		return no_base(g, w->tensor->name, w->target);
	if (!same_shape(base, w->tensor))
		return heft_fail(g->err, HEFT_E_SHAPE, "%s: '%s' is %s, the base model's '%s' is %s", g->path, w->tensor->name,
				 packed_dims(w->tensor, g->model->arena), base->name, packed_dims(base, g->model->arena));
	if (g->weight != 1)
		return heft_fail(g->err, HEFT_E_OPTION, "%s: '%s' takes the place of a tensor, so that the adapter cannot have a weight", g->path, w->tensor->name);
	if (g->replaced[base - g->model->tensor] || base->lora)
		return heft_fail(g->err, HEFT_E_OPTION, "%s: '%s' would take the place of '%s', which an adapter before it has changed", g->path,
				 w->tensor->name, base->name);
	name = base->name;
	*base = *adopt(g, w->tensor);
	base->name = name;
	g->replaced[base - g->model->tensor] = true;
	return 0;
}

/* ---- pairs ---- */

/* Is the tensor [in, out]? -1: the factors do not fit it. Where it is square, the adapter says. */
static int orientation(const struct merge *g, const struct lora_pair *p, const struct packed_shape *s)
{
	bool straight = s->rows == p->out && s->cols == p->in, turned = s->rows == p->in && s->cols == p->out;

	if (s->matrices != p->matrices || (!straight && !turned) || (p->matrices > 1 && !straight))
		return -1;
	return straight && turned ? p->matrices == 1 && (p->embedding || g->adapter.fan_in_fan_out) : turned;
}

static struct lora *lora_of(const struct merge *g, struct heft_tensor *base, const struct packed_shape *s)
{
	if (!base->lora) {
		base->lora = arena_alloc(g->model->arena, sizeof *base->lora);
		*base->lora = (struct lora){ .matrices = s->matrices, .rows = s->rows, .cols = s->cols };
	}
	return base->lora;
}

static int read_magnitude(const struct merge *g, struct lora_term *x, const struct lora_pair *p, const struct heft_tensor *base)
{
	const struct heft_tensor *t = adopt(g, p->magnitude);
	struct tile_scratch s = { 0 };
	float *v = arena_array(g->model->arena, (size_t)p->out, sizeof *v);
	int rc;

	if (g->weight != 1)
		return heft_fail(g->err, HEFT_E_OPTION, "%s: an adapter with magnitudes (DoRA) cannot have a weight", g->path);
	if (source_is_stream(g->model->file[base->plane[0].file].source))
		return heft_fail(g->err, HEFT_E_OPTION, "'%s' is read twice for an adapter with magnitudes (DoRA), which a stream does not allow: give a file", base->name);
	rc = tile_read_tensor(g->model, t, 0, (size_t)p->out, v, &s, g->err);
	tile_scratch_release(&s);
	x->magnitude = v;
	x->norm = arena_array(g->model->arena, (size_t)p->out, sizeof *x->norm);
	return rc;
}

static int add_pair(struct merge *g, const struct lora_pair *p)
{
	struct heft_tensor *base = base_tensor(g, p->target);
	struct packed_shape s;
	struct lora_term *x;
	struct lora *l;
	int turned;

	if (!base)
		return no_base(g, p->a->name, p->target);
	s = packed_shape(base->rank, base->dim);
	turned = base->rank < 2 || base->enc->class == QUANT_INTEGER || (base->packed && base->packed->turns) ? -1 : orientation(g, p, &s);
	if (turned < 0)
		return heft_fail(g->err, HEFT_E_SHAPE, "%s: '%s' and '%s' make %" PRIu64 " x %" PRIu64 ", the base model's '%s' is %s", g->path, p->b->name,
				 p->a->name, p->out, p->in, base->name, packed_dims(base, g->model->arena));
	l = lora_of(g, base, &s);
	l->term = arena_grow(g->model->arena, l->term, &l->cap, l->n + 1, sizeof *l->term);
	x = &l->term[l->n++];
	*x = (struct lora_term){ .a = adopt(g, p->a), .b = adopt(g, p->b), .a_turned = p->a_turned, .b_turned = p->b_turned,
				 .turned = turned, .rank = p->rank, .scale = (float)(p->scale * g->weight) };
	return p->magnitude ? read_magnitude(g, x, p, base) : 0;
}

/* ---- all ---- */

/* The adapter's files become the model's, which closes them. */
static void take_files(struct merge *g, struct heft_model *from)
{
	struct heft_model *m = g->model;
	struct heft_file *file = arena_array(m->arena, m->n_files + from->n_files, sizeof *file);

	memcpy(file, m->file, m->n_files * sizeof *file);
	g->first_file = (uint32_t)m->n_files;
	for (size_t i = 0; i < from->n_files; i++) {
		struct heft_file *f = &file[m->n_files++];

		*f = from->file[i];
		f->path = arena_strdup(m->arena, f->path);
	}
	m->file = file;
	from->n_files = 0;
}

static int merge_pairs(struct merge *g)
{
	const struct lora_adapter *x = &g->adapter;

	for (size_t i = 0; i < x->n_wholes; i++)
		if (replace(g, &x->whole[i]))
			return -1;
	for (size_t i = 0; i < x->n_pairs; i++)
		if (add_pair(g, &x->pair[i]))
			return -1;
	return 0;
}

/* An activated adapter. */
static bool is_switched(const struct lora_adapter *x)
{
	const struct json *tokens = json_get(json_root(x->config), "alora_invocation_tokens");

	return tokens && json_kind(tokens) == JSON_ARRAY;
}

static int merge_one(struct merge *g, const struct heft_adapter *given)
{
	struct heft_open_options as_stored = { .as_stored = true };
	struct arena *a = arena_new();
	const char *file = lora_file(given->path, a, g->err);
	struct heft_model *from = NULL;
	int rc = file ? heft_open(&from, file, &as_stored, g->err) : -1;

	g->path = given->path;
	g->weight = given->weight;
	g->adapter = (struct lora_adapter){ 0 };
	if (!rc && from->archive)
		rc = heft_fail(g->err, HEFT_E_OPTION, "%s: is an archive: unpack the adapter first", given->path);
	if (!rc && !isfinite(given->weight))
		rc = heft_fail(g->err, HEFT_E_OPTION, "%s: its weight is no number", given->path);
	if (!rc)
		rc = lora_read(&g->adapter, from, a, g->err);
	if (!rc && is_switched(&g->adapter))
		rc = heft_fail(g->err, HEFT_E_CONFIG, "%s: works from its invocation tokens on only, so that it cannot be merged: heft lora convert", given->path);
	if (!rc) {
		take_files(g, from);
		rc = merge_pairs(g);
	}
	lora_release(&g->adapter);
	heft_close(from);
	arena_free(a);
	return rc;
}

int heft_lora_merge(struct heft_model *m, const struct heft_adapter *adapter, size_t n, struct heft_err *err)
{
	struct merge g = { .model = m, .err = err };
	int rc = 0;

	map_init(&g.by_name);
	g.replaced = arena_array(m->arena, m->n_tensors, sizeof *g.replaced);
	for (size_t i = 0; i < m->n_tensors; i++) {
		bool found;

		map_put(&g.by_name, m->tensor[i].name, strlen(m->tensor[i].name), &found)->value.i = (int64_t)i;
	}
	for (size_t i = 0; i < n && !rc; i++)
		rc = merge_one(&g, &adapter[i]);
	map_release(&g.by_name);
	return rc;
}
