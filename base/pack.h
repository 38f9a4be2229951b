/*
 * pack.h - what heft pack makes of a file: a stream of Zstandard frames that any zstd can list, cut so that each piece of the file can be read
 * alone, and with the bytes of floats sorted so that what can be packed lies together.
 *
 *   head   skippable frame 0x184D2A50: "heftpack", u32 version 1, u32 n segments, u64 size of the file,
 *          per segment: u64 size, u32 width, u32 0
 *   data   per segment, per tile of PACK_TILE bytes (the last one of a segment: what is left), per plane: one frame
 *   end    skippable frame 0x184D2A50: "heftdone", the file's SHA-256 (32 bytes)
 *   table  skippable frame 0x184D2A5E, the seek table of the seekable format: per frame before it u32 packed size, u32 size;
 *          u32 number of frames, u8 0, u32 0x8F92EAB1
 *
 * All numbers are little-endian. A segment's width says what its elements are, and so its planes:
 *
 *   width 0   bytes of any kind: one plane, as they are
 *   width 1   FP8, E4M3 or E5M2; of each byte turned left by one bit, the upper four bits are exponent, the lower four end with the sign.
 *             Plane 0: the upper halves of two bytes in one, that of the first above; plane 1: the lower halves. An odd last byte stands with 0.
 *   width w   floats of w = 2, 4 or 8 bytes, turned left by one bit, so that the highest byte is exponent and the sign comes last: w planes,
 *             the highest bytes first
 */
#ifndef BASE_PACK_H
#define BASE_PACK_H

#include "arena.h"
#include "err.h"

#define PACK_TILE ((size_t)512 * 1024)
#define PACK_MAX_PLANES 8
#define PACK_DATA_FRAME 0x184D2A50u
#define PACK_TABLE_FRAME 0x184D2A5Eu
#define PACK_TABLE_MAGIC 0x8F92EAB1u
#define PACK_MAGIC "heftpack"
#define PACK_DONE "heftdone"

enum {
	PACK_VERSION = 1,
	PACK_FRAME_HEAD = 8,  /* magic, size */
	PACK_HEAD = 24,       /* of the head's content, before the segments */
	PACK_SEGMENT = 16,
	PACK_END = 8 + 32,
	PACK_TABLE_ROW = 8,
	PACK_TABLE_END = 9,
};

struct pack_segment {
	uint64_t size;
	uint32_t width; /* 0, 1, 2, 4, 8 */
};

int pack_planes(uint32_t width);                    /* 0 where there is no such width */
size_t pack_plane_size(uint32_t width, size_t n);   /* bytes of each plane of a tile of n bytes */
/* Sorts the bytes of a tile into its planes, one behind the other (planes * plane size bytes), and back. */
void pack_split(uint32_t width, uint8_t *planes, const uint8_t *tile, size_t n);
void pack_join(uint32_t width, uint8_t *tile, const uint8_t *planes, size_t n);

#endif
