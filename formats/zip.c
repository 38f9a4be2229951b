/*
 * zip.c - the directory of a zip archive.
 *
 *	0                                                                                                        end of file
 *	+-------------+-------+--------------+ - - +-------------------+------------------+---------+-------------+
 *	| local header| bytes | [descriptor] | ... | central directory | [zip64 end, 56]  | locator | end, 22     |
 *	+-------------+-------+--------------+ - - +-------------------+------------------+---------+-------------+
 *	     30 + name + extra   12 to 24: sizes      46 + name + extra per member
 *
 * The layout is that of PKWARE's APPNOTE 6.3. Both headers of a member must say the same. Every byte of the file belongs to one of these
 * parts: nothing stands before the first member, between members, or behind the end (a comment neither). Refuses encryption, several
 * disks, names that stand twice, leave the archive's folder or are not UTF-8, flags that change how bytes are read.
 */
#include "zip.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../base/map.h"
#include "../base/utf8.h"

enum {
	LOCAL = 30, CENTRAL = 46, END = 22, LOCATOR = 20, END64 = 56,
	LOCAL_SIGN = 0x04034b50, CENTRAL_SIGN = 0x02014b50, END_SIGN = 0x06054b50, LOCATOR_SIGN = 0x07064b50, END64_SIGN = 0x06064b50,
	DESCRIPTOR_SIGN = 0x08074b50, ZIP64 = 1, /* extra field */
	HAS_DESCRIPTOR = 8, ALLOWED_FLAGS = 2 | 4 | 8 | 0x800, /* level of deflate; sizes follow; names are UTF-8 */
	DIRECTORY_MAX = 256 << 20, PIECE = 64 * 1024,
};

struct reader {
	struct zip *out;
	struct source *src;
	const char *file;
	uint64_t size; /* of the file */
	uint64_t directory, directory_size, count;
	struct arena *arena;
	struct heft_err *err;
};

static uint64_t number(const uint8_t *p, int n)
{
	uint64_t v = 0;

	while (n--)
		v = v << 8 | p[n];
	return v;
}

/* ---- the end ---- */

static int bad_end(const struct reader *r, const char *what)
{
	return heft_fail(r->err, HEFT_E_HEADER, "%s: the zip archive %s", r->file, what);
}

/* A field of the old record must say the same as the new one, or that it cannot. */
static bool agree(uint64_t old, uint64_t new, uint64_t cannot)
{
	return old == new || old == cannot;
}

static int read_end64(struct reader *r, const uint8_t *end, const uint8_t *locator)
{
	uint64_t at = number(locator + 8, 8);
	uint8_t b[END64];

	if (number(locator + 4, 4) || number(locator + 16, 4) > 1)
		return bad_end(r, "spans several disks");
	if (r->size < END + LOCATOR + END64 || at != r->size - END - LOCATOR - END64)
		return bad_end(r, "has its zip64 end elsewhere than before its end");
	if (source_read(r->src, at, b, END64, r->err))
		return -1;
	if (number(b, 4) != END64_SIGN || number(b + 4, 8) != END64 - 12)
		return bad_end(r, "has a broken zip64 end");
	r->count = number(b + 32, 8);
	r->directory_size = number(b + 40, 8);
	r->directory = number(b + 48, 8);
	if (number(b + 16, 4) || number(b + 20, 4) || number(b + 24, 8) != r->count)
		return bad_end(r, "spans several disks");
	if (!agree(number(end + 10, 2), r->count, UINT16_MAX) || !agree(number(end + 12, 4), r->directory_size, UINT32_MAX) ||
	    !agree(number(end + 16, 4), r->directory, UINT32_MAX))
		return bad_end(r, "has two ends that disagree");
	return 0;
}

