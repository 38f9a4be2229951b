/*
 * safetensors.c - a checkpoint for transformers and its like: the source's own names, shapes and float types.
 */
#include "target.h"

const struct target target_safetensors = {
	.name = "safetensors",
	.format = "safetensors",
	.keeps_names = true,
};
