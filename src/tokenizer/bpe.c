/*
 * bpe.c - a BPE model: vocabulary, merges, and the encoder of one word. Refuses ids out of range, merges of unknown
 * tokens, merges that are not pairs. A pair's rank is its place in the list; where a pair stands twice the later place
 * counts.
 */
#include "bpe.h"
#include "heap.h"
#include "unicode.h"

#include <stdlib.h>
#include <string.h>

struct pair {
	int32_t left, right; /* left -1: empty */
	uint32_t rank;
	int32_t id; /* of both together */
};

void ids_add(struct ids *ids, int32_t id)
{
	if (ids->n == ids->cap) {
		ids->cap = ids->cap ? 2 * ids->cap : 64;
		ids->id = xrealloc(ids->id, ids->cap * sizeof(*ids->id));
	}
	ids->id[ids->n++] = id;
}

void bpe_release(struct bpe *b)
{
	map_release(&b->by_text);
	free(b->pair);
	b->pair = NULL;
}

int64_t bpe_id(const struct bpe *b, struct heft_str text)
{
	const struct map_slot *slot = map_find(&b->by_text, text.p, text.n);

	return slot ? slot->value.i : -1;
}

static void add_entry(struct bpe *b, struct heft_str text, int32_t id)
{
	bool found;

	b->entry[b->n++] = (struct vocab_entry){ text, id };
	map_put(&b->by_text, text.p, text.n, &found)->value.i = id;
	b->longest = text.n > b->longest ? text.n : b->longest;
}

int bpe_read_vocab(struct bpe *b, const struct json *vocab, struct arena *a, struct heft_err *err)
{
	if (json_kind(vocab) != JSON_OBJECT)
		return heft_fail(err, HEFT_E_TOKENIZER, "%s: the vocabulary is no object", b->file);
	map_init(&b->by_text);
	b->entry = arena_array(a, json_count(vocab) + 1, sizeof(*b->entry));
	for (const struct json *j = json_first(vocab); j; j = json_next(j)) {
		struct heft_str text = json_key(j);
		int64_t id;
		if (json_is_float(j) || !json_int(j, &id) || id < 0 || id >= TOKENIZER_MAX_ROWS)
			return heft_fail(err, HEFT_E_TOKENIZER, "%s: the token '%.*s' has no usable id", b->file,
					 (int)(text.n < 100 ? text.n : 100), text.p);
		text.p = arena_memdup(a, text.p, text.n);
		add_entry(b, text, (int32_t)id);
	}
	return 0;
}

int bpe_read_vocab_list(struct bpe *b, const struct json *vocab, double **score, struct arena *a, struct heft_err *err)
{
	size_t n = json_count(vocab);

	if (json_kind(vocab) != JSON_ARRAY || n >= (size_t)TOKENIZER_MAX_ROWS)
		return heft_fail(err, HEFT_E_TOKENIZER, "%s: the vocabulary is no list of tokens with scores", b->file);
	map_init(&b->by_text);
	b->entry = arena_array(a, n + 1, sizeof(*b->entry));
	*score = arena_array(a, n + 1, sizeof(**score));
	for (const struct json *j = json_first(vocab); j; j = json_next(j)) {
		struct heft_str text;
		if (!json_str(json_first(j), &text) || !json_num(json_next(json_first(j)), &(*score)[b->n]))
			return heft_fail(err, HEFT_E_TOKENIZER, "%s: token %zu is no text with a score", b->file, b->n);
		text.p = arena_memdup(a, text.p, text.n);
		add_entry(b, text, (int32_t)b->n);
	}
	return 0;
}

static struct heft_str next_line(struct heft_str *rest)
{
	const char *end = memchr(rest->p, '\n', rest->n);
	size_t n = end ? (size_t)(end - rest->p) : rest->n;
	struct heft_str line = { rest->p, n };

	n += end != NULL;
	rest->p += n;
	rest->n -= n;
	return line;
}

/* The end of a text without the white space there. */
static size_t trimmed(struct heft_str s)
{
	size_t n = 0;

	for (size_t i = 0, k; i < s.n; i += k) {
		k = char_length(s.p + i, s.n - i);
		if (!char_is_space(char_at(s.p + i, s.n - i)))
			n = i + k;
	}
	return n;
}

