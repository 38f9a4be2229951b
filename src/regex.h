/*
 * regex.h - regular expressions for names of tensors: a match takes time proportional to pattern times name, whatever
 * the pattern.
 *
 * The syntax is ECMAScript's, which the reference's --tensor-type has: . [a-z] [^0-9] \d \w \s \b ^ $ ( ) (?: ) | * + ?
 * {n} {n,} {n,m}, lazy forms too. Refused: back references and look-ahead.
 */
#ifndef REGEX_H
#define REGEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { REGEX_SIZE = 2048, REGEX_SETS = 256 };

struct regex {
	struct regex_insn {
		uint8_t op;
		uint8_t set;    /* of bytes, in sets */
		int16_t x, y;   /* jumps, relative to this instruction */
	} insn[REGEX_SIZE];
	uint32_t sets[REGEX_SETS][8]; /* bitmaps over bytes */
	int n, n_sets;
};

/* Compiles n bytes. NULL, or what is wrong with them. */
const char *regex_compile(struct regex *r, const char *pattern, size_t n);
/* Is there a match anywhere in the text? */
bool regex_search(const struct regex *r, const char *text);

#endif
