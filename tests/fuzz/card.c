/* card.c - a model card: finding its front matter, then reading the YAML. */
#include "base/yaml.h"
#include "src/target/llamacpp_card.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct arena *a = arena_new();
	size_t len = 0;
	char *yaml = card_front_matter((const char *)data, n, &len, a);
	if (yaml) {
		struct heft_err err;
		if (len > 2 * n || strlen(yaml) > len)
			__builtin_trap();
		json_free(yaml_parse(yaml, len, "card", &err));
	}
	arena_free(a);
	return 0;
}
