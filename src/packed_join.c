/*
 * packed_join.c - makes one weight of the tensors that a quantized module is stored as. Owns the model's list while it does.
 *
 * Refuses, naming both tensors: a scale whose weight is missing, a weight whose scale is, planes whose sizes do not fit.
 */
#include "packed.h"

#include "../base/map.h"
#include "../base/source.h"
#include "model.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { NOT_MINE = 1 };

/* What runtimes keep beside weights for their activations: no part of a weight's value. */
static const char *const unused[] = {
	".input_scale", ".input_zero_point", ".input_global_scale", ".output_scale", ".activation_scale", ".k_scale", ".v_scale",
	".qscale_act", ".k_proj.output_scale", ".v_proj.output_scale", "_activation_scale", NULL,
};

#define LAYOUT(name) extern const struct packed_layout packed_##name;
#include "packed/list.h"
#undef LAYOUT
static const struct packed_layout *const layouts[] = {
#define LAYOUT(name) &packed_##name,
#include "packed/list.h"
#undef LAYOUT
	NULL
};

const struct packed_layout *packed_layout_at(size_t i)
{
	return i < sizeof layouts / sizeof *layouts ? layouts[i] : NULL;
}

struct join {
	struct heft_model *model;
	struct map by_name;       /* -> index in the model's list */
	bool *gone;               /* of each tensor: a part of something joined */
	bool joined_any;
	struct packed_config config;
	struct map kinds;         /* by their encoding's name -> struct packed */
	struct sink *sink;
	struct heft_err *err;
};

/* ---- for the layouts ---- */

bool packed_is(const struct heft_tensor *t, const char *encodings)
{
	size_t n = strlen(t->enc->name);

	for (const char *p = encodings; (p = strstr(p, t->enc->name)); p += n)
		if ((p == encodings || p[-1] == ' ') && (p[n] == ' ' || !p[n]))
			return true;
	return false;
}

const char *packed_dims(const struct heft_tensor *t, struct arena *a)
{
	const char *s = arena_printf(a, "%s [", t->enc->name);

	for (int i = 0; i < t->rank; i++)
		s = arena_printf(a, "%s%s%" PRIu64, s, i ? ", " : "", t->dim[i]);
	return arena_printf(a, "%s]", s);
}

int packed_bytes(const struct packed_module *m, const struct heft_tensor *t, void *dst, struct heft_err *err)
{
	uint64_t begin;
	struct source *src = model_extent(m->model, &t->plane[0], &begin);

	if (source_is_stream(src))
		return heft_fail(err, HEFT_E_OPTION, "tensor '%s' must be read before the weights, which a stream does not allow: give a file", t->name);
	return source_read(src, begin, dst, (size_t)t->plane[0].size, err);
}

int packed_small(const struct packed_module *m, const struct heft_tensor *t, float *dst, size_t n, struct heft_err *err)
{
	uint8_t bytes[512];
	const void *plane[1] = { bytes };

	if (heft_tensor_count(t) > n || t->plane[0].size > sizeof bytes || !t->enc->decode)
		return heft_fail(err, HEFT_E_SHAPE, "tensor '%s': %s is more than at most %zu numbers", t->name, packed_dims(t, m->arena), n);
	if (packed_bytes(m, t, bytes, err))
		return -1;
	quant_decoder(t->enc)(plane, dst, (size_t)heft_tensor_count(t));
	return 0;
}

int packed_turn(struct packed_module *m, int i, uint64_t rows, uint64_t cols, uint32_t unit, struct heft_err *err)
{
	const struct heft_tensor *t = m->part[i];
	uint64_t begin, size;
	struct source *src = model_extent(m->model, &t->plane[0], &begin);

	if (source_is_stream(src))
		return heft_fail(err, HEFT_E_OPTION, "tensor '%s' is packed along its columns, which a stream does not allow to read: give a file", t->name);
	if (!rows || !cols || __builtin_mul_overflow(rows, cols, &size) || __builtin_mul_overflow(size, unit, &size) || size != t->plane[0].size)
		return heft_fail(err, HEFT_E_SHAPE, "tensor '%s': %s is no matrix of %" PRIu64 " x %" PRIu64 " units of %u bytes", t->name,
				 packed_dims(t, m->arena), rows, cols, unit);
	m->made[i] = source_turned(src, begin, rows, cols, unit);
	return 0;
}

