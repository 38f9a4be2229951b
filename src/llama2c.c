/*
 * llama2c.c - the tokenizer of llama2.c as tokenizer.* keys.
 *
 *   tokenizer.bin    max length u32; per token: score f32, length u32, bytes
 *
 * It is a SentencePiece vocabulary with spaces for U+2581, line ends around <s> and </s>, and the character of each byte's number for the tokens
 * <0x00> to <0xFF>, which stand from 3 on: these are put back. Layout: tokenizer.py of github.com/karpathy/llama2.c.
 */
#include "llama2c.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../base/mount.h"
#include "tokenizer/tokenizer.h"

enum { TOKENIZER_MAX = 64 << 20, UNKNOWN = 0, BOS = 1, EOS = 2, FIRST_BYTE = 3 };
enum { TYPE_NORMAL = 1, TYPE_UNKNOWN = 2, TYPE_CONTROL = 3, TYPE_BYTE = 6 }; /* llama_token_type */

struct vocabulary {
	struct heft_str *token;
	float *score;
	int32_t *type;
	uint64_t n;
	struct arena *arena;
};

static struct heft_str text_of(const char *s)
{
	return (struct heft_str){ s, strlen(s) };
}

/* The bytes that stand for byte b: its character in UTF-8, or its name. */
static bool is_byte(const struct vocabulary *v, uint64_t i, const char *s, size_t n)
{
	unsigned b = (unsigned)(i - FIRST_BYTE);
	char utf8[2] = { (char)b, 0 }, name[8];
	size_t len = 1;

	if (i < FIRST_BYTE || i >= FIRST_BYTE + 256)
		return false;
	if (b >= 0x80) {
		utf8[0] = (char)(0xc0 | b >> 6);
		utf8[1] = (char)(0x80 | (b & 0x3f));
		len = 2;
	}
	snprintf(name, sizeof name, "<0x%02X>", b);
	return (n == len && !memcmp(s, utf8, n)) || (n == 6 && !memcmp(s, name, n));
}

/* Spaces become U+2581, as SentencePiece writes them. */
static struct heft_str with_marks(const char *s, size_t n, struct arena *a)
{
	static const char mark[] = "\xe2\x96\x81";
	char *out = arena_alloc(a, 3 * n + 1), *to = out;

	for (size_t i = 0; i < n; i++) {
		if (s[i] == ' ')
			to = memcpy(to, mark, 3), to += 3;
		else
			*to++ = s[i];
	}
	return (struct heft_str){ out, (size_t)(to - out) };
}

static void set_token(struct vocabulary *v, uint64_t i, const char *s, size_t n)
{
	static const struct {
		const char *text;
		int32_t type;
	} special[] = { { "<unk>", TYPE_UNKNOWN }, { "<s>", TYPE_CONTROL }, { "</s>", TYPE_CONTROL } };

	v->type[i] = TYPE_NORMAL;
	if (i < FIRST_BYTE) {
		v->token[i] = text_of(special[i].text);
		v->type[i] = special[i].type;
	} else if (is_byte(v, i, s, n)) {
		v->token[i] = text_of(arena_printf(v->arena, "<0x%02X>", (unsigned)(i - FIRST_BYTE)));
		v->type[i] = TYPE_BYTE;
	} else {
		v->token[i] = with_marks(s, n, v->arena);
		v->type[i] = n ? TYPE_NORMAL : TYPE_CONTROL;
	}
}

static int parse(struct vocabulary *v, const char *p, uint64_t size, const char *path, struct heft_err *err)
{
	uint64_t at = 4;

	if (size < 4 || v->n > size / 8)
		return heft_fail(err, HEFT_E_TOKENIZER, "%s: is too short for the %" PRIu64 " tokens of the model", path, v->n);
	v->token = arena_array(v->arena, (size_t)v->n, sizeof *v->token);
	v->score = arena_array(v->arena, (size_t)v->n, sizeof *v->score);
	v->type = arena_array(v->arena, (size_t)v->n, sizeof *v->type);
	for (uint64_t i = 0; i < v->n; i++) {
		uint32_t n;

		if (size - at < 8)
			return heft_fail(err, HEFT_E_TOKENIZER, "%s: ends before token %" PRIu64 " of %" PRIu64, path, i, v->n);
		memcpy(&v->score[i], p + at, 4);
		memcpy(&n, p + at + 4, 4);
		at += 8;
		if (n > size - at)
			return heft_fail(err, HEFT_E_TOKENIZER, "%s: ends inside token %" PRIu64 " of %" PRIu64, path, i, v->n);
		set_token(v, i, p + at, n);
		at += n;
	}
	return at == size ? 0 : heft_fail(err, HEFT_E_TOKENIZER, "%s: goes on behind the %" PRIu64 " tokens of the model", path, v->n);
}

static struct heft_value array(enum heft_vtype type, const void *data, uint64_t n)
{
	return (struct heft_value){ .type = type, .array = true, .count = n, .data = data };
}

static int read_bin(struct kv_list *kv, const char *path, uint64_t n, struct heft_err *err)
{
	struct vocabulary v = { .n = n, .arena = kv->arena };
	struct source *s = source_open(path, err);
	char *text;
	int rc;

	if (!s)
		return -1;
	if (source_size(s) > TOKENIZER_MAX) {
		source_close(s);
		return heft_fail(err, HEFT_E_LIMIT, "%s: more than %d bytes", path, TOKENIZER_MAX);
	}
	text = arena_alloc(kv->arena, (size_t)source_size(s));
	rc = source_read(s, 0, text, (size_t)source_size(s), err) || parse(&v, text, source_size(s), path, err) ? -1 : 0;
	source_close(s);
	if (rc)
		return -1;
	kv_set(kv, "tokenizer.ggml.model", value_string("llama"));
	kv_set(kv, "tokenizer.ggml.tokens", array(HEFT_STRING, v.token, n));
	kv_set(kv, "tokenizer.ggml.scores", array(HEFT_F32, v.score, n));
	kv_set(kv, "tokenizer.ggml.token_type", array(HEFT_I32, v.type, n));
	kv_set(kv, "tokenizer.ggml.unknown_token_id", value_u32(UNKNOWN));
	kv_set(kv, "tokenizer.ggml.bos_token_id", value_u32(BOS));
	kv_set(kv, "tokenizer.ggml.eos_token_id", value_u32(EOS));
	return 0;
}

static int read_spm(struct kv_list *kv, const char *dir, uint64_t n, struct heft_err *err)
{
	struct tokenizer_options o = { .strategy = "spm", .vocab_size = (int64_t)n };
	struct tokenizer *t;
	struct heft_kv *v;
	size_t n_kv;
	int rc;

	if (tokenizer_open(&t, dir, &o, err))
		return -1;
	rc = tokenizer_metadata(t, &v, &n_kv, kv->arena, err);
	if (!rc)
		kv_set_all(kv, v, n_kv);
	tokenizer_close(t);
	return rc;
}

int llama2c_tokenizer(struct kv_list *kv, const char *dir, struct heft_err *err)
{
	const char *path = path_join(kv->arena, dir, "tokenizer.bin");
	uint64_t n = kv_uint(kv->v, kv->n, "llama.vocab_size", 0);

	if (path_kind(path) == PATH_FILE)
		return read_bin(kv, path, n, err);
	if (tokenizer_has(dir, "spm"))
		return read_spm(kv, dir, n, err);
	return heft_fail(err, HEFT_E_TOKENIZER,
			 "%s: neither tokenizer.bin nor tokenizer.model: put one beside the model, or name its folder with --config DIR", dir);
}
