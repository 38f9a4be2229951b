/*
 * cmd.h - what all tools share: options as rows, messages, output, progress. A tool is src/cmd/NAME.c with a
 * `const struct tool tool_NAME`, a row in src/cmd/list.h and a page man/heft-NAME.1.
 *
 * main.c parses, runs the tool, checks standard output and exits; a tool's run() gets its options filled in and returns
 * one of the three exit statuses. Standard output is data only; messages go to standard error through fail() and
 * misuse(), progress through progress.c.
 */
#ifndef CMD_H
#define CMD_H

#include "heft.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* ---- options (opt.c) ------------------------------------------------------------------------------------------- */

/* Kind of an option and the type of its field: bool, const char *, struct list, struct list, uint64_t, uint64_t, double. OPT_WORDS names a
 * file whose words are added to the list of an OPT_LIST row. */
enum opt_kind { OPT_END, OPT_FLAG, OPT_STRING, OPT_LIST, OPT_WORDS, OPT_SIZE, OPT_COUNT, OPT_REAL };

/*
 * One option: parsing, --help and shell completion all read this row. What `complete` names is also what a value may
 * be, where it is a closed set: "type" (types and recipes), "encoding" (types alone), "format" (containers that heft writes) or words "a|b|c".
 * Open sets are "file" and "dir"; "none|file" offers the word and takes any path.
 */
struct opt {
	enum opt_kind kind;
	char letter;           /* 0: none */
	const char *name;      /* without "--" */
	const char *arg;       /* "TYPE"; NULL for a flag */
	const char *complete;  /* NULL: nothing */
	const char *help;      /* one sentence; the default in parentheses */
	size_t offset;         /* of the field in the tool's option struct */
};

struct list { /* OPT_LIST, and operands */
	const char **v;
	size_t n;
	char **text; /* of files, that some of v point into */
	size_t n_text;
};

#define ANY_ARGS SIZE_MAX /* no limit to the operands */

/* One of the things that a tool does: its first operand (command.c). A table ends with a row without a name. */
struct command {
	const char *name;
	size_t least, most;    /* operands behind the name */
	const char *takes;     /* what these are: "one NAME" */
	const char *options;   /* "json flat": those that go with it, of those that not all commands take; NULL: none */
	int (*run)(void *options, const struct list *args);
};

struct tool {
	const char *name;
	const char *about;     /* one line */
	const char *usage;     /* "SRC [-o OUT] ..." */
	const char *details;   /* paragraphs below the options in --help; may be NULL */
	const char *operand;   /* completion of the operands, as in struct opt */
	size_t min_args, max_args;
	const struct opt *opt; /* ends with OPT_END */
	size_t size;           /* of the option struct: zeroed at first, but NAN for OPT_REAL */
	void (*defaults)(void *options); /* before parsing; may be NULL */
	const struct command *command; /* or NULL */
	int (*run)(void *options, const struct list *args); /* NULL: that of the command which the first operand names */
};

int command_run(const struct tool *t, void *options, const struct list *args); /* looks it up, checks operands and options; the exit status */

#define TOOL(name) extern const struct tool tool_##name;
#include "list.h"
#undef TOOL

extern const struct tool *const tools[]; /* main.c: in the order of list.h, NULL-terminated */

/* Fills options and operands. Returns -1 to go on, else the exit status: --help was printed, or misuse was told. */
int opt_parse(const struct tool *t, int argc, char **argv, void *options, struct list *args);
void opt_release(const struct tool *t, void *options, struct list *args);
void opt_help(const struct tool *t);
extern const struct opt opt_common[]; /* --help and --version: every tool has them */

/* words.c: the i-th word that may stand for `complete`, into w; false past the last. */
struct word {
	char s[40];
};
bool word_at(const char *complete, size_t i, struct word *w);
bool word_open(const char *complete); /* a path is allowed, so that any value is */
bool word_known(const char *complete, const char *value); /* any case */
bool word_nearest(const char *complete, const char *value, struct word *w);
/* Nearest so far: *best holds the smallest distance, first SIZE_MAX. True where candidate is nearer and near. */
bool word_nearer(const char *typed, const char *candidate, size_t *best);

bool opt_size(const char *s, uint64_t *out); /* "4G" "512M" "2GiB" "1.5G" "100" */

/* ---- messages (say.c) ------------------------------------------------------------------------------------------ */

const char *said_name(void);                        /* "convert" */
void say_name(const char *tool);                    /* "convert": messages begin "heft convert: " */
int fail(const struct heft_err *err);               /* the error with its code; returns EXIT_FAILED */
__attribute__((format(printf, 1, 2)))
int misuse(const char *fmt, ...);                   /* returns EXIT_USAGE and points to --help */
/* A value that is not in a closed set of words ("list|show"); what: "--type ", or nothing for an operand. Returns EXIT_USAGE. */
int unknown_word(const char *what, const char *words, const char *s);
void *need(void *p);                                /* p, or the end of the program: memory is exhausted */

/* ---- output (out.c, table.c) ----------------------------------------------------------------------------------- */

