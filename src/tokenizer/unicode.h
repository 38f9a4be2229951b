/*
 * unicode.h - the one door to utf8proc: characters, normal forms, lower case. Texts are UTF-8; a byte that is none
 * counts as a character.
 */
#ifndef TOKENIZER_UNICODE_H
#define TOKENIZER_UNICODE_H

#include "../../base/utf8.h"
#include "internal.h"

enum form { FORM_NFC, FORM_NFD, FORM_NFKC, FORM_NFKD };

size_t char_length(const char *p, size_t n);            /* bytes of the first character of n > 0 bytes */
size_t grapheme_length(struct heft_str s);                /* bytes of the first grapheme of a text that is not empty */
int32_t char_at(const char *p, size_t n);             /* the first character; U+FFFD where the bytes are none */
size_t char_put(char *to, int32_t c);                   /* up to 4 bytes */
bool char_is_word(int32_t c);                           /* \w: alphabetic, mark, decimal digit, connector, joiner */
bool char_is_space(int32_t c);                          /* White_Space */
struct heft_str unicode_form(struct heft_str s, enum form form, struct arena *a); /* p NULL where s is not UTF-8 */
struct heft_str unicode_lower(struct heft_str s, struct arena *a);

#endif
