/*
 * llamacpp_general.c - general.* metadata of a checkpoint: whose it is, under which licence, what it was made from, how
 * to sample.
 *
 * Each key has its sources in a row of the table; the first source that says something wins, but that --metadata wins
 * over all:
 *
 *	--metadata FILE  >  model card  >  _name_or_path of config.json  >  directory name        (descriptions)
 *	--metadata FILE  >  generation_config.json                                                 (sampling)
 *
 * All of it was written by strangers: sizes are bounded, texts are carried as bytes, a value of the wrong kind is an
 * error that names its file and key.
 */
#include "../../base/mount.h"
#include "target.h"
#include "llamacpp_card.h"
#include "llamacpp_names.h"

#include <math.h>
#include <string.h>

enum { QUANTIZATION_VERSION = 2, CONFIG_LIMIT = 16 << 20, MAX_KEYS = 4, MAX_PARENTS = 64 };

struct row {
	const char *key;
	const char *card[MAX_KEYS];       /* in the model card */
	const char *generation[MAX_KEYS]; /* in generation_config.json: the first that it has, also where it is null */
	enum id_part id;                  /* in a model id */
	bool append;                      /* the values of all card keys together */
	bool fixed;                       /* --metadata does not change it */
};

/* In the order of the file. Types come from llamacpp_key_type(). */
static const struct row rows[] = {
	{ .key = "general.sampling.sequence", .generation = { "sequence" } },
	{ .key = "general.sampling.top_k", .generation = { "top_k" } },
	{ .key = "general.sampling.top_p", .generation = { "top_p" } },
	{ .key = "general.sampling.min_p", .generation = { "min_p" } },
	{ .key = "general.sampling.xtc_probability", .generation = { "xtc_probability" } },
	{ .key = "general.sampling.xtc_threshold", .generation = { "xtc_threshold" } },
	{ .key = "general.sampling.temp", .generation = { "temperature" } },
	{ .key = "general.sampling.penalty_last_n", .generation = { "penalty_last_n" } },
	{ .key = "general.sampling.penalty_repeat", .generation = { "penalty_repeat", "repetition_penalty" } },
	{ .key = "general.sampling.mirostat", .generation = { "mirostat" } },
	{ .key = "general.sampling.mirostat_tau", .generation = { "mirostat_tau" } },
	{ .key = "general.sampling.mirostat_eta", .generation = { "mirostat_eta" } },
	{ .key = "general.name", .card = { "name", "model_name" }, .id = ID_NAME },
	{ .key = "general.author", .card = { "author", "model_author", "model_creator" } },
	{ .key = "general.version", .card = { "version", "model_version" }, .id = ID_VERSION },
	{ .key = "general.organization", .card = { "organization", "model_organization" }, .id = ID_ORGANIZATION },
	{ .key = "general.finetune", .card = { "finetune", "model_finetune" }, .id = ID_FINETUNE },
	{ .key = "general.basename", .card = { "basename", "model_basename", "model_type" }, .id = ID_BASENAME },
	{ .key = "general.description", .card = { "description", "model_description" } },
	{ .key = "general.quantized_by" },
	{ .key = "general.size_label", .card = { "size_label", "model_size_label" }, .id = ID_SIZE_LABEL },
	{ .key = "general.license", .card = { "license" }, .fixed = true },
	{ .key = "general.license.name", .card = { "license_name" } },
	{ .key = "general.license.link", .card = { "license_link" } },
	{ .key = "general.url" },
	{ .key = "general.doi" },
	{ .key = "general.uuid" },
	{ .key = "general.repo_url" },
	{ .key = "general.source.url", .card = { "url", "model_url" } },
	{ .key = "general.source.doi", .card = { "doi", "model_doi" } },
	{ .key = "general.source.uuid", .card = { "uuid", "model_uuid" } },
	{ .key = "general.source.repo_url", .card = { "repo_url", "model_repo_url" } },
	{ .key = "general.base_models", .card = { "base_model", "base_models", "base_model_sources" } },
	{ .key = "general.datasets", .card = { "datasets", "dataset", "dataset_sources" } },
	{ .key = "general.tags", .card = { "tags", "pipeline_tag" }, .append = true },
	{ .key = "general.languages", .card = { "languages", "language" }, .append = true },
};
enum { N_ROWS = sizeof(rows) / sizeof(rows[0]) };

