/*
 * plan_members.c - members of config.json that a runtime wants to see: what a family's section sets and takes out.
 *
 *   {"model_type": ...,                        {"model_type": ...,
 *    "vision_config": {...},            ->      "text_config": {..., "rope_theta": 10000.0}}
 *    "text_config": {...}}
 *
 * What is set goes into the text part's object where there is one, behind what is there. All else stays byte for byte.
 */
#include "plan.h"

#include <string.h>

#include "../base/json.h"
#include "../base/json_scan.h"
#include "arch_rows.h"

struct setting {
	struct json_scan scan;
	struct jbuf *out;
	const struct arch_member *member;
	size_t n;
	const char *nested; /* key of the text part's object, or NULL */
	bool *kept;         /* by member: what is there stays */
};

static const struct arch_member *member_named(const struct setting *s, const struct heft_str *key)
{
	for (size_t i = 0; i < s->n; i++)
		if (strlen(s->member[i].key) == key->n && !memcmp(s->member[i].key, key->p, key->n))
			return &s->member[i];
	return NULL;
}

/* Is the value that begins here to go? */
static bool is_replaced(struct setting *s, const struct arch_member *m, bool sets)
{
	if (!m || (m->json && !sets))
		return false;
	if (!m->json || !m->if_absent || jscan_peek(&s->scan) == 'n')
		return true;
	s->kept[m - s->member] = true;
	return false;
}

static void put_sets(struct setting *s, bool first, const char *indent)
{
	for (size_t i = 0; i < s->n; i++) {
		if (!s->member[i].json || s->kept[i])
			continue;
		jbuf_printf(s->out, "%s\n%s", first ? "" : ",", indent);
		jbuf_string(s->out, s->member[i].key, strlen(s->member[i].key));
		jbuf_printf(s->out, ": %s", s->member[i].json);
		first = false;
	}
}

static int put_object(struct setting *s, bool outer)
{
	bool first = true, sets = !outer || !s->nested;
	struct heft_str key;
	const char *from;
	int more = jscan_begin(&s->scan, '{') ? -1 : 1;

	jbuf_raw(s->out, "{", 1);
	while (more > 0 && (from = s->scan.at, more = jscan_member(&s->scan, &key)) > 0) {
		bool inner = outer && s->nested && strlen(s->nested) == key.n && !memcmp(key.p, s->nested, key.n) && jscan_peek(&s->scan) == '{';

		if (from[strspn(from, " \t\r\n")] == ',')
			from = strchr(from, ',') + 1;
		if (is_replaced(s, member_named(s, &key), sets)) {
			more = jscan_skip(&s->scan) ? -1 : 1;
			continue;
		}
		jbuf_raw(s->out, ",", first ? 0 : 1);
		first = false;
		if (inner) {
			jbuf_raw(s->out, from, (size_t)(s->scan.at - from));
			more = put_object(s, false) ? -1 : 1; /* one level down, no further */
			continue;
		}
		more = jscan_skip(&s->scan) ? -1 : 1;
		jbuf_raw(s->out, from, (size_t)(s->scan.at - from));
	}
	if (more)
		return -1;
	if (sets)
		put_sets(s, first, outer ? "  " : "    ");
	jbuf_printf(s->out, outer ? "\n}\n" : "\n  }");
	return 0;
}

int config_set(struct jbuf *out, const char *text, size_t n, const char *name, const struct arch_member *member, size_t n_members, struct arena *a,
	       struct heft_err *err)
{
	struct setting s = { .out = out, .member = member, .n = n_members, .kept = arena_array(a, n_members, sizeof *s.kept) };
	struct json_doc *doc = json_parse(text, n, name, false, err);
	const struct json *part = doc ? arch_text_config(json_root(doc)) : NULL;
	int rc = doc ? 0 : -1;

	for (const struct json *j = json_first(json_root(doc)); part && j; j = json_next(j))
		if (j == part)
			s.nested = arena_memdup(a, json_key(j).p, json_key(j).n);
	json_free(doc);
	if (rc || jscan_init(&s.scan, text, n, name, err))
		return -1;
	rc = put_object(&s, true);
	jscan_release(&s.scan);
	return rc;
}
