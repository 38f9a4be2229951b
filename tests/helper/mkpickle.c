/*
 * mkpickle.c - writes the samples of testdata/pytorch and their README.md: PyTorch files, good ones and those that published attacks and
 * broken writers make. A sample's name says what opening it must give, as in mksamples.c.
 *
 * usage: mkpickle DIR
 *
 * Pickles are written as bytes, opcode by opcode; the archives around them byte by byte, each with at most one fault.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- pickles ---- */

#define PROTO "\x80\x02"
#define STORAGE(type, key, n) "(U\x07" "storagectorch\n" type "Storage\nU\x01" key "U\x03" "cpuK" n "tQ"
#define HOOKS "\x89" "ccollections\nOrderedDict\n)R"
#define REBUILD "ctorch._utils\n_rebuild_tensor_v2\n("
#define SQUARE "K\x02K\x02\x86" /* (2, 2) */
#define ROWS "K\x02K\x01\x86"   /* (2, 1) */
#define TENSOR REBUILD STORAGE("Float", "0", "\x04") "K\x00" SQUARE ROWS HOOKS "tR" /* 2 x 2 of storage 0 */
#define A "U\x01" "a"
#define B "U\x01" "b"
#define WITH(...) PROTO "}" A TENSOR "s" __VA_ARGS__ "." /* {'a': tensor}, then what follows */
#define ONE(tensor) PROTO "}" A tensor "s."
#define VIEW(storage, offset, size, stride) ONE(REBUILD storage offset size stride HOOKS "tR")
#define CALL(module, name) "c" module "\n" name "\n(U\x02" "idtR"
#define FLOATS STORAGE("Float", "0", "\x04")

enum layout { ZIP, RAW, LEGACY, TAR };

enum fault {
	NONE, LOCAL_NAME, LOCAL_FLAGS, ENCRYPTED, UNKNOWN_FLAGS, CHECKSUM, TWICE, CLIMBS, DOTS, ABSOLUTE, OVERLAP, LOCAL_SIZE, TWO_SIZES, PREFIX,
	TRAILING, COMMENT, DEFLATED, GAP, COUNT, TWO_PICKLES, NO_PICKLE, BIG_ORDER, BAD_ORDER, HIDDEN, ZIP64_END, SHORT_STORAGE, CUT, LINK,
};

struct sample {
	const char *path, *about;
	enum layout layout;
	enum fault fault;
	const char *pickle;
	size_t n;
};

#define P(bytes) bytes, sizeof bytes - 1

#define M40 "mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm"

