/*
 * check.c - heft_check(): everything that is wrong with a download, at once.
 *
 * Opening tells what is wrong with files and headers; the other parts look at what lies beside them and, if asked, at
 * every weight.
 */
#include "check.h"

#include <string.h>
#include <sys/stat.h>

#include "model.h"
#include "ollama.h"

/* What heft_open reports goes the same way as all else. */
static void forward(void *ctx, const struct heft_problem *p)
{
	struct check *c = ctx;

	sink_tell(&c->sink, p);
}

static int check_model(struct check *c, struct heft_err *err)
{
	const char *arch = c->options->arch;
	bool asks_family = !arch || strcmp(arch, "none");

	if (c->model->dir && asks_family)
		check_companions(c, c->model->dir);
	if (asks_family)
		check_family(c);
	if (!c->options->deep)
		return 0;
	return check_digests(c, err) || check_values(c, err) ? -1 : 0;
}

int heft_check(const char *path, const struct heft_check_options *options, heft_problem_fn *problem, size_t *n_errors,
	       struct heft_err *err)
{
	static const struct heft_check_options defaults;
	struct check c = { .options = options ? options : &defaults };
	struct heft_open_options open = { .config_dir = c.options->config_dir, .key = c.options->key, .problem = forward, .ctx = &c };
	struct heft_err why = { 0 };
	struct stat st;
	int rc = 0;

	c.sink = (struct sink){ .fn = problem, .ctx = c.options->ctx };
	if (strcmp(path, "-") && stat(path, &st) && !ollama_has(path))
		return heft_fail_errno(err, HEFT_E_OPEN, "cannot open '%s'", path);
	if (heft_open(&c.model, path, &open, &why))
		model_tell_error(&c.sink, &why, path);
	else
		rc = check_model(&c, err);
	heft_close(c.model);
	if (n_errors)
		*n_errors = c.sink.errors;
	return rc;
}
