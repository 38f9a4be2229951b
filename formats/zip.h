/*
 * zip.h - lists the members of a zip archive, strictly: one reader's archive must not be another reader's, since scanners and loaders that
 * disagree about a file are how bad ones get through.
 */
#ifndef FORMATS_ZIP_H
#define FORMATS_ZIP_H

#include "../base/arena.h"
#include "../base/err.h"
#include "../base/source.h"

struct zip_member {
	const char *name;
	uint64_t header;       /* where its local header begins */
	uint64_t offset, size; /* of its bytes as they are stored */
	uint64_t plain_size;   /* of what they unpack to: `size` where stored */
	uint32_t crc;          /* of what they unpack to */
	uint16_t method;       /* 0: stored */
	uint16_t flags;
};
struct zip {
	struct zip_member *member; /* in the order of their bytes */
	size_t n;
};

int zip_list(struct zip *out, struct source *src, struct arena *a, struct heft_err *err);
const struct zip_member *zip_find(const struct zip *z, const char *name); /* NULL where there is none */
/* Refuses a member that is compressed, or whose bytes are not those that its checksum was made of (0: none was made, as PyTorch can be told). */
int zip_verify(const struct zip_member *m, struct source *src, struct heft_err *err);

#endif
