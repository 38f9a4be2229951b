/*
 * target.c - the table of targets.
 */
#include "target.h"

#include <string.h>

#define TARGET(name) extern const struct target target_##name;
#include "list.h"
#undef TARGET

static const struct target *const targets[] = {
#define TARGET(name) &target_##name,
#include "list.h"
#undef TARGET
};

static const struct target *target_at(size_t i)
{
	return i < sizeof targets / sizeof *targets ? targets[i] : NULL;
}

const struct target *target_find(const char *name)
{
	for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
		if (!name || !strcmp(name, targets[i]->name))
			return targets[i];
	return NULL;
}

const char *heft_target_at(size_t i)
{
	return target_at(i) ? target_at(i)->name : NULL;
}
