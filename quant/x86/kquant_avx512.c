/*
 * kquant_avx512.c - the k-quants' encoders with their searches in 16 lanes.
 */
#if defined(__x86_64__)
#include "lanes_avx512.h"

#include "../kquant_lanes.h"

#define KQUANT(bits)                                                                                                   \
	static void encode_q##bits(const float *src, void *const *plane, size_t n, const float *weights)               \
	{                                                                                                              \
		kquant_encode(&kquant_q##bits, &lanes_ops, src, plane[0], n, weights);                                 \
	}                                                                                                              \
	const struct quant_kernel kernel_q##bits##_k_avx512 = {                                                          \
		.encoding = "q" #bits "_k",                                                                            \
		.isa = QUANT_AVX512,                                                                                       \
		.encode = encode_q##bits,                                                                              \
	};

KQUANT(2)
KQUANT(3)
KQUANT(4)
KQUANT(5)
KQUANT(6)
#endif
