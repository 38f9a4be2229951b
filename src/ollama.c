/*
 * ollama.c - resolves a model of Ollama's store.
 *
 *   $OLLAMA_MODELS, or ~/.ollama/models
 *     manifests/registry.ollama.ai/library/llama3.2/1b          JSON: layers with media type, digest, size
 *     blobs/sha256-74701a8c...                                  each layer
 *
 *   [host/][namespace/]model[:tag]     registry.ollama.ai, library and latest where a name does not say
 *
 * Media types end in image.model (a GGUF), .template, .system, .params, .license, .adapter, .projector. Ollama's templates are Go's, not Jinja's,
 * so they do not become chat templates. Digests are checked to be digests before they become file names.
 */
#include "ollama.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/json.h"
#include "../base/mount.h"
#include "kv.h"
#include "model.h"

#define IMAGE "application/vnd.ollama.image."
enum { MANIFEST_MAX = 1 << 20, TEXT_MAX = 1 << 20, HEX = 64 };

/* ---- names ---- */

static bool plain_part(const char *s, size_t n)
{
	static const char set[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

	return n > 0 && n < 128 && s[0] != '.' && strspn(s, set) >= n;
}

static const char *store_of(struct arena *a)
{
	const char *at = getenv("OLLAMA_MODELS"), *home = getenv("HOME");

	if (at && *at)
		return at;
	return home && *home ? arena_printf(a, "%s/.ollama/models", home) : NULL;
}

/* Where the manifest of a name would stand; NULL where it cannot be a name. */
static const char *manifest_of(const char *name, struct arena *a)
{
	static const char *const otherwise[] = { "registry.ollama.ai", "library" };
	const char *store = store_of(a), *part[3], *tag = strrchr(name, ':'), *slash;
	size_t length[3], n = 0, end = tag ? (size_t)(tag - name) : strlen(name);

	if (!store || (tag && !plain_part(tag + 1, strlen(tag + 1))))
		return NULL;
	for (const char *s = name; n < 3; s = slash + 1) {
		slash = memchr(s, '/', (size_t)(name + end - s));
		part[n] = s;
		length[n] = slash ? (size_t)(slash - s) : (size_t)(name + end - s);
		if (!plain_part(s, length[n++]))
			return NULL;
		if (!slash)
			break;
	}
	if (slash)
		return NULL; /* more than three parts */
	return arena_printf(a, "%s/manifests/%.*s/%.*s/%.*s/%s", store, n == 3 ? (int)length[0] : 99, n == 3 ? part[0] : otherwise[0],
			    n > 1 ? (int)length[n - 2] : 99, n > 1 ? part[n - 2] : otherwise[1], (int)length[n - 1], part[n - 1],
			    tag ? tag + 1 : "latest");
}

bool ollama_has(const char *name)
{
	struct arena *a = arena_new();
	const char *path = manifest_of(name, a);
	bool has = path && path_kind(path) == PATH_FILE;

	arena_free(a);
	return has;
}

/* ---- layers ---- */

struct reading {
	struct ollama *out;
	struct kv_list kv;
	const char *manifest, *blobs;
	struct arena *arena;
	struct heft_err *err;
};

/* The path of a blob; NULL where the digest is none. */
static const char *blob_path(const struct reading *r, const char *digest)
{
	const char *hex = digest && !strncmp(digest, "sha256:", 7) ? digest + 7 : "";

	if (strlen(hex) != HEX || strspn(hex, "0123456789abcdef") != HEX)
		return NULL;
	return arena_printf(r->arena, "%s/sha256-%s", r->blobs, hex);
}

/* Small, and text: else NULL. */
static const char *read_text(const struct reading *r, const char *path)
{
	struct source *s = source_open(path, NULL);
	uint64_t n = s ? source_size(s) : 0;
	char *text = s && n <= TEXT_MAX ? arena_alloc(r->arena, (size_t)n + 1) : NULL;

	if (text && (source_read(s, 0, text, (size_t)n, NULL) || strlen(text) != n))
		text = NULL;
	source_close(s);
	return text;
}

/* "LLAMA 3.2 COMMUNITY LICENSE AGREEMENT": the first line that is not blank */
static const char *first_line(const struct reading *r, const char *text)
{
	text += strspn(text, " \t\r\n");
	return arena_memdup(r->arena, text, strcspn(text, "\r\n"));
}

static void set_param(struct reading *r, const char *key, const struct json *j)
{
	static const struct {
		const char *name, *key;
		bool integer;
	} rows[] = {
		{ "temperature", "general.sampling.temp", false },
		{ "top_k", "general.sampling.top_k", true },
		{ "top_p", "general.sampling.top_p", false },
		{ "min_p", "general.sampling.min_p", false },
		{ "repeat_penalty", "general.sampling.penalty_repeat", false },
		{ "repeat_last_n", "general.sampling.penalty_last_n", true },
		{ "mirostat", "general.sampling.mirostat", true },
		{ "mirostat_tau", "general.sampling.mirostat_tau", false },
		{ "mirostat_eta", "general.sampling.mirostat_eta", false },
	};
	int64_t i;
	double f;

	for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
		if (strcmp(rows[k].name, key))
			continue;
		if (rows[k].integer && json_int(j, &i) && i >= INT32_MIN && i <= INT32_MAX)
			kv_set(&r->kv, rows[k].key, value_i32((int32_t)i));
		else if (!rows[k].integer && json_num(j, &f))
			kv_set(&r->kv, rows[k].key, (struct heft_value){ .type = HEFT_F32, .count = 1, .f = (float)f });
	}
}

