/*
 * arch_rows.h - a family as it was parsed: rows with compiled expressions, patterns and templates. Inside of arch*.c
 * only.
 *
 *   arch_parse.c    text -> rows
 *   arch_set.c      which families there are; bases
 *   arch_env.c      what names and functions mean for one model
 *   arch_fn.c       functions that ask about the model
 *   arch_map.c      source tensors -> weights
 *   arch_back.c     metadata of a GGUF -> configuration
 *   arch_invert.c   a GGUF's tensors -> weights under the checkpoint's names
 *   arch_split.c    tensors of a GGUF that were one before
 *   arch_target.c   what a target's section says beside names
 *   arch_eval.c     keys, vocabulary, and the order of all this
 */
#ifndef ARCH_ROWS_H
#define ARCH_ROWS_H

#include "arch.h"
#include "pattern.h"

/* ---- rows ---------------------------------------------------------------------------------------------------------
 */

/* Names with a meaning of their own. */
struct arch_symbols {
	int e, shape, rope, pooling, layers, vocab_size, directory, config, option;
};

struct op_row { /* an operation with its arguments still expressions */
	enum op_kind kind;
	bool join;                 /* join(axis): the combination, not an operation */
	const struct expr *arg[8];
	int n_args;
	const struct op_row *sub;
	int n_sub;
};

enum row_kind {
	ROW_ARCH,
	ROW_FROM,
	ROW_PROJECTOR,
	ROW_ABSTRACT,
	ROW_BASE,
	ROW_CONFIG,
	ROW_DEFAULT,
	ROW_LET,
	ROW_LAYERS,
	ROW_REQUIRE,
	ROW_NEED,
	ROW_KEY,
	ROW_PRE,
	ROW_UNPRE,
	ROW_RULE /* skip and map, in one order */,
	ROW_EXPECT,
	ROW_GEN,
	ROW_TYPE,
	ROW_VOCAB,
	ROW_VOCAB_SIZE,
	ROW_TOKEN,
	ROW_BACK,
	ROW_ONEWAY,
	ROW_QUANT,
	ROW_SET /* set and unset */,
	ROW_KINDS
};

struct vocab_choice {
	const char *strategy;
	const char **option;            /* names */
	const struct expr **value;      /* of each */
	int n_options;
};

struct row {
	enum row_kind kind;
	const char *file, *text;        /* text: the whole row, on one line */
	int line;
	size_t number;                  /* of skip and map: place among those of the family */
	const char *name;               /* arch, from, base, key, gen, token, back, set: the name; need, skip, oneway: the text; quant: how */
	int symbol;                     /* default, let */
	bool also_null;                 /* default NAME ?= E, token ROLE ?= E, back KEY ?= E, set KEY ?= E */
	bool skip, partial, unset;
	const struct expr *expr, *when;
	const struct pattern *left;     /* several of a map row are joined */
	int n_left;
	const struct row *twin;         /* the next map row of this file with the same left side */
	const struct pattern *right;    /* of pre, unpre, map and expect */
	const struct op_row *op, *back; /* back: the way back, where the operations do not say it */
	int n_ops, n_back;
	const struct heft_encoding *type;
	const struct vocab_choice *vocab;
	int n_vocab;
};

struct rows {
	struct row **row;
	size_t n, cap;
};

struct arch {
	const char *file;
	const char *target;          /* NULL: llamacpp; else it has that target's rows, and of the others what any target asks about */
	struct rows rows[ROW_KINDS]; /* own rows first, then those of the bases in order */
	struct symbols symbols;
	struct arch_symbols sym;
	struct arena *arena;
};

extern const struct expr_fn arch_functions[]; /* tensors.count, vocab.id, file ... */

/* As arch_set_open, with the user's file in memory. */
struct arch_set *arch_set_open_text(const char *file, const char *text, size_t n, struct heft_err *err);
/* Before its first family is asked for: the rows of another target. */
void arch_set_aim(struct arch_set *s, const char *target);
/* Parses one text and appends its rows. Returns 0 or -1. */
int arch_parse(struct arch *a, const char *file, const char *text, size_t n, struct heft_err *err);

/* ---- evaluation ---------------------------------------------------------------------------------------------------
 */

/* One model against one family. */
struct arch_run {
	struct env env; /* first: functions get this pointer */
	const struct arch *arch;
	const struct arch_input *in;
	const struct json *config, *nested; /* the second is looked at first; NULL: none */
	struct let {
		uint8_t state; /* 0 not yet, 1 being evaluated, 2 done */
		bool has;
		struct value value;
	} *name; /* by symbol */
	struct json_doc **doc; /* read by file() */
	size_t n_docs, cap_docs;
	struct sink *sink;
	struct heft_err *err;
	struct heft_err first; /* of the findings that were told */
	size_t told;
	struct arena *arena;
	struct arch_result *out;
	size_t *taken; /* by row of skip and map: sources */
	int64_t layers;
};

int arch_run_init(struct arch_run *r, const struct arch *a, const struct arch_input *in, struct arch_result *out,
	struct arena *arena, struct sink *sink, struct heft_err *err);
void arch_run_release(struct arch_run *r);
const char *arch_config_name(const struct arch_run *r); /* for messages */
/* Tells a finding: 0 go on, -1 stop. */
int arch_tell(struct arch_run *r, enum heft_code code, const char *tensor, const char *hint, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
bool arch_key_is_whole(const char *key); /* without the name of the architecture before it */
bool arch_plain_path(const char *p); /* stays in the model's directory */
/* A JSON file of the model's directory; null where there is none. */
int arch_read_json(struct arch_run *r, const char *name, struct value *out);
/* Maps all source tensors; fills out->weight and out->drop. */
int arch_map(struct arch_run *r);
/* What an operation's row means for one tensor; its arguments may ask for the shape that it meets. */
int arch_make_op(struct env *e, const struct op_row *row, struct op *op);
int arch_make_ops(struct arch_run *r, const struct op_row *row, int n, struct shape shape, struct op *op);
int arch_bind_shape(struct env *e, int symbol, const struct shape *shape);
/* arch_target.c: set and unset rows; fills out->member. */
int arch_members(struct arch_run *r);
/* A GGUF's tensors under the names that the rows' left sides spell; fills out->weight and out->drop. */
int arch_invert(struct arch_run *r);
/* Why no row gives back what the map row makes, or NULL. */
const char *arch_no_inverse(const struct arch *a, const struct row *row);
/* Does each of the operations have an inverse that needs nothing but their arguments? */
bool arch_ops_invert(const struct arch *a, const struct op_row *op, int n);
/* The inverses, in the inverse order; op: room for n. */
int arch_invert_ops(struct env *e, const struct op_row *row, int n, struct op *op);

enum { SPLIT_PARTS = 8 };

struct split_whole { /* a tensor that comes together again */
	const struct row *head;
	const char *name;
	const struct heft_tensor *part[SPLIT_PARTS]; /* by the rows' order */
	struct binding capture[SPLIT_PARTS];
	int n_captures;
	size_t at; /* its place among the weights */
};
/* The first of the rows that split one tensor and can join it again, where this is one of them; else NULL. */
const struct row *arch_split_head(const struct arch *a, const struct row *row);
/* Fills w, which has its name, from the parts. */
int arch_unsplit(struct arch_run *r, const struct split_whole *s, struct weight *w);
const struct json *arch_text_config(
	const struct json *config); /* the nested configuration of a multimodal model's text part, or NULL */

#endif
