/* Any bytes as a model of llama2.c. */
#include "container.h"

CONTAINER("llama2c")
