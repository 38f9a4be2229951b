/* tekken.json: read, and a text encoded with whatever it says; every id is one of its rows. */
#include "encoded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char text[] = " Hello the  \xc3\xa9\xff aaaaa 123 <s>\r\n";
	struct tokenizer t = { .arena = arena_new() };
	struct json_doc *doc = json_parse((const char *)data, size, "fuzz", false, NULL);
	int version;

	special_init(&t.special);
	if (doc && !tekken_read(&t, json_root(doc), &version, NULL))
		encode(&t, (struct heft_str){ text, sizeof(text) - 1 });
	if (t.encoder)
		encoder_release(t.encoder);
	json_free(doc);
	arena_free(t.arena);
	return 0;
}
