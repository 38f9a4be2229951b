/*
 * plan_edit.c - what a job changes about the model itself before types are decided: metadata that is overridden, layers that are left
 * out, the order of tensors.
 *
 *   --override-kv KEY=TYPE:VALUE     TYPE int (written as u32, without its sign), float (f32), bool, str
 *
 * The layer of a tensor is N of the first "blk.N." in its name. What the model tells about itself (block_count, arrays with a value per
 * layer) follows. Refuses a layer that is not there.
 */
#include "plan.h"

#include "../base/utf8.h"
#include "../quant/quant.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- metadata ---- */

static bool take_int(const char *s, struct heft_value *v, struct arena *a)
{
	char *end;
	long long i = strtoll(s, &end, 10);
	unsigned long long u = i < 0 ? 0ull - (unsigned long long)i : (unsigned long long)i;

	*v = value_u32((uint32_t)u);
	return *s && !*end && u <= UINT32_MAX;
}

static bool take_float(const char *s, struct heft_value *v, struct arena *a)
{
	char *end;
	double f = strtod(s, &end);

	*v = (struct heft_value){ .type = HEFT_F32, .count = 1, .f = (float)f };
	return *s && !*end && isfinite((float)f);
}

static bool take_bool(const char *s, struct heft_value *v, struct arena *a)
{
	*v = value_bool(!strcmp(s, "true"));
	return v->b || !strcmp(s, "false");
}

static bool take_str(const char *s, struct heft_value *v, struct arena *a)
{
	*v = value_string(arena_strdup(a, s));
	return true;
}

static const struct {
	const char *word, *takes;
	bool (*take)(const char *s, struct heft_value *v, struct arena *a);
} value_types[] = {
	{ "int:", "a whole number of 32 bits", take_int },
	{ "float:", "a number", take_float },
	{ "bool:", "true or false", take_bool },
	{ "str:", "a text", take_str },
};

static int take_override(struct kv_list *l, const char *text, struct heft_err *err)
{
	const char *equals = strchr(text, '=');
	struct heft_value v;

	if (!utf8_valid(text, strlen(text)))
		return heft_fail(err, HEFT_E_UTF8, "--override-kv '%s': not UTF-8", text);
	for (size_t i = 0; equals && equals > text && i < sizeof value_types / sizeof *value_types; i++) {
		size_t n = strlen(value_types[i].word);

		if (strncmp(equals + 1, value_types[i].word, n))
			continue;
		if (!value_types[i].take(equals + 1 + n, &v, l->arena))
			return heft_fail(err, HEFT_E_OPTION, "--override-kv '%s': %s takes %s", text, value_types[i].word, value_types[i].takes);
		if (!strncmp(text, "split.", 6))
			return heft_fail(err, HEFT_E_OPTION, "--override-kv '%s': split.* says how the file was split", text);
		kv_set_last(l, arena_memdup(l->arena, text, (size_t)(equals - text)), v);
		return 0;
	}
	return heft_fail(err, HEFT_E_OPTION, "--override-kv '%s' is not KEY=TYPE:VALUE, TYPE one of int, float, bool and str", text);
}

static int read_overrides(struct heft_plan *p, const struct heft_job *job, struct heft_err *err)
{
	p->override.arena = p->arena;
	for (size_t i = 0; i < job->n_override_kv; i++)
		if (take_override(&p->override, job->override_kv[i], err))
			return -1;
	return 0;
}

/* ---- order ---- */

static int layer_at_start(const char *name)
{
	return strncmp(name, "blk.", 4) || name[4] < '0' || name[4] > '9' ? -1 : atoi(name + 4);
}

/* llama-quantize's: layer by layer, and by name; what has no layer comes first. */
static int by_layer(const void *a, const void *b)
{
	const struct weight *x = a, *y = b;
	int l = layer_at_start(x->name), m = layer_at_start(y->name);

	return l != m ? (l < m ? -1 : 1) : strcmp(x->name, y->name);
}

static const struct heft_extent *first_byte(const struct weight *w)
{
	static const struct heft_extent none;

	return w->n_sources ? &w->source[0]->plane[0] : &none;
}

static int by_file(const void *a, const void *b)
{
	const struct heft_extent *x = first_byte(a), *y = first_byte(b);

	if (x->file != y->file)
		return x->file < y->file ? -1 : 1;
	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	return strcmp(((const struct weight *)a)->name, ((const struct weight *)b)->name);
}

/* ---- layers ---- */

struct layer { /* the digits of "blk.N." in a name */
	const char *digits;
	size_t n;
	uint32_t number;
};

static bool find_layer(const char *name, struct layer *l)
{
	for (const char *p = name; (p = strstr(p, "blk.")); p++) {
		l->digits = p + 4;
		l->n = strspn(l->digits, "0123456789");
		if (!l->n || l->n > 8 || l->digits[l->n] != '.')
			continue;
		l->number = (uint32_t)strtoul(l->digits, NULL, 10);
		return true;
	}
	return false;
}

static bool is_pruned(const struct heft_job *job, uint32_t layer)
{
	for (size_t i = 0; i < job->n_prune_layers; i++)
		if (job->prune_layer[i] == layer)
			return true;
	return false;
}

