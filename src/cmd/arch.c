/*
 * arch.c owns `heft arch`: the model families that heft knows, their texts, and a family file tried on a checkpoint.
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

static bool needs(const struct heft_family *f, const char *function)
{
	const char *const *p = f->functions;

	while (*p && strcmp(*p, function))
		p++;
	return *p;
}

/* The functions of C that rows name, each with the families whose rows do. */
static void print_functions(const struct heft_family *f, size_t n)
{
	static const char *const head[] = { "function", "gives", "needed by" };
	struct table t;

	table_init(&t, "lll", head);
	for (const struct heft_arch_function *c = heft_arch_functions(); c->name; c++) {
		const char *name = c->name, *about = c->about;

		for (size_t i = 0; i < n; i++) {
			if (!needs(&f[i], c->name) || (i && !strcmp(f[i].name, f[i - 1].name) && needs(&f[i - 1], c->name)))
				continue;
			table_add(&t, "%s", name);
			table_add(&t, "%s", about);
			table_add(&t, "%s", f[i].name);
			name = about = "";
		}
	}
	putchar('\n');
	table_print(&t, stdout, 0);
}

static void emit_names(struct emitter *w, const char *key, const char *const *name)
{
	emit_open(w, key, '[');
	while (name && *name)
		emit_text(w, NULL, *name++);
	emit_close(w, ']');
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
		emit_flag(&w, "projector", f[i].projector);
		emit_names(&w, "from", f[i].from);
		emit_names(&w, "functions", f[i].functions);
		emit_close(&w, '}');
	}
	emit_close(&w, ']');
	emit_report_end(&w);
}

static int list_families(void *options, const struct list *args)
{
	const struct options *o = options;
	struct heft_err err = { 0 };
	struct heft_family *f = NULL;
	size_t n;

	if (heft_families(o->arch, &f, &n, &err))
		return fail(&err);
	if (o->json)
		print_json(f, n);
	else {
		print_text(f, n);
		print_functions(f, n);
	}
	free(f);
	return EXIT_DONE;
}

/* ---- show ---- */

static int show_family(void *options, const struct list *args)
{
	const struct options *o = options;
	struct heft_err err = { 0 };

	return print_whole(heft_family_text(args->v[1], o->arch, &err), &err);
}

/* ---- test ---- */

enum { FEW = 20 }; /* findings that the text shows */

struct finding {
	enum heft_code code;
	char *tensor, *text;
};
struct findings {
	struct finding *v;
	size_t n;
};

static void collect(void *ctx, const struct heft_problem *p)
{
	struct findings *f = ctx;

	f->v = need(realloc(f->v, (f->n + 1) * sizeof *f->v));
	f->v[f->n++] = (struct finding){ p->code, p->tensor ? need(strdup(p->tensor)) : NULL,
					 need(strdup(p->text ? p->text : heft_code_text(p->code))) };
}

