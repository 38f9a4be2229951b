/*
 * heft_mac.h - what the GPU of an Apple machine can hold. Beside heft.h, whose rules of errors it has.
 *
 * Memory is one for processor and GPU; Metal says how much of it the GPU may use (recommendedMaxWorkingSetSize). Apple documents no rule, so
 * the shares here are what machines have reported, and are printed with every figure that hangs on them.
 */
#ifndef HEFT_MAC_H
#define HEFT_MAC_H

#include "heft.h"

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

enum { HEFT_MAC_ASSUMPTIONS = 3 };

struct heft_mac {
	char name[32];        /* "mac 16G", "iphone 8G" */
	bool phone;           /* an iPhone or iPad: the limit is an app's */
	uint64_t memory;      /* bytes of the machine; its G are 2^30 */
	uint64_t working_set; /* bytes that the GPU may hold */
	const char *assumption[HEFT_MAC_ASSUMPTIONS]; /* a sentence each, which lasts; NULL past the last */
	char advice[160];     /* how to raise the limit; "" where there is no way */
};

/* "mac 16G", "mac 64", "iphone 8G" in any case: fills *out. HEFT_E_OPTION where the words are none. */
int heft_mac_parse(struct heft_mac *out, const char *words, struct heft_err *err);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif
#endif