static const struct sample samples[] = {
	{ "good-zip.pt", "a dict of one tensor", ZIP, NONE, P(WITH("")) },
	{ "good-zip-big-endian.pt", "numbers of a big-endian machine", ZIP, BIG_ORDER, P(WITH("")) },
	{ "good-legacy.pt", "the layout before 1.6", LEGACY, NONE, P(WITH("")) },
	{ "good-tar.pt", "the layout before 0.2", TAR, NONE, P(PROTO "}" A "K\x07Qs.") },
	{ "good-shared.pt", "two names for one storage, one of them transposed", ZIP, NONE,
	  P(WITH(B REBUILD FLOATS "K\x00" SQUARE "K\x01K\x02\x86" HOOKS "tRs")) },
	{ "good-nested.pt", "weights under 'model', beside an optimizer", ZIP, NONE,
	  P(PROTO "}U\x05" "model}" A TENSOR "ssU\x09" "optimizer}" A TENSOR "ssU\x04" "stepK\x07s.") },
	{ "good-python-2.pt", "an OrderedDict as Python 2 writes it", ZIP, NONE, P(PROTO "ccollections\nOrderedDict\n(]](" A TENSOR "eatR.") },
	{ "good-protocol-0.pt", "protocol 0: text", ZIP, NONE,
	  P("(dp0\nS'a'\np1\nctorch._utils\n_rebuild_tensor_v2\np2\n((S'storage'\nctorch\nFloatStorage\nS'0'\nS'cpu'\nI4\ntQI0\n(I2\nI2\nt(I2\n"
	    "I1\ntI00\nNtRs.") },
	{ "good-protocol-4.pt", "protocol 4: frames, STACK_GLOBAL, MEMOIZE", ZIP, NONE,
	  P("\x80\x04\x95\x05\0\0\0\0\0\0\0}\x94\x8c\x01" "a\x94\x8c\x0ctorch._utils\x8c\x12_rebuild_tensor_v2\x93((\x8c\x07storage\x8c\x05torch"
	    "\x8c\x0c" "FloatStorage\x93\x8c\x01" "0\x8c\x03" "cpuK\x04tQK\x00" SQUARE ROWS "\x89NtRs.") },
	{ "good-namespace.pt", "arguments of a training script beside the weights", ZIP, NONE,
	  P(WITH("U\x04" "args" "cargparse\nNamespace\n)\x81}U\x02lrG\x3f\xf0\0\0\0\0\0\0sbs")) },
	{ "good-cycle.pt", "a list that holds itself", ZIP, NONE, P(WITH(B "]q\x05h\x05" "as")) },
	{ "good-amplified.pt", "2^20 paths to one list, by way of 20 lists of two", ZIP, NONE,
	  P(WITH(B "]"
		 "2\x86" "2\x86" "2\x86" "2\x86" "2\x86" "2\x86" "2\x86" "2\x86" "2\x86" "2\x86" "2\x86" "2\x86" "2\x86" "2\x86" "2\x86" "2\x86"
		 "2\x86" "2\x86" "2\x86" "2\x86" "s")) },
	{ "good-hidden-cve-2025-1889.pt", "another pickle in the archive under a name that scanners skip: nothing reads it", ZIP, HIDDEN,
	  P(WITH("")) },
	{ "good-zip-dots.pt", "a member whose folder's name ends in two dots, which climbs nowhere", ZIP, DOTS, P(WITH("")) },
	{ "good-empty-view.pt", "a tensor of no numbers", ZIP, NONE, P(VIEW(FLOATS, "K\x04", "K\x00K\x02\x86", ROWS)) },

	/* published attacks */
	{ "bad-E218-cve-2025-32434.pt", "a call in the tar layout, which weights_only did not look at", TAR, NONE,
	  P(PROTO "cposix\nsystem\n(U\x02" "idtR.") },
	{ "bad-E203-cve-2026-24747-setitem.pt", "items set in a tensor", ZIP, NONE, P(ONE(TENSOR A "K\x01s")) },
	{ "bad-E207-cve-2026-24747-storage.pt", "a storage shorter than its tensors say", ZIP, SHORT_STORAGE, P(WITH("")) },
	{ "bad-E218-cve-2025-1716.pt", "pip.main", ZIP, NONE, P(WITH(B CALL("pip", "main") "s")) },
	{ "bad-E203-cve-2025-1944.pt", "two names for a member: local header and directory", ZIP, LOCAL_NAME, P(WITH("")) },
	{ "bad-E203-cve-2025-1945.pt", "flags in the local header that the directory does not have", ZIP, LOCAL_FLAGS, P(WITH("")) },
	{ "bad-E218-cve-2025-10155.pt", "a plain pickle under PyTorch's extension", RAW, NONE, P(PROTO CALL("os", "system") ".") },
	{ "bad-E214-cve-2025-10156.pt", "a checksum that does not fit, and a call", ZIP, CHECKSUM, P(WITH(B CALL("os", "system") "s")) },
	{ "bad-E218-cve-2025-10157.pt", "a method of a subclass of what block lists name", ZIP, NONE,
	  P("\x80\x04}\x8c\x01" "a\x8c\x13" "asyncio.unix_events\x8c\x1f_UnixSubprocessTransport._start\x93)Rs.") },
	{ "bad-E218-memo.pt", "the name of a function by way of the memo", ZIP, NONE,
	  P("\x80\x04\x8c\x02os\x94\x8c\x06system\x94" "00h\x00h\x01\x93\x8c\x02id\x85R.") },
	{ "bad-E218-pickle-memo-twice.pt", "module and name are one text, by way of the memo: longer together than the file", RAW, NONE,
	  P("\x80\x04\x8c\x78" M40 M40 M40 "\x94h\x00\x93)R.") },
	{ "bad-E218-stdlib.pt", "a function that no block list has", ZIP, NONE, P(WITH(B CALL("timeit", "timeit") "s")) },
	{ "bad-E218-getattr.pt", "builtins.getattr of what is allowed", ZIP, NONE, P(WITH(B "cbuiltins\ngetattr\n(ctorch\nSize\nU\x04" "evaltRs")) },
	{ "bad-E218-inst.pt", "INST, the opcode of old classes", ZIP, NONE, P(WITH(B "(U\x02" "idios\nsystem\ns")) },
	{ "bad-E218-obj.pt", "OBJ, its other opcode", ZIP, NONE, P(WITH(B "(cos\nsystem\nU\x02" "idos")) },
	{ "bad-E218-newobj.pt", "NEWOBJ and a state of its own", ZIP, NONE, P(WITH(B "cevil\nClass\n)\x81}bs")) },
	{ "bad-E218-extension.pt", "EXT1: a number for a name that the reader's Python would know", ZIP, NONE, P(WITH(B "\x82\x01s")) },
	{ "bad-E218-load-from-bytes.pt", "torch.load inside of a pickle", ZIP, NONE, P(WITH(B CALL("torch.storage", "_load_from_bytes") "s")) },
	{ "bad-E218-unused.pt", "a call whose result is thrown away", ZIP, NONE, P(WITH(CALL("os", "system") "0")) },
	{ "bad-E218-broken-behind.pt", "a call, then bytes that are no pickle", ZIP, NONE, P(PROTO CALL("os", "system") "\xff") },
	{ "bad-E218-legacy.pt", "a call in the legacy layout", LEGACY, NONE, P(WITH(B CALL("os", "system") "s")) },

	/* archives */
	{ "bad-E203-zip-encrypted.pt", "an encrypted member", ZIP, ENCRYPTED, P(WITH("")) },
	{ "bad-E203-zip-flags.pt", "flags that change how names are read", ZIP, UNKNOWN_FLAGS, P(WITH("")) },
	{ "bad-E205-zip-twice.pt", "a name that stands twice", ZIP, TWICE, P(WITH("")) },
	{ "bad-E203-zip-climbs.pt", "a member named ../x", ZIP, CLIMBS, P(WITH("")) },
	{ "bad-E203-zip-absolute.pt", "a member named /etc/x", ZIP, ABSOLUTE, P(WITH("")) },
	{ "bad-E204-zip-overlap.pt", "two members share their bytes", ZIP, OVERLAP, P(WITH("")) },
	{ "bad-E203-zip-local-size.pt", "two sizes: local header and directory", ZIP, LOCAL_SIZE, P(WITH("")) },
	{ "bad-E203-zip-two-sizes.pt", "stored, but longer unpacked", ZIP, TWO_SIZES, P(WITH("")) },
	{ "bad-E203-zip-prefix.pt", "bytes before the archive", ZIP, PREFIX, P(WITH("")) },
	{ "bad-E202-zip-trailing.pt", "bytes behind the archive", ZIP, TRAILING, P(WITH("")) },
	{ "bad-E202-zip-comment.pt", "an archive comment, in which another archive could hide", ZIP, COMMENT, P(WITH("")) },
	{ "bad-E203-zip-deflated.pt", "a compressed pickle", ZIP, DEFLATED, P(WITH("")) },
	{ "bad-E204-zip-gap.pt", "bytes between members", ZIP, GAP, P(WITH("")) },
	{ "bad-E203-zip-count.pt", "more members than the end says", ZIP, COUNT, P(WITH("")) },
	{ "bad-E203-zip64-end.pt", "two ends that disagree", ZIP, ZIP64_END, P(WITH("")) },
	{ "bad-E205-zip-two-pickles.pt", "two checkpoints in one archive", ZIP, TWO_PICKLES, P(WITH("")) },
	{ "bad-E201-zip-no-pickle.pt", "an archive without a data.pkl", ZIP, NO_PICKLE, P(WITH("")) },
	{ "bad-E203-zip-byteorder.pt", "neither little nor big", ZIP, BAD_ORDER, P(WITH("")) },
	{ "bad-E202-zip-cut.pt", "half a download", ZIP, CUT, P(WITH("")) },
	{ "bad-E203-tar-link.pt", "a symbolic link in the tar layout", TAR, LINK, P(PROTO "}" A "K\x07Qs.") },
	{ "bad-E202-legacy-cut.pt", "half a download of the legacy layout", LEGACY, CUT, P(WITH("")) },
	{ "bad-E207-legacy-count.pt", "a storage of another length than its tensors say", LEGACY, SHORT_STORAGE, P(WITH("")) },

	/* pickles */
	{ "bad-E202-no-stop.pt", "no STOP", ZIP, NONE, P(PROTO "}") },
	{ "bad-E202-long-string.pt", "a string of 2^32-1 bytes", ZIP, NONE, P(PROTO "X\xff\xff\xff\xff" "a.") },
	{ "bad-E202-long-bytes.pt", "bytes, 2^64-1 of them", ZIP, NONE, P("\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\xff" "a.") },
	{ "bad-E202-long4.pt", "an integer of 2^31-1 bytes", ZIP, NONE, P(PROTO "\x8b\xff\xff\xff\x7f" "a.") },
	{ "bad-E203-frame.pt", "a frame of 2^63 bytes", ZIP, NONE, P("\x80\x04\x95\0\0\0\0\0\0\0\x80.") },
	{ "bad-E203-memo-index.pt", "memo index 2^32-1", ZIP, NONE, P(PROTO "}r\xff\xff\xff\xff.") },
	{ "bad-E203-memo-empty.pt", "a memo that nothing was stored in", ZIP, NONE, P(PROTO "h\x07.") },
	{ "bad-E203-stack-empty.pt", "an empty stack", ZIP, NONE, P(PROTO "s.") },
	{ "bad-E203-no-mark.pt", "no mark", ZIP, NONE, P(PROTO "}u.") },
	{ "bad-E203-odd-items.pt", "a key without a value", ZIP, NONE, P(PROTO "}(" A "u.") },
	{ "bad-E203-setitem-number.pt", "items set in a number", ZIP, NONE, P(PROTO "K\x01" A "K\x01s.") },
	{ "bad-E203-build-dict.pt", "a state set in a dict", ZIP, NONE, P(PROTO "}}b.") },
	{ "bad-E203-protocol-9.pt", "protocol 9", ZIP, NONE, P("\x80\x09}.") },
	{ "bad-E203-opcode.pt", "an opcode that nobody gave out", ZIP, NONE, P(PROTO "\xff.") },
	{ "bad-E203-buffer.pt", "a buffer from outside of the file", ZIP, NONE, P("\x80\x05\x97.") },
	{ "bad-E203-global-nul.pt", "a NUL in a function's name", ZIP, NONE, P(PROTO "cos\0x\nsystem\n.") },
	{ "bad-E201-plain-pickle.pt", "a pickle that is no checkpoint", RAW, NONE, P(PROTO "}.") },
	{ "bad-E203-no-tensors.pt", "a dict without tensors", ZIP, NONE, P(PROTO "}" A "K\x01s.") },

	/* tensors */
	{ "bad-E207-beyond.pt", "a tensor that ends behind its storage", ZIP, NONE, P(VIEW(FLOATS, "K\x01", SQUARE, ROWS)) },
	{ "bad-E207-offset.pt", "an offset whose bytes overflow 64 bits", ZIP, NONE,
	  P(VIEW(FLOATS, "\x8a\x08\0\0\0\0\0\0\0\x40", SQUARE, ROWS)) },
	{ "bad-E207-stride.pt", "a stride of 2^62", ZIP, NONE, P(VIEW(FLOATS, "K\x00", SQUARE, "\x8a\x08\0\0\0\0\0\0\0\x40K\x01\x86")) },
	{ "bad-E207-stride-negative.pt", "a stride of -1", ZIP, NONE, P(VIEW(FLOATS, "K\x00", SQUARE, "J\xff\xff\xff\xffK\x01\x86")) },
	{ "bad-E207-shape-overflow.pt", "2^62 x 2^62 numbers", ZIP, NONE,
	  P(VIEW(FLOATS, "K\x00", "\x8a\x08\0\0\0\0\0\0\0\x40\x8a\x08\0\0\0\0\0\0\0\x40\x86", "K\x00K\x00\x86")) },
	{ "bad-E207-expanded.pt", "one number that stands for 2^40", ZIP, NONE,
	  P(VIEW(FLOATS, "K\x00", "\x8a\x06\0\0\0\0\0\x01K\x01\x86", "K\x00K\x00\x86")) },
	{ "bad-E207-dims-9.pt", "9 dimensions", ZIP, NONE,
	  P(VIEW(FLOATS, "K\x00", "(K\x01K\x01K\x01K\x01K\x01K\x01K\x01K\x01K\x01t", "(K\x01K\x01K\x01K\x01K\x01K\x01K\x01K\x01K\x01t")) },
	{ "bad-E207-ranks.pt", "fewer strides than dimensions", ZIP, NONE, P(VIEW(FLOATS, "K\x00", SQUARE, "K\x01\x85")) },
	{ "bad-E207-no-storage.pt", "a storage that is not in the archive", ZIP, NONE, P(VIEW(STORAGE("Float", "7", "\x04"), "K\x00", SQUARE, ROWS)) },
	{ "bad-E207-id.pt", "a storage without its parts", ZIP, NONE, P(VIEW("(U\x07storagetQ", "K\x00", SQUARE, ROWS)) },
	{ "bad-E205-twice.pt", "one name for two tensors", ZIP, NONE, P(WITH(A TENSOR "s")) },
	{ "bad-E208-name.pt", "a name that is not UTF-8", ZIP, NONE, P(PROTO "}U\x01\xff" TENSOR "s.") },
	{ "unsupported-E206-complex.pt", "complex numbers", ZIP, NONE, P(VIEW(STORAGE("ComplexFloat", "0", "\x02"), "K\x00", "K\x02\x85", "K\x01\x85")) },
	{ "unsupported-E206-sparse.pt", "a sparse tensor", ZIP, NONE, P(ONE("ctorch._utils\n_rebuild_sparse_tensor\n(K\x00)tR")) },
};