/* What a base model or data set is described by. */
static const char *const parent_keys[] = {"name", "author", "version", "organization", "description",
					  "url",  "doi",    "uuid",    "repo_url"};

struct list {
	struct heft_kv *kv;
	size_t n, cap;
	struct arena *a;
};

/* An empty text is not written. */
static void add(struct list *l, const char *key, struct heft_value v)
{
	if (v.type == HEFT_STRING && !v.array && !v.s.n)
		return;
	l->kv = arena_grow(l->a, l->kv, &l->cap, l->n + 1, sizeof(*l->kv));
	l->kv[l->n++] = (struct heft_kv){ key, v };
}

static struct heft_value value_u32(uint32_t u)
{
	return (struct heft_value){ .type = HEFT_U32, .count = 1, .u = u };
}

static struct heft_value value_text(const char *s)
{
	return (struct heft_value){ .type = HEFT_STRING, .count = 1, .s = { s, strlen(s) } };
}

/* ---- from JSON and YAML to values ------------------------------------------------------------------------------ */

/* As Python would print it: "1.0", "2024". */
static const char *number_text(const struct json *j, double v, struct arena *a)
{
	bool whole = json_is_float(j) && v == floor(v) && fabs(v) < 1e15;
	char *s = arena_printf(a, whole ? "%.1f" : "%.15g", v);
	char *comma = strchr(s, ','); /* of the locale */
	if (comma)
		*comma = '.';
	return s;
}

/* A scalar as text; false for null, lists and objects. YAML takes "no" for a truth value where somebody meant
 * Norwegian. */
static bool scalar_text(const struct json *j, struct heft_str *out, struct arena *a)
{
	double v;
	bool b;
	if (json_str(j, out)) {
		out->p = arena_memdup(a, out->p, out->n);
		return true;
	}
	if (json_bool(j, &b))
		out->p = b ? "true" : "no";
	else if (json_num(j, &v))
		out->p = number_text(j, v, a);
	else
		return false;
	out->n = strlen(out->p);
	return true;
}

/* A list of texts, "mit,apache-2.0", as the reference writes several licences. */
static struct heft_str joined(const struct json *list, struct arena *a)
{
	struct jbuf b = { 0 };
	struct heft_str t;
	for (const struct json *j = json_first(list); j; j = json_next(j)) {
		if (!scalar_text(j, &t, a))
			continue;
		jbuf_raw(&b, ",", b.n ? 1 : 0);
		jbuf_raw(&b, t.p, t.n);
	}
	t = (struct heft_str){ arena_memdup(a, b.n ? b.p : "", b.n), b.n };
	jbuf_release(&b);
	return t;
}

struct strings {
	struct heft_str *s;
	size_t n, cap;
};

static void append(struct strings *l, const struct json *j, struct arena *a)
{
	struct heft_str t;
	if (json_kind(j) == JSON_ARRAY) {
		for (j = json_first(j); j; j = json_next(j)) {
			l->s = arena_grow(a, l->s, &l->cap, l->n + 1, sizeof(*l->s));
			if (scalar_text(j, &t, a))
				l->s[l->n++] = t;
		}
	} else if (json_kind(j) == JSON_STRING && scalar_text(j, &t, a)) {
		l->s = arena_grow(a, l->s, &l->cap, l->n + 1, sizeof(*l->s));
		l->s[l->n++] = t;
	}
}

static struct heft_value value_strings(const struct strings *l)
{
	return (struct heft_value){ .type = HEFT_STRING, .array = true, .count = l->n, .data = l->s };
}

