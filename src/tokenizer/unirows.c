/*
 * unirows.c - Unigram vocabularies as rows ("t5"): XLM-RoBERTa's, from sentencepiece.bpe.model, whose first pieces stand elsewhere in the
 * model, or from tokenizer.json; T5's, from tokenizer.model or spiece.model. Refuses SentencePiece models of other types.
 */
#include "encoder.h"
#include "spm.h"

#include <stdlib.h>
#include <string.h>

#define XLMR_FILE "sentencepiece.bpe.model"
#define T5_OLD_FILE "spiece.model"

static void begin(struct tokenizer *t, size_t n)
{
	t->model = "t5";
	t->pre = "default";
	rows_init(&t->rows, n, true, -10000.0f, t->arena);
}

static int check_unigram(struct tokenizer *t, const char *dir, const char *name, struct heft_err *err)
{
	if (t->spm->model_type != SPM_UNIGRAM)
		return heft_fail(err, HEFT_E_TOKENIZER, "'%s/%s' is a SentencePiece model, but not of type Unigram", dir, name);
	t->add_space_prefix = t->spm->add_dummy_prefix;
	t->remove_extra_whitespaces = t->spm->remove_extra_whitespaces;
	t->charsmap = t->spm->charsmap;
	return 0;
}

static void set_row(struct rows *r, size_t i, struct heft_str text, float score, enum token_type type)
{
	r->text[i] = text;
	r->score[i] = score;
	r->type[i] = type;
}

static void set_control(struct rows *r, size_t i, const char *text)
{
	set_row(r, i, (struct heft_str){ text, strlen(text) }, 0, TOKEN_CONTROL);
}

/* ---- XLM-RoBERTa ------------------------------------------------------------------------------------------------ */

/* The model counts <s>, <pad>, </s>, <unk> where the file has <unk>, <s>, </s>: all later pieces move up by one, the last row falls off. */
static void shift_rows(struct rows *r)
{
	memmove(r->text + 4, r->text + 3, (r->n - 4) * sizeof(*r->text));
	memmove(r->score + 4, r->score + 3, (r->n - 4) * sizeof(*r->score));
	memmove(r->type + 4, r->type + 3, (r->n - 4) * sizeof(*r->type));
	set_control(r, 0, "<s>");
	set_control(r, 1, "<pad>");
	set_control(r, 2, "</s>");
	set_control(r, 3, "<unk>");
	r->type[3] = TOKEN_UNKNOWN;
}

/* A token that the file lacks: option mask_row says where the model has it. */
static int set_mask(struct rows *r, const struct tokenizer_options *o, struct heft_err *err)
{
	const char *row = tokenizer_option(o, "mask_row");
	size_t at = row ? (size_t)strtoull(row, NULL, 10) : 0;

	if (!row || !strcmp(row, "none"))
		return 0;
	if (at >= r->n)
		return heft_fail(err, HEFT_E_VOCAB_SIZE, "the mask token's id is %zu, but the vocabulary has %zu rows", at, r->n);
	set_control(r, at, "<mask>");
	return 0;
}

static int xlmr_from_model(struct tokenizer *t, const struct files *f, const struct tokenizer_options *o, struct heft_err *err)
{
	size_t n;

	if (spm_open_file(t, f->dir, XLMR_FILE, err) || check_unigram(t, f->dir, XLMR_FILE, err))
		return -1;
	n = o->vocab_size > 0 && (size_t)o->vocab_size > t->spm->n ? (size_t)o->vocab_size : t->spm->n;
	if (n < 4)
		return heft_fail(err, HEFT_E_TOKENIZER, "'%s/%s' has too few pieces", f->dir, XLMR_FILE);
	begin(t, n);
	rows_of_pieces(&t->rows, t->spm);
	rows_pad(&t->rows, t->arena); /* rows have their names from before they move */
	shift_rows(&t->rows);
	t->shifted = true;
	return set_mask(&t->rows, o, err);
}

void xlmr_shift(int32_t *id, size_t n)
{
	static const int32_t first[] = { 3, 0, 2 };

	for (size_t i = 0; i < n; i++)
		id[i] = id[i] < 3 ? first[id[i]] : id[i] + 1;
}

static bool is_special(const struct encoder *e, struct heft_str text)
{
	for (size_t i = 0; i < e->n_named; i++)
		if (e->named[i].n == text.n && !memcmp(e->named[i].p, text.p, text.n))
			return true;
	return false;
}

