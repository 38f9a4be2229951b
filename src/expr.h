/*
 * expr.h - the expressions that families and recipes share: null, booleans, 64-bit integers, doubles, strings, lists
 * and objects; no loop but over a list; every evaluation ends.
 *
 * A text is compiled once to code for a stack machine, so that neither depth nor length of an expression is depth of
 * the C stack. Names are interned: a name is a number, and the one who evaluates (struct env) says what it stands for.
 */
#ifndef EXPR_H
#define EXPR_H

#include "../base/arena.h"
#include "../base/err.h"
#include "../base/json.h"
#include "../base/map.h"

/* ---- values ---------------------------------------------------------------------------------------------------- */

enum value_kind {
	V_NULL,
	V_BOOL,
	V_INT,
	V_NUM,
	V_STR,
	V_LIST,
	V_OBJECT,
	V_JSON /* a node that nobody looked at yet */
};

struct value {
	enum value_kind kind;
	union {
		bool b;
		int64_t i;
		double d;
		struct heft_str s;
		struct {
			const struct value *item;
			size_t n;
		} list;
		struct {
			const struct member *item;
			size_t n;
		} object;
		const struct json *json;
	};
};

struct member {
	struct heft_str key;
	struct value value;
};

struct value v_null(void);
struct value v_bool(bool b);
struct value v_int(int64_t i);
struct value v_num(double d);
struct value v_str(const char *s); /* borrows */
struct value v_json(const struct json *j, struct arena *a); /* one level is converted; NULL gives null */
struct value v_load(struct value v, struct arena *a);       /* the same for a V_JSON, else v itself */

bool v_truth(const struct value *v);      /* Python's: null, false, 0, "", [] are false */
bool v_as_int(const struct value *v, int64_t *out);
bool v_as_num(const struct value *v, double *out); /* an integer or a double */
bool v_equal(const struct value *a, const struct value *b); /* lists and objects never: env_equal looks into lists */
const struct value *v_member(const struct value *object, const char *key, size_t n); /* NULL where there is none */
const char *v_kind_name(enum value_kind k);
const char *v_show(
	const struct value *v, struct arena *a); /* for messages and templates: 12, 0.5, text without quotes */

/* ---- text -------------------------------------------------------------------------------------------------------- */

enum { EXPR_NAME_MAX = 128, EXPR_DEPTH = 64 };

/* One row of a file being read. Tokens are read on demand, so that a caller may take raw words (patterns) between
 * expressions. */
struct scan {
	const char *p;       /* next unread byte; the row ends in NUL */
	const char *file;
	int line;
	const char *row, *source; /* where the row begins; and its first line in the text as it was written, or NULL: then errors tell the column */
	struct heft_err *err;
	enum heft_code code; /* of syntax errors */
	struct arena *arena;
	struct symbols *symbols;
	const struct expr_fn *const *functions; /* NULL-terminated: tables, each ending in a NULL name */
	int depth;           /* brackets and the like that are open */
};

struct symbols { /* names of a file and its bases */
	struct map map;
	const char **name;
	size_t n, cap;
	struct arena *arena;
};
void symbols_init(struct symbols *s, struct arena *a);
void symbols_release(struct symbols *s); /* the map only: names lie in the arena */
int symbols_add(struct symbols *s, const char *name, size_t n);

/* The next row of a text: its lines joined in place, comments gone. Returns where reading goes on, NULL at the end. */
char *scan_row(char *text, int *line, char **row, int *row_line);
int scan_fail(struct scan *s, const char *fmt, ...) __attribute__((format(printf, 2, 3))); /* "FILE:LINE: ..." or "FILE:LINE:COLUMN: ..." */
#define scan_fail(...) heft_minus_one((scan_fail)(__VA_ARGS__))
void scan_blank(struct scan *s);                        /* skips blanks */
bool scan_end(struct scan *s);                          /* nothing but blanks is left */
bool scan_word(struct scan *s, const char *word);       /* takes this identifier, if it is next */
bool scan_mark(struct scan *s, const char *mark);       /* takes this punctuation, if it is next */
bool scan_name(struct scan *s, struct heft_str *out);   /* takes an identifier */
int scan_string(struct scan *s, struct heft_str *out);  /* 1 taken, 0 no string is next, -1 */

