/*
 * sha256.c - owns the digest contexts of libcrypto. Refuses nothing: the only failure is missing memory, which ends the
 * process.
 */
#include "sha256.h"
#include "arena.h"

#include <openssl/evp.h>
#include <stdlib.h>

struct sha256 {
	EVP_MD_CTX *ctx;
};

struct sha256 *sha256_new(void)
{
	struct sha256 *s = xmalloc(sizeof(*s));

	s->ctx = EVP_MD_CTX_new();
	if (!s->ctx || !EVP_DigestInit_ex(s->ctx, EVP_sha256(), NULL))
		out_of_memory(sizeof(*s));
	return s;
}

void sha256_update(struct sha256 *s, const void *p, size_t n)
{
	EVP_DigestUpdate(s->ctx, p, n);
}

void sha256_final(struct sha256 *s, char hex[65])
{
	unsigned char digest[EVP_MAX_MD_SIZE] = { 0 };

	if (hex) {
		EVP_DigestFinal_ex(s->ctx, digest, NULL);
		for (int i = 0; i < 32; i++) {
			hex[2 * i] = "0123456789abcdef"[digest[i] >> 4];
			hex[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
		}
		hex[64] = 0;
	}
	EVP_MD_CTX_free(s->ctx);
	free(s);
}

void sha256_hex(const void *p, size_t n, char out[65])
{
	struct sha256 *s = sha256_new();

	sha256_update(s, p, n);
	sha256_final(s, out);
}
