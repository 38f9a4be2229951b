/*
 * model_modules.c - the Dense modules of a sentence-transformers model: modules.json names a folder for each, which holds a config.json and
 * a model.safetensors. Refuses folders that are not plain names.
 *
 *   modules.json: [ { "type": "sentence_transformers.models.Dense", "path": "2_Dense" }, ... ]
 */
#include "model.h"

#include "../base/json.h"
#include "../base/mount.h"

#include <string.h>

enum { LIMIT = 1 << 20 };

static bool is_dense(const char *type)
{
	size_t n = type ? strlen(type) : 0;

	return n >= 5 && !strcmp(type + n - 5, "Dense");
}

/* What a list names, into m: one without a file of weights is left out, as the reference leaves it out. */
static int read_list(struct model_modules *m, const struct json *list, const char *dir, struct arena *a, struct heft_err *err)
{
	m->module = arena_array(a, json_count(list), sizeof *m->module);
	for (const struct json *j = json_first(list); j; j = json_next(j)) {
		const char *folder = json_cstr(json_get(j, "path")), *path;

		if (!is_dense(json_cstr(json_get(j, "type"))))
			continue;
		if (!folder || !path_is_plain(folder, strlen(folder)))
			return heft_fail(err, HEFT_E_CONFIG, "%s/modules.json: the path of a Dense module is not a folder's name", dir);
		path = path_join(a, path_join(a, dir, folder), "model.safetensors");
		if (path_kind(path) == PATH_FILE)
			m->module[m->n++] = (struct model_module){ arena_strdup(a, folder), path };
	}
	return 0;
}

int modules_find(struct model_modules *m, const char *dir, struct arena *a, struct heft_err *err)
{
	const char *path = path_join(a, dir, "modules.json");
	struct json_doc *doc;
	int rc;

	*m = (struct model_modules){ 0 };
	if (path_kind(path) != PATH_FILE)
		return 0;
	doc = json_read_file(path, LIMIT, err);
	if (!doc)
		return -1;
	rc = read_list(m, json_root(doc), dir, a, err);
	json_free(doc);
	return rc;
}