/* ---- code -------------------------------------------------------------------------------------------------------- */

/* The stack machine. Jumps go to instruction `to`. */
enum expr_op {
	X_CONST,    /* push constant a */
	X_NAME,     /* push the value of symbol a */
	X_HAS,      /* push whether symbol a is there */
	X_TRY,      /* symbol a is there: push its value and jump */
	X_JUMP,
	X_IF_FALSE, /* pop; jump where it was false */
	X_OR,       /* true: jump; else pop */
	X_AND,      /* false: jump; else pop */
	X_COALESCE, /* not null: jump; else pop */
	X_NOT,
	X_NEG,
	X_BINARY,   /* pop two, push: a is an enum expr_binary */
	X_MEMBER,   /* pop an object, push member (constant a) */
	X_INDEX,    /* pop index and list */
	X_CALL,     /* pop n, push what function a gives */
	X_LIST,     /* push an empty list with room for a */
	X_APPEND,   /* pop; append to the list below */
	X_EACH,     /* pop a list, begin a loop over it that binds symbol a; its body is at `to` */
	X_NEXT,     /* pop; append to the loop's result; go on at `to`, or end behind the X_EACH at a */
};
enum expr_binary {
	B_IN,
	B_EQ,
	B_NE,
	B_LT,
	B_LE,
	B_GT,
	B_GE,
	B_JOIN,
	B_ADD,
	B_SUB,
	B_MUL,
	B_DIV,
	B_FLOOR,
	B_MOD,
	B_POW
};

struct insn {
	uint8_t op, n;
	int32_t a, to;
};

struct expr {
	const struct insn *code;
	int n;
	const struct value *konst;
	const struct expr_fn *const *fn; /* functions that it calls */
	const char *file;
	int line;
	const char *text; /* as written */
};

struct expr *expr_parse(struct scan *s); /* NULL with an error told; leaves the scan behind the expression */

struct env;
struct expr_fn {
	const char *name; /* "len", "tensors.count" */
	int8_t min, max;  /* arguments; 0, 0: may stand without parentheses */
	int (*call)(struct env *e, const struct value *arg, int n, struct value *out);
};
extern const struct expr_fn expr_functions[]; /* those that need nothing but their arguments */

/* ---- evaluation -------------------------------------------------------------------------------------------------- */

struct binding {
	int symbol;
	struct value value;
};

enum { ENV_STACK = 1024, ENV_BINDINGS = 64, ENV_LETS = 64, ENV_LIST = 1 << 20 };

/* What names mean. Zero-initialise, then fill the first five. */
struct env {
	struct arena *arena;
	struct symbols *symbols;
	struct heft_err *err;
	uint64_t budget; /* steps and list elements that may still be spent: bounds time and memory */
	/* Value of a name that no binding has; *has: is it there at all (`a | b` and has() ask)? 0 or -1 with err. */
	int (*lookup)(struct env *e, int symbol, struct value *out, bool *has);
	void *ctx;
	/* Tells a failure at e->at in the words of those whose values these are; false: it has none. May be NULL. */
	bool (*blame)(struct env *e, const char *what);

	const struct expr *at; /* being evaluated, for messages */
	struct binding bind[ENV_BINDINGS]; /* captures and loop variables; the innermost wins */
	int n_bind, bind_base;
	struct value stack[ENV_STACK];
	int sp, lets;
	bool missing; /* the last error came of a null where a number was needed */
};

int env_fail(struct env *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#define env_fail(...) heft_minus_one((env_fail)(__VA_ARGS__))
int env_charge(struct env *e, uint64_t n);
int env_equal(struct env *e, const struct value *a, const struct value *b, bool *out); /* lists element by element; objects never */
int env_bind(struct env *e, int symbol, struct value v);
int expr_eval(struct env *e, const struct expr *x, struct value *out);
/* Evaluates with the bindings hidden: for lets and defaults, which stand outside of any row. */
int expr_eval_outside(struct env *e, const struct expr *x, struct value *out);
int expr_eval_bool(struct env *e, const struct expr *x, bool *out); /* x NULL: true */
int expr_eval_int(struct env *e, const struct expr *x, int64_t *out);

#endif
