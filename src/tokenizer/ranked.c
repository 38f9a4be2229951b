/*
 * ranked.c - byte-level BPE by ranks. Every pair of tokens that is a token together is a merge of that token's rank:
 *
 *	rank 1000 "the"     t he    th e         both are merges of rank 1000
 *
 * With these the encoder of merges gives tiktoken's ids. Refuses tokens that stand twice, bytes that are no token, tokens of more bytes, or
 * with more ways to be cut in two, than a tokenizer has.
 */
#include "ranked.h"

#include "unicode.h"

#include <stdlib.h>
#include <string.h>

enum { LONGEST = 512, CUTS = 16 /* for each token, on average */ };

struct cut {
	int32_t left, right, both;
};

struct cuts {
	struct cut *cut;
	size_t n, cap, limit;
};

static int by_left(const void *a, const void *b)
{
	const struct cut *x = a, *y = b;

	return x->left < y->left ? -1 : x->left > y->left;
}

/* The ways to cut one token, by the rank of the left part. */
static int add_cuts(const struct bpe *b, const struct vocab_entry *v, struct cuts *c, bool strict, struct heft_err *err)
{
	size_t first = c->n;

	for (size_t i = char_length(v->text.p, v->text.n); i < v->text.n; i += char_length(v->text.p + i, v->text.n - i)) {
		int64_t left = bpe_id(b, (struct heft_str){ v->text.p, i });
		int64_t right = left < 0 ? -1 : bpe_id(b, (struct heft_str){ v->text.p + i, v->text.n - i });

		if (right < 0)
			continue;
		if (c->n == c->limit)
			return heft_fail(err, HEFT_E_TOKENIZER, "%s: its tokens can be cut in two in more than %zu ways", b->file, c->limit);
		if (c->n == c->cap) {
			c->cap = c->cap ? 2 * c->cap : 4096;
			c->cut = xrealloc(c->cut, c->cap * sizeof(*c->cut));
		}
		c->cut[c->n++] = (struct cut){ (int32_t)left, (int32_t)right, v->id };
	}
	if (c->n > first)
		qsort(c->cut + first, c->n - first, sizeof(*c->cut), by_left);
	else if (strict && char_length(v->text.p, v->text.n) < v->text.n)
		return heft_fail(err, HEFT_E_TOKENIZER, "%s: token %d is not made of two others", b->file, v->id);
	return 0;
}

static void list_all(struct bpe *b, const struct cuts *c, const struct heft_str *text, struct arena *a)
{
	b->merge = arena_array(a, c->n + 1, sizeof(*b->merge));
	for (size_t i = 0; i < c->n; i++)
		b->merge[b->n_merges++] = bpe_join(text[c->cut[i].left], text[c->cut[i].right], a);
}

static int list_own(struct bpe *b, const struct heft_str *text, bool strict, struct arena *a, struct heft_err *err)
{
	int32_t left, right;

	b->merge = arena_array(a, b->n + 1, sizeof(*b->merge));
	for (size_t i = 0; i < b->n; i++) {
		const struct vocab_entry *v = &b->entry[i];

		if (char_length(v->text.p, v->text.n) == v->text.n)
			continue;
		bool halves = bpe_halves(b, v->text, (uint32_t)v->id, &left, &right, err);

		if (!halves && strict)
			return heft_fail(err, HEFT_E_TOKENIZER, "%s: token %d is not made of two others of lower ranks", b->file, v->id);
		if (halves)
			b->merge[b->n_merges++] = bpe_join(text[left], text[right], a);
	}
	return 0;
}

