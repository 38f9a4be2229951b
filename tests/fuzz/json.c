/* json.c - fuzz target: base/json.c. The tree is walked without recursion, as its users walk it. */
#include "base/json.h"

#include <stdlib.h>

static void walk(const struct json *root)
{
	const struct json *stack[256], *j;
	size_t n = 0;
	stack[n++] = json_first(root);
	while (n) {
		struct heft_str s;
		double d;
		int64_t i;
		if (!(j = stack[n - 1])) {
			n--;
			continue;
		}
		stack[n - 1] = json_next(j);
		json_str(j, &s);
		json_cstr(j);
		json_num(j, &d);
		json_int(j, &i);
		if (json_kind(j) == JSON_ARRAY || json_kind(j) == JSON_OBJECT) {
			json_get(j, "model");
			if (n < 256)
				stack[n++] = json_first(j);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	for (int no_duplicates = 0; no_duplicates < 2; no_duplicates++) {
		struct heft_err err;
		struct json_doc *d = json_parse((const char *)p, n, "input", no_duplicates, &err);
		if (d)
			walk(json_root(d));
		json_free(d);
	}
	return 0;
}
