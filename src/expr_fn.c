/*
 * expr_fn.c - the functions of expressions that need nothing but their arguments.
 */
#include "expr.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../quant/quant.h"

static int wrong(struct env *e, const char *what, const struct value *v)
{
	e->missing = v->kind == V_NULL;
	return env_fail(e, "%s, not %s", what, v_kind_name(v->kind));
}

/* A number as it is written: at most 18 digits. */
static bool is_decimal(const struct value *v)
{
	return v->kind == V_STR && v->s.n && v->s.n <= 18 && strspn(v->s.p, "0123456789") == v->s.n;
}

static int fn_int(struct env *e, const struct value *v, int n, struct value *out)
{
	int64_t i;
	if (is_decimal(v)) {
		*out = v_int(strtoll(v->s.p, NULL, 10));
		return 0;
	}
	if (v_as_int(v, &i)) {
		*out = v_int(i);
		return 0;
	}
	if (v->kind != V_NUM || !(fabs(v->d) < 9.2e18))
		return wrong(e, "int() takes a number", v);
	*out = v_int((int64_t)v->d);
	return 0;
}

static int fn_len(struct env *e, const struct value *v, int n, struct value *out)
{
	if (v->kind != V_LIST && v->kind != V_STR && v->kind != V_OBJECT)
		return wrong(e, "len() takes a list, a string or an object", v);
	*out = v_int((int64_t)(v->kind == V_LIST ? v->list.n : v->kind == V_STR ? v->s.n : v->object.n));
	return 0;
}

static int new_list(struct env *e, uint64_t n, struct value *out, struct value **item)
{
	if (n > ENV_LIST)
		return env_fail(e, "a list of more than %d elements", ENV_LIST);
	if (env_charge(e, n))
		return -1;
	*item = arena_array(e->arena, n, sizeof(**item));
	*out = (struct value){ .kind = V_LIST, .list = { *item, n } };
	return 0;
}

static int fn_range(struct env *e, const struct value *v, int n, struct value *out)
{
	int64_t from = 0, to, count;
	struct value *item;
	if ((n == 2 && !v_as_int(&v[0], &from)) || !v_as_int(&v[n - 1], &to))
		return wrong(e, "range() takes integers", &v[n - 1]);
	if (__builtin_sub_overflow(to, from, &count) || count < 0)
		count = 0;
	if (new_list(e, (uint64_t)count, out, &item))
		return -1;
	for (int64_t i = 0; i < count; i++)
		item[i] = v_int(from + i);
	return 0;
}

static int fn_repeat(struct env *e, const struct value *v, int n, struct value *out)
{
	int64_t count;
	struct value *item;
	if (!v_as_int(&v[1], &count) || count < 0)
		return wrong(e, "repeat() takes a value and how many times", &v[1]);
	if (new_list(e, (uint64_t)count, out, &item))
		return -1;
	for (int64_t i = 0; i < count; i++)
		item[i] = v[0];
	return 0;
}

static int list_argument(struct env *e, const struct value *v)
{
	return v->kind == V_LIST ? env_charge(e, v->list.n) : wrong(e, "the function takes a list", v);
}

static int fn_take(struct env *e, const struct value *v, int n, struct value *out)
{
	int64_t count;
	if (list_argument(e, v))
		return -1;
	if (!v_as_int(&v[1], &count) || count < 0)
		return wrong(e, "take() takes a list and how many", &v[1]);
	*out = v[0];
	if ((uint64_t)count < out->list.n)
		out->list.n = (size_t)count;
	return 0;
}

static int fn_first(struct env *e, const struct value *v, int n, struct value *out)
{
	if (list_argument(e, v))
		return -1;
	if (v->list.n)
		*out = v_load(v->list.item[0], e->arena);
	return 0;
}

static int fn_index(struct env *e, const struct value *v, int n, struct value *out)
{
	if (list_argument(e, v))
		return -1;
	for (size_t i = 0; i < v->list.n; i++) {
		struct value x = v_load(v->list.item[i], e->arena);
		bool same;
		if (env_equal(e, &x, &v[1], &same))
			return -1;
		if (same) {
			*out = v_int((int64_t)i);
			break;
		}
	}
	return 0;
}

static int quantify(struct env *e, const struct value *v, bool stop_at, struct value *out)
{
	if (list_argument(e, v))
		return -1;
	*out = v_bool(!stop_at);
	for (size_t i = 0; i < v->list.n; i++) {
		struct value x = v_load(v->list.item[i], e->arena);
		if (v_truth(&x) == stop_at)
			*out = v_bool(stop_at);
	}
	return 0;
}

