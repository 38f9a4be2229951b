/*
 * opt.c owns the command line: the one parser of option rows, and the --help that is printed from the same rows.
 *
 * It takes --name VALUE, --name=VALUE, -n VALUE, -nVALUE and -abc for three flags; options and operands in any order;
 * "--" ends the options, "-" is an operand. It refuses shortened names: a script that says --split today must not mean
 * something else once another --split-... exists. Of an option given twice the last counts, unless it is a list.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"

enum { HELP_WIDTH = 80, HELP_COLUMN = 30 };

const struct opt opt_common[] = {
	{ OPT_FLAG, 'h', "help", NULL, NULL, "print this help", 0 },
	{ OPT_FLAG, 0, "version", NULL, NULL, "print the version", 0 },
	{ OPT_END, 0, NULL, NULL, NULL, NULL, 0 },
};

static void list_add(struct list *l, const char *s)
{
	l->v = need(realloc(l->v, (l->n + 1) * sizeof *l->v));
	l->v[l->n++] = s;
}

/* ---- values ---- */

/* Power of ten of up to 9 digits, so that a fraction stays exact. */
static uint64_t power10(size_t n)
{
	uint64_t p = 1;

	while (n--)
		p *= 10;
	return p;
}

static bool unit_parse(const char *s, uint64_t *unit)
{
	static const char letters[] = "KMGTP";
	const char *at = *s ? strchr(letters, *s & ~32) : NULL;
	bool binary = at && (s[1] | 32) == 'i';

	*unit = 1;
	for (const char *l = letters; at && l <= at; l++)
		*unit *= binary ? 1024 : 1000;
	s += at ? 1 + binary : 0;
	s += (*s | 32) == 'b';
	return !*s;
}

static bool digits(const char **s, uint64_t *out)
{
	const char *start = *s;

	for (*out = 0; **s >= '0' && **s <= '9'; ++*s)
		if (__builtin_mul_overflow(*out, 10, out) || __builtin_add_overflow(*out, **s - '0', out))
			return false;
	return *s != start;
}

bool opt_size(const char *s, uint64_t *out)
{
	uint64_t whole, part = 0, unit, scale = 1;

	if (!digits(&s, &whole))
		return false;
	if (*s == '.') {
		const char *start = ++s;
		if (!digits(&s, &part) || s - start > 9)
			return false;
		scale = power10((size_t)(s - start));
	}
	if (!unit_parse(s, &unit) || (scale > 1 && unit == 1))
		return false;
	part = (uint64_t)((unsigned __int128)part * unit / scale);
	return !__builtin_mul_overflow(whole, unit, out) && !__builtin_add_overflow(*out, part, out);
}

int unknown_word(const char *what, const char *complete, const char *s)
{
	struct word w;
	char all[512] = "";
	size_t n = 0;

	if (!strcmp(complete, "target") && heft_target_instead(s))
		return misuse("%s'%s' %s", what, s, heft_target_instead(s));
	if (s[strspn(s, "0123456789")] && word_nearest(complete, s, &w)) /* of numbers none is meant by another */
		return misuse("%sdoes not know '%s', did you mean '%s'?", what, s, w.s);
	if (!strncmp(complete, "type", strlen("type")))
		return misuse("%sdoes not know '%s', 'heft types' lists the types", what, s);
	for (size_t i = 0; n < sizeof all && word_at(complete, i, &w); i++)
		n += (size_t)snprintf(all + n, sizeof all - n, "%s%s", i ? ", " : "", w.s);
	return misuse("%sdoes not know '%s', only: %s", what, s, all);
}

static int set_string(const struct opt *o, const char *s, void *field)
{
	char what[48];

	snprintf(what, sizeof what, "--%s ", o->name);
	if (!word_open(o->complete) && !word_known(o->complete, s))
		return unknown_word(what, o->complete, s);
	memcpy(field, &s, sizeof s);
	return -1;
}

static int set_list(const struct opt *o, const char *s, void *field)
{
	int status = set_string(o, s, &s);

	if (status < 0)
		list_add(field, s);
	return status;
}

