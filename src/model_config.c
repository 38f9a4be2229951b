/*
 * model_config.c - where a model's configuration comes from: config.json beside it, or what another layout's files were read to say.
 */
#include "archive.h"
#include "model.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "../base/json.h"
#include "../base/mount.h"

enum { CONFIG_LIMIT = 64 << 20 };

struct json_doc *model_config_read(const struct heft_model *m, struct arena *a, struct heft_err *err)
{
	const char *path = m->dir ? path_join(a, m->dir, "config.json") : NULL;
	struct stat st;

	if (m->config)
		return json_parse(m->config, strlen(m->config), m->path, false, err);
	if (path && (path_kind(path) != PATH_NONE || !lstat(path, &st) || errno != ENOENT))
		return json_read_file(path, CONFIG_LIMIT, err);
	if (archive_ended_early(m->archive))
		heft_fail(err, HEFT_E_CONFIG,
			  "%s: no config.json before the weights, and --spool does not reach behind them: put small files first (tar --sort=name), or name their folder with --config DIR",
			  m->path);
	else
		heft_fail(err, HEFT_E_CONFIG,
			  "%s: no config.json beside it, so the family is not known (--config DIR names one, --arch none carries the tensors as they are)",
			  m->path);
	return NULL;
}
