/*
 * memory_words.c - sizes, numbers of tokens, and the line of words that a user says a machine with: "24G ctx=16k kv=q8_0".
 */
#include "heft_memory.h"

#include <string.h>
#include <strings.h>

#include "../base/err.h"

/* Digits with a fraction of up to six; *at behind them. In millionths, so that 1.5G is exact. */
static bool decimal(const char **at, uint64_t *millionths)
{
	uint64_t whole = 0, part = 0, scale = 1000000;
	const char *s = *at;

	if (*s < '0' || *s > '9')
		return false;
	for (; *s >= '0' && *s <= '9'; s++)
		if ((whole = whole * 10 + (uint64_t)(*s - '0')) > 1000000000000)
			return false;
	if (*s == '.')
		for (s++; *s >= '0' && *s <= '9' && scale > 1; s++)
			part += (uint64_t)(*s - '0') * (scale /= 10);
	*millionths = whole * 1000000 + part;
	*at = s;
	return true;
}

enum { LEAST = 1 << 20 }; /* 24 means 24G, but does not say so */

struct unit {
	const char *name;
	uint64_t bytes;
};

static const struct unit sizes[] = {
	{ "", 1 }, { "b", 1 },
	{ "k", 1ull << 10 }, { "kib", 1ull << 10 }, { "kb", 1000 },
	{ "m", 1ull << 20 }, { "mib", 1ull << 20 }, { "mb", 1000000 },
	{ "g", 1ull << 30 }, { "gib", 1ull << 30 }, { "gb", 1000000000 },
	{ "t", 1ull << 40 }, { "tib", 1ull << 40 }, { "tb", 1000000000000 },
};

static const struct unit counts[] = { { "", 1 }, { "k", 1 << 10 }, { "m", 1 << 20 } };

static bool parse(const char *s, const struct unit *unit, size_t n, uint64_t *out)
{
	unsigned __int128 product;
	uint64_t millionths;

	if (!decimal(&s, &millionths))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!strcasecmp(s, unit[i].name)) {
			product = (unsigned __int128)millionths * unit[i].bytes / 1000000;
			*out = (uint64_t)product;
			return product && product < INT64_MAX;
		}
	return false;
}

int heft_memory_size(const char *s, uint64_t *out, struct heft_err *err)
{
	if (parse(s, sizes, sizeof sizes / sizeof *sizes, out))
		return *out >= LEAST ? 0 : heft_fail(err, HEFT_E_OPTION, "'%s' is less than 1 MiB of memory: a unit lacks, as in 24G", s);
	return heft_fail(err, HEFT_E_OPTION, "'%s' is not a size of memory: write it like 24G, 512M or 1.5G (powers of 1024; 24GB is 24 * 1000^3)", s);
}

int heft_memory_tokens(const char *s, uint64_t *out, struct heft_err *err)
{
	if (parse(s, counts, sizeof counts / sizeof *counts, out) && *out <= 1 << 28)
		return 0;
	return heft_fail(err, HEFT_E_OPTION, "'%s' is not a number of tokens: write it like 4096 or 32k", s);
}

/* ---- the line ---- */

static int set_type(const struct heft_encoding **out, const char *s, struct heft_err *err)
{
	*out = heft_memory_type(s);
	return *out ? 0 : heft_fail(err, HEFT_E_OPTION, "'%s' is no type of a cache: f16, bf16, f32, q8_0, q5_1, q5_0, q4_1, q4_0 or iq4_nl", s);
}

static int set_small(uint32_t *out, const char *s, struct heft_err *err)
{
	uint64_t n;

	if (heft_memory_tokens(s, &n, err))
		return -1;
	*out = (uint32_t)n;
	return 0;
}

static int set_flash(struct heft_memory_options *o, const char *s, struct heft_err *err)
{
	if (strcasecmp(s, "on") && strcasecmp(s, "off"))
		return heft_fail(err, HEFT_E_OPTION, "fa=%s: on or off", s);
	o->no_flash = !strcasecmp(s, "off");
	return 0;
}

static int set_word(struct heft_memory_options *o, const char *key, const char *value, struct heft_err *err)
{
	if (!strcasecmp(key, "ctx"))
		return heft_memory_tokens(value, &o->context, err);
	if (!strcasecmp(key, "kv"))
		return set_type(&o->k, value, err) || set_type(&o->v, value, err) ? -1 : 0;
	if (!strcasecmp(key, "k"))
		return set_type(&o->k, value, err);
	if (!strcasecmp(key, "v"))
		return set_type(&o->v, value, err);
	if (!strcasecmp(key, "ubatch"))
		return set_small(&o->ubatch, value, err);
	if (!strcasecmp(key, "seqs"))
		return set_small(&o->sequences, value, err);
	if (!strcasecmp(key, "fa"))
		return set_flash(o, value, err);
	return heft_fail(err, HEFT_E_OPTION, "'%s=%s' is not known: ctx=, kv=, k=, v=, ubatch=, seqs= and fa= are", key, value);
}

int heft_memory_parse(const char *text, uint64_t *size, struct heft_memory_options *o, struct heft_err *err)
{
	char copy[256], *rest = NULL, *word, *value;
	bool sized = false;

	if (strlen(text) >= sizeof copy)
		return heft_fail(err, HEFT_E_OPTION, "'%.40s...' is too long: it is like 24G ctx=16k kv=q8_0", text);
	strcpy(copy, text);
	for (word = strtok_r(copy, " \t,", &rest); word; word = strtok_r(NULL, " \t,", &rest)) {
		value = strchr(word, '=');
		if (value)
			*value++ = '\0';
		if (value ? set_word(o, word, value, err) : sized || heft_memory_size(word, size, err))
			return value || !sized ? -1 : heft_fail(err, HEFT_E_OPTION, "'%s' is a second size: one, then words like ctx=16k", word);
		sized |= !value;
	}
	return sized ? 0 : heft_fail(err, HEFT_E_OPTION, "'%s' has no size: it is like 24G ctx=16k kv=q8_0", text);
}
