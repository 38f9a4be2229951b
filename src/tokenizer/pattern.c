/*
 * pattern.c - patterns compiled and searched with Oniguruma. Refuses patterns beyond a length, and searches that go
 * back too often.
 */
#include "pattern.h"

#include <oniguruma.h>
#include <pthread.h>
#include <stdlib.h>

#define PATTERN_LIMIT 65536
#define RETRY_LIMIT 20000 /* steps back in one search, and RETRY_PER_BYTE more for each byte of the text */
#define RETRY_PER_BYTE 64
#define STACK_LIMIT 1000000 /* entries of the matcher's stack */

struct pattern {
	regex_t *re;
	OnigMatchParam *param;
	OnigRegion *region;
};

static void initialize(void)
{
	OnigEncoding encoding[] = { ONIG_ENCODING_UTF8 };

	onig_initialize(encoding, 1);
}

/* why: what the pattern has there; some messages quote it. */
static int fail(struct heft_err *err, int code, OnigErrorInfo *why, const char *what)
{
	OnigUChar text[ONIG_MAX_ERROR_MESSAGE_LEN];

	onig_error_code_to_str(text, code, why);
	return heft_fail(err, HEFT_E_TOKENIZER, "%s: %s", what, (const char *)text);
}

struct pattern *pattern_new(struct heft_str pattern, struct heft_err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	const OnigUChar *p = (const OnigUChar *)pattern.p;
	OnigErrorInfo why = { .enc = ONIG_ENCODING_UTF8 };
	struct pattern *r;
	int rc;

	pthread_once(&once, initialize);
	if (pattern.n > PATTERN_LIMIT) {
		heft_fail(err, HEFT_E_TOKENIZER, "a pattern of the tokenizer has %zu bytes; the limit is %d", pattern.n,
			  PATTERN_LIMIT);
		return NULL;
	}
	r = xmalloc(sizeof(*r));
	rc = onig_new(&r->re, p, p + pattern.n, ONIG_OPTION_NONE, ONIG_ENCODING_UTF8, ONIG_SYNTAX_DEFAULT, &why);
	if (rc != ONIG_NORMAL) {
		fail(err, rc, &why, "a pattern of the tokenizer cannot be compiled");
		free(r);
		return NULL;
	}
	r->region = onig_region_new();
	r->param = onig_new_match_param();
	if (!r->region || !r->param)
		out_of_memory(sizeof(*r));
	onig_initialize_match_param(r->param);
	onig_set_match_stack_limit_size_of_match_param(r->param, STACK_LIMIT);
	return r;
}

void pattern_free(struct pattern *r)
{
	if (!r)
		return;
	onig_free(r->re);
	onig_region_free(r->region, 1);
	onig_free_match_param(r->param);
	free(r);
}

int pattern_find(const struct pattern *r, struct heft_str text, size_t *from, size_t *to, struct heft_err *err)
{
	const OnigUChar *p = (const OnigUChar *)text.p, *end = p + text.n;
	unsigned long limit = RETRY_LIMIT + RETRY_PER_BYTE * text.n;
	OnigErrorInfo none = { .enc = ONIG_ENCODING_UTF8 };
	int rc;

	onig_set_retry_limit_in_match_of_match_param(r->param, limit);
	onig_set_retry_limit_in_search_of_match_param(r->param, limit);
	rc = onig_search_with_param(r->re, p, end, p + *from, end, r->region, ONIG_OPTION_NONE, r->param);
	if (rc == ONIG_MISMATCH)
		return 0;
	if (rc < 0)
		return fail(err, rc, &none, "a pattern of the tokenizer cannot be matched");
	*from = (size_t)r->region->beg[0];
	*to = (size_t)r->region->end[0];
	return 1;
}
