/*
 * coreml_open.c - a package as a model: Manifest.json says which file is the program, its constants are the tensors.
 *
 *   { "itemInfoEntries": { ID: { "path": "com.apple.CoreML/model.mlmodel", ... }, ... }, "rootModelIdentifier": ID, ... }
 *
 * Paths are relative to Data/ in the package. Refuses those that lead out of it, and a program beside which the file stands that others
 * would not look for: weights/weight.bin in its folder.
 */
#include "coreml.h"

#include "../../base/json.h"
#include "../../base/map.h"
#include "../model.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MANIFEST_MAX = 1 << 20 };

static bool is_directory(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISDIR(st.st_mode);
}

bool coreml_is_package(const char *path)
{
	static const char *const inside[] = { "Manifest.json", "Data/com.apple.CoreML" };
	size_t n = strlen(path);
	struct arena *a;
	bool is = false;

	if (!is_directory(path))
		return false;
	while (n > 1 && path[n - 1] == '/')
		n--;
	if (n > 10 && !strncmp(path + n - 10, ".mlpackage", 10))
		return true;
	a = arena_new();
	for (size_t i = 0; i < 2 && (i == 0 || is); i++)
		is = !access(path_join(a, path, inside[i]), F_OK);
	arena_free(a);
	return is;
}

static const char *next_part(const char *path)
{
	const char *slash = strchr(path, '/');

	return slash ? slash + 1 : NULL;
}

bool coreml_path_is_inside(const char *p)
{
	if (!*p || *p == '/')
		return false;
	for (const char *part = p; part; part = next_part(part))
		if (!strcmp(part, "..") || !strncmp(part, "../", 3) || *part == '/')
			return false;
	return true;
}

static int find_model(struct coreml *c, struct arena *a, struct heft_err *err)
{
	const char *manifest = path_join(a, c->dir, "Manifest.json"), *path;
	struct json_doc *doc = json_read_file(manifest, MANIFEST_MAX, err);
	const char *id = json_cstr(json_get(json_root(doc), "rootModelIdentifier"));

	if (!doc)
		return -1;
	path = json_cstr(json_get(json_get(json_get(json_root(doc), "itemInfoEntries"), id ? id : ""), "path"));
	c->model = path && coreml_path_is_inside(path) ? arena_printf(a, "Data/%s", path) : NULL;
	json_free(doc);
	if (!c->model)
		return heft_fail(err, HEFT_E_HEADER, "%s: rootModelIdentifier leads to no file in the package", manifest);
	return 0;
}

static struct heft_file *add_file(struct heft_model *m, const char *dir, const char *path, struct heft_err *err)
{
	struct heft_file *f = &m->file[m->n_files];

	*f = (struct heft_file){ .path = path_join(m->arena, dir, path), .format = "coreml" };
	f->source = source_open(f->path, err);
	if (!f->source)
		return NULL;
	f->size = source_size(f->source);
	m->n_files++;
	return f;
}

static int read_program(struct coreml *c, struct heft_model *m, struct heft_err *err)
{
	struct heft_file *f = add_file(m, c->dir, c->model, err);
	uint8_t *bytes;

	if (!f)
		return -1;
	bytes = arena_alloc(m->arena, (size_t)f->size + 1);
	if (source_read(f->source, 0, bytes, (size_t)f->size, err))
		return -1;
	return coreml_parse(&c->program, bytes, f->size, f->path, m->arena, err);
}

static int open_weights(struct coreml *c, struct heft_model *m, struct heft_err *err)
{
	const char *slash = strrchr(c->model, '/'), *path;
	uint32_t count;

	path = arena_printf(m->arena, "%.*s/weights/weight.bin", (int)(slash - c->model), c->model);
	if (access(path_join(m->arena, c->dir, path), F_OK))
		return c->program.n_blobs ? heft_fail(err, HEFT_E_SHARD_MISSING, "%s: the program's numbers lie in '%s', which is missing; get the whole package",
						      c->dir, path) : 0;
	c->weights = path;
	if (!add_file(m, c->dir, path, err))
		return -1;
	return coreml_blob_header(m->file[1].source, &count, err);
}

/* ---- names ---- */

