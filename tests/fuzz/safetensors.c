/* safetensors.c - fuzz target: formats/safetensors.c */
#include "container.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	fuzz_container("safetensors", p, n);
	return 0;
}
