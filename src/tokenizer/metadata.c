/*
 * metadata.c - a tokenizer's rows, merges, special tokens and templates as tokenizer.* keys, in the reference's types.
 * Empty texts and arrays are left out, as the reference leaves them out.
 */
#include "internal.h"

#include <string.h>

#define GGML "tokenizer.ggml."
#define MAX_KEYS 128

struct out {
	struct heft_kv *kv;
	size_t n;
};

static struct heft_value *put(struct out *o, const char *key, enum heft_vtype type)
{
	struct heft_kv *kv = &o->kv[o->n++];

	kv->key = key;
	kv->value = (struct heft_value){ .type = type, .count = 1 };
	return &kv->value;
}

static void put_string(struct out *o, const char *key, struct heft_str s)
{
	if (s.n)
		put(o, key, HEFT_STRING)->s = s;
}

static void put_array(struct out *o, const char *key, enum heft_vtype type, const void *data, size_t n)
{
	struct heft_value *v;

	if (!data || !n)
		return;
	v = put(o, key, type);
	v->array = true;
	v->count = n;
	v->data = data;
}

static void put_flag(struct out *o, const char *key, int flag)
{
	if (flag >= 0)
		put(o, key, HEFT_BOOL)->b = flag != 0;
}

static struct heft_str text(const char *z)
{
	return (struct heft_str){ z, z ? strlen(z) : 0 };
}

static int put_special(struct out *o, const struct special *s, struct heft_err *err)
{
	static const struct {
		const char *id, *add;
	} key[ROLES] = {
		[ROLE_BOS] = { GGML "bos_token_id", GGML "add_bos_token" },
		[ROLE_EOS] = { GGML "eos_token_id", GGML "add_eos_token" },
		[ROLE_UNK] = { GGML "unknown_token_id", NULL },
		[ROLE_SEP] = { GGML "seperator_token_id", GGML "add_sep_token" }, /* the format spells it so */
		[ROLE_PAD] = { GGML "padding_token_id", NULL },
		[ROLE_MASK] = { GGML "mask_token_id", NULL },
		[ROLE_EOT] = { GGML "eot_token_id", NULL },
		[ROLE_EOM] = { GGML "eom_token_id", NULL },
	};

	for (int role = 0; role < ROLES; role++) {
		if (key[role].id && s->id[role] > UINT32_MAX)
			return heft_fail(err, HEFT_E_TOKENIZER,
					 "a special token has the id %lld, which does not fit 32 bits",
					 (long long)s->id[role]);
		if (key[role].id && s->id[role] >= 0)
			put(o, key[role].id, HEFT_U32)->u = (uint64_t)s->id[role];
		if (key[role].add)
			put_flag(o, key[role].add, s->add[role]);
	}
	put_flag(o, GGML "normalizer.nfc", s->nfc);
	put_flag(o, GGML "normalizer.lowercase", s->lowercase);
	put_flag(o, GGML "normalizer.strip_accents", s->strip_accents);
	return 0;
}

static void put_templates(struct out *o, const struct special *s, struct arena *a)
{
	struct heft_str *name = arena_array(a, s->n_chat + 1, sizeof(*name));
	size_t n = 0;

	for (size_t i = 0; i < s->n_chat; i++) {
		if (str_is(s->chat[i].name, "default")) {
			put_string(o, "tokenizer.chat_template", s->chat[i].text);
			continue;
		}
		put_string(o, arena_printf(a, "tokenizer.chat_template.%s", s->chat[i].name.p), s->chat[i].text);
		name[n++] = s->chat[i].name;
	}
	put_array(o, "tokenizer.chat_templates", HEFT_STRING, name, n);
}

/* The tokenizer may be closed before the metadata is written: texts and arrays move to the caller's arena. */
static void own(struct heft_value *v, struct arena *a)
{
	struct heft_str *copy;

	if (v->type == HEFT_STRING && !v->array) {
		v->s.p = arena_memdup(a, v->s.p, v->s.n);
	} else if (v->type == HEFT_STRING) {
		copy = arena_array(a, v->count, sizeof(*copy));
		for (uint64_t i = 0; i < v->count; i++) {
			const struct heft_str *s = (const struct heft_str *)v->data + i;

			copy[i] = (struct heft_str){ arena_memdup(a, s->p, s->n), s->n };
		}
		v->data = copy;
	} else if (v->array) {
		v->data = arena_memdup(a, v->data, v->count * (v->type == HEFT_U8 ? 1 : sizeof(uint32_t)));
	}
}

int tokenizer_metadata(const struct tokenizer *t, struct heft_kv **kv, size_t *n, struct arena *a, struct heft_err *err)
{
	struct out o = { .kv = arena_array(a, MAX_KEYS, sizeof(*o.kv)) };

	put_string(&o, GGML "model", text(t->model));
	put_string(&o, GGML "pre", text(t->pre));
	put_array(&o, GGML "tokens", HEFT_STRING, t->rows.text, t->rows.n);
	put_array(&o, GGML "scores", t->rows.whole ? HEFT_I32 : HEFT_F32, t->rows.score, t->rows.n);
	put_array(&o, GGML "token_type", HEFT_I32, t->rows.type, t->rows.n);
	put_array(&o, GGML "merges", HEFT_STRING, t->merge, t->n_merges);
	put_flag(&o, GGML "add_space_prefix", t->add_space_prefix);
	put_flag(&o, GGML "remove_extra_whitespaces", t->remove_extra_whitespaces);
	put_array(&o, GGML "precompiled_charsmap", HEFT_U8, t->charsmap.p, t->charsmap.n);
	if (put_special(&o, &t->special, err))
		return -1;
	put_templates(&o, &t->special, a);
	for (size_t i = 0; i < o.n; i++)
		own(&o.kv[i].value, a);
	*kv = o.kv;
	*n = o.n;
	return 0;
}
