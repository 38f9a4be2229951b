/* Compiled normalization rules and a text: u16 size of the rules | rules | text. What comes out is cut by a small Unigram model. */
#include "src/tokenizer/charsmap.h"
#include "src/tokenizer/bpe.h"
#include "src/tokenizer/unigram.h"

#include <stdlib.h>
#include <string.h>

enum { LIMIT = 1 << 20, TOKENS = 5 };

static void cut(struct heft_str text)
{
	static const char *const token[TOKENS] = { "<unk>", "a", "ab", "\xe2\x96\x81", "\xc3\xa9" };
	static const double score[TOKENS] = { 0, -1, -1.5, -2, -3 };
	struct ids ids = { 0 };
	struct map by_text;
	bool found;

	map_init(&by_text);
	for (size_t i = 0; i < TOKENS; i++)
		map_put(&by_text, token[i], strlen(token[i]), &found)->value.i = (int64_t)i;
	unigram_encode(&(struct unigram){ .by_text = &by_text, .score = score, .least = -3, .unk = 0, .longest = 5 }, text, &ids, NULL);
	for (size_t i = 0; i < ids.n; i++)
		if (ids.id[i] < 0 || ids.id[i] >= TOKENS)
			abort();
	free(ids.id);
	map_release(&by_text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	size_t n = size >= 2 ? data[0] | (size_t)data[1] << 8 : 0, rest = size >= 2 ? size - 2 : 0;
	struct heft_str rules, text, becomes;
	struct charsmap m;

	n = n < rest ? n : rest;
	rules = (struct heft_str){ arena_memdup(a, data + (size - rest), n), n };
	text = (struct heft_str){ arena_memdup(a, data + (size - rest) + n, rest - n), rest - n };
	m = charsmap_open(rules);
	if (charsmap_match(&m, text, true, &becomes) > text.n)
		abort();
	text = charsmap_graphemes(&m, text, LIMIT, a);
	if (text.n > LIMIT + 1)
		abort();
	if (text.n <= LIMIT)
		cut(text);
	arena_free(a);
	return 0;
}
