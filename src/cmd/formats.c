/*
 * formats.c owns `heft formats`: the containers that heft reads and writes.
 */
#include "cmd.h"

struct options {
	bool json;
};

static const struct opt rows[] = {
	{ OPT_FLAG, 0, "json", NULL, NULL, "print the table as JSON", offsetof(struct options, json) },
	{ OPT_END, 0, NULL, NULL, NULL, NULL, 0 },
};

static void print_text(const struct heft_format_info *f, size_t n)
{
	static const char *const head[] = { "format", "extension", "heft", "" };
	struct table t;

	table_init(&t, "llll", head);
	for (size_t i = 0; i < n; i++) {
		table_add(&t, "%s", f[i].name);
		table_add(&t, "%s", f[i].extension ? f[i].extension : "");
		table_add(&t, "%s%s%s", f[i].reads ? "reads" : "", f[i].reads && f[i].writes ? ", " : "",
			  f[i].writes ? "writes" : "");
		table_add(&t, "%s", f[i].about ? f[i].about : "");
	}
	table_print(&t, stdout, 0);
}

static void print_json(const struct heft_format_info *f, size_t n)
{
	struct emitter w;

	emit_report(&w, "formats");
	emit_open(&w, "formats", '[');
	for (size_t i = 0; i < n; i++) {
		emit_open(&w, NULL, '{');
		emit_text(&w, "name", f[i].name);
		emit_text(&w, "extension", f[i].extension);
		emit_flag(&w, "reads", f[i].reads);
		emit_flag(&w, "writes", f[i].writes);
		emit_text(&w, "about", f[i].about);
		emit_close(&w, '}');
	}
	emit_close(&w, ']');
	emit_report_end(&w);
}

static int run(void *options, const struct list *args)
{
	const struct options *o = options;
	const struct heft_format_info *f;
	size_t n = heft_formats(&f);

	if (o->json)
		print_json(f, n);
	else
		print_text(f, n);
	return EXIT_DONE;
}

const struct tool tool_formats = {
	.name = "formats",
	.about = "list the file formats that heft reads and writes",
	.usage = "[--json]",
	.opt = rows,
	.size = sizeof(struct options),
	.run = run,
};
