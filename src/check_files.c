/*
 * check_files.c - looks at the files beside the weights, and at the names that the Hub cache gives its blobs.
 *
 *   snapshots/REV/model.safetensors -> ../../blobs/9f2b...64 hex digits: the sha256 of the bytes
 */
#include "check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/json.h"
#include "../base/sha256.h"
#include "../base/source.h"
#include "model.h"

enum { JSON_LIMIT = 64 << 20, PIECE = 1 << 20 };

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
	bool gguf = !strcmp(c->model->format, "gguf");

	for (size_t i = 0; i < sizeof companions / sizeof *companions; i++) {
		const struct companion *f = &companions[i];
		const char *path = path_join(c->model->arena, dir, f->name);
		struct heft_err err = { 0 };

		if (!access(path, F_OK) || errno != ENOENT) {
			if (look_at(f, path, &err))
				model_tell_error(&c->sink, &err, path);
		} else if (f->needed && !gguf) {
			sink_tellf(&c->sink, HEFT_E_CONFIG, path, NULL,
				   "download it, or name its folder with --config DIR",
				   "the file is missing: without it the model's family is not known");
		}
	}
}

/* The digest that the Hub cache names this file by; false where it does not. */
static bool digest_of_name(const char *path, char hex[65])
{
	char target[4096];
	ssize_t n = readlink(path, target, sizeof target - 1);
	const char *base;

	if (n <= 0)
		return false;
	target[n] = 0;
	base = path_base(target);
	if (strlen(base) != 64 || strspn(base, "0123456789abcdef") != 64)
		return false;
	memcpy(hex, base, 65);
	return true;
}

static int digest_of_bytes(struct source *src, char hex[65], const volatile int *stop, struct heft_err *err)
{
	struct sha256 *s = sha256_new();
	char *piece = xmalloc(PIECE);
	int64_t n;

	for (uint64_t at = 0; (n = source_read_some(src, at, piece, PIECE, err)) > 0; at += (uint64_t)n) {
		sha256_update(s, piece, (size_t)n);
		if (stop && *stop)
			n = heft_fail(err, HEFT_E_KILLED, "stopped by a signal");
		if (n < 0)
			break;
	}
	free(piece);
	sha256_final(s, n < 0 ? NULL : hex);
	return n < 0 ? -1 : 0;
}

int check_digests(struct check *c, struct heft_err *err)
{
	for (size_t i = 0; i < c->model->n_files; i++) {
		struct heft_file *f = &c->model->file[i];
		char want[65], have[65];

		if (source_is_stream(f->source) || !digest_of_name(f->path, want))
			continue;
		if (digest_of_bytes(f->source, have, c->options->stop, err))
			return -1;
		if (strcmp(want, have))
			sink_tellf(&c->sink, HEFT_E_CHECKSUM, f->path, NULL,
				   "delete this blob and download the model again",
				   "its sha256 is %s, the cache's name for it %s", have, want);
	}
	return 0;
}
