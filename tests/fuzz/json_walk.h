/* json_walk.h - visits every node of a tree without recursion, with every accessor. */
#include "base/json.h"

static size_t json_walk(const struct json *root)
{
	const struct json *up[256], *j = root;
	struct heft_str s;
	size_t sum = 0;
	int depth = 0;

	while (j) {
		double d;
		int64_t i;
		uint64_t u;
		bool b;

		sum += json_str(j, &s) && s.n ? (unsigned char)s.p[s.n - 1] : 0;
		sum += json_num(j, &d) + json_int(j, &i) + json_uint(j, &u) + json_bool(j, &b) + json_is_float(j) +
		       json_count(j);
		sum += json_cstr(j) != NULL;
		sum += depth && json_kind(up[depth - 1]) == JSON_OBJECT ? json_key(j).n : 0;
		if (json_first(j) && depth < 256) {
			up[depth++] = j;
			j = json_first(j);
			continue;
		}
		while (j && j != root && !json_next(j) && depth)
			j = up[--depth];
		j = j == root ? NULL : json_next(j);
	}
	return sum;
}
