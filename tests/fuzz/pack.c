/* pack.c - any bytes as a packed file: opened, and read whole and in pieces where it opens. */
#include <stdlib.h>
#include <string.h>

#include "base/source.h"
#include "heft.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct heft_err err;
	struct source *s = source_unpacked(source_memory(data, size, "input"), &err);
	uint64_t n = s ? source_size(s) : 0;
	uint8_t piece[4096];

	for (uint64_t at = 0; at < n && at < 1 << 20; at += 3000)
		if (source_read_some(s, at, piece, sizeof piece, &err) < 0)
			break;
	if (n)
		source_read_some(s, n - 1, piece, sizeof piece, &err);
	source_close(s);
	return 0;
}
