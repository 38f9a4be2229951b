/* Any bytes as a PyTorch file; and what stands in any bytes, as the pickle of an archive and of the legacy layout that are sound. */
#include "container.h"

static const unsigned char legacy_head[] = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}.";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t head = sizeof legacy_head - 1;
	uint8_t *copy;

	list_once("pytorch", data, size, true);
	list_once("pytorch", data, size, false);
	copy = malloc(head + size);
	memcpy(copy, legacy_head, head);
	if (size)
		memcpy(copy + head, data, size);
	list_once("pytorch", copy, head + size, true);
	list_once("pytorch", copy, head + size, false);
	free(copy);
	return 0;
}
