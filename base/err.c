/*
 * err.c - formats error texts so that bytes of a stranger's file stay harmless on a terminal.
 */
#include "err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "utf8.h"

/* Length of a printable character at s, or 0: control bytes, C1 controls and what is not UTF-8. */
static size_t printable(const unsigned char *s, size_t left)
{
	size_t n = utf8_length(s, left);

	return s[0] < 0x20 || s[0] == 0x7f || (s[0] == 0xc2 && n == 2 && s[1] < 0xa0) ? 0 : n;
}

static void copy_printable(char *dst, size_t cap, const char *src)
{
	const unsigned char *s = (const unsigned char *)src;
	size_t left = strlen(src), used = 0, n;

	for (; left; s += n ? n : 1, left -= n ? n : 1) {
		n = printable(s, left);
		if (used + (n ? n : 4) >= cap)
			break;
		if (n)
			memcpy(dst + used, s, n);
		else
			snprintf(dst + used, cap - used, "\\x%02x", *s);
		used += n ? n : 4;
	}
	dst[used] = 0;
}

static int fail_va(struct heft_err *err, enum heft_code code, const char *fmt, va_list ap)
{
	char raw[sizeof err->text];

	if (!err)
		return -1;
	vsnprintf(raw, sizeof raw, fmt, ap);
	copy_printable(err->text, sizeof err->text, raw);
	err->code = code;
	return -1;
}

int (heft_fail)(struct heft_err *err, enum heft_code code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fail_va(err, code, fmt, ap);
	va_end(ap);
	return -1;
}

int (heft_fail_errno)(struct heft_err *err, enum heft_code code, const char *fmt, ...)
{
	int no = errno;
	char raw[sizeof err->text];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(raw, sizeof raw, fmt, ap);
	va_end(ap);
	if (no == ENOSPC || no == EDQUOT || no == EFBIG)
		code = HEFT_E_SPACE;
	return heft_fail(err, code, "%s: %s", raw, strerror(no));
}

int sink_tell(struct sink *s, const struct heft_problem *p)
{
	if (!p->warning)
		s->errors++;
	if (s->fn) {
		s->fn(s->ctx, p);
		return 0;
	}
	if (p->warning)
		return 0;
	return heft_fail(s->err, p->code, "%s%s%s%s%s%s", p->file ? p->file : "", p->file ? ": " : "",
			 p->tensor ? "tensor '" : "", p->tensor ? p->tensor : "", p->tensor ? "': " : "", p->text);
}

int sink_tellf(struct sink *s, enum heft_code code, const char *file, const char *tensor, const char *hint, const char *fmt, ...)
{
	struct heft_problem p = { .code = code, .file = file, .tensor = tensor, .hint = hint };
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	p.text = text;
	return sink_tell(s, &p);
}

const char *heft_code_text(enum heft_code code)
{
	static const struct {
		enum heft_code code;
		const char *text;
	} rows[] = {
#define X(name, number, text) { HEFT_E_##name, text },
		HEFT_CODES(X)
#undef X
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].code == code)
			return rows[i].text;
	return NULL;
}
