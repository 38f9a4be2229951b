/* utf8.h - is a run of bytes UTF-8? (no overlong forms, no surrogates, nothing above U+10FFFF) */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

size_t utf8_length(const void *s, size_t left); /* of the sequence at s: 1 to 4, or 0 where it is none */
bool utf8_valid(const void *s, size_t n);

#endif