/* ---- modules ---- */

static bool ends_with(const char *name, size_t n, const char *suffix)
{
	size_t k = strlen(suffix);

	return n > k && !memcmp(name + n - k, suffix, k);
}

static const struct heft_tensor *tensor_of(const struct join *j, const char *base, const char *suffix)
{
	char name[1024];
	int n = snprintf(name, sizeof name, "%s%s", base, suffix);
	const struct map_slot *slot = n < (int)sizeof name ? map_find(&j->by_name, name, (size_t)n) : NULL;

	return slot && !j->gone[slot->value.i] ? &j->model->tensor[slot->value.i] : NULL;
}

/* Finds the layout's tensors; the name of one that must be there and is not, or NULL. */
static const char *find_parts(const struct join *j, const struct packed_layout *l, struct packed_module *m)
{
	for (int i = 0; l->part[i].suffix; i++) {
		m->part[i] = tensor_of(j, m->name, l->part[i].suffix);
		if (!m->part[i] && !(l->part[i].use & PACKED_OPTIONAL))
			return l->part[i].suffix;
	}
	return NULL;
}

static bool same_kind(const struct packed *a, const struct packed *b)
{
	for (int p = 0; p < HEFT_MAX_PLANES; p++)
		if (a->enc.plane[p].rows != b->enc.plane[p].rows || a->enc.plane[p].cols != b->enc.plane[p].cols ||
		    a->enc.plane[p].bytes != b->enc.plane[p].bytes)
			return false;
	return !strcmp(a->enc.name, b->enc.name) && a->decode == b->decode && a->strip == b->strip && a->strip_rows == b->strip_rows &&
	       a->repack == b->repack && a->scratch == b->scratch && a->codes == b->codes && a->scales == b->scales && a->bits == b->bits &&
	       a->group == b->group && a->turns == b->turns && !memcmp(a->param, b->param, sizeof a->param);
}

static const struct packed *intern(struct join *j, const struct packed *k)
{
	bool found;
	struct map_slot *slot = map_put(&j->kinds, k->enc.name, strlen(k->enc.name), &found);
	struct packed *copy;

	if (found && same_kind(slot->value.p, k))
		return slot->value.p;
	copy = arena_alloc(j->model->arena, sizeof *copy);
	*copy = *k;
	slot->value.p = copy;
	return copy;
}

/* Has the part that a plane comes from exactly the bytes that its geometry asks for? */
static int check_plane(const struct packed_layout *l, const struct packed_module *m, int part, struct heft_err *err)
{
	const struct packed *k = &m->kind;
	const struct heft_tensor *t = m->part[part];
	struct packed_shape s = packed_shape(m->rank, m->dim);
	uint64_t size;

	if (!s.rows || !s.cols || !s.matrices)
		return heft_fail(err, HEFT_E_SHAPE, "'%s': %s, but no weight has no numbers", t->name, packed_dims(t, m->arena));
	if (!quant_plane_size(&k->enc, l->part[part].plane, s.rows, s.cols, &size) || __builtin_mul_overflow(size, s.matrices, &size))
		return heft_fail(err, HEFT_E_SHAPE, "'%s': rows of %" PRIu64 " do not fit %s", t->name, s.cols, k->enc.name);
	if (size != t->plane[0].size)
		return heft_fail(err, HEFT_E_SHAPE, "'%s': %s has %" PRIu64 " bytes, but '%s%s' [%" PRIu64 ", %" PRIu64 "] as %s needs %" PRIu64,
				 t->name, packed_dims(t, m->arena), t->plane[0].size, m->name, l->weight, s.rows, s.cols, k->enc.name, size);
	return 0;
}

