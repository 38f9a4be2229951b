/*
 * pickle.c - runs pickles without the parts that do anything: reads opcodes, keeps stack, marks and memo.
 *
 *	+---------+------------------+---------+---------- - -
 *	| opcode  | argument, if any | opcode  | argument      each acts on a stack of values, with marks in it, and on a memo of values
 *	+---------+------------------+---------+---------- - -
 *
 * Refuses what Python refuses: an empty stack, no mark, opcodes that nobody gave out, an end without STOP.
 */
#include "pickle_machine.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int (machine_broken)(struct machine *m, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return heft_fail(m->err, HEFT_E_HEADER, "%s: the pickle is broken at byte %" PRIu64 " (%s): %s", m->name, m->op_at,
			 m->op ? m->op->name : "no opcode", text);
}

/* ---- bytes ---- */

static int fill(struct machine *m)
{
	uint64_t left = m->end - m->at;
	size_t want = left < WINDOW ? (size_t)left : WINDOW;

	if (!want)
		return heft_fail(m->err, HEFT_E_TRUNCATED, "%s: the pickle ends at byte %" PRIu64 " without a STOP", m->name,
				 m->at - m->begin);
	if (source_read(m->src, m->at, m->window, want, m->err))
		return -1;
	m->window_at = m->at;
	m->window_n = want;
	return 0;
}

int machine_take(struct machine *m, void *to, size_t n)
{
	uint8_t *p = to;

	for (size_t part; n; n -= part, p += part, m->at += part) {
		if (m->at - m->window_at >= m->window_n && fill(m))
			return -1;
		part = m->window_n - (size_t)(m->at - m->window_at);
		part = part < n ? part : n;
		memcpy(p, m->window + (m->at - m->window_at), part);
	}
	return 0;
}

/* A little-endian number of n bytes */
int machine_take_number(struct machine *m, size_t n, uint64_t *out)
{
	uint8_t b[8];

	*out = 0;
	if (machine_take(m, b, n))
		return -1;
	while (n--)
		*out = *out << 8 | b[n];
	return 0;
}

/* Up to a line feed, which is not part of it */
int machine_take_line(struct machine *m, char **out, size_t *n)
{
	size_t cap = 0;
	char *line = NULL;

	for (*n = 0;; ++*n) {
		if (*n == LINE_MAX_BYTES)
			return machine_broken(m, "a line of more than %d bytes", LINE_MAX_BYTES);
		line = arena_grow(m->arena, line, &cap, *n + 1, 1);
		if (machine_take(m, line + *n, 1))
			return -1;
		if (line[*n] == '\n')
			break;
	}
	line[*n] = 0;
	*out = line;
	return 0;
}

/* ---- values ---- */

struct pickle_value *machine_value(struct machine *m, enum pickle_kind kind)
{
	struct pickle_value *v = arena_alloc(m->arena, sizeof *v);

	v->kind = kind;
	if (kind == PICKLE_TUPLE || kind == PICKLE_LIST || kind == PICKLE_SET || kind == PICKLE_DICT)
		v->list = arena_alloc(m->arena, sizeof *v->list);
	return v;
}

int machine_push(struct machine *m, struct pickle_value *v)
{
	m->stack = arena_grow(m->arena, m->stack, &m->cap, m->n + 1, sizeof *m->stack);
	m->stack[m->n++] = v;
	return 0;
}

size_t machine_floor_of(const struct machine *m)
{
	return m->n_marks ? m->mark[m->n_marks - 1] : 0;
}

struct pickle_value *machine_pop(struct machine *m)
{
	if (m->n > machine_floor_of(m))
		return m->stack[--m->n];
	machine_broken(m, "the stack is empty");
	return NULL;
}

struct pickle_value *machine_top(struct machine *m)
{
	struct pickle_value *v = machine_pop(m);

	m->n += v != NULL;
	return v;
}

