/* Any bytes as the front matter of a model card. */
#include "base/yaml.h"
#include "json_walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct heft_err err;
	struct json_doc *doc = yaml_parse((const char *)data, size, "input", &err);
	volatile size_t sum = json_walk(json_root(doc));

	(void)sum;
	json_free(doc);
	return 0;
}
