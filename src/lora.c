/*
 * lora.c - reads an adapter: whose it is, by adapter_config.json, and which tensors are pairs, by their names.
 *
 * Refuses other kinds of adapters, a factor without the other one, factors whose shapes do not fit each other.
 */
#include "lora.h"

#include "../base/map.h"
#include "../base/mount.h"
#include "../quant/quant.h"
#include "model.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { CONFIG_LIMIT = 16 << 20 };
#define CONFIG "adapter_config.json"

enum part { PART_A, PART_B, PART_MAGNITUDE };

struct ending {
	const char *text;
	enum part part;
	bool turned, embedding;
};

/* "default" is the name that PEFT gives an adapter; it is left out of what is saved, but not by everyone. */
static const struct ending peft_endings[] = {
	{ ".lora_A.weight", PART_A, false, false },
	{ ".lora_B.weight", PART_B, false, false },
	{ ".lora_A.default.weight", PART_A, false, false },
	{ ".lora_B.default.weight", PART_B, false, false },
	{ ".lora_embedding_A", PART_A, false, true },
	{ ".lora_embedding_B", PART_B, false, true },
	{ ".lora_embedding_A.default", PART_A, false, true },
	{ ".lora_embedding_B.default", PART_B, false, true },
	{ ".lora_magnitude_vector", PART_MAGNITUDE, false, false },
	{ ".lora_magnitude_vector.weight", PART_MAGNITUDE, false, false },
	{ ".lora_magnitude_vector.default", PART_MAGNITUDE, false, false },
	{ ".lora_magnitude_vector.default.weight", PART_MAGNITUDE, false, false },
	{ NULL, PART_A, false, false },
};
static const struct ending mlx_endings[] = {
	{ ".lora_a", PART_A, true, false },
	{ ".lora_b", PART_B, true, false },
	{ ".m", PART_MAGNITUDE, false, false },
	{ NULL, PART_A, false, false },
};
static const struct ending gguf_endings[] = {
	{ "token_embd.weight.lora_a", PART_A, true, false },
	{ ".lora_a", PART_A, false, false },
	{ ".lora_b", PART_B, false, false },
	{ NULL, PART_A, false, false },
};
static const struct ending *const endings[] = { [LORA_PEFT] = peft_endings, [LORA_MLX] = mlx_endings, [LORA_GGUF] = gguf_endings };

/* ---- files ---- */

const char *lora_file(const char *path, struct arena *a, struct heft_err *err)
{
	static const char *const names[] = { "adapter_model.safetensors", "adapter_model.bin", "adapters.safetensors" };

	if (path_kind(path) != PATH_FOLDER)
		return path;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const char *file = path_join(a, path, names[i]);

		if (path_kind(file) == PATH_FILE)
			return file;
	}
	heft_fail(err, HEFT_E_OPEN, "%s: no adapter_model.safetensors, adapter_model.bin or adapters.safetensors in it", path);
	return NULL;
}

/* ---- names ---- */

static bool ends_with(const char *s, size_t n, const char *end)
{
	size_t k = strlen(end);

	return n >= k && !memcmp(s + n - k, end, k);
}

static const struct ending *ending_of(enum lora_kind kind, const char *name)
{
	for (const struct ending *e = endings[kind]; e->text; e++)
		if (ends_with(name, strlen(name), e->text))
			return e;
	return NULL;
}

static const char *without_wrapper(enum lora_kind kind, const char *name)
{
	static const char wrapper[] = "base_model.model.";

	return kind == LORA_PEFT && !strncmp(name, wrapper, sizeof wrapper - 1) ? name + sizeof wrapper - 1 : name;
}

static const char *target_of(enum lora_kind kind, const char *name, const struct ending *e, struct arena *a)
{
	const char *s = without_wrapper(kind, name);
	const char *bare = strrchr(e->text, '.'); /* of GGUF's endings the last part alone: the tensor's name stands before it */
	size_t n = strlen(s) - strlen(kind == LORA_GGUF ? bare : e->text);

	return kind == LORA_GGUF ? arena_memdup(a, s, n) : arena_printf(a, "%.*s.weight", (int)n, s);
}

