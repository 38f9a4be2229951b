/* A file of tiktoken's, of each kind: read as it is, and behind the lines of all bytes, so that it need not invent those; a text encoded. */
#include "encoded.h"

static void read_one(struct heft_str file, const char *kind)
{
	static const char text[] = " Hello the  \xc3\xa9\xff aaaaa 123 <|endoftext|>\r\n";
	static const struct tokenizer_options o = { .vocab_size = -1 };
	const struct files f = { .dir = "/nonexistent" };
	struct tokenizer t = { .arena = arena_new() };

	if (!tiktoken_read(&t, kind, file, &f, &o, NULL))
		encode(&t, (struct heft_str){ text, sizeof(text) - 1 });
	if (t.encoder)
		encoder_release(t.encoder);
	arena_free(t.arena);
}

/* The 256 lines of the bytes, and the data. */
static void behind_bytes(const uint8_t *data, size_t size)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	struct jbuf b = { 0 };

	for (int c = 0; c < 256; c++)
		jbuf_printf(&b, "%c%c== %d\n", digits[c >> 2], digits[(c & 3) << 4], c);
	jbuf_raw(&b, (const char *)data, size);
	read_one((struct heft_str){ b.p, b.n }, "qwen");
	read_one((struct heft_str){ b.p, b.n }, "llama3");
	jbuf_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct heft_str file = { (const char *)data, size };

	read_one(file, "kimi");
	behind_bytes(data, size);
	return 0;
}
