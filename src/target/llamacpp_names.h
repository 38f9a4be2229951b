/* llamacpp_names.h - what a model's name says, for the files of the llama.cpp target. */
#ifndef LLAMACPP_NAMES_H
#define LLAMACPP_NAMES_H

#include "../../base/arena.h"

#include <stdbool.h>
#include <stdint.h>

/* The parts of a model id "Org/Base-7B-Chat-v2". NULL: it says nothing of that. */
enum id_part { ID_NONE, ID_NAME, ID_ORGANIZATION, ID_BASENAME, ID_FINETUNE, ID_VERSION, ID_SIZE_LABEL, ID_PARTS };
struct model_id {
	const char *part[ID_PARTS];
};

/* total_params tells a size ("7B") from a context length ("32k"); 0 where it is not known; negative: of an adapter, which
 * changes so many of a larger model. */
void model_id_parse(struct model_id *out, const char *id, int64_t total_params, struct arena *a);

/* "llama-3.1 instruct" becomes "Llama 3.1 Instruct"; acronyms and versions stay. */
const char *model_id_title(const char *id, struct arena *a);

/* The model id that a path speaks of: the last directory, or the repository of a Hub cache's snapshot. "" where it says
 * none. */
const char *model_id_of_path(const char *path, bool is_file, struct arena *a);

#endif
