/*
 * bpe.h - byte-pair encoding with ranked merges, as tokenizer.json's model of type BPE describes it.
 */
#ifndef TOKENIZER_BPE_H
#define TOKENIZER_BPE_H

#include "internal.h"

struct vocab_entry {
	struct heft_str text;
	int32_t id;
};

struct bpe {
	const char *file;          /* that it is read from, for messages */
	struct vocab_entry *entry; /* in file order; texts in the tokenizer's arena */
	size_t n;
	struct map by_text;        /* -> id */
	struct heft_str *merge;    /* "a b", spaces inside a part spelt as U+0120 */
	size_t n_merges;
	struct pair *pair;         /* open addressing */
	size_t n_pairs;            /* a power of two */
	uint64_t seed;
	struct heft_str unk, prefix, suffix; /* p NULL: none */
	bool fuse_unk, byte_fallback, ignore_merges;
	size_t longest;            /* bytes of the longest token */
};

struct ids {
	int32_t *id;
	size_t n, cap;
};
void ids_add(struct ids *ids, int32_t id);

void bpe_release(struct bpe *b);
int64_t bpe_id(const struct bpe *b, struct heft_str text); /* -1: none */
/* "vocab": { text: id }, or vocab.json */
int bpe_read_vocab(struct bpe *b, const struct json *vocab, struct arena *a, struct heft_err *err);
/* A Unigram model's "vocab": [[text, score], ...]; the scores are allocated in the arena. */
int bpe_read_vocab_list(struct bpe *b, const struct json *vocab, double **score, struct arena *a, struct heft_err *err);
/* vocab.txt: one token a line, ids from 0 */
int bpe_read_vocab_text(struct bpe *b, struct heft_str text, struct arena *a, struct heft_err *err);
/* "merges": ["a b", ...] or [["a", "b"], ...] */
int bpe_read_merges(struct bpe *b, const struct json *merges, struct arena *a, struct heft_err *err);
/* merges.txt; the text must stay */
int bpe_read_merges_text(struct bpe *b, struct heft_str text, struct arena *a, struct heft_err *err);
/* Pairs one by one, with ranks of their own; first of all how many there will be at most. */
void bpe_pairs(struct bpe *b, size_t n);
void bpe_pair(struct bpe *b, int32_t left, int32_t right, uint32_t rank, int32_t both);
struct heft_str bpe_join(struct heft_str left, struct heft_str right, struct arena *a); /* "a b" as merges are written */
/* The two tokens that merges of a lower rank than `below` leave of a text; false: more than two, or one. */
bool bpe_halves(const struct bpe *b, struct heft_str text, uint32_t below, int32_t *left, int32_t *right, struct heft_err *err);
int bpe_encode(const struct bpe *b, struct heft_str word, struct ids *out, struct heft_err *err);

#endif
