/*
 * pre.c - names a pre-tokenizer by what it does to the check text.
 */
#include "pre.h"
#include "../../base/sha256.h"

#include <stdlib.h>
#include <string.h>

int pre_hash(const struct encoder *e, char hex[65], struct heft_err *err)
{
	struct ids ids = { 0 };
	struct jbuf text = { 0 };
	int rc = encoder_encode(e, (struct heft_str){ pre_check_text, strlen(pre_check_text) }, true, &ids, err);

	jbuf_raw(&text, "[", 1);
	for (size_t i = 0; i < ids.n; i++)
		jbuf_printf(&text, "%s%d", i ? ", " : "", ids.id[i]);
	jbuf_raw(&text, "]", 1);
	sha256_hex(text.p, text.n, hex);
	jbuf_release(&text);
	free(ids.id);
	return rc;
}

const char *pre_find(const char *hash)
{
	for (const struct pre_name *p = pre_names; p->hash; p++)
		if (!strcmp(p->hash, hash))
			return p->name;
	return NULL;
}

/* A pattern's part, and the names of tokenizers that split with such a pattern; the first row that fits counts. */
static const struct {
	const char *part, *names;
} families[] = {
	{ "\\p{Lu}\\p{Lt}", "gpt-4o, tekken, llama4, kimi-k2" },
	{ "\xe4\xb8\x80-\xe9\xbe\xa5", "deepseek-llm, deepseek-v3, deepseek-coder" },
	{ "\\p{L}\\p{M}]+|\\p{N}|", "qwen35" },
	{ "\\p{N}{1,3}", "llama-bpe, glm4, dbrx, smaug-bpe" },
	{ "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|", "qwen2, stablelm2, megrez" },
	{ " ?\\p{L}+| ?\\p{N}+|", "gpt-2, starcoder, mpt, olmo, refact, falcon" },
};

static bool splits_with(const struct encoder *e, const char *part)
{
	for (size_t i = 0; i < e->pre_tokenizer.n; i++) {
		struct heft_str pattern = e->pre_tokenizer.step[i].pattern;
		if (pattern.p && memmem(pattern.p, pattern.n, part, strlen(part)))
			return true;
	}
	return false;
}

const char *pre_candidates(const struct encoder *e)
{
	for (size_t i = 0; i < sizeof(families) / sizeof(*families); i++)
		if (splits_with(e, families[i].part))
			return families[i].names;
	return NULL;
}

int pre_unknown(const struct encoder *e, const char *hash, struct heft_err *err)
{
	const char *like = pre_candidates(e);

	return heft_fail(err, HEFT_E_PRETOKENIZER,
			 "the pre-tokenizer is not known (check hash %s); pass --pre NAME%s%s%s", hash,
			 like ? ", perhaps one of those that split alike: " : "", like ? like : "",
			 like ? "" : ", the name that llama.cpp has for it");
}
