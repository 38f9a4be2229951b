/*
 * manifest_read.c - a manifest's JSON:
 *
 *   {"schema": 1, "tool": "manifest", ...,
 *    "files":   [{"name": "config.json", "size": 123, "sha256": "64 hex digits"}, ...],
 *    "tensors": [{"name": "a", "type": "q4_k", "shape": [4096, 4096], "size": 123, "sha256": "64 hex digits"}, ...]}
 *
 * Refuses names that lead out of a folder or stand twice, shapes that overflow, and what a manifest must have and has not.
 */
#include "heft_manifest.h"

#include <string.h>

#include "../base/json.h"
#include "../base/map.h"

static int wrong(const char *name, const char *what, size_t i, struct heft_err *err)
{
	return heft_fail(err, HEFT_E_JSON, "%s: no manifest, or a broken one: %s %zu lacks a member or has a wrong one", name, what, i);
}

static bool read_digest(const struct json *j, char out[65])
{
	const char *hex = json_cstr(json_get(j, "sha256"));

	if (!hex || strlen(hex) != 64 || strspn(hex, "0123456789abcdef") != 64)
		return false;
	memcpy(out, hex, 65);
	return true;
}

/* Below a folder, and no way out of it. */
static bool stays_inside(const char *name)
{
	for (const char *s = name;; s++) {
		size_t n = strcspn(s, "/");
		if (!n || (n == 1 && *s == '.') || (n == 2 && !strncmp(s, "..", 2)))
			return false;
		s += n;
		if (!*s)
			return true;
	}
}

static bool read_name(struct arena *a, const struct json *j, const char *key, const char **out)
{
	const char *s = json_cstr(json_get(j, key));

	*out = s ? arena_strdup(a, s) : NULL;
	return s && *s;
}

static bool read_file(struct heft_manifest *m, const struct json *j)
{
	struct heft_manifest_file *f = &m->file[m->n_files++];

	return read_name(m->arena, j, "name", &f->name) && stays_inside(f->name) && json_uint(json_get(j, "size"), &f->size) && read_digest(j, f->sha256);
}

static bool read_tensor(struct heft_manifest *m, const struct json *j)
{
	struct heft_manifest_tensor *t = &m->tensor[m->n_tensors++];
	const struct json *shape = json_get(j, "shape");

	if (json_kind(shape) != JSON_ARRAY)
		return false;
	for (const struct json *d = json_first(shape); d; d = json_next(d))
		if (t->rank == HEFT_MAX_RANK || !json_uint(d, &t->dim[t->rank++]))
			return false;
	return read_name(m->arena, j, "name", &t->name) && read_name(m->arena, j, "type", &t->type) && json_uint(json_get(j, "size"), &t->size) &&
	       read_digest(j, t->sha256);
}

/* Elements of a shape can be counted. */
static bool is_countable(const struct heft_manifest_tensor *t)
{
	uint64_t n = 1;

	for (int i = 0; i < t->rank; i++)
		if (__builtin_mul_overflow(n, t->dim[i], &n))
			return false;
	return true;
}

/* Is it the first of this name? */
static bool is_new(struct map *names, const char *name)
{
	bool found;

	map_put(names, name, strlen(name), &found);
	return !found;
}

static int read_files(struct heft_manifest *m, const struct json *files, struct map *names, const char *name, struct heft_err *err)
{
	m->file = arena_array(m->arena, json_count(files) + 1, sizeof *m->file);
	for (const struct json *j = json_first(files); j; j = json_next(j)) {
		if (!read_file(m, j))
			return wrong(name, "file", m->n_files, err);
		if (!is_new(names, m->file[m->n_files - 1].name))
			return heft_fail(err, HEFT_E_DUPLICATE, "%s: file '%s' stands twice", name, m->file[m->n_files - 1].name);
	}
	return 0;
}

static int read_tensors(struct heft_manifest *m, const struct json *tensors, struct map *names, const char *name, struct heft_err *err)
{
	m->tensor = arena_array(m->arena, json_count(tensors) + 1, sizeof *m->tensor);
	for (const struct json *j = json_first(tensors); j; j = json_next(j)) {
		const struct heft_manifest_tensor *t = &m->tensor[m->n_tensors];

		if (!read_tensor(m, j))
			return wrong(name, "tensor", m->n_tensors, err);
		if (!is_countable(t))
			return heft_fail(err, HEFT_E_SHAPE, "%s: the shape of '%s' has more elements than can be counted", name, t->name);
		if (!is_new(names, t->name))
			return heft_fail(err, HEFT_E_DUPLICATE, "%s: tensor '%s' stands twice", name, t->name);
	}
	return 0;
}

static int read_all(struct heft_manifest *m, const struct json *root, const char *name, struct heft_err *err)
{
	const struct json *files = json_get(root, "files"), *tensors = json_get(root, "tensors");
	const char *tool = json_cstr(json_get(root, "tool"));
	struct map file_names, tensor_names;
	int rc;

	if (!tool || strcmp(tool, "manifest") != 0 || json_kind(files) != JSON_ARRAY || json_kind(tensors) != JSON_ARRAY)
		return heft_fail(err, HEFT_E_JSON, "%s: no manifest: 'heft convert --manifest' writes one", name);
	map_init(&file_names);
	map_init(&tensor_names);
	rc = read_files(m, files, &file_names, name, err) || read_tensors(m, tensors, &tensor_names, name, err) ? -1 : 0;
	map_release(&file_names);
	map_release(&tensor_names);
	return rc;
}

int heft_manifest_parse(struct heft_manifest **out, const char *text, size_t n, const char *name, struct heft_err *err)
{
	struct json_doc *d = json_parse(text, n, name, true, err);
	struct arena *a;

	*out = NULL;
	if (!d)
		return -1;
	a = arena_new();
	*out = arena_alloc(a, sizeof **out);
	(*out)->arena = a;
	if (read_all(*out, json_root(d), name, err)) {
		arena_free(a);
		*out = NULL;
	}
	json_free(d);
	return *out ? 0 : -1;
}
