/*
 * model.c - tokenizer.json, or vocab.json with merges.txt, or vocab.txt, as rows: byte-level BPE ("gpt2", strategy bpe), WordPiece ("bert",
 * strategy wordpiece), or SentencePiece BPE that was saved as a tokenizer.json ("llama", strategy spm_hf).
 */
#include "pre.h"

#include <stdlib.h>
#include <string.h>

#define MARK "\xe2\x96\x81" /* U+2581 */

/* ---- bpe
 * ---------------------------------------------------------------------------------------------------------- */

/* Counts the vocabulary with added tokens, and makes rows for it. */
static int count_tokens(struct tokenizer *t, const struct encoder *e, const struct tokenizer_options *o,
			struct heft_err *err)
{
	int64_t highest = -1, size;

	t->count = e->bpe.by_text.count;
	for (size_t i = 0; i < e->bpe.n; i++)
		highest = e->bpe.entry[i].id > highest ? e->bpe.entry[i].id : highest;
	for (size_t i = 0; i < e->added.n; i++) {
		t->count += bpe_id(&e->bpe, e->added.token[i].text) < 0;
		highest = e->added.token[i].id > highest ? e->added.token[i].id : highest;
	}
	size = o->vocab_size > 0 ? o->vocab_size : (int64_t)t->count;
	if (highest >= size)
		return heft_fail(err, HEFT_E_VOCAB_SIZE,
				 "the tokenizer's highest id is %lld, but the vocabulary has %lld rows",
				 (long long)highest, (long long)size);
	rows_init(&t->rows, (size_t)size, false, 0, t->arena);
	return 0;
}

/* plain: a token is what the files call it, whatever it looks like, and its text stays. */
static int set_added_row(struct tokenizer *t, const struct encoder *e, const struct added_token *added, bool plain, struct heft_err *err)
{
	struct heft_str text = added->text;
	bool control;

	if (!plain && !added->normalized && encoder_round_trip(e, added, &text, t->arena, err))
		return -1;
	control = added->special || (!plain && looks_special(text));
	t->rows.text[added->id] = control || plain ? text : spaces_for_marks(text, t->arena);
	t->rows.type[added->id] = control ? TOKEN_CONTROL : TOKEN_USER_DEFINED;
	return 0;
}

static int set_rows(struct tokenizer *t, const struct encoder *e, bool plain, struct heft_err *err)
{
	for (size_t i = 0; i < e->bpe.n; i++) {
		struct vocab_entry v = e->bpe.entry[i];
		if (bpe_id(&e->bpe, v.text) != v.id)
			continue; /* the text stands there once more, and the last one counts */
		t->rows.text[v.id] = v.text;
		t->rows.type[v.id] = TOKEN_NORMAL;
	}
	for (size_t i = 0; i < e->added.n; i++)
		if (set_added_row(t, e, &e->added.token[i], plain, err))
			return -1;
	rows_pad(&t->rows, t->arena);
	t->merge = e->bpe.merge;
	t->n_merges = e->bpe.n_merges;
	return 0;
}

/* The name by the tokenizer as transformers runs it; where that is none, by the file as it is. */
static int name_pre(struct tokenizer *t, const struct files *f, struct heft_err *err)
{
	struct encoder plain;
	char hash[65], other[65];
	int rc;

	if (pre_hash(t->encoder, hash, err))
		return -1;
	t->pre = pre_find(hash);
	if (!t->pre && t->encoder->rebuilt && f->tokenizer) {
		rc = encoder_open(&plain, f, t->arena, ENCODER_AS_FILE, NULL) || pre_hash(&plain, other, NULL);
		if (!rc)
			t->pre = pre_find(other);
		encoder_release(&plain);
	}
	return t->pre ? 0 : pre_unknown(t->encoder, hash, err);
}

/* Option blanks: of this pre-tokenizer, a user's token of spaces alone is never matched, and its marks are an ordinary token. */
static void marks_for_blanks(struct tokenizer *t)
{
	for (size_t i = 0; i < t->rows.n; i++) {
		struct heft_str s = t->rows.text[i];
		if (t->rows.type[i] != TOKEN_USER_DEFINED || !s.n || strspn(s.p, " ") < s.n)
			continue;
		char *to = arena_array(t->arena, s.n + 1, 3);
		for (size_t k = 0; k < s.n; k++)
			memcpy(to + 3 * k, MARK, 3);
		t->rows.text[i] = (struct heft_str){ to, 3 * s.n };
		t->rows.type[i] = TOKEN_NORMAL;
	}
}

