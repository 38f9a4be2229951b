/*
 * pickle_machine.h - the stack machine that pickles are programs for: pickle.c runs it, pickle_ops.c has its opcodes.
 */
#ifndef FORMATS_PICKLE_MACHINE_H
#define FORMATS_PICKLE_MACHINE_H

#include "pickle.h"

enum { WINDOW = 16 * 1024, KEPT_MAX = 1 << 20, LINE_MAX_BYTES = 64 * 1024, LAST_PROTOCOL = 5 };

struct machine {
	struct source *src;
	uint64_t begin, at, end;
	uint8_t window[WINDOW];
	uint64_t window_at;
	size_t window_n;
	uint64_t op_at; /* of the running opcode, from begin */
	const struct opcode *op;
	struct pickle_value **stack;
	size_t n, cap;
	size_t *mark; /* heights of the stack */
	size_t n_marks, mark_cap;
	struct pickle_value **memo;
	size_t n_memo, memo_cap;
	struct pickle *out;
	const char *name;
	struct arena *arena;
	struct heft_err *err;
};

/* Argument: what the handler's rows tell apart */
struct opcode {
	const char *name;
	int (*run)(struct machine *m, int how);
	int how;
};

extern const struct opcode pickle_opcodes[256]; /* name NULL: there is none; run NULL: the end */

/* Says where the pickle is broken, and returns -1. */
int machine_broken(struct machine *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#define machine_broken(...) heft_minus_one((machine_broken)(__VA_ARGS__))

int machine_take(struct machine *m, void *to, size_t n);
int machine_take_number(struct machine *m, size_t n, uint64_t *out); /* little-endian, n bytes */
int machine_take_line(struct machine *m, char **out, size_t *n);     /* up to a line feed, which is not part of it */

struct pickle_value *machine_value(struct machine *m, enum pickle_kind kind);
int machine_push(struct machine *m, struct pickle_value *v);
int machine_push_int(struct machine *m, int64_t i);
int machine_push_string(struct machine *m, enum pickle_kind kind, const char *p, size_t n);
size_t machine_floor_of(const struct machine *m);        /* where the last mark is */
struct pickle_value *machine_pop(struct machine *m);     /* NULL: told */
struct pickle_value *machine_top(struct machine *m);     /* stays there */
/* The values behind the last mark, which goes: they stay in the stack's memory until the next push. */
int machine_pop_mark(struct machine *m, struct pickle_value ***v, size_t *n);
/* As many as `how` says, or (0) up to the mark */
int machine_pop_some(struct machine *m, int how, struct pickle_value ***v, size_t *n);
void machine_append(struct machine *m, struct pickle_list *l, struct pickle_value *const *v, size_t n);

#endif
