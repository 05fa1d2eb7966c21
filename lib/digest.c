/* SPDX-License-Identifier: MIT */
#include "digest.h"

#include <openssl/evp.h>
#include <string.h>

#include "util.h"

static const struct digest_alg {
	const char *name;
	size_t len;
	const EVP_MD *(*md)(void);
} algs[] = {
	[MICA_DIGEST_SHA256] = {"sha256", 32, EVP_sha256},
	[MICA_DIGEST_SHA512] = {"sha512", 64, EVP_sha512},
};

#define ALG_COUNT (sizeof(algs) / sizeof(algs[0]))

struct mica_hasher {
	enum mica_digest_alg alg;
	EVP_MD_CTX *ctx;
	bool failed;
};

/* The value of a lower-case digit, -1: it is none. */
static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int digest_parse_hex(const char *hex, struct mica_digest *d, struct mica_err *err)
{
	size_t len = algs[d->alg].len;

	if (strlen(hex) != 2 * len)
		return mica_err_set(err, MICA_E_INPUT, "digest: %zu digits behind '%s:', not %zu",
				    strlen(hex), algs[d->alg].name, 2 * len);
	for (size_t i = 0; i < len; i++) {
		int high = digit_value(hex[2 * i]), low = digit_value(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return mica_err_set(err, MICA_E_INPUT,
					    "digest: digit %zu behind '%s:' is not 0-9 or a-f",
					    2 * i + (high >= 0), algs[d->alg].name);
		d->bytes[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

int mica_digest_parse(const char *text, struct mica_digest *out, struct mica_err *err)
{
	struct mica_digest d = {0};
	const char *colon = strchr(text, ':');
	int ret;

	for (size_t i = 0; colon && i < ALG_COUNT; i++) {
		if (strlen(algs[i].name) != (size_t)(colon - text) ||
		    strncmp(text, algs[i].name, strlen(algs[i].name)) != 0)
			continue;
		d.alg = (enum mica_digest_alg)i;
		ret = digest_parse_hex(colon + 1, &d, err);
		if (!ret)
			*out = d;
		return ret;
	}
	return mica_err_set(err, MICA_E_UNSUPPORTED,
			    "digest: starts with neither 'sha256:' nor 'sha512:'");
}

const char *mica_digest_alg_name(enum mica_digest_alg alg)
{
	return algs[alg].name;
}

void mica_digest_hex(const struct mica_digest *digest, size_t max, char *out)
{
	size_t n = (size_t)mica_min(max, 2 * algs[digest->alg].len);

	for (size_t i = 0; i < n; i++)
		out[i] = "0123456789abcdef"[digest->bytes[i / 2] >> (i % 2 ? 0 : 4) & 15];
	out[n] = '\0';
}

void mica_digest_format(const struct mica_digest *digest, char out[MICA_DIGEST_TEXT])
{
	char *end = stpcpy(out, algs[digest->alg].name);

	*end++ = ':';
	mica_digest_hex(digest, 2 * MICA_DIGEST_MAX, end);
}

bool mica_digest_equal(const struct mica_digest *a, const struct mica_digest *b)
{
	return a->alg == b->alg && !memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

int mica_hasher_new(enum mica_digest_alg alg, struct mica_hasher **out, struct mica_err *err)
{
	struct mica_hasher *h = calloc(1, sizeof(*h));

	if (!h)
		return mica_err_nomem(err);
	h->alg = alg;
	h->ctx = EVP_MD_CTX_new();
	if (!h->ctx || EVP_DigestInit_ex2(h->ctx, algs[alg].md(), NULL) != 1) {
		mica_hasher_free(h);
		return mica_err_set(err, MICA_E_UNSUPPORTED, "OpenSSL offers no %s",
				    algs[alg].name);
	}
	*out = h;
	return 0;
}

void mica_hasher_add(struct mica_hasher *h, const void *buf, size_t len)
{
	h->failed |= EVP_DigestUpdate(h->ctx, buf, len) != 1;
}

int mica_hasher_end(struct mica_hasher *h, struct mica_digest *out, struct mica_err *err)
{
	struct mica_digest d = {.alg = h->alg};

	if (h->failed || EVP_DigestFinal_ex(h->ctx, d.bytes, NULL) != 1)
		return mica_err_set(err, MICA_E_UNSUPPORTED, "OpenSSL: %s failed",
				    algs[h->alg].name);
	*out = d;
	return 0;
}

void mica_hasher_free(struct mica_hasher *h)
{
	if (!h)
		return;
	EVP_MD_CTX_free(h->ctx);
	free(h);
}

int mica_digest_mismatch(const struct mica_digest *want, const struct mica_digest *got,
			 const char *what, struct mica_err *err)
{
	char expected[MICA_DIGEST_TEXT], found[MICA_DIGEST_TEXT];

	mica_digest_format(want, expected);
	mica_digest_format(got, found);
	return mica_err_set(err, MICA_E_INPUT, "%s: wrong digest: expected %s, got %s", what,
			    expected, found);
}

int mica_digest_check(const struct mica_digest *want, const char *what, const void *buf, size_t len,
		      struct mica_err *err)
{
	struct mica_hasher *h cleanup_hasher = NULL;
	struct mica_digest got;
	int ret = mica_hasher_new(want->alg, &h, err);

	if (ret)
		return ret;
	mica_hasher_add(h, buf, len);
	ret = mica_hasher_end(h, &got, err);
	if (ret)
		return ret;
	return mica_digest_equal(want, &got) ? 0 : mica_digest_mismatch(want, &got, what, err);
}
