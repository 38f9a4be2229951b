/*
 * back.c - a GGUF's tokenizer as the files that transformers reads: tokenizer.json, tokenizer_config.json, the chat
 * template, and for SentencePiece's kind tokenizer.model, which alone keeps the scores.
 *
 * Refuses kinds that it has no rules for, arrays that do not fit one another, and pieces without scores of their own:
 * their merges are lost.
 */
#include "back.h"

#include "../../base/utf8.h"

#include <string.h>

#define GGML "tokenizer.ggml."

/* ---- the metadata ---- */

static const struct heft_value *find(const struct vocab *v, const char *key)
{
	for (size_t i = 0; i < v->n_kv; i++)
		if (!strcmp(v->kv[i].key, key))
			return &v->kv[i].value;
	return NULL;
}

/* p NULL: there is none. */
static struct heft_str string(const struct vocab *v, const char *key)
{
	const struct heft_value *x = find(v, key);

	return x && !x->array && x->type == HEFT_STRING ? x->s : (struct heft_str){ NULL, 0 };
}

/* An array of one type, with as many elements as there are tokens where `each`. *out NULL: there is none. */
static int array(const struct vocab *v, const char *key, enum heft_vtype type, bool each, const void **out, size_t *n, struct heft_err *err)
{
	const struct heft_value *x = find(v, key);

	*out = x ? x->data : NULL;
	*n = x ? x->count : 0;
	if (x && (!x->array || x->type != type || (each && x->count != v->n)))
		return heft_fail(err, HEFT_E_TOKENIZER, "'%s' is not a list as its tokenizer needs it", key);
	return 0;
}

static int check_utf8(const char *key, const struct heft_str *s, size_t n, struct heft_err *err)
{
	for (size_t i = 0; i < n; i++)
		if (!utf8_valid(s[i].p, s[i].n))
			return heft_fail(err, HEFT_E_TOKENIZER, GGML "%s: number %zu is not UTF-8, and JSON cannot hold it", key, i);
	return 0;
}

static int read_arrays(struct vocab *v, struct heft_err *err)
{
	const void *p;
	size_t n;

	if (array(v, GGML "tokens", HEFT_STRING, false, &p, &v->n, err))
		return -1;
	v->text = p;
	if (v->n > (size_t)TOKENIZER_MAX_ROWS)
		return heft_fail(err, HEFT_E_TOKENIZER, "a vocabulary of %zu tokens is more than heft writes", v->n);
	if (array(v, GGML "token_type", HEFT_I32, true, &p, &n, err))
		return -1;
	v->type = p;
	if (array(v, GGML "scores", HEFT_F32, true, &p, &n, err))
		return -1;
	v->score = p;
	if (array(v, GGML "merges", HEFT_STRING, false, &p, &v->n_merges, err))
		return -1;
	v->merge = p;
	return check_utf8("tokens", v->text, v->n, err) || check_utf8("merges", v->merge, v->n_merges, err) ? -1 : 0;
}

static int flag(const struct vocab *v, const char *key)
{
	const struct heft_value *x = find(v, key);

	return x && !x->array && x->type == HEFT_BOOL ? x->b : -1;
}

static void read_roles(struct vocab *v)
{
	static const struct {
		enum role role;
		const char *id, *add;
	} keys[] = {
		{ ROLE_BOS, GGML "bos_token_id", GGML "add_bos_token" },
		{ ROLE_EOS, GGML "eos_token_id", GGML "add_eos_token" },
		{ ROLE_UNK, GGML "unknown_token_id", NULL },
		{ ROLE_SEP, GGML "seperator_token_id", GGML "add_sep_token" },
		{ ROLE_PAD, GGML "padding_token_id", NULL },
		{ ROLE_MASK, GGML "mask_token_id", NULL },
	};

	for (int role = 0; role < ROLES; role++)
		v->id[role] = v->add[role] = -1;
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		const struct heft_value *x = find(v, keys[i].id);

		if (x && !x->array && x->type == HEFT_U32 && x->u < v->n)
			v->id[keys[i].role] = (int64_t)x->u;
		if (keys[i].add)
			v->add[keys[i].role] = flag(v, keys[i].add);
	}
	v->space_prefix = flag(v, GGML "add_space_prefix");
	v->nfc = flag(v, GGML "normalizer.nfc");
}

