/*
 * memory_family.c - what llama.cpp 0.7.0 knows of families' caches that no metadata key says (llm_load_arch_hparams of each model, and
 * llama_model::create_memory). A family that is not here keeps keys and values of every layer, with the windows that its keys tell of.
 */
#include "memory.h"

#include <string.h>

static const struct memory_family families[] = {
	/* windows */
	{ .arch = "gemma2", .window = 4096, .period = 2 },
	{ .arch = "gemma3", .period = 6 },
	{ .arch = "gemma3n", .period = 5, .own_caches = 20 },
	{ .arch = "cohere2", .period = 4 },
	{ .arch = "olmo2", .period = 4 },
	{ .arch = "exaone4", .window = 4096, .period = 4, .fixed_window = true, .window_said = true, .only_layers = 64 },
	{ .arch = "exaone-moe", .period = 4 },
	{ .arch = "gpt-oss", .period = 2 },
	{ .arch = "smallthinker", .window = 4096, .period = 4, .fixed_window = true, .window_said = true, .dense_first = true },
	{ .arch = "afmoe", .period = 4 },
	{ .arch = "llama4", .window = 8192, .period = 4, .fixed_window = true },
	{ .arch = "phi3", .ignores_window = true },
	{ .arch = "t5", .biased = true },
	/* states beside attention */
	{ .arch = "jamba", .state = STATE_NO_HEADS },
	{ .arch = "granitehybrid", .state = STATE_NO_HEADS },
	{ .arch = "lfm2", .state = STATE_NO_HEADS },
	{ .arch = "lfm2moe", .state = STATE_NO_HEADS },
	{ .arch = "plamo2", .state = STATE_NO_HEADS },
	{ .arch = "kimi-linear", .state = STATE_NO_HEADS },
	{ .arch = "nemotron_h", .state = STATE_NO_HEADS_NO_FF },
	{ .arch = "nemotron_h_moe", .state = STATE_NO_HEADS_NO_FF },
	{ .arch = "falcon-h1", .state = STATE_ALL },
	{ .arch = "qwen3next", .state = STATE_BUT_EVERY },
	{ .arch = "qwen35", .state = STATE_BUT_EVERY },
	{ .arch = "qwen35moe", .state = STATE_BUT_EVERY },
	/* states alone */
	{ .arch = "mamba", .kind = MEMORY_RECURRENT },
	{ .arch = "mamba2", .kind = MEMORY_RECURRENT },
	{ .arch = "rwkv6", .kind = MEMORY_RECURRENT },
	{ .arch = "rwkv6qwen2", .kind = MEMORY_RECURRENT },
	{ .arch = "rwkv7", .kind = MEMORY_RECURRENT },
	{ .arch = "arwkv7", .kind = MEMORY_RECURRENT },
	/* all tokens are seen at once: nothing is kept */
	{ .arch = "bert", .kind = MEMORY_ENCODER },
	{ .arch = "nomic-bert", .kind = MEMORY_ENCODER },
	{ .arch = "nomic-bert-moe", .kind = MEMORY_ENCODER },
	{ .arch = "jina-bert-v2", .kind = MEMORY_ENCODER },
	{ .arch = "jina-bert-v3", .kind = MEMORY_ENCODER },
	{ .arch = "neo-bert", .kind = MEMORY_ENCODER },
	{ .arch = "modern-bert", .kind = MEMORY_ENCODER },
	{ .arch = "eurobert", .kind = MEMORY_ENCODER },
	{ .arch = "gemma-embedding", .kind = MEMORY_ENCODER },
	{ .arch = "llama-embed", .kind = MEMORY_ENCODER },
	{ .arch = "t5encoder", .kind = MEMORY_ENCODER },
	{ .arch = "wavtokenizer-dec", .kind = MEMORY_ENCODER },
	{ .arch = "dream", .kind = MEMORY_ENCODER },
	{ .arch = "llada", .kind = MEMORY_ENCODER },
	{ .arch = "llada-moe", .kind = MEMORY_ENCODER },
	{ .arch = "rnd1", .kind = MEMORY_ENCODER },
};

static const struct memory_family plain = { .arch = "" };

const struct memory_family *memory_family_find(const char *arch)
{
	for (size_t i = 0; i < sizeof families / sizeof *families; i++)
		if (!strcmp(families[i].arch, arch))
			return &families[i];
	return &plain;
}
