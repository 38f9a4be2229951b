/*
 * meta_value.c - values of metadata from words and from JSON.
 *
 *   KEY=TYPE:VALUE    TYPE int, float, bool, str: as --override-kv has them, but that a key's own type stays where the value fits it;
 *                     u8 i8 u16 i16 u32 i32 u64 i64 f32 f64: this type;  json: any of them, or an array
 *
 * A number of JSON without a point is an i32, or an i64 or u64 where it must; with one an f32, or an f64. Refuses arrays of different kinds, arrays of
 * arrays, objects and null, numbers that their type cannot hold, and texts that are not UTF-8.
 */
#include "meta.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../base/json.h"
#include "../base/utf8.h"

enum { JSON_LIMIT = 64 << 20 };

struct raw { /* a value before its type is known */
	char kind; /* i, f, b or s */
	bool array;
	bool negative, beyond; /* integers: some are less than 0; some more than INT64_MAX, and lie in i[] as the same bits */
	size_t n;
	int64_t *i;
	double *f;
	struct heft_str *s;
};

/* ---- types ---- */

static const struct {
	const char *word;
	enum heft_vtype type;
	char kind;
	uint8_t size;
	int64_t least, most;
} types[] = {
	{ "u8", HEFT_U8, 'i', 1, 0, UINT8_MAX },    { "i8", HEFT_I8, 'i', 1, INT8_MIN, INT8_MAX },
	{ "u16", HEFT_U16, 'i', 2, 0, UINT16_MAX }, { "i16", HEFT_I16, 'i', 2, INT16_MIN, INT16_MAX },
	{ "u32", HEFT_U32, 'i', 4, 0, UINT32_MAX }, { "i32", HEFT_I32, 'i', 4, INT32_MIN, INT32_MAX },
	{ "u64", HEFT_U64, 'i', 8, 0, INT64_MAX }, /* and beyond */ { "i64", HEFT_I64, 'i', 8, INT64_MIN, INT64_MAX },
	{ "f32", HEFT_F32, 'f', 4, 0, 0 },	    { "f64", HEFT_F64, 'f', 8, 0, 0 },
	{ "bool", HEFT_BOOL, 'b', 1, 0, 1 },	    { "str", HEFT_STRING, 's', sizeof(struct heft_str), 0, 0 },
};
enum { N_TYPES = sizeof types / sizeof *types };

static int row_of(enum heft_vtype t)
{
	int i = 0;

	while (types[i].type != t)
		i++;
	return i;
}

/* Integers go into a float type as numbers, nothing else changes its kind. */
static bool fits(const struct raw *r, int row)
{
	if (r->negative && r->beyond)
		return false;
	for (size_t i = 0; types[row].type == HEFT_F32 && r->kind == 'f' && i < r->n; i++)
		if (isfinite(r->f[i]) && !isfinite((float)r->f[i]))
			return false;
	if (types[row].kind == 'f')
		return r->kind == 'f' || r->kind == 'i';
	if (r->kind != types[row].kind)
		return false;
	if (r->beyond)
		return types[row].type == HEFT_U64;
	for (size_t i = 0; r->kind == 'i' && i < r->n; i++)
		if (r->i[i] < types[row].least || r->i[i] > types[row].most)
			return false;
	return true;
}

static double real_of(const struct raw *r, size_t i)
{
	return r->kind == 'f' ? r->f[i] : r->kind != 'i' ? 0 : r->beyond ? (double)(uint64_t)r->i[i] : (double)r->i[i];
}

static void store(const struct raw *r, size_t i, int row, char *to)
{
	double d = real_of(r, i);
	float f = (float)d;

	if (types[row].type == HEFT_F32)
		memcpy(to, &f, sizeof f);
	else if (types[row].type == HEFT_F64)
		memcpy(to, &d, sizeof d);
	else if (r->kind == 's')
		memcpy(to, &r->s[i], sizeof r->s[i]);
	else
		memcpy(to, &r->i[i], types[row].size); /* its low bytes come first here */
}

static struct heft_value make(const struct raw *r, int row, struct arena *a)
{
	struct heft_value v = { .type = types[row].type, .array = r->array, .count = r->n };
	char *data;

	if (r->array) {
		data = arena_array(a, r->n, types[row].size);
		for (size_t i = 0; i < r->n; i++)
			store(r, i, row, data + i * types[row].size);
		v.data = data;
	} else if (types[row].kind == 'f') {
		v.f = v.type == HEFT_F32 ? (double)(float)real_of(r, 0) : real_of(r, 0);
	} else if (r->kind == 's') {
		v.s = r->s[0];
	} else if (r->kind == 'b') {
		v.b = r->i[0] != 0;
	} else {
		v.i = r->i[0];
	}
	return v;
}

