/* vocab.txt: read, and words cut into its tokens; every id is a line's number. */
#include "src/tokenizer/wordpiece.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const word[] = { "unaffable", "un", "\xc3\xa9t\xc3\xa9", "\xff\xfe", "##a", "" };
	struct bpe b = { .file = "fuzz", .unk = { "[UNK]", 5 }, .prefix = { "##", 2 } };
	struct arena *a = arena_new();
	struct ids ids = { 0 };

	if (!bpe_read_vocab_text(&b, (struct heft_str){ (const char *)data, size }, a, NULL))
		for (size_t i = 0; i < sizeof(word) / sizeof(*word); i++)
			wordpiece_encode(&b, 100, (struct heft_str){ word[i], strlen(word[i]) }, &ids, NULL);
	for (size_t i = 0; i < ids.n; i++)
		if (ids.id[i] < 0 || (size_t)ids.id[i] >= b.n)
			abort();
	free(ids.id);
	bpe_release(&b);
	arena_free(a);
	return 0;
}
