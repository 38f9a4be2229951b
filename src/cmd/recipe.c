/*
 * recipe.c owns `heft recipe`: the recipes that heft knows, their texts, and a recipe of the user's tried on a checkpoint.
 */
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "heft_recipe.h"

struct options {
	const char *imatrix, *arch;
	bool flat, json;
};

static const struct opt rows[] = {
	{ OPT_FLAG, 0, "flat", NULL, NULL, "show: one text that inherits nothing (default: what it inherits stands behind it)", offsetof(struct options, flat) },
	{ OPT_STRING, 0, "imatrix", "FILE", "file", "check: the importance matrix that the recipe is used with (default: none)", offsetof(struct options, imatrix) },
	{ OPT_STRING, 0, "arch", "FILE", "none|file", "check: family file for this model (default: by config.json)", offsetof(struct options, arch) },
	{ OPT_FLAG, 0, "json", NULL, NULL, "list, check: print the table as JSON", offsetof(struct options, json) },
	{ OPT_END, 0, NULL, NULL, NULL, NULL, 0 },
};

/* ---- list ---- */

static void add_recipes(struct table *t, const struct heft_recipe_info *r, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct heft_encoding *e = heft_recipe_type(r[i].name);

		table_add(t, "%s", r[i].name);
		table_add(t, "%s", r[i].alias ? r[i].alias : "");
		table_add(t, "%s", r[i].to);
		if (e)
			table_add(t, "%.4g", heft_encoding_bits(e));
		else
			table_add(t, "%s", "");
		table_add(t, "%s", r[i].needs_imatrix ? "needed" : "");
		table_add(t, "%s", r[i].about);
	}
}

static void emit_recipes(struct emitter *w, const struct heft_recipe_info *r, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct heft_encoding *e = heft_recipe_type(r[i].name);

		emit_open(w, NULL, '{');
		emit_text(w, "name", r[i].name);
		emit_text(w, "alias", r[i].alias);
		emit_text(w, "to", r[i].to);
		if (e) { /* else types are words of the target */
			emit_text(w, "type", heft_encoding_name(e));
			emit_real(w, "bits_per_weight", heft_encoding_bits(e));
			emit_number(w, "file_type", r[i].file_type);
		}
		emit_flag(w, "needs_imatrix", r[i].needs_imatrix);
		emit_text(w, "about", r[i].about);
		emit_close(w, '}');
	}
}

static int list_recipes(void *options, const struct list *args)
{
	static const char *const head[] = { "recipe", "also", "for", "bits", "imatrix", "" };
	const struct options *o = options;
	const struct heft_recipe_info *gguf, *modules;
	size_t n = heft_recipes(&gguf), n_modules = heft_module_recipes(&modules);
	struct emitter w;
	struct table t;

	if (!o->json) {
		table_init(&t, "lllrll", head);
		add_recipes(&t, gguf, n);
		add_recipes(&t, modules, n_modules);
		table_print(&t, stdout, 0);
		return EXIT_DONE;
	}
	emit_report(&w, "recipe");
	emit_open(&w, "recipes", '[');
	emit_recipes(&w, gguf, n);
	emit_recipes(&w, modules, n_modules);
	emit_close(&w, ']');
	emit_report_end(&w);
	return EXIT_DONE;
}

/* ---- show ---- */

static int show_recipe(void *options, const struct list *args)
{
	const struct options *o = options;
	struct heft_err err = { 0 };

	return print_whole(heft_recipe_text(args->v[1], o->flat, &err), &err);
}

/* ---- check ---- */

enum { FEW = 20 }; /* fallbacks that the text shows */

struct checked {
	const struct heft_recipe_head *head;
	const struct heft_output *out;
	const struct heft_recipe_row *row;
	size_t n_rows;
};

static void print_rows(const struct checked *c)
{
	static const char *const head[] = { "tensors", "row", "" };
	struct table t;

	table_init(&t, "rll", head);
	for (size_t i = 0; i < c->n_rows; i++) {
		table_add(&t, "%zu", c->row[i].tensors);
		if (c->row[i].line)
			table_add(&t, "%s:%d", c->row[i].file, c->row[i].line);
		else
			table_add(&t, "%s", c->row[i].file);
		table_add(&t, "%.100s", c->row[i].text);
	}
	table_print(&t, stdout, 0);
}

static void print_checked(const struct checked *c)
{
	size_t shown = 0;

	print_rows(c);
	putchar('\n');
	for (size_t i = 0; i < c->out->n_items; i++) {
		const struct heft_item *it = &c->out->item[i];

		if (!it->fallback || ++shown > FEW)
			continue;
		safe_puts(stdout, it->name);
		printf(": %s, ", it->n_stored ? "codes" : heft_encoding_name(it->to));
		safe_puts(stdout, it->why);
		putchar('\n');
	}
	if (shown > FEW)
		printf("and %zu more; --json lists them all\n", shown - FEW);
	printf("%s fits: %zu tensors, %s, %.2f bits per weight, %zu fallback%s\n", c->head->name, c->out->n_items, human_bytes(c->out->size).s,
	       c->out->bits_per_weight, c->out->n_fallbacks, c->out->n_fallbacks == 1 ? "" : "s");
}

