/*
 * cmd.h - what all tools share: options as rows, messages, output. A tool is src/cmd/NAME.c with a
 * `const struct tool tool_NAME`, a row in src/cmd/list.h and a page man/heft-NAME.1.
 */
#ifndef CMD_H
#define CMD_H

#include "heft.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

enum opt_kind { OPT_FLAG, OPT_STRING, OPT_LIST, OPT_SIZE, OPT_COUNT, OPT_REAL, OPT_END };

/* One option: parsing, --help and shell completion all read this row. */
struct opt {
	enum opt_kind kind;
	char letter;             /* 0: none */
	const char *name;        /* without "--" */
	const char *arg;         /* "TYPE"; NULL for a flag */
	const char *help;        /* one line; the default in parentheses */
	const char *complete;    /* "file", "dir", "type", "recipe", "format", "arch", or words "a|b|c"; NULL: nothing */
	size_t offset;           /* of the field in the tool's option struct */
};

struct list { /* OPT_LIST */
	const char **v;
	size_t n;
};

struct tool {
	const char *name;
	const char *about;       /* one line */
	const char *usage;       /* "SRC [-o OUT] ..." */
	const struct opt *opt;
	const char *details;     /* paragraphs below the options in --help; may be NULL */
	int (*run)(int argc, char **argv);
};

#endif
