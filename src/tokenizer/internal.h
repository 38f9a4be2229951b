/*
 * internal.h - what the files of the tokenizer room share. Nobody outside includes it.
 *
 * A tokenizer is made in three steps: the vocabulary (spm.c or model.c), the special tokens and templates (special.c,
 * template.c), and for byte-level BPE the encoder whose ids of the check text name the pre-tokenizer (pre.c). The
 * tokenizer's arena owns all strings.
 */
#ifndef TOKENIZER_INTERNAL_H
#define TOKENIZER_INTERNAL_H

#include "../../base/map.h"
#include "tokenizer.h"

#define TOKENIZER_FILE_LIMIT ((size_t)256 << 20)  /* tokenizer.json, tokenizer.model, vocab.json, merges.txt */
#define CONFIG_FILE_LIMIT ((size_t)16 << 20)      /* the small ones */
#define TOKENIZER_MAX_ROWS ((int64_t)1 << 22)     /* padded vocabulary */

/* tokenizer.ggml.token_type; also the piece types of a SentencePiece model */
enum token_type { TOKEN_NORMAL = 1, TOKEN_UNKNOWN, TOKEN_CONTROL, TOKEN_USER_DEFINED, TOKEN_UNUSED, TOKEN_BYTE };

/* The rows that are written: three parallel arrays, since that is how GGUF stores them. */
struct rows {
	size_t n;
	struct heft_str *text;
	float *score; /* NULL: none are written */
	bool whole;   /* scores are written as integers, as the reference writes those of Tekken: all 0 */
	int32_t *type;
};

/* bos, eos ...: which token, and whether a runtime adds it by itself */
enum role { ROLE_BOS, ROLE_EOS, ROLE_UNK, ROLE_SEP, ROLE_PAD, ROLE_CLS, ROLE_MASK, ROLE_EOT, ROLE_EOM, ROLES };

struct chat_template {
	struct heft_str name; /* "" or "default": the main one */
	struct heft_str text;
};

struct special {
	int64_t id[ROLES]; /* -1: none */
	int add[ROLES];    /* -1: not said, 0, 1 */
	int nfc, lowercase, strip_accents; /* the same */
	struct chat_template *chat;
	size_t n_chat;
	bool has_named;    /* chat is a list of named templates */
};

struct encoder; /* encoder.h */
struct spm;     /* spm.h */

struct tokenizer {
	struct arena *arena;
	const char *model;            /* "llama", "gpt2" */
	const char *pre;
	struct rows rows;
	size_t count;                 /* rows before padding */
	int64_t listed;               /* by tokenizer.json: see tokenizer_listed() */
	struct heft_str *merge;       /* "a b" */
	size_t n_merges;
	struct special special;
	int add_space_prefix;         /* -1: no key */
	int remove_extra_whitespaces; /* the same */
	struct heft_str charsmap;     /* compiled normalization rules */
	bool shifted;                 /* ids are not the SentencePiece model's own: see unirows.c */
	struct encoder *encoder;      /* one of these, or none */
	struct spm *spm;
};

/* files.c: files of a model directory */
struct files {
	const char *dir;
	struct json_doc *tokenizer;        /* tokenizer.json */
	struct json_doc *tokenizer_config; /* tokenizer_config.json */
	const struct json *config;         /* config.json, borrowed */
};
bool file_exists(const char *dir, const char *name);
/* Reads a whole regular file into the arena. */
int file_read(const char *dir, const char *name, size_t limit, struct heft_str *out, struct arena *a,
	      struct heft_err *err);
/* Its first bytes alone. */
int file_head(const char *dir, const char *name, size_t n, struct heft_str *out, struct arena *a, struct heft_err *err);
/* *out NULL where there is no such file. */
int file_json(const char *dir, const char *name, size_t limit, struct json_doc **out, struct heft_err *err);
/* A tokenizer.json node, or the nodes in its list where it is a Sequence, sequences inside sequences unfolded: how
 * many, or -1: more than cap. */
int64_t json_flatten(const struct json *j, const char *list, const struct json **out, size_t cap);
/* As Python's text mode reads a file: \r\n and \r become \n, in place. */
void text_newlines(struct heft_str *s);

/* base64.c */
bool base64_read(struct heft_str text, struct heft_str *bytes, struct arena *a);

/* tokenizer.c: an option of the family's row, or NULL */
const char *tokenizer_option(const struct tokenizer_options *o, const char *name);

/* rows.c */
void rows_init(struct rows *r, size_t n, bool scores, float score, struct arena *a); /* n rows without text, unused */
void rows_pad(struct rows *r, struct arena *a); /* rows without text: [PAD0], [PAD1] ... */
bool looks_special(struct heft_str text);
struct heft_str spaces_for_marks(struct heft_str text, struct arena *a); /* U+2581 becomes a space */
bool str_is(struct heft_str s, const char *z);

/* spm.c; option added=plain: added tokens by what the files call them alone, those of tokenizer.json too */
int spm_open(struct tokenizer *t, const struct files *f, const struct tokenizer_options *o, struct heft_err *err);

/* internlm2.c */
int internlm2_open(struct tokenizer *t, const struct files *f, const struct tokenizer_options *o, struct heft_err *err);

/* model.c */
int bpe_open(struct tokenizer *t, const struct files *f, const struct tokenizer_options *o, struct heft_err *err);
int wordpiece_open(struct tokenizer *t, const struct files *f, const struct tokenizer_options *o, struct heft_err *err);
int spm_hf_open(struct tokenizer *t, const struct files *f, const struct tokenizer_options *o, struct heft_err *err);

/* unirows.c */
int xlmr_open(struct tokenizer *t, const struct files *f, const struct tokenizer_options *o, struct heft_err *err);
void xlmr_shift(int32_t *id, size_t n); /* ids of the file become the model's */
int t5_open(struct tokenizer *t, const struct files *f, const struct tokenizer_options *o, struct heft_err *err);

/* peek.c: what kind of tokenizer.json it is, without parsing it */
struct peek {
	char model[32];       /* model.type */
	char decoder[32];     /* decoder.type */
	bool byte_fallback;   /* model.byte_fallback */
};
void peek_text(struct peek *p, struct heft_str text);
bool peek_file(struct peek *p, const char *dir, size_t limit);

/* special.c, template.c */
int special_read(struct special *s, const struct files *f, int64_t n_vocab, struct arena *a, struct heft_err *err);
int template_read(struct special *s, const struct files *f, struct arena *a, struct heft_err *err);
void special_init(struct special *s); /* nothing is said */
void template_only(struct special *s, struct heft_str text, struct arena *a); /* the main one, and no other */

/* tekken.c: tekken.json beside a config.json; the files of Mistral's own layout */
int tekken_open(struct tokenizer *t, const struct files *f, const struct tokenizer_options *o, struct heft_err *err);
int mistral_open(struct tokenizer *t, const struct files *f, const struct tokenizer_options *o, struct heft_err *err);
bool mistral_has(const char *dir);

/* tiktoken.c */
bool qwen_has(const char *dir);
int qwen_open(struct tokenizer *t, const struct files *f, const struct tokenizer_options *o, struct heft_err *err);
bool kimi_has(const char *dir);
int kimi_open(struct tokenizer *t, const struct files *f, const struct tokenizer_options *o, struct heft_err *err);
bool llama3_has(const char *dir); /* its tokenizer.model, which is text */
int llama3_open(struct tokenizer *t, const struct files *f, const struct tokenizer_options *o, struct heft_err *err);

/* gemma4.c */
int gemma4_open(struct tokenizer *t, const struct files *f, const struct tokenizer_options *o, struct heft_err *err);

#endif
