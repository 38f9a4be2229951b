/*
 * arch_env.c - what names mean when a family is evaluated for one model: rows of `let`, names with a meaning of their
 * own (layers, rope, pooling, option), then the configuration, completed by `default` rows. Each is worked out once, when it is
 * first asked for.
 */
#include "../base/mount.h"
#include "arch_rows.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { CONFIG_LIMIT = 16 << 20, BUDGET = 4 << 20, BUDGET_PER_TENSOR = 4096 };

/* Where models that are more than a language model keep that part's configuration. */
const struct json *arch_text_config(const struct json *config)
{
	static const char *const nested[] = { "text_config", "llm_config", "lm_config", "language_config", NULL };
	const struct json *thinker = json_get(json_get(config, "thinker_config"), "text_config");
	if (json_kind(thinker) == JSON_OBJECT)
		return thinker;
	for (const char *const *n = nested; *n; n++)
		if (json_kind(json_get(config, *n)) == JSON_OBJECT)
			return json_get(config, *n);
	return NULL;
}

static const char *class_in(const struct json *nested, const struct json *config)
{
	const char *inner = json_cstr(json_first(json_get(nested, "architectures")));
	return inner ? inner : json_cstr(json_first(json_get(config, "architectures")));
}

const char *arch_class_of(const struct json *config)
{
	return class_in(arch_text_config(config), config);
}

const char *arch_projector_class_of(const struct json *config)
{
	return class_in(json_get(config, "vision_config"), config);
}

/* What a projector's family asks about is here alone; the second is Mistral's own. */
static const struct json *vision_config(const struct json *config)
{
	const struct json *j = json_get(config, "vision_config");
	return j ? j : json_get(config, "vision_encoder");
}

static const struct json *config_get(const struct arch_run *r, const char *key)
{
	const struct json *j = json_get(r->nested, key);
	return j || arch_is_projector(r->arch) ? j : json_get(r->config, key);
}

static bool is_raw(const struct arch *a)
{
	for (size_t i = 0; i < a->rows[ROW_CONFIG].n; i++)
		if (!strcmp(a->rows[ROW_CONFIG].row[i]->name, "raw"))
			return true;
	return false;
}

/* The first `default` row for a name that applies: to a key that is absent, and with ?= also to a null. */
static int find_default(struct arch_run *r, int symbol, bool null, const struct row **out)
{
	const struct rows *rows = &r->arch->rows[ROW_DEFAULT];
	*out = NULL;
	for (size_t i = 0; i < rows->n && !*out && !r->in->backwards && !is_raw(r->arch); i++) {
		const struct row *d = rows->row[i];
		struct value v = v_bool(true);
		if (d->symbol != symbol || (null && !d->also_null))
			continue;
		if (d->when && expr_eval_outside(&r->env, d->when, &v))
			return -1;
		if (v_truth(&v))
			*out = d;
	}
	return 0;
}

static int config_value(struct arch_run *r, int symbol, struct value *out, bool *has)
{
	const struct row *d;
	const struct json *j = config_get(r, r->arch->symbols.name[symbol]);
	bool null = json_kind(j) == JSON_NULL;
	*has = j != NULL;
	*out = (struct value){ .kind = j ? V_JSON : V_NULL, .json = j };
	if (j && !null)
		return 0;
	if (find_default(r, symbol, null, &d))
		return -1;
	if (!d)
		return 0;
	*has = true;
	return expr_eval_outside(&r->env, d->expr, out);
}

/* ---- rope ---- */

/* A configuration value by name, for C code: with defaults and lets where the family mentions it. */
static int named(struct arch_run *r, const char *name, struct value *out, bool *has)
{
	const struct map_slot *slot = map_find(&r->arch->symbols.map, name, strlen(name));
	if (slot)
		return r->env.lookup(&r->env, (int)slot->value.i, out, has);
	const struct json *j = config_get(r, name);
	*out = v_json(j, r->env.arena);
	*has = j != NULL;
	return 0;
}

static int first_named(struct arch_run *r, const char *const *names, struct value *out)
{
	bool has = false;
	for (; *names && !has; names++)
		if (named(r, *names, out, &has))
			return -1;
	if (!has)
		*out = v_null();
	*out = v_load(*out, r->env.arena);
	return 0;
}

struct object { /* being made: copied members, room for some more */
	struct member item[64];
	size_t n;
};