int bpe_open(struct tokenizer *t, const struct files *f, const struct tokenizer_options *o, struct heft_err *err)
{
	const char *blank, *added = tokenizer_option(o, "added");

	t->model = "gpt2";
	t->encoder = arena_alloc(t->arena, sizeof(*t->encoder));
	if (encoder_open(t->encoder, f, t->arena, ENCODER_AS_CLASS, err)) {
		if (!o->pre)
			return -1;
		encoder_release(t->encoder); /* the name is given: what heft cannot run it need not */
		if (encoder_open(t->encoder, f, t->arena, ENCODER_NO_STEPS, err))
			return -1;
	}
	if (t->encoder->model == MODEL_UNIGRAM)
		return heft_fail(err, HEFT_E_TOKENIZER, "%s/tokenizer.json: a model of type Unigram is not one that this family has", f->dir);
	if (count_tokens(t, t->encoder, o, err))
		return -1;
	if (o->pre)
		t->pre = arena_strdup(t->arena, o->pre);
	else if (name_pre(t, f, err))
		return -1;
	if (set_rows(t, t->encoder, added && !strcmp(added, "plain"), err))
		return -1;
	blank = tokenizer_option(o, "blanks");
	if (blank && !strcmp(blank, t->pre))
		marks_for_blanks(t);
	return 0;
}

/* ---- wordpiece: where BERT marks what goes on in a word, the runtime marks what begins one ---- */

static struct heft_str begin_words(struct heft_str text, struct arena *a)
{
	char *to;

	if (text.n >= 2 && !memcmp(text.p, "##", 2))
		return (struct heft_str){ text.p + 2, text.n - 2 };
	to = arena_alloc(a, text.n + 4);
	memcpy(to, MARK, 3);
	memcpy(to + 3, text.p, text.n);
	return (struct heft_str){ to, text.n + 3 };
}

int wordpiece_open(struct tokenizer *t, const struct files *f, const struct tokenizer_options *o, struct heft_err *err)
{
	if (bpe_open(t, f, o, err))
		return -1;
	t->model = "bert";
	t->n_merges = 0;
	for (size_t i = 0; i < t->rows.n; i++)
		if (t->rows.type[i] != TOKEN_CONTROL)
			t->rows.text[i] = begin_words(t->rows.text[i], t->arena);
	return 0;
}

/* ---- spm_hf
 * ------------------------------------------------------------------------------------------------------- */

static bool is_byte(struct heft_str s)
{
	return s.n == 6 && !memcmp(s.p, "<0x", 3) && s.p[5] == '>' && strspn(s.p + 3, "0123456789abcdefABCDEF") == 2;
}

static bool is_named(const struct encoder *e, struct heft_str text)
{
	for (size_t i = 0; i < e->n_named; i++)
		if (e->named[i].n == text.n && !memcmp(e->named[i].p, text.p, text.n))
			return true;
	return false;
}

static int by_id(const void *a, const void *b)
{
	const struct added_token *x = *(const struct added_token *const *)a, *y = *(const struct added_token *const *)b;

	return x->id < y->id ? -1 : x->id > y->id;
}

/* Added tokens beyond the model's vocabulary, by id. */
static size_t beyond(const struct encoder *e, const struct added_token **out)
{
	size_t n = 0;

	for (size_t i = 0; i < e->added.n; i++)
		if ((size_t)e->added.token[i].id >= e->bpe.n)
			out[n++] = &e->added.token[i];
	qsort(out, n, sizeof(*out), by_id);
	return n;
}

static int set_base_rows(struct tokenizer *t, const struct encoder *e, struct heft_err *err)
{
	for (size_t i = 0; i < e->bpe.n; i++) {
		struct vocab_entry v = e->bpe.entry[i];
		if ((size_t)v.id >= e->bpe.n)
			return heft_fail(err, HEFT_E_TOKENIZER,
					 "tokenizer.json: the vocabulary of %zu tokens leaves ids out", e->bpe.n);
		t->rows.text[v.id] = v.text;
		t->rows.type[v.id] = is_byte(v.text) ? TOKEN_BYTE : is_named(e, v.text) ? TOKEN_CONTROL : TOKEN_NORMAL;
	}
	return 0;
}

int spm_hf_open(struct tokenizer *t, const struct files *f, const struct tokenizer_options *o, struct heft_err *err)
{
	const struct added_token **more;
	struct encoder *e;
	size_t n;

	t->model = "llama";
	t->pre = "default";
	t->encoder = e = arena_alloc(t->arena, sizeof(*t->encoder));
	if (encoder_open(e, f, t->arena, ENCODER_AS_CLASS, err))
		return -1;
	more = arena_array(t->arena, e->added.n + 1, sizeof(*more));
	n = beyond(e, more);
	rows_init(&t->rows, e->bpe.n + n, true, -1000.0f, t->arena);
	if (set_base_rows(t, e, err))
		return -1;
	for (size_t i = 0; i < n; i++) {
		t->rows.text[e->bpe.n + i] = more[i]->text;
		t->rows.type[e->bpe.n + i] = is_named(e, more[i]->text) ? TOKEN_CONTROL : TOKEN_USER_DEFINED;
	}
	t->count = t->rows.n;
	rows_pad(&t->rows, t->arena);
	return 0;
}