/* The key's own type where it fits, else the first of these that does. */
static bool settle(const struct raw *r, const struct heft_value *now, const enum heft_vtype *otherwise, int n, struct heft_value *out, struct arena *a)
{
	if (now && now->array == r->array && fits(r, row_of(now->type))) {
		*out = make(r, row_of(now->type), a);
		return true;
	}
	for (int i = 0; i < n; i++)
		if (fits(r, row_of(otherwise[i]))) {
			*out = make(r, row_of(otherwise[i]), a);
			return true;
		}
	return false;
}

/* ---- JSON ---- */

static char kind_of(const struct json *j)
{
	switch (json_kind(j)) {
	case JSON_BOOL: return 'b';
	case JSON_STRING: return 's';
	case JSON_NUMBER: return json_is_float(j) ? 'f' : 'i';
	default: return 0;
	}
}

/* Whether it is one; signed fits: as that, else as the unsigned one of the same bits. */
static bool take_integer(struct raw *r, size_t i, bool is_signed, int64_t s, bool is_unsigned, uint64_t u)
{
	r->i[i] = is_signed ? s : (int64_t)u;
	r->negative |= is_signed && s < 0;
	r->beyond |= !is_signed;
	return is_signed || is_unsigned;
}

static bool json_integer(struct raw *r, size_t i, const struct json *j)
{
	int64_t s = 0;
	uint64_t u = 0;
	bool is_signed = json_int(j, &s), is_unsigned = !is_signed && json_uint(j, &u);

	return take_integer(r, i, is_signed, s, is_unsigned, u);
}

static bool take_element(struct raw *r, const struct json *j, size_t i, struct arena *a)
{
	struct heft_str s;
	bool b;

	switch (r->kind) {
	case 'b':
		json_bool(j, &b);
		r->i[i] = b;
		return true;
	case 'i': return json_integer(r, i, j);
	case 'f': return json_num(j, &r->f[i]);
	default:
		json_str(j, &s);
		r->s[i] = (struct heft_str){ arena_memdup(a, s.p, s.n), s.n };
		return true;
	}
}

/* An array of integers and floats is one of floats. */
static bool take_raw(struct raw *r, const struct json *j, struct arena *a)
{
	bool array = json_kind(j) == JSON_ARRAY;
	const struct json *first = array ? json_first(j) : j;
	size_t i = 0;

	*r = (struct raw){ .array = array, .n = array ? json_count(j) : 1, .kind = kind_of(first) };
	for (const struct json *e = first; e && array; e = json_next(e)) {
		char k = kind_of(e);

		if (k == 'f' && r->kind == 'i')
			r->kind = 'f';
		if (k != r->kind && !(k == 'i' && r->kind == 'f'))
			return false;
	}
	if (array && !r->n)
		r->kind = 's'; /* of nothing */
	r->i = arena_array(a, r->n, sizeof *r->i);
	r->f = arena_array(a, r->n, sizeof *r->f);
	r->s = arena_array(a, r->n, sizeof *r->s);
	for (const struct json *e = first; e && r->kind; e = array ? json_next(e) : NULL)
		if (!take_element(r, e, i++, a))
			return false;
	return r->kind != 0;
}

static bool from_json(const struct json *j, const struct heft_value *now, struct heft_value *out, struct arena *a)
{
	static const enum heft_vtype otherwise[] = { HEFT_I32, HEFT_I64, HEFT_U64, HEFT_F32, HEFT_F64, HEFT_BOOL, HEFT_STRING };
	struct raw r;

	return take_raw(&r, j, a) && settle(&r, now, otherwise, 7, out, a);
}

/* ---- words ---- */

static bool is_whole(const char *s)
{
	s += *s == '-' || *s == '+';
	return *s && !s[strspn(s, "0123456789")];
}

static bool take_whole(const char *s, struct raw *r)
{
	int64_t i;
	uint64_t u;
	bool is_signed;

	errno = 0;
	i = strtoll(s, NULL, 10);
	is_signed = !errno;
	errno = 0;
	u = strtoull(s, NULL, 10);
	return is_whole(s) && take_integer(r, 0, is_signed, i, !errno && *s != '-', u);
}

static bool take_number(const char *s, double *f)
{
	char *end;

	*f = strtod(s, &end);
	return *s && !*end && isfinite(*f);
}

static bool take_word(char kind, const char *s, struct raw *r, struct arena *a)
{
	*r = (struct raw){ .kind = kind, .n = 1, .i = arena_array(a, 1, sizeof *r->i), .f = arena_array(a, 1, sizeof *r->f),
			   .s = arena_array(a, 1, sizeof *r->s) };
	switch (kind) {
	case 'i': return take_whole(s, r);
	case 'f': return take_number(s, r->f);
	case 'b':
		r->i[0] = !strcmp(s, "true");
		return r->i[0] || !strcmp(s, "false");
	default:
		r->s[0] = (struct heft_str){ arena_strdup(a, s), strlen(s) };
		return true;
	}
}

