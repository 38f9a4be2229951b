/*
 * lora_scale.c - the scale s of each of an adapter's products, as its maker works it out.
 *
 *   PEFT   alpha / r, with "use_rslora" alpha / sqrt(r): r is the pair's own rank, which rank_pattern may have changed
 *          {"r": 8, "lora_alpha": 16, "alpha_pattern": {"layers.0.self_attn.q_proj": 32, "^model.*up_proj": 4}, "use_rslora": false}
 *   MLX    {"lora_parameters": {"rank": 8, "scale": 20.0}}
 *   GGUF   adapter.lora.alpha / r
 *
 * Refuses a scale that is 0 or no number, and expressions that would take longer than the adapter is large.
 */
#include "lora.h"

#include "model.h"
#include "regex.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

enum { WORK = 1 << 22, WORK_EACH = 1024 };

static double number(const struct json *j, const char *key, double otherwise)
{
	double v;

	return json_num(json_get(j, key), &v) ? v : otherwise;
}

static bool flag(const struct json *j, const char *key)
{
	bool v;

	return json_bool(json_get(j, key), &v) && v;
}

/* Most keys are names: their points stand for any character, as in the expression that they are. */
static bool is_name(const char *key)
{
	for (; *key; key++)
		if (!strchr("._", *key) && !isalnum((unsigned char)*key))
			return false;
	return true;
}

static bool ends_in(const char *module, const char *name)
{
	size_t k = strlen(name), n = strlen(module);

	if (k > n || (k < n && module[n - k - 1] != '.'))
		return false;
	for (size_t i = 0; i < k; i++)
		if (name[i] != '.' && name[i] != module[n - k + i])
			return false;
	return true;
}

struct alphas { /* of each pair */
	const char **module;
	bool *has;
	uint64_t work; /* instructions of expressions that may still be followed, for each letter of a name */
};

/* A key of alpha_pattern is a regular expression for the end of a module's name, from its beginning or from behind a point; with ^, for all
 * of it. The first key that matches decides. */
static const char *add_alpha(struct lora_adapter *x, struct alphas *s, const char *key, double alpha, struct arena *a)
{
	bool name = is_name(key);
	struct regex r;

	if (!name) {
		const char *text = arena_printf(a, "^(.*\\.)?(%s)$", key), *wrong = regex_compile(&r, text, strlen(text));
		uint64_t work = wrong ? 0 : (uint64_t)r.n * x->n_pairs;

		if (wrong || work > s->work)
			return wrong ? wrong : "too many expressions";
		s->work -= work;
	}
	for (size_t i = 0; i < x->n_pairs; i++) {
		if (s->has[i] || !(name ? ends_in(s->module[i], key) : regex_search(&r, s->module[i])))
			continue;
		x->pair[i].scale = alpha;
		s->has[i] = true;
	}
	return NULL;
}

/* Sets the scale of each pair to its alpha, for now. */
static int find_alphas(struct lora_adapter *x, double alpha, const char *path, struct arena *a, struct heft_err *err)
{
	const struct json *patterns = json_get(json_root(x->config), "alpha_pattern"), *j = patterns ? json_first(patterns) : NULL;
	struct alphas s = { .module = arena_array(a, x->n_pairs, sizeof *s.module), .has = arena_array(a, x->n_pairs, sizeof *s.has),
			    .work = WORK + WORK_EACH * x->n_pairs };

	for (size_t i = 0; i < x->n_pairs; i++) {
		x->pair[i].scale = alpha;
		s.module[i] = arena_memdup(a, x->pair[i].target, strlen(x->pair[i].target) - strlen(".weight"));
	}
	for (double one; j; j = json_next(j)) {
		const char *wrong = json_num(j, &one) ? add_alpha(x, &s, json_key(j).p, one, a) : NULL;

		if (wrong)
			return heft_fail(err, HEFT_E_PATTERN, "%s: adapter_config.json: alpha_pattern '%s': %s", path, json_key(j).p, wrong);
	}
	return 0;
}

static int scale_peft(struct lora_adapter *x, const char *path, struct arena *a, struct heft_err *err)
{
	const struct json *c = json_root(x->config);
	bool root = flag(c, "use_rslora");
	double r = number(c, "r", 0), alpha = number(c, "lora_alpha", 0);

	x->fan_in_fan_out = flag(c, "fan_in_fan_out");
	x->alpha = root ? alpha * sqrt(r) : alpha;
	if (find_alphas(x, alpha, path, a, err))
		return -1;
	for (size_t i = 0; i < x->n_pairs; i++) {
		double rank = (double)x->pair[i].rank;

		x->pair[i].scale /= root ? sqrt(rank) : rank;
	}
	return 0;
}

/* MLX says the scale itself. */
static void scale_mlx(struct lora_adapter *x)
{
	const struct json *c = json_get(json_root(x->config), "lora_parameters");
	double scale = number(c, "scale", number(c, "alpha", 0));

	x->alpha = x->n_pairs ? scale * (double)x->pair[0].rank : 0;
	for (size_t i = 0; i < x->n_pairs; i++)
		x->pair[i].scale = scale;
}

/* An alpha of 0 is none: the runtime takes the product as it is. */
static void scale_gguf(struct lora_adapter *x, const struct heft_model *m)
{
	const struct heft_value *v = heft_model_find(m, "adapter.lora.alpha");

	x->alpha = v && !v->array && v->type == HEFT_F32 ? v->f : 0;
	for (size_t i = 0; i < x->n_pairs; i++)
		x->pair[i].scale = x->alpha ? x->alpha / (double)x->pair[i].rank : 1;
}

static int check_scales(const struct lora_adapter *x, const char *path, struct heft_err *err)
{
	for (size_t i = 0; i < x->n_pairs; i++)
		if (!isfinite(x->pair[i].scale) || x->pair[i].scale == 0)
			return heft_fail(err, HEFT_E_CONFIG, "%s: adapter_config.json gives '%s' no scale (%s)", path, x->pair[i].target,
					 x->kind == LORA_MLX ? "lora_parameters.scale" : "lora_alpha");
	return 0;
}

int lora_scales(struct lora_adapter *x, const struct heft_model *m, struct arena *a, struct heft_err *err)
{
	if (x->kind == LORA_PEFT && scale_peft(x, m->path, a, err))
		return -1;
	if (x->kind == LORA_MLX)
		scale_mlx(x);
	if (x->kind == LORA_GGUF)
		scale_gguf(x, m);
	return check_scales(x, m->path, err);
}
