/*
 * pace.c - how far a run is, told to who asked at most ten times a second.
 */
#include "pace.h"

#include <time.h>

double pace_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void pace_tell(struct pace *p, const char *tensor)
{
	bool whole = p->total && p->done >= p->total;
	double now = p->progress ? pace_clock() : 0;

	if (!p->progress || (now - p->told < 0.1 && !whole))
		return;
	p->told = now;
	p->progress(p->ctx, &(struct heft_progress){ .done = p->done, .total = p->total, .seconds = now - p->begun, .tensor = tensor });
}

void pace_last(struct pace *p, const char *tensor)
{
	p->told = 0;
	pace_tell(p, tensor);
}
