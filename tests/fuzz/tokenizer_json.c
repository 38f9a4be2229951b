/* tokenizer.json: made ready as it is and as each class would rebuild it, the check text encoded, special tokens
 * read; peeked at as well. */
#include "src/tokenizer/pre.h"

#include <stdlib.h>
#include <string.h>

static void all_of_it(const struct files *f, enum encoder_mode mode)
{
	struct arena *a = arena_new();
	struct encoder e;
	struct special s;
	struct heft_str text;
	char hash[65];

	if (!encoder_open(&e, f, a, mode, NULL)) {
		pre_hash(&e, hash, NULL);
		pre_candidates(&e);
		for (size_t i = 0; i < e.added.n; i++)
			encoder_round_trip(&e, &e.added.token[i], &text, a, NULL);
	}
	encoder_release(&e);
	special_read(&s, f, -1, a, NULL);
	arena_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const class[] = { "{}", "{\"tokenizer_class\":\"LlamaTokenizer\"}",
					     "{\"tokenizer_class\":\"Qwen2Tokenizer\"}",
					     "{\"tokenizer_class\":\"GPT2Tokenizer\",\"split_special_tokens\":true}" };
	struct files f = { .dir = "/nonexistent" };
	struct peek p;

	peek_text(&p, (struct heft_str){ (const char *)data, size });
	f.tokenizer = json_parse((const char *)data, size, "fuzz", false, NULL);
	for (size_t i = 0; f.tokenizer && i < sizeof(class) / sizeof(*class); i++) {
		f.tokenizer_config = json_parse(class[i], strlen(class[i]), "config", false, NULL);
		all_of_it(&f, ENCODER_AS_CLASS);
		json_free(f.tokenizer_config);
	}
	json_free(f.tokenizer);
	return 0;
}