/* How many of the layers up to this one are left out. */
static uint32_t pruned_below(const struct heft_job *job, uint32_t layer)
{
	uint32_t n = 0;

	for (size_t i = 0; i < job->n_prune_layers; i++) {
		bool again = false;

		for (size_t k = 0; k < i; k++)
			again |= job->prune_layer[k] == job->prune_layer[i];
		n += !again && job->prune_layer[i] < layer;
	}
	return n;
}

static void drop(struct heft_plan *p, const struct weight *w, struct heft_drop *list)
{
	for (size_t i = 0; i < w->n_sources; i++)
		list[p->family.n_drops++] = (struct heft_drop){ w->source[i]->name, "its layer is left out" };
}

/* Room for all sources behind the drops that there are. */
static struct heft_drop *room_for_drops(struct heft_plan *p)
{
	size_t n = p->family.n_drops;
	struct heft_drop *list;

	for (size_t i = 0; i < p->family.n_weights; i++)
		n += p->family.weight[i].n_sources;
	list = arena_array(p->arena, n, sizeof *list);
	if (p->family.n_drops)
		memcpy(list, p->family.drop, p->family.n_drops * sizeof *list);
	p->family.drop = list;
	return list;
}

static int check_layers(const struct heft_plan *p, const struct heft_job *job, struct heft_err *err)
{
	struct layer l;

	for (size_t k = 0; k < job->n_prune_layers; k++) {
		bool found = false;

		for (size_t i = 0; i < p->family.n_weights && !found; i++)
			found = find_layer(p->family.weight[i].name, &l) && l.number == job->prune_layer[k];
		if (!found)
			return heft_fail(err, HEFT_E_PATTERN, "--prune-layers: the model has no layer %u", job->prune_layer[k]);
	}
	return 0;
}

static int prune(struct heft_plan *p, const struct heft_job *job, struct heft_err *err)
{
	struct heft_drop *drops;
	size_t kept = 0;

	if (!job->n_prune_layers || check_layers(p, job, err))
		return job->n_prune_layers ? -1 : 0;
	drops = room_for_drops(p);
	for (size_t i = 0; i < p->family.n_weights; i++) {
		struct weight w = p->family.weight[i];
		const char *old = w.name;
		struct layer l;
		bool layered = find_layer(w.name, &l);

		if (layered && is_pruned(job, l.number)) {
			drop(p, &w, drops);
			continue;
		}
		if (layered) {
			uint32_t number = l.number - pruned_below(job, l.number);

			w.name = arena_printf(p->arena, "%.*s%u%s", (int)(l.digits - w.name), w.name, number, l.digits + l.n);
			if (number >= p->layers_left)
				p->layers_left = number + 1;
		}
		p->old_name[kept] = old;
		p->family.weight[kept++] = w;
	}
	p->family.n_weights = kept;
	if (!p->layers_left)
		return heft_fail(err, HEFT_E_PATTERN, "--prune-layers: no layer would be left");
	return 0;
}

/* ---- metadata of what is left ---- */

static size_t element_size(enum heft_vtype t)
{
	switch (t) {
	case HEFT_U8: case HEFT_I8: case HEFT_BOOL: return 1;
	case HEFT_U16: case HEFT_I16: return 2;
	case HEFT_U32: case HEFT_I32: case HEFT_F32: return 4;
	case HEFT_STRING: return sizeof(struct heft_str);
	default: return 8;
	}
}

static struct heft_value values_left(const struct heft_value *v, const struct heft_job *job, struct arena *a)
{
	size_t size = element_size(v->type);
	char *data = arena_array(a, v->count, size);
	struct heft_value left = *v;

	left.data = data;
	left.count = 0;
	for (uint64_t i = 0; i < v->count; i++)
		if (!is_pruned(job, (uint32_t)i))
			memcpy(data + left.count++ * size, (const char *)v->data + i * size, size);
	return left;
}

void plan_edit_metadata(const struct heft_plan *p, struct kv_list *kv, const struct heft_job *job)
{
	const char *arch = kv_string(kv->v, kv->n, "general.architecture");
	char *key = arch ? arena_printf(p->arena, "%s.block_count", arch) : NULL;
	uint64_t layers = key ? kv_uint(kv->v, kv->n, key, 0) : 0;

	if (!p->layers_left || !key)
		return;
	for (size_t i = 0; i < kv->n; i++) {
		struct heft_kv *x = &kv->v[i];

		if (x->value.array && x->value.count == layers && !strncmp(x->key, arch, strlen(arch)) && x->key[strlen(arch)] == '.')
			x->value = values_left(&x->value, job, p->arena);
	}
	kv_set_last(kv, key, value_u32(p->layers_left));
}

/* ---- all of it ---- */

int plan_edit(struct heft_plan *p, const struct heft_job *job, struct heft_err *err)
{
	struct family *f = &p->family;

	if (read_overrides(p, job, err))
		return -1;
	if (job->keep_split || job->quantizer_order)
		qsort(f->weight, f->n_weights, sizeof *f->weight, job->keep_split ? by_file : by_layer);
	p->old_name = arena_array(p->arena, f->n_weights, sizeof *p->old_name);
	for (size_t i = 0; i < f->n_weights; i++)
		p->old_name[i] = f->weight[i].name;
	return prune(p, job, err);
}
