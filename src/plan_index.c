/*
 * plan_index.c - model.safetensors.index.json: which part has which tensor.
 *
 *   { "metadata": { "total_size": bytes of all tensors }, "weight_map": { name: file } }
 *
 * As transformers writes it, beside a set of parts; or as mlx-lm does (save_model), beside a single part, too: loaders that share a model among
 * machines look names up there. Names are sorted then, and the metadata has total_parameters: the elements of all tensors, codes counted as the
 * numbers that they stand for. Like mlx-lm it counts what lies in modules without modules in them, and so not the parameters of a whole layer.
 */
#include "plan.h"

#include "../base/json.h"
#include "../base/map.h"
#include "target/target.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct entry {
	const char *tensor, *part;
};

static bool indexed(const struct plan_output *o)
{
	return o->target && o->target->indexed;
}

static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->tensor, ((const struct entry *)b)->tensor);
}

static size_t list_entries(const struct plan_output *o, struct entry **out, struct arena *a)
{
	size_t n = 0, k = 0;

	for (size_t i = 0; i < o->n_parts; i++)
		n += o->part[i].layout.n_tensors;
	*out = arena_array(a, n, sizeof **out);
	for (size_t i = 0; i < o->n_parts; i++)
		for (size_t t = 0; t < o->part[i].layout.n_tensors; t++)
			(*out)[k++] = (struct entry){ o->part[i].layout.tensor[t].name, name_of(o->part[i].path) };
	return n;
}

/* ---- total_parameters ---- */

/* Of a name's first n characters, how many are before the last dot: the parameter's module, then what this lies in. */
static size_t outside(const char *name, size_t n)
{
	while (n && name[--n] != '.')
		;
	return n;
}

/* All modules that have modules in them. */
static void mark_outer(struct map *outer, const struct plan_output *o)
{
	for (size_t i = 0; i < o->pub.n_items; i++) {
		const char *name = o->item[i].name;
		bool found;

		for (size_t n = outside(name, outside(name, strlen(name))); n; n = outside(name, n))
			map_put(outer, name, n, &found);
	}
}

static uint64_t elements(const struct heft_item *it)
{
	uint64_t n = 1;

	for (int i = 0; i < it->rank; i++)
		n *= it->dim[i];
	return n;
}

static uint64_t count_parameters(const struct plan_output *o)
{
	struct map outer;
	uint64_t total = 0;

	map_init(&outer);
	mark_outer(&outer, o);
	for (size_t i = 0; i < o->pub.n_items; i++) {
		const char *name = o->item[i].name;

		if (!map_find(&outer, name, outside(name, strlen(name))))
			total += elements(&o->item[i]);
	}
	map_release(&outer);
	return total;
}

/* ---- the file ---- */

static void put_metadata(struct jbuf *b, const struct plan_output *o, const char *indent)
{
	uint64_t total = 0;

	for (size_t i = 0; i < o->pub.n_items; i++)
		total += o->item[i].size;
	jbuf_printf(b, "{\n%s\"metadata\": {\n%s%s\"total_size\": %" PRIu64, indent, indent, indent, total);
	if (indexed(o))
		jbuf_printf(b, ",\n%s%s\"total_parameters\": %" PRIu64, indent, indent, count_parameters(o));
	jbuf_printf(b, "\n%s},\n%s\"weight_map\": {", indent, indent);
}

void plan_index(struct plan_output *o, struct arena *a)
{
	struct jbuf b = { 0 };
	struct entry *entry;
	size_t n = list_entries(o, &entry, a), length = strlen(o->pub.path);
	const char *ext = o->format->extension, *indent = indexed(o) ? "    " : "  ";

	if (indexed(o))
		qsort(entry, n, sizeof *entry, by_name);
	put_metadata(&b, o, indent);
	for (size_t i = 0; i < n; i++) {
		jbuf_printf(&b, "%s\n%s%s", i ? "," : "", indent, indent);
		jbuf_string(&b, entry[i].tensor, strlen(entry[i].tensor));
		jbuf_raw(&b, ": ", 2);
		jbuf_string(&b, entry[i].part, strlen(entry[i].part));
	}
	jbuf_printf(&b, "\n%s}\n}%s", indent, indexed(o) ? "" : "\n");
	if (length > strlen(ext) && !strcmp(o->pub.path + length - strlen(ext), ext))
		length -= strlen(ext);
	plan_add_side(o, arena_printf(a, "%.*s%s.index.json", (int)length, o->pub.path, ext), (struct heft_str){ arena_memdup(a, b.p, b.n), b.n }, a);
	jbuf_release(&b);
}
