/*
 * stepread.c - the "normalizer", "pre_tokenizer" and "decoder" of a tokenizer.json, compiled to primitive steps: a
 * table of types, each a few steps. Refuses types that it does not know.
 */
#include "steps.h"

#include <stdlib.h>
#include <string.h>

#define MAX_NODES 32

/* GPT-2's own pattern, which ByteLevel splits with */
#define GPT2_PATTERN "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define WORD "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\x{200c}\\x{200d}"

static struct heft_str str(const char *z)
{
	return (struct heft_str){ z, strlen(z) };
}

static struct heft_str keep(struct heft_str s, struct arena *a)
{
	return (struct heft_str){ arena_memdup(a, s.p, s.n), s.n };
}

static struct step *add(struct steps *s, enum step_kind kind)
{
	struct step *step;

	if (s->n == s->cap)
		s->step = arena_grow(s->arena, s->step, &s->cap, s->n + 1, sizeof(*s->step));
	step = &s->step[s->n++];
	*step = (struct step){ .kind = kind };
	return step;
}

static int add_regex(struct steps *s, struct step step, struct heft_str pattern, struct heft_err *err)
{
	step.regex = pattern_new(pattern, err);
	if (!step.regex)
		return -1;
	step.pattern = keep(pattern, s->arena);
	*add(s, step.kind) = step;
	return 0;
}

static int add_split(struct steps *s, const char *pattern, enum behavior behavior, bool invert, struct heft_err *err)
{
	return add_regex(s, (struct step){ .kind = STEP_SPLIT, .behavior = behavior, .invert = invert }, str(pattern),
			 err);
}

static int add_replace(struct steps *s, const char *pattern, const char *text, struct heft_err *err)
{
	return add_regex(s, (struct step){ .kind = STEP_REPLACE, .text = str(text) }, str(pattern), err);
}

/* "pattern": { "Regex": ... } or { "String": ... }, or a plain text */
static int add_pattern(struct steps *s, struct step step, const struct json *pattern, struct heft_err *err)
{
	struct heft_str text;

	if (json_str(json_get(pattern, "Regex"), &text))
		return add_regex(s, step, text, err);
	if ((!json_str(json_get(pattern, "String"), &text) && !json_str(pattern, &text)) || !text.n)
		return heft_fail(err, HEFT_E_TOKENIZER, "tokenizer.json: a step has no usable pattern");
	step.literal = keep(text, s->arena);
	*add(s, step.kind) = step;
	return 0;
}

static bool flag(const struct json *j, const char *key, bool otherwise)
{
	bool b;

	return json_bool(json_get(j, key), &b) ? b : otherwise;
}

/* ---- normalizers ------------------------------------------------------------------------------------------------ */

static int read_form(struct steps *s, const struct json *j, const char *type, struct heft_err *err)
{
	static const char *const name[] = {
		[FORM_NFC] = "NFC", [FORM_NFD] = "NFD", [FORM_NFKC] = "NFKC", [FORM_NFKD] = "NFKD"
	};

	for (int form = FORM_NFC; form <= FORM_NFKD; form++)
		if (!strcmp(name[form], type))
			add(s, STEP_FORM)->form = (enum form)form;
	return 0;
}

static int read_lower(struct steps *s, const struct json *j, const char *type, struct heft_err *err)
{
	add(s, STEP_LOWER);
	return 0;
}

static int read_strip(struct steps *s, const struct json *j, const char *type, struct heft_err *err)
{
	if (flag(j, "strip_left", true) && add_replace(s, "\\A\\s+", "", err))
		return -1;
	return flag(j, "strip_right", true) ? add_replace(s, "\\s+\\z", "", err) : 0;
}

static int read_strip_accents(struct steps *s, const struct json *j, const char *type, struct heft_err *err)
{
	return add_replace(s, "\\p{M}", "", err);
}

static int read_nmt(struct steps *s, const struct json *j, const char *type, struct heft_err *err)
{
	if (add_replace(s, "[\\x01-\\x08\\x0b\\x0e-\\x1f\\x7f\\x{8f}\\x{9f}]", "", err))
		return -1;
	return add_replace(s, "[\\t\\n\\f\\r\\x{1680}\\x{200b}-\\x{200f}\\x{2028}\\x{2029}\\x{2581}\\x{feff}\\x{fffd}]",
			   " ", err);
}

