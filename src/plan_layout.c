/*
 * plan_layout.c - cuts one output into parts and lays each of them out.
 *
 * Parts are filled in order, as the reference's writer does: a tensor begins a new part where the part has as many tensors as allowed, or would
 * pass the size (tensor bytes only; a single larger tensor makes a larger part). With keep_split each has its source's part, even if that
 * leaves parts without tensors. A first part without tensors is the reference's --no-tensor-first-split.
 */
#include "plan.h"

#include "../quant/quant.h"
#include "target/target.h"

#include <inttypes.h>
#include <string.h>

enum { MAX_PARTS = 65535 };

static bool begins_part(const struct plan_limits *l, uint64_t tensors, uint64_t bytes, uint64_t size)
{
	if (!tensors)
		return false;
	return (l->split_tensors && tensors >= l->split_tensors) || (l->split_size && bytes + size > l->split_size);
}

static size_t cut(struct plan_output *o, size_t n_items, const struct plan_limits *l)
{
	uint64_t tensors = 0, bytes = 0;
	size_t part = l->empty_first;

	for (size_t i = 0; l->part && i < n_items; i++)
		part = o->item[i].part = l->part[i];
	for (size_t i = 0; !l->part && i < n_items; i++) {
		if (begins_part(l, tensors, bytes, o->item[i].size)) {
			part++;
			tensors = bytes = 0;
		}
		o->item[i].part = part;
		tensors++;
		bytes += o->item[i].size;
	}
	return part + 1;
}

static const char *part_path(const struct plan_output *o, const struct plan_limits *l, size_t part, struct arena *a)
{
	const char *path = o->pub.path, *ext = o->format->extension;
	size_t n = strlen(path), e = strlen(ext);

	if (o->n_parts == 1 && !l->part)
		return path;
	if (n > e && !strcmp(path + n - e, ext))
		n -= e;
	return arena_printf(a, "%.*s-%05zu-of-%05zu%s", (int)n, path, part + 1, o->n_parts, ext);
}

/* Every part of a GGUF set says which it is; all other metadata stands in the first. */
static void gguf_part_metadata(const struct plan_output *o, size_t part, size_t n_items, bool splitter_order, struct kv_list *kv)
{
	if (part == 0)
		kv_set_all(kv, o->kv.v, o->kv.n);
	kv_remove_prefix(kv, "split.");
	if (o->n_parts == 1)
		return;
	kv_set(kv, "split.no", value_u16((uint16_t)part));
	kv_set(kv, "split.count", value_u16((uint16_t)o->n_parts));
	kv_set(kv, "split.tensors.count", value_i32((int32_t)n_items));
	if (splitter_order)
		kv_set_last(kv, "split.count", value_u16((uint16_t)o->n_parts));
}

/* Those of an item with codes and scales one after another. */
static size_t tensors_of(const struct heft_item *it, struct format_tensor *t)
{
	size_t n = it->n_stored ? it->n_stored : 1;

	for (size_t k = 0; t && k < n; k++) {
		const struct heft_stored *s = it->n_stored ? &it->stored[k] : NULL;

		t[k] = (struct format_tensor){ .name = s ? s->name : it->name, .enc = s ? s->enc : it->to, .rank = s ? s->rank : it->rank,
					       .size = s ? s->size : it->size };
		memcpy(t[k].dim, s ? s->dim : it->dim, sizeof t[k].dim);
	}
	return n;
}

static void add_tensors(const struct plan_output *o, struct plan_part *p, struct arena *a)
{
	struct format_layout *l = &p->layout;
	size_t n = 0;

	for (size_t i = p->first_item; i < p->first_item + p->n_items; i++)
		n += tensors_of(&o->item[i], NULL);
	l->tensor = arena_array(a, n, sizeof *l->tensor);
	for (size_t i = p->first_item; i < p->first_item + p->n_items; i++)
		l->n_tensors += tensors_of(&o->item[i], l->tensor + l->n_tensors);
}