static void release(struct findings *f)
{
	for (size_t i = 0; i < f->n; i++) {
		free(f->v[i].tensor);
		free(f->v[i].text);
	}
	free(f->v);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void print_rows(const struct heft_family_test *t)
{
	static const char *const head[] = { "tensors", "row", "" };
	struct table table;

	table_init(&table, "rll", head);
	for (size_t i = 0; i < t->n_rows; i++) {
		table_add(&table, "%zu", t->row[i].tensors);
		table_add(&table, "%s:%d", base_name(t->row[i].file), t->row[i].line);
		table_add(&table, "%.90s", t->row[i].text);
	}
	table_print(&table, stdout, 0);
}

static void print_test(const struct heft_family_test *t, const struct findings *f)
{
	print_rows(t);
	putchar('\n');
	for (size_t i = 0; i < f->n && i < FEW; i++) {
		printf("%serror%s [E%d] ", style(stdout, RED), style(stdout, PLAIN), f->v[i].code);
		if (f->v[i].tensor) {
			safe_puts(stdout, f->v[i].tensor);
			fputs(": ", stdout);
		}
		safe_puts(stdout, f->v[i].text);
		putchar('\n');
	}
	if (f->n > FEW)
		printf("and %zu more; --json lists them all\n", f->n - FEW);
	printf("%s takes %zu of %zu tensors", t->family ? t->family : "the family", t->n_taken, t->n_sources);
	if (t->fits)
		printf("; they become %zu, %zu are left out, with %zu metadata keys: it fits\n", t->n_outputs, t->n_dropped, t->n_keys);
	else
		puts(": it does not fit");
	if (t->nearest)
		printf("the nearest built-in family is %s, which has rows for %zu of them\n", t->nearest, t->nearest_taken);
	else
		puts("no built-in family has a row for any of them");
}

static void print_test_json(const struct heft_family_test *t, const struct findings *f)
{
	struct emitter w;

	emit_report(&w, "arch-test");
	emit_text(&w, "family", t->family);
	emit_flag(&w, "fits", t->fits);
	emit_number(&w, "tensors", t->n_sources);
	emit_number(&w, "taken", t->n_taken);
	emit_number(&w, "outputs", t->n_outputs);
	emit_number(&w, "dropped", t->n_dropped);
	emit_number(&w, "keys", t->n_keys);
	emit_text(&w, "nearest", t->nearest);
	emit_number(&w, "nearest_taken", t->nearest_taken);
	emit_open(&w, "rows", '[');
	for (size_t i = 0; i < t->n_rows; i++) {
		emit_open(&w, NULL, '{');
		emit_text(&w, "file", t->row[i].file);
		emit_number(&w, "line", (uint64_t)t->row[i].line);
		emit_text(&w, "text", t->row[i].text);
		emit_number(&w, "tensors", t->row[i].tensors);
		emit_close(&w, '}');
	}
	emit_close(&w, ']');
	emit_open(&w, "problems", '[');
	for (size_t i = 0; i < f->n; i++) {
		emit_open(&w, NULL, '{');
		emit_number(&w, "code", (uint64_t)f->v[i].code);
		emit_text(&w, "tensor", f->v[i].tensor);
		emit_text(&w, "text", f->v[i].text);
		emit_close(&w, '}');
	}
	emit_close(&w, ']');
	emit_report_end(&w);
}

/* FILE CHECKPOINT, or CHECKPOINT alone. */
static int test_family(void *options, const struct list *args)
{
	const struct options *o = options;
	const char *file = args->n > 2 ? args->v[1] : NULL;
	struct heft_model *m = NULL;
	struct heft_family_test t = { 0 };
	struct findings f = { 0 };
	struct heft_err err = { 0 };
	int rc = heft_open(&m, args->v[args->n - 1], NULL, &err) || heft_family_try(m, file, collect, &f, &t, &err) ? fail(&err) : EXIT_DONE;

	if (rc == EXIT_DONE) {
		if (o->json)
			print_test_json(&t, &f);
		else
			print_test(&t, &f);
		rc = t.fits ? EXIT_DONE : EXIT_FAILED;
	}
	release(&f);
	heft_close(m);
	return rc;
}

static const struct command commands[] = {
	{ "list", 0, 0, "no operand", "json arch", list_families },
	{ "show", 1, 1, "one FAMILY", "arch", show_family },
	{ "test", 1, 2, "FILE and CHECKPOINT, or CHECKPOINT alone", "json", test_family },
	{ NULL, 0, 0, NULL, NULL, NULL },
};

const struct tool tool_arch = {
	.name = "arch",
	.about = "list the model families that heft knows, show one, try one on a checkpoint",
	.usage = "COMMAND [FAMILY|FILE] [CHECKPOINT] [--arch FILE] [--json]",
	.details = "A family is a text file, see heft-arch(5). list prints them all, and with --arch FILE one that is not built in; where a family "
		   "goes back, heft convert --to safetensors turns a GGUF of it into a checkpoint again. show FAMILY prints its text and "
		   "what it inherits, to begin another one with. test [FILE] CHECKPOINT says which rows took how many tensors, what is left "
		   "over or missing, and which built-in family is nearest: exit status 1 where something does not fit.\n\n"
		   "heft arch list\n"
		   "heft arch show qwen3\n"
		   "heft arch test my.arch ~/models/New-7B",
	.operand = "list|show|test|file",
	.min_args = 1,
	.max_args = 3,
	.opt = rows,
	.size = sizeof(struct options),
	.command = commands,
};
