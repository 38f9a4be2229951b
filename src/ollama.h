/* ollama.h - models in Ollama's store: which blob a name or manifest means, and what its other layers say. */
#ifndef OLLAMA_H
#define OLLAMA_H

#include "../base/arena.h"
#include "../base/err.h"

struct ollama {
	const char *model;  /* path of the GGUF */
	struct heft_kv *kv; /* what other layers say: GGUF's own keys where it has some, "ollama.template" and the like for the texts */
	size_t n_kv;
};

/* Is `path` a manifest, or no path but the name of a model that the store has ("llama3.2:1b")? 1, 0 or -1. */
int ollama_resolve(struct ollama *out, const char *path, struct arena *a, struct heft_err *err);
bool ollama_has(const char *name); /* the store knows such a name */

#endif
