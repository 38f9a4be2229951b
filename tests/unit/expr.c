/* Expressions: values, precedence, laziness, limits, messages. */
#include "src/expr.h"
#include "tests/tap.h"

static struct arena *arena;
static struct symbols symbols;
static struct heft_err err;
static const struct json *config;

static int look_up(struct env *e, int symbol, struct value *out, bool *has)
{
	const struct json *j = json_get(config, symbols.name[symbol]);
	*out = v_json(j, e->arena);
	*has = j != NULL;
	return 0;
}

static const struct expr_fn *const functions[] = { expr_functions, NULL };

static struct expr *parse(const char *text)
{
	struct scan s = { .p = text,
		.file = "test",
		.line = 7,
		.err = &err,
		.code = HEFT_E_ARCH_FILE,
		.arena = arena,
		.symbols = &symbols,
		.functions = functions };
	struct expr *x = expr_parse(&s);
	if (x && !scan_end(&s)) {
		scan_fail(&s, "left over '%s'", s.p);
		return NULL;
	}
	return x;
}

static const char *show(const struct value *v)
{
	const char *text = "";
	if (v->kind == V_NULL)
		return "null";
	if (v->kind != V_LIST)
		return v_show(v, arena);
	for (size_t i = 0; i < v->list.n; i++) {
		struct value x = v_load(v->list.item[i], arena);
		text = arena_printf(arena, "%s%s%s", text, i ? " " : "", v_show(&x, arena));
	}
	return arena_printf(arena, "[%s]", text);
}

static const char *evaluate(const char *text)
{
	static struct env e;
	struct value v;
	struct expr *x = parse(text);
	if (!x)
		return err.text;
	e = (struct env){ .arena = arena, .symbols = &symbols, .err = &err, .budget = 1 << 20, .lookup = look_up };
	int rc = expr_eval(&e, x, &v);
	if (e.sp || e.n_bind)
		return "the stack is not empty";
	return rc ? err.text : show(&v);
}