void machine_append(struct machine *m, struct pickle_list *l, struct pickle_value *const *v, size_t n)
{
	if (!n)
		return;
	l->v = arena_grow(m->arena, l->v, &l->cap, l->n + n, sizeof *l->v);
	memcpy(l->v + l->n, v, n * sizeof *v);
	l->n += n;
}

/* The values behind the last mark, which goes: they stay in the stack's memory until the next push. */
int machine_pop_mark(struct machine *m, struct pickle_value ***v, size_t *n)
{
	size_t height;

	if (!m->n_marks)
		return machine_broken(m, "there is no mark");
	height = m->mark[--m->n_marks];
	*v = m->stack + height;
	*n = m->n - height;
	m->n = height;
	return 0;
}

/* As many as the tuple's opcode says, or (0) up to the mark */
int machine_pop_some(struct machine *m, int how, struct pickle_value ***v, size_t *n)
{
	if (!how)
		return machine_pop_mark(m, v, n);
	if (m->n - machine_floor_of(m) < (size_t)how)
		return machine_broken(m, "the stack is empty");
	m->n -= (size_t)how;
	*v = m->stack + m->n;
	*n = (size_t)how;
	return 0;
}

int machine_push_int(struct machine *m, int64_t i)
{
	struct pickle_value *v = machine_value(m, PICKLE_INT);

	v->i = i;
	return machine_push(m, v);
}

int machine_push_string(struct machine *m, enum pickle_kind kind, const char *p, size_t n)
{
	struct pickle_value *v = machine_value(m, kind);

	v->s = (struct heft_str){ p, n };
	return machine_push(m, v);
}

static int run(struct machine *m)
{
	for (;;) {
		uint8_t code;

		m->op_at = m->at - m->begin;
		m->op = NULL;
		if (machine_take(m, &code, 1))
			return -1;
		m->op = &pickle_opcodes[code];
		if (!m->op->name) {
			m->op = NULL;
			return machine_broken(m, "0x%02x is no opcode", code);
		}
		if (!m->op->run)
			break;
		if (m->op->run(m, m->op->how))
			return -1;
	}
	m->out->root = machine_pop(m);
	m->out->size = m->at - m->begin;
	return m->out->root ? 0 : -1;
}

int pickle_read(struct pickle *out, struct source *src, uint64_t begin, uint64_t end, const char *name, struct arena *a,
		struct heft_err *err)
{
	struct machine *m = arena_alloc(a, sizeof *m);

	*out = (struct pickle){ 0 };
	*m = (struct machine){ .src = src, .begin = begin, .at = begin, .end = end, .out = out, .name = name, .arena = a, .err = err };
	m->stack = arena_grow(a, NULL, &m->cap, 1, sizeof *m->stack);
	return run(m);
}

/* ---- looking at values ---- */

static bool is_text(const struct pickle_value *v)
{
	return v->kind == PICKLE_STR || v->kind == PICKLE_BYTES;
}

bool pickle_is(const struct pickle_value *v, const char *text)
{
	return v && is_text(v) && v->s.n == strlen(text) && !memcmp(v->s.p, text, v->s.n);
}

const struct pickle_value *pickle_at(const struct pickle_value *v, size_t i)
{
	return v && (v->kind == PICKLE_TUPLE || v->kind == PICKLE_LIST) && i < v->list->n ? v->list->v[i] : NULL;
}

struct pickle_value *pickle_get(const struct pickle_value *dict, const char *key)
{
	const struct pickle_list *l = !dict ? NULL : dict->kind == PICKLE_DICT ? dict->list :
				      dict->kind == PICKLE_OBJECT ? &dict->object->items : NULL;

	for (size_t i = l ? l->n / 2 : 0; i--;)
		if (pickle_is(l->v[2 * i], key))
			return l->v[2 * i + 1];
	return NULL;
}

bool pickle_uint(const struct pickle_value *v, uint64_t *out)
{
	if (!v || v->kind != PICKLE_INT || v->i < 0)
		return false;
	*out = (uint64_t)v->i;
	return true;
}