static void put(struct object *o, const char *key, struct value v)
{
	if (v.kind != V_NULL && o->n < sizeof(o->item) / sizeof(o->item[0]))
		o->item[o->n++] = (struct member){ { key, strlen(key) }, v };
}

static struct value close_object(const struct object *o, struct arena *a)
{
	struct member *m = (struct member *)arena_memdup(a, o->item, o->n * sizeof(*m));
	return (struct value){ .kind = V_OBJECT, .object = { m, o->n } };
}

/* What an object of rope parameters gets from the configuration where it lacks it. */
static const struct {
	const char *key;
	const char *names[7];
} rope_members[] = {
	{ "rope_theta",
		{ "global_rope_theta", "rope_global_theta", "rope_theta_global", "rope_theta", "rotary_emb_base" } },
	{ "partial_rotary_factor", { "partial_rotary_factor", "rope_pct", "rope_percent" } },
	{ "original_max_position_embeddings", { "original_max_position_embeddings" } },
};
static const char *const rope_objects[] = { "rope_parameters", "rope_scaling", NULL };
static const char *const local_thetas[] = { "local_rope_theta", "rope_local_theta", "rope_theta_local",
	"swa_rope_theta", "rope_local_base_freq", NULL };

static int complete_rope(struct arch_run *r, struct object *o, const struct value *from)
{
	struct value v;
	const struct value *type = v_member(from, "type", 4);
	if (first_named(r, local_thetas, &v))
		return -1;
	if (v.kind != V_NULL) {
		struct object local = { 0 };
		put(&local, "rope_theta", v);
		put(o, "sliding_attention", close_object(&local, r->env.arena));
	}
	if (type && !v_member(from, "rope_type", 9))
		put(o, "rope_type", v_load(*type, r->env.arena));
	for (size_t i = 0; i < sizeof(rope_members) / sizeof(rope_members[0]); i++) {
		const char *key = rope_members[i].key;
		if (v_member(from, key, strlen(key)))
			continue;
		if (first_named(r, rope_members[i].names, &v))
			return -1;
		put(o, key, v);
	}
	return 0;
}

/* Rotary parameters in one shape, whatever the version that wrote them; rope.full is what layers with full attention
 * use. */
static int rope_value(struct arch_run *r, struct value *out)
{
	struct object o = { 0 };
	struct value from;
	if (first_named(r, rope_objects, &from))
		return -1;
	if (from.kind == V_OBJECT)
		for (size_t i = 0; i < from.object.n && i < 48; i++)
			put(&o, from.object.item[i].key.p, v_load(from.object.item[i].value, r->env.arena));
	const struct value *full = v_member(&from, "full_attention", 14);
	if (!full && !v_member(&from, "sliding_attention", 17) && complete_rope(r, &o, &from))
		return -1;
	put(&o, "full", full ? v_load(*full, r->env.arena) : close_object(&o, r->env.arena));
	*out = close_object(&o, r->env.arena);
	return 0;
}

/* ---- files ---- */

bool arch_plain_path(const char *p)
{
	return *p && *p != '/' && !strstr(p, "..");
}

int arch_read_json(struct arch_run *r, const char *name, struct value *out)
{
	*out = v_null();
	if (!arch_plain_path(name))
		return env_fail(&r->env, "'%s' is no file name", name);
	if (!r->in->dir)
		return 0;
	const char *path = arena_printf(r->env.arena, "%s/%s", r->in->dir, name);
	if (path_kind(path) != PATH_FILE)
		return 0;
	struct json_doc *d = json_read_file(path, CONFIG_LIMIT, r->env.err);
	if (!d)
		return -1;
	if (r->n_docs == r->cap_docs)
		r->doc = arena_grow(r->arena, r->doc, &r->cap_docs, r->n_docs + 1, sizeof(*r->doc));
	r->doc[r->n_docs++] = d;
	*out = (struct value){ .kind = V_JSON, .json = json_root(d) };
	return 0;
}

static bool json_true(const struct json *j, const char *key)
{
	bool b = false;
	return json_bool(json_get(j, key), &b) && b;
}

