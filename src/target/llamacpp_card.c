/*
 * llamacpp_card.c - finds the metadata of a model card: the YAML that the Hub keeps at the head of README.md.
 *
 *	---
 *	license: apache-2.0
 *	language:
 *	- en
 *	---
 *	# The text that people read
 *
 * Anyone may write a card, so it is bounded: the first MiB is looked at, and a block that does not end within it is
 * none.
 */
#include "llamacpp_card.h"
#include "../../base/mount.h"
#include "../../base/yaml.h"

#include <string.h>

enum { CARD_LIMIT = 1 << 20 };

/* Length of the line break at p, 0 where there is none: all that Python takes for one. */
static size_t line_break(const char *p, const char *end)
{
	static const char *const breaks[] = { "\r\n", "\n", "\r", "\v", "\f", "\x1c", "\x1d", "\x1e", "\xc2\x85",
					      "\xe2\x80\xa8", "\xe2\x80\xa9" };
	for (size_t i = 0; i < sizeof(breaks) / sizeof(breaks[0]); i++) {
		size_t n = strlen(breaks[i]);
		if ((size_t)(end - p) >= n && !memcmp(p, breaks[i], n))
			return n;
	}
	return 0;
}

/* The line at *p without its break; *p moves behind it. False at the end of the text. */
static bool next_line(const char **p, const char *end, const char **line, size_t *n)
{
	const char *q = *p;
	size_t b = 0;
	if (q == end)
		return false;
	while (q < end && !(b = line_break(q, end)))
		q++;
	*line = *p;
	*n = (size_t)(q - *p);
	*p = q + b;
	return true;
}

static bool is_fence(const char *line, size_t n)
{
	return n == 3 && !memcmp(line, "---", 3);
}

/* Two repairs of what people write: Norwegian is not "false", and YAML has no tabs. */
static char *copy_line(char *o, const char *line, size_t n)
{
	bool norway = n >= 4 && !memcmp(line + n - 4, "- no", 4);
	size_t plain = norway ? n - 2 : n;
	for (size_t i = 0; i < plain; i++) {
		*o++ = line[i] == '\t' ? ' ' : line[i];
		if (line[i] == '\t')
			*o++ = ' ';
	}
	return stpcpy(o, norway ? "\"no\"\n" : "\n");
}

char *card_front_matter(const char *text, size_t n, size_t *out_n, struct arena *a)
{
	const char *p = text, *end = text + n, *line;
	size_t len;
	if (!next_line(&p, end, &line, &len) || !is_fence(line, len))
		return NULL;
	char *yaml = arena_alloc(a, 2 * n + 1), *o = yaml;
	bool more;
	while ((more = next_line(&p, end, &line, &len)) && !is_fence(line, len))
		o = copy_line(o, line, len);
	if (!more && n == CARD_LIMIT)
		return NULL;
	*out_n = (size_t)(o - yaml);
	return yaml;
}

int card_read(struct json_doc **out, const char *dir, struct arena *a, struct heft_err *err)
{
	const char *path = arena_printf(a, "%s/README.md", dir);
	*out = NULL;
	if (path_kind(path) != PATH_FILE)
		return 0;
	struct source *s = source_open(path, err);
	if (!s)
		return -1;
	size_t n = source_size(s) < CARD_LIMIT ? (size_t)source_size(s) : CARD_LIMIT;
	char *text = arena_alloc(a, n + 1), *yaml = NULL;
	int rc = source_read(s, 0, text, n, err);
	source_close(s);
	if (!rc)
		yaml = card_front_matter(text, n, &n, a);
	if (yaml && n) {
		*out = yaml_parse(yaml, n, path, err);
		rc = *out ? 0 : -1;
	}
	return rc;
}