/* Control characters go, all white space becomes a space; ideographs stand alone; accents go; letters become small. */
static int read_bert_normalizer(struct steps *s, const struct json *j, const char *type, struct heft_err *err)
{
	static const char ideograph[] = "[\\x{3400}-\\x{4dbf}\\x{4e00}-\\x{9fff}\\x{f900}-\\x{faff}\\x{20000}-\\x{2a6df}"
					"\\x{2a700}-\\x{2b73f}\\x{2b740}-\\x{2b81f}\\x{2b920}-\\x{2ceaf}\\x{2f800}-\\x{2fa1f}]";
	bool lower = flag(j, "lowercase", true);

	if (flag(j, "clean_text", true) &&
	    (add_replace(s, "[\\x{fffd}[\\p{Cc}\\p{Cf}\\p{Co}&&[^\\t\\n\\r]]]", "", err) || add_replace(s, "\\s", " ", err)))
		return -1;
	if (flag(j, "handle_chinese_chars", true) &&
	    (add_replace(s, arena_printf(s->arena, "(?=%s)", ideograph), " ", err) ||
	     add_replace(s, arena_printf(s->arena, "(?<=%s)", ideograph), " ", err)))
		return -1;
	if (flag(j, "strip_accents", lower)) {
		add(s, STEP_FORM)->form = FORM_NFD;
		if (add_replace(s, "\\p{Mn}", "", err))
			return -1;
	}
	return lower ? read_lower(s, j, type, err) : 0;
}

static int read_precompiled(struct steps *s, const struct json *j, const char *type, struct heft_err *err)
{
	struct heft_str text, bytes;

	if (!json_str(json_get(j, "precompiled_charsmap"), &text))
		return 0; /* no rules */
	if (!base64_read(text, &bytes, s->arena))
		return heft_fail(err, HEFT_E_TOKENIZER, "tokenizer.json: precompiled_charsmap is no base64 text");
	add(s, STEP_CHARSMAP)->text = bytes;
	return 0;
}

static int read_replace(struct steps *s, const struct json *j, const char *type, struct heft_err *err)
{
	struct heft_str text = { "", 0 };

	json_str(json_get(j, "content"), &text);
	return add_pattern(s, (struct step){ .kind = STEP_REPLACE, .text = keep(text, s->arena) },
			   json_get(j, "pattern"), err);
}

static int read_prepend(struct steps *s, const struct json *j, const char *type, struct heft_err *err)
{
	struct heft_str text = { "", 0 };

	json_str(json_get(j, "prepend"), &text);
	add(s, STEP_PREPEND)->text = keep(text, s->arena);
	return 0;
}

static int read_bytes(struct steps *s, const struct json *j, const char *type, struct heft_err *err)
{
	add(s, STEP_BYTES);
	return 0;
}

/* ---- pre-tokenizers --------------------------------------------------------------------------------------------- */

static int behavior_of(const struct json *j, enum behavior *out, struct heft_err *err)
{
	static const struct {
		const char *name;
		enum behavior behavior;
	} row[] = {
		{ "Isolated", ISOLATED },
		{ "Removed", REMOVED },
		{ "Contiguous", CONTIGUOUS },
		{ "MergedWithPrevious", MERGED_WITH_PREVIOUS },
		{ "MergedWithNext", MERGED_WITH_NEXT },
	};
	const char *name = json_cstr(j);

	for (size_t i = 0; name && i < sizeof(row) / sizeof(*row); i++)
		if (!strcmp(row[i].name, name)) {
			*out = row[i].behavior;
			return 0;
		}
	return heft_fail(err, HEFT_E_TOKENIZER, "tokenizer.json: no split behaves as '%s'", name ? name : "");
}

static int read_split(struct steps *s, const struct json *j, const char *type, struct heft_err *err)
{
	struct step step = { .kind = STEP_SPLIT, .invert = flag(j, "invert", false) };

	if (behavior_of(json_get(j, "behavior"), &step.behavior, err))
		return -1;
	return add_pattern(s, step, json_get(j, "pattern"), err);
}

static int read_byte_level(struct steps *s, const struct json *j, const char *type, struct heft_err *err)
{
	if (flag(j, "add_prefix_space", false)) {
		struct step *step = add(s, STEP_PREPEND);
		step->text = str(" ");
		step->prepend = PREPEND_UNLESS_THERE;
	}
	if (flag(j, "use_regex", true) && add_split(s, GPT2_PATTERN, ISOLATED, false, err))
		return -1;
	return read_bytes(s, j, type, err);
}

