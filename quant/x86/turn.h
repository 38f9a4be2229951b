/*
 * turn.h - 8 runs that lie one after another, turned so that their numbers i lie side by side. For 8 and for 16 lanes.
 */
#ifndef QUANT_TURN_H
#define QUANT_TURN_H

#define TURN 8

/* out[i * LANES + r] = in[r][at + i] for 8 runs and 8 numbers. */
LANE_FN void turn(const float *const in[8], int at, float *out)
{
	__m256 r[8], t[8];
	for (int i = 0; i < 4; i++) { /* halves: 0-3 of run i beside 0-3 of run i + 4, then 4-7 */
		__m256 a = _mm256_loadu_ps(in[i] + at), b = _mm256_loadu_ps(in[i + 4] + at);
		r[i] = _mm256_permute2f128_ps(a, b, 0x20);
		r[i + 4] = _mm256_permute2f128_ps(a, b, 0x31);
	}
	for (int h = 0; h < 8; h += 4) {
		t[h] = _mm256_unpacklo_ps(r[h], r[h + 1]);
		t[h + 1] = _mm256_unpackhi_ps(r[h], r[h + 1]);
		t[h + 2] = _mm256_unpacklo_ps(r[h + 2], r[h + 3]);
		t[h + 3] = _mm256_unpackhi_ps(r[h + 2], r[h + 3]);
		_mm256_storeu_ps(out + (h + 0) * LANES, _mm256_shuffle_ps(t[h], t[h + 2], 0x44));
		_mm256_storeu_ps(out + (h + 1) * LANES, _mm256_shuffle_ps(t[h], t[h + 2], 0xee));
		_mm256_storeu_ps(out + (h + 2) * LANES, _mm256_shuffle_ps(t[h + 1], t[h + 3], 0x44));
		_mm256_storeu_ps(out + (h + 3) * LANES, _mm256_shuffle_ps(t[h + 1], t[h + 3], 0xee));
	}
}

#endif
