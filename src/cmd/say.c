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

static void prefix(const char *word)
{
	fprintf(stderr, "heft%s%s: %s", *tool_name ? " " : "", tool_name, word);
}

static void say(const char *word, const char *fmt, va_list ap)
{
	char text[2048];

	vsnprintf(text, sizeof text, fmt, ap);
	prefix(word);
	safe_puts(stderr, text);
	putc('\n', stderr);
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
	va_list ap;

	va_start(ap, fmt);
	say("", fmt, ap);
	va_end(ap);
	fprintf(stderr, "run 'heft %s%s--help' for the options\n", tool_name, *tool_name ? " " : "");
	return EXIT_USAGE;
}

void warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("warning: ", fmt, ap);
	va_end(ap);
}

void *need(void *p)
{
	if (p)
		return p;
	prefix("out of memory\n");
	exit(EXIT_FAILED);
}
