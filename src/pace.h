/*
 * pace.h - how far a run is, told to who asked at most ten times a second. For one thread at a time.
 */
#ifndef PACE_H
#define PACE_H

#include "heft.h"

struct pace {
	void (*progress)(void *ctx, const struct heft_progress *now); /* NULL: nobody asked */
	void *ctx;
	uint64_t done, total; /* bytes; a total of 0: not known */
	double begun, told;   /* pace_clock() */
};

/* Seconds, from any beginning. */
double pace_clock(void);
/* What reaches the total is told at once. tensor: may be NULL. */
void pace_tell(struct pace *p, const char *tensor);
/* Told at once. */
void pace_last(struct pace *p, const char *tensor);

#endif