static int wrong_kind(const char *where, const char *key, const char *want, struct heft_err *err)
{
	return heft_fail(err, HEFT_E_CONFIG, "%s: '%s' is not %s", where, key, want);
}

/* One number or text in the key's type. 1: *out is filled, 0: null, -1: not of the key's kind. */
static int value_of(const char *key, const struct json *j, const char *where, struct heft_value *out, struct arena *a,
		    struct heft_err *err)
{
	enum key_type type = llamacpp_key_type(key);
	struct heft_str s;
	double v;
	int64_t i;
	if (json_kind(j) <= JSON_NULL)
		return 0;
	switch (type) {
	case KEY_F32:
		if (!json_num(j, &v))
			return wrong_kind(where, key, "a number", err);
		*out = (struct heft_value){ .type = HEFT_F32, .count = 1, .f = v };
		return 1;
	case KEY_I32:
		if (!json_int(j, &i) || i < INT32_MIN || i > INT32_MAX)
			return wrong_kind(where, key, "an integer of 32 bits", err);
		*out = (struct heft_value){ .type = HEFT_I32, .count = 1, .i = i };
		return 1;
	default:
		if (json_kind(j) == JSON_ARRAY)
			s = joined(j, a);
		else if (!scalar_text(j, &s, a))
			return wrong_kind(where, key, "a text", err);
		*out = (struct heft_value){ .type = HEFT_STRING, .count = 1, .s = s };
		return 1;
	}
}

/* ---- base models and data sets --------------------------------------------------------------------------------- */

static bool is_url(const char *s)
{
	return !strncmp(s, "http://", 7) || !strncmp(s, "https://", 8) || !strncmp(s, "ssh://", 6);
}

/* "ORG/NAME" of a link to the Hub's page of a repository, or NULL. */
static const char *hub_id(const char *url)
{
	static const char host[] = "huggingface.co";
	const char *p = strncmp(url, "http", 4) ? "" : url + 4;
	p += *p == 's';
	if (strncmp(p, "://", 3) || strncmp(p + 3, host, sizeof(host) - 1) || p[3 + sizeof(host) - 1] != '/')
		return NULL;
	const char *id = p + 3 + sizeof(host), *slash = strchr(id, '/');
	return slash && slash != id && slash[1] && !strchr(slash + 1, '/') ? id : NULL;
}

static void add_parent_text(struct list *l, const char *set, size_t i, const char *key, const char *text)
{
	if (text)
		add(l, arena_printf(l->a, "general.%s.%zu.%s", set, i, key), value_text(text));
}

/* A parent that is named by its model id or address. */
static void add_parent_id(struct list *l, const char *set, size_t i, const char *text, int64_t params)
{
	struct model_id id = { { NULL } };
	const char *repo = is_url(text) ? hub_id(text) : text, *url = NULL;
	if (repo)
		model_id_parse(&id, repo, params, l->a);
	const char *name = id.part[ID_NAME], *org = id.part[ID_ORGANIZATION];
	if (is_url(text))
		url = arena_strdup(l->a, text);
	else if (org)
		url = arena_printf(l->a, "https://huggingface.co/%s/%s", org, name);
	add_parent_text(l, set, i, "name", name ? model_id_title(name, l->a) : NULL);
	add_parent_text(l, set, i, "version", id.part[ID_VERSION]);
	add_parent_text(l, set, i, "organization", org ? model_id_title(org, l->a) : NULL);
	add_parent_text(l, set, i, "repo_url", url);
}

static void add_parent_object(struct list *l, const char *set, size_t i, const struct json *j)
{
	struct heft_str s;
	for (size_t k = 0; k < sizeof(parent_keys) / sizeof(parent_keys[0]); k++)
		if (scalar_text(json_get(j, parent_keys[k]), &s, l->a))
			add(l, arena_printf(l->a, "general.%s.%zu.%s", set, i, parent_keys[k]),
			    (struct heft_value){ .type = HEFT_STRING, .count = 1, .s = s });
}