/* The tensor that the parts are now, standing where the first plane's stood. */
static int make_tensor(struct join *j, const struct packed_layout *l, const struct packed_module *m, struct heft_err *err)
{
	struct heft_tensor t = { .rank = m->rank, .n_planes = m->kind.enc.n_planes };
	size_t at = SIZE_MAX;

	for (int i = 0; l->part[i].suffix; i++) {
		const struct packed_part *x = &l->part[i];

		if (!m->part[i] || (x->use & PACKED_UNUSED) || x->plane >= m->kind.enc.n_planes)
			continue;
		if (check_plane(l, m, i, err))
			return -1;
		t.plane[x->plane] = m->part[i]->plane[0];
		if (m->made[i])
			t.plane[x->plane].made = m->made[i];
		if (x->plane == 0)
			at = (size_t)(m->part[i] - j->model->tensor);
	}
	for (int i = 0; l->part[i].suffix; i++)
		if (m->part[i])
			j->gone[m->part[i] - j->model->tensor] = true;
	t.name = arena_printf(m->arena, "%s%s", m->name, l->weight);
	memcpy(t.dim, m->dim, sizeof t.dim);
	t.packed = intern(j, &m->kind);
	t.enc = &t.packed->enc;
	j->model->tensor[at] = t;
	j->gone[at] = false;
	j->joined_any = true;
	return 0;
}

/* ---- one telling tensor ---- */

static int tell(struct join *j, const struct heft_tensor *t, const struct heft_err *e)
{
	return sink_tellf(j->sink, e->code, j->model->file[t->plane[0].file].path, t->name,
			  "the module cannot be read without all of its tensors: download the checkpoint again, or ask whoever made it", "%s", e->text);
}

/* 0: joined; NOT_MINE: no layout has such tensors, *err may say why; -1: *err says what is wrong. */
static int try_layouts(struct join *j, size_t i, struct heft_err *err)
{
	const char *name = j->model->tensor[i].name;
	size_t n = strlen(name);
	int rc = NOT_MINE;

	for (size_t k = 0; layouts[k] && rc == NOT_MINE; k++) {
		const struct packed_layout *l = layouts[k];
		struct packed_module m = { .config = &j->config, .model = j->model, .arena = j->model->arena };
		struct heft_err why = { 0 };
		const char *lacks;

		if (!ends_with(name, n, l->part[0].suffix))
			continue;
		m.name = arena_memdup(m.arena, name, n - strlen(l->part[0].suffix));
		lacks = find_parts(j, l, &m);
		if (lacks && !err->code)
			heft_fail(err, HEFT_E_TENSOR_MISSING, "'%s' is stored without '%s%s', which it needs", name, m.name, lacks);
		if (lacks)
			continue;
		rc = l->fit(&m, &why);
		if (!rc)
			rc = make_tensor(j, l, &m, &why);
		if (rc < 0 || (rc == NOT_MINE && !err->code)) /* the first layout's reason is told, or that of the one that takes it */
			*err = why;
	}
	return rc;
}

static int join_modules(struct join *j)
{
	for (size_t i = 0; i < j->model->n_tensors; i++) {
		struct heft_err why = { 0 };

		if (j->gone[i] || j->model->tensor[i].packed || try_layouts(j, i, &why) >= 0) /* another of its parts may tell of it */
			continue;
		if (tell(j, &j->model->tensor[i], &why))
			return -1;
		j->gone[i] = true;
	}
	return 0;
}

/* ---- what is left ---- */

/* A part that only a quantized module has: which one it is of a layout, or NULL. */
static const struct packed_part *own_part(const char *name, const struct packed_layout **layout)
{
	size_t n = strlen(name);

	for (size_t k = 0; layouts[k]; k++)
		for (const struct packed_part *p = layouts[k]->part; p->suffix; p++)
			if ((p->use & PACKED_OWN) && ends_with(name, n, p->suffix)) {
				*layout = layouts[k];
				return p;
			}
	return NULL;
}

static int tell_alone(struct join *j, const struct heft_tensor *t)
{
	const struct packed_layout *l;
	const struct packed_part *p = own_part(t->name, &l);
	struct heft_err e = { 0 };

	if (!p)
		return 0;
	try_layouts(j, (size_t)(t - j->model->tensor), &e);
	if (!e.code)
		heft_fail(&e, HEFT_E_TENSOR_MISSING, "'%s' is part of a quantized weight, but '%.*s%s' is missing", t->name,
		  (int)(strlen(t->name) - strlen(p->suffix)), t->name, l->part[p == l->part].suffix);
	return tell(j, t, &e);
}

