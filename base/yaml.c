/*
 * yaml.c - the one door to libyaml: its events become a JSON text, which json.c reads.
 *
 *   event             JSON                        an anchor remembers where its node's text begins and ends;
 *   mapping, key  ->  {"key"                      an alias copies that text
 *   scalar        ->  :"text" | number | word
 */
#include "yaml.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { DEPTH_LIMIT = 100, TEXT_LIMIT = 1 << 20, OUT_LIMIT = 4 << 20 };
#define OPEN SIZE_MAX /* end of an anchor whose node is not complete */

struct anchor {
	char *name;
	size_t begin, end;
};

struct level {
	bool mapping, key; /* key: the next node is a key */
	size_t count, anchor; /* anchor: 1 + its number, 0: none */
};

struct reader {
	struct jbuf out;
	struct level level[DEPTH_LIMIT];
	int depth;
	struct anchor *anchor;
	size_t n_anchors;
	bool complete; /* the one document was read */
	const char *name;
	struct heft_err *err;
};

static int refuse(struct reader *r, const yaml_mark_t *at, const char *what)
{
	return heft_fail(r->err, HEFT_E_JSON, "%s: line %zu: %s", r->name, at->line + 1, what);
}

/* ---- what plain scalars mean ---- */

static bool one_of(const char *s, const char *const *words)
{
	for (; *words; words++)
		if (!strcmp(s, *words))
			return true;
	return false;
}

static const char *const nulls[] = { "", "~", "null", "Null", "NULL", NULL };
static const char *const trues[] = { "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON", NULL };
static const char *const falses[] = { "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF", NULL };
static const char *const infinities[] = { ".inf", ".Inf", ".INF", NULL };
static const char *const nans[] = { ".nan", ".NaN", ".NAN", NULL };

/* Digits of a base and underscores up to the end; false where there is anything else, or more than 64 bits. */
static bool digits_in_base(const char *s, unsigned base, uint64_t *v)
{
	*v = 0;
	for (; *s; s++) {
		const char *set = "0123456789abcdef", *d = strchr(set, *s >= 'A' && *s <= 'F' ? *s | 32 : *s);

		if (*s == '_')
			continue;
		if (!d || (unsigned)(d - set) >= base || __builtin_mul_overflow(*v, base, v) ||
		    __builtin_add_overflow(*v, (uint64_t)(d - set), v))
			return false;
	}
	return true;
}

/* 0b101, 0x1f, 017, 12_000, 1:30 (base 60): true where it is an integer; its magnitude. */
static bool is_integer(const char *s, uint64_t *v)
{
	char part[32];
	size_t n;
	uint64_t sum;

	if (s[0] == '0' && (s[1] == 'b' || s[1] == 'x'))
		return s[2] && digits_in_base(s + 2, s[1] == 'b' ? 2 : 16, v);
	if (s[0] == '0')
		return digits_in_base(s, 8, v);
	if (s[0] < '1' || s[0] > '9')
		return false;
	for (sum = 0; ; s += n + 1) {
		n = strcspn(s, ":");
		if (!n || n >= sizeof part)
			return false;
		memcpy(part, s, n);
		part[n] = 0;
		if (!digits_in_base(part, 10, v) || (sum && (n > 2 || *v > 59)) ||
		    __builtin_mul_overflow(sum, 60, &sum) || __builtin_add_overflow(sum, *v, &sum))
			return false;
		if (!s[n])
			break;
	}
	*v = sum;
	return true;
}

/* [-+]?digits.digits?([eE][-+]digits)? or .digits...: with its underscores left out. */
static bool is_float(const char *s, char *plain, size_t cap)
{
	size_t n = 0, whole = 0, fraction = 0, exponent = 0;

	if (*s == '-' || *s == '+')
		plain[n++] = *s++;
	if (strlen(s) + n + 1 > cap)
		return false;
	for (; (*s >= '0' && *s <= '9') || (whole && *s == '_'); s++, whole++)
		if (*s != '_')
			plain[n++] = *s;
	if (*s != '.' || (!whole && n))
		return false;
	plain[n++] = *s++;
	for (; (*s >= '0' && *s <= '9') || ((whole || fraction) && *s == '_'); s++, fraction++)
		if (*s != '_')
			plain[n++] = *s;
	if ((*s == 'e' || *s == 'E') && (s[1] == '-' || s[1] == '+')) {
		plain[n++] = *s++;
		plain[n++] = *s++;
		for (; *s >= '0' && *s <= '9'; s++, exponent++)
			plain[n++] = *s;
		if (!exponent)
			return false;
	}
	plain[n] = 0;
	return !*s && (whole || fraction);
}

