/*
 * pickle_ops.c - what each opcode does to the stack. The opcodes are those of Python's pickletools, protocols 0 to 5; where Python looks a
 * name up, calls or sets a state, a value is made that says so.
 *
 * Refuses items set in what is no container, memo indices beyond what was stored, buffers from outside of the file.
 */
#include "pickle_machine.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static struct pickle_value none = { .kind = PICKLE_NONE };
static struct pickle_value truth[2] = { { .kind = PICKLE_BOOL, .b = false }, { .kind = PICKLE_BOOL, .b = true } };

/* ---- opcodes: constants ---- */

static int do_none(struct machine *m, int how)
{
	return machine_push(m, &none);
}

static int do_bool(struct machine *m, int how)
{
	return machine_push(m, &truth[how]);
}

/* how: bytes; negative: signed */
static int do_binint(struct machine *m, int how)
{
	uint64_t u;

	if (machine_take_number(m, (size_t)(how < 0 ? -how : how), &u))
		return -1;
	return machine_push_int(m, how < 0 ? (int32_t)(uint32_t)u : (int64_t)u);
}

static int do_binfloat(struct machine *m, int how)
{
	struct pickle_value *v = machine_value(m, PICKLE_FLOAT);
	uint64_t u;

	if (machine_take_number(m, 8, &u))
		return -1;
	u = __builtin_bswap64(u);
	memcpy(&v->f, &u, sizeof u);
	return machine_push(m, v);
}

/* "12\n", "12L\n", and 00 and 01 for the truth */
static int do_line_int(struct machine *m, int how)
{
	char *line, *end;
	size_t n;
	int64_t i;

	if (machine_take_line(m, &line, &n))
		return -1;
	if (n == 2 && line[0] == '0' && (line[1] == '0' || line[1] == '1'))
		return machine_push(m, &truth[line[1] == '1']);
	i = strtoll(line, &end, 10);
	if (!n || end == line || (*end && strcmp(end, "L")))
		return machine_broken(m, "'%.40s' is no integer", line);
	return machine_push_int(m, i);
}

static int do_line_float(struct machine *m, int how)
{
	struct pickle_value *v = machine_value(m, PICKLE_FLOAT);
	char *line;
	size_t n;

	if (machine_take_line(m, &line, &n))
		return -1;
	v->f = strtod(line, NULL);
	return machine_push(m, v);
}

/* how: bytes of the length. The kept ones are names, keys and small numbers; longer ones are passed over. */
static int take_string(struct machine *m, int how, enum pickle_kind kind)
{
	struct pickle_value *skipped;
	uint64_t n;
	char *p;

	if (machine_take_number(m, (size_t)how, &n))
		return -1;
	if (n > m->end - m->at)
		return heft_fail(m->err, HEFT_E_TRUNCATED, "%s: %s at byte %" PRIu64 " wants %" PRIu64 " bytes, %" PRIu64 " are left", m->name,
				 m->op->name, m->op_at, n, m->end - m->at);
	if (n > KEPT_MAX) {
		m->at += n;
		skipped = machine_value(m, PICKLE_SKIPPED);
		return machine_push(m, skipped);
	}
	p = arena_alloc(m->arena, (size_t)n + 1);
	return machine_take(m, p, (size_t)n) ? -1 : machine_push_string(m, kind, p, (size_t)n);
}

static int do_text(struct machine *m, int how)
{
	return take_string(m, how, PICKLE_STR);
}

static int do_bytes(struct machine *m, int how)
{
	return take_string(m, how, PICKLE_BYTES);
}

