/*
 * errors.c owns `heft errors`: the stable codes that stand behind every message.
 */
#include "cmd.h"

struct options {
	bool json;
};

static const struct opt rows[] = {
	{ OPT_FLAG, 0, "json", NULL, NULL, "print the table as JSON", offsetof(struct options, json) },
	{ OPT_END, 0, NULL, NULL, NULL, NULL, 0 },
};

static const struct {
	enum heft_code code;
	const char *name;
} codes[] = {
#define X(name, number, text) { HEFT_E_##name, #name },
	HEFT_CODES(X)
#undef X
};
enum { CODES = sizeof codes / sizeof *codes };

static void print_text(void)
{
	static const char *const head[] = { "code", "name", "" };
	struct table t;

	table_init(&t, "lll", head);
	for (int i = 0; i < CODES; i++) {
		table_add(&t, "E%d", codes[i].code);
		table_add(&t, "%s", codes[i].name);
		table_add(&t, "%s", heft_code_text(codes[i].code));
	}
	table_print(&t, stdout, 0);
}

static void print_json(void)
{
	struct emitter w;

	emit_report(&w, "errors");
	emit_open(&w, "errors", '[');
	for (int i = 0; i < CODES; i++) {
		char code[16];
		snprintf(code, sizeof code, "E%d", codes[i].code);
		emit_open(&w, NULL, '{');
		emit_text(&w, "code", code);
		emit_text(&w, "name", codes[i].name);
		emit_text(&w, "text", heft_code_text(codes[i].code));
		emit_close(&w, '}');
	}
	emit_close(&w, ']');
	emit_report_end(&w);
}

static int run(void *options, const struct list *args)
{
	const struct options *o = options;

	if (o->json)
		print_json();
	else
		print_text();
	return EXIT_DONE;
}

const struct tool tool_errors = {
	.name = "errors",
	.about = "list the error codes, for scripts",
	.usage = "[--json]",
	.opt = rows,
	.size = sizeof(struct options),
	.run = run,
};
