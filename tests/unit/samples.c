/* Every sample of testdata/samples and testdata/pytorch gives what its name says, through heft_open and through heft_check. */
#include "heft.h"
#include "tests/tap.h"

#include <glob.h>

#define DIR "testdata/{samples,pytorch}/"

static const char *base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* 0: the sample is good */
static int expected_code(const char *name)
{
	const char *e = strstr(name, "-E");

	return strncmp(name, "good-", 5) && e ? atoi(e + 2) : 0;
}

static void opens_as_named(const char *path)
{
	struct heft_model *m = NULL;
	struct heft_err err = { 0 };
	int code = expected_code(base(path)), rc = heft_open(&m, path, NULL, &err);
	bool one_line = rc ? err.text[0] && !strchr(err.text, '\n') : true;

	ok(err.code == (enum heft_code)code && one_line && !rc == !code, "%s", base(path));
	if (err.code != (enum heft_code)code)
		printf("# E%d %s\n", err.code, err.text);
	heft_close(m);
}

struct told {
	int code;
	bool found;
	size_t errors;
};

static void note(void *ctx, const struct heft_problem *p)
{
	struct told *t = ctx;

	t->errors += !p->warning;
	t->found |= p->code == (enum heft_code)t->code && p->text && p->text[0];
}

/* heft_check tells the same among whatever else it finds. */
static void is_told(const char *path)
{
	struct told t = { .code = expected_code(base(path)) };
	struct heft_check_options o = { .deep = true, .arch = "none", .threads = 2, .ctx = &t };
	struct heft_err err = { 0 };
	size_t errors = 0;
	int rc = heft_check(path, &o, note, &errors, &err);

	ok(!rc && errors == t.errors && (t.code ? t.found : !errors), "check %s", base(path));
	if (rc)
		printf("# E%d %s\n", err.code, err.text);
}

int main(void)
{
	static const char *const patterns[] = { DIR "good-*", DIR "bad-*", DIR "unsupported-*" };
	glob_t g = { 0 };

	for (int i = 0; i < 3; i++)
		glob(patterns[i], GLOB_BRACE | (i ? GLOB_APPEND : 0), NULL, &g);
	ok(g.gl_pathc > 100, "there are samples");
	for (size_t i = 0; i < g.gl_pathc; i++) {
		opens_as_named(g.gl_pathv[i]);
		is_told(g.gl_pathv[i]);
	}
	globfree(&g);
	return done();
}