int bpe_read_vocab_text(struct bpe *b, struct heft_str text, struct arena *a, struct heft_err *err)
{
	struct heft_str rest = text;
	size_t lines = 1;

	for (size_t i = 0; i < text.n; i++)
		lines += text.p[i] == '\n';
	if (lines > (size_t)TOKENIZER_MAX_ROWS)
		return heft_fail(err, HEFT_E_VOCAB_SIZE, "%s has %zu lines; a vocabulary of more than %lld is not read", b->file,
				 lines, (long long)TOKENIZER_MAX_ROWS);
	map_init(&b->by_text);
	b->entry = arena_array(a, lines, sizeof(*b->entry));
	while (rest.n) {
		struct heft_str line = next_line(&rest);
		line.n = trimmed(line);
		add_entry(b, line, (int32_t)b->n);
	}
	return 0;
}

/* ---- merges
 * ------------------------------------------------------------------------------------------------------- */

/* The seed is another in each process, so that a file cannot aim at one place of the table. */
static struct pair *find_pair(const struct bpe *b, int32_t left, int32_t right)
{
	uint64_t h = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) ^ b->seed;

	h = (h ^ h >> 30) * 0xbf58476d1ce4e5b9u;
	h = (h ^ h >> 27) * 0x94d049bb133111ebu;
	for (size_t i = (size_t)(h ^ h >> 31);; i++) {
		struct pair *p = &b->pair[i & (b->n_pairs - 1)];
		if (p->left < 0 || (p->left == left && p->right == right))
			return p;
	}
}

void bpe_pairs(struct bpe *b, size_t n)
{
	const struct map_slot *slot = b->n ? map_find(&b->by_text, b->entry[0].text.p, b->entry[0].text.n) : NULL;

	b->seed = slot ? slot->hash : 0; /* the map's hash is seeded */
	b->n_pairs = 16;
	while (b->n_pairs < 2 * n)
		b->n_pairs *= 2;
	b->pair = xmalloc(b->n_pairs * sizeof(*b->pair));
	for (size_t i = 0; i < b->n_pairs; i++)
		b->pair[i].left = -1;
}

void bpe_pair(struct bpe *b, int32_t left, int32_t right, uint32_t rank, int32_t both)
{
	*find_pair(b, left, right) = (struct pair){ left, right, rank, both };
}

static int add_merge(struct bpe *b, struct heft_str left, struct heft_str right, uint32_t rank, struct heft_err *err)
{
	char small[256], *both = small;
	int64_t l = bpe_id(b, left), r = bpe_id(b, right), id = -1;
	size_t cut = b->prefix.n <= right.n ? b->prefix.n : 0, n = left.n + right.n - cut;

	if (l >= 0 && r >= 0) {
		if (n > sizeof(small))
			both = xmalloc(n);
		memcpy(both, left.p, left.n);
		memcpy(both + left.n, right.p + cut, right.n - cut);
		id = bpe_id(b, (struct heft_str){ both, n });
		if (both != small)
			free(both);
	}
	if (id < 0)
		return heft_fail(err, HEFT_E_TOKENIZER, "%s: merge %u names a token that is not in the vocabulary",
				 b->file, rank + 1);
	bpe_pair(b, (int32_t)l, (int32_t)r, rank, (int32_t)id);
	return 0;
}

/* A merge as it is written: "a b"; a space inside a part becomes the character that stands for the byte 20. */
struct heft_str bpe_join(struct heft_str left, struct heft_str right, struct arena *a)
{
	char *to = arena_array(a, left.n + right.n + 1, 2);
	size_t n = 0;

	for (size_t i = 0; i < left.n + right.n; i++) {
		char c = i < left.n ? left.p[i] : right.p[i - left.n];
		if (i == left.n)
			to[n++] = ' ';
		if (c == ' ')
			n += char_put(to + n, 0x120);
		else
			to[n++] = c;
	}
	if (!right.n)
		to[n++] = ' ';
	return (struct heft_str){ to, n };
}

static bool cut_in_two(struct heft_str line, struct heft_str *left, struct heft_str *right)
{
	const char *space = memchr(line.p, ' ', line.n);

	if (!space || memchr(space + 1, ' ', (size_t)(line.p + line.n - space - 1)))
		return false;
	*left = (struct heft_str){ line.p, (size_t)(space - line.p) };
	*right = (struct heft_str){ space + 1, (size_t)(line.p + line.n - space - 1) };
	return true;
}

static bool is_version(struct heft_str line)
{
	return line.n >= 8 && !memcmp(line.p, "#version", 8);
}

