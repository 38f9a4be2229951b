/*
 * wordpiece.c - the encoder of a WordPiece model, for one word. Refuses words with an unknown part where the vocabulary
 * has no unknown token.
 */
#include "wordpiece.h"
#include "unicode.h"

#include <stdlib.h>
#include <string.h>

static size_t count_chars(struct heft_str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i += char_length(s.p + i, s.n - i))
		n++;
	return n;
}

static bool begins_char(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

/* The longest token that the word has at `from`: its id, and where it ends. `text` has room for prefix and token. */
static int64_t longest_at(const struct bpe *b, struct heft_str word, size_t from, size_t *to, char *text)
{
	size_t prefix = from ? b->prefix.n : 0, n = word.n - from, most = b->longest > prefix ? b->longest - prefix : 0;

	n = n < most ? n : most;
	if (prefix)
		memcpy(text, b->prefix.p, prefix);
	memcpy(text + prefix, word.p + from, n);
	for (; n; n--) {
		int64_t id = from + n == word.n || begins_char(word.p[from + n]) ? bpe_id(b, (struct heft_str){ text, prefix + n })
										   : -1;
		if (id >= 0) {
			*to = from + n;
			return id;
		}
	}
	return -1;
}

int wordpiece_encode(const struct bpe *b, size_t limit, struct heft_str word, struct ids *out, struct heft_err *err)
{
	size_t before = out->n, to = 0;
	bool known = count_chars(word) <= limit;
	char *text = xmalloc(b->longest + b->prefix.n + 1);
	int64_t id;

	for (size_t from = 0; known && from < word.n; from = to) {
		id = longest_at(b, word, from, &to, text);
		known = id >= 0;
		if (known)
			ids_add(out, (int32_t)id);
	}
	free(text);
	if (known)
		return 0;
	out->n = before;
	id = bpe_id(b, b->unk);
	if (id < 0)
		return heft_fail(err, HEFT_E_TOKENIZER, "%s: the unknown token '%.*s' is not in the vocabulary", b->file,
				 (int)(b->unk.n < 100 ? b->unk.n : 100), b->unk.p ? b->unk.p : "");
	ids_add(out, (int32_t)id);
	return 0;
}