/* Integers of any length: what fits 64 bits becomes a number. */
static int do_long(struct machine *m, int how)
{
	struct pickle_value *v;
	const uint8_t *p;
	uint64_t u;

	if (take_string(m, how, PICKLE_BYTES))
		return -1;
	v = m->stack[m->n - 1];
	if (v->kind != PICKLE_BYTES || v->s.n > 8)
		return 0;
	p = (const uint8_t *)v->s.p;
	u = v->s.n && p[v->s.n - 1] & 0x80 ? UINT64_MAX : 0;
	for (size_t i = v->s.n; i--;)
		u = u << 8 | p[i];
	m->n--;
	return machine_push_int(m, (int64_t)u);
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Puts `\xHH` and `\\`, `\'`, `\"` for the bytes they stand for; in place. Other escapes stay as they are: no name has them. */
static size_t unescape(char *s, size_t n)
{
	size_t out = 0;

	for (size_t i = 0; i < n; i++) {
		bool hex = s[i] == '\\' && n - i > 3 && s[i + 1] == 'x';
		int high = hex ? hex_digit(s[i + 2]) : -1, low = hex ? hex_digit(s[i + 3]) : -1;

		if (high >= 0 && low >= 0) {
			s[out++] = (char)(high * 16 + low);
			i += 3;
		} else {
			i += s[i] == '\\' && i + 1 < n && memchr("\\'\"", s[i + 1], 3);
			s[out++] = s[i];
		}
	}
	s[out] = 0;
	return out;
}

/* how: 1: in quotes, as Python 2 writes a string; 0: a line of text */
static int do_line_text(struct machine *m, int how)
{
	char *line;
	size_t n;

	if (machine_take_line(m, &line, &n))
		return -1;
	if (!how)
		return machine_push_string(m, PICKLE_STR, line, n);
	if (n < 2 || line[0] != line[n - 1] || !memchr("'\"", line[0], 2))
		return machine_broken(m, "a string without its quotes");
	return machine_push_string(m, PICKLE_BYTES, line + 1, unescape(line + 1, n - 2));
}

/* ---- opcodes: containers ---- */

static int do_empty(struct machine *m, int how)
{
	return machine_push(m, machine_value(m, (enum pickle_kind)how));
}

static int do_mark(struct machine *m, int how)
{
	m->mark = arena_grow(m->arena, m->mark, &m->mark_cap, m->n_marks + 1, sizeof *m->mark);
	m->mark[m->n_marks++] = m->n;
	return 0;
}

static int do_tuple(struct machine *m, int how)
{
	struct pickle_value **v, *t;
	size_t n;

	if (machine_pop_some(m, how, &v, &n))
		return -1;
	t = machine_value(m, PICKLE_TUPLE);
	machine_append(m, t->list, v, n);
	return machine_push(m, t);
}

/* LIST, DICT, FROZENSET: of what stands behind the mark */
static int do_gather(struct machine *m, int how)
{
	struct pickle_value **v, *t;
	size_t n;

	if (machine_pop_mark(m, &v, &n))
		return -1;
	if (how == PICKLE_DICT && n % 2)
		return machine_broken(m, "a key without a value");
	t = machine_value(m, (enum pickle_kind)how);
	machine_append(m, t->list, v, n);
	return machine_push(m, t);
}

/* Where items of this kind go in v; NULL: nowhere */
static struct pickle_list *items_of(struct pickle_value *v, enum pickle_kind kind)
{
	if (v->kind == kind)
		return v->list;
	if (v->kind != PICKLE_OBJECT)
		return NULL;
	return kind == PICKLE_DICT ? &v->object->items : &v->object->appended;
}

static int add_items(struct machine *m, enum pickle_kind kind, struct pickle_value **v, size_t n)
{
	struct pickle_value *to = machine_top(m);
	struct pickle_list *l = to ? items_of(to, kind) : NULL;

	if (!to)
		return -1;
	if (!l)
		return machine_broken(m, "items are set in what is no container");
	if (kind == PICKLE_DICT && n % 2)
		return machine_broken(m, "a key without a value");
	machine_append(m, l, v, n);
	return 0;
}

/* APPEND, SETITEM: as many values as the kind needs */
static int do_add(struct machine *m, int how)
{
	struct pickle_value **v;
	size_t n;

	return machine_pop_some(m, how == PICKLE_DICT ? 2 : 1, &v, &n) || add_items(m, (enum pickle_kind)how, v, n) ? -1 : 0;
}

/* APPENDS, SETITEMS, ADDITEMS: those behind the mark */
static int do_add_marked(struct machine *m, int how)
{
	struct pickle_value **v;
	size_t n;

	return machine_pop_mark(m, &v, &n) || add_items(m, (enum pickle_kind)how, v, n) ? -1 : 0;
}

/* ---- opcodes: the stack and the memo ---- */

static int do_pop(struct machine *m, int how)
{
	if (m->n_marks && m->n == machine_floor_of(m)) {
		m->n_marks--;
		return 0;
	}
	return machine_pop(m) ? 0 : -1;
}

static int do_pop_mark(struct machine *m, int how)
{
	struct pickle_value **v;
	size_t n;

	return machine_pop_mark(m, &v, &n);
}

static int do_dup(struct machine *m, int how)
{
	struct pickle_value *v = machine_top(m);

	return v ? machine_push(m, v) : -1;
}

/* how: bytes of the index; 0: a line */
static int take_index(struct machine *m, int how, uint64_t *out)
{
	char *line, *end;
	size_t n;

	if (how)
		return machine_take_number(m, (size_t)how, out);
	if (machine_take_line(m, &line, &n))
		return -1;
	*out = strtoull(line, &end, 10);
	return *end || line == end || *line == '-' ? machine_broken(m, "'%.40s' is no memo index", line) : 0;
}

static int store(struct machine *m, uint64_t i)
{
	struct pickle_value *v = machine_top(m);

	if (!v)
		return -1;
	if (i > m->at - m->begin) /* a writer counts them up: each took bytes */
		return machine_broken(m, "memo index %" PRIu64 " after so few bytes", i);
	m->memo = arena_grow(m->arena, m->memo, &m->memo_cap, (size_t)i + 1, sizeof *m->memo);
	m->memo[i] = v;
	m->n_memo = m->n_memo > i ? m->n_memo : (size_t)i + 1;
	return 0;
}

static int do_put(struct machine *m, int how)
{
	uint64_t i;

	return take_index(m, how, &i) || store(m, i) ? -1 : 0;
}

static int do_memoize(struct machine *m, int how)
{
	return store(m, m->n_memo);
}

static int do_get(struct machine *m, int how)
{
	uint64_t i;

	if (take_index(m, how, &i))
		return -1;
	if (i >= m->n_memo || !m->memo[i])
		return machine_broken(m, "nothing was stored as memo %" PRIu64, i);
	return machine_push(m, m->memo[i]);
}

/* ---- opcodes: what Python would look up and call ---- */

static int name_global(struct machine *m, const struct heft_str *module, const struct heft_str *name)
{
	struct pickle_value *v = machine_value(m, PICKLE_GLOBAL);
	struct pickle *p = m->out;

	if (memchr(module->p, 0, module->n) || memchr(name->p, 0, name->n))
		return machine_broken(m, "a NUL inside the name of a function or class");
	v->global = arena_alloc(m->arena, sizeof *v->global);
	*v->global = (struct pickle_global){
		.module = module->p, .name = name->p, .offset = m->op_at, .opcode = m->op->name };
	p->global = arena_grow(m->arena, p->global, &p->cap, p->n_globals + 1, sizeof(*p->global));
	p->global[p->n_globals++] = v->global;
	return machine_push(m, v);
}

static int do_global(struct machine *m, int how)
{
	char *module, *name;
	size_t n_module, n_name;

	if (machine_take_line(m, &module, &n_module) || machine_take_line(m, &name, &n_name))
		return -1;
	return name_global(m, &(struct heft_str){ module, n_module }, &(struct heft_str){ name, n_name });
}

static bool is_text(const struct pickle_value *v)
{
	return v->kind == PICKLE_STR || v->kind == PICKLE_BYTES;
}

static int do_stack_global(struct machine *m, int how)
{
	struct pickle_value *name = machine_pop(m), *module = name ? machine_pop(m) : NULL;

	if (!module)
		return -1;
	if (!is_text(name) || !is_text(module))
		return machine_broken(m, "the name of a function or class is no text");
	return name_global(m, &module->s, &name->s);
}

/* The extension registry: numbers for names that only the writer's Python knew */
static int do_extension(struct machine *m, int how)
{
	struct heft_str module = { "copyreg", 7 }, name;
	uint64_t code;

	if (machine_take_number(m, (size_t)how, &code))
		return -1;
	name.p = arena_printf(m->arena, "extension %" PRIu64, code);
	name.n = strlen(name.p);
	return name_global(m, &module, &name);
}

static int push_object(struct machine *m, struct pickle_value *callee, struct pickle_value *args)
{
	struct pickle_value *v = machine_value(m, PICKLE_OBJECT);

	v->object = arena_alloc(m->arena, sizeof *v->object);
	v->object->callee = callee;
	v->object->args = args;
	if (callee->kind == PICKLE_GLOBAL)
		callee->global->called = true;
	return machine_push(m, v);
}

/* REDUCE, NEWOBJ, NEWOBJ_EX; how: values above the callee */
static int do_call(struct machine *m, int how)
{
	struct pickle_value **v;
	size_t n;

	if (machine_pop_some(m, how + 1, &v, &n))
		return -1;
	return push_object(m, v[0], v[1]);
}

/* INST: the class stands in two lines, OBJ: behind the mark; then its arguments */
static int do_instance(struct machine *m, int how)
{
	struct pickle_value **v, *callee, *args = machine_value(m, PICKLE_TUPLE);
	size_t n;

	if (how && do_global(m, 0))
		return -1;
	callee = how ? machine_pop(m) : NULL;
	if ((how && !callee) || machine_pop_mark(m, &v, &n))
		return -1;
	if (!callee && !n)
		return machine_broken(m, "there is no class behind the mark");
	callee = callee ? callee : v[0];
	machine_append(m, args->list, v + !how, n - !how);
	return push_object(m, callee, args);
}

static int do_build(struct machine *m, int how)
{
	struct pickle_value *state = machine_pop(m), *v = state ? machine_top(m) : NULL;

	if (!v)
		return -1;
	if (v->kind != PICKLE_OBJECT)
		return machine_broken(m, "a state is set in what is no object");
	v->object->state = state;
	return 0;
}

static int push_persistent(struct machine *m, struct pickle_value *id)
{
	struct pickle_value *v = machine_value(m, PICKLE_PERSISTENT);

	v->id = id;
	machine_append(m, &m->out->persistent, &v, 1);
	return machine_push(m, v);
}

/* how: 1: the id is on the stack; 0: in a line */
static int do_persistent(struct machine *m, int how)
{
	struct pickle_value *id;

	if (!how && do_line_text(m, 0))
		return -1;
	id = machine_pop(m);
	return id ? push_persistent(m, id) : -1;
}

/* ---- opcodes: framing ---- */

static int do_proto(struct machine *m, int how)
{
	uint64_t version;

	if (machine_take_number(m, 1, &version))
		return -1;
	return version > LAST_PROTOCOL ? machine_broken(m, "protocol %" PRIu64 " is not known", version) : 0;
}

/* Frames say how much may be read at once; what they hold is read all the same. */
static int do_frame(struct machine *m, int how)
{
	uint64_t n;

	if (machine_take_number(m, 8, &n))
		return -1;
	return n > m->end - m->at ? machine_broken(m, "a frame of %" PRIu64 " bytes, %" PRIu64 " are left", n, m->end - m->at) : 0;
}

static int do_buffer(struct machine *m, int how)
{
	return machine_broken(m, "a buffer that lies outside of the file");
}

const struct opcode pickle_opcodes[256] = {
	['('] = { "MARK", do_mark, 0 },
	['.'] = { "STOP", NULL, 0 },
	['0'] = { "POP", do_pop, 0 },
	['1'] = { "POP_MARK", do_pop_mark, 0 },
	['2'] = { "DUP", do_dup, 0 },
	['B'] = { "BINBYTES", do_bytes, 4 },
	['C'] = { "SHORT_BINBYTES", do_bytes, 1 },
	['F'] = { "FLOAT", do_line_float, 0 },
	['G'] = { "BINFLOAT", do_binfloat, 0 },
	['I'] = { "INT", do_line_int, 0 },
	['J'] = { "BININT", do_binint, -4 },
	['K'] = { "BININT1", do_binint, 1 },
	['L'] = { "LONG", do_line_int, 0 },
	['M'] = { "BININT2", do_binint, 2 },
	['N'] = { "NONE", do_none, 0 },
	['P'] = { "PERSID", do_persistent, 0 },
	['Q'] = { "BINPERSID", do_persistent, 1 },
	['R'] = { "REDUCE", do_call, 1 },
	['S'] = { "STRING", do_line_text, 1 },
	['T'] = { "BINSTRING", do_bytes, 4 },
	['U'] = { "SHORT_BINSTRING", do_bytes, 1 },
	['V'] = { "UNICODE", do_line_text, 0 },
	['X'] = { "BINUNICODE", do_text, 4 },
	[']'] = { "EMPTY_LIST", do_empty, PICKLE_LIST },
	['a'] = { "APPEND", do_add, PICKLE_LIST },
	['b'] = { "BUILD", do_build, 0 },
	['c'] = { "GLOBAL", do_global, 0 },
	['d'] = { "DICT", do_gather, PICKLE_DICT },
	['e'] = { "APPENDS", do_add_marked, PICKLE_LIST },
	['g'] = { "GET", do_get, 0 },
	['h'] = { "BINGET", do_get, 1 },
	['i'] = { "INST", do_instance, 1 },
	['j'] = { "LONG_BINGET", do_get, 4 },
	['l'] = { "LIST", do_gather, PICKLE_LIST },
	['o'] = { "OBJ", do_instance, 0 },
	['p'] = { "PUT", do_put, 0 },
	['q'] = { "BINPUT", do_put, 1 },
	['r'] = { "LONG_BINPUT", do_put, 4 },
	['s'] = { "SETITEM", do_add, PICKLE_DICT },
	['t'] = { "TUPLE", do_tuple, 0 },
	['u'] = { "SETITEMS", do_add_marked, PICKLE_DICT },
	[')'] = { "EMPTY_TUPLE", do_empty, PICKLE_TUPLE },
	['}'] = { "EMPTY_DICT", do_empty, PICKLE_DICT },
	[0x80] = { "PROTO", do_proto, 0 },
	[0x81] = { "NEWOBJ", do_call, 1 },
	[0x82] = { "EXT1", do_extension, 1 },
	[0x83] = { "EXT2", do_extension, 2 },
	[0x84] = { "EXT4", do_extension, 4 },
	[0x85] = { "TUPLE1", do_tuple, 1 },
	[0x86] = { "TUPLE2", do_tuple, 2 },
	[0x87] = { "TUPLE3", do_tuple, 3 },
	[0x88] = { "NEWTRUE", do_bool, 1 },
	[0x89] = { "NEWFALSE", do_bool, 0 },
	[0x8a] = { "LONG1", do_long, 1 },
	[0x8b] = { "LONG4", do_long, 4 },
	[0x8c] = { "SHORT_BINUNICODE", do_text, 1 },
	[0x8d] = { "BINUNICODE8", do_text, 8 },
	[0x8e] = { "BINBYTES8", do_bytes, 8 },
	[0x8f] = { "EMPTY_SET", do_empty, PICKLE_SET },
	[0x90] = { "ADDITEMS", do_add_marked, PICKLE_SET },
	[0x91] = { "FROZENSET", do_gather, PICKLE_SET },
	[0x92] = { "NEWOBJ_EX", do_call, 2 },
	[0x93] = { "STACK_GLOBAL", do_stack_global, 0 },
	[0x94] = { "MEMOIZE", do_memoize, 0 },
	[0x95] = { "FRAME", do_frame, 0 },
	[0x96] = { "BYTEARRAY8", do_bytes, 8 },
	[0x97] = { "NEXT_BUFFER", do_buffer, 0 },
	[0x98] = { "READONLY_BUFFER", do_buffer, 0 },
};