static bool is_embedding(const char *target)
{
	return strstr(target, "embed_tokens.") || strstr(target, "wte.") || strstr(target, "token_embd.");
}

static int add_part(struct lora_pair *p, const struct ending *e, const struct heft_tensor *t, struct heft_err *err)
{
	const struct heft_tensor **at = e->part == PART_A ? &p->a : e->part == PART_B ? &p->b : &p->magnitude;

	if (*at)
		return heft_fail(err, HEFT_E_DUPLICATE, "'%s' and '%s' are the same part of one adapter", (*at)->name, t->name);
	if (t->packed || t->n_planes != 1 || !quant_decoder(t->enc) || t->enc->class == QUANT_INTEGER)
		return heft_fail(err, HEFT_E_DTYPE, "'%s': %s is no type of an adapter's numbers", t->name, t->enc->name);
	*at = t;
	p->a_turned |= e->part == PART_A && e->turned;
	p->b_turned |= e->part == PART_B && e->turned;
	p->embedding |= e->embedding;
	return 0;
}

static void add_whole(struct lora_adapter *x, const struct heft_tensor *t, struct arena *a)
{
	static const char under[] = ".base_layer.";
	const char *name = without_wrapper(x->kind, t->name), *base = strstr(name, under);
	struct lora_whole *w = &x->whole[x->n_wholes++];

	*w = (struct lora_whole){ .target = name, .tensor = t, .base = base != NULL };
	if (base)
		w->target = arena_printf(a, "%.*s.%s", (int)(base - name), name, base + sizeof under - 1);
}

static int sort_tensors(struct lora_adapter *x, const struct heft_model *m, struct map *by_target, struct arena *a, struct heft_err *err)
{
	for (size_t i = 0; i < m->n_tensors; i++) {
		const struct heft_tensor *t = &m->tensor[i];
		const struct ending *e = ending_of(x->kind, t->name);
		struct map_slot *slot;
		const char *target;
		bool found;

		if (!e) {
			add_whole(x, t, a);
			continue;
		}
		target = target_of(x->kind, t->name, e, a);
		slot = map_put(by_target, target, strlen(target), &found);
		if (!found) {
			slot->value.i = (int64_t)x->n_pairs;
			x->pair[x->n_pairs++] = (struct lora_pair){ .target = target };
		}
		if (add_part(&x->pair[slot->value.i], e, t, err))
			return -1;
	}
	return 0;
}

/* ---- shapes ---- */

static uint64_t dim_back(const struct heft_tensor *t, int i)
{
	return t->dim[t->rank - 1 - i];
}

/* MLX stores the factors of experts straight, and a magnitude for each token of its embeddings: there a token is an output. */
static void straighten(struct lora_pair *p)
{
	const struct heft_tensor *a = p->a;

	if (a && a->rank == 3)
		p->a_turned = p->b_turned = false;
	if (p->magnitude && is_embedding(p->target)) {
		p->a = p->b;
		p->b = a;
		p->a_turned = p->b_turned = p->embedding = false;
	}
}

static int check_pair(struct lora_pair *p, struct heft_err *err)
{
	const struct heft_tensor *a = p->a, *b = p->b, *some = a ? a : b ? b : p->magnitude;

	if (!a || !b)
		return heft_fail(err, HEFT_E_TENSOR_MISSING, "'%s' is stored without %s, which it needs", some->name, a ? "its lora_B" : "its lora_A");
	if (a->rank != b->rank || a->rank < 2 || a->rank > 3)
		return heft_fail(err, HEFT_E_SHAPE, "'%s' and '%s' are not two matrices", a->name, b->name);
	p->matrices = a->rank == 3 ? a->dim[0] : 1;
	p->in = dim_back(a, p->a_turned ? 1 : 0);
	p->rank = dim_back(a, p->a_turned ? 0 : 1);
	p->out = dim_back(b, p->b_turned ? 0 : 1);
	if (!p->rank || !p->in || !p->out || dim_back(b, p->b_turned ? 1 : 0) != p->rank || (b->rank == 3 && b->dim[0] != p->matrices))
		return heft_fail(err, HEFT_E_SHAPE, "'%s' and '%s' do not share a rank", a->name, b->name);
	if (p->magnitude && (heft_tensor_count(p->magnitude) != p->out || p->matrices != 1))
		return heft_fail(err, HEFT_E_SHAPE, "'%s' has no number for each of the %" PRIu64 " outputs of '%s'", p->magnitude->name, p->out, b->name);
	return 0;
}

