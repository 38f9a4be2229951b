/* merges.txt beside a small vocabulary. */
#include "src/tokenizer/bpe.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char vocab[] = "{\"a\":0,\"b\":1,\"ab\":2,\"aba\":3,\"#\":4,\"ba\":5}";
	struct json_doc *doc = json_parse(vocab, sizeof(vocab) - 1, "vocab", false, NULL);
	struct arena *a = arena_new();
	struct heft_str text = { arena_memdup(a, data, size), size };
	struct ids ids = { 0 };
	struct bpe b = { .file = "fuzz" };

	text_newlines(&text);
	if (!bpe_read_vocab(&b, json_root(doc), a, NULL) && !bpe_read_merges_text(&b, text, a, NULL))
		bpe_encode(&b,
			   (struct heft_str){ "abbaab\xc3\xa9"
					      "ba",
					      10 },
			   &ids, NULL);
	free(ids.id);
	bpe_release(&b);
	json_free(doc);
	arena_free(a);
	return 0;
}
