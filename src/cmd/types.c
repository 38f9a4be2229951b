/*
 * types.c owns `heft types`: every encoding and every recipe that -t takes.
 */
#include "cmd.h"

struct options {
	bool json;
};

static const struct opt rows[] = {
	{ OPT_FLAG, 0, "json", NULL, NULL, "print the tables as JSON", offsetof(struct options, json) },
	{ OPT_END, 0, NULL, NULL, NULL, NULL, 0 },
};

static void print_encodings(void)
{
	static const char *const head[] = { "type", "bits per weight", "block", "heft", "imatrix", "" };
	const struct heft_encoding *e;
	struct table t;

	table_init(&t, "lrrlll", head);
	for (size_t i = 0; (e = heft_encoding_at(i)); i++) {
		table_add(&t, "%s", heft_encoding_name(e));
		table_add(&t, "%.4g", heft_encoding_bits(e));
		table_add(&t, "%u", (unsigned)heft_encoding_block(e));
		table_add(&t, "%s", heft_encoding_can_encode(e) ? "reads, writes" : "reads");
		table_add(&t, "%s", heft_encoding_needs_imatrix(e) ? "needed" : "");
		table_add(&t, "%s", heft_encoding_about(e));
	}
	table_print(&t, stdout, 0);
}

static void print_recipes(void)
{
	static const char *const head[] = { "recipe", "file type", "imatrix", "" };
	const struct heft_recipe_info *r;
	size_t n = heft_recipes(&r);
	struct table t;

	table_init(&t, "lrll", head);
	for (size_t i = 0; i < n; i++) {
		table_add(&t, "%s", r[i].name);
		table_add(&t, "%u", (unsigned)r[i].file_type);
		table_add(&t, "%s", r[i].needs_imatrix ? "needed" : "");
		table_add(&t, "%s", r[i].about ? r[i].about : "");
	}
	table_print(&t, stdout, 0);
}

static void print_json(void)
{
	const struct heft_encoding *e;
	const struct heft_recipe_info *r;
	size_t n = heft_recipes(&r);
	struct emitter w;

	emit_report(&w, "types");
	emit_open(&w, "types", '[');
	for (size_t i = 0; (e = heft_encoding_at(i)); i++) {
		emit_open(&w, NULL, '{');
		emit_text(&w, "name", heft_encoding_name(e));
		emit_real(&w, "bits_per_weight", heft_encoding_bits(e));
		emit_number(&w, "block", heft_encoding_block(e));
		emit_flag(&w, "lossy", heft_encoding_lossy(e));
		emit_flag(&w, "writes", heft_encoding_can_encode(e));
		emit_flag(&w, "needs_imatrix", heft_encoding_needs_imatrix(e));
		emit_text(&w, "about", heft_encoding_about(e));
		emit_close(&w, '}');
	}
	emit_close(&w, ']');
	emit_open(&w, "recipes", '[');
	for (size_t i = 0; i < n; i++) {
		emit_open(&w, NULL, '{');
		emit_text(&w, "name", r[i].name);
		emit_text(&w, "alias", r[i].alias);
		emit_number(&w, "file_type", r[i].file_type);
		emit_flag(&w, "needs_imatrix", r[i].needs_imatrix);
		emit_text(&w, "about", r[i].about);
		emit_close(&w, '}');
	}
	emit_close(&w, ']');
	emit_report_end(&w);
}

static int run(void *options, const struct list *args)
{
	const struct options *o = options;

	if (o->json) {
		print_json();
		return EXIT_DONE;
	}
	printf("%sTypes%s: how one tensor is stored; imatrix: an importance matrix is needed\n", style(stdout, BOLD), style(stdout, PLAIN));
	print_encodings();
	printf("\n%sRecipes%s: which tensor gets which type\n", style(stdout, BOLD), style(stdout, PLAIN));
	print_recipes();
	return EXIT_DONE;
}

const struct tool tool_types = {
	.name = "types",
	.about = "list the types and recipes that 'convert -t' takes",
	.usage = "[--json]",
	.opt = rows,
	.size = sizeof(struct options),
	.run = run,
};
