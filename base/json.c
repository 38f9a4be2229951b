/*
 * json.c - the one door to cJSON.
 *
 * cJSON reads strict JSON into doubles and C strings. A pass over the text before it checks what cJSON is lenient about (UTF-8, control bytes,
 * depth) and rewrites what it cannot carry as a string that begins with two bytes which UTF-8 never holds:
 *
 *   C0 82 text              a number with a point or exponent, NaN or +-Infinity
 *   C0 83 text              an integer of more than 15 digits
 *   C0 84 length(8) bytes   a string that holds U+0000; while cJSON works, C0 80 stands for it and the length is blank
 */
#include "json.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "map.h"
#include "source.h"
#include "utf8.h"

enum { DEPTH_LIMIT = 200, TAG = 0xc0, TAG_NUL = 0x80, TAG_FLOAT = 0x82, TAG_LONG = 0x83, TAG_BYTES = 0x84, BYTES_HEAD = 10 };

struct json_doc {
	cJSON *root;
};

static const cJSON *node(const struct json *j)
{
	return (const cJSON *)j;
}

static const struct json *wrap(const cJSON *c)
{
	return (const struct json *)c;
}

/* ---- the pass before cJSON ---- */

struct pass {
	const unsigned char *s;
	size_t n, i;
	struct jbuf out;
	const char *name;
	struct heft_err *err;
	bool has_nul;
};

static void emit(struct pass *p, const void *s, size_t n)
{
	jbuf_raw(&p->out, s, n);
}

static int refuse(struct pass *p, const char *what)
{
	size_t line = 1, column = 1;

	for (size_t i = 0; i < p->i && i < p->n; i++) {
		column++;
		if (p->s[i] == '\n') {
			line++;
			column = 1;
		}
	}
	return heft_fail(p->err, HEFT_E_JSON, "%s: line %zu, column %zu: %s", p->name, line, column, what);
}

/* Marks the string that began at `start` of the output as one with a length. */
static void mark_bytes(struct pass *p, size_t start)
{
	static const char head[] = "\xc0\x84        ";
	struct jbuf *b = &p->out;
	size_t tail = b->n - start;

	if (tail >= 2 && (unsigned char)b->p[start] == TAG)
		return;
	emit(p, head, BYTES_HEAD);
	memmove(b->p + start + BYTES_HEAD, b->p + start, tail);
	memcpy(b->p + start, head, BYTES_HEAD);
	p->has_nul = true;
}

static int copy_string(struct pass *p)
{
	size_t start;

	emit(p, "\"", 1);
	p->i++;
	start = p->out.n;
	while (p->i < p->n && p->s[p->i] != '"') {
		const unsigned char *s = p->s + p->i;
		size_t left = p->n - p->i, n;

		if (*s < 0x20)
			return refuse(p, "control character in a string");
		if (*s == '\\' && left >= 6 && !memcmp(s, "\\u0000", 6)) {
			mark_bytes(p, start);
			emit(p, "\xc0\x80", 2);
			p->i += 6;
			continue;
		}
		n = *s == '\\' ? 2 : utf8_length(s, left);
		if (!n || n > left)
			return refuse(p, "text that is not UTF-8");
		emit(p, s, n);
		p->i += n;
	}
	if (p->i >= p->n)
		return refuse(p, "a string without end");
	emit(p, "\"", 1);
	p->i++;
	return 0;
}

static size_t digits(const unsigned char *s, size_t n)
{
	size_t i = 0;

	while (i < n && s[i] >= '0' && s[i] <= '9')
		i++;
	return i;
}

/* Length of the number at s, 0 where the grammar says no; *real: it has a point or exponent. */
static size_t number_length(const unsigned char *s, size_t n, bool *real)
{
	size_t i = n && s[0] == '-', d = digits(s + i, n - i);

	*real = false;
	if (!d)
		return 0;
	i += d;
	if (i < n && s[i] == '.') {
		d = digits(s + i + 1, n - i - 1);
		if (!d)
			return 0;
		i += 1 + d;
		*real = true;
	}
	if (i < n && (s[i] == 'e' || s[i] == 'E')) {
		size_t sign = i + 1 < n && (s[i + 1] == '+' || s[i + 1] == '-');

		d = digits(s + i + 1 + sign, n - i - 1 - sign);
		if (!d)
			return 0;
		i += 1 + sign + d;
		*real = true;
	}
	return i;
}

