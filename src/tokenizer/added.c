/*
 * added.c - the list of added tokens and the search for them: at each place of a text the longest one counts, leftmost
 * first.
 */
#include "added.h"

#include <stdlib.h>
#include <string.h>

void added_init(struct added *s, struct arena *a)
{
	*s = (struct added){ .arena = a, .max_id = -1 };
	map_init(&s->by_text);
}

void added_release(struct added *s)
{
	map_release(&s->by_text);
}

const struct added_token *added_find(const struct added *s, struct heft_str text)
{
	const struct map_slot *slot = map_find(&s->by_text, text.p, text.n);

	return slot ? &s->token[slot->value.i] : NULL;
}

static void append(struct added *s, struct added_token t)
{
	if (s->n == s->cap)
		s->token = arena_grow(s->arena, s->token, &s->cap, s->n + 1, sizeof(*s->token));
	s->token[s->n++] = t;
}

void added_put(struct added *s, struct added_token t)
{
	bool found;

	struct map_slot *slot = map_put(&s->by_text, t.text.p, t.text.n, &found);

	if (found)
		return;
	slot->value.i = (int64_t)s->n;
	t.pattern = t.text;
	append(s, t);
}

int added_add(struct added *s, struct added_token t, const struct bpe *b, const struct steps *normalizer,
	      struct heft_err *err)
{
	struct map_slot *slot;
	int64_t id;
	bool found;

	if (!t.text.n)
		return 0;
	t.text.p = arena_memdup(s->arena, t.text.p, t.text.n);
	t.pattern = t.text;
	if (t.normalized && steps_text(normalizer, &t.pattern, true, 16 * t.text.n + 1024, s->arena, err))
		return -1;
	slot = map_put(&s->by_text, t.text.p, t.text.n, &found);
	if (found) {
		t.id = s->token[slot->value.i].id;
		s->token[slot->value.i] = t;
		return 0;
	}
	slot->value.i = (int64_t)s->n;
	id = bpe_id(b, t.text);
	if (id < 0)
		id = s->max_id >= (int64_t)b->n ? s->max_id + 1 : (int64_t)b->n;
	if (id > s->max_id)
		s->max_id = id;
	if (id >= TOKENIZER_MAX_ROWS)
		return heft_fail(err, HEFT_E_VOCAB_SIZE, "the tokenizer has more than %lld tokens",
				 (long long)TOKENIZER_MAX_ROWS);
	t.id = (int32_t)id;
	append(s, t);
	return 0;
}

static int by_pattern(const void *a, const void *b)
{
	const struct heft_str x = (*(const struct added_token *const *)a)->pattern,
			      y = (*(const struct added_token *const *)b)->pattern;
	int first = (unsigned char)*x.p - (unsigned char)*y.p;

	return first ? first : x.n != y.n ? (x.n > y.n ? -1 : 1) : memcmp(x.p, y.p, x.n);
}

static const struct added_token **sorted(const struct added *s, bool normalized, size_t *n)
{
	const struct added_token **list = arena_array(s->arena, s->n + 1, sizeof(*list));

	*n = 0;
	for (size_t i = 0; i < s->n; i++)
		if (s->token[i].normalized == normalized && s->token[i].pattern.n)
			list[(*n)++] = &s->token[i];
	qsort(list, *n, sizeof(*list), by_pattern);
	return list;
}

void added_ready(struct added *s)
{
	s->raw = sorted(s, false, &s->n_raw);
	s->normal = sorted(s, true, &s->n_normal);
}

/* Where the tokens that begin with this byte begin in the list. */
static size_t first_with(const struct added_token *const *list, size_t n, unsigned char byte)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = (low + high) / 2;
		if ((unsigned char)*list[middle]->pattern.p < byte)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static const struct added_token *longest_at(const struct added_token *const *list, size_t n, struct heft_str rest)
{
	for (size_t i = first_with(list, n, (unsigned char)*rest.p); i < n && *list[i]->pattern.p == *rest.p; i++)
		if (list[i]->pattern.n <= rest.n && !memcmp(list[i]->pattern.p, rest.p, list[i]->pattern.n))
			return list[i];
	return NULL;
}

static size_t char_before(struct heft_str s, size_t at)
{
	do
		at--;
	while (at && ((unsigned char)s.p[at] & 0xc0) == 0x80);
	return at;
}

static bool stands_alone(struct heft_str s, size_t from, size_t to)
{
	size_t before = from ? char_before(s, from) : 0;

	return (!from || !char_is_word(char_at(s.p + before, from - before))) &&
	       (to == s.n || !char_is_word(char_at(s.p + to, s.n - to)));
}

static size_t spaces_before(struct heft_str s, size_t at)
{
	while (at) {
		size_t before = char_before(s, at);
		if (!char_is_space(char_at(s.p + before, at - before)))
			break;
		at = before;
	}
	return at;
}

static size_t spaces_behind(struct heft_str s, size_t at)
{
	while (at < s.n && char_is_space(char_at(s.p + at, s.n - at)))
		at += char_length(s.p + at, s.n - at);
	return at;
}

static void put(struct pieces *out, struct piece piece, size_t from, size_t to, int32_t id)
{
	if (from < to)
		pieces_add(out, (struct heft_str){ piece.text.p + from, to - from }, id, piece.first && !from);
}

void added_split(const struct added *s, bool normalized, struct piece piece, struct pieces *out)
{
	const struct added_token *const *list = normalized ? s->normal : s->raw;
	size_t n = normalized ? s->n_normal : s->n_raw, done = 0;
	struct heft_str text = piece.text;

	for (size_t at = 0; at < text.n && n;) {
		const struct added_token *t = longest_at(list, n, (struct heft_str){ text.p + at, text.n - at });
		size_t from = at, to;
		if (!t) {
			at++;
			continue;
		}
		to = at += t->pattern.n;
		if ((s->split_special && t->special) || (t->single_word && !stands_alone(text, from, to)))
			continue;
		if (t->lstrip)
			from = spaces_before(text, from);
		if (t->rstrip)
			to = spaces_behind(text, to);
		if (t->lstrip && from < done)
			from = done < to ? done : to;
		put(out, piece, done, from, -1);
		pieces_add(out, (struct heft_str){ text.p + from, to - from }, t->id, false);
		done = to; /* the search goes on behind the token: one among the spaces just taken counts as well */
	}
	put(out, piece, done, text.n, -1);
}