/* Wider elements first, so that each stands at a multiple of its size whatever the others' sizes are; else in their order. */
static int lay_out(const struct plan_output *o, struct plan_part *p, struct arena *a, struct heft_err *err)
{
	struct format_layout *l = &p->layout, sorted = *l;
	size_t *place = arena_array(a, l->n_tensors, sizeof *place), n = 0;

	if (!o->scheme)
		return o->format->layout(l, a, err);
	sorted.tensor = arena_array(a, l->n_tensors, sizeof *l->tensor);
	for (uint32_t width = 8; width; width /= 2)
		for (size_t i = 0; i < l->n_tensors; i++)
			if (l->tensor[i].enc->plane[0].bytes == width)
				sorted.tensor[place[i] = n++] = l->tensor[i];
	sorted.n_tensors = n;
	if (o->format->layout(&sorted, a, err))
		return -1;
	for (size_t i = 0; i < l->n_tensors; i++)
		l->tensor[i] = sorted.tensor[place[i]];
	l->header = sorted.header;
	l->header_size = sorted.header_size;
	l->file_size = sorted.file_size;
	return 0;
}

static void take_offsets(struct plan_output *o, const struct plan_part *p)
{
	const struct format_tensor *t = p->layout.tensor;

	for (size_t i = p->first_item; i < p->first_item + p->n_items; i++) {
		struct heft_item *it = &o->item[i];

		it->offset = t->offset;
		for (size_t k = 0; k < it->n_stored; k++)
			it->stored[k].offset = t[k].offset;
		t += it->n_stored ? it->n_stored : 1;
	}
}

static void fill_layout(struct plan_output *o, size_t part, size_t n_items, bool splitter_order, struct arena *a)
{
	struct format_layout *l = &o->part[part].layout;
	struct kv_list kv = { .arena = a };
	struct plan_part *p = &o->part[part];

	p->first_item = part ? o->part[part - 1].first_item + o->part[part - 1].n_items : 0;
	while (p->first_item + p->n_items < n_items && o->item[p->first_item + p->n_items].part == part)
		p->n_items++;
	add_tensors(o, p, a);
	if (!strcmp(o->format->name, "gguf"))
		gguf_part_metadata(o, part, n_items, splitter_order, &kv);
	else
		kv_set_all(&kv, o->kv.v, o->kv.n);
	l->big_endian = o->big_endian;
	l->kv = kv.v;
	l->n_kv = kv.n;
}

int plan_layout(struct plan_output *o, const struct plan_limits *limits, struct arena *a, struct heft_err *err)
{
	size_t n = o->pub.n_items;

	if (limits->empty_first && strcmp(o->format->name, "gguf"))
		return heft_fail(err, HEFT_E_OPTION, "--no-tensor-first-split is for GGUF");
	o->n_parts = cut(o, n, limits);
	if (limits->splitter_order && o->n_parts == 1 && (limits->split_size || limits->split_tensors))
		return heft_fail(err, HEFT_E_OPTION, "all %zu tensors are one part; ask for smaller ones with --split-size or --split-tensors", n);
	if (o->n_parts > MAX_PARTS)
		return heft_fail(err, HEFT_E_OPTION, "%zu parts are more than a set may have", o->n_parts);
	o->part = arena_array(a, o->n_parts, sizeof *o->part);
	for (size_t i = 0; i < o->n_parts; i++) {
		o->part[i].path = part_path(o, limits, i, a);
		fill_layout(o, i, n, limits->splitter_order, a);
		if (lay_out(o, &o->part[i], a, err))
			return -1;
		take_offsets(o, &o->part[i]);
	}
	if ((o->n_parts > 1 && strcmp(o->format->name, "gguf")) || (o->target && o->target->indexed && !o->to_stdout))
		plan_index(o, a);
	if (o->n_parts > 1 || limits->part)
		o->pub.path = o->part[0].path;
	return 0;
}