static int copy_number(struct pass *p)
{
	static const char *const words[] = { "NaN", "Infinity", "-Infinity" };
	const unsigned char *s = p->s + p->i;
	size_t left = p->n - p->i, n;
	bool real = true;

	n = 0;
	for (size_t i = 0; i < 3 && !n; i++)
		if (left >= strlen(words[i]) && !memcmp(s, words[i], strlen(words[i])))
			n = strlen(words[i]);
	if (!n)
		n = number_length(s, left, &real);
	if (!n || n > 400)
		return refuse(p, "not a number");
	if (real || n > 15) {
		emit(p, real ? "\"\xc0\x82" : "\"\xc0\x83", 3);
		emit(p, s, n);
		emit(p, "\"", 1);
	} else {
		emit(p, s, n);
	}
	p->i += n;
	return 0;
}

static int rewrite(struct pass *p)
{
	int depth = 0;

	if (p->n >= 3 && !memcmp(p->s, "\xef\xbb\xbf", 3))
		p->i = 3;
	while (p->i < p->n) {
		unsigned char c = p->s[p->i];

		if (c == '"') {
			if (copy_string(p))
				return -1;
		} else if (c == '-' || (c >= '0' && c <= '9') || c == 'N' || c == 'I') {
			if (copy_number(p))
				return -1;
		} else {
			depth += (c == '{' || c == '[') - (c == '}' || c == ']');
			if (depth > DEPTH_LIMIT)
				return refuse(p, "nested too deeply");
			if (c >= 0x7f || (c < 0x20 && c != '\t' && c != '\n' && c != '\r'))
				return refuse(p, "a character that does not belong to JSON");
			emit(p, &c, 1);
			p->i++;
		}
	}
	return 0;
}

/* ---- the pass after it ---- */

static void restore_nuls(char *s)
{
	unsigned char *b = (unsigned char *)s, *from, *to;
	uint64_t n;

	if (!s || b[0] != TAG || b[1] != TAG_BYTES)
		return;
	for (from = to = b + BYTES_HEAD; *from; to++) {
		bool nul = from[0] == TAG && from[1] == TAG_NUL;

		*to = nul ? 0 : *from;
		from += nul ? 2 : 1;
	}
	*to = 0;
	n = (uint64_t)(to - b - BYTES_HEAD);
	memcpy(b + 2, &n, sizeof n);
}

static int no_duplicate_keys(const cJSON *object, const char *name, struct heft_err *err)
{
	struct map seen;
	int rc = 0;

	map_init(&seen);
	for (const cJSON *c = object->child; c && !rc; c = c->next) {
		struct heft_str key = json_key(wrap(c));
		bool found;

		map_put(&seen, key.p, key.n, &found);
		if (found)
			rc = heft_fail(err, HEFT_E_DUPLICATE, "%s: key '%s' stands twice", name, key.p);
	}
	map_release(&seen);
	return rc;
}

/* Visits every node without recursion: depth is bounded by the first pass. */
static int finish(cJSON *root, const struct pass *p, bool no_duplicates)
{
	cJSON *up[DEPTH_LIMIT + 2], *c = root;
	int depth = 0;

	while (c) {
		if (p->has_nul) {
			restore_nuls(c->string);
			if (cJSON_IsString(c))
				restore_nuls(c->valuestring);
		}
		if (c->child && depth <= DEPTH_LIMIT) {
			up[depth++] = c;
			c = c->child;
			continue;
		}
		for (;;) {
			if (no_duplicates && cJSON_IsObject(c) && no_duplicate_keys(c, p->name, p->err))
				return -1;
			if (c == root)
				return 0;
			if (c->next)
				break;
			c = up[--depth];
		}
		c = c->next;
	}
	return 0;
}