/* ---- all ---- */

static bool is_kind(const char *kind, const char *wanted)
{
	return !kind || !strcmp(kind, wanted);
}

/* What PEFT does to the base model before the adapter, which only it can do again. */
static int check_base(const struct json *c, const char *path, struct heft_err *err)
{
	static const char *const starts[] = { "pissa", "olora", "corda", "lora_ga" };
	const struct json *layers = json_get(c, "layer_replication");
	const char *start = json_cstr(json_get(c, "init_lora_weights"));

	if (layers && json_kind(layers) != JSON_NULL)
		return heft_fail(err, HEFT_E_CONFIG, "%s: layer_replication: its layers are not the base model's; save the replicated model and give it as the base without this key",
				 path);
	for (size_t i = 0; start && i < sizeof starts / sizeof *starts; i++)
		if (!strncasecmp(start, starts[i], strlen(starts[i])))
			return heft_fail(err, HEFT_E_CONFIG, "%s: init_lora_weights '%s' took its first factors from the base model's weights; save it as plain LoRA with PEFT first "
					 "(path_initial_model_for_weight_conversion)", path, start);
	return 0;
}

static int check_config(struct lora_adapter *x, const char *path, struct heft_err *err)
{
	const struct json *c = json_root(x->config);
	const char *peft = json_cstr(json_get(c, "peft_type")), *mlx = json_cstr(json_get(c, "fine_tune_type"));

	x->kind = json_get(c, "lora_parameters") || mlx ? LORA_MLX : LORA_PEFT;
	if (!is_kind(peft, "LORA") || (mlx && strcmp(mlx, "lora") && strcmp(mlx, "dora") && strcmp(mlx, "full")))
		return heft_fail(err, HEFT_E_CONFIG, "%s: an adapter of type '%s'; heft knows LoRA and DoRA", path, peft ? peft : mlx);
	return check_base(c, path, err);
}

static int read_pairs(struct lora_adapter *x, const struct heft_model *m, struct arena *a, struct heft_err *err)
{
	struct map by_target;
	int rc;

	x->pair = arena_array(a, m->n_tensors, sizeof *x->pair);
	x->whole = arena_array(a, m->n_tensors, sizeof *x->whole);
	map_init(&by_target);
	rc = sort_tensors(x, m, &by_target, a, err);
	map_release(&by_target);
	for (size_t i = 0; i < x->n_pairs && !rc; i++) {
		x->pair[i].embedding |= is_embedding(x->pair[i].target);
		if (x->kind == LORA_MLX)
			straighten(&x->pair[i]);
		rc = check_pair(&x->pair[i], err);
	}
	if (!rc && !x->n_pairs && !x->n_wholes)
		rc = heft_fail(err, HEFT_E_TENSOR_MISSING, "%s: no tensors in it", m->path);
	return rc;
}

int lora_understand(struct lora_adapter *x, const struct heft_model *m, struct arena *a, struct heft_err *err)
{
	if (x->config && check_config(x, path_join(a, x->dir, CONFIG), err))
		return -1;
	return read_pairs(x, m, a, err) || lora_scales(x, m, a, err) ? -1 : 0;
}

int lora_read(struct lora_adapter *x, const struct heft_model *m, struct arena *a, struct heft_err *err)
{
	*x = (struct lora_adapter){ .kind = LORA_GGUF, .dir = path_dir(a, m->path) };
	if (strcmp(m->format, "gguf")) {
		x->config = json_read_file(path_join(a, x->dir, CONFIG), CONFIG_LIMIT, err);
		if (!x->config)
			return -1;
	}
	return lora_understand(x, m, a, err);
}

void lora_release(struct lora_adapter *x)
{
	json_free(x->config);
	x->config = NULL;
}
