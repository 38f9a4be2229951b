/*
 * recipe_rule.c - the user's own choices: --tensor-type PATTERN=TYPE.
 *
 * The pattern is an extended regular expression that is looked for anywhere in the tensor's name; the case of its letters does not matter.
 * \d \w \s are understood. Refused: back references and nested or large counts, which can take time or memory beyond measure.
 */
#include "recipe_rows.h"

#include <ctype.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

enum { PATTERN_LIMIT = 256, COUNT_LIMIT = 255 };

struct rule {
	const char *text;
	regex_t regex;
	bool compiled, used;
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
		if (r->rule[i].compiled)
			regfree(&r->rule[i].regex);
	free(r->rule);
	free(r);
}

/* What a backslash and a letter stand for in an extended regular expression. */
static const char *class_of(char c)
{
	return c == 'd' ? "[0-9]" : c == 'w' ? "[a-z0-9_]" : c == 's' ? "[ \t]" : NULL;
}

/* Lower case, classes spelled out; refuses what may not be matched in bounded time. */
static int translate(const char *pattern, size_t n, char *out, const char *rule, struct heft_err *err)
{
	int counts = 0;
	for (size_t i = 0; i < n; i++) {
		char c = (char)tolower((unsigned char)pattern[i]);
		if (c == '\\' && i + 1 < n) {
			char next = pattern[++i];
			const char *class = class_of(next);
			if (next >= '0' && next <= '9')
				return heft_fail(err, HEFT_E_PATTERN, "rule '%s': back references are not supported", rule);
			out += class ? sprintf(out, "%s", class) : sprintf(out, "\\%c", next);
			continue;
		}
		if (c == '{' && (++counts > 1 || atoi(pattern + i + 1) > COUNT_LIMIT))
			return heft_fail(err, HEFT_E_PATTERN, "rule '%s': one count of up to %d", rule, COUNT_LIMIT);
		*out++ = c;
	}
	*out = 0;
	return 0;
}

static int compile(struct rule *r, const char *text, struct heft_err *err)
{
	char pattern[PATTERN_LIMIT * 10], why[128];
	const char *equals = strrchr(text, '=');
	size_t n = equals ? (size_t)(equals - text) : 0;
	r->text = text;
	if (!n)
		return heft_fail(err, HEFT_E_PATTERN, "rule '%s' is not PATTERN=TYPE", text);
	if (n > PATTERN_LIMIT)
		return heft_fail(err, HEFT_E_PATTERN, "rule '%.40s...': its pattern has more than %d bytes", text, PATTERN_LIMIT);
	r->type = quant_find(equals + 1);
	if (!r->type || !(r->type->encode || r->type->class == QUANT_FLOAT))
		return heft_fail(err, HEFT_E_TYPE, "rule '%s': no type '%s' to write ('heft types' lists them)", text, equals + 1);
	if (translate(text, n, pattern, text, err))
		return -1;
	int rc = regcomp(&r->regex, pattern, REG_EXTENDED | REG_NOSUB);
	r->compiled = !rc;
	if (!rc)
		return 0;
	regerror(rc, &r->regex, why, sizeof(why));
	return heft_fail(err, HEFT_E_PATTERN, "rule '%s': %s", text, why);
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
		if (regexec(&x->regex, name, 0, NULL, 0))
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
			return heft_fail(err, HEFT_E_PATTERN, "rule '%s' matches no tensor that can be stored in another type", r->rule[i].text);
	return 0;
}