static bool is_codes(const struct heft_tensor *t)
{
	return t->rank >= 2 && (packed_is(t, "f8_e4m3 f8_e5m2") || (packed_is(t, "i8 u8 i32 u32") && ends_with(t->name, strlen(t->name), ".weight")));
}

/* Where others have scales, a weight of 8-bit floats or integers without one is broken: its scale is lost. */
static int tell_unscaled(struct join *j, const struct heft_tensor *t)
{
	struct heft_err e;

	if (!is_codes(t) || !j->joined_any)
		return 0;
	if (packed_is(t, "u32"))
		heft_fail(&e, HEFT_E_TENSOR_MISSING, "'%s' is u32, MLX's codes, and '%.*sscales' is missing, which other weights have", t->name,
			  (int)(strlen(t->name) - strlen("weight")), t->name);
	else
		heft_fail(&e, HEFT_E_TENSOR_MISSING, "'%s' is %s, and no scale of it is there ('%s_scale', '%s_scale_inv', '%.*ss'), as other weights have",
			  t->name, t->enc->name, t->name, t->name, (int)strlen(t->name) - 6, t->name);
	return tell(j, t, &e);
}

static bool is_unused(const char *name)
{
	for (size_t i = 0; unused[i]; i++)
		if (ends_with(name, strlen(name), unused[i]))
			return true;
	return false;
}

static int judge_rest(struct join *j)
{
	struct heft_model *m = j->model;
	size_t n = 0;

	for (size_t i = 0; i < m->n_tensors; i++) {
		const struct heft_tensor *t = &m->tensor[i];

		if (!j->gone[i] && !t->packed) {
			if (tell_alone(j, t) || tell_unscaled(j, t))
				return -1;
			j->gone[i] = (j->joined_any || j->config.root) && is_unused(t->name);
		}
	}
	for (size_t i = 0; i < m->n_tensors; i++)
		if (!j->gone[i])
			m->tensor[n++] = m->tensor[i];
	m->n_tensors = n;
	return 0;
}

/* ---- all ---- */

struct tails { /* the ends of names that tell of a quantized module */
	struct arena *arena;
	struct heft_str *v;
	size_t n, cap;
};

static void add_tail(struct tails *t, const char *suffix)
{
	t->v = arena_grow(t->arena, t->v, &t->cap, t->n + 1, sizeof *t->v);
	t->v[t->n++] = (struct heft_str){ suffix, strlen(suffix) };
}

static void list_tails(struct tails *t)
{
	for (size_t k = 0; layouts[k]; k++)
		for (const struct packed_part *p = layouts[k]->part; p->suffix; p++)
			if (p == layouts[k]->part || (p->use & PACKED_OWN))
				add_tail(t, p->suffix);
	for (size_t k = 0; unused[k]; k++)
		add_tail(t, unused[k]);
}

static bool is_telling(const struct tails *t, const char *name, size_t n)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct heft_str *s = &t->v[i];

		if (n > s->n && s->p[s->n - 1] == name[n - 1] && !memcmp(name + n - s->n, s->p, s->n))
			return true;
	}
	return false;
}

/* Most checkpoints have nothing to join: no part of any layout tells of one. */
static bool any_telling(const struct heft_model *m)
{
	struct tails tails = { .arena = m->arena };

	list_tails(&tails);
	for (size_t i = 0; i < m->n_tensors; i++)
		if (is_telling(&tails, m->tensor[i].name, strlen(m->tensor[i].name)))
			return true;
	return false;
}

int packed_join(struct heft_model *m, struct sink *sink, struct heft_err *err)
{
	struct join j = { .model = m, .sink = sink, .err = err };
	struct json_doc *doc;
	int rc;

	if (!strcmp(m->format, "gguf") || !any_telling(m))
		return 0;
	doc = packed_config_find(&j.config, m);
	j.gone = arena_array(m->arena, m->n_tensors, sizeof *j.gone);
	map_init(&j.by_name);
	map_init(&j.kinds);
	for (size_t i = 0; i < m->n_tensors; i++) {
		bool found;

		map_put(&j.by_name, m->tensor[i].name, strlen(m->tensor[i].name), &found)->value.i = (int64_t)i;
	}
	rc = join_modules(&j) || judge_rest(&j) ? -1 : 0;
	map_release(&j.by_name);
	map_release(&j.kinds);
	json_free(doc);
	return rc;
}
