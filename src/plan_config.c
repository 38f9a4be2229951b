/*
 * plan_config.c - config.json of a directory of weights: the source's own text, with what is new about quantization and types.
 *
 *   "torch_dtype": "bfloat16"                 the type that was asked for, where one was
 *   "text_config": { "dtype" ...,             the same one level down
 *                    "quantization_config" }  a copy of ours where the source had one there; dropped where ours is none
 *   "quantization_config"                     ours, as the last member
 *
 * All else stays byte for byte. Refuses what is no JSON object.
 */
#include "plan.h"

#include <string.h>

#include "../base/json.h"
#include "../base/json_scan.h"
#include "../base/mount.h"
#include "model.h"

enum { CONFIG_LIMIT = 64 << 20 };

/* ---- the text ---- */

struct editing {
	struct json_scan scan;
	struct jbuf *out;
	const struct config_edit *edit;
};

static bool is_key(const struct heft_str *key, const char *name)
{
	return key->n == strlen(name) && !memcmp(key->p, name, key->n);
}

static bool says_quantization(const struct heft_str *key)
{
	return is_key(key, "quantization_config") || is_key(key, "compression_config") || is_key(key, "quantization");
}

/* The member's name, behind a comma where one stands before it already. */
static void put_key(struct editing *e, const char *from, bool first)
{
	if (from[strspn(from, " \t\r\n")] == ',')
		from += strspn(from, " \t\r\n") + 1;
	jbuf_raw(e->out, ",", first ? 0 : 1);
	jbuf_raw(e->out, from, (size_t)(e->scan.at - from));
}

/* Its value, which begins with white space at `from`: as it is, or the type that was asked for. */
static int put_value(struct editing *e, const char *from, bool is_dtype)
{
	bool ours = is_dtype && e->edit->dtype && jscan_peek(&e->scan) == '"';

	if (jscan_skip(&e->scan))
		return -1;
	if (ours)
		jbuf_printf(e->out, " \"%s\"", e->edit->dtype);
	else
		jbuf_raw(e->out, from, (size_t)(e->scan.at - from));
	return 0;
}

static bool is_dtype(const struct heft_str *key)
{
	return is_key(key, "torch_dtype") || is_key(key, "dtype");
}

static int put_nested(struct editing *e, const char *from)
{
	const struct jbuf *ours = e->edit->too ? NULL : e->edit->quantization;
	bool first = true;
	struct heft_str key;
	int more = jscan_begin(&e->scan, '{') ? -1 : 1;

	jbuf_raw(e->out, from, (size_t)(e->scan.at - from));
	while (more > 0 && (from = e->scan.at, more = jscan_member(&e->scan, &key)) > 0) {
		bool quantization = says_quantization(&key), dtype = is_dtype(&key);

		if (!quantization || ours) {
			put_key(e, from, first);
			first = false;
		}
		if (!quantization)
			more = put_value(e, e->scan.at, dtype) ? -1 : 1;
		else if (jscan_skip(&e->scan))
			more = -1;
		else if (ours)
			jbuf_raw(e->out, ours->p, ours->n);
	}
	if (!more)
		jbuf_raw(e->out, from, (size_t)(e->scan.at - from));
	return more;
}

static int put_members(struct editing *e)
{
	struct heft_str key;
	const char *from;
	bool first = true;
	int more = jscan_begin(&e->scan, '{') ? -1 : 1;

	jbuf_raw(e->out, "{", 1);
	while (more > 0 && (from = e->scan.at, more = jscan_member(&e->scan, &key)) > 0) {
		bool dtype = is_dtype(&key);

		if (says_quantization(&key)) {
			more = jscan_skip(&e->scan) ? -1 : 1;
			continue;
		}
		put_key(e, from, first);
		first = false;
		from = e->scan.at;
		more = (jscan_peek(&e->scan) == '{' ? put_nested(e, from) : put_value(e, from, dtype)) ? -1 : 1;
	}
	if (more)
		return -1;
	if (e->edit->quantization) {
		jbuf_printf(e->out, "%s\n  \"quantization_config\": ", first ? "" : ",");
		jbuf_raw(e->out, e->edit->quantization->p, e->edit->quantization->n);
	}
	if (e->edit->quantization && e->edit->too) {
		jbuf_printf(e->out, ",\n  \"%s\": ", e->edit->too);
		jbuf_raw(e->out, e->edit->quantization->p, e->edit->quantization->n);
	}
	jbuf_printf(e->out, "\n}\n");
	return 0;
}

