/*
 * say.c owns what goes to standard error: one line per message, "heft TOOL: text [E101]", safe for a terminal.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"

static const char *tool_name = "";

void say_name(const char *tool)
{
	tool_name = tool;
}

const char *said_name(void)
{
	return tool_name;
}

static void prefix(const char *word)
{
	fprintf(stderr, "heft%s%s: %s", *tool_name ? " " : "", tool_name, word);
}

int fail(const struct heft_err *err)
{
	prefix("");
	safe_puts(stderr, err->text);
	if (err->code)
		fprintf(stderr, " [E%d]", err->code);
	putc('\n', stderr);
	return EXIT_FAILED;
}

int misuse(const char *fmt, ...)
{
	char text[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	prefix("");
	safe_puts(stderr, text);
	fprintf(stderr, "\nrun 'heft %s%s--help' for the options\n", tool_name, *tool_name ? " " : "");
	return EXIT_USAGE;
}

void *need(void *p)
{
	if (p)
		return p;
	prefix("out of memory\n");
	exit(EXIT_FAILED);
}