struct json_doc *json_parse(const char *text, size_t n, const char *name, bool no_duplicates, struct heft_err *err)
{
	struct pass p = { .s = (const unsigned char *)text, .n = n, .name = name, .err = err };
	struct json_doc *d = NULL;
	cJSON *root = NULL;

	if (!rewrite(&p)) {
		emit(&p, "", 1);
		root = cJSON_ParseWithLengthOpts(p.out.p, p.out.n, NULL, 1);
		if (!root)
			heft_fail(err, HEFT_E_JSON, "%s: not JSON (a missing or extra comma, quote or bracket)", name);
	}
	if (root && finish(root, &p, no_duplicates)) {
		cJSON_Delete(root);
		root = NULL;
	}
	jbuf_release(&p.out);
	if (root) {
		d = xmalloc(sizeof *d);
		d->root = root;
	}
	return d;
}

struct json_doc *json_read_file(const char *path, size_t limit, struct heft_err *err)
{
	struct source *src = source_open(path, err);
	struct json_doc *d = NULL;
	uint64_t size;
	char *text;

	if (!src)
		return NULL;
	size = source_size(src);
	if (size > limit) {
		heft_fail(err, HEFT_E_JSON, "%s: %" PRIu64 " bytes are more than the %zu that such a file may have", path,
			  size, limit);
	} else {
		text = xmalloc((size_t)size + 1);
		if (!source_read(src, 0, text, (size_t)size, err))
			d = json_parse(text, (size_t)size, path, false, err);
		free(text);
	}
	source_close(src);
	return d;
}

void json_free(struct json_doc *d)
{
	if (!d)
		return;
	cJSON_Delete(d->root);
	free(d);
}

const struct json *json_root(const struct json_doc *d)
{
	return d ? wrap(d->root) : NULL;
}

/* ---- accessors ---- */

static int tag_of(const cJSON *c)
{
	const unsigned char *s = c && cJSON_IsString(c) ? (const unsigned char *)c->valuestring : NULL;

	return s && s[0] == TAG ? s[1] : 0;
}

/* transformers 5 writes {"__float__": "Infinity"} for what JSON cannot say */
static const cJSON *float_object(const cJSON *c)
{
	const cJSON *m = c && cJSON_IsObject(c) ? c->child : NULL;

	return m && !m->next && m->string && !strcmp(m->string, "__float__") && cJSON_IsString(m) && !tag_of(m) ? m : NULL;
}

enum json_kind json_kind(const struct json *j)
{
	const cJSON *c = node(j);
	int tag = tag_of(c);

	if (!c)
		return JSON_NONE;
	if (cJSON_IsNull(c))
		return JSON_NULL;
	if (cJSON_IsBool(c))
		return JSON_BOOL;
	if (cJSON_IsNumber(c) || tag == TAG_FLOAT || tag == TAG_LONG || float_object(c))
		return JSON_NUMBER;
	if (cJSON_IsString(c))
		return JSON_STRING;
	return cJSON_IsArray(c) ? JSON_ARRAY : JSON_OBJECT;
}

const struct json *json_get(const struct json *object, const char *key)
{
	const cJSON *found = NULL;

	if (json_kind(object) != JSON_OBJECT)
		return NULL;
	for (const cJSON *c = node(object)->child; c; c = c->next)
		if (!strcmp(c->string, key))
			found = c;
	return wrap(found);
}

const struct json *json_first(const struct json *container)
{
	enum json_kind k = json_kind(container);

	return k == JSON_OBJECT || k == JSON_ARRAY ? wrap(node(container)->child) : NULL;
}

const struct json *json_next(const struct json *j)
{
	return j ? wrap(node(j)->next) : NULL;
}

size_t json_count(const struct json *container)
{
	size_t n = 0;

	for (const struct json *j = json_first(container); j; j = json_next(j))
		n++;
	return n;
}