static int read_end(struct reader *r)
{
	uint8_t b[LOCATOR + END] = { 0 }, *end = b + LOCATOR;
	uint64_t tail = END, behind;

	if (r->size < END)
		return heft_fail(r->err, HEFT_E_TRUNCATED, "%s: a zip archive of %" PRIu64 " bytes has no directory", r->file, r->size);
	if (source_read(r->src, r->size - END, end, END, r->err) ||
	    (r->size >= END + LOCATOR && source_read(r->src, r->size - END - LOCATOR, b, LOCATOR, r->err)))
		return -1;
	if (number(end, 4) != END_SIGN || number(end + 20, 2))
		return heft_fail(r->err, HEFT_E_TRUNCATED,
				 "%s: the zip archive does not end with its directory: the download did not finish, or something was added behind it: download it again", r->file);
	if (number(end + 4, 2) || number(end + 6, 2) || number(end + 8, 2) != number(end + 10, 2))
		return bad_end(r, "spans several disks");
	r->count = number(end + 10, 2);
	r->directory_size = number(end + 12, 4);
	r->directory = number(end + 16, 4);
	if (number(b, 4) == LOCATOR_SIGN) {
		tail += LOCATOR + END64;
		if (read_end64(r, end, b))
			return -1;
	}
	if (__builtin_add_overflow(r->directory, r->directory_size, &behind) || behind != r->size - tail)
		return bad_end(r, "has a directory that does not end where it should");
	if (r->directory_size > DIRECTORY_MAX || r->count > r->directory_size / CENTRAL)
		return bad_end(r, "has a directory whose size does not fit its number of members");
	return 0;
}

/* ---- members ---- */

static int bad_member(const struct reader *r, const struct zip_member *m, enum heft_code code, const char *what)
{
	return heft_fail(r->err, code, "%s: member '%s' of the zip archive %s", r->file, m->name, what);
}

/* Takes the zip64 field's numbers for those that are 32 ones; each must be there then. */
static bool take_zip64(const uint8_t *extra, size_t n, uint64_t *const *field, int fields)
{
	for (size_t at = 0, len; n - at >= 4; at += 4 + len) {
		const uint8_t *p = extra + at + 4;

		len = (size_t)number(extra + at + 2, 2);
		if (len > n - at - 4)
			return false;
		if (number(extra + at, 2) != ZIP64)
			continue;
		for (int i = 0; i < fields; i++) {
			if (*field[i] != UINT32_MAX)
				continue;
			if ((size_t)(extra + at + 4 + len - p) < 8)
				return false;
			*field[i] = number(p, 8);
			p += 8;
		}
		return true;
	}
	for (int i = 0; i < fields; i++)
		if (*field[i] == UINT32_MAX)
			return false;
	return true;
}

/* A plain path below the archive's root */
static bool plain_name(const char *s, size_t n)
{
	if (!n || memchr(s, 0, n) || memchr(s, '\\', n) || memchr(s, ':', n) || s[0] == '/' || !utf8_valid(s, n))
		return false;
	for (const char *p = s; p; p = strchr(p, '/') ? strchr(p, '/') + 1 : NULL)
		if (!strncmp(p, "..", 2) && (!p[2] || p[2] == '/'))
			return false;
	return true;
}

/* One entry of the directory at p, n bytes being left; *used receives its length. */
static int take_central(struct reader *r, const uint8_t *p, size_t n, struct zip_member *m, size_t *used)
{
	uint64_t *const wide[3] = { &m->plain_size, &m->size, &m->header };
	size_t name, extra;

	if (n < CENTRAL || number(p, 4) != CENTRAL_SIGN)
		return bad_end(r, "has a broken directory");
	name = (size_t)number(p + 28, 2);
	extra = (size_t)number(p + 30, 2);
	*used = CENTRAL + name + extra + (size_t)number(p + 32, 2);
	if (*used > n)
		return bad_end(r, "has a broken directory");
	*m = (struct zip_member){ .name = arena_memdup(r->arena, p + CENTRAL, name), .flags = (uint16_t)number(p + 8, 2),
				  .method = (uint16_t)number(p + 10, 2), .crc = (uint32_t)number(p + 16, 4), .size = number(p + 20, 4),
				  .plain_size = number(p + 24, 4), .header = number(p + 42, 4) };
	if (!plain_name(m->name, name))
		return bad_member(r, m, HEFT_E_HEADER, "has a name that is no path inside of it");
	if (m->flags & ~ALLOWED_FLAGS)
		return bad_member(r, m, HEFT_E_HEADER, m->flags & 1 ? "is encrypted" : "has flags that heft does not take");
	if (!take_zip64(p + CENTRAL + name, extra, wide, 3) || number(p + 34, 2))
		return bad_member(r, m, HEFT_E_HEADER, "has sizes that are not there");
	if (!m->method && m->size != m->plain_size)
		return bad_member(r, m, HEFT_E_HEADER, "is stored, but has two sizes");
	return 0;
}

