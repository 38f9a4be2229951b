/*
 * heft_recipe.h - recipes as text: man/heft-recipe.5 has the language. Beside heft.h, whose rules of ownership, errors and threads it has.
 */
#ifndef HEFT_RECIPE_H
#define HEFT_RECIPE_H

#include "heft.h"

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/* What a plan decided for the tensors of output i, as a recipe that decides the same of the same source: heft_output_spec.recipe takes it. It
 * names no path and no time; what else the bytes depend on, as an importance matrix and an effort, its first lines say. free() it. NULL with
 * HEFT_E_OPTION: there were no types to choose, as with "copy". */
char *heft_plan_recipe(const struct heft_plan *p, size_t i, struct heft_err *err);

/* Of a plan with a recipe: its rows, first those that leave tensors as they are, and for how many tensors each was the first that holds. Rows of
 * what it inherits are among them where they decided something. They live as long as the plan; 0 where output i has no recipe. */
struct heft_recipe_row {
	const char *file;    /* as messages call it */
	int line;            /* 0: its type, for what no row decides; the last of them */
	const char *text;    /* "blk.{l}.ffn_down.weight -> q6_k when l < 4" */
	size_t tensors;
	bool own;            /* of the recipe itself */
};
size_t heft_plan_recipe_rows(const struct heft_plan *p, size_t i, const struct heft_recipe_row **out);

/* Reads a recipe's text as a plan would, without a model. free() the name. HEFT_E_RECIPE. */
struct heft_recipe_head {
	char *name;
	const char *to;      /* the target that it is for: "gguf", "w4a16" ...; static */
	size_t rows, inherited;
};
int heft_recipe_read(struct heft_recipe_head *out, const char *file, const char *text, struct heft_err *err);

/* The text of a recipe that is compiled in, or of a fragment that such recipes share, and of what it inherits; flat: as one recipe that inherits
 * nothing. free() it. NULL with HEFT_E_RECIPE. */
char *heft_recipe_text(const char *name, bool flat, struct heft_err *err);
/* Those that are types of other targets, as "mixed_2_6" of mlx; heft_recipes() has GGUF's. No file type. */
size_t heft_module_recipes(const struct heft_recipe_info **out);
const struct heft_encoding *heft_recipe_type(const char *name); /* of what no row of a recipe takes; NULL: there is no such recipe */

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
