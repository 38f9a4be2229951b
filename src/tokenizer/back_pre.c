/*
 * back_pre.c - what a pre-tokenizer's name stands for, as the tokenizer.json files that llama.cpp's names were given to have it.
 * Owns the table. A name that is not here has no way back.
 */
#include "back.h"

#include <string.h>

/* In JSON inside C: each backslash of a pattern is four. */
#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define SPACES "\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"
#define WORDS "[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+"
#define MARKS " ?[^\\\\s\\\\p{L}\\\\p{N}]+"
#define UPPER "[\\\\p{Lu}\\\\p{Lt}\\\\p{Lm}\\\\p{Lo}\\\\p{M}]"
#define LOWER "[\\\\p{Ll}\\\\p{Lm}\\\\p{Lo}\\\\p{M}]"
#define LEAD "[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?"

#define SPLIT(pattern) \
	"{\"type\": \"Split\", \"pattern\": {\"Regex\": \"" pattern "\"}, \"behavior\": \"Isolated\", \"invert\": false}"
#define BYTES(regex) "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"trim_offsets\": true, \"use_regex\": " regex "}"
#define SEQUENCE(parts) "{\"type\": \"Sequence\", \"pretokenizers\": [" parts "]}"
#define SPLIT_THEN_BYTES(pattern) SEQUENCE(SPLIT(pattern) ", " BYTES("false"))
#define DIGITS "{\"type\": \"Digits\", \"individual_digits\": true}"

static const struct pre_rule rules[] = {
	{ .names = " llama-bpe llama3 llama-v3 ", .ignore_merges = true,
	  .pre_tokenizer = SPLIT_THEN_BYTES(CONTRACTIONS "|" WORDS "|\\\\p{N}{1,3}|" MARKS "[\\\\r\\\\n]*|" SPACES) },
	{ .names = " smaug-bpe ",
	  .pre_tokenizer = SPLIT_THEN_BYTES(CONTRACTIONS "|" WORDS "|\\\\p{N}{1,3}|" MARKS "[\\\\r\\\\n]*|" SPACES) },
	{ .names = " qwen2 ", .class = "Qwen2Tokenizer", .nfc = true,
	  .pre_tokenizer = SPLIT_THEN_BYTES(CONTRACTIONS "|" WORDS "|\\\\p{N}|" MARKS "[\\\\r\\\\n]*|" SPACES) },
	{ .names = " deepseek-r1-qwen ",
	  .pre_tokenizer = SPLIT_THEN_BYTES(CONTRACTIONS "|" WORDS "|\\\\p{N}|" MARKS "[\\\\r\\\\n]*|" SPACES) },
	{ .names = " gpt-2 olmo phi-2 ", .pre_tokenizer = BYTES("true") },
	{ .names = " starcoder smollm ", .pre_tokenizer = SEQUENCE(DIGITS ", " BYTES("true")) },
	{ .names = " tekken ", .ignore_merges = true,
	  .pre_tokenizer = SPLIT_THEN_BYTES(LEAD UPPER "*" LOWER "+|" LEAD UPPER "+" LOWER "*|\\\\p{N}|" MARKS "[\\\\r\\\\n/]*|" SPACES) },
	{ .names = " deepseek-v3 joyai-llm ",
	  .pre_tokenizer = SEQUENCE(SPLIT("\\\\p{N}{1,3}") ", " SPLIT("[\xe4\xb8\x80-\xe9\xbe\xa5\xe3\x81\x80-\xe3\x82\x9f\xe3\x82\xa0-\xe3\x83\xbf]+") ", "
				    SPLIT("[!\\\"#$%&'()*+,\\\\-./:;<=>?@\\\\[\\\\\\\\\\\\]^_`{|}~][A-Za-z]+"
					  "|[^\\r\\n\\\\p{L}\\\\p{P}\\\\p{S}]?[\\\\p{L}\\\\p{M}]+| ?[\\\\p{P}\\\\p{S}]+[\\r\\n]*"
					  "|\\\\s*[\\r\\n]+|\\\\s+(?!\\\\S)|\\\\s+") ", " BYTES("false")) },
};

const struct pre_rule *pre_rule_find(const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++)
		for (const char *p = rules[i].names; n && (p = strstr(p, name)); p += n)
			if (p[-1] == ' ' && p[n] == ' ')
				return &rules[i];
	return NULL;
}
