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

const char *linear_set(const char *name, struct arena *a)
{
	static const struct { const char *leaf, *set; } sets[] = {
		{ "q_proj", "qkv" }, { "k_proj", "qkv" }, { "v_proj", "qkv" }, { "wq", "qkv" }, { "wk", "qkv" }, { "wv", "qkv" },
		{ "gate_proj", "gate_up" }, { "up_proj", "gate_up" }, { "w1", "gate_up" }, { "w3", "gate_up" },
		{ "q_a_proj", "qkv_a" }, { "kv_a_proj_with_mqa", "qkv_a" }, { "in_proj_qkv", "in_proj" }, { "in_proj_z", "in_proj" },
	};
	const char *module = linear_module(name, a), *point = strrchr(module, '.'), *leaf = point ? point + 1 : module;

	for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
		if (!strcmp(leaf, sets[i].leaf))
			return arena_printf(a, "%.*s%s", (int)(leaf - module), module, sets[i].set);
	return NULL;
}

const char *linear_joined(const char *name, struct arena *a)
{
	static const char experts[] = ".experts.";
	const char *at = strstr(name, experts);

	if (at && at[sizeof experts - 1] >= '0' && at[sizeof experts - 1] <= '9')
		return arena_memdup(a, name, (size_t)(at - name) + sizeof experts - 1);
	return linear_set(name, a);
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