static struct heft_str text_of(const char *s)
{
	struct heft_str out = { s, 0 };

	if (!s)
		return (struct heft_str){ "", 0 };
	if ((unsigned char)s[0] == TAG && (unsigned char)s[1] == TAG_BYTES) {
		uint64_t n;

		memcpy(&n, s + 2, sizeof n);
		return (struct heft_str){ s + BYTES_HEAD, (size_t)n };
	}
	out.n = strlen(s);
	return out;
}

struct heft_str json_key(const struct json *member)
{
	return text_of(member ? node(member)->string : NULL);
}

bool json_str(const struct json *j, struct heft_str *out)
{
	if (json_kind(j) != JSON_STRING)
		return false;
	*out = text_of(node(j)->valuestring);
	return true;
}

const char *json_cstr(const struct json *j)
{
	struct heft_str s;

	return json_str(j, &s) && strlen(s.p) == s.n ? s.p : NULL;
}

bool json_num(const struct json *j, double *out)
{
	const cJSON *c = node(j), *f;
	int tag = tag_of(c);

	if (json_kind(j) != JSON_NUMBER)
		return false;
	if ((f = float_object(c)))
		*out = strtod(f->valuestring, NULL);
	else if (tag)
		*out = strtod(c->valuestring + 2, NULL);
	else
		*out = c->valuedouble;
	return true;
}

bool json_int(const struct json *j, int64_t *out)
{
	double v;

	if (tag_of(node(j)) == TAG_LONG) {
		char *end;

		errno = 0;
		*out = strtoll(node(j)->valuestring + 2, &end, 10);
		return !errno && !*end;
	}
	if (!json_num(j, &v) || !(fabs(v) <= 9007199254740992.0) || v != floor(v))
		return false;
	*out = (int64_t)v;
	return true;
}

bool json_uint(const struct json *j, uint64_t *out)
{
	int64_t v;

	if (json_int(j, &v)) {
		*out = (uint64_t)v;
		return v >= 0;
	}
	if (tag_of(node(j)) != TAG_LONG || node(j)->valuestring[2] == '-')
		return false;
	errno = 0;
	*out = strtoull(node(j)->valuestring + 2, NULL, 10);
	return !errno;
}

bool json_bool(const struct json *j, bool *out)
{
	if (json_kind(j) != JSON_BOOL)
		return false;
	*out = cJSON_IsTrue(node(j));
	return true;
}

bool json_is_float(const struct json *j)
{
	return tag_of(node(j)) == TAG_FLOAT || float_object(node(j));
}

/* ---- writing ---- */

void jbuf_release(struct jbuf *b)
{
	free(b->p);
	*b = (struct jbuf){ 0 };
}

static void jbuf_room(struct jbuf *b, size_t n)
{
	size_t cap = b->cap ? b->cap : 256;

	if (b->cap - b->n >= n)
		return;
	while (cap - b->n < n)
		cap *= 2;
	b->p = xrealloc(b->p, cap);
	b->cap = cap;
}

void jbuf_raw(struct jbuf *b, const char *s, size_t n)
{
	if (!n)
		return; /* there may be no text yet to add nothing to */
	jbuf_room(b, n);
	memcpy(b->p + b->n, s, n);
	b->n += n;
}

void jbuf_printf(struct jbuf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	jbuf_room(b, (size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf(b->p + b->n, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->n += (size_t)n;
}

void jbuf_string(struct jbuf *b, const char *s, size_t n)
{
	jbuf_raw(b, "\"", 1);
	for (size_t i = 0; i < n;) {
		unsigned char c = (unsigned char)s[i];
		size_t len = utf8_length((const unsigned char *)s + i, n - i);

		if (c == '"' || c == '\\')
			jbuf_printf(b, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			jbuf_printf(b, "\\u%04x", c);
		else if (len)
			jbuf_raw(b, s + i, len);
		else
			jbuf_raw(b, "\xef\xbf\xbd", 3);
		i += len ? len : 1;
	}
	jbuf_raw(b, "\"", 1);
}