static void put_float(struct jbuf *b, double v)
{
	char text[40];

	if (isinf(v)) {
		jbuf_printf(b, v < 0 ? "-Infinity" : "Infinity");
		return;
	}
	snprintf(text, sizeof text, "%.17g", v);
	jbuf_printf(b, "%s%s", text, strpbrk(text, ".en") ? "" : ".0");
}

static void put_plain(struct jbuf *b, const char *s, size_t n)
{
	bool sign = *s == '-' || *s == '+';
	char plain[128];
	uint64_t v;

	if (strlen(s) != n)
		jbuf_string(b, s, n);
	else if (one_of(s, nulls))
		jbuf_printf(b, "null");
	else if (one_of(s, trues))
		jbuf_printf(b, "true");
	else if (one_of(s, falses))
		jbuf_printf(b, "false");
	else if (is_integer(s + sign, &v))
		jbuf_printf(b, "%s%" PRIu64, *s == '-' && v ? "-" : "", v);
	else if (is_float(s, plain, sizeof plain))
		put_float(b, strtod(plain, NULL));
	else if (one_of(s + sign, infinities))
		jbuf_printf(b, *s == '-' ? "-Infinity" : "Infinity");
	else if (one_of(s, nans))
		jbuf_printf(b, "NaN");
	else
		jbuf_string(b, s, n);
}

/* ---- events ---- */

/* Writes what stands before a node. Returns 1 where the node is a key. */
static int before_node(struct reader *r, const yaml_mark_t *at)
{
	struct level *l = r->depth ? &r->level[r->depth - 1] : NULL;
	bool is_key;

	if (!l) {
		if (r->complete)
			return refuse(r, at, "more than one document");
		r->complete = true;
		return 0;
	}
	is_key = l->mapping && l->key;
	if (l->mapping && !is_key)
		jbuf_raw(&r->out, ":", 1);
	else if (l->count)
		jbuf_raw(&r->out, ",", 1);
	l->count++;
	if (l->mapping)
		l->key = !is_key;
	if (r->out.n > OUT_LIMIT)
		return refuse(r, at, "aliases make the text larger than 4 MiB");
	return is_key;
}

/* Notes an anchor whose node begins here; 1 + its number, 0 where there is none. */
static size_t open_anchor(struct reader *r, const yaml_char_t *name)
{
	size_t n = name ? strlen((const char *)name) + 1 : 0;
	struct anchor *a;

	if (!n)
		return 0;
	if (!(r->n_anchors & (r->n_anchors - 1)))
		r->anchor = xrealloc(r->anchor, (r->n_anchors ? 2 * r->n_anchors : 1) * sizeof *r->anchor);
	a = &r->anchor[r->n_anchors++];
	*a = (struct anchor){ .name = xmalloc(n), .begin = r->out.n, .end = OPEN };
	memcpy(a->name, name, n);
	return r->n_anchors;
}

static void close_anchor(struct reader *r, size_t number)
{
	if (number)
		r->anchor[number - 1].end = r->out.n;
}

static bool tag_is(const yaml_char_t *tag, const char *name)
{
	static const char core[] = "tag:yaml.org,2002:";

	return !strncmp((const char *)tag, core, sizeof core - 1) && !strcmp((const char *)tag + sizeof core - 1, name);
}

static int scalar(struct reader *r, const yaml_event_t *e)
{
	const yaml_char_t *tag = e->data.scalar.tag;
	const char *s = (const char *)e->data.scalar.value;
	size_t n = e->data.scalar.length, anchor;
	bool plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	int key = before_node(r, &e->start_mark);

	if (key < 0)
		return -1;
	if (tag && strcmp((const char *)tag, "!") && !tag_is(tag, "str") && !tag_is(tag, "int") &&
	    !tag_is(tag, "float") && !tag_is(tag, "bool") && !tag_is(tag, "null"))
		return refuse(r, &e->start_mark, "a tag that heft does not read");
	if (key && plain && !strcmp(s, "<<"))
		return refuse(r, &e->start_mark, "a merge key, which heft does not read");
	anchor = open_anchor(r, e->data.scalar.anchor);
	if (!key && (tag ? strcmp((const char *)tag, "!") && !tag_is(tag, "str") : plain))
		put_plain(&r->out, s, n);
	else
		jbuf_string(&r->out, s, n);
	close_anchor(r, anchor);
	return 0;
}