int bpe_read_merges(struct bpe *b, const struct json *merges, struct arena *a, struct heft_err *err)
{
	uint32_t rank = 0;

	if (json_kind(merges) != JSON_ARRAY)
		return heft_fail(err, HEFT_E_TOKENIZER, "%s: no list of merges, so it is no BPE tokenizer", b->file);
	b->merge = arena_array(a, json_count(merges) + 1, sizeof(*b->merge));
	bpe_pairs(b, json_count(merges));
	for (const struct json *j = json_first(merges); j; j = json_next(j)) {
		struct heft_str left, right, line;
		const struct json *part = json_first(j);
		if (json_str(j, &line)) {
			b->merge[b->n_merges++] = (struct heft_str){ arena_memdup(a, line.p, line.n), line.n };
			if (is_version(line))
				continue;
			if (!cut_in_two(line, &left, &right))
				return heft_fail(err, HEFT_E_TOKENIZER, "%s: merge %u is no pair", b->file, rank + 1);
		} else if (json_str(part, &left) && json_str(json_next(part), &right) && !json_next(json_next(part))) {
			b->merge[b->n_merges++] = bpe_join(left, right, a);
		} else {
			return heft_fail(err, HEFT_E_TOKENIZER, "%s: merge %u is no pair", b->file, rank + 1);
		}
		if (add_merge(b, left, right, rank++, err))
			return -1;
	}
	return 0;
}

static bool blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Pairs as they are written: two words, whatever stands around them; other lines are left out. */
static void write_merge(struct bpe *b, struct heft_str line, bool first, struct arena *a)
{
	struct heft_str word[3];
	size_t n = 0;

	for (size_t i = 0; i < line.n && n < 3;) {
		size_t from = i;
		while (i < line.n && !blank(line.p[i]))
			i++;
		if (i > from)
			word[n++] = (struct heft_str){ line.p + from, i - from };
		while (i < line.n && blank(line.p[i]))
			i++;
	}
	if (n == 2 && !(first && word[0].p[0] == '#'))
		b->merge[b->n_merges++] = bpe_join(word[0], word[1], a);
}

int bpe_read_merges_text(struct bpe *b, struct heft_str text, struct arena *a, struct heft_err *err)
{
	struct heft_str rest = text, left, right;
	size_t lines = 1;
	uint32_t rank = 0;

	for (size_t i = 0; i < text.n; i++)
		lines += text.p[i] == '\n';
	b->merge = arena_array(a, lines, sizeof(*b->merge));
	bpe_pairs(b, lines);
	while (rest.n) {
		bool first = rest.p == text.p;
		struct heft_str line = next_line(&rest);
		write_merge(b, line, first, a);
		if (is_version(line))
			continue;
		if (!cut_in_two(line, &left, &right))
			return heft_fail(err, HEFT_E_TOKENIZER, "merges.txt: merge %u is no pair", rank + 1);
		if (add_merge(b, left, right, rank++, err))
			return -1;
	}
	return 0;
}

/* ---- encoding one word
 * --------------------------------------------------------------------------------------------- */

struct symbol {
	int32_t id; /* -1: merged away */
	int64_t prev, next;
};

struct word {
	struct symbol *symbol;
	size_t n;
	uint32_t below; /* merges of this rank and higher ones are not made; 0: all are */
};

static void add_symbol(struct word *w, int32_t id)
{
	w->symbol[w->n] = (struct symbol){ id, (int64_t)w->n - 1, (int64_t)w->n + 1 };
	w->n++;
}

/* The id of a character, with the prefix of characters that begin no word and the suffix of those that end one. */
static int64_t char_id(const struct bpe *b, struct heft_str c, bool first, bool last)
{
	char text[256];
	size_t n = 0;
	const struct heft_str none = { 0 }, part[] = { first ? none : b->prefix, c, last ? b->suffix : none };

	for (size_t i = 0; i < 3; i++) {
		if (part[i].n > sizeof(text) - n)
			return -1;
		if (part[i].n)
			memcpy(text + n, part[i].p, part[i].n);
		n += part[i].n;
	}
	return bpe_id(b, (struct heft_str){ text, n });
}

static bool add_bytes(const struct bpe *b, struct heft_str c, struct word *w)
{
	int64_t id[4];

	for (size_t i = 0; i < c.n && i < 4; i++) {
		char text[8];
		snprintf(text, sizeof(text), "<0x%02X>", (unsigned char)c.p[i]);
		id[i] = bpe_id(b, (struct heft_str){ text, 6 });
		if (id[i] < 0)
			return false;
	}
	for (size_t i = 0; i < c.n && i < 4; i++)
		add_symbol(w, (int32_t)id[i]);
	return true;
}

