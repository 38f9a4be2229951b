/*
 * coreml_rules.c - what the user says of single constants of a package:
 *
 *   --ignore PATTERN                    they stay
 *   --targets PATTERN                   no others change
 *   --tensor-type PATTERN=TYPE[:GROUP]  these become TYPE, whatever -t says; of several the first that matches decides
 *
 * Patterns are looked for anywhere in a constant's name, large and small letters alike (regex.h). Refuses one that matches nothing.
 */
#include "coreml_write.h"

#include "../regex.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { PATTERN_MAX = 512, GROUP_MAX = 1 << 20 };

static const char *option_of(enum coreml_rule rule)
{
	static const char *const names[] = { [COREML_IGNORE] = "--ignore", [COREML_TARGETS] = "--targets", [COREML_TYPE] = "--tensor-type" };

	return names[rule];
}

static char *lower(const char *s, size_t n, struct arena *a)
{
	char *out = arena_printf(a, "%.*s", (int)n, s);

	for (char *c = out; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return out;
}

static int compile(struct coreml_pattern *x, size_t n, struct arena *a, struct heft_err *err)
{
	const char *wrong;

	if (!n || n > PATTERN_MAX)
		return heft_fail(err, HEFT_E_PATTERN, "%s '%.40s': a pattern has 1 to %d bytes", option_of(x->rule), x->text, PATTERN_MAX);
	x->regex = arena_alloc(a, sizeof *x->regex);
	wrong = regex_compile(x->regex, lower(x->text, n, a), n);
	return wrong ? heft_fail(err, HEFT_E_PATTERN, "%s '%s': %s", option_of(x->rule), x->text, wrong) : 0;
}

/* "channel", "tensor", "32"; 0: none of them. */
static uint32_t group_of(const char *s)
{
	char *end;
	unsigned long n = strtoul(s, &end, 10);

	if (!strcasecmp(s, "channel"))
		return UINT32_MAX;
	if (!strcasecmp(s, "tensor"))
		return HEFT_GROUP_TENSOR;
	return *s >= '0' && *s <= '9' && !*end && n <= GROUP_MAX ? (uint32_t)n : 0;
}

/* TYPE[:GROUP], behind the last '='. */
static int read_type(struct coreml_pattern *x, const char *type, struct arena *a, struct heft_err *err)
{
	const char *colon = strchr(type, ':'), *name = colon ? arena_printf(a, "%.*s", (int)(colon - type), type) : type;

	x->scheme = coreml_scheme_find(name);
	if (!x->scheme)
		return heft_fail(err, HEFT_E_TYPE, "rule '%s': Core ML has no '%s', but int8, uint8, int4, uint4, palette1 to palette8, f16 and f32", x->text, name);
	if (colon && (x->scheme->grid == COREML_FLOATS || !(x->group = group_of(colon + 1))))
		return heft_fail(err, HEFT_E_OPTION, "rule '%s': behind the colon of integers and palettes stands a number, channel or tensor", x->text);
	return 0;
}

static int add(struct coreml_plan *p, enum coreml_rule rule, const char *text, struct heft_err *err)
{
	struct coreml_pattern *x = &p->pattern[p->n_patterns++];
	const char *equals = rule == COREML_TYPE ? strrchr(text, '=') : NULL;

	*x = (struct coreml_pattern){ .rule = rule, .text = arena_strdup(p->arena, text) };
	if (rule == COREML_TYPE && !equals)
		return heft_fail(err, HEFT_E_PATTERN, "rule '%s' is not PATTERN=TYPE", text);
	if (compile(x, equals ? (size_t)(equals - text) : strlen(text), p->arena, err))
		return -1;
	return equals ? read_type(x, equals + 1, p->arena, err) : 0;
}

int coreml_rules_open(struct coreml_plan *p, struct heft_err *err)
{
	const struct heft_job *j = p->job;
	const struct {
		enum coreml_rule rule;
		const char *const *text;
		size_t n;
	} lists[] = { { COREML_IGNORE, j->ignore, j->n_ignore }, { COREML_TARGETS, j->targets, j->n_targets }, { COREML_TYPE, j->tensor_type, j->n_tensor_types } };

	p->pattern = arena_array(p->arena, j->n_ignore + j->n_targets + j->n_tensor_types + 1, sizeof *p->pattern);
	for (size_t k = 0; k < sizeof lists / sizeof *lists; k++)
		for (size_t i = 0; i < lists[k].n; i++)
			if (add(p, lists[k].rule, lists[k].text[i], err))
				return -1;
	return 0;
}

bool coreml_rules_find(struct coreml_plan *p, const char *name, struct coreml_change *c)
{
	const char *low = lower(name, strlen(name), p->arena);
	bool ignored = false, targeted = !p->job->n_targets;

	c->scheme = NULL;
	for (size_t i = 0; i < p->n_patterns; i++) {
		struct coreml_pattern *x = &p->pattern[i];

		if (!regex_search(x->regex, low))
			continue;
		x->used = true;
		ignored |= x->rule == COREML_IGNORE;
		targeted |= x->rule == COREML_TARGETS;
		if (x->rule != COREML_TYPE || c->scheme)
			continue;
		c->scheme = x->scheme;
		c->group = x->group;
	}
	if (!c->scheme) {
		c->scheme = p->scheme;
		c->group = p->job->group_size;
	}
	return targeted && !ignored;
}

int coreml_rules_check(const struct coreml_plan *p, struct heft_err *err)
{
	for (size_t i = 0; i < p->n_patterns; i++)
		if (!p->pattern[i].used)
			return heft_fail(err, HEFT_E_PATTERN, "%s '%s' matches no constant; 'heft info --tensors' lists them", option_of(p->pattern[i].rule),
					 p->pattern[i].text);
	return 0;
}
