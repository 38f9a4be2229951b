/* Any words on any bytes: lines of edits, an empty line, then a GGUF or safetensors file. Where the edit is taken, the new file is right. */
#include "tests/edit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *file = memmem(data, size, "\n\n", 2);
	const struct format *f = format_find("gguf");
	struct edited e;
	char *words;

	if (!file)
		return 0;
	words = strndup((const char *)data, (size_t)(file - data));
	file += 2;
	size -= (size_t)(file - data);
	if (size < 4 || memcmp(file, "GGUF", 4))
		f = format_find("safetensors");
	if (!edited_make(&e, f, file, size, words) && edited_check(&e, f))
		abort();
	arena_free(e.arena);
	free(words);
	return 0;
}
