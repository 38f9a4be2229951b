/*
 * f16_neon.c - F16 by the processor's own conversions.
 */
#if defined(__aarch64__)
#include "../quant.h"

#include <arm_neon.h>

extern const struct heft_encoding quant_f16;

static void decode(const void *const *plane, float *dst, size_t n)
{
	const uint8_t *p = plane[0];
	size_t i = 0;
	for (; i + 8 <= n; i += 8) {
		float16x8_t h = vreinterpretq_f16_u8(vld1q_u8(p + 2 * i));
		vst1q_f32(dst + i, vcvt_f32_f16(vget_low_f16(h)));
		vst1q_f32(dst + i + 4, vcvt_high_f32_f16(h));
	}
	quant_f16.decode((const void *[]){p + 2 * i}, dst + i, n - i);
}

static void encode(const float *src, void *const *plane, size_t n, const float *weights)
{
	uint8_t *p = plane[0];
	size_t i = 0;
	for (; i + 8 <= n; i += 8) {
		float32x4_t a = vld1q_f32(src + i), b = vld1q_f32(src + i + 4);
		uint32x4_t numbers = vandq_u32(vceqq_f32(a, a), vceqq_f32(b, b));
		if (vminvq_u32(numbers)) /* a NaN would keep its payload */
			vst1q_u8(p + 2 * i, vreinterpretq_u8_f16(vcvt_high_f16_f32(vcvt_f16_f32(a), b)));
		else
			quant_f16.encode(src + i, (void *[]){p + 2 * i}, 8, NULL);
	}
	quant_f16.encode(src + i, (void *[]){p + 2 * i}, n - i, NULL);
}

const struct quant_kernel kernel_f16_neon = {.encoding = "f16", .isa = QUANT_NEON, .decode = decode, .encode = encode};
#endif
