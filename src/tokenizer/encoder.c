/*
 * encoder.c - a tokenizer made ready to encode: model, steps, added tokens, and what the post-processor puts around a
 * text; then a text's way through them. Refuses models other than BPE, WordPiece and Unigram.
 */
#include "encoder.h"
#include "unigram.h"
#include "wordpiece.h"

#include <stdlib.h>
#include <string.h>

#define MAX_PROCESSORS 64

/* Where a tokenizer's parts are read from: its own file, or what its class says. */
struct parts {
	const struct json *normalizer, *pre_tokenizer, *decoder, *flags;
};

/* ---- the model
 * ---------------------------------------------------------------------------------------------------- */

static struct heft_str keep(const struct json *j, struct arena *a)
{
	struct heft_str s = { NULL, 0 };

	if (!json_str(j, &s))
		return (struct heft_str){ NULL, 0 };
	return (struct heft_str){ arena_memdup(a, s.p, s.n), s.n };
}

static void read_flags(struct encoder *e, const struct json *flags, struct arena *a)
{
	struct bpe *b = &e->bpe;
	uint64_t limit;

	if (!json_int(json_get(flags, "unk_id"), &e->unk) || (uint64_t)e->unk >= b->n)
		e->unk = -1;
	e->word_limit = json_uint(json_get(flags, "max_input_chars_per_word"), &limit) ? (size_t)limit : 100;
	b->unk = keep(json_get(flags, "unk_token"), a);
	b->prefix = keep(json_get(flags, "continuing_subword_prefix"), a);
	b->suffix = keep(json_get(flags, "end_of_word_suffix"), a);
	json_bool(json_get(flags, "fuse_unk"), &b->fuse_unk);
	json_bool(json_get(flags, "byte_fallback"), &b->byte_fallback);
	json_bool(json_get(flags, "ignore_merges"), &b->ignore_merges);
}

static int read_scores(struct encoder *e, const struct json *vocab, struct heft_err *err)
{
	if (bpe_read_vocab_list(&e->bpe, vocab, &e->score, e->arena, err))
		return -1;
	for (size_t i = 0; i < e->bpe.n; i++)
		e->least = !i || e->score[i] < e->least ? e->score[i] : e->least;
	return 0;
}

static int read_model(struct encoder *e, const struct json *model, struct heft_err *err)
{
	static const char *const names[] = { [MODEL_BPE] = "BPE", [MODEL_WORDPIECE] = "WordPiece", [MODEL_UNIGRAM] = "Unigram" };
	const char *type = json_cstr(json_get(model, "type"));

	if (!json_get(model, "type")) /* older files leave it out */
		type = json_get(model, "merges") ? "BPE" : json_get(model, "max_input_chars_per_word") ? "WordPiece" :
		       json_kind(json_get(model, "vocab")) == JSON_ARRAY ? "Unigram" : "BPE";
	while (e->model <= MODEL_UNIGRAM && (!type || strcmp(type, names[e->model])))
		e->model++;
	if (e->model > MODEL_UNIGRAM)
		return heft_fail(err, HEFT_E_TOKENIZER,
				 "tokenizer.json: a model of type '%s' is not one that heft reads; it reads BPE, WordPiece and Unigram",
				 type ? type : "");
	if (e->model == MODEL_UNIGRAM)
		return read_scores(e, json_get(model, "vocab"), err);
	if (bpe_read_vocab(&e->bpe, json_get(model, "vocab"), e->arena, err))
		return -1;
	return e->model == MODEL_BPE ? bpe_read_merges(&e->bpe, json_get(model, "merges"), e->arena, err) : 0;
}

static int read_vocab_lines(struct encoder *e, const char *dir, struct heft_err *err)
{
	struct heft_str text;

	e->bpe.file = "vocab.txt";
	e->model = MODEL_WORDPIECE;
	return file_read(dir, "vocab.txt", TOKENIZER_FILE_LIMIT, &text, e->arena, err) ||
	       bpe_read_vocab_text(&e->bpe, text, e->arena, err) ? -1 : 0;
}

static int read_model_files(struct encoder *e, const char *dir, const struct json *flags, struct heft_err *err)
{
	const char *type = json_cstr(json_get(flags, "type"));
	struct json_doc *vocab;
	struct heft_str merges;
	int rc;

	if (type && !strcmp(type, "WordPiece"))
		return read_vocab_lines(e, dir, err);
	if (file_read(dir, "merges.txt", TOKENIZER_FILE_LIMIT, &merges, e->arena, err) ||
	    file_json(dir, "vocab.json", TOKENIZER_FILE_LIMIT, &vocab, err))
		return -1;
	text_newlines(&merges);
	rc = bpe_read_vocab(&e->bpe, json_root(vocab), e->arena, err);
	if (!rc)
		rc = bpe_read_merges_text(&e->bpe, merges, e->arena, err);
	json_free(vocab);
	return rc;
}