/* What the descriptor behind the bytes says: with or without its sign, sizes of 4 or 8 bytes. Its length, or 0. */
static size_t descriptor(const struct zip_member *m, const uint8_t *p, uint64_t n)
{
	size_t sign = n >= 4 && number(p, 4) == DESCRIPTOR_SIGN ? 4 : 0;
	int wide = n == sign + 20 ? 8 : 4;

	if (n != sign + 4 + 2 * (size_t)wide || number(p + sign, 4) != m->crc || number(p + sign + 4, wide) != m->size ||
	    number(p + sign + 4 + (size_t)wide, wide) != m->plain_size)
		return 0;
	return (size_t)n;
}

/* Where sizes follow the bytes, the local header may leave them out. */
static bool same_or_later(const struct zip_member *m, uint64_t local, uint64_t central)
{
	return local == central || (m->flags & HAS_DESCRIPTOR && !local);
}

/* The local header must say what the directory says. */
static int take_local(struct reader *r, struct zip_member *m, const uint8_t *p)
{
	uint64_t plain = number(p + 22, 4), packed = number(p + 18, 4), *const wide[2] = { &plain, &packed };
	size_t name = (size_t)number(p + 26, 2), extra = (size_t)number(p + 28, 2);
	uint8_t *text;
	bool same;

	if (number(p, 4) != LOCAL_SIGN)
		return bad_member(r, m, HEFT_E_HEADER, "has no local header");
	if (number(p + 6, 2) != m->flags || number(p + 8, 2) != m->method || name != strlen(m->name))
		return bad_member(r, m, HEFT_E_HEADER, "has two headers that disagree");
	text = arena_alloc(r->arena, name + extra + 1);
	if (source_read(r->src, m->header + LOCAL, text, name + extra, r->err))
		return -1;
	same = !memcmp(text, m->name, name) && take_zip64(text + name, extra, wide, 2) && same_or_later(m, number(p + 14, 4), m->crc) &&
	       same_or_later(m, packed, m->size) && same_or_later(m, plain, m->plain_size);
	if (!same)
		return bad_member(r, m, HEFT_E_HEADER, "has two headers that disagree");
	m->offset = m->header + LOCAL + name + extra;
	return 0;
}

/* The member's parts must fill the bytes up to `next`, where the next one or the directory begins. */
static int place(struct reader *r, struct zip_member *m, uint64_t next)
{
	uint8_t b[LOCAL], tail[24];
	uint64_t end;

	if (m->header > next || next - m->header < LOCAL)
		return bad_member(r, m, HEFT_E_OVERLAP, "shares bytes with another, or lies outside of it");
	if (source_read(r->src, m->header, b, LOCAL, r->err) || take_local(r, m, b))
		return -1;
	if (__builtin_add_overflow(m->offset, m->size, &end) || end > next)
		return bad_member(r, m, HEFT_E_OVERLAP, "shares bytes with another, or lies outside of it");
	if (end == next && !(m->flags & HAS_DESCRIPTOR))
		return 0;
	if (!(m->flags & HAS_DESCRIPTOR) || next - end > sizeof tail)
		return bad_member(r, m, HEFT_E_OVERLAP, "is followed by bytes that belong to none");
	if (source_read(r->src, end, tail, (size_t)(next - end), r->err))
		return -1;
	return descriptor(m, tail, next - end) ? 0 : bad_member(r, m, HEFT_E_HEADER, "is followed by other sizes than its own");
}