static int read_digits(struct steps *s, const struct json *j, const char *type, struct heft_err *err)
{
	return add_split(s, "\\p{N}", flag(j, "individual_digits", false) ? ISOLATED : CONTIGUOUS, false, err);
}

static int read_punctuation(struct steps *s, const struct json *j, const char *type, struct heft_err *err)
{
	enum behavior behavior = ISOLATED;

	if (json_get(j, "behavior") && behavior_of(json_get(j, "behavior"), &behavior, err))
		return -1;
	return add_split(s, "[\\p{P}$+<=>^`|~]", behavior, false, err);
}

static int read_whitespace(struct steps *s, const struct json *j, const char *type, struct heft_err *err)
{
	return add_split(s, "[" WORD "]+|[^" WORD "\\s]+", REMOVED, true, err);
}

static int read_whitespace_split(struct steps *s, const struct json *j, const char *type, struct heft_err *err)
{
	return add_split(s, "\\s", REMOVED, false, err);
}

static int read_bert(struct steps *s, const struct json *j, const char *type, struct heft_err *err)
{
	return read_whitespace_split(s, j, type, err) || read_punctuation(s, NULL, type, err) ? -1 : 0;
}

static int read_delimiter(struct steps *s, const struct json *j, const char *type, struct heft_err *err)
{
	return add_pattern(s, (struct step){ .kind = STEP_SPLIT, .behavior = REMOVED }, json_get(j, "delimiter"), err);
}

static int read_fixed_length(struct steps *s, const struct json *j, const char *type, struct heft_err *err)
{
	uint64_t n = 5;

	if (json_get(j, "length") && (!json_uint(json_get(j, "length"), &n) || !n || n > 10000))
		return heft_fail(err, HEFT_E_TOKENIZER, "tokenizer.json: FixedLength has no usable length");
	return add_split(s, arena_printf(s->arena, "[\\s\\S]{1,%u}", (unsigned)n), ISOLATED, false, err);
}

static struct heft_str replacement_of(const struct json *j, struct arena *a)
{
	struct heft_str mark = str("\xe2\x96\x81");

	json_str(json_get(j, "replacement"), &mark);
	return keep(mark, a);
}

static bool scheme_is(const struct json *j, const char *name)
{
	const char *scheme = json_cstr(json_get(j, "prepend_scheme"));

	if (!flag(j, "add_prefix_space", true))
		scheme = "never";
	return !strcmp(scheme ? scheme : "always", name);
}

static int read_metaspace(struct steps *s, const struct json *j, const char *type, struct heft_err *err)
{
	struct heft_str mark = replacement_of(j, s->arena);
	struct step *step = add(s, STEP_REPLACE);

	step->literal = str(" ");
	step->text = mark;
	if (!scheme_is(j, "never")) {
		step = add(s, STEP_PREPEND);
		step->text = mark;
		step->prepend = scheme_is(j, "first") ? PREPEND_FIRST_UNLESS_THERE : PREPEND_UNLESS_THERE;
	}
	if (flag(j, "split", true)) {
		step = add(s, STEP_SPLIT);
		step->literal = mark;
		step->behavior = MERGED_WITH_NEXT;
	}
	return 0;
}

/* ---- decoders: of one token that stands alone
 * --------------------------------------------------------------------- */

static int read_unbytes(struct steps *s, const struct json *j, const char *type, struct heft_err *err)
{
	add(s, STEP_UNBYTES);
	return 0;
}

static int read_unhex(struct steps *s, const struct json *j, const char *type, struct heft_err *err)
{
	add(s, STEP_UNHEX);
	return 0;
}

static int read_fuse(struct steps *s, const struct json *j, const char *type, struct heft_err *err)
{
	return 0; /* joins tokens; one is joined already */
}

static int read_cut(struct steps *s, const struct json *j, const char *type, struct heft_err *err)
{
	static const struct {
		enum step_kind kind;
		const char *key;
	} row[] = { { STEP_CUT, "start" }, { STEP_CUT_END, "stop" } };
	struct heft_str text = { "", 0 };

	json_str(json_get(j, "content"), &text);
	for (size_t i = 0; i < 2; i++) {
		struct step *step = add(s, row[i].kind);
		uint64_t n = 0;
		step->text = keep(text, s->arena);
		json_uint(json_get(j, row[i].key), &n);
		step->n = (size_t)n;
	}
	return 0;
}

