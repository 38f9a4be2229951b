/* texts.h - the families and recipes that are compiled in (scripts/texts.awk makes the table). */
#ifndef TEXTS_H
#define TEXTS_H

struct text {
	const char *name; /* "arch/llama.arch", "recipe/q4_k_m.recipe"; NULL ends the table */
	const char *text;
};
extern const struct text texts[];

#endif
