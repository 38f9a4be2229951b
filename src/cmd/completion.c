/*
 * completion.c owns the completion scripts for bash, zsh and fish, made from the rows that the parser reads.
 *
 * A script knows the tools, their options with the help's words, and for values the sets of words.c; files and
 * directories are the shell's own. The names heft-TOOL complete like heft TOOL.
 */
#include <string.h>
#include <strings.h>

#include "cmd.h"

/* Runs f over the tool's rows and the rows that all tools have. */
static void each(const struct tool *t, void (*f)(const struct tool *t, const struct opt *o))
{
	const struct opt *const tables[] = { t->opt, opt_common };

	for (int i = 0; i < 2; i++)
		for (const struct opt *o = tables[i]; o->kind != OPT_END; o++)
			f(t, o);
}

static void each_tool(void (*f)(const struct tool *t))
{
	for (size_t i = 0; tools[i]; i++)
		f(tools[i]);
}

static bool has(const char *complete, const char *what)
{
	return complete && strstr(complete, what);
}

static void put_words(const char *complete, const char *separator)
{
	struct word w;

	for (size_t i = 0; word_at(complete, i, &w); i++)
		printf("%s%s", i ? separator : "", w.s);
}

/* The first sentence of the help: enough for a menu, without the default. */
static size_t short_help(const char *help)
{
	return strcspn(help, ";(:");
}

/* s in single quotes, with a backslash before every letter of special; how a quote itself is written is the shell's. */
static void put_quoted(const char *s, size_t n, const char *special, const char *quote)
{
	while (n && s[n - 1] == ' ')
		n--;
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '\'')
			fputs(quote, stdout);
		else
			printf("%s%c", strchr(special, s[i]) ? "\\" : "", s[i]);
	}
}

/* ---- bash ---- */

static void bash_option(const struct tool *t, const struct opt *o)
{
	printf(" --%s", o->name);
	if (o->letter)
		printf(" -%c", o->letter);
}

static void bash_value(const struct tool *t, const struct opt *o)
{
	if (o->kind == OPT_FLAG)
		return;
	printf("\t%s,--%s", t->name, o->name);
	if (o->letter)
		printf(" | %s,-%c", t->name, o->letter);
	printf(")\n\t\tCOMPREPLY=($(compgen%s -W '",
	       has(o->complete, "dir") ? " -d" : has(o->complete, "file") ? " -f" : "");
	put_words(o->complete, " ");
	printf("' -- \"$cur\"))\n\t\treturn ;;\n");
}

static void bash_values(const struct tool *t)
{
	each(t, bash_value);
}

static void bash_words(const struct tool *t)
{
	printf("\t%s)\n\t\toptions='", t->name);
	each(t, bash_option);
	printf("'\n\t\toperands='");
	put_words(t->operand, " ");
	printf("'%s ;;\n", word_open(t->operand) ? " files=-f" : "");
}

static void put_links(void)
{
	for (size_t i = 0; tools[i]; i++)
		printf(" heft-%s", tools[i]->name);
}

static void bash(void)
{
	puts("# bash completion for heft, made by 'heft completion bash'\n"
	     "_heft()\n{\n"
	     "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} tool options operands files\n"
	     "\t[[ $cur == = ]] && cur=\n"
	     "\t[[ $prev == = && $COMP_CWORD -gt 1 ]] && prev=${COMP_WORDS[COMP_CWORD-2]}\n"
	     "\tcase ${COMP_WORDS[0]##*/} in\n"
	     "\theft-*) tool=${COMP_WORDS[0]##*/heft-} tool=${tool#heft-} ;;\n"
	     "\t*) tool=${COMP_WORDS[1]} ;;\n"
	     "\tesac\n"
	     "\tif [[ $COMP_CWORD -eq 1 && ${COMP_WORDS[0]##*/} != heft-* || $tool == help ]]; then");
	printf("\t\tCOMPREPLY=($(compgen -W '");
	put_words("tool", " ");
	puts(" help --help --version' -- \"$cur\"))\n\t\treturn\n\tfi\n\tcase $tool,$prev in");
	each_tool(bash_values);
	puts("\tesac\n\tcase $tool in");
	each_tool(bash_words);
	puts("\t*) return ;;\n\tesac\n"
	     "\tif [[ $cur == -* ]]; then\n"
	     "\t\tCOMPREPLY=($(compgen -W \"$options\" -- \"$cur\"))\n"
	     "\telse\n"
	     "\t\tCOMPREPLY=($(compgen $files -W \"$operands\" -- \"$cur\"))\n"
	     "\tfi\n}");
	printf("complete -o filenames -F _heft heft");
	put_links();
	putchar('\n');
}

/* ---- zsh ---- */

static void zsh_action(const char *complete)
{
	struct word w;

	if (word_open(complete) && word_at(complete, 0, &w)) {
		fputs("{compadd ", stdout);
		put_words(complete, " ");
		fputs("; _files}", stdout);
	} else if (has(complete, "dir") && !has(complete, "file"))
		fputs("_files -/", stdout);
	else if (has(complete, "file"))
		fputs("_files", stdout);
	else if (word_at(complete, 0, &w)) {
		putchar('(');
		put_words(complete, " ");
		putchar(')');
	}
}

