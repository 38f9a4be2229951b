/*
 * source_archive.c - the door of libarchive: unpack.h.
 */
#include "unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"

enum { PIECE = 256 << 10, NAME_MAX_BYTES = 1024 };

struct unpacker {
	struct archive *a;
	struct source *src;
	uint64_t at;            /* next byte that libarchive asks for */
	uint64_t taken, given;  /* packed bytes that were read, bytes that came of them */
	struct heft_err *err;   /* of the call that is on; filled by the callbacks */
	bool look;              /* the source is read again */
	bool failed;            /* by a callback: *err stands */
	bool open;              /* a member has bytes left, maybe */
	unsigned char piece[PIECE];
};

enum packing packing_of(const uint8_t *head, size_t n)
{
	static const struct {
		const char *begin;
		size_t n, at;
		enum packing packing;
	} rows[] = {
		{ "\x1f\x8b\x08", 3, 0, PACKING_FILE },         /* gzip */
		{ "\x28\xb5\x2f\xfd", 4, 0, PACKING_FILE },     /* zstd */
		{ "\xfd" "7zXZ\0", 6, 0, PACKING_FILE },
		{ "BZh", 3, 0, PACKING_FILE },
		{ "\x04\x22\x4d\x18", 4, 0, PACKING_FILE },     /* lz4 */
		{ "MZ", 2, 0, PACKING_PROGRAM },
		{ "\x7f" "ELF", 4, 0, PACKING_PROGRAM },
		{ "ustar", 5, 257, PACKING_TAR },
		{ "PK\3\4", 4, 0, PACKING_ZIP },
		{ "PK\5\6", 4, 0, PACKING_ZIP },                /* an empty one */
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (n >= rows[i].at + rows[i].n && !memcmp(head + rows[i].at, rows[i].begin, rows[i].n))
			return rows[i].packing;
	if (n >= 4 && (head[0] & 0xf0) == 0x50 && !memcmp(head + 1, "\x2a\x4d\x18", 3)) /* a skippable frame: zstd */
		return PACKING_FILE;
	return PACKING_NONE;
}

int packing_has_zip(struct source *src, struct heft_err *err)
{
	enum { TAIL = 16 << 10, END = 22 }; /* as far as libarchive looks: archives with long comments are not found */
	uint64_t size = source_size(src), from = size > TAIL ? size - TAIL : 0;
	unsigned char *tail;
	int found = 0;

	if (source_is_stream(src) || size < END)
		return 0;
	tail = xmalloc(TAIL);
	if (source_read(src, from, tail, (size_t)(size - from), err))
		found = -1;
	for (size_t i = 0; !found && i + END <= size - from; i++)
		found = !memcmp(tail + i, "PK\5\6", 4);
	free(tail);
	return found;
}

/* ---- what libarchive calls ---- */

static la_ssize_t give_bytes(struct archive *a, void *ctx, const void **out)
{
	struct unpacker *u = ctx;
	int64_t n = source_read_some(u->src, u->at, u->piece, PIECE, u->err);

	*out = u->piece;
	if (n < 0) {
		u->failed = true;
		archive_set_error(a, -1, "cannot read");
		return ARCHIVE_FATAL;
	}
	u->at += (uint64_t)n;
	u->taken += (uint64_t)n;
	if (!u->look)
		source_release(u->src, u->at);
	return (la_ssize_t)n;
}

static la_int64_t skip_bytes(struct archive *a, void *ctx, la_int64_t n)
{
	struct unpacker *u = ctx;
	uint64_t size = source_size(u->src), left = size - u->at;

	if (size == UINT64_MAX || n < 0)
		return 0; /* it reads them, then */
	if ((uint64_t)n > left)
		n = (la_int64_t)left;
	u->at += (uint64_t)n;
	return n;
}

static la_int64_t seek_to(struct archive *a, void *ctx, la_int64_t offset, int whence)
{
	struct unpacker *u = ctx;
	uint64_t from = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? u->at : source_size(u->src), to;

	if (offset < 0 ? from < (uint64_t)-offset : __builtin_add_overflow(from, (uint64_t)offset, &to))
		return ARCHIVE_FATAL;
	to = offset < 0 ? from - (uint64_t)-offset : to;
	if (to > source_size(u->src))
		return ARCHIVE_FATAL;
	u->at = to;
	return (la_int64_t)to;
}

/* ---- errors ---- */

static int fail(struct unpacker *u, struct heft_err *err)
{
	const char *why = archive_error_string(u->a);

	if (u->failed)
		return -1;
	return heft_fail(err, HEFT_E_ARCHIVE, "%s: the archive cannot be read at byte %" PRIu64 " (%s): download it again", source_name(u->src),
			 u->at, why ? why : "no reason given");
}

static int check_ratio(const struct unpacker *u, struct heft_err *err)
{
	if (u->given <= UNPACK_FREE || u->given / UNPACK_RATIO_MAX <= u->taken)
		return 0;
	return heft_fail(err, HEFT_E_BOMB,
			 "%s: %" PRIu64 " packed bytes unpack to more than %" PRIu64
			 ": no model's weights do, unpack it yourself if you trust it",
			 source_name(u->src), u->taken, u->given);
}

/* ---- opening ---- */

typedef int support_fn(struct archive *a);

/* Anything but ARCHIVE_OK: this libarchive lacks the filter and would start a program in its place. */
static bool is_built_in(support_fn *filter)
{
	struct archive *a = archive_read_new();
	bool is = a && filter(a) == ARCHIVE_OK;

	archive_read_free(a);
	return is;
}

static void support(struct archive *a, bool seekable)
{
	static support_fn *const filters[] = {
		archive_read_support_filter_gzip, archive_read_support_filter_xz, archive_read_support_filter_zstd,
		archive_read_support_filter_bzip2, archive_read_support_filter_lz4,
	};

	for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
		if (is_built_in(filters[i]))
			filters[i](a);
	archive_read_support_format_tar(a);
	if (seekable)
		archive_read_support_format_zip_seekable(a);
	else
		archive_read_support_format_zip_streamable(a);
	archive_read_support_format_raw(a);
	archive_read_support_format_empty(a);
}

static bool only_one_filter(struct archive *a)
{
	return archive_filter_count(a) <= 2; /* the last one is the file itself */
}

struct unpacker *unpacker_open(struct source *src, bool look, struct heft_err *err)
{
	struct unpacker *u = xmalloc(sizeof *u);
	bool seekable = !source_is_stream(src) && source_size(src) != UINT64_MAX;

