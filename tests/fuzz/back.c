/* Any bytes as a GGUF file on its way back to a checkpoint: plan, configuration, tokenizer files; nothing is written. */
#include "include/heft.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct heft_output_spec out = { .path = "nowhere/", .type = "bf16" };
	struct heft_job job = { .output = &out, .n_outputs = 1, .to = "safetensors", .threads = 1 };
	int fd = memfd_create("input", 0);
	char path[64];
	struct heft_model *m;
	struct heft_plan *p;
	struct heft_err err;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	if (!heft_open(&m, path, NULL, &err)) {
		if (!heft_plan_new(&p, m, &job, &err))
			heft_plan_free(p);
		heft_close(m);
	}
	close(fd);
	return 0;
}
