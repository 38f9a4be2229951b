/*
 * packed_config.c - what a checkpoint says about how it was quantized: finds the text, and the rule for a module in it.
 */
#include "packed.h"

#include "model.h"
#include "regex.h"

#include <ctype.h>
#include <string.h>

enum { CONFIG_LIMIT = 64 * 1024 * 1024 };

/* Where quantizers leave what they did, and the key of it: NULL is the whole text. */
static const struct {
	const char *file, *key;
} places[] = {
	{ "config.json", "quantization_config" },
	{ "config.json", "compression_config" },
	{ "config.json", "quantization" },
	{ "hf_quant_config.json", "quantization" },
	{ "quantize_config.json", NULL },
	{ "quant_config.json", NULL },
	{ "params.json", "quantization" },
	{ NULL, NULL },
};

static const struct json *config_at(const struct json *root, const char *key)
{
	const struct json *c = key ? json_get(root, key) : root;

	if (!c && key)
		c = json_get(json_get(root, "text_config"), key);
	return json_kind(c) == JSON_OBJECT ? c : NULL;
}

/* The method that the text names itself, or its file stands for. */
static const char *method_of(const struct json *c, const char *file)
{
	const char *method = json_cstr(json_get(c, "quant_method"));

	if (method)
		return method;
	if (!strcmp(file, "hf_quant_config.json"))
		return "modelopt";
	return !strcmp(file, "quantize_config.json") ? "gptq" : !strcmp(file, "quant_config.json") ? "awq" : "";
}

struct json_doc *packed_config_find(struct packed_config *out, const struct heft_model *m)
{
	*out = (struct packed_config){ .method = "" };
	for (int i = 0; m->dir && places[i].file; i++) {
		const char *path = path_join(m->arena, m->dir, places[i].file);
		struct heft_err ignored;
		struct json_doc *doc = json_read_file(path, CONFIG_LIMIT, &ignored);
		const struct json *c = doc ? config_at(json_root(doc), places[i].key) : NULL;

		if (c) {
			*out = (struct packed_config){ .root = c, .method = method_of(c, places[i].file), .file = path };
			return doc;
		}
		json_free(doc);
	}
	return NULL;
}

/* ---- groups ---- */

static bool matches_regex(const char *pattern, const char *module)
{
	struct jbuf whole = { 0 };
	struct regex r;
	bool yes;

	jbuf_printf(&whole, "^(?:%s)", pattern);
	yes = !regex_compile(&r, whole.p, whole.n) && regex_search(&r, module);
	jbuf_release(&whole);
	return yes;
}

static bool is_class(const char *target)
{
	return isupper((unsigned char)*target) && !strchr(target, '.');
}

static bool is_target(const char *target, const char *module, bool classes)
{
	if (!strncmp(target, "re:", 3))
		return !classes && matches_regex(target + 3, module);
	return classes ? is_class(target) : !strcmp(target, module);
}

static const struct json *find_group(const struct json *groups, const char *module, bool classes)
{
	for (const struct json *g = json_first(groups); g; g = json_next(g))
		for (const struct json *t = json_first(json_get(g, "targets")); t; t = json_next(t)) {
			const char *target = json_cstr(t);

			if (target && is_target(target, module, classes))
				return g;
		}
	return NULL;
}

/* A module's own name goes before that of its class. */
const struct json *packed_config_group(const struct packed_config *c, const char *module)
{
	const struct json *groups = json_get(c->root, "config_groups"), *g = find_group(groups, module, false);

	return g ? g : find_group(groups, module, true);
}
