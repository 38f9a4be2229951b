/*
 * nest.h - names with dots ("rope.scaling.type") as nested JSON objects.
 */
#ifndef BASE_NEST_H
#define BASE_NEST_H

#include "arena.h"
#include "json.h"

/* Texts are borrowed until nest_text. Zero-initialise, then set the arena. */
struct nest {
	struct arena *arena;
	struct nest_row {
		const char *name;
		const char *json; /* its value, written as JSON */
		size_t order;
	} *row;
	size_t n, cap;
};

bool nest_has(const struct nest *s, const char *name); /* walks */
void nest_put(struct nest *s, const char *name, const char *json); /* of equal names the first counts */
/* The object, indented by two, keys in order. What lies below a name that has a value of its own is left out, as is what lies more
 * than 32 levels down. */
struct heft_str nest_text(const struct nest *s);

/* Values as JSON, in the arena. */
const char *json_of_str(struct heft_str s, struct arena *a);
const char *json_of_f64(double v, struct arena *a); /* the shortest that reads back to v, and as a float; NaN and the like as Python has them */
const char *json_of_f32(float v, struct arena *a);

#endif