static int begin(struct reader *r, const yaml_event_t *e, bool mapping)
{
	const yaml_char_t *tag = mapping ? e->data.mapping_start.tag : e->data.sequence_start.tag;
	int key = before_node(r, &e->start_mark);
	size_t anchor;

	if (key)
		return key < 0 ? -1 : refuse(r, &e->start_mark, "a key that is not a scalar");
	if (tag && !tag_is(tag, mapping ? "map" : "seq"))
		return refuse(r, &e->start_mark, "a tag that heft does not read");
	if (r->depth == DEPTH_LIMIT)
		return refuse(r, &e->start_mark, "nested too deeply");
	anchor = open_anchor(r, mapping ? e->data.mapping_start.anchor : e->data.sequence_start.anchor);
	r->level[r->depth++] = (struct level){ .mapping = mapping, .key = mapping, .anchor = anchor };
	jbuf_raw(&r->out, mapping ? "{" : "[", 1);
	return 0;
}

static int end(struct reader *r)
{
	struct level *l = &r->level[--r->depth];

	jbuf_raw(&r->out, l->mapping ? "}" : "]", 1);
	close_anchor(r, l->anchor);
	return 0;
}

static int alias(struct reader *r, const yaml_event_t *e)
{
	const struct anchor *a = NULL;
	int key = before_node(r, &e->start_mark);
	char *copy;

	if (key)
		return key < 0 ? -1 : refuse(r, &e->start_mark, "a key that is an alias");
	for (size_t i = r->n_anchors; i > 0 && !a; i--)
		if (!strcmp(r->anchor[i - 1].name, (const char *)e->data.alias.anchor))
			a = &r->anchor[i - 1];
	if (!a || a->end == OPEN)
		return refuse(r, &e->start_mark, a ? "an alias inside its own anchor" : "an alias without an anchor");
	copy = xmalloc(a->end - a->begin);
	memcpy(copy, r->out.p + a->begin, a->end - a->begin);
	jbuf_raw(&r->out, copy, a->end - a->begin);
	free(copy);
	return 0;
}

static int on_event(struct reader *r, const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_SCALAR_EVENT:
		return scalar(r, e);
	case YAML_ALIAS_EVENT:
		return alias(r, e);
	case YAML_SEQUENCE_START_EVENT:
		return begin(r, e, false);
	case YAML_MAPPING_START_EVENT:
		return begin(r, e, true);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return end(r);
	default: /* where streams and documents begin and end */
		return 0;
	}
}

static int read_events(struct reader *r, yaml_parser_t *p)
{
	yaml_event_t e;
	int rc = 0;

	for (bool last = false; !last && !rc;) {
		if (!yaml_parser_parse(p, &e))
			return refuse(r, &p->problem_mark, p->problem ? p->problem : "not YAML");
		last = e.type == YAML_STREAM_END_EVENT;
		rc = on_event(r, &e);
		yaml_event_delete(&e);
	}
	return rc;
}

struct json_doc *yaml_parse(const char *text, size_t n, const char *name, struct heft_err *err)
{
	struct reader r = { .name = name, .err = err };
	struct json_doc *doc = NULL;
	yaml_parser_t p;

	if (n > TEXT_LIMIT) {
		heft_fail(err, HEFT_E_JSON, "%s: %zu bytes of YAML are too many", name, n);
		return NULL;
	}
	if (!yaml_parser_initialize(&p))
		out_of_memory(sizeof p);
	yaml_parser_set_encoding(&p, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&p, (const unsigned char *)text, n);
	if (!read_events(&r, &p)) {
		if (!r.complete)
			jbuf_printf(&r.out, "null");
		doc = json_parse(r.out.p, r.out.n, name, false, err);
	}
	yaml_parser_delete(&p);
	for (size_t i = 0; i < r.n_anchors; i++)
		free(r.anchor[i].name);
	free(r.anchor);
	jbuf_release(&r.out);
	return doc;
}
