/* gguf.c - fuzz target: formats/gguf.c */
#include "container.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	fuzz_container("gguf", p, n);
	return 0;
}
