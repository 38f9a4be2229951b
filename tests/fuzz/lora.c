/* Any bytes as an adapter: what is understood has both factors, which fit each other, and a scale. */
#include <math.h>
#include <stdlib.h>

#include "tests/adapter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_pair(const struct lora_pair *p)
{
	if (!p->a || !p->b || !p->target || !p->rank || !p->in || !p->out || !isfinite(p->scale) || p->scale == 0)
		abort();
	if (heft_tensor_count(p->a) != p->matrices * p->rank * p->in || heft_tensor_count(p->b) != p->matrices * p->rank * p->out)
		abort();
	if (p->magnitude && heft_tensor_count(p->magnitude) != p->out)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct adapter t;
	struct heft_err err;

	if (!adapter_read(&t, data, size, &err)) {
		if (t.x.n_pairs + t.x.n_wholes > t.model.n_tensors)
			abort();
		for (size_t i = 0; i < t.x.n_pairs; i++)
			check_pair(&t.x.pair[i]);
	}
	adapter_release(&t);
	return 0;
}
