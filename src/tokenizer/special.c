/*
 * special.c - which tokens are bos, eos, unk ..., which of them a runtime adds by itself, and the normalizer's flags,
 * from tokenizer.json, tokenizer_config.json and config.json, by the reference's order of precedence.
 *
 * In short: tokenizer_config.json names a token by its text, tokenizer.json's added_tokens give its id, config.json's
 * *_token_id fill what is left. What is added comes from tokenizer.json's post_processor (its template is read only as
 * far as the reference reads it), else from tokenizer_config.json's add_*_token.
 */
#include "internal.h"

#include <string.h>

#define TEMPLATE_MAX 64 /* entries of a pair's template that are looked at */

static const char *const role_name[ROLES] = { "bos", "eos", "unk", "sep", "pad", "cls", "mask", "eot", "eom" };

/* A token named in tokenizer_config.json: a text, or an object with the text in "content". Only a plain text equals
 * another. */
struct named {
	bool set;   /* true in Python's sense */
	bool plain; /* a text */
	struct heft_str text;
};

struct reader {
	struct special *s;
	bool config; /* tokenizer_config.json is there and not empty */
	struct named named[ROLES];
	bool known[ROLES]; /* eot and eom count only once a template asks for them */
};

static struct named named_of(const struct json *j)
{
	struct named n = { 0 };

	if (json_str(j, &n.text)) {
		n.plain = true;
		n.set = n.text.n > 0;
	} else if (json_kind(j) == JSON_OBJECT) {
		n.set = json_count(j) > 0;
		if (!json_str(json_get(j, "content"), &n.text))
			n.text.p = NULL;
	}
	return n;
}

static struct named named_text(struct heft_str text)
{
	return (struct named){ .set = text.n > 0, .plain = true, .text = text };
}

static bool same(struct named n, struct heft_str text)
{
	return n.plain && n.text.n == text.n && !memcmp(n.text.p, text.p, text.n);
}

/* The token's text of an entry of a template, where it is a special token. */
static bool special_entry(const struct json *entry, struct heft_str *text)
{
	return json_str(json_get(json_get(entry, "SpecialToken"), "id"), text) && text->n;
}

static bool is_sequence(const struct json *entry, const char *id)
{
	struct heft_str s;

	return json_str(json_get(json_get(entry, "Sequence"), "id"), &s) && str_is(s, id);
}

static const struct json *last_of(const struct json *array)
{
	const struct json *last = NULL;

	for (const struct json *j = json_first(array); j; j = json_next(j))
		last = j;
	return last;
}

static void template_first(struct reader *r, struct heft_str first)
{
	struct named *bos = &r->named[ROLE_BOS], *cls = &r->named[ROLE_CLS];

	if (!r->config) {
		*bos = named_text(first);
	} else if (!same(*bos, first) && !same(*cls, first)) {
		if (!bos->set)
			*bos = named_text(first);
		if (!cls->set)
			*cls = named_text(first);
	}
	r->s->add[ROLE_BOS] = same(*bos, first) || same(*cls, first);
}

/* A template that ends with another token than eos: that one becomes eos, and the old eos ends a turn. */
static void template_last(struct reader *r, struct heft_str last)
{
	struct named *eos = &r->named[ROLE_EOS];

	if (r->config && !same(*eos, last)) {
		for (int role = ROLE_EOT; role <= ROLE_EOM; role++)
			if (!r->known[role]) {
				r->known[role] = true;
				r->named[role] = *eos;
				break;
			}
	}
	if (!same(*eos, last))
		*eos = named_text(last);
	r->s->add[ROLE_EOS] = 1;
}