/* `set` is "base_model" or "dataset"; its value a model id, an address, an object, or a list of those. An empty list is
 * counted too. */
static void add_parents(struct list *l, const char *set, const struct json *j, int64_t params)
{
	bool is_list = json_kind(j) == JSON_ARRAY;
	size_t at = l->n, n = 0;
	add(l, arena_printf(l->a, "general.%s.count", set), value_u32(0));
	for (const struct json *e = is_list ? json_first(j) : j; e; e = is_list ? json_next(e) : NULL) {
		const char *text = json_cstr(e);
		if (text)
			add_parent_id(l, set, n++, text, params);
		else if (json_kind(e) == JSON_OBJECT && is_list)
			add_parent_object(l, set, n++, e);
		else if (is_list)
			n++;
	}
	l->kv[at].value.u = n;
}

/* ---- the sources together -------------------------------------------------------------------------------------- */

struct sources {
	struct json_doc *card, *generation, *override;
	const char *card_name, *generation_name, *override_name;
	struct model_id id[2]; /* of _name_or_path, of the directory */
	int64_t params; /* negative: those that an adapter changes */
	struct arena *a;
};

/* The first key of `keys` that the object has: also where its value is null, unless `nulls` are passed over. */
static const struct json *first_of(const struct json *object, const char *const *keys, bool nulls)
{
	for (size_t i = 0; i < MAX_KEYS && keys[i]; i++) {
		const struct json *j = json_get(object, keys[i]);
		if (j && (nulls || json_kind(j) != JSON_NULL))
			return j;
	}
	return NULL;
}

static bool parent_set(const char *key, const char **set)
{
	bool base = !strcmp(key, "general.base_models"), data = !strcmp(key, "general.datasets");
	*set = base ? "base_model" : "dataset";
	return base || data;
}

static void add_list(struct list *l, const struct row *r, const struct json *over, const struct json *card)
{
	struct strings s = { 0 };
	if (over)
		append(&s, over, l->a);
	for (size_t i = 0; !over && i < MAX_KEYS && r->card[i]; i++)
		append(&s, json_get(card, r->card[i]), l->a);
	if (s.n)
		add(l, r->key, value_strings(&s));
}

/* What the model's id says, or NULL. */
static const char *text_of_id(const struct row *r, const struct sources *s)
{
	for (int i = 0; i < 2; i++) {
		const char *text = s->id[i].part[r->id];
		if (text && (r->id == ID_NAME || r->id == ID_ORGANIZATION))
			text = model_id_title(text, s->a);
		if (text && text[0])
			return text;
	}
	return NULL;
}

static int add_scalar(struct list *l, const struct row *r, const struct json *over, const struct sources *s,
		      struct heft_err *err)
{
	const struct json *card = first_of(json_root(s->card), r->card, false);
	const struct json *generation = first_of(json_root(s->generation), r->generation, true);
	struct heft_value v;
	int rc = over ? value_of(r->key, over, s->override_name, &v, s->a, err) :
		 card ? value_of(r->key, card, s->card_name, &v, s->a, err) :
			value_of(r->key, generation, s->generation_name, &v, s->a, err);
	const char *text = rc || over || r->id == ID_NONE ? NULL : text_of_id(r, s);
	if (text)
		v = value_text(text);
	if (rc > 0 || text)
		add(l, r->key, v);
	return rc < 0 ? -1 : 0;
}

static int add_row(struct list *l, const struct row *r, const struct sources *s, struct heft_err *err)
{
	const struct json *over = r->fixed ? NULL : json_get(json_root(s->override), r->key),
			  *card = json_root(s->card);
	const char *set;
	if (parent_set(r->key, &set)) {
		const struct json *j = over ? over : first_of(card, r->card, true);
		if (j && !(over && json_kind(over) == JSON_NULL))
			add_parents(l, set, json_kind(j) == JSON_NULL ? NULL : j, s->params);
		return 0;
	}
	if (llamacpp_key_type(r->key) == KEY_STRING_ARRAY) {
		add_list(l, r, over, card);
		return 0;
	}
	return add_scalar(l, r, over, s, err);
}

