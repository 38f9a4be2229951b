/* source_class.h - what the kinds of sources (source*.c) share. */
#ifndef BASE_SOURCE_CLASS_H
#define BASE_SOURCE_CLASS_H

#include "source.h"

struct source_class {
	bool stream;
	/* Up to n bytes: fewer only where the source ends. How many, or -1. */
	int64_t (*read)(struct source *s, uint64_t offset, void *buf, size_t n, struct heft_err *err);
	void (*release)(struct source *s, uint64_t offset); /* NULL: nothing to do */
	int64_t (*drain)(struct source *s, struct heft_err *err); /* NULL: nothing to do */
	struct source *(*stream_of)(struct source *s, uint64_t *begin); /* NULL: itself where `stream`, else none */
	void (*close)(struct source *s); /* frees what the kind has beyond the struct; NULL: nothing */
};

/* The first member of every kind's struct. */
struct source {
	const struct source_class *class;
	char *name;
	uint64_t size; /* UINT64_MAX: not known */
	struct source *made, *next; /* the list of those that close with it; the next in its owner's */
};

/* A zeroed struct of `bytes` that begins with a struct source. */
void *source_new(size_t bytes, const struct source_class *class, const char *name, uint64_t size);

#endif