/* What stands between the sequences of a pair: is a separator added? */
static void template_pair(struct reader *r, const struct json *pair, struct heft_str first, struct heft_str last)
{
	const struct json *entry[TEMPLATE_MAX];
	size_t from = 0, to = 0;
	struct heft_str text;
	bool add = false;

	if (json_count(pair) > TEMPLATE_MAX)
		return;
	for (const struct json *j = json_first(pair); j; j = json_next(j))
		entry[to++] = j;
	if (!to)
		return;
	if (first.n && special_entry(entry[0], &text) && same(named_text(text), first))
		from++;
	if (last.n && special_entry(entry[to - 1], &text) && same(named_text(text), last))
		to--;
	if (from + 2 >= to || !is_sequence(entry[from], "A") || !is_sequence(entry[to - 1], "B"))
		return;
	for (size_t i = from + 1; i < to - 1 && i < from + 3; i++) {
		if (i == from + 2 && to - from != 4)
			break; /* the second one counts only where there are just two */
		if (special_entry(entry[i], &text) &&
		    (same(r->named[ROLE_SEP], text) || same(r->named[ROLE_EOS], text)) && (i == from + 2 || !last.n))
			add = true;
	}
	r->s->add[ROLE_SEP] = add;
	if (add && !r->named[ROLE_SEP].set && r->config)
		r->named[ROLE_SEP] = r->named[ROLE_EOS];
}

static void read_template(struct reader *r, const struct json *processor)
{
	const struct json *single = json_get(processor, "single");
	struct heft_str first = { 0 }, last = { 0 };

	if (json_count(single) > 1) {
		if (special_entry(json_first(single), &first))
			template_first(r, first);
		else
			first.n = 0;
		if (special_entry(last_of(single), &last))
			template_last(r, last);
		else
			last.n = 0;
	}
	template_pair(r, json_get(processor, "pair"), first, last);
}

/* RobertaProcessing: { "cls": [text, id], "sep": [text, id] } */
static void read_roberta(struct reader *r, const struct json *processor)
{
	static const struct {
		enum role role, stand_in;
		const char *key;
	} part[] = {
		{ ROLE_CLS, ROLE_BOS, "cls" },
		{ ROLE_SEP, ROLE_EOS, "sep" },
	};

	r->s->add[ROLE_BOS] = r->s->add[ROLE_EOS] = r->s->add[ROLE_SEP] = 1;
	for (size_t i = 0; i < 2; i++) {
		const struct json *pair = json_get(processor, part[i].key);
		if (r->config && !r->named[part[i].role].set)
			r->named[part[i].role] = pair ? named_of(json_first(pair)) : r->named[part[i].stand_in];
	}
}

static void read_processor(struct reader *r, const struct json *processor)
{
	struct heft_str type;

	if (!json_str(json_get(processor, "type"), &type))
		return;
	if (str_is(type, "ByteLevel")) {
		for (int role = ROLE_BOS; role <= ROLE_EOS; role++)
			if (r->s->add[role] < 0)
				r->s->add[role] = 0;
	} else if (str_is(type, "RobertaProcessing")) {
		read_roberta(r, processor);
	} else if (str_is(type, "TemplateProcessing")) {
		read_template(r, processor);
	}
}

static void flag(int *to, const struct json *value)
{
	bool b;

	if (json_bool(value, &b))
		*to = b;
	else if (value)
		*to = -1; /* null */
}

static void read_normalizers(struct special *s, const struct json *normalizer)
{
	const struct json *node[256];
	int64_t n = json_flatten(normalizer, "normalizers", node, 256);
	struct heft_str type;

	for (int64_t i = 0; i < n; i++) {
		if (!json_str(json_get(node[i], "type"), &type))
			continue;
		if (str_is(type, "Lowercase")) {
			s->lowercase = 1;
		} else if (str_is(type, "NFC")) {
			s->nfc = 1;
		} else if (str_is(type, "StripAccents")) {
			s->strip_accents = 1;
		} else if (str_is(type, "BertNormalizer")) {
			flag(&s->lowercase, json_get(node[i], "lowercase"));
			flag(&s->strip_accents, json_get(node[i], "strip_accents"));
		}
	}
}

