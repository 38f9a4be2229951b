/*
 * model_impostor.c - recognises what a failed download leaves in place of a model file.
 */
#include "model.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "../base/mount.h"

#define BAD_DOWNLOAD "download the file again (does the model need a login or an accepted licence?)"

static const struct impostor {
	const char *begin;
	size_t n;
	enum heft_code code;
	bool in_text; /* not what a text file begins with either */
	const char *text;
} impostors[] = {
#define IMPOSTOR(begin, code, in_text, text) { begin, sizeof(begin) - 1, HEFT_E_##code, in_text, text }
	IMPOSTOR("version https://git-lfs.github.com/spec/", LFS_POINTER, true,
		 "a Git LFS pointer stands in place of the file: run 'git lfs pull' in its folder"),
	IMPOSTOR("<!doctype", MAGIC, true, "an HTML page, not a model: " BAD_DOWNLOAD),
	IMPOSTOR("<html", MAGIC, true, "an HTML page, not a model: " BAD_DOWNLOAD),
	IMPOSTOR("<?xml", MAGIC, true, "an XML text, not a model: " BAD_DOWNLOAD),
	IMPOSTOR("{", MAGIC, false, "a JSON text, not a model: " BAD_DOWNLOAD),
	IMPOSTOR("Entry not found", MAGIC, true, "a server's error text, not a model: " BAD_DOWNLOAD),
	IMPOSTOR("Access to ", MAGIC, true, "a server's error text, not a model: " BAD_DOWNLOAD),
	IMPOSTOR("Invalid ", MAGIC, true, "a server's error text, not a model: " BAD_DOWNLOAD),
	IMPOSTOR("MZ", MAGIC, false, "a program without a model behind it (a llamafile has one)"),
	IMPOSTOR("\x7f" "ELF", MAGIC, false, "a program without a model behind it (a llamafile has one)"),
	IMPOSTOR("\x1f\x8b", MAGIC, false, "a gzip file: unpack it first"),
	IMPOSTOR("\x28\xb5\x2f\xfd", MAGIC, false, "a zstd file: unpack it first"),
	IMPOSTOR("\x89HDF", MAGIC, false, "an HDF5 file, heft reads safetensors and GGUF"),
	IMPOSTOR("tjgg", MAGIC, false, "a GGML file from before GGUF (ggjt), heft reads GGUF"),
	IMPOSTOR("fmgg", MAGIC, false, "a GGML file from before GGUF (ggmf), heft reads GGUF"),
	IMPOSTOR("lmgg", MAGIC, false, "a GGML file from before GGUF, heft reads GGUF"),
};

/* Texts may begin with white space. */
static size_t blanks(const uint8_t *head, size_t n)
{
	size_t i = 0;

	while (i < n && memchr(" \t\r\n", head[i], 4))
		i++;
	return i;
}

static bool all_zero(const uint8_t *head, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (head[i])
			return false;
	return true;
}

int model_impostor(const char *path, const uint8_t *head, size_t n, bool text, struct heft_err *err)
{
	size_t skip = blanks(head, n);

	if (!n)
		return heft_fail(err, HEFT_E_TRUNCATED, "%s: the file is empty: download it again", path);
	if (n >= 64 && all_zero(head, n))
		return heft_fail(err, HEFT_E_TRUNCATED,
				 "%s: begins with zeros: the download did not finish, download it again", path);
	for (size_t i = 0; i < sizeof impostors / sizeof *impostors; i++) {
		const struct impostor *p = &impostors[i];

		if ((p->in_text || !text) && n - skip >= p->n &&
		    !strncasecmp((const char *)head + skip, p->begin, p->n))
			return heft_fail(err, p->code, "%s: %s", path, p->text);
	}
	return 0;
}

int model_impostor_at(const char *path, struct heft_err *err)
{
	uint8_t head[4096];
	struct source *src = source_open(path, err);
	int64_t n;
	int rc;

	if (!src)
		return -1;
	n = source_peek(src, head, sizeof head, err);
	rc = n < 0 || model_impostor(path, head, (size_t)n, true, err) ? -1 : 0;
	source_close(src);
	return rc;
}

bool model_tokenizer_is_impostor(const char *dir, struct heft_err *err)
{
	static const char *const names[] = { "tokenizer.model", "tokenizer.json", "vocab.json", "merges.txt" };
	char path[4096];

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		int n = snprintf(path, sizeof path, "%s/%s", dir, names[i]);
		if ((size_t)n < sizeof path && path_kind(path) == PATH_FILE && model_impostor_at(path, err))
			return true;
	}
	return false;
}

/* "PATH: what is wrong" with a path that exists: the finding is about that file. Returns the length of PATH, or 0. */
static size_t named_file(const char *text, char *path, size_t cap)
{
	const char *end = strstr(text, ": ");
	size_t n = end ? (size_t)(end - text) : 0;

	if (!n || n >= cap)
		return 0;
	memcpy(path, text, n);
	path[n] = 0;
	return path_kind(path) == PATH_NONE ? 0 : n;
}

int model_tell_error(struct sink *sink, const struct heft_err *e, const char *file)
{
	char path[sizeof e->text];
	size_t n = named_file(e->text, path, sizeof path);
	struct heft_problem p = { .code = e->code, .file = n ? path : file, .text = e->text };

	if (n)
		p.text += n + 2; /* the finding names its file already */
	return sink_tell(sink, &p);
}
