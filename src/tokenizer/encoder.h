/*
 * encoder.h - a tokenizer.json, or the vocabulary files beside it, made ready to encode, as transformers' class for the model would make it.
 *
 * transformers does not always run the file as it is: some classes (LlamaTokenizer, Qwen2Tokenizer ...) take its
 * vocabulary and merges and bring their own normalizer and pre-tokenizer. Which class it is follows from
 * tokenizer_config.json and the model type.
 */
#ifndef TOKENIZER_ENCODER_H
#define TOKENIZER_ENCODER_H

#include "added.h"

enum encoder_model { MODEL_BPE, MODEL_WORDPIECE, MODEL_UNIGRAM };
enum { STANDARD = 7 }; /* tokens that have a name of their own */

struct encoder {
	struct arena *arena;          /* of the tokenizer */
	enum encoder_model model;
	struct bpe bpe;               /* of other models the vocabulary and what they share with BPE */
	double *score, least;         /* Unigram: of each token, and the least of them */
	int64_t unk;                  /* Unigram: the unknown token, or -1 */
	size_t word_limit;            /* WordPiece: characters of a word that is not unknown as a whole */
	struct added added;
	struct steps normalizer, pre_tokenizer, decoder;
	bool has_decoder, encodes, rebuilt; /* rebuilt: not the file as it is */
	bool prefix_space;            /* add_prefix_space of the class, or as tokenizer_config.json says */
	struct ids before, after;     /* what the post-processor puts around a text */
	struct heft_str *named;       /* texts of the special tokens that have a name, and of the extra ones */
	size_t n_named;
	struct heft_str standard[STANDARD]; /* of those: bos, eos, unk, sep, pad, cls, mask; p NULL: none */
};

enum encoder_mode {
	ENCODER_AS_CLASS, /* as transformers would */
	ENCODER_AS_FILE,  /* the file as it is, whatever the class */
	ENCODER_NO_STEPS, /* vocabulary and tokens only: it does not encode */
};
/* Release it, whatever it returns. */
int encoder_open(struct encoder *e, const struct files *f, struct arena *a, enum encoder_mode mode,
		 struct heft_err *err);
void encoder_release(struct encoder *e);
/* special: with what the post-processor adds. */
int encoder_encode(const struct encoder *e, struct heft_str text, bool special, struct ids *out, struct heft_err *err);
/* The text that one added token becomes when it is encoded and decoded. */
int encoder_round_trip(const struct encoder *e, const struct added_token *t, struct heft_str *out, struct arena *a,
		       struct heft_err *err);

/* classes.c */
struct tokenizer_class {
	const char *name;
	const char *json;         /* normalizer, pre_tokenizer, decoder and flags of the model; NULL: the file's own */
	/* special tokens where tokenizer_config.json does not name them */
	const char *unk, *bos, *eos, *pad, *sep, *cls, *mask;
	bool file_charsmap;       /* the normalizer is the file's compiled rules */
	const char *first, *last; /* roles of the tokens around a text, whatever the file's post-processor says */
	bool prefix_space;        /* add_prefix_space where it is not said */
	bool add_named;           /* adds its named tokens once more, as plain special tokens */
};
const struct tokenizer_class *class_of(const struct json *config, const struct json *tokenizer_config);
/* The class's JSON, with add_prefix_space and what follows from it filled in. */
struct json_doc *class_json(const struct tokenizer_class *c, const struct json *tokenizer_config, struct heft_err *err);

/* tokens.c: adds all added and special tokens, in transformers' order. */
int encoder_add_tokens(struct encoder *e, const struct files *f, const struct tokenizer_class *c, struct heft_err *err);
/* The text of "bos_token" and so on; p NULL: there is none. */
struct heft_str encoder_named(const struct encoder *e, const char *role);

#endif
