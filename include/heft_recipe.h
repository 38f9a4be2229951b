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

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
