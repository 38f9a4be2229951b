/* regex.c - a pattern (up to the first line feed) and a name. */
#include "src/regex.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct regex r;
	const uint8_t *end = memchr(data, '\n', n);
	size_t len = end ? (size_t)(end - data) : n;
	if (len > 256 || n > 1024 || regex_compile(&r, (const char *)data, len))
		return 0;
	char *text = calloc(1, n - len + 1);
	memcpy(text, data + len, n - len);
	regex_search(&r, text);
	free(text);
	return 0;
}
