/*
 * block32_avx512.c - encoders of the blocks of 32 with importance, one block in each of 16 lanes. Without it they are as
 * fast with AVX2.
 */
#if defined(__x86_64__)
#include "lanes_avx512.h"

#include "../block32_lanes.h"

extern const struct quant_kernel kernel_q4_0_encode_avx2, kernel_q4_1_encode_avx2, kernel_q5_0_encode_avx2,
	kernel_q5_1_encode_avx2;

BLOCK32_ENCODER(q4_0, kernel_q4_0_encode_avx2.encode)
BLOCK32_ENCODER(q4_1, kernel_q4_1_encode_avx2.encode)
BLOCK32_ENCODER(q5_0, kernel_q5_0_encode_avx2.encode)
BLOCK32_ENCODER(q5_1, kernel_q5_1_encode_avx2.encode)

BLOCK32_KERNEL(q4_0, avx512, QUANT_AVX512)
BLOCK32_KERNEL(q4_1, avx512, QUANT_AVX512)
BLOCK32_KERNEL(q5_0, avx512, QUANT_AVX512)
BLOCK32_KERNEL(q5_1, avx512, QUANT_AVX512)
#endif
