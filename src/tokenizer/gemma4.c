/*
 * gemma4.c - the tokenizer.json of Gemma 4 as rows ("gemma4"): SentencePiece BPE as strategy spm_hf reads it, with its merges. Refuses what that
 * refuses.
 */
#include "encoder.h"

#include <string.h>

/* Marks that a chat's reader looks for: always shown, so not control tokens. */
static const char *const shown[] = {
	"<|channel>", "<channel|>", "<|tool_call>", "<tool_call|>", "<|tool_response>", "<tool_response|>", "<|\"|>",
};

int gemma4_open(struct tokenizer *t, const struct files *f, const struct tokenizer_options *o, struct heft_err *err)
{
	if (spm_hf_open(t, f, o, err))
		return -1;
	t->model = "gemma4";
	t->pre = NULL;
	t->merge = t->encoder->bpe.merge;
	t->n_merges = t->encoder->bpe.n_merges;
	for (size_t i = 0; i < t->rows.n; i++)
		for (size_t k = 0; k < sizeof(shown) / sizeof(*shown); k++)
			if (str_is(t->rows.text[i], shown[k]))
				t->rows.type[i] = TOKEN_USER_DEFINED;
	return 0;
}