static int by_header(const void *a, const void *b)
{
	const struct zip_member *x = a, *y = b;

	return x->header < y->header ? -1 : x->header > y->header;
}

static int place_all(struct reader *r)
{
	struct zip *z = r->out;

	if (z->n)
		qsort(z->member, z->n, sizeof *z->member, by_header);
	if (z->n && z->member[0].header)
		return heft_fail(r->err, HEFT_E_HEADER, "%s: %" PRIu64 " bytes stand before the zip archive", r->file, z->member[0].header);
	for (size_t i = 0; i < z->n; i++)
		if (place(r, &z->member[i], i + 1 < z->n ? z->member[i + 1].header : r->directory))
			return -1;
	return 0;
}

static int take_directory(struct reader *r, const uint8_t *p, struct map *names)
{
	size_t left = (size_t)r->directory_size, used;
	struct zip *z = r->out;

	z->member = arena_array(r->arena, (size_t)r->count, sizeof *z->member);
	for (; z->n < r->count; p += used, left -= used) {
		struct zip_member *m = &z->member[z->n];
		bool found;

		if (take_central(r, p, left, m, &used))
			return -1;
		map_put(names, m->name, strlen(m->name), &found);
		if (found)
			return bad_member(r, m, HEFT_E_DUPLICATE, "stands twice");
		z->n++;
	}
	return left ? bad_end(r, "has more members than its end says") : place_all(r);
}

int zip_list(struct zip *out, struct source *src, struct arena *a, struct heft_err *err)
{
	struct reader r = { .out = out, .src = src, .file = source_name(src), .size = source_size(src), .arena = a, .err = err };
	struct map names;
	uint8_t *directory;
	int rc;

	*out = (struct zip){ 0 };
	if (r.size == UINT64_MAX)
		return heft_fail(err, HEFT_E_SPOOL, "%s: a zip archive has its directory at its end: save the stream to a file first", r.file);
	if (read_end(&r))
		return -1;
	directory = xmalloc((size_t)r.directory_size);
	map_init(&names);
	rc = source_read(src, r.directory, directory, (size_t)r.directory_size, err) || take_directory(&r, directory, &names) ? -1 : 0;
	map_release(&names);
	free(directory);
	return rc;
}

const struct zip_member *zip_find(const struct zip *z, const char *name)
{
	for (size_t i = 0; i < z->n; i++)
		if (!strcmp(z->member[i].name, name))
			return &z->member[i];
	return NULL;
}

/* CRC-32 (IEEE 802.3), nibble by nibble: members that are verified are small. */
static uint32_t crc32_of(uint32_t crc, const uint8_t *p, size_t n)
{
	static const uint32_t table[16] = {
		0, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
		0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};

	for (size_t i = 0; i < n; i++) {
		crc ^= p[i];
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return crc;
}

int zip_verify(const struct zip_member *m, struct source *src, struct heft_err *err)
{
	uint8_t piece[PIECE / 4];
	uint32_t crc = UINT32_MAX;

	if (m->method)
		return heft_fail(err, HEFT_E_HEADER, "%s: member '%s' is compressed, which PyTorch never does: unpack the archive and pack it again with 'zip -0'",
				 source_name(src), m->name);
	for (uint64_t done = 0, n; m->crc && done < m->size; done += n) {
		n = m->size - done < sizeof piece ? m->size - done : sizeof piece;
		if (source_read(src, m->offset + done, piece, (size_t)n, err))
			return -1;
		crc = crc32_of(crc, piece, (size_t)n);
	}
	return !m->crc || ~crc == m->crc ? 0 : heft_fail(err, HEFT_E_CHECKSUM, "%s: member '%s' is not what its checksum says: download the file again",
					      source_name(src), m->name);
}
