/*
 * blocks.h - the bytes of one block of each block encoding, and how codes become its bits. The bit diagrams stand in
 * quant/NAME.c.
 *
 * The structs are packed: a block may begin at any address. `pack` functions fill the code bits only, from one code per
 * number.
 */
#ifndef QUANT_BLOCKS_H
#define QUANT_BLOCKS_H

#include <stddef.h>
#include "bits.h"

/* A struct quant_codes: the members from `first` to `last` hold the codes, from all `low` to all `high`. */
#define CODES(type, first, last, low, high, levels)                                                                    \
	{offsetof(type, first), offsetof(type, last) + sizeof ((type *)0)->last - offsetof(type, first), low, high, levels}

enum {
	QK = 32,    /* numbers in a block of the simple encodings */
	QK_K = 256, /* numbers in a super-block of the k-quants */
	QK1 = 128,  /* of q1_0 */
	QK2 = 64,   /* of q2_0 */
	QK_NVFP4 = 64,
};

struct __attribute__((packed)) block_q8_0 {
	uint16_t d;
	int8_t qs[QK];
};
struct __attribute__((packed)) block_q4_0 {
	uint16_t d;
	uint8_t qs[QK / 2];
};
struct __attribute__((packed)) block_q4_1 {
	uint16_t d, m;
	uint8_t qs[QK / 2];
};
struct __attribute__((packed)) block_q5_0 {
	uint16_t d;
	uint32_t qh;
	uint8_t qs[QK / 2];
};
struct __attribute__((packed)) block_q5_1 {
	uint16_t d, m;
	uint32_t qh;
	uint8_t qs[QK / 2];
};
struct __attribute__((packed)) block_iq4_nl {
	uint16_t d;
	uint8_t qs[QK / 2];
};
struct __attribute__((packed)) block_iq2_xxs {
	uint16_t d;
	uint32_t qs[QK_K / 32][2];
};
struct __attribute__((packed)) block_iq2_xs {
	uint16_t d;
	uint16_t qs[QK_K / 8];
	uint8_t scales[QK_K / 32];
};
struct __attribute__((packed)) block_iq2_s {
	uint16_t d;
	uint8_t qs[QK_K / 8];
	uint8_t signs[QK_K / 8];
	uint8_t qh[QK_K / 32];
	uint8_t scales[QK_K / 32];
};
struct __attribute__((packed)) block_iq3_xxs {
	uint16_t d;
	uint8_t qs[QK_K / 4];
	uint32_t signs[QK_K / 32];
};
struct __attribute__((packed)) block_iq3_s {
	uint16_t d;
	uint8_t qs[QK_K / 4], qh[QK_K / 32], signs[QK_K / 8], scales[QK_K / 64];
};
struct __attribute__((packed)) block_iq4_xs {
	uint16_t d, scales_h;
	uint8_t scales_l[QK_K / 64];
	uint8_t qs[QK_K / 2];
};
struct __attribute__((packed)) block_q1_0 {
	uint16_t d;
	uint8_t qs[QK1 / 8];
};
struct __attribute__((packed)) block_q2_0 {
	uint16_t d;
	uint8_t qs[QK2 / 4];
};
struct __attribute__((packed)) block_mxfp4 {
	uint8_t e;
	uint8_t qs[QK / 2];
};
struct __attribute__((packed)) block_nvfp4 {
	uint8_t d[QK_NVFP4 / 16];
	uint8_t qs[QK_NVFP4 / 2];
};
struct __attribute__((packed)) block_tq1_0 {
	uint8_t qs[48], qh[4];
	uint16_t d;
};
struct __attribute__((packed)) block_tq2_0 {
	uint8_t qs[QK_K / 4];
	uint16_t d;
};
struct __attribute__((packed)) block_q8_1 {
	uint16_t d, s;
	int8_t qs[QK];
};
struct __attribute__((packed)) block_q8_k {
	float d;
	int8_t qs[QK_K];
	int16_t bsums[QK_K / 16];
};
struct __attribute__((packed)) block_q2_k {
	uint8_t scales[QK_K / 16];
	uint8_t qs[QK_K / 4];
	uint16_t d, dmin;
};
struct __attribute__((packed)) block_q3_k {
	uint8_t hmask[QK_K / 8];
	uint8_t qs[QK_K / 4];
	uint8_t scales[12];
	uint16_t d;
};
struct __attribute__((packed)) block_q4_k {
	uint16_t d, dmin;
	uint8_t scales[12];
	uint8_t qs[QK_K / 2];
};
struct __attribute__((packed)) block_q5_k {
	uint16_t d, dmin;
	uint8_t scales[12];
	uint8_t qh[QK_K / 8];
	uint8_t qs[QK_K / 2];
};
struct __attribute__((packed)) block_q6_k {
	uint8_t ql[QK_K / 2];
	uint8_t qh[QK_K / 4];
	int8_t scales[QK_K / 16];
	uint16_t d;
};
struct __attribute__((packed)) block_iq1_s {
	uint16_t d;
	uint8_t qs[QK_K / 8];
	uint16_t qh[QK_K / 32];
};
struct __attribute__((packed)) block_iq1_m {
	uint8_t qs[QK_K / 8];
	uint8_t qh[QK_K / 16];
	uint16_t scales[QK_K / 64];
};