static int pooling_of(struct arch_run *r, const struct json *j, struct value *out)
{
	static const struct {
		const char *flag, *mode;
		int type;
	} modes[] = { { "pooling_mode_mean_tokens", "mean", 1 }, { "pooling_mode_cls_token", "cls", 2 },
		      { "pooling_mode_lasttoken", "lasttoken", 3 } };
	const char *mode = json_cstr(json_get(j, "pooling_mode"));
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
			if (pass ? mode && !strcmp(mode, modes[i].mode) : json_true(j, modes[i].flag)) {
				*out = v_int(modes[i].type);
				return 0;
			}
	return env_fail(&r->env, "the pooling of this model is not mean, cls or last token");
}

/* How sentence-transformers pools the tokens: 1 mean, 2 first token, 3 last token; null where modules.json does not
 * say. */
static int pooling_value(struct arch_run *r, struct value *out)
{
	struct value modules, file;
	if (arch_read_json(r, "modules.json", &modules))
		return -1;
	*out = v_null();
	for (const struct json *m = modules.kind == V_JSON ? json_first(modules.json) : NULL; m; m = json_next(m)) {
		const char *type = json_cstr(json_get(m, "type")), *path = json_cstr(json_get(m, "path"));
		size_t n = type ? strlen(type) : 0;
		if (n < 7 || strcmp(type + n - 7, "Pooling") || !path)
			continue;
		if (arch_read_json(r, arena_printf(r->env.arena, "%s/config.json", path), &file))
			return -1;
		return pooling_of(r, file.kind == V_JSON ? file.json : NULL, out);
	}
	if (arch_read_json(r, "embedding_config.json", &file) || file.kind != V_JSON)
		return file.kind == V_JSON ? -1 : 0;
	const char *pooling = json_cstr(json_get(file.json, "pooling"));
	if (pooling && strcmp(pooling, "last_token"))
		return env_fail(&r->env, "pooling '%s' is not known", pooling);
	if (pooling)
		*out = v_int(3);
	return 0;
}

/* ---- names ---- */

static const struct row *find_let(const struct arch *a, int symbol)
{
	const struct rows *rows = &a->rows[ROW_LET];
	for (size_t i = 0; i < rows->n; i++)
		if (rows->row[i]->symbol == symbol)
			return rows->row[i];
	return NULL;
}

static const char *directory_name(const struct arch_run *r)
{
	char *dir = arena_strdup(r->env.arena, r->in->dir ? r->in->dir : "");
	size_t n = strlen(dir);
	while (n > 1 && dir[n - 1] == '/')
		dir[--n] = 0;
	const char *slash = strrchr(dir, '/');
	return slash && slash[1] ? slash + 1 : dir;
}

/* What the user asked for, by name. */
static struct value option_value(const struct arch_run *r)
{
	struct object o = { 0 };
	for (const char *const *name = r->in->option; name && *name; name++)
		put(&o, *name, v_bool(true));
	return close_object(&o, r->env.arena);
}

static int work_out(struct arch_run *r, int symbol, struct value *out, bool *has)
{
	const struct arch_symbols *sym = &r->arch->sym;
	const struct rows *layers = &r->arch->rows[ROW_LAYERS];
	const struct row *let = r->in->backwards ? NULL : find_let(r->arch, symbol);
	*has = true;
	if (r->in->backwards)
		return config_value(r, symbol, out, has);
	if (let) {
		if (expr_eval_outside(&r->env, let->expr, out))
			return -1;
		*has = out->kind != V_NULL || config_get(r, r->arch->symbols.name[symbol]);
		return 0;
	}
	if (symbol == sym->rope)
		return rope_value(r, out);
	if (symbol == sym->pooling)
		return pooling_value(r, out);
	if (symbol == sym->config) { /* all of it, a nested text_config apart */
		*out = (struct value){ .kind = V_JSON, .json = r->config };
		return 0;
	}
	if (symbol == sym->option) {
		*out = option_value(r);
		return 0;
	}
	if (symbol == sym->directory) {
		*out = v_str(directory_name(r));
		return 0;
	}
	if (symbol == sym->layers && layers->n)
		return expr_eval_outside(&r->env, layers->row[0]->expr, out);
	return config_value(r, symbol, out, has);
}

/* A name that is being worked out stands for the configuration's value inside its own row, so that a let may shadow
 * what it reads. */