static int read_pairs(struct bpe *b, const struct ranked *r, struct arena *a, struct heft_err *err)
{
	struct cuts c = { .limit = CUTS * b->n };
	int32_t highest = 0;
	struct heft_str *text;
	int rc = 0;

	for (size_t i = 0; i < b->n; i++)
		highest = b->entry[i].id > highest ? b->entry[i].id : highest;
	text = arena_array(a, (size_t)highest + 1, sizeof(*text));
	for (size_t i = 0; i < b->n; i++)
		text[b->entry[i].id] = b->entry[i].text;
	for (size_t i = 0; !rc && i < b->n; i++)
		rc = add_cuts(b, &b->entry[i], &c, r->strict, err);
	if (!rc) {
		bpe_pairs(b, c.n);
		for (size_t i = 0; i < c.n; i++)
			bpe_pair(b, c.cut[i].left, c.cut[i].right, (uint32_t)c.cut[i].both, c.cut[i].both);
		if (r->merges == MERGES_ALL)
			list_all(b, &c, text, a);
		else
			rc = list_own(b, text, r->strict, a, err);
	}
	free(c.cut);
	return rc;
}

static int read_tokens(struct bpe *b, const struct rank_token *token, size_t n, struct arena *a, struct heft_err *err)
{
	b->entry = arena_array(a, n + 1, sizeof(*b->entry));
	for (size_t i = 0; i < n; i++) {
		struct heft_str text = bytes_to_chars(token[i].bytes, a);
		bool found;

		if (!text.n || token[i].bytes.n > LONGEST)
			return heft_fail(err, HEFT_E_TOKENIZER, "%s: token %d has %zu bytes; it may have 1 to %d", b->file, token[i].id, token[i].bytes.n,
					 LONGEST);
		map_put(&b->by_text, text.p, text.n, &found)->value.i = token[i].id;
		if (found)
			return heft_fail(err, HEFT_E_TOKENIZER, "%s: token %d has the bytes of another one", b->file, token[i].id);
		b->entry[b->n++] = (struct vocab_entry){ text, token[i].id };
		b->longest = text.n > b->longest ? text.n : b->longest;
	}
	for (int c = 0; c < 256; c++) {
		char byte = (char)c;

		if (bpe_id(b, bytes_to_chars((struct heft_str){ &byte, 1 }, a)) < 0)
			return heft_fail(err, HEFT_E_TOKENIZER, "%s: no token is the byte %02x alone", b->file, (unsigned)c);
	}
	return 0;
}

/* What the pattern matches are the words; what stands between two matches is no part of any. */
static int read_pattern(struct encoder *e, const char *pattern, struct heft_err *err)
{
	struct jbuf b = { 0 };
	struct json_doc *doc;
	int rc;

	jbuf_printf(&b, "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"behavior\":\"Removed\",\"invert\":true,\"pattern\":{\"Regex\":");
	jbuf_string(&b, pattern, strlen(pattern));
	jbuf_printf(&b, "}},{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]}");
	doc = json_parse(b.p, b.n, e->bpe.file, false, err);
	rc = doc ? steps_pre_tokenizer(&e->pre_tokenizer, json_root(doc), err) : -1;
	json_free(doc);
	jbuf_release(&b);
	return rc;
}

int ranked_open(struct tokenizer *t, const struct ranked *r, struct heft_err *err)
{
	struct encoder *e = t->encoder = arena_alloc(t->arena, sizeof(*e));

	*e = (struct encoder){ .arena = t->arena, .encodes = true, .unk = -1 };
	e->bpe.file = r->file;
	e->bpe.ignore_merges = true; /* a word that is a token is that token */
	e->normalizer.arena = e->pre_tokenizer.arena = t->arena;
	map_init(&e->bpe.by_text);
	added_init(&e->added, t->arena);
	t->model = "gpt2";
	if (read_tokens(&e->bpe, r->token, r->n, t->arena, err) || read_pairs(&e->bpe, r, t->arena, err) || read_pattern(e, r->pattern, err))
		return -1;
	t->merge = e->bpe.merge;
	t->n_merges = e->bpe.n_merges;
	added_ready(&e->added);
	return 0;
}

void ranked_rows(struct tokenizer *t)
{
	const struct bpe *b = &t->encoder->bpe;

	for (size_t i = 0; i < b->n; i++) {
		t->rows.text[b->entry[i].id] = b->entry[i].text;
		t->rows.type[b->entry[i].id] = TOKEN_NORMAL;
	}
}
