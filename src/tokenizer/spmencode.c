/*
 * spmencode.c - a text as the ids of a SentencePiece model: normalized by the model's own rules, then for BPE cut into characters, pairs
 * merged by the score of what they become; unigram.c cuts for Unigram. Refuses models of other types.
 */
#include "bpe.h"
#include "charsmap.h"
#include "heap.h"
#include "spm.h"
#include "unigram.h"
#include "unicode.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MARK "\xe2\x96\x81"

/* ---- normalization
 * ------------------------------------------------------------------------------------------------ */

/* The longest user-defined piece at the beginning, in bytes; 0: none. */
static size_t user_match(const struct spm *m, struct heft_str s)
{
	size_t most = s.n < m->longest_user ? s.n : m->longest_user;

	for (size_t n = most; n; n--) {
		const struct map_slot *slot = map_find(&m->by_text, s.p, n);
		if (slot && m->piece[slot->value.i].type == TOKEN_USER_DEFINED)
			return n;
	}
	return 0;
}

struct text {
	char *p;
	size_t n, cap;
};

static void put(struct text *t, const char *p, size_t n)
{
	if (t->n + n > t->cap) {
		t->cap = 2 * (t->n + n) + 64;
		t->p = xrealloc(t->p, t->cap);
	}
	memcpy(t->p + t->n, p, n);
	t->n += n;
}

/* What the beginning of a text becomes; how many bytes of it that takes. */
static size_t normalize_prefix(const struct spm *m, const struct charsmap *map, struct heft_str s, struct heft_str *out)
{
	size_t n = user_match(m, s);

	if (!n) {
		n = charsmap_match(map, s, true, out);
		if (n)
			return n;
		n = char_length(s.p, s.n);
		if (n == 1 && (unsigned char)*s.p >= 0x80) {
			*out = (struct heft_str){ "\xef\xbf\xbd", 3 };
			return 1;
		}
	}
	*out = (struct heft_str){ s.p, n };
	return n;
}

static void put_space(const struct spm *m, struct text *t)
{
	if (m->escape_whitespaces)
		put(t, MARK, 3);
	else
		put(t, " ", 1);
}

static struct text normalize(const struct spm *m, struct heft_str s)
{
	struct charsmap map = charsmap_open(m->charsmap);
	bool space = m->remove_extra_whitespaces, begun = false;
	struct heft_str part;
	struct text out = { 0 };

	while (s.n) {
		size_t n = normalize_prefix(m, &map, s, &part);
		s.p += n;
		s.n -= n;
		if (!begun && space && part.n == 1 && *part.p == ' ')
			continue;
		if (!begun && m->add_dummy_prefix && !m->space_is_suffix)
			put_space(m, &out);
		begun = true;
		while (space && part.n && *part.p == ' ') {
			part.p++;
			part.n--;
		}
		if (!part.n)
			continue;
		for (size_t i = 0; i < part.n; i++)
			if (part.p[i] == ' ')
				put_space(m, &out);
			else
				put(&out, part.p + i, 1);
		space = m->remove_extra_whitespaces && part.p[part.n - 1] == ' ';
	}
	if (m->remove_extra_whitespaces) {
		size_t n = m->escape_whitespaces ? 3 : 1;
		while (out.n >= n && !memcmp(out.p + out.n - n, m->escape_whitespaces ? MARK : " ", n))
			out.n -= n;
	}
	if (begun && m->add_dummy_prefix && m->space_is_suffix)
		put_space(m, &out);
	return out;
}

/* ---- merging
 * ------------------------------------------------------------------------------------------------------ */

struct symbol {
	const char *p;
	uint32_t n; /* 0: merged away */
	int64_t prev, next;
	bool frozen; /* a user-defined piece: stays as it is */
};

struct undo { /* an unused piece that came from a merge is taken apart again */
	const char *p;
	uint32_t n, left;
};

struct merger {
	const struct spm *m;
	struct symbol *symbol;
	int64_t n;
	struct heap heap;
	struct undo *undo;
	size_t n_undo, cap_undo;
};

static int64_t mergeable(const struct spm *m, const char *p, size_t n)
{
	const struct map_slot *slot = map_find(&m->by_text, p, n);
	enum token_type type = slot ? m->piece[slot->value.i].type : TOKEN_UNKNOWN;

	return type == TOKEN_NORMAL || type == TOKEN_USER_DEFINED || type == TOKEN_UNUSED ? slot->value.i : -1;
}

static void remember(struct merger *g, const char *p, uint32_t n, uint32_t left)
{
	if (g->n_undo == g->cap_undo) {
		g->cap_undo = g->cap_undo ? 2 * g->cap_undo : 16;
		g->undo = xrealloc(g->undo, g->cap_undo * sizeof(*g->undo));
	}
	g->undo[g->n_undo++] = (struct undo){ p, n, left };
}

static void consider(struct merger *g, int64_t left, int64_t right)
{
	struct symbol *l, *r;
	int64_t id;

	if (left < 0 || right < 0 || right >= g->n)
		return;
	l = &g->symbol[left];
	r = &g->symbol[right];
	id = l->frozen || r->frozen ? -1 : mergeable(g->m, l->p, l->n + r->n);
	if (id < 0)
		return;
	heap_push(&g->heap, (struct candidate){ .order = -(double)g->m->piece[id].score,
						.at = (uint32_t)left,
						.id = (int32_t)id,
						.size = l->n + r->n });
	if (g->m->piece[id].type == TOKEN_UNUSED)
		remember(g, l->p, l->n + r->n, l->n);
}

