/*
 * mlx.h - what MLX makes of the modules of a model (mlx-lm 0.32): which are quantized, and which of them otherwise than the rest.
 */
#ifndef TARGET_MLX_H
#define TARGET_MLX_H

#include "target.h"

enum linear mlx_kind(const char *name, int rank, const struct target_model *m, const char **why);

#endif