/* What tokenizer_config.json calls unknown, where that is an added token; else what the model says. */
static int64_t unknown_id(const struct encoder *e, const struct files *f)
{
	const struct json *named = json_get(json_root(f->tokenizer_config), "unk_token");
	const struct added_token *t = NULL;
	struct heft_str text;
	int64_t id = 3;

	if (json_str(named, &text) || json_str(json_get(named, "content"), &text))
		t = added_find(&e->added, text);
	if (!t)
		json_int(json_get(json_get(json_root(f->tokenizer), "model"), "unk_id"), &id);
	return t ? t->id : id;
}

static void rows_of_json(struct rows *r, const struct encoder *e, int64_t unknown)
{
	for (size_t i = 0; i < e->bpe.n; i++)
		set_row(r, i, e->bpe.entry[i].text, (float)e->score[i], TOKEN_NORMAL);
	for (size_t i = 0; i < e->added.n; i++)
		if ((size_t)e->added.token[i].id < e->bpe.n) {
			r->text[e->added.token[i].id] = e->added.token[i].text;
			r->type[e->added.token[i].id] = TOKEN_USER_DEFINED;
		}
	for (size_t i = 0; i < e->bpe.n; i++)
		if ((int64_t)i == unknown)
			r->type[i] = TOKEN_UNKNOWN;
		else if (is_special(e, r->text[i]))
			r->type[i] = TOKEN_CONTROL;
}

static const struct step *charsmap_of(const struct encoder *e)
{
	for (size_t i = 0; i < e->normalizer.n; i++)
		if (e->normalizer.step[i].kind == STEP_CHARSMAP)
			return &e->normalizer.step[i];
	return NULL;
}

static int xlmr_from_json(struct tokenizer *t, const struct files *f, const struct tokenizer_options *o, struct heft_err *err)
{
	const struct json *config = json_root(f->tokenizer_config);
	struct encoder *e = arena_alloc(t->arena, sizeof(*e));
	const struct step *map;
	bool clean = false;

	t->encoder = e;
	if (encoder_open(e, f, t->arena, ENCODER_AS_CLASS, err))
		return -1;
	if (e->model != MODEL_UNIGRAM)
		return heft_fail(err, HEFT_E_TOKENIZER, "%s/tokenizer.json: the model is not of type Unigram", f->dir);
	t->count = e->bpe.n;
	begin(t, o->vocab_size > 0 && (size_t)o->vocab_size > t->count ? (size_t)o->vocab_size : t->count);
	rows_of_json(&t->rows, e, unknown_id(e, f));
	rows_pad(&t->rows, t->arena);
	t->add_space_prefix = e->prefix_space;
	json_bool(json_get(config, "clean_up_tokenization_spaces"), &clean);
	t->remove_extra_whitespaces = clean;
	map = charsmap_of(e);
	t->charsmap = map ? map->text : (struct heft_str){ NULL, 0 };
	return 0;
}

int xlmr_open(struct tokenizer *t, const struct files *f, const struct tokenizer_options *o, struct heft_err *err)
{
	return file_exists(f->dir, XLMR_FILE) ? xlmr_from_model(t, f, o, err) : xlmr_from_json(t, f, o, err);
}

/* ---- T5 --------------------------------------------------------------------------------------------------------- */

int t5_open(struct tokenizer *t, const struct files *f, const struct tokenizer_options *o, struct heft_err *err)
{
	const char *name = file_exists(f->dir, "tokenizer.model") ? "tokenizer.model" : T5_OLD_FILE;
	size_t n;

	if (spm_open_file(t, f->dir, name, err))
		return -1;
	if (t->spm->model_type == SPM_BPE && strcmp(name, T5_OLD_FILE))
		return spm_rows(t, f, o, err);
	if (check_unigram(t, f->dir, name, err))
		return -1;
	n = o->vocab_size > 0 ? (size_t)o->vocab_size : t->spm->n;
	if (n < t->spm->n)
		return heft_fail(err, HEFT_E_VOCAB_SIZE, "'%s/%s' has %zu pieces, but the vocabulary has %zu rows", f->dir, name, t->spm->n, n);
	begin(t, n);
	rows_of_pieces(&t->rows, t->spm);
	if (rows_of_added_json(&t->rows, f->dir, t->arena, err))
		return -1;
	rows_pad(&t->rows, t->arena);
	return 0;
}
