/*
 * back_spm.c - a SentencePiece model from the pieces and scores of a GGUF (the fields are spm.c's), and the merges that
 * the scores stand for, as transformers derives them. What a GGUF does not keep is as Llama has it: no rules of
 * normalization, spaces as they are.
 */
#include "back.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_MERGED = 512 };

/* ---- merges ---- */

struct merge {
	size_t whole, cut; /* the piece, and the bytes of its left part */
	int32_t left, right;
	size_t left_chars, right_chars;
	float score;
};

struct merges {
	struct merge *v;
	size_t n, cap;
};

static size_t characters(struct heft_str s, size_t from, size_t to)
{
	size_t n = 0;

	for (; from < to; from++)
		n += (s.p[from] & 0xc0) != 0x80;
	return n;
}

static int by_parts(const void *a, const void *b)
{
	const struct merge *x = a, *y = b;

	if (x->score != y->score)
		return x->score > y->score ? -1 : 1;
	if (x->left_chars != y->left_chars)
		return x->left_chars > y->left_chars ? -1 : 1;
	if (x->right_chars != y->right_chars)
		return x->right_chars > y->right_chars ? -1 : 1;
	if (x->whole != y->whole)
		return x->whole < y->whole ? -1 : 1;
	return x->left != y->left ? (x->left < y->left ? -1 : 1) : x->right < y->right ? -1 : x->right > y->right;
}

static void cut_piece(const struct vocab *v, const struct map *by_text, size_t i, struct merges *m)
{
	struct heft_str s = v->text[i];

	for (size_t cut = 1; cut < s.n && s.n <= LONGEST_MERGED; cut++) {
		const struct map_slot *left, *right;

		if ((s.p[cut] & 0xc0) == 0x80 || isnan(v->score[i]) || !(left = map_find(by_text, s.p, cut)) ||
		    !(right = map_find(by_text, s.p + cut, s.n - cut)))
			continue;
		if (m->n == m->cap) {
			m->cap = m->cap ? 2 * m->cap : 1024;
			m->v = xrealloc(m->v, m->cap * sizeof(*m->v));
		}
		m->v[m->n++] = (struct merge){ .whole = i, .cut = cut, .left = (int32_t)left->value.i, .right = (int32_t)right->value.i,
					       .left_chars = characters(s, 0, cut), .right_chars = characters(s, cut, s.n),
					       .score = v->score[i] };
	}
}

struct heft_str *spm_merges(const struct vocab *v, size_t *n)
{
	struct merges m = { 0 };
	struct map by_text;
	struct heft_str *out;
	bool found;

	map_init(&by_text);
	for (size_t i = 0; i < v->n; i++)
		if (!vocab_is_added(v, i) && !vocab_is_pad(v, i))
			map_put(&by_text, v->text[i].p, v->text[i].n, &found)->value.i = (int64_t)i;
	for (size_t i = 0; i < v->n; i++)
		if (vocab_type(v, i) == TOKEN_NORMAL)
			cut_piece(v, &by_text, i, &m);
	if (m.n)
		qsort(m.v, m.n, sizeof(*m.v), by_parts);
	out = arena_array(v->arena, m.n + 1, sizeof(*out));
	for (size_t i = 0; i < m.n; i++) {
		struct heft_str s = v->text[m.v[i].whole];

		out[i].p = arena_printf(v->arena, "%.*s %s", (int)m.v[i].cut, s.p, s.p + m.v[i].cut);
		out[i].n = s.n + 1;
	}
	*n = m.n;
	free(m.v);
	map_release(&by_text);
	return out;
}

/* ---- the file ---- */

static void put_varint(struct jbuf *b, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		jbuf_raw(b, (const char[]){ (char)(v | 0x80) }, 1);
	jbuf_raw(b, (const char[]){ (char)v }, 1);
}

static void put_number(struct jbuf *b, uint32_t field, int64_t v)
{
	put_varint(b, (uint64_t)field << 3);
	put_varint(b, (uint64_t)v);
}

static void put_bytes(struct jbuf *b, uint32_t field, const char *p, size_t n)
{
	put_varint(b, (uint64_t)field << 3 | 2);
	put_varint(b, n);
	jbuf_raw(b, p, n);
}

static void put_message(struct jbuf *b, uint32_t field, struct jbuf *message)
{
	put_bytes(b, field, message->p ? message->p : "", message->n);
	jbuf_release(message);
}

static void put_piece(struct jbuf *b, struct heft_str text, float score, enum token_type type)
{
	struct jbuf piece = { 0 };
	uint32_t bits;

	memcpy(&bits, &score, sizeof(bits));
	put_bytes(&piece, 1, text.p, text.n);
	put_varint(&piece, 2 << 3 | 5);
	for (int i = 0; i < 4; i++)
		jbuf_raw(&piece, (const char[]){ (char)(bits >> 8 * i) }, 1);
	if (type != TOKEN_NORMAL)
		put_number(&piece, 3, type);
	put_message(b, 1, &piece);
}

/* A row that an added token took: the files say what it is, the piece only keeps its place. */
static bool is_taken(const struct vocab *v, size_t i)
{
	return vocab_is_added(v, i) && v->score[i] == -1000.0f;
}

/* The rows from the first to the last that are the model's own. */
static size_t count_pieces(const struct vocab *v)
{
	size_t n = 0;

	for (size_t i = 0; i < v->n; i++)
		if (!is_taken(v, i) && !vocab_is_pad(v, i))
			n = i + 1;
	return n;
}

/* A model has one unknown piece: where an added token took its row, that row. */
static size_t unknown_piece(const struct vocab *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (vocab_type(v, i) == TOKEN_UNKNOWN)
			return i;
	return v->id[ROLE_UNK] >= 0 && v->id[ROLE_UNK] < (int64_t)n ? (size_t)v->id[ROLE_UNK] : 0;
}

static void put_trainer(struct jbuf *b, const struct vocab *v, size_t n, size_t unknown)
{
	struct jbuf t = { 0 };
	bool bytes = false;

	for (size_t i = 0; i < n; i++)
		bytes = bytes || vocab_type(v, i) == TOKEN_BYTE;
	put_number(&t, 3, 2); /* BPE */
	put_number(&t, 4, (int64_t)n);
	put_number(&t, 35, bytes);
	put_number(&t, 40, (int64_t)unknown);
	put_number(&t, 41, v->id[ROLE_BOS]);
	put_number(&t, 42, v->id[ROLE_EOS]);
	put_number(&t, 43, v->id[ROLE_PAD]);
	put_message(b, 2, &t);
}

static void put_normalizer(struct jbuf *b, const struct vocab *v)
{
	struct jbuf t = { 0 };

	put_bytes(&t, 1, "identity", 8);
	put_number(&t, 3, v->space_prefix != 0);
	put_number(&t, 4, 0);
	put_number(&t, 5, 1);
	put_message(b, 3, &t);
}

struct heft_str spm_file(const struct vocab *v)
{
	size_t n = count_pieces(v), unknown = unknown_piece(v, n);
	struct jbuf b = { 0 };
	struct heft_str out;

	for (size_t i = 0; i < n; i++)
		put_piece(&b, v->text[i], is_taken(v, i) ? 0 : v->score[i], i == unknown ? TOKEN_UNKNOWN : vocab_type(v, i));
	put_trainer(&b, v, n, unknown);
	put_normalizer(&b, v);
	out = (struct heft_str){ arena_memdup(v->arena, b.p, b.n), b.n };
	jbuf_release(&b);
	return out;
}