enum style { PLAIN, BOLD, DIM, RED, GREEN, YELLOW };
const char *style(FILE *f, enum style s);           /* "" unless f is a terminal that wants colours */
int out_finish(int status);                         /* closes standard output; a full disk makes it EXIT_FAILED */

struct text { /* short results by value: human_bytes(n).s */
	char s[48];
};
struct text human_bytes(uint64_t n);                /* "16.06 GB", powers of 1000 */
struct text human_count(uint64_t n);                /* "8.03 B" */
struct text human_time(double seconds);             /* "1:02:03", "0:09" */
struct text human_dims(const uint64_t *dim, int rank); /* "4096 x 14336", outermost first */

/* Text from a file, made safe for a terminal: control bytes, broken UTF-8 and direction marks are escaped. Returns the
 * columns it takes; f may be NULL to only measure. */
size_t safe_put(FILE *f, const char *s, size_t n);
size_t safe_puts(FILE *f, const char *s);
int print_whole(char *text, const struct heft_err *err); /* to standard output, and frees it; NULL: fails with err. Returns the exit status */
/* Bytes of the UTF-8 character at s (n > 0), its number in *c; 0 where the bytes are not one. */
size_t safe_decode(const char *s, size_t n, uint32_t *c);
/* Characters that steer a terminal or turn the reading direction, so that a name would show as another. */
bool safe_steers(uint32_t c);
/* Bytes of the character at s; 0 where they are not one that is safe to print. */
size_t safe_char(const char *s, size_t n);

/* A table: cells added row by row, columns as wide as needed, cells made safe. */
struct table {
	const char *align;     /* one letter per column: l or r */
	char **cell;
	size_t n;
	size_t columns;
};
void table_init(struct table *t, const char *align, const char *const head[]);
__attribute__((format(printf, 2, 3)))
void table_add(struct table *t, const char *fmt, ...); /* one cell */
void table_print(struct table *t, FILE *f, int indent); /* prints and releases; the head is dim */

/* ---- JSON (emit.c) --------------------------------------------------------------------------------------------- */

/* A small writer. key is NULL inside arrays. Values that JSON cannot hold (infinity, NaN) become null. */
struct emitter {
	FILE *f;
	int depth;
	bool comma;
	bool line;    /* everything on one line */
};
void emit_open(struct emitter *w, const char *key, char bracket); /* '{' or '[' */
void emit_close(struct emitter *w, char bracket);
void emit_text(struct emitter *w, const char *key, const char *s); /* NULL: null */
void emit_bytes(struct emitter *w, const char *key, struct heft_str s);
void emit_number(struct emitter *w, const char *key, uint64_t n);
void emit_integer(struct emitter *w, const char *key, int64_t n);
void emit_real(struct emitter *w, const char *key, double x);
void emit_flag(struct emitter *w, const char *key, bool b);
void emit_dims(struct emitter *w, const char *key, const uint64_t *dim, int rank);
void emit_report(struct emitter *w, const char *tool); /* opens {"schema": 1, "tool": ... on standard output */
void emit_report_to(struct emitter *w, FILE *f, const char *tool);
void emit_report_end(struct emitter *w);

/* ---- values and errors (value.c) ------------------------------------------------------------------------------- */

const char *show_type(const struct heft_value *v);   /* "u32", "string" */
void show_value(FILE *f, const struct heft_value *v, size_t limit); /* limit elements, limit * 10 bytes of a text */
void emit_metadata(struct emitter *w, const struct heft_kv *kv, size_t n, bool full);
void emit_error(struct emitter *w, const char *key, const struct heft_error *e);
struct text show_relative(const struct heft_error *e);
struct text show_sqnr(const struct heft_error *e);

/* ---- files beside the output (file.c) -------------------------------------------------------------------------- */

struct side_file {
	const char *path;
	char *temp;           /* NULL: not open */
	FILE *f;
};
int side_open(struct side_file *s, const char *path, struct heft_err *err);  /* a temporary beside path */
int side_close(struct side_file *s, struct heft_err *err);                   /* synced, renamed to path; else removed */
void side_abandon(struct side_file *s);                                      /* removes it; nothing where it is not open */
char *text_read(const char *path, struct heft_err *err);                     /* a file of at most 1 MiB, ended by a NUL: free() it; or NULL */

/* ---- progress (progress.c) ------------------------------------------------------------------------------------- */

enum progress_mode { PROGRESS_NONE, PROGRESS_LINE, PROGRESS_JSON };
struct progress {
	enum progress_mode mode;
	const char *doing; /* in front of the line; NULL: nothing */
	bool drawn;
	double seconds, rate; /* of the last call; smoothed bytes per second */
	uint64_t done;
};
/* mode: "auto" (NULL): a line where standard error is a terminal; "json"; "none". quiet leaves only JSON. */
void progress_begin(struct progress *p, const char *mode, bool quiet);
void progress_step(void *ctx, const struct heft_progress *now);       /* for heft_run_options.progress */
void progress_end(struct progress *p);                                /* wipes the line */
void quit_on_signals(void); /* SIGINT, SIGTERM and SIGHUP end the program with a line and EXIT_FAILED from now on */
const volatile int *stop_on_signals(void); /* now they set it; a second one kills */

#endif