enum token_type vocab_type(const struct vocab *v, size_t i)
{
	return v->type ? (enum token_type)v->type[i] : TOKEN_NORMAL;
}

bool vocab_is_pad(const struct vocab *v, size_t i)
{
	char name[32];

	if (vocab_type(v, i) != TOKEN_UNUSED)
		return false;
	snprintf(name, sizeof(name), "[PAD%zu]", i);
	return str_is(v->text[i], name);
}

bool vocab_is_added(const struct vocab *v, size_t i)
{
	enum token_type type = vocab_type(v, i);

	return type == TOKEN_CONTROL || type == TOKEN_USER_DEFINED;
}

/* Where all pieces have one score, they were made without: it does not say which pair is merged first. */
static bool scores_tell(const struct vocab *v)
{
	const float *first = NULL;

	for (size_t i = 0; v->score && i < v->n; i++) {
		if (vocab_type(v, i) != TOKEN_NORMAL)
			continue;
		if (first && *first != v->score[i])
			return true;
		first = &v->score[i];
	}
	return v->score && !first;
}

static int check_kind(struct vocab *v, const char *model, const struct pre_rule **rule, struct heft_err *err)
{
	v->spm = !strcmp(model, "llama");
	if (!v->spm && strcmp(model, "gpt2"))
		return heft_fail(err, HEFT_E_TOKENIZER, "a tokenizer of kind '%s' has no way back to files; name a file as OUT to write the weights alone",
				 model);
	if (v->spm && !scores_tell(v))
		return heft_fail(err, HEFT_E_TOKENIZER, "the pieces have no scores of their own, so the order of their merges is lost; name a file as OUT to write the weights alone");
	*rule = v->spm || !v->pre ? NULL : pre_rule_find(v->pre);
	if (!v->spm && !*rule)
		return heft_fail(err, HEFT_E_PRETOKENIZER, "pre-tokenizer '%s' has no way back; pass --pre with the name of one that splits alike, such as llama-bpe, qwen2 or gpt-2, or name a file as OUT to write the weights alone",
				 v->pre ? v->pre : "");
	if (!v->spm && !v->merge)
		return heft_fail(err, HEFT_E_TOKENIZER, "the tokenizer has no " GGML "merges");
	return 0;
}

/* ---- tokenizer_config.json and templates ---- */

struct files_out {
	struct tokenizer_file *file;
	size_t n;
};

static void add_file(struct files_out *o, const char *name, struct heft_str text)
{
	o->file[o->n++] = (struct tokenizer_file){ name, text };
}

static void put_decoder(struct jbuf *b, const struct vocab *v)
{
	const char *comma = "";

	for (size_t i = 0; i < v->n; i++) {
		if (!vocab_is_added(v, i) || (v->spm && v->score[i] != -1000.0f && vocab_type(v, i) == TOKEN_CONTROL))
			continue;
		jbuf_printf(b, "%s\n    \"%zu\": {\"content\": ", *comma ? comma : "  \"added_tokens_decoder\": {", i);
		jbuf_string(b, v->text[i].p, v->text[i].n);
		jbuf_printf(b, ", \"lstrip\": false, \"normalized\": false, \"rstrip\": false, \"single_word\": false, \"special\": %s}",
			    vocab_type(v, i) == TOKEN_CONTROL ? "true" : "false");
		comma = ",";
	}
	jbuf_printf(b, "%s", *comma ? "\n  },\n" : "");
}

/* Templates with names stand in tokenizer_config.json, all of them; a lone one is a file of its own. */
static void put_templates(struct jbuf *b, const struct vocab *v)
{
	static const char prefix[] = "tokenizer.chat_template.";
	struct heft_str plain = string(v, "tokenizer.chat_template");
	const char *comma = "";

	jbuf_printf(b, "  \"chat_template\": [");
	if (plain.p) {
		jbuf_printf(b, "\n    {\"name\": \"default\", \"template\": ");
		jbuf_string(b, plain.p, plain.n);
		jbuf_raw(b, "}", 1);
		comma = ",";
	}
	for (size_t i = 0; i < v->n_kv; i++) {
		const struct heft_kv *kv = &v->kv[i];

		if (strncmp(kv->key, prefix, strlen(prefix)) || kv->value.array || kv->value.type != HEFT_STRING)
			continue;
		jbuf_printf(b, "%s\n    {\"name\": ", comma);
		jbuf_string(b, kv->key + strlen(prefix), strlen(kv->key + strlen(prefix)));
		jbuf_printf(b, ", \"template\": ");
		jbuf_string(b, kv->value.s.p, kv->value.s.n);
		jbuf_raw(b, "}", 1);
		comma = ",";
	}
	jbuf_printf(b, "\n  ],\n");
}