/* ---- bytes ---- */

struct bytes {
	unsigned char p[65536];
	size_t n;
};

static void put(struct bytes *b, const void *p, size_t n)
{
	if (b->n + n > sizeof b->p) {
		fprintf(stderr, "mkpickle: a sample is too large\n");
		exit(1);
	}
	if (n)
		memcpy(b->p + b->n, p, n);
	b->n += n;
}

static void put_number(struct bytes *b, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++, v >>= 8)
		put(b, &(unsigned char){ v & 0xff }, 1);
}

static const unsigned char floats[16] = { 0, 0, 0x80, 0x3f, 0, 0, 0, 0x40, 0, 0, 0x40, 0x40, 0, 0, 0x80, 0x40 }; /* 1, 2, 3, 4 */

/* ---- zip ---- */

struct member {
	const char *name, *local_name;
	const void *p;
	size_t n, plain, local_plain;
	unsigned flags, local_flags, method;
	uint32_t crc;
	size_t at;
};

static uint32_t crc32_of(const unsigned char *p, size_t n)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < n; i++) {
		crc ^= p[i];
		for (int k = 0; k < 8; k++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

static struct member member(const char *name, const void *p, size_t n)
{
	return (struct member){ .name = name, .local_name = name, .p = p, .n = n, .plain = n, .local_plain = n, .flags = 0x800, .local_flags = 0x800,
				.crc = crc32_of(p, n) };
}

static void put_local(struct bytes *b, struct member *m)
{
	const char *name = m->local_name ? m->local_name : "";

	m->at = b->n;
	put(b, "PK\3\4", 4);
	put_number(b, 20, 2);
	put_number(b, m->local_flags, 2);
	put_number(b, m->method, 2);
	put_number(b, 0, 4);
	put_number(b, m->crc, 4);
	put_number(b, m->n, 4);
	put_number(b, m->local_plain, 4);
	put_number(b, strlen(name), 2);
	put_number(b, 0, 2);
	put(b, name, strlen(name));
	put(b, m->p, m->n);
}

static void put_central(struct bytes *b, const struct member *m)
{
	const char *name = m->name ? m->name : "";

	put(b, "PK\1\2", 4);
	put_number(b, 20, 2);
	put_number(b, 20, 2);
	put_number(b, m->flags, 2);
	put_number(b, m->method, 2);
	put_number(b, 0, 4);
	put_number(b, m->crc, 4);
	put_number(b, m->n, 4);
	put_number(b, m->plain, 4);
	put_number(b, strlen(name), 2);
	put_number(b, 0, 12);
	put_number(b, m->at, 4);
	put(b, name, strlen(name));
}

/* The faults of one member's headers */
static void spoil(struct member *m, enum fault fault)
{
	switch (fault) {
	case LOCAL_NAME: m->local_name = "y/data.pkl"; break;
	case LOCAL_FLAGS: m->local_flags |= 1; break;
	case ENCRYPTED: m->flags = m->local_flags = 0x801; break;
	case UNKNOWN_FLAGS: m->flags = m->local_flags = 0x2800; break;
	case CHECKSUM: m->crc ^= 1; break;
	case LOCAL_SIZE: m->local_plain++; break;
	case TWO_SIZES: m->plain++; m->local_plain++; break;
	case DEFLATED: m->method = 8; break;
	case NO_PICKLE: m->name = m->local_name = "x/data.txt"; break;
	default: break;
	}
}

static size_t other_members(struct member *m, enum fault fault)
{
	size_t n = 0;

	m[n++] = member("x/data/0", floats, fault == SHORT_STORAGE ? 12 : 16);
	if (fault == BIG_ORDER || fault == BAD_ORDER)
		m[n++] = member("x/byteorder", fault == BIG_ORDER ? "big" : "odd", 3);
	if (fault == TWICE)
		m[n++] = member("x/data/0", floats, 16);
	if (fault == CLIMBS)
		m[n++] = member("x/../../y", "", 0);
	if (fault == DOTS)
		m[n++] = member("x/y../0", "", 0);
	if (fault == ABSOLUTE)
		m[n++] = member("/etc/x", "", 0);
	if (fault == TWO_PICKLES)
		m[n++] = member("y/data.pkl", PROTO "}.", 4);
	if (fault == HIDDEN)
		m[n++] = member("x/config.p", PROTO CALL("os", "system") ".", sizeof(PROTO CALL("os", "system") ".") - 1);
	return n;
}

static void put_end(struct bytes *b, size_t count, size_t directory, size_t size, enum fault fault)
{
	if (fault == ZIP64_END) {
		size_t at = b->n;

		put(b, "PK\6\6", 4);
		put_number(b, 44, 8);
		put_number(b, 0, 12);
		put_number(b, count, 8);
		put_number(b, count, 8);
		put_number(b, size - 46, 8);
		put_number(b, directory + 46, 8);
		put(b, "PK\6\7\0\0\0\0", 8);
		put_number(b, at, 8);
		put_number(b, 1, 4);
	}
	put(b, "PK\5\6\0\0\0\0", 8);
	put_number(b, count, 2);
	put_number(b, count, 2);
	put_number(b, size, 4);
	put_number(b, directory, 4);
	put_number(b, fault == COMMENT ? 5 : 0, 2);
	if (fault == COMMENT || fault == TRAILING)
		put(b, "hello", 5);
}

static void put_zip(struct bytes *b, const struct sample *s)
{
	struct member m[4] = { member("x/data.pkl", s->pickle, s->n) };
	size_t n = 1 + other_members(m + 1, s->fault), directory, size;

	spoil(&m[0], s->fault);
	if (s->fault == PREFIX)
		put(b, "PK\3\4 and more", 13);
	for (size_t i = 0; i < n; i++) {
		put_local(b, &m[i]);
		if (s->fault == GAP)
			put(b, "gap", 3);
	}
	if (s->fault == OVERLAP)
		m[1].at = m[0].at;
	directory = b->n;
	for (size_t i = 0; i < n; i++)
		put_central(b, &m[i]);
	size = b->n - directory;
	put_end(b, n - (s->fault == COUNT), directory, size, s->fault);
}

/* ---- the other layouts ---- */

static void put_legacy(struct bytes *b, const struct sample *s)
{
	static const char head[] = PROTO "\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19." PROTO "M\xe9\x03." PROTO "}.";

	put(b, head, sizeof head - 1);
	put(b, s->pickle, s->n);
	put(b, PROTO "]U\x01" "0a.", 8);
	put_number(b, s->fault == SHORT_STORAGE ? 3 : 4, 8);
	put(b, floats, 16);
}

static void put_tar_member(struct bytes *b, const char *name, const void *p, size_t n, char type)
{
	char h[512] = "";
	unsigned sum = 0;

	snprintf(h, 100, "%s", name);
	memcpy(h + 100, "0000644", 7);
	snprintf(h + 124, 12, "%011o", (unsigned)n);
	memset(h + 148, ' ', 8);
	h[156] = type;
	memcpy(h + 257, "ustar\00000", 8);
	for (size_t i = 0; i < sizeof h; i++)
		sum += (unsigned char)h[i];
	snprintf(h + 148, 8, "%06o", sum);
	put(b, h, sizeof h);
	put(b, p, n);
	while (b->n % 512)
		put(b, "", 1);
}

static void put_tar(struct bytes *b, const struct sample *s)
{
	static const char storages[] = PROTO "K\x01." PROTO "K\x09U\x03" "cpuctorch\nFloatStorage\n\x87.";
	static const char tensors[] = PROTO "K\x01." PROTO "K\x07K\x09N\x87.";
	static struct bytes m;

	put_tar_member(b, "sys_info", "", 0, '0');
	put_tar_member(b, "pickle", s->pickle, s->n, s->fault == LINK ? '2' : '0');
	m.n = 0;
	put(&m, tensors, sizeof tensors - 1);
	put_number(&m, 2, 8);
	put_number(&m, 2, 8);
	put_number(&m, 2, 8);
	put_number(&m, 2, 8);
	put_number(&m, 1, 8);
	put_number(&m, 0, 8);
	put_tar_member(b, "tensors", m.p, m.n, '0');
	m.n = 0;
	put(&m, storages, sizeof storages - 1);
	put_number(&m, 4, 8);
	put(&m, floats, 16);
	put(&m, PROTO "].", 4);
	put_tar_member(b, "storages", m.p, m.n, '0');
	put_number(b, 0, 8);
	while (b->n % 512)
		put(b, "", 1);
}

static void put_sample(struct bytes *b, const struct sample *s)
{
	b->n = 0;
	if (s->layout == ZIP)
		put_zip(b, s);
	else if (s->layout == LEGACY)
		put_legacy(b, s);
	else if (s->layout == TAR)
		put_tar(b, s);
	else
		put(b, s->pickle, s->n);
	if (s->fault == CUT)
		b->n -= s->layout == ZIP ? b->n / 2 : 6;
}

static FILE *create(const char *dir, const char *path)
{
	char name[1024];
	FILE *fp;

	snprintf(name, sizeof name, "%s/%s", dir, path);
	fp = fopen(name, "wb");
	if (!fp) {
		perror(name);
		exit(1);
	}
	return fp;
}

static void finish(FILE *fp, const char *path)
{
	if (fclose(fp)) {
		perror(path);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	static struct bytes b;
	FILE *readme;

	if (argc != 2) {
		fprintf(stderr, "usage: mkpickle DIR\n");
		return 2;
	}
	mkdir(argv[1], 0777);
	readme = create(argv[1], "README.md");
	fprintf(readme, "# Samples\n\nWritten by tests/helper/mkpickle.c. The name says what opening a sample gives: `good-*` opens, `bad-E203-*` and\n"
			"`unsupported-E206-*` end with error 203, 206. tests/unit/samples.c tries them all.\n\n"
			"Those that call something would do so in a loader that runs pickles: what they call is `id`, or nothing that there is.\n\n");
	for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
		FILE *fp = create(argv[1], samples[i].path);

		put_sample(&b, &samples[i]);
		fwrite(b.p, 1, b.n, fp);
		finish(fp, samples[i].path);
		fprintf(readme, "- `%s`: %s\n", samples[i].path, samples[i].about);
	}
	finish(readme, "README.md");
	return 0;
}