static int fn_all(struct env *e, const struct value *v, int n, struct value *out)
{
	return quantify(e, v, false, out);
}

static int fn_any(struct env *e, const struct value *v, int n, struct value *out)
{
	return quantify(e, v, true, out);
}

/* min and max take numbers, or one list of them. */
static int extreme(struct env *e, const struct value *v, int n, int sign, struct value *out)
{
	size_t count = (size_t)n;
	double best = 0, d;
	if (n == 1 && v->kind == V_LIST) {
		count = v->list.n;
		v = v->list.item;
		if (env_charge(e, count))
			return -1;
	}
	for (size_t i = 0; i < count; i++) {
		struct value x = v_load(v[i], e->arena);
		if (!v_as_num(&x, &d))
			return wrong(e, "min() and max() take numbers", &x);
		if (i && (d - best) * sign <= 0)
			continue;
		best = d;
		*out = x;
	}
	return 0;
}

static int fn_min(struct env *e, const struct value *v, int n, struct value *out)
{
	return extreme(e, v, n, -1, out);
}

static int fn_max(struct env *e, const struct value *v, int n, struct value *out)
{
	return extreme(e, v, n, 1, out);
}

static int fn_sum(struct env *e, const struct value *v, int n, struct value *out)
{
	int64_t total = 0, i;
	double real = 0, d;
	bool whole = true;
	if (list_argument(e, v))
		return -1;
	for (size_t k = 0; k < v->list.n; k++) {
		struct value x = v_load(v->list.item[k], e->arena);
		if (!v_as_num(&x, &d))
			return wrong(e, "sum() takes numbers", &x);
		real += d;
		whole = whole && v_as_int(&x, &i) && !__builtin_add_overflow(total, i, &total);
	}
	*out = whole ? v_int(total) : v_num(real);
	return 0;
}

/* Keys that are numbers stand in their order. */
static int by_key(const void *a, const void *b)
{
	const struct heft_str *x = &((const struct member *)a)->key, *y = &((const struct member *)b)->key;
	bool numbers = x->n && y->n && strspn(x->p, "0123456789") == x->n && strspn(y->p, "0123456789") == y->n;

	if (numbers && x->n != y->n)
		return x->n < y->n ? -1 : 1;
	return strcmp(x->p, y->p);
}

/* The names or values of an object in the order of its names. */
static int sorted(struct env *e, const struct value *v, bool names, struct value *out)
{
	struct value *item;
	if (v->kind != V_OBJECT)
		return wrong(e, names ? "sorted_keys() takes an object" : "sorted_values() takes an object", v);
	size_t count = v->object.n;
	if (env_charge(e, 8 * count) || new_list(e, count, out, &item))
		return -1;
	struct member *m = arena_array(e->arena, count, sizeof(*m));
	if (count)
		memcpy(m, v->object.item, count * sizeof(*m));
	qsort(m, count, sizeof(*m), by_key);
	for (size_t i = 0; i < count; i++)
		item[i] = names ? (struct value){ .kind = V_STR, .s = m[i].key } : m[i].value;
	return 0;
}

static int fn_sorted_keys(struct env *e, const struct value *v, int n, struct value *out)
{
	return sorted(e, v, true, out);
}

static int fn_sorted_values(struct env *e, const struct value *v, int n, struct value *out)
{
	return sorted(e, v, false, out);
}

static int fn_ceil_to(struct env *e, const struct value *v, int n, struct value *out)
{
	int64_t a, m, up;
	if (!v_as_int(&v[0], &a) || !v_as_int(&v[1], &m) || a < 0 || m <= 0)
		return wrong(e, "ceil_to() takes a number and what it shall be a multiple of",
			v_as_int(&v[0], &a) ? &v[1] : &v[0]);
	if (__builtin_add_overflow(a, m - 1, &up))
		return env_fail(e, "an integer is too large");
	*out = v_int(up - up % m);
	return 0;
}

static int fn_sqrt(struct env *e, const struct value *v, int n, struct value *out)
{
	double d;
	if (!v_as_num(v, &d) || !(d >= 0))
		return wrong(e, "sqrt() takes a number that is not negative", v);
	*out = v_num(sqrt(d));
	return 0;
}