_Static_assert(sizeof(struct block_q8_0) == 34, "q8_0");
_Static_assert(sizeof(struct block_q4_0) == 18, "q4_0");
_Static_assert(sizeof(struct block_q4_1) == 20, "q4_1");
_Static_assert(sizeof(struct block_q5_0) == 22, "q5_0");
_Static_assert(sizeof(struct block_q5_1) == 24, "q5_1");
_Static_assert(sizeof(struct block_iq4_nl) == 18, "iq4_nl");
_Static_assert(sizeof(struct block_iq2_xxs) == 66, "iq2_xxs");
_Static_assert(sizeof(struct block_iq2_xs) == 74, "iq2_xs");
_Static_assert(sizeof(struct block_iq2_s) == 82, "iq2_s");
_Static_assert(sizeof(struct block_iq3_xxs) == 98, "iq3_xxs");
_Static_assert(sizeof(struct block_iq3_s) == 110, "iq3_s");
_Static_assert(sizeof(struct block_iq4_xs) == 136, "iq4_xs");
_Static_assert(sizeof(struct block_q1_0) == 18, "q1_0");
_Static_assert(sizeof(struct block_q2_0) == 18, "q2_0");
_Static_assert(sizeof(struct block_mxfp4) == 17, "mxfp4");
_Static_assert(sizeof(struct block_nvfp4) == 36, "nvfp4");
_Static_assert(sizeof(struct block_tq1_0) == 54, "tq1_0");
_Static_assert(sizeof(struct block_tq2_0) == 66, "tq2_0");
_Static_assert(sizeof(struct block_q8_1) == 36, "q8_1");
_Static_assert(sizeof(struct block_q8_k) == 292, "q8_k");
_Static_assert(sizeof(struct block_q2_k) == 84, "q2_k");
_Static_assert(sizeof(struct block_q3_k) == 110, "q3_k");
_Static_assert(sizeof(struct block_q4_k) == 144, "q4_k");
_Static_assert(sizeof(struct block_q5_k) == 176, "q5_k");
_Static_assert(sizeof(struct block_q6_k) == 210, "q6_k");
_Static_assert(sizeof(struct block_iq1_s) == 50, "iq1_s");
_Static_assert(sizeof(struct block_iq1_m) == 56, "iq1_m");

/* Codes become bits eight bytes at a time. */

/* 32 codes of 4 or 5 bits: the low nibbles of byte j are numbers j and j + 16. Returns the fifth bits: the product adds
 * bit 0 of byte k, moved to bit 56 + k, and nothing else reaches the upper byte. */
static inline uint32_t pack_halves(uint8_t qs[QK / 2], const uint8_t codes[QK])
{
	const uint64_t low = bytes_of(15), gather = 0x0102040810204080;
	uint32_t high = 0;
	for (int j = 0; j < QK / 2; j += 8)
		store64(qs + j, (load64(codes + j) & low) | (load64(codes + j + QK / 2) & low) << 4);
	for (int j = 0; j < QK; j += 8)
		high |= (uint32_t)((load64(codes + j) >> 4 & bytes_of(1)) * gather >> 56) << j;
	return high;
}

/* 256 codes of 2 bits: byte l of each 32 holds numbers l, l + 32, l + 64 and l + 96 of each 128, lowest bits first. */
static inline void pack_quarters(uint8_t qs[QK_K / 4], const uint8_t codes[QK_K])
{
	const uint64_t low = bytes_of(3);
	for (int j = 0; j < QK_K; j += 128)
		for (int l = 0; l < 32; l += 8) {
			const uint8_t *c = codes + j + l;
			store64(qs + j / 4 + l, (load64(c) & low) | (load64(c + 32) & low) << 2 |
							(load64(c + 64) & low) << 4 | (load64(c + 96) & low) << 6);
		}
}

