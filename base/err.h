/*
 * err.h - how an error is told: set where the fact is known, carried up unchanged.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "heft.h"

#include <stdarg.h>

/* Fills *err (NULL: nobody asks) and returns -1, so that `return heft_fail(err, ...)` ends a function. Control bytes and
 * bytes that are not UTF-8 are shown as \xNN, so that a file cannot write to a terminal through an error message. */
int heft_fail(struct heft_err *err, enum heft_code code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The same for a system call that set errno: appends ": strerror"; ENOSPC and EDQUOT become HEFT_E_SPACE. */
int heft_fail_errno(struct heft_err *err, enum heft_code code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Whoever reads one file alone, a compiler or an analyser, sees the -1 too. */
static inline int heft_minus_one(int result)
{
	return -1;
}
#define heft_fail(...) heft_minus_one((heft_fail)(__VA_ARGS__))
#define heft_fail_errno(...) heft_minus_one((heft_fail_errno)(__VA_ARGS__))

/* Where findings go: to a function that lists them all, or (fn NULL) the first one ends the work. */
struct sink {
	heft_problem_fn *fn;
	void *ctx;
	struct heft_err *err; /* filled when fn is NULL */
	size_t errors;        /* findings that are no warnings */
};

/* Tells a finding. Returns 0 where the caller may go on (fn is set, or p->warning), else -1 with err filled. */
int sink_tell(struct sink *s, const struct heft_problem *p);
int sink_tellf(struct sink *s, enum heft_code code, const char *file, const char *tensor, const char *hint, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));

#endif