int config_edit(struct jbuf *out, const char *text, size_t n, const char *name, const struct config_edit *edit, struct heft_err *err)
{
	struct editing e = { .out = out, .edit = edit };
	int rc;

	if (jscan_init(&e.scan, text, n, name, err))
		return -1;
	rc = put_members(&e);
	jscan_release(&e.scan);
	return rc;
}

/* ---- the file ---- */

struct json_doc *plan_config_doc(const struct heft_plan *p)
{
	struct heft_err none;

	for (size_t i = 0; i < p->family.n_files; i++)
		if (!strcmp(p->family.file[i].name, "config.json"))
			return json_parse(p->family.file[i].text.p, p->family.file[i].text.n, "config.json", false, &none);
	return model_config_read(p->model, p->arena, &none);
}

bool plan_has_config(const struct heft_plan *p)
{
	const struct heft_model *m = p->model;

	if (p->family.n_files)
		return true;
	return m->dir && !m->adapter && !model_speaks_gguf(m) && (m->config || path_kind(path_join(p->arena, m->dir, "config.json")) == PATH_FILE);
}

/* The configuration as it is written: the source's own file where it has one. NUL behind it. */
static char *config_text(const struct heft_plan *p, size_t *n, struct heft_err *err)
{
	const struct heft_model *m = p->model;
	const char *path = m->dir ? path_join(p->arena, m->dir, "config.json") : NULL;
	struct source *s;
	char *text = NULL;

	if (m->config || !path || path_kind(path) != PATH_FILE) {
		text = arena_strdup(p->arena, m->config ? m->config : "{}");
		*n = strlen(text);
		return text;
	}
	s = source_open(path, err);
	if (!s)
		return NULL;
	if (source_size(s) > CONFIG_LIMIT)
		heft_fail(err, HEFT_E_CONFIG, "%s: larger than a configuration may be", path);
	else {
		*n = (size_t)source_size(s);
		text = arena_alloc(p->arena, *n + 1);
		if (source_read(s, 0, text, *n, err))
			text = NULL;
	}
	source_close(s);
	return text;
}

static struct plan_side *side_named(struct plan_output *o, const char *path)
{
	for (size_t i = 0; i < o->n_sides; i++)
		if (!strcmp(o->side[i].path, path))
			return &o->side[i];
	return NULL;
}

int plan_config(struct heft_plan *p, struct plan_output *o, const struct config_edit *edit, struct heft_err *err)
{
	const char *path = path_join(p->arena, o->directory, "config.json");
	struct plan_side *side = side_named(o, path); /* of a GGUF that goes back */
	size_t n = side ? side->text.n : 0;
	const char *text = side ? side->text.p : config_text(p, &n, err);
	struct jbuf all = { 0 }, set = { 0 };
	int rc = text ? 0 : -1;

	if (!rc && edit->n_members) {
		rc = config_set(&set, text, n, path, edit->member, edit->n_members, p->arena, err);
		n = set.n;
		jbuf_raw(&set, "", 1);
		text = set.p;
	}
	if (!rc)
		rc = config_edit(&all, text, n, path, edit, err);
	jbuf_release(&set);

	if (!rc && !side) {
		plan_add_side(o, path, (struct heft_str){ 0 }, p->arena);
		side = &o->side[o->n_sides - 1];
	}
	if (!rc)
		side->text = (struct heft_str){ arena_memdup(p->arena, all.p, all.n), all.n };
	jbuf_release(&all);
	return rc;
}

const struct heft_encoding *plan_said_float(const struct json *root, bool search)
{
	static const char *const types[] = { "f32", "f16", "bf16" };
	const char *name = json_cstr(json_get(root, "torch_dtype"));

	name = name ? name : json_cstr(json_get(json_get(root, "text_config"), "dtype"));
	name = name || !search ? name : json_cstr(json_get(root, "dtype"));
	for (size_t i = 0; name && i < sizeof types / sizeof *types; i++)
		if (!strcmp(plan_torch_name(quant_find(types[i])), name))
			return quant_find(types[i]);
	return NULL;
}