/* What coremltools adds to the name of a constant that it compresses. */
static const char *plain_name(const struct coreml_op *op, struct arena *a)
{
	static const char *const endings[] = { "_quantized", "_palettized", "_sparsified" };
	size_t n = strlen(op->output);

	for (size_t i = 0; i < sizeof endings / sizeof *endings && strcmp(op->type, "const"); i++) {
		size_t k = strlen(endings[i]);

		if (n > k && !strcmp(op->output + n - k, endings[i]))
			return arena_memdup(a, op->output, n - k);
	}
	return op->output;
}

/* "embed", "main/embed" where there are several functions, "embed#2" where the name is taken. */
static void name_tensor(struct heft_tensor *t, const struct coreml_op *op, const struct coreml *c, struct map *names, struct arena *a)
{
	const char *name = plain_name(op, a), *base;
	bool found;

	if (c->program.n_scopes > 1)
		name = arena_printf(a, "%s/%s", c->program.scope[op->scope].function, name);
	base = name;
	for (int i = 2; map_put(names, name, strlen(name), &found), found; i++)
		name = arena_printf(a, "%s#%d", base, i);
	t->name = name;
}

static int by_offset(const void *a, const void *b)
{
	const struct heft_extent *x = a, *y = b;

	return x->offset != y->offset ? (x->offset < y->offset ? -1 : 1) : (x->size > y->size) - (x->size < y->size);
}

/* Values may be the same bytes, but none may begin inside another. */
static int check_overlap(const struct heft_model *m, struct sink *sink)
{
	struct heft_extent *e = xmalloc((m->n_tensors * HEFT_MAX_PLANES + 1) * sizeof *e);
	size_t n = 0;
	int rc = 0;

	for (size_t i = 0; i < m->n_tensors; i++)
		for (int p = 0; p < m->tensor[i].n_planes; p++)
			if (m->tensor[i].plane[p].file)
				e[n++] = m->tensor[i].plane[p];
	qsort(e, n, sizeof *e, by_offset);
	for (size_t i = 1; i < n && !rc; i++)
		if (e[i].offset > e[i - 1].offset && e[i].offset < e[i - 1].offset + e[i - 1].size)
			rc = sink_tellf(sink, HEFT_E_OVERLAP, m->file[1].path, NULL, "make or download the package again",
					"the values at bytes %" PRIu64 " and %" PRIu64 " overlap", e[i - 1].offset, e[i].offset);
	free(e);
	return rc;
}

static int tell_unread(const struct heft_model *m, const struct coreml_op *op, struct sink *sink)
{
	struct heft_problem p = { .code = HEFT_E_DTYPE, .warning = true, .file = m->file[0].path, .tensor = op->output };
	char text[200];

	if (strncmp(op->type, "constexpr_", 10))
		return 0;
	snprintf(text, sizeof text, "a constant of '%.100s' in a form that heft does not read: it is left as it is", op->type);
	p.text = text;
	return sink_tell(sink, &p);
}

static int list_tensors(struct coreml *c, struct heft_model *m, struct sink *sink, struct heft_err *err)
{
	struct map names;
	int rc = 0;

	m->tensor = arena_array(m->arena, c->program.n_ops + 1, sizeof *m->tensor);
	c->op = arena_array(m->arena, c->program.n_ops + 1, sizeof *c->op);
	map_init(&names);
	for (size_t i = 0; i < c->program.n_ops && rc >= 0; i++) {
		struct heft_err why = { 0 };

		rc = coreml_tensor(&m->tensor[m->n_tensors], m, &c->program.op[i], &why);
		if (rc < 0 && sink->fn)
			rc = model_tell_error(sink, &why, m->file[0].path) ? -1 : 1;
		else if (rc < 0)
			*err = why;
		if (rc > 0 && !why.code && tell_unread(m, &c->program.op[i], sink))
			rc = -1;
		if (!rc) {
			c->op[m->n_tensors] = &c->program.op[i];
			name_tensor(&m->tensor[m->n_tensors++], &c->program.op[i], c, &names, m->arena);
		}
	}
	map_release(&names);
	return rc < 0 ? -1 : check_overlap(m, sink);
}

int coreml_open(struct heft_model *m, struct sink *sink, struct heft_err *err)
{
	struct coreml *c = arena_alloc(m->arena, sizeof *c);

	c->dir = m->path;
	m->coreml = c;
	m->format = "coreml";
	m->file = arena_array(m->arena, 2, sizeof *m->file);
	if (find_model(c, m->arena, err) || read_program(c, m, err) || open_weights(c, m, err) || list_tensors(c, m, sink, err))
		return -1;
	m->name = model_name_of(NULL, c->dir, m->arena);
	return 0;
}