static bool word_value(const char *type, const char *s, const struct heft_value *now, struct heft_value *out, struct arena *a)
{
	static const enum heft_vtype whole[] = { HEFT_U32, HEFT_I32, HEFT_U64, HEFT_I64 }, real[] = { HEFT_F32 };
	struct raw r;

	if (!strcmp(type, "int"))
		return take_word('i', s, &r, a) && settle(&r, now && types[row_of(now->type)].kind == 'i' ? now : NULL, whole, 4, out, a);
	if (!strcmp(type, "float"))
		return take_word('f', s, &r, a) && settle(&r, now, real, 1, out, a);
	for (int i = 0; i < N_TYPES; i++) {
		if (strcmp(type, types[i].word))
			continue;
		if (!take_word(types[i].kind, s, &r, a) || !fits(&r, i))
			return false;
		*out = make(&r, i, a);
		return true;
	}
	return false;
}

static int take_json_word(const char *key, const char *text, const struct heft_value *now, struct heft_value *out, struct arena *a, struct heft_err *err)
{
	struct json_doc *d = json_parse(text, strlen(text), key, true, err);
	bool good;

	if (!d)
		return -1;
	good = from_json(json_root(d), now, out, a);
	json_free(d);
	return good ? 0 : heft_fail(err, HEFT_E_OPTION, "'%s': json takes a text, a number, true, false, or an array of one kind", key);
}

int meta_take(struct kv_list *l, const char *text, const struct heft_kv *now, size_t n_now, struct heft_err *err)
{
	const char *equals = strchr(text, '='), *colon = equals ? strchr(equals, ':') : NULL;
	const struct heft_value *own;
	char *key, *type;
	struct heft_value v;

	if (!colon || equals == text)
		return heft_fail(err, HEFT_E_OPTION, "'%s' is not KEY=TYPE:VALUE", text);
	if (!utf8_valid(text, strlen(text)))
		return heft_fail(err, HEFT_E_UTF8, "'%s' is not UTF-8", text);
	key = arena_memdup(l->arena, text, (size_t)(equals - text));
	type = arena_memdup(l->arena, equals + 1, (size_t)(colon - equals - 1));
	own = kv_find(now, n_now, key);
	if (!strcmp(type, "json")) {
		if (take_json_word(key, colon + 1, own, &v, l->arena, err))
			return -1;
	} else if (!word_value(type, colon + 1, own, &v, l->arena)) {
		return heft_fail(err, HEFT_E_OPTION,
				 "'%s': not a value of its type; TYPE is int, float, bool, str, json, or one of u8 i8 u16 i16 u32 i32 u64 i64 f32 f64", text);
	}
	kv_set_last(l, key, v);
	return 0;
}

int meta_take_json(struct kv_list *l, const char *path, const struct heft_kv *now, size_t n_now, struct heft_err *err)
{
	struct json_doc *d = json_read_file(path, JSON_LIMIT, err);
	int rc = d ? 0 : -1;

	if (d && json_kind(json_root(d)) != JSON_OBJECT)
		rc = heft_fail(err, HEFT_E_JSON, "%s: not an object of keys and values", path);
	for (const struct json *j = rc ? NULL : json_first(json_root(d)); j && !rc; j = json_next(j)) {
		struct heft_str name = json_key(j);
		char *key = arena_memdup(l->arena, name.p, name.n);
		struct heft_value v;

		if (!name.n || strlen(key) != name.n || !from_json(j, kv_find(now, n_now, key), &v, l->arena))
			rc = heft_fail(err, HEFT_E_JSON, "%s: '%s' is no text, number, true, false, or array of one kind", path, key);
		else
			kv_set_last(l, key, v);
	}
	json_free(d);
	return rc;
}

/* ---- equality ---- */

static bool same_text(struct heft_str a, struct heft_str b)
{
	return a.n == b.n && !memcmp(a.p, b.p, a.n);
}

bool meta_same(const struct heft_value *a, const struct heft_value *b)
{
	const struct heft_str *s = a->data, *t = b->data;

	if (a->type != b->type || a->array != b->array || a->count != b->count)
		return false;
	if (!a->array)
		return a->type == HEFT_STRING ? same_text(a->s, b->s) : a->type == HEFT_BOOL ? a->b == b->b : a->u == b->u;
	if (a->type != HEFT_STRING)
		return !a->count || !memcmp(a->data, b->data, a->count * types[row_of(a->type)].size);
	for (uint64_t i = 0; i < a->count; i++)
		if (!same_text(s[i], t[i]))
			return false;
	return true;
}