	*u = (struct unpacker){ .src = src, .look = look, .err = err, .a = archive_read_new() };
	if (!u->a)
		out_of_memory(sizeof *u);
	support(u->a, seekable);
	archive_read_set_callback_data(u->a, u);
	archive_read_set_read_callback(u->a, give_bytes);
	archive_read_set_skip_callback(u->a, skip_bytes);
	if (seekable)
		archive_read_set_seek_callback(u->a, seek_to);
	if (archive_read_open1(u->a) != ARCHIVE_OK)
		fail(u, err);
	else if (!only_one_filter(u->a))
		heft_fail(err, HEFT_E_ARCHIVE, "%s: is compressed twice: unpack it first", source_name(src));
	else
		return u;
	unpacker_close(u);
	return NULL;
}

void unpacker_close(struct unpacker *u)
{
	if (!u)
		return;
	archive_read_free(u->a);
	free(u);
}

/* ---- members ---- */

bool unpacker_is_archive(const struct unpacker *u)
{
	return (archive_format(u->a) & ARCHIVE_FORMAT_BASE_MASK) != ARCHIVE_FORMAT_RAW;
}

/* Behind a member's header stand its bytes, where nothing packs them. */
static uint64_t stored_at(const struct unpacker *u)
{
	int format = archive_format(u->a) & ARCHIVE_FORMAT_BASE_MASK;
	const char *name = archive_format_name(u->a);

	if (archive_filter_count(u->a) > 1 || source_is_stream(u->src))
		return UINT64_MAX;
	if (format != ARCHIVE_FORMAT_TAR && (format != ARCHIVE_FORMAT_ZIP || !name || !strstr(name, "(uncompressed)")))
		return UINT64_MAX;
	return (uint64_t)archive_filter_bytes(u->a, 0);
}

static int check_entry(struct unpacker *u, struct archive_entry *e, int rc, const char *name, struct heft_err *err)
{
	bool zip = (archive_format(u->a) & ARCHIVE_FORMAT_BASE_MASK) == ARCHIVE_FORMAT_ZIP;

	if (rc < ARCHIVE_WARN || (rc == ARCHIVE_WARN && zip)) /* of a zip: what its directory says is not what stands there */
		return fail(u, err);
	if (!name || strlen(name) > NAME_MAX_BYTES)
		return heft_fail(err, HEFT_E_ARCHIVE, "%s: a member without a usable name: unpack it yourself if you trust it", source_name(u->src));
	if (archive_entry_is_encrypted(e))
		return heft_fail(err, HEFT_E_ARCHIVE, "%s: '%s' is encrypted: unpack it first", source_name(u->src), name);
	if (archive_entry_sparse_count(e) > 0)
		return heft_fail(err, HEFT_E_ARCHIVE, "%s: '%s' is stored as a sparse file: unpack it first", source_name(u->src), name);
	return 0;
}

static enum member_kind kind_of(struct archive_entry *e, const char **link)
{
	if ((*link = archive_entry_hardlink(e)))
		return MEMBER_HARDLINK;
	if ((*link = archive_entry_symlink(e)))
		return MEMBER_SYMLINK;
	return archive_entry_filetype(e) == AE_IFREG ? MEMBER_FILE : archive_entry_filetype(e) == AE_IFDIR ? MEMBER_FOLDER : MEMBER_OTHER;
}

int64_t unpacker_read(struct unpacker *u, void *buf, size_t n, struct heft_err *err)
{
	la_ssize_t got;

	u->err = err;
	got = archive_read_data(u->a, buf, n);
	if (got < 0)
		return fail(u, err);
	u->open = got > 0;
	u->given += (uint64_t)got;
	return check_ratio(u, err) ? -1 : (int64_t)got;
}

/* What is left of a member that is packed counts as unpacked too: libarchive would pass over any number of bytes. */
static int pass_over(struct unpacker *u, struct heft_err *err)
{
	char *scrap = u->open && archive_filter_count(u->a) > 1 ? xmalloc(PIECE) : NULL;
	int64_t n = scrap ? 1 : 0;

	while (n > 0)
		n = unpacker_read(u, scrap, PIECE, err);
	free(scrap);
	return n < 0 ? -1 : 0;
}

int unpacker_next(struct unpacker *u, struct member *m, struct heft_err *err)
{
	struct archive_entry *e;
	const char *name;
	int rc;

	u->err = err;
	if (pass_over(u, err))
		return -1;
	rc = archive_read_next_header(u->a, &e);
	if (rc == ARCHIVE_EOF)
		return 0;
	if (rc == ARCHIVE_FATAL || rc == ARCHIVE_RETRY)
		return fail(u, err);
	name = archive_entry_pathname(e);
	name = name ? name : archive_entry_pathname_utf8(e);
	if (check_entry(u, e, rc, name, err))
		return -1;
	u->open = true;
	*m = (struct member){ .name = name, .size = UINT64_MAX, .at = UINT64_MAX };
	m->kind = kind_of(e, &m->link);
	if (unpacker_is_archive(u) && archive_entry_size_is_set(e) && archive_entry_size(e) >= 0) {
		m->size = (uint64_t)archive_entry_size(e);
		m->at = m->kind == MEMBER_FILE ? stored_at(u) : UINT64_MAX;
	}
	return 1;
}
