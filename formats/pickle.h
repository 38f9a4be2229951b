/*
 * pickle.h - reads Python pickles, protocols 0 to 5, as data. Nothing is imported, looked up or called: a function or class that a pickle
 * names is a name here, a call is a record of what would have been called with what. Whoever reads the records decides what they mean.
 *
 * Everything lies in the arena and takes memory in proportion to the bytes read: an opcode makes at most one value, strings are as long
 * as their bytes, memo indices and marks are bounded by the bytes before them. Values may be shared, and contain themselves: whoever
 * walks them must not come back to one (`seen` is for that). Equal constants are one value.
 */
#ifndef FORMATS_PICKLE_H
#define FORMATS_PICKLE_H

#include "../base/arena.h"
#include "../base/err.h"
#include "../base/source.h"

enum pickle_kind {
	PICKLE_NONE,
	PICKLE_BOOL,
	PICKLE_INT,
	PICKLE_FLOAT,
	PICKLE_STR,
	PICKLE_BYTES,      /* also integers that need more than 64 bits: little-endian, two's complement */
	PICKLE_SKIPPED,    /* text or bytes too long to be a name, which are not kept */
	PICKLE_TUPLE,
	PICKLE_LIST,
	PICKLE_SET,
	PICKLE_DICT,       /* key, value, key, value ... */
	PICKLE_GLOBAL,
	PICKLE_PERSISTENT, /* what lies outside of the pickle */
	PICKLE_OBJECT,
};

struct pickle_value;

struct pickle_list {
	struct pickle_value **v;
	size_t n, cap;
};

/* A function or class, by its name */
struct pickle_global {
	const char *module, *name;
	uint64_t offset;    /* of the opcode, from where the pickle begins */
	const char *opcode; /* "STACK_GLOBAL" */
	bool called;        /* reading the pickle as Python does would call it */
};

struct pickle_object { /* what a call would have given, and what it would have been changed to */
	struct pickle_value *callee, *args;
	struct pickle_value *state;         /* NULL: none was set */
	struct pickle_list items, appended; /* items: key, value ... */
};

struct pickle_value {
	enum pickle_kind kind;
	unsigned seen; /* round of the last walk that came by */
	union {
		bool b;
		int64_t i;
		double f;
		struct heft_str s;
		struct pickle_list *list;
		struct pickle_global *global;
		struct pickle_value *id; /* of what lies outside */
		struct pickle_object *object;
	};
};

struct pickle {
	struct pickle_value *root;
	struct pickle_global **global; /* every mention, in the order of the bytes */
	size_t n_globals, cap;
	struct pickle_list persistent; /* every PICKLE_PERSISTENT */
	uint64_t size;                 /* bytes up to and with STOP */
};

/* Reads the pickle that begins at `begin` and ends at or before `end`. `name` is for messages. Where it fails, *out holds the globals that
 * stood before. */
int pickle_read(struct pickle *out, struct source *src, uint64_t begin, uint64_t end, const char *name, struct arena *a,
		struct heft_err *err);

bool pickle_is(const struct pickle_value *v, const char *text); /* this string, as text or as Python 2's bytes */
/* An item of a tuple or list; NULL where there is none */
const struct pickle_value *pickle_at(const struct pickle_value *v, size_t i);
/* The value of a text key in a dict, or among the items of an object; NULL where there is none. The last of equal keys counts. */
struct pickle_value *pickle_get(const struct pickle_value *dict, const char *key);
bool pickle_uint(const struct pickle_value *v, uint64_t *out); /* an integer that is not negative */

#endif