static int fn_log(struct env *e, const struct value *v, int n, struct value *out)
{
	double d;
	if (!v_as_num(v, &d) || !(d > 0))
		return wrong(e, "log() takes a positive number", v);
	*out = v_num(log(d));
	return 0;
}

static int fn_exp(struct env *e, const struct value *v, int n, struct value *out)
{
	double d;
	if (!v_as_num(v, &d))
		return wrong(e, "exp() takes a number", v);
	*out = v_num(exp(d));
	return 0;
}

/* c[n] z^n + ... + c[0], each step rounded once. */
static float polynomial(const float *c, int n, float z)
{
	float v = c[n];
	while (n-- > 0)
		v = fmaf(v, z, c[n]);
	return v;
}

/* The inverse of erf as torch works it out for floats: a quotient of polynomials, made exact by two steps of Newton's method. */
static float erfinv(float y)
{
	static const float a[] = { 0.886226899f, -1.645349621f, 0.914624893f, -0.140543331f },
			   b[] = { 1, -2.118377725f, 1.442710462f, -0.329097515f, 0.012229801f },
			   c[] = { -1.970840454f, -1.624906493f, 3.429567803f, 1.641345311f }, d[] = { 1, 3.543889200f, 1.637067800f };
	float x, z;
	if (fabsf(y) == 1)
		return copysignf(INFINITY, y);
	if (fabsf(y) <= 0.7f) {
		z = y * y;
		x = y * polynomial(a, 3, z) / polynomial(b, 4, z);
	} else {
		z = sqrtf(-(float)log((double)((1 - fabsf(y)) / 2)));
		x = copysignf(polynomial(c, 3, z), y) / polynomial(d, 2, z);
	}
	for (int i = 0; i < 2; i++)
		x -= ((float)erf((double)x) - y) / ((float)M_2_SQRTPI * (float)exp(-(double)(x * x)));
	return x;
}

/* Below how many standard deviations this share of a normal distribution lies; in floats, as torch has it. */
static int fn_probit(struct env *e, const struct value *v, int n, struct value *out)
{
	double d;
	if (!v_as_num(v, &d) || !(d >= 0 && d <= 1))
		return wrong(e, "probit() takes a share between 0 and 1", v);
	*out = v_num((double)(erfinv(2 * (float)d - 1) * (float)M_SQRT2));
	return 0;
}

/* Also: 'starts_with', 'ends_with': recipes and families choose by parts of names. */
static int affix(struct env *e, const struct value *v, bool end, struct value *out)
{
	if (v[0].kind != V_STR || v[1].kind != V_STR)
		return wrong(e, "the function takes strings", v[0].kind == V_STR ? &v[1] : &v[0]);
	size_t n = v[0].s.n, m = v[1].s.n;
	*out = v_bool(m <= n && !memcmp(v[0].s.p + (end ? n - m : 0), v[1].s.p, m));
	return 0;
}

static int fn_starts_with(struct env *e, const struct value *v, int n, struct value *out)
{
	return affix(e, v, false, out);
}

static int fn_ends_with(struct env *e, const struct value *v, int n, struct value *out)
{
	return affix(e, v, true, out);
}

static int fn_lower(struct env *e, const struct value *v, int n, struct value *out)
{
	if (v->kind != V_STR)
		return wrong(e, "lower() takes a string", v);
	if (env_charge(e, v->s.n))
		return -1;
	char *s = arena_memdup(e->arena, v->s.p, v->s.n);
	for (size_t i = 0; i < v->s.n; i++)
		s[i] = (char)(s[i] >= 'A' && s[i] <= 'Z' ? s[i] - 'A' + 'a' : s[i]);
	*out = (struct value){ .kind = V_STR, .s = { s, v->s.n } };
	return 0;
}

/* rounded(x, type): a number as torch's type of that name has it. */
static int fn_rounded(struct env *e, const struct value *v, int n, struct value *out)
{
	static const struct {
		const char *type, *encoding;
	} types[] = { { "bfloat16", "bf16" }, { "float16", "f16" }, { "float32", "f32" } };
	uint8_t bytes[4];
	void *to[1] = { bytes };
	const void *from[1] = { bytes };
	double d;
	float f;

	if (!v_as_num(&v[0], &d))
		return wrong(e, "rounded() takes a number", &v[0]);
	f = (float)d;
	for (size_t i = 0; i < sizeof types / sizeof *types && v[1].kind == V_STR; i++)
		if (v[1].s.n == strlen(types[i].type) && !memcmp(v[1].s.p, types[i].type, v[1].s.n)) {
			quant_encoder(quant_find(types[i].encoding))(&f, to, 1, NULL);
			quant_decoder(quant_find(types[i].encoding))(from, &f, 1);
		}
	*out = v_num((double)f);
	return 0;
}

