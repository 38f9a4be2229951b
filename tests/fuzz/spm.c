/* SentencePiece models: the wire reader, and a text encoded with whatever it read. */
#include "src/tokenizer/bpe.h"
#include "src/tokenizer/spm.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char text[] = " Hello  \xe2\x96\x81world\t\xc3\xa9\xff 123 <s>";
	struct arena *a = arena_new();
	struct ids ids = { 0 };
	struct spm m;

	if (!spm_read(&m, (struct heft_str){ (const char *)data, size }, "fuzz", a, NULL))
		spm_encode(&m, (struct heft_str){ text, sizeof(text) - 1 }, &ids, NULL);
	free(ids.id);
	spm_release(&m);
	arena_free(a);
	return 0;
}
