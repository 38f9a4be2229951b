/* Any bytes as a GGUF file. */
#include "container.h"

CONTAINER("gguf")