static const struct {
	const char *text, *want;
} good[] = {
	{ "1 + 2 * 3", "7" },
	{ "(1 + 2) * 3", "9" },
	{ "2 ** 3 ** 2", "512" },
	{ "-2 * -3", "6" },
	{ "7 // 2", "3" },
	{ "-7 // 2", "-4" },
	{ "-7 % 3", "2" },
	{ "7 / 2", "3.5" },
	{ "4 / 2", "2" },
	{ "1e-5", "1.0000000000000001e-05" },
	{ "2 ** -1", "0.5" },
	{ "10 - 3 - 2", "5" },
	{ "1 < 2 and 2 < 3", "true" },
	{ "not 1 == 2", "true" },
	{ "not true or true", "true" },
	{ "0 or \"x\"", "x" },
	{ "1 and 0", "0" },
	{ "null ?? 5", "5" },
	{ "0 ?? 5", "0" },
	{ "none ?? 8 // 3", "2" },
	{ "true ? 1 : 2", "1" },
	{ "false ? 1 : false ? 2 : 3", "3" },
	{ "none == null", "true" },
	{ "1 == 1.0", "true" },
	{ "hidden", "64" },
	{ "none", "null" },
	{ "none | hidden", "64" },
	{ "nil | hidden", "null" },
	{ "nil ?? hidden", "64" },
	{ "has(nil)", "true" },
	{ "has(none)", "false" },
	{ "rope.theta", "10000" },
	{ "rope.none.deeper", "null" },
	{ "list[1]", "2" },
	{ "list[9]", "null" },
	{ "list[-1]", "null" },
	{ "\"abc\"[1]", "b" },
	{ "rope[\"theta\"]", "10000" },
	{ "list", "[1 2 3]" },
	{ "[]", "[]" },
	{ "[1, 2 + 3, \"x\"]", "[1 5 x]" },
	{ "[x * 2 : x in list]", "[2 4 6]" },
	{ "[x : x in []]", "[]" },
	{ "[[x + y : x in [1, 2]][1] : y in [10, 20]]", "[12 22]" },
	{ "[c ? 1 : 2 : c in [true, false]]", "[1 2]" },
	{ "list ++ [4]", "[1 2 3 4]" },
	{ "\"a\" ++ \"b\"", "ab" },
	{ "2 in list", "true" },
	{ "\"ell\" in \"hello\"", "true" },
	{ "\"theta\" in rope", "true" },
	{ "list == [1, 2, 3]", "true" },
	{ "list != [1, 2]", "true" },
	{ "nested == [[1, \"a\"], [], [true, [null]]]", "true" },
	{ "nested == [[1, \"a\"], [], [true, [0]]]", "false" },
	{ "nested != [[1, \"a\"], []]", "true" },
	{ "[[1, 2], [3]] == [[1, 2], [3.0]]", "true" },
	{ "[] == []", "true" },
	{ "[[]] == [null]", "false" },
	{ "[\"a\", 1] == [k : k in nested[0]]", "false" },
	{ "[1, \"a\"] in nested", "true" },
	{ "index(nested, [])", "1" },
	{ "\"a\" < \"b\"", "true" },
	{ "int(3.9)", "3" },
	{ "\"a.\" ++ text(-12) ++ text(\".b\")", "a.-12.b" },
	{ "int(-3.9)", "-3" },
	{ "len(list)", "3" },
	{ "range(3)", "[0 1 2]" },
	{ "range(2, 4)", "[2 3]" },
	{ "range(4, 2)", "[]" },
	{ "repeat(7, 2)", "[7 7]" },
	{ "take(list, 2)", "[1 2]" },
	{ "first(list)", "1" },
	{ "first([])", "null" },
	{ "index(list, 3)", "2" },
	{ "all(list)", "true" },
	{ "any([0, false])", "false" },
	{ "min(3, 1, 2)", "1" },
	{ "max(list)", "3" },
	{ "sum(list)", "6" },
	{ "sum([1, 0.5])", "1.5" },
	{ "int(\"0042\")", "42" },
	{ "sorted_values(rope)", "[7 10000]" },
	{ "sorted_keys(rope)[1]", "theta" },
	{ "ceil_to(33, 16)", "48" },
	{ "sqrt(9)", "3" },
	{ "rounded(5.656854249492381, \"bfloat16\")", "5.65625" },
	{ "rounded(65519, \"float16\")", "65504" },
	{ "rounded(0.1, \"float32\") == 0.1", "false" },
	{ "rounded(3, null) == 3", "true" },
	{ "probit(0.5)", "0" },
	{ "probit(0.25) == -probit(0.75)", "true" },
	{ "int(probit(0.95) * 1e6)", "1644853" },
	{ "int(probit(0.7) * 1e6)", "524400" },
	{ "probit(0) < -1e308", "true" },
	{ "lower(\"AbC\")", "abc" },
	{ "starts_with(\"abc\", \"ab\")", "true" },
	{ "ends_with(\"abc\", \"abcd\")", "false" },
	{ "typed(rope, \"int float\", [\"theta\", \"nowhere\"])", "true" },
	{ "typed(rope, \"intfloat str null\", [\"nowhere\", \"theta\"])", "false" },
	{ "typed(null, \"int\", [\"a\"])", "true" },
	{ "\"a \\\"b\\\"\"", "a \"b\"" },
	{ "big > 1e299", "true" },
	{ "half", "0.5" },
	{ "9223372036854775807", "9223372036854775807" },
};