static void emit_rows(struct emitter *w, const struct checked *c)
{
	emit_open(w, "rows", '[');
	for (size_t i = 0; i < c->n_rows; i++) {
		emit_open(w, NULL, '{');
		emit_text(w, "file", c->row[i].file);
		emit_number(w, "line", (uint64_t)c->row[i].line);
		emit_text(w, "text", c->row[i].text);
		emit_number(w, "tensors", c->row[i].tensors);
		emit_flag(w, "own", c->row[i].own);
		emit_close(w, '}');
	}
	emit_close(w, ']');
}

static void emit_output(struct emitter *w, const struct heft_output *out)
{
	emit_number(w, "size", out->size);
	emit_real(w, "bits_per_weight", out->bits_per_weight);
	emit_open(w, "tensors", '[');
	for (size_t i = 0; i < out->n_items; i++) {
		emit_open(w, NULL, '{');
		emit_text(w, "name", out->item[i].name);
		emit_text(w, "type", heft_encoding_name(out->item[i].to));
		emit_text(w, "why", out->item[i].why);
		emit_flag(w, "fallback", out->item[i].fallback);
		emit_close(w, '}');
	}
	emit_close(w, ']');
}

static void print_json(const struct checked *c)
{
	struct emitter w;

	emit_report(&w, "recipe-check");
	emit_text(&w, "name", c->head->name);
	emit_text(&w, "to", c->head->to);
	emit_number(&w, "own_rows", c->head->rows);
	emit_number(&w, "inherited_rows", c->head->inherited);
	if (c->out) {
		emit_rows(&w, c);
		emit_output(&w, c->out);
	}
	emit_report_end(&w);
}

static void report(const struct options *o, const struct checked *c)
{
	if (o->json)
		print_json(c);
	else if (c->out)
		print_checked(c);
	else
		printf("%s can be read: for --to %s, %zu rows of its own and %zu inherited\n", c->head->name, c->head->to, c->head->rows, c->head->inherited);
}

/* What would become of a checkpoint: its plan tells. */
static int check_on(const struct options *o, const char *file, const char *text, const char *source, struct checked *c)
{
	struct heft_output_spec spec = { .path = "check", .recipe = text, .recipe_file = file };
	struct heft_job job = { .output = &spec, .n_outputs = 1, .to = c->head->to, .imatrix = o->imatrix, .arch = o->arch,
				.allow_requantize = true, .force = true };
	struct heft_model *m = NULL;
	struct heft_plan *plan = NULL;
	struct heft_err err = { 0 };
	int status = EXIT_DONE;

	if (heft_open(&m, source, NULL, &err) || heft_plan_new(&plan, m, &job, &err))
		status = fail(&err);
	else {
		c->out = heft_plan_output(plan, 0);
		c->n_rows = heft_plan_recipe_rows(plan, 0, &c->row);
		report(o, c);
	}
	heft_plan_free(plan);
	heft_close(m);
	return status;
}

static int check_recipe(void *options, const struct list *args)
{
	const struct options *o = options;
	struct heft_err err = { 0 };
	struct heft_recipe_head head;
	struct checked c = { .head = &head };
	const char *file = args->v[1];
	int status = EXIT_DONE;
	char *text;

	if ((o->imatrix || o->arch) && args->n < 3)
		return misuse("--imatrix and --arch go with recipe check FILE SRC");
	text = text_read(file, &err);
	if (!text)
		return fail(&err);
	if (heft_recipe_read(&head, file, text, &err))
		status = fail(&err);
	else if (args->n > 2)
		status = check_on(o, file, text, args->v[2], &c);
	else
		report(o, &c);
	free(head.name);
	free(text);
	return status;
}

/* ---- all ---- */

static const struct command commands[] = {
	{ "list", 0, 0, "no operand", "json", list_recipes },
	{ "show", 1, 1, "one NAME", "flat", show_recipe },
	{ "check", 1, 2, "FILE, and SRC to try it on", "json imatrix arch", check_recipe },
	{ NULL, 0, 0, NULL, NULL, NULL },
};

const struct tool tool_recipe = {
	.name = "recipe",
	.about = "list the recipes that heft knows, show one, try one of your own",
	.usage = "COMMAND [NAME|FILE] [SRC] [--flat] [--imatrix FILE] [--arch FILE] [--json]",
	.details = "A recipe says which tensor gets which type; it is a text, see heft-recipe(5). list prints those that convert -t takes, with the bits "
		   "of the type that most tensors get. show NAME prints the text of one and of what it inherits, to begin another one with. check FILE "
		   "reads one of your own, and with SRC tells which row decided how many of its tensors, and what falls back: exit status 1 where a "
		   "row is wrong or matches nothing. heft convert --recipe FILE uses it.\n\n"
		   "heft recipe list\n"
		   "heft recipe show q4_k_m --flat >my.recipe\n"
		   "heft recipe check my.recipe ~/models/Llama-3.1-8B",
	.operand = "list|show|check|recipe|file",
	.min_args = 1,
	.max_args = 3,
	.opt = rows,
	.size = sizeof(struct options),
	.command = commands,
};
