/*
 * arena.h - memory that lives and dies together.
 *
 * Everything that a model or a plan hands out lies in its arena. Allocation of bookkeeping memory does not fail: sizes that
 * come from a file are checked against that file's bytes before they get here, and where the system still says no, the
 * process ends with one line (out_of_memory). Buffers for weights use malloc and report.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

struct arena;

struct arena *arena_new(void);
void arena_free(struct arena *a); /* NULL is allowed */
void *arena_alloc(struct arena *a, size_t n) __attribute__((returns_nonnull));                     /* zeroed, aligned for any type */
void *arena_array(struct arena *a, size_t count, size_t size) __attribute__((returns_nonnull));    /* overflow-checked */
void *arena_grow(struct arena *a, void *old, size_t *cap, size_t need, size_t size) __attribute__((returns_nonnull)); /* copy of an array with room for `need` */
void arena_drop(struct arena *a, const void *array); /* gives a large array back before all else; a small one stays. NULL is allowed */
char *arena_strdup(struct arena *a, const char *s) __attribute__((returns_nonnull));
char *arena_memdup(struct arena *a, const void *p, size_t n) __attribute__((returns_nonnull)); /* NUL added behind */
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3), returns_nonnull));
char *arena_vprintf(struct arena *a, const char *fmt, va_list ap) __attribute__((returns_nonnull));

void *xmalloc(size_t n);              /* for bookkeeping outside an arena; free() it */
void *xrealloc(void *p, size_t n);
_Noreturn void out_of_memory(size_t n);

#endif