static const struct {
	const char *text, *want;
} bad[] = {
	{ "1 +", "test:7: expected a value before 'the end of the row'" },
	{ "(1", "test:7: expected ')' before 'the end of the row'" },
	{ "1 2", "test:7: left over '2'" },
	{ "a ||| b", "test:7: '|' stands between names; '?\?' and 'or' between values" },
	{ "nothing(1)", "test:7: there is no function 'nothing'" },
	{ "len()", "test:7: len() takes 1 to 1 arguments, here are 0" },
	{ "\"open", "test:7: a string does not end" },
	{ "1 and and 2", "test:7: expected a value before 'and'" },
	{ "99999999999999999999", "test:7: a number is too large" },
	{ "1e999", "test:7: a number is too large" },
	{ "9223372036854775807 + 1", "test:7: an integer is too large in '9223372036854775807 + 1'" },
	{ "2 ** 64", "test:7: an integer is too large in '2 ** 64'" },
	{ "1 // 0", "test:7: a division by zero in '1 // 0'" },
	{ "1 % 0.0", "test:7: a division by zero in '1 % 0.0'" },
	{ "none + 1", "test:7: null where a number is needed in 'none + 1'" },
	{ "1 + \"a\"", "test:7: a string where a number is needed in '1 + \"a\"'" },
	{ "null < 1", "test:7: null and an integer have no order in 'null < 1'" },
	{ "[x : x in 5]", "test:7: a loop runs over a list, not over an integer in '[x : x in 5]'" },
	{ "-\"a\"", "test:7: a string has no negative in '-\"a\"'" },
	{ "range(2000000)", "test:7: a list of more than 1048576 elements in 'range(2000000)'" },
	{ "len([x : x in range(900000)]) + len(range(900000))",
		"test:7: too much work in 'len([x : x in range(900000)]) + len(range(900000))'" },
	{ "1 in 5", "test:7: 'in' looks in a list, a string or an object, not in an integer in '1 in 5'" },
};

static char *nested(const char *open, int n, const char *middle, const char *close)
{
	char *s = arena_strdup(arena, "");
	for (int i = 0; i < n; i++)
		s = arena_printf(arena, "%s%s", s, open);
	s = arena_printf(arena, "%s%s", s, middle);
	for (int i = 0; i < n; i++)
		s = arena_printf(arena, "%s%s", s, close);
	return s;
}

static void test_limits(void)
{
	char *sum = nested("1 + ", 5000, "1", "");
	is_str(evaluate(nested("(", 60, "1", ")")), "1", "60 brackets");
	is_str(evaluate(nested("(", 65, "1", ")")), "test:7: more than 64 levels of brackets", "65 brackets");
	is_str(evaluate(nested("[", 65, "1", "]")), "test:7: more than 64 levels of brackets", "65 lists");
	is_str(evaluate(nested("not ", 65, "1", "")), "test:7: more than 64 levels of brackets", "65 times not");
	is_str(evaluate(nested("2 ** ", 65, "1", "")), "test:7: more than 64 levels of brackets", "65 powers");
	is_str(evaluate(nested("- ", 101, "1", "")), "-1", "signs are counted, not nested");
	is_str(evaluate(arena_printf(arena, "%s == %s", nested("[", 15, "1", "]"), nested("[", 15, "1", "]"))), "true", "15 lists in one another");
	is_str(evaluate(arena_printf(arena, "%s == %s", nested("[", 16, "1", "]"), nested("[", 16, "1", "]"))),
	       arena_printf(arena, "test:7: lists are compared 16 levels deep in '%s == %s'", nested("[", 16, "1", "]"), nested("[", 16, "1", "]")),
	       "16 lists in one another");
	is_str(evaluate(sum), "5001", "a sum of 5001 terms is not deep");
}

int main(void)
{
	static const char text[] =
		"{\"hidden\": 64, \"nil\": null, \"list\": [1, 2, 3], \"nested\": [[1, \"a\"], [], [true, [null]]], \"rope\": {\"theta\": 10000, \"a\": 7}, \"big\": 1e300, "
		"\"half\": 0.5}";
	arena = arena_new();
	symbols_init(&symbols, arena);
	struct json_doc *doc = json_parse(text, sizeof(text) - 1, "config", false, &err);
	config = json_root(doc);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		is_str(evaluate(good[i].text), good[i].want, "%s", good[i].text);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		is_str(evaluate(bad[i].text), bad[i].want, "refused: %s", bad[i].text);
	test_limits();
	symbols_release(&symbols);
	json_free(doc);
	arena_free(arena);
	return done();
}