static int fn_text(struct env *e, const struct value *v, int n, struct value *out)
{
	if (v->kind != V_INT && v->kind != V_STR)
		return wrong(e, "text() takes an integer or a string", v);
	*out = v_str(v_show(v, e->arena));
	return 0;
}

/* "int" in "float int null"? */
static bool has_word(const char *words, const char *word)
{
	size_t n = strlen(word);
	for (const char *p = words; (p = strstr(p, word)); p += n)
		if ((p == words || p[-1] == ' ') && (p[n] == ' ' || !p[n]))
			return true;
	return false;
}

/* typed(object, "int null", names): is each of these members absent or of one of the types? */
static int fn_typed(struct env *e, const struct value *v, int n, struct value *out)
{
	static const char *const word[] = { "null", "bool", "int", "float", "str", "list", "object", "" };
	if (v[1].kind != V_STR || v[2].kind != V_LIST)
		return env_fail(e, "typed() takes an object, types as words in quotes, and a list of names");
	*out = v_bool(true);
	for (size_t i = 0; i < v[2].list.n && out->b; i++) {
		struct value name = v_load(v[2].list.item[i], e->arena);
		if (name.kind != V_STR)
			return wrong(e, "a member's name is a string", &name);
		if (env_charge(e, 1 + (v[0].kind == V_OBJECT ? v[0].object.n : 0)))
			return -1;
		const struct value *m = v_member(&v[0], name.s.p, name.s.n);
		out->b = !m || has_word(v[1].s.p, word[v_load(*m, e->arena).kind]);
	}
	return 0;
}

/* An object without some of its members. */
static int fn_without(struct env *e, const struct value *v, int n, struct value *out)
{
	if (v[0].kind != V_OBJECT || v[1].kind != V_LIST)
		return wrong(e, "without() takes an object and a list of names", &v[v[0].kind == V_OBJECT]);
	if (env_charge(e, v[0].object.n * (1 + v[1].list.n)))
		return -1;
	struct member *kept = arena_array(e->arena, v[0].object.n, sizeof(*kept));
	size_t count = 0;
	for (size_t i = 0; i < v[0].object.n; i++) {
		const struct member *m = &v[0].object.item[i];
		bool named = false;
		for (size_t k = 0; k < v[1].list.n && !named; k++) {
			struct value name = v_load(v[1].list.item[k], e->arena);
			named = name.kind == V_STR && name.s.n == m->key.n && !memcmp(name.s.p, m->key.p, m->key.n);
		}
		if (!named)
			kept[count++] = *m;
	}
	*out = (struct value){ .kind = V_OBJECT, .object = { kept, count } };
	return 0;
}

const struct expr_fn expr_functions[] = {
	{ "without", 2, 2, fn_without },
	{ "int", 1, 1, fn_int },
	{ "len", 1, 1, fn_len },
	{ "range", 1, 2, fn_range },
	{ "repeat", 2, 2, fn_repeat },
	{ "take", 2, 2, fn_take },
	{ "first", 1, 1, fn_first },
	{ "index", 2, 2, fn_index },
	{ "all", 1, 1, fn_all },
	{ "any", 1, 1, fn_any },
	{ "min", 1, 8, fn_min },
	{ "max", 1, 8, fn_max },
	{ "sum", 1, 1, fn_sum },
	{ "sorted_keys", 1, 1, fn_sorted_keys },
	{ "sorted_values", 1, 1, fn_sorted_values },
	{ "ceil_to", 2, 2, fn_ceil_to },
	{ "sqrt", 1, 1, fn_sqrt },
	{ "log", 1, 1, fn_log },
	{ "exp", 1, 1, fn_exp },
	{ "probit", 1, 1, fn_probit },
	{ "lower", 1, 1, fn_lower },
	{ "rounded", 2, 2, fn_rounded },
	{ "text", 1, 1, fn_text },
	{ "starts_with", 2, 2, fn_starts_with },
	{ "ends_with", 2, 2, fn_ends_with },
	{ "typed", 3, 3, fn_typed },
	{ NULL, 0, 0, NULL },
};