/* 64 codes of 2 bits: byte j holds numbers 4j to 4j + 3, lowest bits first. */
static inline void pack_fours(uint8_t qs[QK2 / 4], const uint8_t codes[QK2])
{
	for (int j = 0; j < QK2 / 4; j++)
		qs[j] = codes[4 * j] | codes[4 * j + 1] << 2 | codes[4 * j + 2] << 4 | codes[4 * j + 3] << 6;
}

/* 256 codes of 4 bits: byte l of each 32 holds numbers l and l + 32 of each 64. */
static inline void pack_nibbles(uint8_t qs[QK_K / 2], const uint8_t codes[QK_K])
{
	const uint64_t low = bytes_of(15);
	for (int j = 0; j < QK_K; j += 64)
		for (int l = 0; l < 32; l += 8) {
			const uint8_t *c = codes + j + l;
			store64(qs + j / 2 + l, (load64(c) & low) | (load64(c + 32) & low) << 4);
		}
}

/* Bit `bit` of 256 codes: byte l holds numbers l, l + 32, l + 64 ..., lowest first. */
static inline void pack_bit(uint8_t qh[QK_K / 8], const uint8_t codes[QK_K], int bit)
{
	for (int l = 0; l < 32; l += 8) {
		uint64_t all = 0;
		for (int j = 0; j < 8; j++)
			all |= (load64(codes + 32 * j + l) >> bit & bytes_of(1)) << j;
		store64(qh + l, all);
	}
}

/* 256 codes of 6 bits: see quant/q6_k.c. */
static inline void pack_sixes(uint8_t ql[QK_K / 2], uint8_t qh[QK_K / 4], const uint8_t codes[QK_K])
{
	const uint64_t low = bytes_of(15), high = bytes_of(3);
	for (int half = 0; half < 2; half++) {
		const uint8_t *q = codes + half * 128;
		for (int l = 0; l < 64; l += 8)
			store64(ql + half * 64 + l, (load64(q + l) & low) | (load64(q + l + 64) & low) << 4);
		for (int l = 0; l < 32; l += 8)
			store64(qh + half * 32 + l, (load64(q + l) >> 4 & high) | (load64(q + l + 32) >> 4 & high) << 2 |
							    (load64(q + l + 64) >> 4 & high) << 4 |
							    (load64(q + l + 96) >> 4 & high) << 6);
	}
}

/* The 12 bytes of q4_k and q5_k that hold eight 6-bit scales and minimums: see quant/q4_k.c. */
static inline void unpack_scale_min(const uint8_t s[12], int j, uint8_t *scale, uint8_t *min)
{
	if (j < 4) {
		*scale = s[j] & 63;
		*min = s[j + 4] & 63;
	} else {
		*scale = (s[j + 4] & 15) | s[j - 4] >> 6 << 4;
		*min = s[j + 4] >> 4 | s[j] >> 6 << 4;
	}
}

static inline void pack_scale_min(uint8_t s[12], const uint8_t scale[8], const uint8_t min[8])
{
	for (int j = 0; j < 4; j++) {
		s[j] = scale[j] | scale[j + 4] >> 4 << 6;
		s[j + 4] = min[j] | min[j + 4] >> 4 << 6;
		s[j + 8] = (scale[j + 4] & 15) | min[j + 4] << 4;
	}
}

/* The 12 bytes of q3_k that hold sixteen 6-bit scales, 32 meaning 0: see quant/q3_k.c. */
static inline int unpack_scale_q3(const uint8_t s[12], int j)
{
	int low = j < 8 ? s[j] & 15 : s[j - 8] >> 4;
	return (low | (s[8 + j % 4] >> 2 * (j / 4) & 3) << 4) - 32;
}

static inline void pack_scales_q3(uint8_t s[12], const uint8_t scale[16])
{
	for (int j = 0; j < 8; j++)
		s[j] = (scale[j] & 15) | scale[j + 8] << 4;
	for (int j = 0; j < 4; j++)
		s[8 + j] = scale[j] >> 4 | scale[j + 4] >> 4 << 2 | scale[j + 8] >> 4 << 4 | scale[j + 12] >> 4 << 6;
}

#endif