/* bos stands in for a missing cls and so on; then the post-processor is asked. */
static void read_tokenizer_json(struct reader *r, const struct json *tokenizer)
{
	const struct json *post = json_get(tokenizer, "post_processor"), *list = json_get(post, "processors");

	if (r->config && !r->named[ROLE_BOS].set && r->named[ROLE_CLS].set)
		r->named[ROLE_BOS] = r->named[ROLE_CLS];
	if (r->config && !r->named[ROLE_EOS].set && r->named[ROLE_SEP].set)
		r->named[ROLE_EOS] = r->named[ROLE_SEP];
	if (!list)
		read_processor(r, post);
	for (const struct json *j = json_first(list); j; j = json_next(j))
		read_processor(r, j);
	read_normalizers(r->s, json_get(tokenizer, "normalizer"));
}

static int set_id(struct special *s, enum role role, const struct json *id, int64_t n_vocab, struct heft_err *err)
{
	int64_t v;
	bool b;

	if (json_bool(id, &b))
		v = b; /* Python's bool is an int */
	else if (json_is_float(id) || !json_int(id, &v))
		return 0;
	if (v < 0)
		return heft_fail(err, HEFT_E_TOKENIZER, "the %s token has the negative id %lld", role_name[role],
				 (long long)v);
	if (s->id[role] < 0 && (n_vocab < 0 || v < n_vocab))
		s->id[role] = v;
	return 0;
}

static const struct json *added_id(const struct json *added, struct heft_str text)
{
	for (const struct json *j = json_first(added); j; j = json_next(j)) {
		struct heft_str content;
		if (json_str(json_get(j, "content"), &content) && same(named_text(content), text))
			return json_get(j, "id");
	}
	return NULL;
}

static const char *role_key(char *buf, size_t n, const char *fmt, enum role role)
{
	snprintf(buf, n, fmt, role_name[role]);
	return buf;
}

static int read_tokenizer_config(struct reader *r, const struct files *f, int64_t n_vocab, struct heft_err *err)
{
	const struct json *config = json_root(f->tokenizer_config),
			  *added = json_get(json_root(f->tokenizer), "added_tokens");
	char key[32];

	for (int role = 0; role < ROLES; role++) {
		bool b;
		if (!r->known[role])
			continue;
		if (json_bool(json_get(config, role_key(key, sizeof(key), "add_%s_token", role)), &b) &&
		    r->s->add[role] < 0)
			r->s->add[role] = b;
		if (r->named[role].text.p && set_id(r->s, role, added_id(added, r->named[role].text), n_vocab, err))
			return -1;
	}
	return 0;
}

static int read_config(struct reader *r, const struct json *config, int64_t n_vocab, struct heft_err *err)
{
	char key[32];

	for (int role = 0; role < ROLES; role++) {
		const struct json *id = json_get(config, role_key(key, sizeof(key), "%s_token_id", role));
		if (!r->known[role])
			continue;
		if (!id || json_kind(id) == JSON_NULL)
			id = json_get(json_get(config, "text_config"), key);
		if (set_id(r->s, role, id, n_vocab, err))
			return -1;
	}
	return 0;
}

void special_init(struct special *s)
{
	*s = (struct special){ .nfc = -1, .lowercase = -1, .strip_accents = -1 };
	for (int role = 0; role < ROLES; role++)
		s->id[role] = s->add[role] = -1;
}

int special_read(struct special *s, const struct files *f, int64_t n_vocab, struct arena *a, struct heft_err *err)
{
	const struct json *config = json_root(f->tokenizer_config);
	struct reader r = { .s = s, .config = json_count(config) > 0 };
	char key[32];

	special_init(s);
	for (int role = 0; role < ROLES; role++) {
		r.named[role] = named_of(json_get(config, role_key(key, sizeof(key), "%s_token", role)));
		r.known[role] = role < ROLE_EOT;
	}
	if (f->tokenizer)
		read_tokenizer_json(&r, json_root(f->tokenizer));
	if (r.config && (read_tokenizer_config(&r, f, n_vocab, err) || template_read(s, f, a, err)))
		return -1;
	return read_config(&r, f->config, n_vocab, err);
}