static struct heft_kv *find(struct list *l, const char *key)
{
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->kv[i].key, key))
			return &l->kv[i];
	return NULL;
}

/* generation_config.json: absent or no JSON, as some are, it says nothing. */
static struct json_doc *read_generation(const char *path)
{
	struct heft_err ignored;
	if (path_kind(path) != PATH_FILE)
		return NULL;
	return json_read_file(path, CONFIG_LIMIT, &ignored);
}

static int read_override(struct json_doc **out, const char *path, struct heft_err *err)
{
	*out = path ? json_read_file(path, CONFIG_LIMIT, err) : NULL;
	if (path && !*out)
		return -1;
	if (path && json_kind(json_root(*out)) != JSON_OBJECT)
		return heft_fail(err, HEFT_E_CONFIG, "%s: the metadata is not a JSON object of general.* keys", path);
	return 0;
}

/* _name_or_path is a model id, unless it is a path of the computer that it was made on. */
static void ids(struct sources *s, const struct general_input *in)
{
	const char *was = json_cstr(json_get(in->config, "_name_or_path"));
	const char *slash = was ? strchr(was, '/') : NULL;
	if (was && was[0] && (!slash || !strchr(slash + 1, '/')))
		model_id_parse(&s->id[0], was, s->params, s->a);
	const char *path = in->dir ? in->dir : in->model_path ? in->model_path : "";
	model_id_parse(&s->id[1], model_id_of_path(path, !in->dir, s->a), s->params, s->a);
}

static int open_sources(struct sources *s, const struct general_input *in, struct heft_err *err)
{
	s->override_name = in->metadata_file;
	if (read_override(&s->override, in->metadata_file, err))
		return -1;
	if (!in->dir)
		return 0;
	s->card_name = arena_printf(s->a, "%s/README.md", in->dir);
	s->generation_name = arena_printf(s->a, "%s/generation_config.json", in->dir);
	s->generation = read_generation(s->generation_name);
	return card_read(&s->card, in->dir, s->a, err);
}

static void close_sources(struct sources *s)
{
	json_free(s->card);
	json_free(s->generation);
	json_free(s->override);
}

/* The name is never missing; a size label is where there are weights. */
static void fill_up(struct list *l, const struct general_input *in, const struct sources *s,
		    const struct param_count *count)
{
	struct heft_kv *name = find(l, "general.name");
	const char *text = in->model_name ? arena_strdup(l->a, in->model_name) : s->id[1].part[ID_NAME];
	if (in->model_name && name)
		name->value = value_text(text);
	else if (!name)
		add(l, "general.name", value_text(text[0] ? text : "model"));
	if (!find(l, "general.size_label") && count->total && !in->adapter)
		add(l, "general.size_label", value_text(llamacpp_size_label(count, l->a)));
	add(l, "general.quantization_version", value_u32(QUANTIZATION_VERSION));
}

int llamacpp_general(const struct general_input *in, struct heft_kv **kv, size_t *n, struct arena *a,
		     struct heft_err *err)
{
	struct list l = { .a = a };
	struct param_count count = { 0 };
	for (size_t i = 0; i < in->n_weights; i++)
		llamacpp_count(&count, in->weight[i].name, &in->weight[i].shape);
	struct sources s = { .a = a, .params = in->adapter ? -(int64_t)count.total : (int64_t)count.total };
	int rc = open_sources(&s, in, err);
	ids(&s, in);
	add(&l, "general.architecture", value_text(in->arch));
	add(&l, "general.type", value_text(in->adapter ? "adapter" : in->projector ? "mmproj" : "model"));
	for (size_t i = 0; i < N_ROWS && !rc; i++)
		rc = add_row(&l, &rows[i], &s, err);
	if (!rc)
		fill_up(&l, in, &s, &count);
	close_sources(&s);
	*kv = l.kv;
	*n = l.n;
	return rc;
}

