/*
 * spm.h - a SentencePiece model as it is read from its file. Texts point into the file's bytes.
 */
#ifndef TOKENIZER_SPM_H
#define TOKENIZER_SPM_H

#include "internal.h"

enum { SPM_UNIGRAM = 1, SPM_BPE, SPM_WORD, SPM_CHAR };

struct spm_piece {
	struct heft_str text;
	float score;
	enum token_type type;
};

struct spm {
	struct spm_piece *piece;
	size_t n;
	int model_type;
	bool space_is_suffix, add_dummy_prefix, remove_extra_whitespaces, escape_whitespaces, byte_fallback;
	struct heft_str charsmap; /* compiled normalization rules; empty: identity */
	struct map by_text;       /* -> piece */
	int32_t unknown;          /* the piece of that type */
	size_t longest_user;      /* bytes of the longest user-defined piece */
};

/* Release it, whatever it returns. */
int spm_read(struct spm *m, struct heft_str data, const char *name, struct arena *a, struct heft_err *err);
void spm_release(struct spm *m);
/* A file of a directory; the tokenizer owns it. */
int spm_open_file(struct tokenizer *t, const char *dir, const char *name, struct heft_err *err);
/* Llama's rows of the model that is open. */
int spm_rows(struct tokenizer *t, const struct files *f, const struct tokenizer_options *o, struct heft_err *err);
void rows_of_pieces(struct rows *r, const struct spm *m);
int rows_of_added_json(struct rows *r, const char *dir, struct arena *a, struct heft_err *err); /* added_tokens.json */

struct ids;
int spm_encode(const struct spm *m, struct heft_str text, struct ids *out, struct heft_err *err);

#endif
