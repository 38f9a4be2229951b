/*
 * linear.c - the conventions of GPU runtimes: what llm-compressor, ModelOpt, AutoRound and the makers of models leave in 16 bits.
 *
 * Rows are looked at from the first on. A pattern is one component of a module's name: model . layers . 3 . mlp . gate_proj
 */
#include "linear.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MOST = 1024 };

static const struct row {
	const char *pattern;
	bool last;         /* the module's own name; else any of its components */
	enum linear kind;
	const char *why;
} rows[] = {
	{ "embed_out", true, LINEAR_STAYS, "heads stay" },
	{ "*embed*", true, LINEAR_NO, "embeddings stay" },
	{ "wte", true, LINEAR_NO, "embeddings stay" },
	{ "wpe", true, LINEAR_NO, "embeddings stay" },
	{ "*norm*", true, LINEAR_NO, "norms stay" },
	{ "ln_*", true, LINEAR_NO, "norms stay" },
	{ "conv1d", true, LINEAR_NO, "convolutions stay" },
	{ "lm_head", true, LINEAR_STAYS, "heads stay" },
	{ "output_layer", true, LINEAR_STAYS, "heads stay" },
	{ "output", true, LINEAR_STAYS, "heads stay" },
	{ "score", true, LINEAR_STAYS, "heads stay" },
	{ "classifier", true, LINEAR_STAYS, "heads stay" },
	{ "gate", true, LINEAR_STAYS, "routers stay" },
	{ "shared_expert_gate", true, LINEAR_STAYS, "routers stay" },
	{ "router", false, LINEAR_STAYS, "routers stay" },
	{ "visual", false, LINEAR_STAYS, "the part that sees stays" },
	{ "vision_*", false, LINEAR_STAYS, "the part that sees stays" },
	{ "multi_modal_projector", false, LINEAR_STAYS, "the part that sees stays" },
	{ "mm_projector", false, LINEAR_STAYS, "the part that sees stays" },
	{ "embed_vision", false, LINEAR_STAYS, "the part that sees stays" },
	{ "embed_audio", false, LINEAR_STAYS, "the part that hears stays" },
	{ "audio_tower", false, LINEAR_STAYS, "the part that hears stays" },
	{ "mtp", false, LINEAR_STAYS, "layers that predict further tokens stay" },
	{ "eh_proj", true, LINEAR_STAYS, "layers that predict further tokens stay" },
	{ "shared_head", false, LINEAR_STAYS, "layers that predict further tokens stay" },
	{ "in_proj_a", true, LINEAR_STAYS, "small projections of linear attention stay" },
	{ "in_proj_b", true, LINEAR_STAYS, "small projections of linear attention stay" },
	{ "in_proj_ba", true, LINEAR_STAYS, "small projections of linear attention stay" },
	{ "weights_proj", true, LINEAR_STAYS, "the indexer's weights stay" },
};

static bool has_weight(const char *name, size_t *module)
{
	size_t n = strlen(name), e = strlen(".weight");

	if (n <= e || strcmp(name + n - e, ".weight") != 0)
		return false;
	*module = n - e;
	return true;
}

const char *linear_module(const char *name, struct arena *a)
{
	const char *point = strrchr(name, '.');

	return point ? arena_memdup(a, name, (size_t)(point - name)) : name;
}

/* Matrices that runtimes put together into one, and what they call that. */
static const struct set {
	const char *leaves, *whole;
} sets[] = {
	{ "q_proj|k_proj|v_proj", "qkv_proj" },
	{ "wq|wk|wv", "qkv_proj" },
	{ "gate_proj|up_proj", "gate_up_proj" },
	{ "w1|w3", "gate_up_proj" },
	{ "q_a_proj|kv_a_proj_with_mqa", "fused_qkv_a_proj" },
	{ "in_proj_qkv|in_proj_z", "in_proj_qkvz" },
	{ "in_proj_a|in_proj_b", "in_proj_ba" },
};

/* *stem: bytes of the module's name up to its own. */
static const struct set *set_of(const char *module, int *stem)
{
	const char *point = strrchr(module, '.'), *leaf = point ? point + 1 : module;
	size_t n = strlen(leaf);

	*stem = (int)(leaf - module);
	for (const struct set *s = sets; n && s < sets + sizeof sets / sizeof *sets; s++)
		for (const char *at = s->leaves; at; at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL)
			if (!strncmp(at, leaf, n) && (!at[n] || at[n] == '|'))
				return s;
	return NULL;
}

const char *linear_set(const char *name, struct arena *a)
{
	const char *module = linear_module(name, a);
	int stem;
	const struct set *s = set_of(module, &stem);

	return s ? arena_printf(a, "%.*s%s", stem, module, s->whole) : NULL;
}

/* Bytes of the name up to the number of an expert: "model.layers.3.mlp.experts."; 0: it is none. */
static int expert_stem(const char *name)
{
	static const char experts[] = ".experts.";
	const char *at = strstr(name, experts);
	size_t stem = at ? (size_t)(at - name) + sizeof experts - 1 : 0;

	return at && name[stem] >= '0' && name[stem] <= '9' ? (int)stem : 0;
}

