/*
 * value.c - values of expressions. Lists and objects of a JSON text are converted one level at a time, when they are
 * looked at.
 */
#include "expr.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

struct value v_null(void)
{
	return (struct value){ .kind = V_NULL };
}

struct value v_bool(bool b)
{
	return (struct value){ .kind = V_BOOL, .b = b };
}

struct value v_int(int64_t i)
{
	return (struct value){ .kind = V_INT, .i = i };
}

struct value v_num(double d)
{
	return (struct value){ .kind = V_NUM, .d = d };
}

struct value v_str(const char *s)
{
	return (struct value){ .kind = V_STR, .s = { s, strlen(s) } };
}

static struct value load_list(const struct json *j, struct arena *a)
{
	size_t n = json_count(j);
	struct value *item = arena_array(a, n, sizeof(*item));
	size_t i = 0;
	for (const struct json *c = json_first(j); c; c = json_next(c))
		item[i++] = (struct value){ .kind = V_JSON, .json = c };
	return (struct value){ .kind = V_LIST, .list = { item, n } };
}

static struct value load_object(const struct json *j, struct arena *a)
{
	size_t n = json_count(j);
	struct member *item = arena_array(a, n, sizeof(*item));
	size_t i = 0;
	for (const struct json *c = json_first(j); c; c = json_next(c))
		item[i++] = (struct member){ json_key(c), { .kind = V_JSON, .json = c } };
	return (struct value){ .kind = V_OBJECT, .object = { item, n } };
}

static struct value load_number(const struct json *j)
{
	int64_t i;
	double d = 0;
	if (!json_is_float(j) && json_int(j, &i))
		return v_int(i);
	json_num(j, &d);
	return v_num(d);
}

struct value v_json(const struct json *j, struct arena *a)
{
	struct value v = v_null();
	switch (json_kind(j)) {
	case JSON_NONE:
	case JSON_NULL:
		break;
	case JSON_BOOL:
		v.kind = V_BOOL;
		json_bool(j, &v.b);
		break;
	case JSON_NUMBER:
		return load_number(j);
	case JSON_STRING:
		v.kind = V_STR;
		json_str(j, &v.s);
		break;
	case JSON_ARRAY:
		return load_list(j, a);
	case JSON_OBJECT:
		return load_object(j, a);
	}
	return v;
}

struct value v_load(struct value v, struct arena *a)
{
	return v.kind == V_JSON ? v_json(v.json, a) : v;
}

bool v_truth(const struct value *v)
{
	switch (v->kind) {
	case V_NULL: return false;
	case V_BOOL: return v->b;
	case V_INT: return v->i != 0;
	case V_NUM: return v->d != 0;
	case V_STR: return v->s.n != 0;
	case V_LIST: return v->list.n != 0;
	case V_OBJECT: return v->object.n != 0;
	case V_JSON: break;
	}
	return true;
}

bool v_as_int(const struct value *v, int64_t *out)
{
	if (v->kind == V_INT)
		*out = v->i;
	else if (v->kind == V_BOOL)
		*out = v->b;
	else
		return false;
	return true;
}

bool v_as_num(const struct value *v, double *out)
{
	int64_t i;
	if (v->kind == V_NUM)
		*out = v->d;
	else if (v_as_int(v, &i))
		*out = (double)i;
	else
		return false;
	return true;
}

bool v_equal(const struct value *a, const struct value *b)
{
	double x, y;
	if (a->kind == V_INT && b->kind == V_INT)
		return a->i == b->i;
	if (v_as_num(a, &x) && v_as_num(b, &y))
		return x == y;
	if (a->kind != b->kind)
		return false;
	if (a->kind == V_STR)
		return a->s.n == b->s.n && !memcmp(a->s.p, b->s.p, a->s.n);
	return a->kind == V_NULL;
}

const struct value *v_member(const struct value *object, const char *key, size_t n)
{
	if (object->kind != V_OBJECT)
		return NULL;
	for (size_t i = 0; i < object->object.n; i++) {
		const struct member *m = &object->object.item[i];
		if (m->key.n == n && !memcmp(m->key.p, key, n))
			return &m->value;
	}
	return NULL;
}

const char *v_kind_name(enum value_kind k)
{
	static const char *const name[] = { "null", "a boolean", "an integer", "a number", "a string", "a list",
		"an object", "a value" };
	return name[k];
}

const char *v_show(const struct value *v, struct arena *a)
{
	switch (v->kind) {
	case V_BOOL: return v->b ? "true" : "false";
	case V_INT: return arena_printf(a, "%" PRId64, v->i);
	case V_NUM: return arena_printf(a, "%.17g", v->d);
	case V_STR: return v->s.p;
	default: return v_kind_name(v->kind);
	}
}
