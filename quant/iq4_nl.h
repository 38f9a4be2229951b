/*
 * iq4_nl.h - the values that IQ4_NL's codes choose from, and the middles between them.
 */
#ifndef QUANT_IQ4_NL_H
#define QUANT_IQ4_NL_H

#define IQ4_NL_TRIES 7 /* scales tried on either side */

/* clang-format off */
static const float iq4_nl_value[16] = {
	-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
};
static const float iq4_nl_middle[15] = {
	-115.5f, -93.5f, -74, -57, -42, -28.5f, -16, -4.5f, 7, 19, 31.5f, 45.5f, 61, 79, 101,
};
/* clang-format on */

#endif
