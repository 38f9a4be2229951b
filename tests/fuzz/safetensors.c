/* Any bytes as a safetensors file. The first 8 bytes are seldom a length that fits, so the rest is tried with its own
 * length too. */
#include "container.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t n = size > 16 ? size - 16 : 0; /* 8 bytes of tensors behind the header */
	uint8_t *copy;

	list_once("safetensors", data, size, true);
	list_once("safetensors", data, size, false);
	if (!n)
		return 0;
	copy = malloc(size);
	memcpy(copy, data, size);
	memcpy(copy, &n, sizeof n);
	list_once("safetensors", copy, size, true);
	list_once("safetensors", copy, size, false);
	free(copy);
	return 0;
}
