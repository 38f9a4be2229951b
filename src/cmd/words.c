/*
 * words.c owns the sets of words that an option or operand may take, and the search for the word that was meant.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cmd.h"
#include "heft_coreml.h"

static const char *recipe_at(size_t i)
{
	const struct heft_recipe_info *r;

	return i < heft_recipes(&r) ? r[i].name : NULL;
}

static bool is_recipe(const char *name)
{
	const char *r;

	for (size_t i = 0; (r = recipe_at(i)); i++)
		if (!strcasecmp(r, name))
			return true;
	return false;
}

/* Of Core ML, but floats, which come last: those are encodings. */
static const char *compressed_at(size_t i)
{
	const char *s = heft_coreml_type_at(i);

	return s && *s != 'f' ? s : NULL;
}

/* auto, keep, copy, recipes, then the encodings that are not recipes by the same name. */
static const char *type_at(size_t i)
{
	static const char *const special[] = { "auto", "keep", "copy" };
	size_t n = sizeof special / sizeof *special, recipes = 0;
	const struct heft_encoding *e;

	if (i < n)
		return special[i];
	i -= n;
	while (recipe_at(recipes))
		recipes++;
	if (i < recipes)
		return recipe_at(i);
	i -= recipes;
	for (size_t k = 0; (e = heft_encoding_at(k)); k++)
		if (heft_encoding_can_encode(e) && !is_recipe(heft_encoding_name(e)) && !i--)
			return heft_encoding_name(e);
	return compressed_at(i);
}

/* What `heft quantize` takes for TYPE. */
static const char *recipe_or_copy_at(size_t i)
{
	return i ? recipe_at(i - 1) : "copy";
}

static const char *encoding_at(size_t i)
{
	const struct heft_encoding *e;

	for (size_t k = 0; (e = heft_encoding_at(k)); k++)
		if (heft_encoding_can_encode(e) && !i--)
			return heft_encoding_name(e);
	return NULL;
}

static const char *format_at(size_t i)
{
	const struct heft_format_info *f;
	size_t n = heft_formats(&f);

	for (size_t k = 0; k < n; k++)
		if (f[k].writes && !i--)
			return f[k].name;
	return NULL;
}

static const char *tool_at(size_t i)
{
	for (size_t k = 0; tools[k]; k++)
		if (!i--)
			return tools[k]->name;
	return NULL;
}

static const char *mlx_at(size_t i)
{
	return heft_target_type_at("mlx", i);
}

static const struct {
	const char *name;
	const char *(*at)(size_t i);
} sets[] = {
	{ "type", type_at },
	{ "recipe", recipe_or_copy_at },
	{ "encoding", encoding_at },
	{ "format", format_at },
	{ "target", heft_target_at },
	{ "mlx-type", mlx_at },
	{ "coreml-type", heft_coreml_type_at },
	{ "tool", tool_at },
};

static bool is_path_word(const char *s, size_t n)
{
	return (n == 4 && !memcmp(s, "file", 4)) || (n == 3 && !memcmp(s, "dir", 3));
}

/* Word i, where it belongs to this alternative, a word or a set; *before counts the words passed. */
static const char *alternative_at(const char *s, size_t length, size_t i, size_t *before, struct word *w)
{
	const char *(*at)(size_t) = NULL;
	const char *word;

	for (size_t k = 0; k < sizeof sets / sizeof *sets && !at; k++)
		if (strlen(sets[k].name) == length && !memcmp(sets[k].name, s, length))
			at = sets[k].at;
	if (at) {
		for (size_t k = 0; (word = at(k)); k++, ++*before)
			if (*before == i) {
				snprintf(w->s, sizeof w->s, "%s", word);
				return w->s;
			}
		return NULL;
	}
	if (is_path_word(s, length) || !length || (*before)++ != i)
		return NULL;
	snprintf(w->s, sizeof w->s, "%.*s", (int)length, s);
	return w->s;
}

bool word_at(const char *complete, size_t i, struct word *w)
{
	size_t n, before = 0;

	for (const char *s = complete; s; s = s[n] ? s + n + 1 : NULL) {
		n = strcspn(s, "|");
		if (alternative_at(s, n, i, &before, w))
			return true;
	}
	return false;
}

bool word_open(const char *complete)
{
	size_t n;

	for (const char *s = complete; s; s = s[n] ? s + n + 1 : NULL) {
		n = strcspn(s, "|");
		if (is_path_word(s, n))
			return true;
	}
	return !complete;
}

bool word_known(const char *complete, const char *value)
{
	struct word w;

	for (size_t i = 0; word_at(complete, i, &w); i++)
		if (!strcasecmp(w.s, value))
			return true;
	return false;
}

static size_t least(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;

	return m < c ? m : c;
}

/* Without what people leave out: Q4KM, keepsplit. */
static bool without_marks(const char *s, char *out, size_t size)
{
	size_t n = 0;

	for (; *s && n + 1 < size; s++)
		if (*s != '_' && *s != '-')
			out[n++] = *s;
	out[n] = '\0';
	return !*s;
}

/* Damerau-Levenshtein distance in optimal string alignment: one for each letter added, lost, changed or swapped. */
static size_t distance(const char *typed, const char *candidate)
{
	enum { MAX = 40 };
	char a[MAX + 1] = "", b[MAX + 1] = "";
	size_t d[MAX + 1][MAX + 1], n, m;

	if (!without_marks(typed, a, sizeof a) || !without_marks(candidate, b, sizeof b))
		return SIZE_MAX;
	n = strlen(a);
	m = strlen(b);
	for (size_t i = 0; i <= n; i++)
		d[i][0] = i;
	for (size_t j = 0; j <= m; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= n; i++)
		for (size_t j = 1; j <= m; j++) {
			bool same = (a[i - 1] | 32) == (b[j - 1] | 32);
			d[i][j] = least(d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + !same);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1, SIZE_MAX);
		}
	return d[n][m];
}

static size_t same_start(const char *a, const char *b)
{
	size_t n = 0;

	while (a[n] && (a[n] | 32) == (b[n] | 32))
		n++;
	return n;
}

bool word_nearer(const char *typed, const char *candidate, size_t *best)
{
	enum { STEP = 64 }; /* of words equally near, the one with the longest common start */
	size_t n = strlen(typed), d = distance(typed, candidate), rank;

	if (n > 2 && !strncasecmp(typed, candidate, n))
		d = 1; /* the beginning of a word */
	if (d > (n + 1) / 3 || d >= strlen(candidate))
		return false;
	rank = (d + 1) * STEP - same_start(typed, candidate) % STEP;
	if (rank >= *best)
		return false;
	*best = rank;
	return true;
}

bool word_nearest(const char *complete, const char *value, struct word *w)
{
	size_t best = SIZE_MAX;
	struct word it;

	for (size_t i = 0; word_at(complete, i, &it); i++)
		if (word_nearer(value, it.s, &best))
			*w = it;
	return best != SIZE_MAX;
}
