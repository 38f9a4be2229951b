/*
 * recipe.h - which tensor gets which encoding. A recipe is text in src/recipe/ (rows `PATTERN -> TYPE [when E]`, a fallback row per type),
 * evaluated with the counts that the reference's rules use.
 */
#ifndef RECIPE_H
#define RECIPE_H

#include "heft_recipe.h"
#include "op.h"
#include "target/target.h"

/* What a word for a type means beside a target: one like it, its groups' columns or 0; or a float. */
struct module_type {
	const struct target *target;
	uint32_t group;
	const struct heft_encoding *type;
};

struct recipe; /* compiled in; lives until the process ends */

const struct recipe *recipe_at(size_t i); /* NULL past the end */
const struct recipe *recipe_find(const char *name); /* any case, "q4_k_m" */
/* A user's, in the arena; `file` is what messages call it. NULL with err. */
const struct recipe *recipe_read(const char *file, const char *text, size_t n, struct arena *a, struct heft_err *err);
const struct recipe *recipe_of_modules(const char *name); /* of a target other than GGUF: "mixed_2_6" */
const char *recipe_name(const struct recipe *r);
const char *recipe_about(const struct recipe *r);
uint32_t recipe_file_type(const struct recipe *r);  /* general.file_type */
const struct heft_encoding *recipe_type(const struct recipe *r); /* of what no row takes; NULL: such tensors stay as they are */
bool recipe_needs_imatrix(const struct recipe *r);  /* nothing sensible comes of it without one */

enum recipe_by {
	RECIPE_STAYS,   /* a row that stands behind all recipes, or nothing said otherwise: it would stay with any recipe */
	RECIPE_KEPT,    /* this recipe or the user leaves it as it is */
	RECIPE_DECIDED, /* a type was chosen */
};

/* One tensor to be decided; in any order (recipe_decide sorts as the reference does) unless facts say in_order. */
struct recipe_item {
	const char *name;             /* GGUF name */
	struct shape shape;
	const struct heft_encoding *stored;  /* what the two-step pipeline's 16-bit file would hold: F32 stays F32 */
	bool plain;                           /* of a target with schemes: no matrix of a Linear, only rows that leave it or name a float speak of it */
	bool fixed;                           /* no recipe changes its type: the converter's own rule made it what it is */
	/* filled by recipe_decide */
	const struct heft_encoding *type;
	enum recipe_by by;
	int line;                     /* of the user's recipe, whose row decided; 0: none did */
	const char *why;              /* "recipe q4_k_m", "norms stay f32", "rule 'ffn_*=q8_0'", "fallback: row 80 is no multiple of 256" */
	bool fallback;
	bool asked;                   /* the user named its type */
};

/* The rows of a recipe and what they decided: its own, and those of bases that decided something. In the arena. */
struct recipe_told {
	const struct heft_recipe_row *row;
	size_t n;
};

struct recipe_facts {
	struct recipe_told *told;     /* filled in when all is decided; or NULL */
	const char *arch;
	const struct heft_kv *kv;     /* metadata: expert_count, head counts, block_count ... */
	size_t n_kv;
	const char *const *rule;      /* --tensor-type PATTERN=TYPE, the first that matches decides */
	size_t n_rules;
	const struct heft_encoding *output_type, *embedding_type; /* of output.weight and of token embeddings; NULL: by rules and recipe */
	bool imatrix;                 /* an importance matrix is at hand */
	bool pure;                    /* the recipe's own type for all, none of its rows */
	bool leave_output;            /* output.weight stays as it is */
	uint64_t layers;              /* of a target with schemes; else metadata tells */
	bool in_order;                /* places are counted in the items' order */
	bool strict;                  /* a fallback is an error */
};

/* A recipe for modules of a target with schemes, asked about one after another: those that a row decides. */
struct recipe_use;
struct recipe_says {
	bool row;               /* one decides; all of `as` zero: it stays */
	struct module_type as;
	const char *why;
};
struct recipe_use *recipe_begin(const struct recipe *r, const struct recipe_facts *f, struct arena *a, struct heft_err *err);
int recipe_ask(struct recipe_use *u, const struct recipe_item *module, struct recipe_says *out);
int recipe_check_used(struct recipe_use *u, struct heft_err *err);
const struct target *recipe_target(const struct recipe *r); /* NULL: GGUF */
const char *recipe_type_word(const struct recipe *r);       /* with a target: what -t would say; or NULL */

/* Decides every item. A rule that matches nothing, a type that no tensor takes, an unknown type, a fallback with strict: errors. */
int recipe_decide(const struct recipe *r, struct recipe_item *item, size_t n, const struct recipe_facts *f, struct arena *a,
		  struct heft_err *err);

#endif
