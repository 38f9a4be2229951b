/*
 * mlx_modules.c - the modules of a model as mlx-lm (0.32) has them: see mlx.h.
 *
 * Every Linear, Embedding and stack of experts is quantized, the embeddings and the head too. What stays: norms, convolutions, and parameters that
 * belong to no such module, as the routers of some models are. Of the routers that are a Linear some are wanted in 8 bits. A pattern is looked for
 * anywhere in the module's name, from a point on.
 */
#include "mlx.h"

#include <stdlib.h>
#include <string.h>

static bool ends_with(const char *name, const char *end)
{
	size_t n = strlen(name), e = strlen(end);

	return n >= e && !strcmp(name + n - e, end) && (n == e || name[n - e - 1] == '.');
}

/* ---- what is a module ---- */

static bool is_stack(const char *name)
{
	return strstr(name, ".switch_mlp.") || strstr(name, ".switch_glu.") || strstr(name, ".experts.") || ends_with(name, "embed_q.weight") ||
	       ends_with(name, "unembed_out.weight");
}

enum linear mlx_kind(const char *name, int rank, const struct target_model *m, const char **why)
{
	*why = "no weight of a Linear or an embedding";
	if (rank < 2 || rank > 3 || !ends_with(name, "weight") || (rank == 3 && !is_stack(name)))
		return LINEAR_NO;
	if (strstr(name, "norm.weight"))
		return LINEAR_NO;
	return LINEAR_YES;
}