static int lookup(struct env *e, int symbol, struct value *out, bool *has)
{
	struct arch_run *r = (struct arch_run *)e;
	struct let *l = &r->name[symbol];
	const char *name = r->arch->symbols.name[symbol];
	if (l->state == 1) {
		if (find_let(r->arch, symbol) && e->at && e->at == find_let(r->arch, symbol)->expr)
			return config_value(r, symbol, out, has);
		return env_fail(e, "'%s' depends on itself", name);
	}
	if (!l->state) {
		l->state = 1;
		if (work_out(r, symbol, &l->value, &l->has)) {
			l->state = 0;
			return -1;
		}
		l->value = v_load(l->value, e->arena);
		l->state = 2;
	}
	*out = l->value;
	*has = l->has;
	return 0;
}

/* ---- the run ---- */

/* `config FILE`: another file than config.json. */
static int open_config(struct arch_run *r)
{
	struct value v;
	const struct rows *rows = &r->arch->rows[ROW_CONFIG];
	r->config = r->in->config;
	for (size_t i = 0; i < rows->n; i++) {
		if (!strcmp(rows->row[i]->name, "raw"))
			continue;
		if (arch_read_json(r, rows->row[i]->name, &v))
			return -1;
		if (v.kind != V_JSON)
			return heft_fail(r->err, HEFT_E_CONFIG, "the model has no '%s'", rows->row[i]->name);
		r->config = v.json;
		break;
	}
	if (!r->in->backwards)
		r->nested = arch_is_projector(r->arch) ? vision_config(r->config) : arch_text_config(r->config);
	return 0;
}

/* The configuration's keys that an expression reads, with their values. */
static size_t show_keys(const struct arch_run *r, const struct expr *x, char *out, size_t cap)
{
	size_t n = 0;
	out[0] = 0;
	for (int i = 0; i < x->n && n < cap; i++) {
		const char *name = x->code[i].op == X_NAME || x->code[i].op == X_TRY ? r->arch->symbols.name[x->code[i].a] : NULL;
		const struct json *j = name ? config_get(r, name) : NULL;
		struct value v;
		if (!j || strstr(out, arena_printf(r->arena, "%s = ", name)))
			continue;
		v = v_load((struct value){ .kind = V_JSON, .json = j }, r->arena);
		n += (size_t)snprintf(out + n, cap - n, v.kind == V_STR ? "%s%s = \"%.40s\"" : "%s%s = %.40s", n ? ", " : "", name,
				      v_show(&v, r->arena));
	}
	return n;
}

/* A wrong value is a fault of config.json: its reader need not know the family's file. */
static bool blame_config(struct env *e, const char *what)
{
	const struct arch_run *r = (const struct arch_run *)e;
	char keys[300];
	if (!show_keys(r, e->at, keys, sizeof(keys)))
		return false;
	heft_fail(e->err, HEFT_E_CONFIG, "%s: %s: %s (%s:%d)", arch_config_name(r), what, keys, e->at->file, e->at->line);
	return true;
}

int arch_run_init(struct arch_run *r, const struct arch *a, const struct arch_input *in, struct arch_result *out, struct arena *arena,
		  struct sink *sink, struct heft_err *err)
{
	memset(r, 0, sizeof(*r));
	r->env.arena = r->arena = arena;
	r->env.symbols = (struct symbols *)&a->symbols;
	r->env.err = r->err = err;
	r->env.budget = BUDGET + (uint64_t)in->n_tensors * BUDGET_PER_TENSOR;
	r->env.lookup = lookup;
	r->env.blame = blame_config;
	r->arch = a;
	r->in = in;
	r->out = out;
	r->sink = sink;
	r->layers = -1;
	r->name = arena_array(arena, a->symbols.n, sizeof(*r->name));
	*out = (struct arch_result){ .vocab_size = -1 };
	return open_config(r);
}

const char *arch_config_name(const struct arch_run *r)
{
	if (r->in->config_name)
		return r->in->config_name;
	return r->in->dir ? arena_printf(r->arena, "%s/config.json", r->in->dir) : "config.json";
}

void arch_run_release(struct arch_run *r)
{
	for (size_t i = 0; i < r->n_docs; i++)
		json_free(r->doc[i]);
}

int arch_tell(struct arch_run *r, enum heft_code code, const char *tensor, const char *hint, const char *fmt, ...)
{
	char text[sizeof(r->first.text)];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!r->told++)
		heft_fail(&r->first, code, "%s%s%s%s", tensor ? "tensor '" : "", tensor ? tensor : "",
			tensor ? "': " : "", text);
	return r->sink ? sink_tellf(r->sink, code, NULL, tensor, hint, "%s", text) : 0;
}
