/*
 * model_mistral.c - what Mistral publishes in its own layout: consolidated.safetensors, or several files of such names, and params.json.
 *
 *	{"dim": 5120, "n_layers": 40, "head_dim": 128, "hidden_dim": 32768, "n_heads": 32, "n_kv_heads": 8, "vocab_size": 131072, ...}
 *
 * params.json becomes the configuration that families ask, as it is; only the class that it lacks is added: there is one for models with
 * latent attention and experts, and one for all others. Refuses what is no object.
 */
#include "model.h"

#include <stdlib.h>
#include <string.h>

#include "../base/json.h"
#include "../base/source.h"

enum { PARAMS_LIMIT = 1 << 20 };

static char *read_text(const char *path, struct arena *a, size_t *n, struct heft_err *err)
{
	struct source *s = source_open(path, err);
	uint64_t size = s ? source_size(s) : 0;
	char *text = NULL;

	if (s && size > PARAMS_LIMIT)
		heft_fail(err, HEFT_E_LIMIT, "%s: has more than %d bytes, which no such file has", path, PARAMS_LIMIT);
	else if (s)
		text = arena_alloc(a, (size_t)size + 1);
	if (text && source_read(s, 0, text, (size_t)size, err))
		text = NULL;
	source_close(s);
	*n = (size_t)size;
	return text;
}

/* The last of two equal keys counts, so the class stands at the end. */
static const char *with_class(struct heft_model *m, const char *text, size_t n, const struct json *root)
{
	const char *class = json_get(root, "moe") && json_get(root, "qk_rope_head_dim") ? "MistralMoeConsolidated" : "MistralConsolidated";

	while (n && text[n - 1] != '}')
		n--;
	return arena_printf(m->arena, "%.*s%s\"architectures\":[\"%s\"]}", (int)(n - 1), text, json_count(root) ? "," : "", class);
}

int mistral_config(struct heft_model *m, const char *params, struct heft_err *err)
{
	size_t n;
	const char *text = read_text(params, m->arena, &n, err);
	struct json_doc *doc = text ? json_parse(text, n, params, false, err) : NULL;
	int rc = -1;

	if (doc && json_kind(json_root(doc)) != JSON_OBJECT)
		heft_fail(err, HEFT_E_CONFIG, "%s: is no object", params);
	else if (doc && !memchr(text, 0, n)) {
		m->config = with_class(m, text, n, json_root(doc));
		rc = 0;
	} else if (doc)
		heft_fail(err, HEFT_E_CONFIG, "%s: holds a NUL", params);
	json_free(doc);
	return rc;
}
