/*
 * zstd.c - owns the calls of libzstd.
 */
#include "zstd.h"

#include <stdlib.h>
#include <zstd.h>

#include "arena.h"

struct zstd_context {
	ZSTD_CCtx *pack; /* each made when it is first needed */
	ZSTD_DCtx *unpack;
};

size_t zstd_bound(size_t n)
{
	return ZSTD_compressBound(n);
}

struct zstd_context *zstd_context_new(void)
{
	struct zstd_context *c = xmalloc(sizeof *c);

	*c = (struct zstd_context){ 0 };
	return c;
}

void zstd_context_free(struct zstd_context *c)
{
	if (!c)
		return;
	ZSTD_freeCCtx(c->pack);
	ZSTD_freeDCtx(c->unpack);
	free(c);
}

/* A small table and long matches only: literals go to the entropy coder at its full speed. */
static void set_search(ZSTD_CCtx *c, enum zstd_search search)
{
	static const struct {
		int level, min_match, hash_log; /* 0: the level's own */
	} row[] = {
		[ZSTD_REPEATS] = { 3, 0, 0 },
		[ZSTD_FREQUENCIES] = { 1, 7, 6 },
	};

	ZSTD_CCtx_reset(c, ZSTD_reset_session_and_parameters);
	ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, row[search].level);
	ZSTD_CCtx_setParameter(c, ZSTD_c_minMatch, row[search].min_match);
	ZSTD_CCtx_setParameter(c, ZSTD_c_hashLog, row[search].hash_log);
	ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
}

size_t zstd_pack(struct zstd_context *c, enum zstd_search search, void *dst, size_t cap, const void *src, size_t n)
{
	size_t size;

	if (!c->pack && !(c->pack = ZSTD_createCCtx()))
		return 0;
	set_search(c->pack, search);
	size = ZSTD_compress2(c->pack, dst, cap, src, n);
	return ZSTD_isError(size) ? 0 : size;
}

bool zstd_unpack(struct zstd_context *c, void *dst, size_t n, const void *frame, size_t frame_size)
{
	if (!c->unpack && !(c->unpack = ZSTD_createDCtx()))
		return false;
	return ZSTD_decompressDCtx(c->unpack, dst, n, frame, frame_size) == n;
}
