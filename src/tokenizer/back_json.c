/*
 * back_json.c - tokenizer.json, as the tokenizers library reads it: byte-level BPE with the pre-tokenizer of its name,
 * or SentencePiece's pieces as BPE with byte fallback.
 */
#include "back.h"

#include <string.h>

#define MARK "\xe2\x96\x81" /* U+2581 */

static const char *text_of(const struct vocab *v, int64_t id)
{
	struct jbuf b = { 0 };
	const char *s;

	jbuf_string(&b, v->text[id].p, v->text[id].n);
	s = arena_memdup(v->arena, b.p, b.n);
	jbuf_release(&b);
	return s;
}

static void put_added(struct jbuf *b, const struct vocab *v)
{
	const char *comma = "";

	jbuf_printf(b, "  \"added_tokens\": [");
	for (size_t i = 0; i < v->n; i++) {
		bool unknown = vocab_type(v, i) == TOKEN_UNKNOWN;
		bool special = unknown || vocab_type(v, i) == TOKEN_CONTROL;

		if (!unknown && !vocab_is_added(v, i))
			continue;
		jbuf_printf(b, "%s\n    {\"id\": %zu, \"content\": %s, \"single_word\": false, \"lstrip\": false, \"rstrip\": false, "
			    "\"normalized\": false, \"special\": %s}",
			    comma, i, text_of(v, (int64_t)i), special ? "true" : "false");
		comma = ",";
	}
	jbuf_printf(b, "\n  ],\n");
}

/* ---- what is added around a text ---- */

static void put_special(struct jbuf *b, const struct vocab *v, int64_t id, int type)
{
	jbuf_printf(b, "{\"SpecialToken\": {\"id\": %s, \"type_id\": %d}}", text_of(v, id), type);
}

static void put_sequence(struct jbuf *b, const struct vocab *v, const char *name, int type, bool bos, bool eos)
{
	if (bos)
		put_special(b, v, v->id[ROLE_BOS], type);
	jbuf_printf(b, "%s{\"Sequence\": {\"id\": \"%s\", \"type_id\": %d}}%s", bos ? ", " : "", name, type, eos ? ", " : "");
	if (eos)
		put_special(b, v, v->id[ROLE_EOS], type);
}

static void put_token(struct jbuf *b, const struct vocab *v, int64_t id)
{
	const char *text = text_of(v, id);

	jbuf_printf(b, "%s: {\"id\": %s, \"ids\": [%lld], \"tokens\": [%s]}", text, text, (long long)id, text);
}

/* In a pair, only what is said of separators tells whether the second sequence gets its own first token. */
static void put_template(struct jbuf *b, const struct vocab *v, bool bos, bool eos)
{
	jbuf_printf(b, "{\"type\": \"TemplateProcessing\", \"single\": [");
	put_sequence(b, v, "A", 0, bos, eos);
	jbuf_printf(b, "], \"pair\": [");
	put_sequence(b, v, "A", 0, bos, eos && v->add[ROLE_SEP] >= 0);
	jbuf_printf(b, ", ");
	put_sequence(b, v, "B", 1, bos && v->add[ROLE_SEP] >= 0, eos);
	jbuf_printf(b, "], \"special_tokens\": {");
	if (bos)
		put_token(b, v, v->id[ROLE_BOS]);
	if (eos && !(bos && v->id[ROLE_EOS] == v->id[ROLE_BOS])) {
		jbuf_printf(b, "%s", bos ? ", " : "");
		put_token(b, v, v->id[ROLE_EOS]);
	}
	jbuf_printf(b, "}}");
}

#define BYTE_LEVEL "{\"type\": \"ByteLevel\", \"add_prefix_space\": true, \"trim_offsets\": false, \"use_regex\": true}"

/* Byte-level BPE says with a part of its own that nothing else is added. */
static void put_processor(struct jbuf *b, const struct vocab *v)
{
	bool bos = v->add[ROLE_BOS] > 0 && v->id[ROLE_BOS] >= 0, eos = v->add[ROLE_EOS] > 0 && v->id[ROLE_EOS] >= 0;
	bool plain = !v->spm && (v->add[ROLE_BOS] == 0 || v->add[ROLE_EOS] == 0);

	jbuf_printf(b, "  \"post_processor\": ");
	if (!bos && !eos) {
		jbuf_printf(b, plain ? BYTE_LEVEL : "null");
	} else {
		if (plain)
			jbuf_printf(b, "{\"type\": \"Sequence\", \"processors\": [%s, ", BYTE_LEVEL);
		put_template(b, v, bos, eos);
		jbuf_printf(b, "%s", plain ? "]}" : "");
	}
	jbuf_printf(b, ",\n");
}

/* ---- the model ---- */

