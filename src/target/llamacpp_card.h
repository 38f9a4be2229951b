/* llamacpp_card.h - the block of YAML at the head of a model card. */
#ifndef LLAMACPP_CARD_H
#define LLAMACPP_CARD_H

#include "../../base/arena.h"
#include "../../base/json.h"

/* The YAML between the two lines "---" at the beginning of a card, as the reference hands it to its parser; NULL where
 * there is none. */
char *card_front_matter(const char *text, size_t n, size_t *out_n, struct arena *a);

/* Reads dir/README.md. *out is NULL where there is no card or it has no front matter: that is no error. */
int card_read(struct json_doc **out, const char *dir, struct arena *a, struct heft_err *err);

#endif