static void zsh_option(const struct tool *t, const struct opt *o)
{
	const char *value = o->kind == OPT_FLAG ? "" : "=";

	printf("\t\t\t");
	if (o->letter && o->kind != OPT_LIST)
		printf("'(-%c --%s)'", o->letter, o->name);
	fputs(o->kind == OPT_LIST ? "'*'" : "", stdout);
	if (o->letter)
		printf("{-%c%s,--%s%s}'[", o->letter, *value ? "+" : "", o->name, value);
	else
		printf("'--%s%s[", o->name, value);
	put_quoted(o->help, short_help(o->help), "[]:\\", "'\\''");
	putchar(']');
	if (o->kind != OPT_FLAG) {
		printf(":%s:", o->arg);
		zsh_action(o->complete);
	}
	printf("' \\\n");
}

static void zsh_tool(const struct tool *t)
{
	printf("\t%s)\n\t\t_arguments -s -S \\\n", t->name);
	each(t, zsh_option);
	printf("\t\t\t");
	for (size_t i = 0; i < (t->max_args < ANY_ARGS ? t->max_args : 1); i++) {
		fputs(t->max_args < ANY_ARGS ? "':operand:" : "'*:operand:", stdout);
		zsh_action(t->operand);
		fputs("' ", stdout);
	}
	printf("\n\t\t;;\n");
}

static void zsh(void)
{
	printf("#compdef heft");
	put_links();
	puts("\n# zsh completion for heft, made by 'heft completion zsh'\n"
	     "_heft_tool()\n{\n\tcase $1 in");
	each_tool(zsh_tool);
	puts("\tesac\n}\n\n_heft()\n{\n"
	     "\tlocal -a tools\n\ttools=(");
	for (size_t i = 0; tools[i]; i++) {
		printf("\t\t'%s:", tools[i]->name);
		put_quoted(tools[i]->about, strlen(tools[i]->about), "\\", "'\\''");
		puts("'");
	}
	puts("\t\t'help:help for a tool'\n\t)\n"
	     "\tif [[ ${service} == heft-* ]]; then\n"
	     "\t\t_heft_tool ${service#heft-}\n"
	     "\telif (( CURRENT == 2 )); then\n"
	     "\t\t_describe tool tools\n"
	     "\telif [[ ${words[2]} == help ]]; then\n"
	     "\t\t_describe tool tools\n"
	     "\telse\n"
	     "\t\tlocal tool=${words[2]}\n"
	     "\t\tshift words\n"
	     "\t\t(( CURRENT-- ))\n"
	     "\t\t_heft_tool $tool\n"
	     "\tfi\n}\n\n_heft \"$@\"");
}

/* ---- fish ---- */

static void fish_option(const struct tool *t, const struct opt *o)
{
	for (int link = 0; link < 2; link++) {
		if (link)
			printf("complete -c heft-%s", t->name);
		else
			printf("complete -c heft -n '__fish_seen_subcommand_from %s'", t->name);
		if (o->letter)
			printf(" -s %c", o->letter);
		printf(" -l %s", o->name);
		if (o->kind != OPT_FLAG) {
			printf(" -%s -a '", has(o->complete, "file") || has(o->complete, "dir") ? "rF" : "x");
			put_words(o->complete, " ");
			putchar('\'');
		}
		printf(" -d '");
		put_quoted(o->help, short_help(o->help), "\\", "\\'");
		puts("'");
	}
}

static void fish_operand(const struct tool *t)
{
	const char *files = word_open(t->operand) ? "" : " -f"; /* -f: none of them */
	struct word w;

	if (!word_at(t->operand, 0, &w))
		return;
	printf("complete -c heft -n '__fish_seen_subcommand_from %s'%s -a '", t->name, files);
	put_words(t->operand, " ");
	printf("'\ncomplete -c heft-%s%s -a '", t->name, files);
	put_words(t->operand, " ");
	puts("'");
}

static void fish(void)
{
	puts("# fish completion for heft, made by 'heft completion fish'");
	for (size_t i = 0; tools[i]; i++) {
		printf("complete -c heft -n __fish_use_subcommand -f -a %s -d '", tools[i]->name);
		put_quoted(tools[i]->about, strlen(tools[i]->about), "\\", "\\'");
		puts("'");
	}
	puts("complete -c heft -n __fish_use_subcommand -f -a help -d 'help for a tool'");
	for (size_t i = 0; tools[i]; i++) {
		fish_operand(tools[i]);
		each(tools[i], fish_option);
	}
}

/* ---- the tool ---- */

static const struct {
	const char *name;
	void (*print)(void);
} shells[] = { { "bash", bash }, { "zsh", zsh }, { "fish", fish } };

static int run(void *options, const struct list *args)
{
	for (size_t i = 0; i < sizeof shells / sizeof *shells; i++)
		if (!strcasecmp(shells[i].name, args->v[0]))
			shells[i].print();
	return EXIT_DONE;
}

static const struct opt rows[] = {
	{ OPT_END, 0, NULL, NULL, NULL, NULL, 0 },
};

const struct tool tool_completion = {
	.name = "completion",
	.about = "print the completion script for a shell",
	.usage = "bash|zsh|fish",
	.details = "'make install' installs all three. By hand: source <(heft completion bash)",
	.operand = "bash|zsh|fish",
	.min_args = 1,
	.max_args = 1,
	.opt = rows,
	.run = run,
};
