/*
 * check_files.c - looks at the files beside the weights.
 */
#include "check.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "../base/json.h"
#include "../base/mount.h"
#include "model.h"

enum { JSON_LIMIT = 64 << 20 };

static const struct companion {
	const char *name;
	bool needed, json; /* json: is parsed (tokenizer.json is large, and read by whoever reads tokenizers) */
} companions[] = {
	{ "config.json", true, true },
	{ "generation_config.json", false, true },
	{ "tokenizer_config.json", false, true },
	{ "special_tokens_map.json", false, true },
	{ "added_tokens.json", false, true },
	{ "tokenizer.json", false, false },
	{ "tokenizer.model", false, false },
	{ "vocab.json", false, false },
	{ "merges.txt", false, false },
	{ "chat_template.jinja", false, false },
};

static int look_at(const struct companion *f, const char *path, struct heft_err *err)
{
	struct json_doc *doc;

	if (model_impostor_at(path, err))
		return -1;
	if (!f->json)
		return 0;
	doc = json_read_file(path, JSON_LIMIT, err);
	json_free(doc);
	return doc ? 0 : -1;
}

void check_companions(struct check *c, const char *dir)
{
	bool gguf = model_speaks_gguf(c->model);

	for (size_t i = 0; i < sizeof companions / sizeof *companions; i++) {
		const struct companion *f = &companions[i];
		const char *path = path_join(c->model->arena, dir, f->name);
		struct heft_err err = { 0 };

		if (path_kind(path) != PATH_NONE || errno != ENOENT) {
			if (look_at(f, path, &err))
				model_tell_error(&c->sink, &err, path);
		} else if (f->needed && !gguf && !c->model->config) {
			sink_tellf(&c->sink, HEFT_E_CONFIG, path, NULL,
				   "download it, or name its folder with --config DIR",
				   "the file is missing: without it the model's family is not known");
		}
	}
}