/* A role that a common token has is said by config.json alone: its name here would make the token a special one. */
static void put_roles(struct jbuf *b, const struct vocab *v)
{
	static const struct {
		enum role role;
		const char *name;
	} roles[] = { { ROLE_BOS, "bos" }, { ROLE_EOS, "eos" }, { ROLE_UNK, "unk" }, { ROLE_SEP, "sep" }, { ROLE_PAD, "pad" },
		      { ROLE_MASK, "mask" } };

	for (size_t i = 0; i < sizeof(roles) / sizeof(*roles); i++) {
		int64_t id = v->id[roles[i].role];

		if (id >= 0 && (vocab_is_added(v, (size_t)id) || vocab_type(v, (size_t)id) == TOKEN_UNKNOWN)) {
			jbuf_printf(b, "  \"%s_token\": ", roles[i].name);
			jbuf_string(b, v->text[id].p, v->text[id].n);
			jbuf_printf(b, ",\n");
		}
		if (v->add[roles[i].role] >= 0 && roles[i].role <= ROLE_EOS)
			jbuf_printf(b, "  \"add_%s_token\": %s,\n", roles[i].name, v->add[roles[i].role] ? "true" : "false");
	}
}

static struct heft_str config_file(const struct vocab *v, const struct pre_rule *rule, bool templates)
{
	const char *class = v->spm ? "LlamaTokenizer" : rule && rule->class ? rule->class : "PreTrainedTokenizerFast";
	struct jbuf b = { 0 };
	struct heft_str out;

	jbuf_printf(&b, "{\n");
	put_roles(&b, v);
	if (v->space_prefix >= 0)
		jbuf_printf(&b, "  \"add_prefix_space\": %s,\n", v->space_prefix ? "true" : "false");
	put_decoder(&b, v);
	if (templates)
		put_templates(&b, v);
	if (v->spm)
		jbuf_printf(&b, "  \"legacy\": false,\n");
	jbuf_printf(&b, "  \"clean_up_tokenization_spaces\": false,\n  \"tokenizer_class\": \"%s\"\n}\n", class);
	out = (struct heft_str){ arena_memdup(v->arena, b.p, b.n), b.n };
	jbuf_release(&b);
	return out;
}

/* ---- all ---- */

int tokenizer_back(const struct heft_kv *kv, size_t n_kv, const char *pre, struct tokenizer_file **out, size_t *n, struct arena *a,
		   struct heft_err *err)
{
	struct vocab v = { .kv = kv, .n_kv = n_kv, .arena = a };
	const char *model = string(&v, GGML "model").p;
	struct heft_str chat = string(&v, "tokenizer.chat_template");
	const struct pre_rule *rule;
	struct files_out o = { .file = arena_array(a, 4, sizeof(*o.file)) };
	bool named = find(&v, "tokenizer.chat_templates") || (chat.p && memchr(chat.p, '\r', chat.n)); /* a file of text would lose the \r */

	*out = o.file;
	*n = 0;
	if (!model || !strcmp(model, "none"))
		return 0;
	v.pre = pre ? pre : string(&v, GGML "pre").p;
	if (read_arrays(&v, err) || check_kind(&v, model, &rule, err))
		return -1;
	if (!v.n)
		return heft_fail(err, HEFT_E_TOKENIZER, "the tokenizer has no " GGML "tokens");
	read_roles(&v);
	if (v.spm)
		add_file(&o, "tokenizer.model", spm_file(&v));
	add_file(&o, "tokenizer.json", json_file(&v, rule));
	add_file(&o, "tokenizer_config.json", config_file(&v, rule, named));
	if (chat.p && !named)
		add_file(&o, "chat_template.jinja", chat);
	*n = o.n;
	return 0;
}