static int read_unmetaspace(struct steps *s, const struct json *j, const char *type, struct heft_err *err)
{
	struct step *step = add(s, STEP_REPLACE);

	step->literal = replacement_of(j, s->arena);
	step->text = str(scheme_is(j, "never") ? " " : "");
	return 0;
}

static int read_suffix(struct steps *s, const struct json *j, const char *type, struct heft_err *err)
{
	struct heft_str suffix = str("</w>");
	struct step *step = add(s, STEP_REPLACE);

	json_str(json_get(j, "suffix"), &suffix);
	step->literal = keep(suffix, s->arena);
	step->text = str("");
	return 0;
}

/* ---- the tables
 * --------------------------------------------------------------------------------------------------- */

typedef int read_fn(struct steps *s, const struct json *j, const char *type, struct heft_err *err);
struct type {
	const char *name;
	read_fn *read;
};

static const struct type normalizers[] = {
	{ "NFC", read_form },
	{ "NFD", read_form },
	{ "NFKC", read_form },
	{ "NFKD", read_form },
	{ "Lowercase", read_lower },
	{ "Strip", read_strip },
	{ "StripAccents", read_strip_accents },
	{ "Nmt", read_nmt },
	{ "Replace", read_replace },
	{ "Prepend", read_prepend },
	{ "ByteLevel", read_bytes },
	{ "BertNormalizer", read_bert_normalizer },
	{ "Precompiled", read_precompiled },
	{ NULL, NULL },
};
static const struct type pre_tokenizers[] = {
	{ "ByteLevel", read_byte_level },
	{ "Split", read_split },
	{ "Digits", read_digits },
	{ "Metaspace", read_metaspace },
	{ "Punctuation", read_punctuation },
	{ "Whitespace", read_whitespace },
	{ "WhitespaceSplit", read_whitespace_split },
	{ "BertPreTokenizer", read_bert },
	{ "CharDelimiterSplit", read_delimiter },
	{ "FixedLength", read_fixed_length },
	{ NULL, NULL },
};
static const struct type decoders[] = {
	{ "ByteLevel", read_unbytes },	{ "Replace", read_replace },
	{ "ByteFallback", read_unhex }, { "Fuse", read_fuse },
	{ "Strip", read_cut },		{ "Metaspace", read_unmetaspace },
	{ "BPEDecoder", read_suffix },	{ "WordPiece", read_fuse },
	{ NULL, NULL },
};

static int read_nodes(struct steps *s, const struct json *j, const struct type *table, const char *list,
		      const char *what, struct heft_err *err)
{
	const struct json *node[MAX_NODES];
	int64_t n = json_flatten(j, list, node, MAX_NODES);

	if (n < 0)
		return heft_fail(err, HEFT_E_TOKENIZER, "tokenizer.json: the %s has more than %d parts", what,
				 MAX_NODES);
	for (int64_t i = 0; i < n; i++) {
		const char *type = json_cstr(json_get(node[i], "type"));
		const struct type *t = table;
		while (t->name && (!type || strcmp(t->name, type)))
			t++;
		if (!t->name)
			return heft_fail(err, HEFT_E_TOKENIZER, "tokenizer.json: heft does not know a %s of type '%s'",
					 what, type ? type : "");
		if (t->read(s, node[i], type, err))
			return -1;
	}
	return 0;
}

int steps_normalizer(struct steps *s, const struct json *j, struct heft_err *err)
{
	return read_nodes(s, j, normalizers, "normalizers", "normalizer", err);
}

int steps_pre_tokenizer(struct steps *s, const struct json *j, struct heft_err *err)
{
	return read_nodes(s, j, pre_tokenizers, "pretokenizers", "pre-tokenizer", err);
}

int steps_decoder(struct steps *s, const struct json *j, struct heft_err *err)
{
	return read_nodes(s, j, decoders, "decoders", "decoder", err);
}

void steps_release(struct steps *s)
{
	for (size_t i = 0; i < s->n; i++)
		pattern_free(s->step[i].regex);
	s->n = 0;
}
