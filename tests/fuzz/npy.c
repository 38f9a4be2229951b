/* Any bytes as a NumPy array. */
#include "container.h"

CONTAINER("npy")