/* ---- the way back ---------------------------------------------------------------------------------------------- */

static const struct heft_value *value_at(const struct heft_kv *kv, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(kv[i].key, key))
			return &kv[i].value;
	return NULL;
}

/* A text, number or list of texts as JSON, which is YAML too; NULL: something else. */
static const char *json_of(const struct heft_value *v, struct arena *a)
{
	struct jbuf b = { 0 };
	if (!v->array)
		return v->type == HEFT_STRING ? json_of_str(v->s, a) : v->type == HEFT_F32 ? json_of_f32((float)v->f, a) :
		       v->type == HEFT_I32    ? arena_printf(a, "%lld", (long long)v->i) :
						NULL;
	if (v->type != HEFT_STRING)
		return NULL;
	for (uint64_t i = 0; i < v->count; i++)
		jbuf_printf(&b, "%s%s", i ? ", " : "[", json_of_str(((const struct heft_str *)v->data)[i], a));
	jbuf_raw(&b, v->count ? "]" : "[]", v->count ? 1 : 2);
	const char *text = arena_memdup(a, b.p, b.n);
	jbuf_release(&b);
	return text;
}

static const char *parent_json(const struct heft_kv *kv, size_t n, const char *set, uint64_t i, struct arena *a)
{
	const char *text = "";
	for (size_t k = 0; k < sizeof(parent_keys) / sizeof(parent_keys[0]); k++) {
		const struct heft_value *v =
			value_at(kv, n, arena_printf(a, "general.%s.%llu.%s", set, (unsigned long long)i, parent_keys[k]));
		const char *json = v ? json_of(v, a) : NULL;
		if (json)
			text = arena_printf(a, "%s%s\"%s\": %s", text, *text ? ", " : "", parent_keys[k], json);
	}
	return arena_printf(a, "{%s}", text);
}

/* Base models or data sets as a list of objects. */
static const char *parents_json(const struct heft_kv *kv, size_t n, const char *set, struct arena *a)
{
	const struct heft_value *count = value_at(kv, n, arena_printf(a, "general.%s.count", set));
	const char *text = "";
	if (!count || count->array || count->type != HEFT_U32)
		return NULL;
	for (uint64_t i = 0; i < count->u && i < MAX_PARENTS; i++)
		text = arena_printf(a, "%s%s%s", text, i ? ", " : "", parent_json(kv, n, set, i, a));
	return arena_printf(a, "[%s]", text);
}

/* The last spelling of base models and data sets is the one that takes objects on the Hub, the first that of all other keys. */
static const char *card_key(const struct row *r, bool parents)
{
	int k = 0;
	while (parents && k + 1 < MAX_KEYS && r->card[k + 1])
		k++;
	return r->card[k];
}

/* A size label in front of the last key was counted, and will be again. */
static bool was_counted(const struct heft_kv *kv, size_t n, const char *key)
{
	size_t i = 0;
	while (i < n && strcmp(kv[i].key, key))
		i++;
	return i + 1 < n && !strcmp(key, "general.size_label") && !strcmp(kv[i + 1].key, "general.quantization_version");
}

void llamacpp_general_back(const struct heft_kv *kv, size_t n, struct heft_str *card, struct nest *generation, struct arena *a)
{
	const char *text = "";
	for (size_t i = 0; i < N_ROWS; i++) {
		const struct row *r = &rows[i];
		const struct heft_value *v = value_at(kv, n, r->key);
		const char *set, *json;
		bool parents = parent_set(r->key, &set);
		json = parents ? parents_json(kv, n, set, a) : v ? json_of(v, a) : NULL;
		if (json && r->generation[0])
			nest_put(generation, r->generation[0], json);
		if (json && r->card[0] && !was_counted(kv, n, r->key))
			text = arena_printf(a, "%s%s: %s\n", text, card_key(r, parents), json);
	}
	if (*text)
		text = arena_printf(a, "---\n%s---\n", text);
	*card = (struct heft_str){ text, strlen(text) };
}
