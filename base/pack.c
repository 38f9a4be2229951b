/*
 * pack.c - the planes of heft pack's tiles.
 */
#include "pack.h"

#include <string.h>

int pack_planes(uint32_t width)
{
	switch (width) {
	case 0:
		return 1;
	case 1:
		return 2;
	case 2:
	case 4:
	case 8:
		return (int)width;
	default:
		return 0;
	}
}

size_t pack_plane_size(uint32_t width, size_t n)
{
	return width == 1 ? n / 2 + n % 2 : n / (size_t)pack_planes(width);
}

static uint8_t turn_left(uint8_t b)
{
	return (uint8_t)(b << 1 | b >> 7);
}

static uint8_t turn_right(uint8_t b)
{
	return (uint8_t)(b >> 1 | b << 7);
}

static void split_bytes(uint8_t *high, uint8_t *low, const uint8_t *tile, size_t n)
{
	for (size_t i = 0; i < n / 2; i++) {
		uint8_t a = turn_left(tile[2 * i]), b = turn_left(tile[2 * i + 1]);

		high[i] = (uint8_t)((a & 0xf0) | b >> 4);
		low[i] = (uint8_t)(a << 4 | (b & 15));
	}
	if (n % 2) {
		high[n / 2] = turn_left(tile[n - 1]) & 0xf0;
		low[n / 2] = (uint8_t)(turn_left(tile[n - 1]) << 4);
	}
}

static void join_bytes(uint8_t *tile, const uint8_t *high, const uint8_t *low, size_t n)
{
	for (size_t i = 0; i < n / 2; i++) {
		tile[2 * i] = turn_right((uint8_t)((high[i] & 0xf0) | low[i] >> 4));
		tile[2 * i + 1] = turn_right((uint8_t)(high[i] << 4 | (low[i] & 15)));
	}
	if (n % 2)
		tile[n - 1] = turn_right((uint8_t)((high[n / 2] & 0xf0) | low[n / 2] >> 4));
}

/* For each width a loop of its own, so that the compiler turns it into one over vectors. */
#define FLOATS(bits, width)                                                                                            \
	static void split_##width(uint8_t *plane, const uint8_t *tile, size_t n)                                       \
	{                                                                                                              \
		for (size_t i = 0; i < n; i++) {                                                                       \
			uint##bits##_t v;                                                                              \
			memcpy(&v, tile + i * width, width);                                                           \
			v = (uint##bits##_t)(v << 1 | v >> (bits - 1));                                                \
			for (size_t k = 0; k < width; k++)                                                             \
				plane[k * n + i] = (uint8_t)(v >> (bits - 8 - 8 * k));                                 \
		}                                                                                                      \
	}                                                                                                              \
	static void join_##width(uint8_t *tile, const uint8_t *plane, size_t n)                                        \
	{                                                                                                              \
		for (size_t i = 0; i < n; i++) {                                                                       \
			uint##bits##_t v = 0;                                                                          \
			for (size_t k = 0; k < width; k++)                                                             \
				v = (uint##bits##_t)(v | (uint##bits##_t)plane[k * n + i] << (bits - 8 - 8 * k));      \
			v = (uint##bits##_t)(v >> 1 | v << (bits - 1));                                                \
			memcpy(tile + i * width, &v, width);                                                           \
		}                                                                                                      \
	}
FLOATS(16, 2)
FLOATS(32, 4)
FLOATS(64, 8)

void pack_split(uint32_t width, uint8_t *planes, const uint8_t *tile, size_t n)
{
	switch (width) {
	case 1:
		split_bytes(planes, planes + pack_plane_size(1, n), tile, n);
		break;
	case 2:
		split_2(planes, tile, n / 2);
		break;
	case 4:
		split_4(planes, tile, n / 4);
		break;
	case 8:
		split_8(planes, tile, n / 8);
		break;
	default:
		memcpy(planes, tile, n);
	}
}

void pack_join(uint32_t width, uint8_t *tile, const uint8_t *planes, size_t n)
{
	switch (width) {
	case 1:
		join_bytes(tile, planes, planes + pack_plane_size(1, n), n);
		break;
	case 2:
		join_2(tile, planes, n / 2);
		break;
	case 4:
		join_4(tile, planes, n / 4);
		break;
	case 8:
		join_8(tile, planes, n / 8);
		break;
	default:
		memcpy(tile, planes, n);
	}
}