static int set_words(const struct opt *o, const char *path, void *field)
{
	struct list *l = field;
	struct heft_err err;
	char *text = text_read(path, &err), *at = text, *word;
	size_t before = l->n;

	if (!text)
		return fail(&err);
	l->text = need(realloc(l->text, (l->n_text + 1) * sizeof *l->text));
	l->text[l->n_text++] = text;
	while ((word = strtok_r(at, " \t\r\n\v\f", &at)))
		list_add(l, word);
	return l->n > before ? -1 : misuse("'%s' is empty: --%s wants a file of words", path, o->name);
}

static int set_size(const struct opt *o, const char *s, void *field)
{
	if (!opt_size(s, field))
		return misuse("'%s' is not a size for --%s, write it like 4G, 512M, 1.5G or 2GiB", s, o->name);
	return -1;
}

static int set_count(const struct opt *o, const char *s, void *field)
{
	const char *end = s;

	if (!digits(&end, field) || *end)
		return misuse("'%s' is not a whole number for --%s", s, o->name);
	return -1;
}

static int set_real(const struct opt *o, const char *s, void *field)
{
	char *end;
	double x = strtod(s, &end);

	if (end == s || *end || !isfinite(x))
		return misuse("'%s' is not a number for --%s", s, o->name);
	memcpy(field, &x, sizeof x);
	return -1;
}

static int (*const setters[])(const struct opt *o, const char *s, void *field) = {
	[OPT_STRING] = set_string, [OPT_LIST] = set_list, [OPT_WORDS] = set_words, [OPT_SIZE] = set_size,
	[OPT_COUNT] = set_count,   [OPT_REAL] = set_real,
};

/* ---- the parser ---- */

struct parser {
	const struct tool *tool;
	char *options;  /* the tool's struct */
	struct list *args;
	char **argv;    /* what is left */
	bool operands;  /* after "--" */
};

static const struct opt *find_in(const struct opt *o, const char *name, size_t n, char letter)
{
	for (; o && o->kind != OPT_END; o++)
		if (name ? strlen(o->name) == n && !memcmp(o->name, name, n) : o->letter == letter)
			return o;
	return NULL;
}

static const struct opt *find(const struct tool *t, const char *name, size_t n, char letter)
{
	const struct opt *o = find_in(t->opt, name, n, letter);

	return o ? o : find_in(opt_common, name, n, letter);
}

static int unknown(const struct tool *t, const char *name, size_t n)
{
	const struct opt *const tables[] = { t->opt, opt_common };
	const char *near = NULL;
	size_t best = SIZE_MAX;
	char typed[48];

	snprintf(typed, sizeof typed, "%.*s", (int)(n < 47 ? n : 47), name);
	for (int i = 0; i < 2; i++)
		for (const struct opt *o = tables[i]; o && o->kind != OPT_END; o++)
			if (word_nearer(typed, o->name, &best))
				near = o->name;
	if (near)
		return misuse("unknown option '--%s', did you mean '--%s'?", typed, near);
	return misuse("unknown option '--%s'", typed);
}

/* The option itself: value is what stood behind it, or NULL. */
static int apply(struct parser *p, const struct opt *o, const char *value)
{
	char *field = p->options + o->offset;

	if (o == &opt_common[0]) {
		opt_help(p->tool);
		return EXIT_DONE;
	}
	if (o == &opt_common[1]) {
		printf("heft %s\n", HEFT_VERSION);
		return EXIT_DONE;
	}
	if (o->kind == OPT_FLAG) {
		*(bool *)field = true;
		return -1;
	}
	if (!value)
		value = *p->argv ? *p->argv++ : "";
	if (!*value)
		return misuse("option '--%s' needs a value: %s", o->name, o->arg);
	return setters[o->kind](o, value, field);
}

static int take_long(struct parser *p, const char *arg)
{
	size_t n = strcspn(arg, "=");
	const struct opt *o = find(p->tool, arg, n, 0);

	if (!o)
		return unknown(p->tool, arg, n);
	if (arg[n] && o->kind == OPT_FLAG)
		return misuse("option '--%s' takes no value", o->name);
	return apply(p, o, arg[n] ? arg + n + 1 : NULL);
}

