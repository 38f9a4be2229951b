/*
 * arch.c owns `heft arch list`: the model families that heft knows, and whether a family file can be read.
 */
#include <stdlib.h>
#include <string.h>

#include "cmd.h"

struct options {
	const char *arch;
	bool json;
};

static const struct opt rows[] = {
	{ OPT_STRING, 0, "arch", "FILE", "file",
	  "a family file to read and list with the built-in ones (default: none)",
	  offsetof(struct options, arch) },
	{ OPT_FLAG, 0, "json", NULL, NULL, "print the table as JSON", offsetof(struct options, json) },
	{ OPT_END, 0, NULL, NULL, NULL, NULL, 0 },
};

/* One row per class, the first with the family's name. */
static void add_family(struct table *t, const struct heft_family *f)
{
	static const char *const none[] = { NULL };
	const char *const *from = f->from ? f->from : none;

	table_add(t, "%s", f->name);
	table_add(t, "%s", f->origin);
	table_add(t, "%s", f->no_way_back ? "no" : "yes");
	table_add(t, "%s", *from ? *from : "");
	from += *from != NULL;
	while (*from) {
		for (int i = 0; i < 3; i++)
			table_add(t, "%s", "");
		table_add(t, "%s", *from++);
	}
}

static void print_text(const struct heft_family *f, size_t n)
{
	static const char *const head[] = { "family", "origin", "goes back", "class in config.json" };
	struct table t;

	table_init(&t, "llll", head);
	for (size_t i = 0; i < n; i++)
		add_family(&t, &f[i]);
	table_print(&t, stdout, 0);
}

static void print_json(const struct heft_family *f, size_t n)
{
	struct emitter w;

	emit_report(&w, "arch");
	emit_open(&w, "families", '[');
	for (size_t i = 0; i < n; i++) {
		emit_open(&w, NULL, '{');
		emit_text(&w, "name", f[i].name);
		emit_text(&w, "origin", f[i].origin);
		emit_flag(&w, "goes_back", !f[i].no_way_back);
		emit_text(&w, "no_way_back", f[i].no_way_back);
		emit_open(&w, "from", '[');
		for (size_t k = 0; f[i].from && f[i].from[k]; k++)
			emit_text(&w, NULL, f[i].from[k]);
		emit_close(&w, ']');
		emit_close(&w, '}');
	}
	emit_close(&w, ']');
	emit_report_end(&w);
}

static int run(void *options, const struct list *args)
{
	const struct options *o = options;
	struct heft_err err = { 0 };
	struct heft_family *f = NULL;
	size_t n;

	if (heft_families(o->arch, &f, &n, &err))
		return fail(&err);
	if (o->json)
		print_json(f, n);
	else
		print_text(f, n);
	free(f);
	return EXIT_DONE;
}

const struct tool tool_arch = {
	.name = "arch",
	.about = "list the model families that heft knows",
	.usage = "list [--arch FILE] [--json]",
	.details = "A family is a text file, see heft-arch(5); --arch FILE reads one that is not built in. Where a family goes "
		   "back, heft convert --to safetensors turns a GGUF of it into a checkpoint again.",
	.operand = "list",
	.min_args = 1,
	.max_args = 1,
	.opt = rows,
	.size = sizeof(struct options),
	.run = run,
};