/* The word's characters as symbols. An unknown one waits, so that its neighbours may fuse with it. */
static int add_chars(const struct bpe *b, struct heft_str text, struct word *w, struct heft_err *err)
{
	int64_t unk = -1;
	size_t k;

	for (size_t i = 0; i < text.n; i += k) {
		struct heft_str c = { text.p + i, k = char_length(text.p + i, text.n - i) };
		int64_t id = char_id(b, c, i == 0, i + k == text.n);
		if (id >= 0) {
			if (unk >= 0)
				add_symbol(w, (int32_t)unk);
			unk = -1;
			add_symbol(w, (int32_t)id);
			continue;
		}
		if ((b->byte_fallback && add_bytes(b, c, w)) || !b->unk.p)
			continue;
		if (unk >= 0 && !b->fuse_unk)
			add_symbol(w, (int32_t)unk);
		unk = bpe_id(b, b->unk);
		if (unk < 0)
			return heft_fail(err, HEFT_E_TOKENIZER, "%s: the unknown token '%.*s' is not in the vocabulary",
					 b->file, (int)(b->unk.n < 100 ? b->unk.n : 100), b->unk.p);
	}
	if (unk >= 0)
		add_symbol(w, (int32_t)unk);
	return 0;
}

static void consider(const struct bpe *b, const struct word *w, int64_t left, int64_t right, struct heap *h)
{
	const struct pair *p;

	if (left < 0 || right < 0 || (size_t)right >= w->n || !b->pair)
		return;
	p = find_pair(b, w->symbol[left].id, w->symbol[right].id);
	if (p->left >= 0 && (!w->below || p->rank < w->below))
		heap_push(h, (struct candidate){ .order = p->rank, .at = (uint32_t)left, .id = p->id });
}

static void merge_all(const struct bpe *b, struct word *w)
{
	struct heap h = { 0 };
	struct candidate c;

	for (size_t i = 0; i + 1 < w->n; i++)
		consider(b, w, (int64_t)i, (int64_t)i + 1, &h);
	while (heap_pop(&h, &c)) {
		struct symbol *left = &w->symbol[c.at], *right;
		const struct pair *p;
		if (left->id < 0 || (size_t)left->next >= w->n)
			continue;
		right = &w->symbol[left->next];
		p = find_pair(b, left->id, right->id);
		if (p->left < 0 || p->id != c.id)
			continue; /* one of them was merged with another in the meantime */
		left->id = c.id;
		left->next = right->next;
		right->id = -1;
		if ((size_t)left->next < w->n)
			w->symbol[left->next].prev = c.at;
		consider(b, w, left->prev, c.at, &h);
		consider(b, w, c.at, left->next, &h);
	}
	heap_release(&h);
}

bool bpe_halves(const struct bpe *b, struct heft_str text, uint32_t below, int32_t *left, int32_t *right, struct heft_err *err)
{
	struct word w = { .symbol = xmalloc((text.n + 1) * sizeof(*w.symbol)), .below = below };
	size_t second = 0;

	if (!add_chars(b, text, &w, err)) {
		merge_all(b, &w);
		second = w.n && (size_t)w.symbol[0].next < w.n ? (size_t)w.symbol[0].next : 0;
	}
	if (second && (size_t)w.symbol[second].next < w.n)
		second = 0;
	if (second) {
		*left = w.symbol[0].id;
		*right = w.symbol[second].id;
	}
	free(w.symbol);
	return second > 0;
}

int bpe_encode(const struct bpe *b, struct heft_str text, struct ids *out, struct heft_err *err)
{
	int64_t whole = b->ignore_merges ? bpe_id(b, text) : -1;
	struct word w = { 0 };
	int rc;

	if (!text.n)
		return 0;
	if (whole >= 0) {
		ids_add(out, (int32_t)whole);
		return 0;
	}
	w.symbol = xmalloc((text.n + 1) * sizeof(*w.symbol));
	rc = add_chars(b, text, &w, err);
	if (!rc) {
		merge_all(b, &w);
		for (size_t i = 0; i < w.n; i++)
			if (w.symbol[i].id >= 0)
				ids_add(out, w.symbol[i].id);
	}
	free(w.symbol);
	return rc;
}