static int take_letters(struct parser *p, const char *arg)
{
	int status = -1;

	for (; *arg && status < 0; arg++) {
		const struct opt *o = find(p->tool, NULL, 0, *arg);
		if (!o)
			return misuse("unknown option '-%.*s'", (int)safe_char(arg, strlen(arg)), arg);
		if (o->kind != OPT_FLAG)
			return apply(p, o, arg[1] ? arg + 1 : NULL);
		status = apply(p, o, NULL);
	}
	return status;
}

static int take(struct parser *p, const char *arg)
{
	if (p->operands || arg[0] != '-' || !arg[1]) {
		list_add(p->args, arg);
		return -1;
	}
	if (arg[1] != '-')
		return take_letters(p, arg + 1);
	if (arg[2])
		return take_long(p, arg + 2);
	p->operands = true;
	return -1;
}

/* The operands' names are the first words of the usage line. */
static int missing(const struct tool *t, size_t i)
{
	const char *s = t->usage;

	while (i--)
		s += strcspn(s, " ") + 1;
	return misuse("%.*s is missing", (int)strcspn(s, " "), s);
}

static int check_operands(const struct tool *t, const struct list *args)
{
	if (args->n < t->min_args)
		return missing(t, args->n);
	if (args->n > t->max_args)
		return misuse("'%s' is one operand too many", args->v[t->max_args]);
	for (size_t i = 0; i < args->n; i++)
		if (!word_open(t->operand) && !word_known(t->operand, args->v[i]))
			return unknown_word("", t->operand, args->v[i]);
	return -1;
}

int opt_parse(const struct tool *t, int argc, char **argv, void *options, struct list *args)
{
	struct parser p = { .tool = t, .options = options, .args = args, .argv = argv + (argc > 0) };
	int status = -1;

	for (const struct opt *o = t->opt; o && o->kind != OPT_END; o++)
		if (o->kind == OPT_REAL)
			memcpy(p.options + o->offset, &(double){ NAN }, sizeof(double));
	if (t->defaults)
		t->defaults(options);
	while (*p.argv && status < 0)
		status = take(&p, *p.argv++);
	return status < 0 ? check_operands(t, args) : status;
}

static void list_release(struct list *l)
{
	while (l->n_text)
		free(l->text[--l->n_text]);
	free(l->text);
	free(l->v);
}

void opt_release(const struct tool *t, void *options, struct list *args)
{
	for (const struct opt *o = t->opt; o && o->kind != OPT_END; o++)
		if (o->kind == OPT_LIST)
			list_release((struct list *)((char *)options + o->offset));
	free(args->v);
}

/* ---- help ---- */

/* Bytes up to the next space that does not stand inside brackets. */
static int word_length(const char *s)
{
	int n = 0, depth = 0;

	for (; s[n] && s[n] != '\n' && (s[n] != ' ' || depth > 0); n++)
		depth += (s[n] == '[') - (s[n] == ']');
	return n;
}

/* Prints s from the given column on, broken at spaces, further lines at indent. */
static void wrap(const char *s, int column, int indent)
{
	while (*s) {
		int n = word_length(s);
		if (column > indent && column + 1 + n > HELP_WIDTH)
			column = printf("\n%*s", indent, "") - 1;
		else if (column > indent)
			column += printf(" ");
		column += printf("%.*s", n, s);
		s += n;
		for (; *s == ' ' || *s == '\n'; s++)
			if (*s == '\n')
				column = printf("\n%*s", indent, "") - 1;
	}
	putchar('\n');
}

static void help_rows(const struct opt *o)
{
	for (; o && o->kind != OPT_END; o++) {
		int n = o->letter ? printf("  -%c, --%s", o->letter, o->name) : printf("      --%s", o->name);
		if (o->arg)
			n += printf(" %s", o->arg);
		if (n > HELP_COLUMN - 2)
			n = printf("\n") - 1;
		printf("%*s", HELP_COLUMN - n, "");
		wrap(o->help, HELP_COLUMN, HELP_COLUMN);
	}
}

void opt_help(const struct tool *t)
{
	int n = printf("usage: heft %s ", t->name);

	wrap(t->usage, n, n);
	printf("\n%c%s.\n\n", t->about[0] & ~32, t->about + 1);
	help_rows(t->opt);
	help_rows(opt_common);
	if (t->details) {
		putchar('\n');
		wrap(t->details, 0, 0);
	}
}