/* ---- the post-processor
 * ------------------------------------------------------------------------------------------- */

static void add_ids(struct ids *to, const struct json *ids)
{
	int64_t id;

	for (const struct json *j = json_first(ids); j; j = json_next(j))
		if (json_int(j, &id) && id >= 0 && id <= INT32_MAX)
			ids_add(to, (int32_t)id);
}

/* "single": [{ SpecialToken: { id } }, { Sequence: { id } }, ...]; the ids stand in "special_tokens" */
static void read_template(struct ids *before, struct ids *after, const struct json *j)
{
	struct ids *to = before;

	for (const struct json *part = json_first(json_get(j, "single")); part; part = json_next(part)) {
		const char *name = json_cstr(json_get(json_get(part, "SpecialToken"), "id"));
		if (json_get(part, "Sequence"))
			to = after;
		else if (name)
			add_ids(to, json_get(json_get(json_get(j, "special_tokens"), name), "ids"));
	}
}

/* BERT and RoBERTa: "cls": [text, id], "sep": [text, id] */
static void read_pair(struct ids *to, const struct json *pair)
{
	int64_t id;

	if (json_int(json_next(json_first(pair)), &id) && id >= 0 && id <= INT32_MAX)
		ids_add(to, (int32_t)id);
}

static void append(struct ids *to, struct ids *from)
{
	for (size_t i = 0; i < from->n; i++)
		ids_add(to, from->id[i]);
	free(from->id);
	*from = (struct ids){ 0 };
}

static int read_processors(struct encoder *e, const struct json *post, struct heft_err *err)
{
	const struct json *node[MAX_PROCESSORS];
	int64_t n = json_flatten(post, "processors", node, MAX_PROCESSORS);
	struct heft_str type;

	if (n < 0)
		return heft_fail(err, HEFT_E_TOKENIZER, "tokenizer.json: the post-processor has more than %d parts",
				 MAX_PROCESSORS);
	for (int64_t i = 0; i < n; i++) {
		struct ids before = { 0 };
		if (!json_str(json_get(node[i], "type"), &type))
			continue;
		if (str_is(type, "TemplateProcessing")) {
			read_template(&before, &e->after, node[i]);
		} else if (str_is(type, "BertProcessing") || str_is(type, "RobertaProcessing")) {
			read_pair(&before, json_get(node[i], "cls"));
			read_pair(&e->after, json_get(node[i], "sep"));
		}
		append(&before, &e->before); /* a later processor works on what the earlier one made */
		e->before = before;
	}
	return 0;
}

/* Without a tokenizer.json: bos and eos where tokenizer_config.json says that they are added. */
static void add_bos_eos(struct encoder *e, const struct json *config)
{
	static const struct {
		const char *add, *token;
	} row[] = { { "add_bos_token", "bos_token" }, { "add_eos_token", "eos_token" } };

	for (size_t i = 0; i < 2; i++) {
		const struct json *token = json_get(config, row[i].token);
		const struct added_token *t;
		struct heft_str text;
		bool add;
		if (!json_bool(json_get(config, row[i].add), &add) || !add)
			continue;
		if (!json_str(token, &text) && !json_str(json_get(token, "content"), &text))
			continue;
		t = added_find(&e->added, text);
		if (t)
			ids_add(i ? &e->after : &e->before, t->id);
	}
}

/* A class's own: one token before the text and one behind it, named by their roles. */
static void add_around(struct encoder *e, const struct tokenizer_class *c)
{
	const struct added_token *t;

	e->before.n = e->after.n = 0;
	for (int i = 0; i < 2; i++) {
		const char *role = i ? c->last : c->first;
		struct heft_str text = role ? encoder_named(e, role) : (struct heft_str){ NULL, 0 };
		t = text.p ? added_find(&e->added, text) : NULL;
		if (t)
			ids_add(i ? &e->after : &e->before, t->id);
	}
}

/* ---- the steps
 * ---------------------------------------------------------------------------------------------------- */

#define FIXED_PATTERN                                                                                                  \
	"[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?[\\\\p{Lu}\\\\p{Lt}\\\\p{Lm}\\\\p{Lo}\\\\p{M}]*[\\\\p{Ll}\\\\p{Lm}\\\\p{Lo}"    \
	"\\\\p{M}]+|"                                                                                                  \
	"[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?[\\\\p{Lu}\\\\p{Lt}\\\\p{Lm}\\\\p{Lo}\\\\p{M}]+[\\\\p{Ll}\\\\p{Lm}\\\\p{Lo}"    \
	"\\\\p{M}]*|"                                                                                                  \
	"\\\\p{N}| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n/]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"

