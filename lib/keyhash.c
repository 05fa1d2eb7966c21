/* SPDX-License-Identifier: MIT */
#include "keyhash.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdbool.h>

#include "util.h"

#define ADD_MAX (1u << 30) /* OpenSSL counts in int */

struct mica_keyhash {
	EVP_CIPHER_CTX *ctx;
	bool failed;
};

int mica_keyhash_key(uint8_t key[MICA_KEYHASH_KEY], struct mica_err *err)
{
	if (RAND_bytes(key, MICA_KEYHASH_KEY) != 1)
		return mica_err_set(err, MICA_E_UNSUPPORTED, "OpenSSL: no random bytes");
	return 0;
}

int mica_keyhash_new(const uint8_t key[MICA_KEYHASH_KEY], struct mica_keyhash **out,
		     struct mica_err *err)
{
	struct mica_keyhash *h = calloc(1, sizeof(*h));

	if (!h)
		return mica_err_nomem(err);
	h->ctx = EVP_CIPHER_CTX_new();
	if (!h->ctx || EVP_EncryptInit_ex2(h->ctx, EVP_aes_128_gcm(), key, NULL, NULL) != 1) {
		mica_keyhash_free(h);
		return mica_err_set(err, MICA_E_UNSUPPORTED, "OpenSSL offers no AES-128-GCM");
	}
	*out = h;
	return 0;
}

void mica_keyhash_begin(struct mica_keyhash *h)
{
	/*
	 * One nonce for all messages would be fatal for a MAC that an attacker sees.
	 * Here only equality matters, and that is what the equal nonce gives.
	 */
	static const uint8_t nonce[12];

	h->failed = EVP_EncryptInit_ex2(h->ctx, NULL, NULL, nonce, NULL) != 1;
}

void mica_keyhash_add(struct mica_keyhash *h, const void *buf, size_t len)
{
	const unsigned char *p = buf;
	int unused;

	while (len) {
		size_t n = mica_min(len, ADD_MAX);

		h->failed |= EVP_EncryptUpdate(h->ctx, NULL, &unused, p, (int)n) != 1;
		p += n;
		len -= n;
	}
}

int mica_keyhash_end(struct mica_keyhash *h, uint8_t out[MICA_KEYHASH_LEN], struct mica_err *err)
{
	unsigned char none[16];
	int unused;

	h->failed |= EVP_EncryptFinal_ex(h->ctx, none, &unused) != 1;
	h->failed |= EVP_CIPHER_CTX_ctrl(h->ctx, EVP_CTRL_AEAD_GET_TAG, MICA_KEYHASH_LEN, out) != 1;
	return h->failed ? mica_err_set(err, MICA_E_UNSUPPORTED, "OpenSSL: GMAC failed") : 0;
}

void mica_keyhash_free(struct mica_keyhash *h)
{
	if (!h)
		return;
	EVP_CIPHER_CTX_free(h->ctx);
	free(h);
}
