/*
 * unigram.c - Viterbi's way through a text: for each place the best way of getting there, by the token that ends there. Refuses a text with
 * unknown characters where the model has no unknown token.
 */
#include "unigram.h"
#include "unicode.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { UNKNOWN_COST = 10 };

struct place {
	double score;
	size_t from; /* where the token that ends here begins; SIZE_MAX: none does */
	int64_t id;
};

static void arrive(const struct unigram *u, struct place *at, size_t from, double score, int64_t id)
{
	if (at->from != SIZE_MAX && !(score > at->score))
		return;
	*at = (struct place){ u->single ? (float)score : score, from, id };
}

static bool begins_char(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

/* All tokens that begin at `from`, shortest first. */
static void leave(const struct unigram *u, struct heft_str text, struct place *place, size_t from)
{
	double here = place[from].score;
	size_t one = char_length(text.p + from, text.n - from), most = text.n - from < u->longest ? text.n - from : u->longest;
	bool alone = false;

	for (size_t n = 1; n <= most; n++) {
		const struct map_slot *slot = from + n == text.n || begins_char(text.p[from + n]) ? map_find(u->by_text, text.p + from, n)
												      : NULL;
		if (!slot || isnan(u->score[slot->value.i]))
			continue;
		arrive(u, &place[from + n], from, u->score[slot->value.i] + here, slot->value.i);
		alone = alone || n == one;
	}
	if (!alone)
		arrive(u, &place[from + one], from, (u->single ? (double)((float)u->least - UNKNOWN_COST) : u->least - UNKNOWN_COST) + here, u->unk);
}

static bool put_bytes(const struct unigram *u, struct heft_str s, struct ids *out)
{
	size_t before = out->n;

	for (size_t i = 0; i < s.n; i++) {
		char text[8];
		const struct map_slot *slot;
		snprintf(text, sizeof(text), "<0x%02X>", (unsigned char)s.p[i]);
		slot = map_find(u->by_text, text, 6);
		if (!slot) {
			out->n = before;
			return false;
		}
		ids_add(out, (int32_t)slot->value.i);
	}
	return true;
}

/* Turns the links round, so that each place tells where its token ends. */
static void forwards(struct place *place, size_t n)
{
	size_t to = n, next = SIZE_MAX;

	while (to != SIZE_MAX) {
		size_t from = to ? place[to].from : SIZE_MAX;
		place[to].from = next;
		next = to;
		to = from;
	}
}

int unigram_encode(const struct unigram *u, struct heft_str text, struct ids *out, struct heft_err *err)
{
	struct place *place = xmalloc((text.n + 1) * sizeof(*place));
	size_t unknown = SIZE_MAX; /* where a run of unknown characters began */
	int rc = 0;

	for (size_t i = 0; i <= text.n; i++)
		place[i] = (struct place){ .from = SIZE_MAX };
	for (size_t i = 0; i < text.n; i += char_length(text.p + i, text.n - i))
		leave(u, text, place, i);
	forwards(place, text.n);
	for (size_t i = 0; i <= text.n && !rc; i = i < text.n ? place[i].from : text.n + 1) {
		bool known = i == text.n || place[place[i].from].id != u->unk;
		if (known && unknown != SIZE_MAX) {
			struct heft_str run = { text.p + unknown, i - unknown };
			if (!(u->byte_fallback && put_bytes(u, run, out))) {
				if (u->unk < 0)
					rc = heft_fail(err, HEFT_E_TOKENIZER, "the text has characters that are no tokens, and there is no unknown token");
				ids_add(out, (int32_t)u->unk);
			}
			unknown = SIZE_MAX;
		}
		if (!known && unknown == SIZE_MAX)
			unknown = i;
		if (known && i < text.n)
			ids_add(out, (int32_t)place[place[i].from].id);
	}
	free(place);
	return rc;
}
