/*
 * main.c owns the program: which tool is meant, the help above all tools, the only exit of an ordinary run.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"

const struct tool *const tools[] = {
#define TOOL(name) &tool_##name,
#include "list.h"
#undef TOOL
	NULL,
};

static const struct tool *find_tool(const char *name)
{
	for (size_t i = 0; tools[i]; i++)
		if (!strcmp(tools[i]->name, name))
			return tools[i];
	return NULL;
}

static void print_help(FILE *f)
{
	fputs("usage: heft TOOL ...\n\n"
	      "Turns a downloaded open-weight checkpoint into the file that a runtime loads, in one\n"
	      "streaming pass, and says what that did to the numbers.\n\n",
	      f);
	for (size_t i = 0; tools[i]; i++)
		fprintf(f, "  %-12s%s\n", tools[i]->name, tools[i]->about);
	fputs("\n'heft TOOL --help' lists the options of a tool, 'man heft-TOOL' says more.\n"
	      "Exit status: 0 done, 1 failed or differs, 2 the command line is wrong.\n",
	      f);
}

static int no_tool(const char *name)
{
	struct word w;

	if (name[0] == '-')
		return misuse("unknown option '%s'", name);
	if (word_nearest("tool", name, &w))
		return misuse("unknown tool '%s', did you mean '%s'?", name, w.s);
	return misuse("unknown tool '%s'", name);
}

static int run_tool(const struct tool *t, int argc, char **argv)
{
	void *options = need(calloc(1, t->size ? t->size : 1));
	struct list args = { 0 };
	int status;

	say_name(t->name);
	status = opt_parse(t, argc, argv, options, &args);
	if (status < 0)
		status = t->run ? t->run(options, &args) : command_run(t, options, &args);
	opt_release(t, options, &args);
	free(options);
	return status;
}

static int help(const char *name)
{
	const struct tool *t = name ? find_tool(name) : NULL;

	if (name && !t)
		return no_tool(name);
	if (t)
		opt_help(t);
	else
		print_help(stdout);
	return EXIT_DONE;
}

static int dispatch(int argc, char **argv)
{
	const char *base = argc ? strrchr(argv[0], '/') : NULL, *name = argv[argc > 1];
	const struct tool *t = NULL;

	base = base ? base + 1 : argc ? argv[0] : "heft";
	if (!strncmp(base, "heft-", 5) && (t = find_tool(base + 5)))
		return run_tool(t, argc, argv);
	if (argc < 2) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(name, "--help") || !strcmp(name, "-h"))
		return help(NULL);
	if (!strcmp(name, "help"))
		return help(argv[2]);
	if (!strcmp(name, "--version")) {
		printf("heft %s\n", HEFT_VERSION);
		return EXIT_DONE;
	}
	t = find_tool(name);
	return t ? run_tool(t, argc - 1, argv + 1) : no_tool(name);
}

/* A closed standard stream must not become the number of an output file: whatever prints would go into it. */
static void hold_streams(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)!open("/dev/null", fd ? O_RDONLY : O_WRONLY);
}

int main(int argc, char **argv)
{
	hold_streams();
	return out_finish(dispatch(argc, argv));
}
