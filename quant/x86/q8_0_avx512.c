/*
 * q8_0_avx512.c - Q8_0's encoder, a block in two vectors.
 */
#if defined(__x86_64__)
#include "lanes_avx512.h"

#include "../blocks.h"
#include "../quant.h"

extern const struct heft_encoding quant_q8_0;

/* As round_away() of block32_avx2.c. */
LANE_FN __m128i round_away(vf v)
{
	vf below_half = v_set(0x1.fffffep-2f), sign = _mm512_and_ps(v, v_set(-0.0f));
	return _mm512_cvtepi32_epi8(_mm512_cvttps_epi32(v + _mm512_or_ps(below_half, sign)));
}

static LANES_TARGET void encode(const float *src, void *const *plane, size_t n, const float *weights)
{
	struct block_q8_0 *b = plane[0];
	for (; n; n -= QK, b++, src += QK) {
		vf lo = v_load(src), hi = v_load(src + LANES);
		if (_mm512_cmp_ps_mask(lo, hi, _CMP_UNORD_Q)) {
			quant_q8_0.encode(src, (void *[]){b}, QK, NULL);
			continue;
		}
		float d = _mm512_reduce_max_ps(v_max(v_abs(lo), v_abs(hi))) / 127, inverse = d != 0 ? 1 / d : 0;
		b->d = _cvtss_sh(d, _MM_FROUND_TO_NEAREST_INT);
		_mm_storeu_si128((__m128i *)b->qs, round_away(lo * v_set(inverse)));
		_mm_storeu_si128((__m128i *)(b->qs + LANES), round_away(hi * v_set(inverse)));
	}
}

const struct quant_kernel kernel_q8_0_avx512 = {.encoding = "q8_0", .isa = QUANT_AVX512, .encode = encode};
#endif
