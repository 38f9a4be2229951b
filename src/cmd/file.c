/*
 * file.c owns small texts that options name, and files that tools write beside their main output: a temporary in the same folder, made before the work begins so that a wrong
 * path is an early error, renamed when it is complete.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd.h"

static int cannot(const struct side_file *s, const char *what, struct heft_err *err)
{
	err->code = HEFT_E_WRITE;
	snprintf(err->text, sizeof err->text, "cannot %s '%s': %s", what, s->path, strerror(errno ? errno : EIO));
	return -1;
}

int side_open(struct side_file *s, const char *path, struct heft_err *err)
{
	size_t n = strlen(path) + sizeof ".XXXXXX";
	mode_t mask = umask(0);
	int fd;

	umask(mask);
	*s = (struct side_file){ .path = path, .temp = need(malloc(n)) };
	snprintf(s->temp, n, "%s.XXXXXX", path);
	fd = mkstemp(s->temp);
	if (fd < 0 || fchmod(fd, 0666 & ~mask) || !(s->f = fdopen(fd, "w"))) {
		cannot(s, "create", err);
		if (fd >= 0)
			unlink(s->temp);
		free(s->temp);
		s->temp = NULL;
		return -1;
	}
	return 0;
}

int side_close(struct side_file *s, struct heft_err *err)
{
	bool failed = fflush(s->f) || ferror(s->f) || fsync(fileno(s->f));
	int rc = 0;

	if (fclose(s->f) || failed || rename(s->temp, s->path)) {
		rc = cannot(s, "write", err);
		unlink(s->temp);
	}
	free(s->temp);
	s->temp = NULL;
	return rc;
}

void side_abandon(struct side_file *s)
{
	if (!s->temp)
		return;
	fclose(s->f);
	unlink(s->temp);
	free(s->temp);
	s->temp = NULL;
}

char *text_read(const char *path, struct heft_err *err)
{
	enum { LIMIT = 1 << 20 };
	FILE *f = fopen(path, "r");
	char *text = need(malloc(LIMIT + 1));
	size_t n = f ? fread(text, 1, LIMIT + 1, f) : 0;
	bool failed = !f || ferror(f);

	*err = (struct heft_err){ .code = f ? HEFT_E_READ : HEFT_E_OPEN };
	snprintf(err->text, sizeof err->text, "cannot %s '%s': %s", f ? "read" : "open", path, n > LIMIT ? "more than 1 MiB" : strerror(errno));
	if (f)
		fclose(f);
	if (failed || n > LIMIT) {
		free(text);
		return NULL;
	}
	text[n] = 0;
	if (strlen(text) == n)
		return text;
	snprintf(err->text, sizeof err->text, "cannot read '%s': a NUL byte is no part of a text", path);
	free(text);
	return NULL;
}