static void set_params(struct reading *r, const char *text)
{
	struct json_doc *d = json_parse(text, strlen(text), "params", false, NULL);

	for (const struct json *j = json_first(json_root(d)); j && json_kind(json_root(d)) == JSON_OBJECT; j = json_next(j))
		set_param(r, json_key(j).p, j);
	json_free(d);
}

static void use_text(struct reading *r, const char *kind, const char *path)
{
	const char *text = read_text(r, path), *key = arena_printf(r->arena, "ollama.%s", kind);

	if (!text)
		return;
	if (!kv_find(r->kv.v, r->kv.n, key))
		kv_set(&r->kv, key, value_string(text));
	if (!strcmp(kind, "params"))
		set_params(r, text);
	if (!strcmp(kind, "license") && !kv_find(r->kv.v, r->kv.n, "general.license.name"))
		kv_set(&r->kv, "general.license.name", value_string(first_line(r, text)));
}

static int use_model(struct reading *r, const char *path, const struct json *size)
{
	struct source *s;
	uint64_t want;

	if (r->out->model)
		return heft_fail(r->err, HEFT_E_INDEX, "%s: names two models", r->manifest);
	if (path_kind(path) != PATH_FILE)
		return heft_fail(r->err, HEFT_E_SHARD_MISSING, "%s: its blob is missing (%s): pull the model again", r->manifest, path);
	s = source_open(path, r->err);
	if (!s)
		return -1;
	if (json_uint(size, &want) && want != source_size(s)) {
		heft_fail(r->err, HEFT_E_TRUNCATED, "%s: has %" PRIu64 " bytes, %s says %" PRIu64 ": pull the model again", path, source_size(s),
			  r->manifest, want);
		source_close(s);
		return -1;
	}
	source_close(s);
	r->out->model = path;
	return 0;
}

static int use_layer(struct reading *r, const struct json *layer)
{
	static const char *const texts[] = { "template", "system", "params", "license", "messages" };
	const char *type = json_cstr(json_get(layer, "mediaType")), *path = blob_path(r, json_cstr(json_get(layer, "digest"))), *kind;

	if (!type || strncmp(type, IMAGE, strlen(IMAGE)))
		return 0;
	kind = type + strlen(IMAGE);
	if (!path)
		return heft_fail(r->err, HEFT_E_INDEX, "%s: a layer without a sha256 digest", r->manifest);
	if (!strcmp(kind, "model"))
		return use_model(r, path, json_get(layer, "size"));
	if (!strcmp(kind, "adapter") || !strcmp(kind, "projector"))
		kv_set(&r->kv, arena_printf(r->arena, "ollama.%s", kind), value_string(path));
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (!strcmp(kind, texts[i]))
			use_text(r, texts[i], path);
	return 0;
}

static bool is_manifest(const struct json *layers)
{
	for (const struct json *j = json_first(layers); j; j = json_next(j)) {
		const char *type = json_cstr(json_get(j, "mediaType"));

		if (type && !strncmp(type, IMAGE, strlen(IMAGE)))
			return true;
	}
	return false;
}

/* The store that a manifest's own path lies in, else the user's. */
static const char *blobs_for(const char *manifest, struct arena *a)
{
	const char *in = NULL, *store = store_of(a);

	for (const char *s = manifest; (s = strstr(s, "/manifests/")); s++)
		in = s;
	if (in)
		return arena_printf(a, "%.*s/blobs", (int)(in - manifest), manifest);
	return arena_printf(a, "%s/blobs", store ? store : ".");
}

static int read_layers(struct reading *r, const struct json *layers)
{
	for (const struct json *j = json_first(layers); j; j = json_next(j))
		if (use_layer(r, j))
			return -1;
	if (!r->out->model)
		return heft_fail(r->err, HEFT_E_INDEX, "%s: has no layer that is a GGUF model", r->manifest);
	r->out->kv = r->kv.v;
	r->out->n_kv = r->kv.n;
	return 1;
}

/* Small files that begin as a JSON text may be one. */
static bool may_be_manifest(const char *path)
{
	struct source *s = source_open(path, NULL);
	char c = 0;
	bool may = s && source_size(s) <= MANIFEST_MAX && source_peek(s, &c, 1, NULL) == 1 && c == '{';

	source_close(s);
	return may;
}

int ollama_resolve(struct ollama *out, const char *path, struct arena *a, struct heft_err *err)
{
	bool named = path_kind(path) == PATH_NONE;
	struct reading r = { .out = out, .kv = { .arena = a }, .manifest = named ? manifest_of(path, a) : path, .arena = a, .err = err };
	struct json_doc *d;
	const struct json *layers;
	int rc;

	*out = (struct ollama){ 0 };
	if (!r.manifest || path_kind(r.manifest) != PATH_FILE || !may_be_manifest(r.manifest))
		return 0;
	d = json_read_file(r.manifest, MANIFEST_MAX, NULL);
	layers = json_get(json_root(d), "layers");
	r.blobs = blobs_for(r.manifest, a);
	rc = is_manifest(layers) ? read_layers(&r, layers) : named ? heft_fail(err, HEFT_E_INDEX, "%s: is no manifest", r.manifest) : 0;
	json_free(d);
	return rc;
}
