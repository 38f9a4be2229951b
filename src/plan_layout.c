/*
 * plan_layout.c - cuts one output into parts and lays each of them out.
 *
 * Parts are filled in order, as the reference's writer does: a tensor begins a new part where the part has as many tensors as allowed, or would
 * pass the size (tensor bytes only; a single larger tensor makes a larger part). With keep_split each has its source's part, even if that
 * leaves parts without tensors. A first part without tensors is the reference's --no-tensor-first-split.
 */
#include "plan.h"

#include "../base/json.h"
#include "../quant/quant.h"

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
static void gguf_part_metadata(const struct plan_output *o, size_t part, size_t n_items, struct kv_list *kv)
{
	if (part == 0)
		kv_set_all(kv, o->kv.v, o->kv.n);
	kv_remove_prefix(kv, "split.");
	if (o->n_parts == 1)
		return;
	kv_set(kv, "split.no", value_u16((uint16_t)part));
	kv_set(kv, "split.count", value_u16((uint16_t)o->n_parts));
	kv_set(kv, "split.tensors.count", value_i32((int32_t)n_items));
}

static void fill_layout(struct plan_output *o, size_t part, size_t n_items, struct arena *a)
{
	struct format_layout *l = &o->part[part].layout;
	struct kv_list kv = { .arena = a };
	size_t first = part ? o->part[part - 1].first_item + o->part[part - 1].layout.n_tensors : 0;

	o->part[part].first_item = first;
	while (first + l->n_tensors < n_items && o->item[first + l->n_tensors].part == part)
		l->n_tensors++;
	l->tensor = arena_array(a, l->n_tensors, sizeof *l->tensor);
	for (size_t i = 0; i < l->n_tensors; i++) {
		const struct heft_item *it = &o->item[first + i];

		l->tensor[i] = (struct format_tensor){ .name = it->name, .enc = it->to, .rank = it->rank, .size = it->size };
		memcpy(l->tensor[i].dim, it->dim, sizeof it->dim);
	}
	if (!strcmp(o->format->name, "gguf"))
		gguf_part_metadata(o, part, n_items, &kv);
	else
		kv_set_all(&kv, o->kv.v, o->kv.n);
	l->big_endian = o->big_endian;
	l->kv = kv.v;
	l->n_kv = kv.n;
}

static void index_of_parts(struct plan_output *o, size_t n_items, struct arena *a)
{
	struct jbuf b = { 0 };
	uint64_t total = 0;
	const char *ext = o->format->extension;
	size_t n = strlen(o->pub.path);

	for (size_t i = 0; i < n_items; i++)
		total += o->item[i].size;
	jbuf_printf(&b, "{\n  \"metadata\": {\n    \"total_size\": %" PRIu64 "\n  },\n  \"weight_map\": {", total);
	for (size_t i = 0; i < n_items; i++) {
		const char *part = o->part[o->item[i].part].path, *name = strrchr(part, '/');

		name = name ? name + 1 : part;
		jbuf_printf(&b, "%s\n    ", i ? "," : "");
		jbuf_string(&b, o->item[i].name, strlen(o->item[i].name));
		jbuf_raw(&b, ": ", 2);
		jbuf_string(&b, name, strlen(name));
	}
	jbuf_printf(&b, "\n  }\n}\n");
	if (n > strlen(ext) && !strcmp(o->pub.path + n - strlen(ext), ext))
		n -= strlen(ext);
	plan_add_side(o, arena_printf(a, "%.*s%s.index.json", (int)n, o->pub.path, ext),
		      (struct heft_str){ arena_memdup(a, b.p, b.n), b.n }, a);
	jbuf_release(&b);
}

int plan_layout(struct plan_output *o, const struct plan_limits *limits, struct arena *a, struct heft_err *err)
{
	size_t n = o->pub.n_items;

	if (limits->empty_first && strcmp(o->format->name, "gguf"))
		return heft_fail(err, HEFT_E_OPTION, "--no-tensor-first-split is for GGUF");
	o->n_parts = cut(o, n, limits);
	if (o->n_parts > MAX_PARTS)
		return heft_fail(err, HEFT_E_OPTION, "%zu parts are more than a set may have", o->n_parts);
	o->part = arena_array(a, o->n_parts, sizeof *o->part);
	for (size_t i = 0; i < o->n_parts; i++) {
		o->part[i].path = part_path(o, limits, i, a);
		fill_layout(o, i, n, a);
		if (o->format->layout(&o->part[i].layout, a, err))
			return -1;
		for (size_t k = 0; k < o->part[i].layout.n_tensors; k++)
			o->item[o->part[i].first_item + k].offset = o->part[i].layout.tensor[k].offset;
	}
	if (o->n_parts > 1 || limits->part) {
		if (o->n_parts > 1 && strcmp(o->format->name, "gguf"))
			index_of_parts(o, n, a);
		o->pub.path = o->part[0].path;
	}
	return 0;
}
