/*
 * arena.c - blocks of at least 64 KiB, freed together.
 */
#include "arena.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 64 * 1024, ALIGN = _Alignof(max_align_t) };

struct block {
	struct block *next;
	size_t used, cap;
	bool single; /* holds one array, and never another */
	_Alignas(max_align_t) unsigned char data[];
};

struct arena {
	struct block *head;
};

void out_of_memory(size_t n)
{
	fprintf(stderr, "heft: out of memory (%zu bytes)\n", n);
	exit(1);
}

void *xrealloc(void *p, size_t n)
{
	void *q = realloc(p, n ? n : 1);

	if (!q)
		out_of_memory(n);
	return q;
}

void *xmalloc(size_t n)
{
	return xrealloc(NULL, n);
}

struct arena *arena_new(void)
{
	struct arena *a = xmalloc(sizeof *a);

	a->head = NULL;
	return a;
}

void arena_free(struct arena *a)
{
	if (!a)
		return;
	for (struct block *b = a->head, *next; b; b = next) {
		next = b->next;
		free(b);
	}
	free(a);
}

static struct block *add_block(struct arena *a, size_t n)
{
	size_t cap = n > BLOCK ? n : BLOCK;
	struct block *b = calloc(1, sizeof *b + cap); /* zero pages cost nothing until they are touched */

	if (!b)
		out_of_memory(n);
	b->cap = cap;
	if (n > BLOCK / 4 && a->head) { /* keep filling the block that has room */
		b->single = true;
		b->next = a->head->next;
		a->head->next = b;
	} else {
		b->next = a->head;
		a->head = b;
	}
	return b;
}

void *arena_alloc(struct arena *a, size_t n)
{
	struct block *b = a->head;
	void *p;

	if (n > SIZE_MAX / 2)
		out_of_memory(n);
	n = (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (!b || b->cap - b->used < n)
		b = add_block(a, n);
	p = b->data + b->used;
	b->used += n;
	return p;
}

void arena_drop(struct arena *a, const void *p)
{
	struct block **at = &a->head, *b;

	while (*at && !((*at)->single && (*at)->data == p))
		at = &(*at)->next;
	b = *at;
	if (b) {
		*at = b->next;
		free(b);
	}
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
	size_t n;

	if (__builtin_mul_overflow(count, size, &n))
		out_of_memory(SIZE_MAX);
	return arena_alloc(a, n);
}

void *arena_grow(struct arena *a, void *old, size_t *cap, size_t need, size_t size)
{
	size_t want = *cap ? *cap : 16;
	void *p;

	if (old && need <= *cap)
		return old;
	while (want < need)
		want *= 2;
	p = arena_array(a, want, size);
	if (old)
		memcpy(p, old, *cap * size);
	*cap = want;
	return p;
}

char *arena_memdup(struct arena *a, const void *p, size_t n)
{
	char *s = arena_alloc(a, n + 1);

	if (n)
		memcpy(s, p, n);
	s[n] = 0;
	return s;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_memdup(a, s, strlen(s));
}

char *arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
	va_list again;
	int n;
	char *s;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	s = arena_alloc(a, n < 0 ? 1 : (size_t)n + 1);
	if (n >= 0)
		vsnprintf(s, (size_t)n + 1, fmt, ap);
	return s;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	s = arena_vprintf(a, fmt, ap);
	va_end(ap);
	return s;
}