static void merge_all(struct merger *g)
{
	struct candidate c;

	for (int64_t i = 0; i + 1 < g->n; i++)
		consider(g, i, i + 1);
	while (heap_pop(&g->heap, &c)) {
		struct symbol *left = &g->symbol[c.at], *right;
		if (!left->n || left->next >= g->n)
			continue;
		right = &g->symbol[left->next];
		if (left->n + right->n != c.size)
			continue;
		left->n += right->n;
		right->n = 0;
		left->next = right->next;
		if (left->next < g->n)
			g->symbol[left->next].prev = c.at;
		consider(g, left->prev, c.at);
		consider(g, c.at, left->next);
	}
	heap_release(&g->heap);
}

static void cut(struct merger *g, const struct text *t)
{
	for (size_t i = 0; i < t->n;) {
		struct heft_str rest = { t->p + i, t->n - i };
		size_t n = user_match(g->m, rest);
		struct symbol *s = &g->symbol[g->n];
		*s = (struct symbol){ rest.p, (uint32_t)(n ? n : char_length(rest.p, rest.n)), g->n - 1, g->n + 1,
				      n > 0 };
		i += s->n;
		g->n++;
	}
}

/* ---- ids
 * ---------------------------------------------------------------------------------------------------------- */

static void put_unknown(const struct spm *m, struct heft_str s, bool *unknown, struct ids *out)
{
	for (size_t i = 0; m->byte_fallback && i < s.n; i++) {
		char text[8];
		const struct map_slot *slot;
		snprintf(text, sizeof(text), "<0x%02X>", (unsigned char)s.p[i]);
		slot = map_find(&m->by_text, text, 6);
		ids_add(out, slot ? (int32_t)slot->value.i : m->unknown);
	}
	if (!m->byte_fallback && !*unknown) /* a run of unknown pieces is one */
		ids_add(out, m->unknown);
	*unknown = !m->byte_fallback;
}

/* The last way in which this text was put together. */
static const struct undo *undo_of(const struct merger *g, struct heft_str s)
{
	for (size_t i = g->n_undo; i-- > 0;)
		if (g->undo[i].n == s.n && !memcmp(g->undo[i].p, s.p, s.n))
			return &g->undo[i];
	return NULL;
}

/* An unused piece is taken apart into what it was merged from, left part first, until the parts are used ones. */
static void put_symbol(const struct merger *g, const struct symbol *s, bool *unknown, struct ids *out)
{
	struct ids end = { 0 }; /* where the parts that wait end, the leftmost on top */
	size_t done = 0;

	ids_add(&end, (int32_t)s->n);
	while (end.n) {
		struct heft_str part = { s->p + done, (size_t)end.id[end.n - 1] - done };
		const struct map_slot *slot = map_find(&g->m->by_text, part.p, part.n);
		const struct spm_piece *piece = slot ? &g->m->piece[slot->value.i] : NULL;
		const struct undo *undo = piece && piece->type == TOKEN_UNUSED ? undo_of(g, part) : NULL;
		if (undo) {
			ids_add(&end, (int32_t)(done + undo->left));
			continue;
		}
		if (!piece || piece->type == TOKEN_UNKNOWN) {
			put_unknown(g->m, part, unknown, out);
		} else {
			ids_add(out, (int32_t)slot->value.i);
			*unknown = false;
		}
		done = (size_t)end.id[--end.n];
	}
	free(end.id);
}

static void encode_bpe(const struct spm *m, const struct text *t, struct ids *out)
{
	struct merger g = { .m = m };
	bool unknown = false;

	g.symbol = xmalloc((t->n + 1) * sizeof(*g.symbol));
	cut(&g, t);
	merge_all(&g);
	for (int64_t i = 0; i < g.n; i = g.symbol[i].next)
		put_symbol(&g, &g.symbol[i], &unknown, out);
	free(g.symbol);
	free(g.undo);
}

/* Pieces in the order of their scores' sum, which is kept in 32 bits. A piece of the user's counts a tenth less than nothing, so that it wins
 * over what it is made of. */
static int encode_unigram(const struct spm *m, const struct text *t, struct ids *out, struct heft_err *err)
{
	struct unigram u = { .by_text = &m->by_text, .unk = m->unknown, .byte_fallback = m->byte_fallback, .single = true };
	double *score = xmalloc((m->n + 1) * sizeof(*score));
	float least = FLT_MAX, most = FLT_MIN;
	int rc;

	for (size_t i = 0; i < m->n; i++) {
		const struct spm_piece *p = &m->piece[i];
		u.longest = p->text.n > u.longest ? p->text.n : u.longest;
		if (p->type != TOKEN_NORMAL)
			continue;
		least = p->score < least ? p->score : least;
		most = p->score > most ? p->score : most;
	}
	for (size_t i = 0; i < m->n; i++) {
		const struct spm_piece *p = &m->piece[i];
		score[i] = p->type == TOKEN_NORMAL ? p->score : p->type == TOKEN_USER_DEFINED ? (float)p->text.n * most - 0.1 : NAN;
	}
	u.score = score;
	u.least = least;
	rc = unigram_encode(&u, (struct heft_str){ t->p, t->n }, out, err);
	free(score);
	return rc;
}

int spm_encode(const struct spm *m, struct heft_str text, struct ids *out, struct heft_err *err)
{
	struct text t;
	int rc = 0;

	if (m->model_type != SPM_BPE && m->model_type != SPM_UNIGRAM)
		return heft_fail(err, HEFT_E_TOKENIZER, "heft encodes with SentencePiece models of type BPE and Unigram alone");
	if (text.n > INT32_MAX / 16)
		return heft_fail(err, HEFT_E_LIMIT, "a text of %zu bytes is more than heft encodes at once", text.n);
	t = normalize(m, text);
	if (m->model_type == SPM_BPE)
		encode_bpe(m, &t, out);
	else
		rc = encode_unigram(m, &t, out, err);
	free(t.p);
	return rc;
}