/* Does transformers put the right pattern into a Mistral tokenizer that was published with a wrong one? Only where
 * tokenizer_config.json asks for it, and config.json is not of a version or model type that needs no fix. */
static bool wants_fixed_pattern(const struct encoder *e, const struct files *f)
{
	static const char *const types[] = { "mistral", "mistral3", "voxtral", "ministral", "pixtral" };
	const char *version = json_cstr(json_get(f->config, "transformers_version")),
		   *type = json_cstr(json_get(f->config, "model_type"));
	bool fix = false;

	if (!json_bool(json_get(json_root(f->tokenizer_config), "fix_mistral_regex"), &fix) || !fix ||
	    e->bpe.n + e->added.n <= 100000)
		return false;
	if (!version || !*version || !type)
		return !version || !*version || strtol(version, NULL, 10) < 5;
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (!strcmp(types[i], type))
			return strtol(version, NULL, 10) < 5;
	return false;
}

static int read_pre_tokenizer(struct encoder *e, const struct files *f, const struct json *j, struct heft_err *err)
{
	static const char split[] =
		"{\"split\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"" FIXED_PATTERN
		"\"},\"behavior\":\"Isolated\"},"
		"\"bytes\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}}";
	const struct json *list = json_get(j, "pretokenizers");
	const char *type = json_cstr(json_get(j, "type"));
	struct json_doc *fixed;
	int rc;

	if (json_kind(j) != JSON_OBJECT || !wants_fixed_pattern(e, f))
		return steps_pre_tokenizer(&e->pre_tokenizer, j, err);
	fixed = json_parse(split, sizeof(split) - 1, "pattern", false, err);
	rc = fixed ? steps_pre_tokenizer(&e->pre_tokenizer, json_get(json_root(fixed), "split"), err) : -1;
	if (!rc && list)
		for (const struct json *k = json_next(json_first(list)); k && !rc; k = json_next(k))
			rc = steps_pre_tokenizer(&e->pre_tokenizer, k, err);
	else if (!rc)
		rc = steps_pre_tokenizer(&e->pre_tokenizer,
					 type && !strcmp(type, "Metaspace") ? json_get(json_root(fixed), "bytes") : j,
					 err);
	json_free(fixed);
	return rc;
}

static int read_parts(struct encoder *e, const struct files *f, const struct tokenizer_class *c, const struct parts *p,
		      struct heft_err *err)
{
	const struct json *tokenizer = json_root(f->tokenizer);

	e->has_decoder = json_kind(p->decoder) == JSON_OBJECT;
	if (tokenizer ? read_model(e, json_get(tokenizer, "model"), err) : read_model_files(e, f->dir, p->flags, err))
		return -1;
	if (e->encodes &&
	    (steps_normalizer(&e->normalizer, p->normalizer, err) || steps_decoder(&e->decoder, p->decoder, err)))
		return -1;
	if (encoder_add_tokens(e, f, c, err) || (e->encodes && read_pre_tokenizer(e, f, p->pre_tokenizer, err)))
		return -1;
	read_flags(e, p->flags, e->arena);
	if (!e->bpe.unk.p && e->model == MODEL_WORDPIECE)
		e->bpe.unk = encoder_named(e, "unk_token");
	if (!tokenizer)
		add_bos_eos(e, json_root(f->tokenizer_config));
	else if (read_processors(e, json_get(tokenizer, "post_processor"), err))
		return -1;
	if (c->last)
		add_around(e, c);
	return 0;
}

int encoder_open(struct encoder *e, const struct files *f, struct arena *a, enum encoder_mode mode,
		 struct heft_err *err)
{
	const struct json *own = json_root(f->tokenizer);
	bool raw = mode == ENCODER_AS_FILE;
	const struct tokenizer_class *c = class_of(raw ? NULL : f->config, raw ? NULL : json_root(f->tokenizer_config));
	struct parts parts = { json_get(own, "normalizer"), json_get(own, "pre_tokenizer"), json_get(own, "decoder"),
			       json_get(own, "model") };
	struct json_doc *doc = NULL;
	const struct json *node[MAX_PROCESSORS];
	int64_t n;
	int rc;

