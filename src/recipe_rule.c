/*
 * recipe_rule.c - the user's own choices: --tensor-type PATTERN=TYPE.
 *
 * The pattern (regex.h) is turned to lower case and looked for anywhere in the tensor's name.
 */
#include "recipe_rows.h"

#include "regex.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { PATTERN_LIMIT = 256 };

struct rule {
	const char *text;
	struct regex *regex;
	bool used;
	const struct heft_encoding *type;
};

struct rules {
	struct rule *rule;
	size_t n;
};

void rules_close(struct rules *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n; i++)
		free(r->rule[i].regex);
	free(r->rule);
	free(r);
}

static int compile(struct rule *r, const char *text, struct heft_err *err)
{
	char pattern[PATTERN_LIMIT];
	const char *equals = strrchr(text, '=');
	size_t n = equals ? (size_t)(equals - text) : 0;
	r->text = text;
	if (!n)
		return heft_fail(err, HEFT_E_PATTERN, "rule '%s' is not PATTERN=TYPE", text);
	if (n > PATTERN_LIMIT)
		return heft_fail(err, HEFT_E_PATTERN, "rule '%.40s...': its pattern has more than %d bytes", text,
			PATTERN_LIMIT);
	r->type = quant_find(equals + 1);
	if (!r->type || !heft_encoding_can_encode(r->type))
		return heft_fail(err, HEFT_E_TYPE, "rule '%s': no type '%s' to write ('heft types' lists them)", text,
			equals + 1);
	for (size_t i = 0; i < n; i++)
		pattern[i] = (char)tolower((unsigned char)text[i]);
	r->regex = xmalloc(sizeof(*r->regex));
	const char *wrong = regex_compile(r->regex, pattern, n);
	return wrong ? heft_fail(err, HEFT_E_PATTERN, "rule '%s': %s", text, wrong) : 0;
}

struct rules *rules_open(const char *const *rule, size_t n, struct heft_err *err)
{
	struct rules *r = xmalloc(sizeof(*r));
	r->rule = xmalloc(n * sizeof(*r->rule));
	for (r->n = 0; r->n < n;) {
		struct rule *x = &r->rule[r->n++];
		memset(x, 0, sizeof(*x));
		if (compile(x, rule[r->n - 1], err)) {
			rules_close(r);
			return NULL;
		}
	}
	return r;
}

const struct heft_encoding *rules_find(struct rules *r, const char *name, const char **text)
{
	const struct heft_encoding *found = NULL;
	for (size_t i = 0; i < r->n; i++) {
		struct rule *x = &r->rule[i];
		if (!regex_search(x->regex, name))
			continue;
		x->used = true; /* also where an earlier rule decides: the user's pattern was right */
		if (found)
			continue;
		found = x->type;
		*text = x->text;
	}
	return found;
}

int rules_check_used(const struct rules *r, struct heft_err *err)
{
	for (size_t i = 0; i < r->n; i++)
		if (!r->rule[i].used)
			return heft_fail(err, HEFT_E_PATTERN,
				"rule '%s' matches no tensor that can be stored in another type", r->rule[i].text);
	return 0;
}
