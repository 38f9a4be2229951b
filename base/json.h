/*
 * json.h - the one door to cJSON: reads what Python's json module writes.
 *
 * Beyond strict JSON: NaN, Infinity, -Infinity; {"__float__": "Infinity"} is read as that number; \u0000 in strings (strings carry
 * a length); the last of two equal keys wins, as in Python, unless json_parse is told to refuse duplicates. Keys are matched by exact
 * case. Nesting is bounded (200 levels). A byte order mark at the beginning is skipped.
 * A `const struct json *` is a node and is valid until json_free(doc). All accessors accept NULL and a node of another kind, and
 * say so by their result, so that chains like json_int(json_get(a, "b"), &v) need no checks between.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "arena.h"
#include "err.h"

struct json; /* a node (a cJSON item) */
struct json_doc;

/* Parses n bytes. `name` is for messages. no_duplicates: an equal key twice in one object is an error (safetensors). */
struct json_doc *json_parse(const char *text, size_t n, const char *name, bool no_duplicates, struct heft_err *err);
struct json_doc *json_read_file(const char *path, size_t limit, struct heft_err *err);
void json_free(struct json_doc *d); /* NULL is allowed */
const struct json *json_root(const struct json_doc *d);

enum json_kind { JSON_NONE, JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };
enum json_kind json_kind(const struct json *j);

const struct json *json_get(const struct json *object, const char *key); /* NULL where it has no such key */
const struct json *json_first(const struct json *container);             /* first member or element */
const struct json *json_next(const struct json *j);
size_t json_count(const struct json *container);                         /* walks: O(n) */
struct heft_str json_key(const struct json *member);                     /* of an object's member */

bool json_str(const struct json *j, struct heft_str *out);  /* false where j is no string */
const char *json_cstr(const struct json *j);                /* NULL where j is no string or holds a NUL */
bool json_num(const struct json *j, double *out);
bool json_int(const struct json *j, int64_t *out);          /* a number that is an integer, |v| <= 2^53 */
bool json_uint(const struct json *j, uint64_t *out);
bool json_bool(const struct json *j, bool *out);
bool json_is_float(const struct json *j); /* written with a point, an exponent, or as NaN/Infinity: Python's float, not int */

/* Writing: a text that grows. */
struct jbuf {
	char *p;
	size_t n, cap;
};
void jbuf_release(struct jbuf *b);
void jbuf_raw(struct jbuf *b, const char *s, size_t n);
void jbuf_printf(struct jbuf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void jbuf_string(struct jbuf *b, const char *s, size_t n); /* quoted and escaped; bytes that are not UTF-8 become U+FFFD */

#endif
