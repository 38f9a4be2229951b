/*
 * steps.h - normalizers, pre-tokenizers and decoders of a tokenizer.json as a list of primitive steps, and pieces of
 * text that go through them.
 */
#ifndef TOKENIZER_STEPS_H
#define TOKENIZER_STEPS_H

#include "pattern.h"
#include "unicode.h"

/* What a split does with the matches of its pattern. */
enum behavior { ISOLATED, REMOVED, CONTIGUOUS, MERGED_WITH_PREVIOUS, MERGED_WITH_NEXT };
enum prepend { PREPEND_ANY, PREPEND_UNLESS_THERE, PREPEND_FIRST_UNLESS_THERE };

enum step_kind {
	STEP_FORM,    /* a Unicode normal form */
	STEP_LOWER,
	STEP_REPLACE, /* pattern -> text */
	STEP_PREPEND, /* text, by scheme */
	STEP_SPLIT,   /* at pattern */
	STEP_BYTES,   /* each byte becomes the printable character that stands for it */
	STEP_UNBYTES, /* and back, where the whole text is such characters */
	STEP_UNHEX,   /* a text <0xNN> becomes that byte */
	STEP_CHARSMAP, /* compiled rules, which stand in text */
	STEP_CUT,     /* up to n times text off the beginning */
	STEP_CUT_END, /* up to n times text off the end */
};

struct step {
	enum step_kind kind;
	struct pattern *regex;    /* the pattern, or */
	struct heft_str literal; /* the pattern as plain text */
	struct heft_str pattern; /* the regex's, for messages */
	struct heft_str text;
	enum form form;
	enum behavior behavior;
	bool invert;
	enum prepend prepend;
	size_t n;
};

struct steps {
	struct step *step;
	size_t n, cap;
	struct arena *arena;
};

struct piece {
	struct heft_str text;
	int32_t id;  /* of an added token; -1: text */
	bool first;  /* begins where the input begins */
};

struct pieces {
	struct piece *piece;
	size_t n, cap, limit; /* limit: bytes that one may grow to */
	struct arena *arena;
};

void steps_release(struct steps *s);
int steps_normalizer(struct steps *s, const struct json *j, struct heft_err *err);
int steps_pre_tokenizer(struct steps *s, const struct json *j, struct heft_err *err);
int steps_decoder(struct steps *s, const struct json *j, struct heft_err *err);

void pieces_add(struct pieces *p, struct heft_str text, int32_t id, bool first);
/* One text through steps without a split; one that grows beyond `limit` bytes is an error. */
int steps_text(const struct steps *s, struct heft_str *text, bool first, size_t limit, struct arena *a,
	       struct heft_err *err);
/* All pieces that are text through all steps. */
int steps_pieces(const struct steps *s, struct pieces *p, struct heft_err *err);

struct heft_str bytes_to_chars(struct heft_str s, struct arena *a);

#endif