	*e = (struct encoder){ .encodes = mode != ENCODER_NO_STEPS, .rebuilt = c->json };
	e->prefix_space = c->prefix_space;
	json_bool(json_get(json_root(f->tokenizer_config), "add_prefix_space"), &e->prefix_space);
	e->bpe.file = own ? "tokenizer.json" : "vocab.json";
	e->arena = e->normalizer.arena = e->pre_tokenizer.arena = e->decoder.arena = a;
	map_init(&e->bpe.by_text);
	added_init(&e->added, a);
	json_bool(json_get(json_root(f->tokenizer_config), "split_special_tokens"), &e->added.split_special);
	if (!own && !c->json)
		return heft_fail(err, HEFT_E_TOKENIZER,
				 "%s: vocab.json and merges.txt do not say how text is split; add tokenizer.json",
				 f->dir);
	if (c->json) {
		doc = class_json(c, json_root(f->tokenizer_config), err);
		if (!doc)
			return -1;
		parts = (struct parts){ json_get(json_root(doc), "normalizer"),
					json_get(json_root(doc), "pre_tokenizer"), json_get(json_root(doc), "decoder"),
					json_get(json_root(doc), "model") };
	}
	n = c->file_charsmap ? json_flatten(json_get(own, "normalizer"), "normalizers", node, MAX_PROCESSORS) : 0;
	for (int64_t i = n; i-- > 0;)
		if (json_get(node[i], "precompiled_charsmap"))
			parts.normalizer = node[i];
	rc = read_parts(e, f, c, &parts, err);
	json_free(doc);
	return rc;
}

void encoder_release(struct encoder *e)
{
	bpe_release(&e->bpe);
	added_release(&e->added);
	steps_release(&e->normalizer);
	steps_release(&e->pre_tokenizer);
	steps_release(&e->decoder);
	free(e->before.id);
	free(e->after.id);
}

/* ---- a text's way
 * ------------------------------------------------------------------------------------------------- */

/* Cut at the tokens that count before normalization, normalized, cut at those that count behind it. */
static int cut(const struct encoder *e, struct heft_str text, struct pieces *out, struct heft_err *err)
{
	struct pieces raw = { .arena = out->arena };

	added_split(&e->added, false, (struct piece){ text, -1, true }, &raw);
	for (size_t i = 0; i < raw.n; i++) {
		struct piece p = raw.piece[i];
		if (p.id >= 0) {
			pieces_add(out, p.text, p.id, p.first);
			continue;
		}
		if (steps_text(&e->normalizer, &p.text, p.first, out->limit, out->arena, err))
			return -1;
		added_split(&e->added, true, p, out);
	}
	return 0;
}

static int encode_word(const struct encoder *e, struct heft_str word, struct ids *out, struct heft_err *err)
{
	struct unigram u = { .by_text = &e->bpe.by_text, .score = e->score, .least = e->least, .unk = e->unk, .longest = e->bpe.longest,
			     .byte_fallback = e->bpe.byte_fallback };

	if (e->model == MODEL_UNIGRAM)
		return unigram_encode(&u, word, out, err);
	return e->model == MODEL_WORDPIECE ? wordpiece_encode(&e->bpe, e->word_limit, word, out, err) :
					     bpe_encode(&e->bpe, word, out, err);
}

static int encode(const struct encoder *e, struct heft_str text, struct ids *out, struct arena *a, struct heft_err *err)
{
	struct pieces pieces = { .arena = a, .limit = 16 * text.n + 65536 };

	if (cut(e, text, &pieces, err) || steps_pieces(&e->pre_tokenizer, &pieces, err))
		return -1;
	for (size_t i = 0; i < pieces.n; i++)
		if (pieces.piece[i].id >= 0)
			ids_add(out, pieces.piece[i].id);
		else if (encode_word(e, pieces.piece[i].text, out, err))
			return -1;
	return 0;
}

int encoder_encode(const struct encoder *e, struct heft_str text, bool special, struct ids *out, struct heft_err *err)
{
	struct arena *a;
	int rc;

	if (!e->encodes)
		return heft_fail(err, HEFT_E_TOKENIZER, "heft cannot encode with this tokenizer");
	if (!utf8_valid(text.p, text.n))
		return heft_fail(err, HEFT_E_UTF8, "the text is not UTF-8");
	for (size_t i = 0; special && i < e->before.n; i++)
		ids_add(out, e->before.id[i]);
	a = arena_new();
	rc = encode(e, text, out, a, err);
	arena_free(a);
	for (size_t i = 0; special && i < e->after.n; i++)
		ids_add(out, e->after.id[i]);
	return rc;
}

int encoder_round_trip(const struct encoder *e, const struct added_token *t, struct heft_str *out, struct arena *a,
		       struct heft_err *err)
{
	*out = t->text;
	if (e->added.split_special && t->special)
		return 0; /* its pieces give it back */
	return e->has_decoder ? steps_text(&e->decoder, out, true, 16 * t->text.n + 1024, a, err) : 0;
}
