/*
 * zstd.h - frames of Zstandard. The one door to libzstd.
 */
#ifndef BASE_ZSTD_H
#define BASE_ZSTD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How to look for what repeats: anything, or only whether some bytes are more frequent than others (exponents of weights hardly ever repeat
 * in runs, and looking for that is what takes the time). */
enum zstd_search { ZSTD_REPEATS, ZSTD_FREQUENCIES };

size_t zstd_bound(size_t n); /* bytes that a frame of n takes at most */
/* One frame with content size and checksum; its bytes depend on the input alone. How many bytes, or 0 where that failed. Threads have
 * each their own context. */
struct zstd_context;
struct zstd_context *zstd_context_new(void);
void zstd_context_free(struct zstd_context *c); /* NULL is allowed */
size_t zstd_pack(struct zstd_context *c, enum zstd_search search, void *dst, size_t cap, const void *src, size_t n);
/* A frame of exactly n bytes of content; false where it is anything else. Safe for any input. */
bool zstd_unpack(struct zstd_context *c, void *dst, size_t n, const void *frame, size_t frame_size);

#endif
