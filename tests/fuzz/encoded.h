/* encoded.h - a text encoded by a tokenizer that was read: every id is one of its rows. */
#include "src/tokenizer/ranked.h"

#include <stdlib.h>

static void encode(struct tokenizer *t, struct heft_str text)
{
	struct ids ids = { 0 };

	if (!encoder_encode(t->encoder, text, true, &ids, NULL))
		for (size_t i = 0; i < ids.n; i++)
			if (ids.id[i] < 0 || (size_t)ids.id[i] >= t->rows.n)
				abort();
	free(ids.id);
}