/* Added tokens behind all others need not be in the vocabulary, if their ids follow it without a hole. */
static size_t vocabulary_end(const struct vocab *v)
{
	size_t end = v->n;

	while (end && (vocab_is_pad(v, end - 1) || vocab_is_added(v, end - 1)))
		end--;
	for (size_t i = 0, hole = 0; i < v->n; i++) {
		hole |= vocab_is_pad(v, i);
		if (hole && !vocab_is_pad(v, i))
			return v->n;
	}
	return end;
}

static void put_vocabulary(struct jbuf *b, const struct vocab *v)
{
	size_t end = v->spm ? v->n : vocabulary_end(v);
	const char *comma = "";

	jbuf_printf(b, "    \"vocab\": {");
	for (size_t i = 0; i < end; i++) {
		if (vocab_is_pad(v, i))
			continue;
		jbuf_printf(b, "%s\n      ", comma);
		jbuf_string(b, v->text[i].p, v->text[i].n);
		jbuf_printf(b, ": %zu", i);
		comma = ",";
	}
	jbuf_printf(b, "\n    },\n");
}

static void put_merges(struct jbuf *b, const struct vocab *v)
{
	size_t n = v->n_merges;
	const struct heft_str *merge = v->spm ? spm_merges(v, &n) : v->merge;

	jbuf_printf(b, "    \"merges\": [");
	for (size_t i = 0; i < n; i++) {
		jbuf_printf(b, "%s\n      ", i ? "," : "");
		jbuf_string(b, merge[i].p, merge[i].n);
	}
	jbuf_printf(b, "\n    ]\n");
}

static void put_model(struct jbuf *b, const struct vocab *v, bool ignore_merges)
{
	int64_t unknown = -1;

	for (size_t i = v->n; v->spm && i-- > 0;)
		if (vocab_type(v, i) == TOKEN_UNKNOWN)
			unknown = (int64_t)i;
	if (v->spm && unknown < 0)
		unknown = v->id[ROLE_UNK];
	jbuf_printf(b, "  \"model\": {\n    \"type\": \"BPE\",\n    \"dropout\": null,\n    \"unk_token\": %s,\n",
		    unknown >= 0 ? text_of(v, unknown) : "null");
	jbuf_printf(b, "    \"continuing_subword_prefix\": null,\n    \"end_of_word_suffix\": null,\n");
	jbuf_printf(b, "    \"fuse_unk\": %s,\n    \"byte_fallback\": %s,\n    \"ignore_merges\": %s,\n", v->spm ? "true" : "false",
		    v->spm ? "true" : "false", ignore_merges ? "true" : "false");
	put_vocabulary(b, v);
	put_merges(b, v);
	jbuf_printf(b, "  }\n}\n");
}

/* ---- all ---- */

static void put_bytes_steps(struct jbuf *b, const struct vocab *v, const struct pre_rule *rule)
{
	bool nfc = v->nfc < 0 ? rule->nfc : v->nfc > 0;

	jbuf_printf(b, "  \"normalizer\": %s,\n  \"pre_tokenizer\": %s,\n", nfc ? "{\"type\": \"NFC\"}" : "null", rule->pre_tokenizer);
	jbuf_printf(b, "  \"decoder\": {\"type\": \"ByteLevel\", \"add_prefix_space\": true, \"trim_offsets\": true, \"use_regex\": true},\n");
}

static void put_spm_steps(struct jbuf *b, const struct vocab *v)
{
	bool prefix = v->space_prefix != 0;

	jbuf_printf(b, "  \"normalizer\": null,\n  \"pre_tokenizer\": {\"type\": \"Metaspace\", \"replacement\": \"" MARK "\", "
		    "\"prepend_scheme\": \"%s\", \"split\": false},\n", prefix ? "first" : "never");
	jbuf_printf(b, "  \"decoder\": {\"type\": \"Sequence\", \"decoders\": [{\"type\": \"Replace\", \"pattern\": {\"String\": \"" MARK "\"}, "
		    "\"content\": \" \"}, {\"type\": \"ByteFallback\"}, {\"type\": \"Fuse\"}%s]},\n",
		    prefix ? ", {\"type\": \"Strip\", \"content\": \" \", \"start\": 1, \"stop\": 0}" : "");
}

struct heft_str json_file(const struct vocab *v, const struct pre_rule *rule)
{
	struct jbuf b = { 0 };
	struct heft_str out;

	jbuf_printf(&b, "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n");
	put_added(&b, v);
	if (v->spm)
		put_spm_steps(&b, v);
	else
		put_bytes_steps(&b, v, rule);
	put_processor(&b, v);
	put_model(&b, v, rule && rule->ignore_merges);
	out = (struct heft_str){ arena_memdup(v->arena, b.p, b.n), b.n };
	jbuf_release(&b);
	return out;
}
