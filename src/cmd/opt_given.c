/*
 * opt_given.c owns what is told of the options that a run had: those that say what is written, not those of how it is done or where it is
 * put, so that what is told is the same for any number of threads and on any machine.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "page.h"

/* Of the way, the place and the words, not of what is written. */
static const char *const untold[] = {
	"threads", "progress", "json", "quiet", "report", "histogram", "output", "force", "dry-run", "spool", "consume", "max-buffer-size", "help", "version",
	"manifest", "top",
};

static bool told(const struct opt *o)
{
	for (size_t i = 0; i < sizeof untold / sizeof *untold; i++)
		if (!strcmp(o->name, untold[i]))
			return false;
	return o->kind != OPT_WORDS; /* its list has another row */
}

struct given {
	void (*f)(void *ctx, const char *name, const char *value);
	void *ctx;
	const struct opt *opt;
};

/* A path by its last component, with what stands before and after it in the value left. */
static void tell_text(const struct given *g, const char *value)
{
	bool path = g->opt->complete && (strstr(g->opt->complete, "file") || strstr(g->opt->complete, "dir"));

	g->f(g->ctx, g->opt->name, path ? page_base(value) : value);
}

static void tell_list(const struct given *g, const struct list *l)
{
	for (size_t i = 0; i < l->n; i++)
		tell_text(g, l->v[i]);
}

static void tell(const struct given *g, const void *at)
{
	struct text t;
	uint64_t n;
	double x;

	switch (g->opt->kind) {
	case OPT_FLAG:
		if (*(const bool *)at)
			g->f(g->ctx, g->opt->name, NULL);
		break;
	case OPT_STRING:
		if (*(const char *const *)at)
			tell_text(g, *(const char *const *)at);
		break;
	case OPT_LIST:
		tell_list(g, at);
		break;
	case OPT_SIZE:
	case OPT_COUNT:
		memcpy(&n, at, sizeof n);
		snprintf(t.s, sizeof t.s, "%" PRIu64, n);
		if (n)
			g->f(g->ctx, g->opt->name, t.s);
		break;
	case OPT_REAL:
		memcpy(&x, at, sizeof x);
		snprintf(t.s, sizeof t.s, "%.15g", x);
		if (!isnan(x))
			g->f(g->ctx, g->opt->name, t.s);
		break;
	case OPT_END:
	case OPT_WORDS:
		break;
	}
}

void opt_given(const struct tool *t, const void *options, void (*f)(void *ctx, const char *name, const char *value), void *ctx)
{
	struct given g = { .f = f, .ctx = ctx };

	for (g.opt = t->opt; g.opt->kind != OPT_END; g.opt++)
		if (told(g.opt))
			tell(&g, (const char *)options + g.opt->offset);
}

static void fact(void *ctx, const char *name, const char *value)
{
	FILE *f = ctx;

	fputs(" <code>", f);
	html_said(f, value ? "--%s=%s" : "--%s", name, value);
	fputs("</code>", f);
}

void page_given(FILE *f, const struct tool *t, const void *options)
{
	if (!t)
		return;
	html_element(f, "dt", "command");
	fputs("<dd>", f);
	html_element(f, "code", "heft %s", t->name);
	opt_given(t, options, fact, f);
	fputs("</dd>\n", f);
}
