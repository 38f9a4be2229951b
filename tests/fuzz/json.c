/* Any bytes as a JSON text: as a tree, and forward. */
#include <stdlib.h>

#include "base/json_scan.h"
#include "json_walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct heft_err err;
	struct json_doc *doc = json_parse((const char *)data, size, "input", size & 1, &err);
	struct json_scan s;
	volatile size_t sum = json_walk(json_root(doc));

	(void)sum;
	if (!jscan_init(&s, (const char *)data, size, "input", &err) && !jscan_skip(&s))
		jscan_end(&s);
	jscan_release(&s);
	json_free(doc);
	return 0;
}