const char *linear_joined(const char *name, struct arena *a)
{
	int stem = expert_stem(name);

	return stem ? arena_memdup(a, name, (size_t)stem) : linear_set(name, a);
}

/* ---- as runtimes ask for them ---- */

/* Where a model that sees has its language model, in transformers and in vLLM; where Mixtral has its experts, in files and since transformers 5. */
static const struct alias {
	const char *name, *pattern;
} aliases[] = {
	{ "model.language_model.", "(?:model\\.language_model|language_model\\.model)\\." },
	{ ".block_sparse_moe.", "\\.(?:block_sparse_moe|mlp)\\." },
};

/* The first n bytes of a name as a regular expression. */
static const char *pattern_of(const char *name, int n, struct arena *a)
{
	char *out = arena_alloc(a, 4 * (size_t)n + 64), *to = out;

	for (const char *end = name + n; name < end;) {
		const struct alias *x = aliases;

		while (x < aliases + sizeof aliases / sizeof *aliases && strncmp(name, x->name, strlen(x->name)) != 0)
			x++;
		if (x < aliases + sizeof aliases / sizeof *aliases) {
			to = stpcpy(to, x->pattern);
			name += strlen(x->name);
			continue;
		}
		if (strchr("\\.[]()*+?{}|^$", *name))
			*to++ = '\\';
		*to++ = *name++;
	}
	*to = 0;
	return out;
}

/* Matrices of an expert: its own name for this one, and those that runtimes have for all that files call otherwise. */
static const char *expert_leaves(const char *module, int stem, struct arena *a)
{
	static const char usual[] = "gate_proj|up_proj|down_proj|w1|w2|w3";
	const char *leaf = module + stem + strspn(module + stem, "0123456789"), *at;
	size_t n;

	leaf += *leaf == '.';
	n = strlen(leaf);
	at = strstr(usual, leaf);
	if (n && at && (at == usual || at[-1] == '|') && (!at[n] || at[n] == '|'))
		return usual;
	return arena_printf(a, "%s|%s", usual, pattern_of(leaf, (int)n, a));
}

const char *linear_pattern(const char *module, struct arena *a)
{
	int stem = expert_stem(module);
	const struct set *s;

	if (stem)
		return arena_printf(a, "^%s(?:\\.[0-9]+\\.(?:%s))?$", pattern_of(module, stem - 1, a), expert_leaves(module, stem, a));
	s = set_of(module, &stem);
	return s ? arena_printf(a, "^%s(?:%s|%s)$", pattern_of(module, stem, a), s->leaves, s->whole) : arena_printf(a, "^%s$", pattern_of(module, (int)strlen(module), a));
}

const char *linear_expert(const char *module, struct arena *a)
{
	int stem = expert_stem(module);

	return stem ? arena_printf(a, "^%s[0-9]+\\.(?:%s)$", pattern_of(module, stem, a), expert_leaves(module, stem, a)) : NULL;
}

static bool is_number(const char *s)
{
	return *s && !s[strspn(s, "0123456789")];
}

/* Does the module lie in a layer behind the last that is counted? */
static bool behind(const char *before, const char *part, uint64_t layers)
{
	return before && layers && !strcmp(before, "layers") && is_number(part) && strtoull(part, NULL, 10) >= layers;
}

/* Most patterns are words: their first letter decides without fnmatch(), which this is called too often for. */
static bool takes(const struct row *r, const char *part)
{
	return (*r->pattern == '*' || *r->pattern == *part) && !fnmatch(r->pattern, part, 0);
}

static const struct row *row_of(char *module, uint64_t layers)
{
	static const struct row extra = { NULL, false, LINEAR_STAYS, "layers that predict further tokens stay" };
	const struct row *best = NULL;
	const char *before = NULL;
	char *save;

	for (char *part = strtok_r(module, ".", &save), *next; part; before = part, part = next) {
		next = strtok_r(NULL, ".", &save);
		if (behind(before, part, layers) && !best)
			best = &extra;
		for (const struct row *r = rows; r < rows + sizeof rows / sizeof *rows; r++)
			if ((!r->last || !next) && takes(r, part) && (!best || (r->kind == LINEAR_NO && !next)))
				best = r;
	}
	return best;
}

enum linear linear_kind(const char *name, int rank, uint64_t layers, const char **why)
{
	char module[NAME_MOST];
	size_t n;
	const struct row *r;

	*why = "no matrix of a Linear";
	if (rank == 3 && strstr(name, ".experts.")) {
		*why = "experts in one tensor stay in 16 bits";
		return LINEAR_FUSED;
	}
	if (rank != 2 || !has_weight(name, &n) || n >= sizeof module)
		return LINEAR_NO;
	memcpy(module, name, n);
	module[n] = 0;
	r = row_of(module, layers);
	if (!r)
		return LINEAR_YES;
	*why = r->why;
	return r->kind;
}
