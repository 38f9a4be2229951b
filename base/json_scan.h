/*
 * json_scan.h - reads JSON of a known shape forward, without building a tree: safetensors headers and shard indexes,
 * which hold tens of thousands of entries. (Through json.h those of a 256-expert model take a fifth of a second and 30
 * times their size in memory.)
 *
 *   jscan_begin(s, '{')
 *   while ((more = jscan_member(s, &key)) > 0)        key: valid until the next call
 *           jscan_string | jscan_uint | jscan_skip | jscan_begin(s, '[') ... jscan_element ...
 *
 * All return -1 with err filled where the text is not JSON or not of that shape. Strict: no NaN, no comments, nothing
 * behind the value.
 */
#ifndef BASE_JSON_SCAN_H
#define BASE_JSON_SCAN_H

#include "json.h"

struct json_scan {
	const char *text, *at, *end;
	const char *name;       /* for messages */
	bool first;             /* no member or element of the innermost container was read yet */
	struct jbuf unescaped;
	struct heft_err *err;
};

/* Refuses what is not UTF-8. */
int jscan_init(struct json_scan *s, const char *text, size_t n, const char *name, struct heft_err *err);
void jscan_release(struct json_scan *s);

int jscan_begin(struct json_scan *s, char bracket);              /* '{' or '[' */
int jscan_member(struct json_scan *s, struct heft_str *key);     /* 1: its value is next; 0: the object ends */
int jscan_element(struct json_scan *s);                          /* the same for arrays */
int jscan_string(struct json_scan *s, struct heft_str *out);     /* no NUL behind it; valid as long as a key */
int jscan_uint(struct json_scan *s, uint64_t *out);
int jscan_skip(struct json_scan *s);                             /* any value */
int jscan_end(struct json_scan *s);                              /* only white space may be left */
char jscan_peek(struct json_scan *s);                            /* first character of the next value; 0 at the end */
int jscan_refuse(struct json_scan *s, const char *what);         /* fails with the place in the text */

#endif
