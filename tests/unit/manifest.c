/* Every sample of testdata/manifest gives what its name says, through heft_manifest_check: the error or a problem of this code, or none. */
#include "heft_manifest.h"
#include "tests/tap.h"

#include <glob.h>

struct told {
	int code;
	bool found;
	size_t errors;
};

static void note(void *ctx, const struct heft_problem *p)
{
	struct told *t = ctx;

	t->errors += !p->warning;
	t->found |= p->code == (enum heft_code)t->code && p->text && *p->text && !strchr(p->text, '\n');
}

static void checks_as_named(const char *path)
{
	const char *name = strrchr(path, '/') + 1, *e = strstr(name, "-E");
	struct told t = { .code = e ? atoi(e + 2) : 0 };
	struct heft_manifest_options o = { .threads = 2 };
	struct heft_err err = { 0 };
	size_t errors = 0;
	int rc = heft_manifest_check(path, NULL, &o, note, &t, &errors, &err);

	if (rc)
		t.found = err.code == (enum heft_code)t.code && *err.text && !strchr(err.text, '\n');
	ok((t.code ? t.found : !rc && !errors) && errors == t.errors, "%s", name);
	if (rc && err.code != (enum heft_code)t.code)
		printf("# E%d %s\n", err.code, err.text);
}

int main(void)
{
	glob_t g = { 0 };

	glob("testdata/manifest/good-*.json", 0, NULL, &g);
	glob("testdata/manifest/bad-*.json", GLOB_APPEND, NULL, &g);
	ok(g.gl_pathc > 30, "there are samples");
	for (size_t i = 0; i < g.gl_pathc; i++)
		checks_as_named(g.gl_pathv[i]);
	globfree(&g);
	return done();
}
