/*
 * sha256.h - SHA-256 digests as lower-case hexadecimal. The one door to libcrypto.
 */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include <stddef.h>

void sha256_hex(const void *p, size_t n, char out[65]);

/* Piece by piece: new, update ..., final. */
struct sha256;
struct sha256 *sha256_new(void);
void sha256_update(struct sha256 *s, const void *p, size_t n);
void sha256_final(struct sha256 *s, char hex[65]); /* frees s; hex NULL: only frees */

#endif
