/* SPDX-License-Identifier: MIT */
/*
 * Digests that name content, as OCI writes them ("sha256:<64 hex digits>"),
 * and the running hashes that prove them.
 */
#ifndef MICA_LIB_DIGEST_H
#define MICA_LIB_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define MICA_DIGEST_MAX	 64					   /* bytes */
#define MICA_DIGEST_TEXT (sizeof("sha256:") + 2 * MICA_DIGEST_MAX) /* with its NUL */

enum mica_digest_alg {
	MICA_DIGEST_SHA256,
	MICA_DIGEST_SHA512,
};

struct mica_digest {
	enum mica_digest_alg alg;
	uint8_t bytes[MICA_DIGEST_MAX]; /* those that the algorithm has; the others are 0 */
};

/*
 * text is hostile. Only registered algorithms and lower-case digits of the
 * right number pass, so a digest can be made part of a path.
 */
int mica_digest_parse(const char *text, struct mica_digest *out, struct mica_err *err);

/* "sha256:..." */
void mica_digest_format(const struct mica_digest *digest, char out[MICA_DIGEST_TEXT]);

/* "sha256" */
const char *mica_digest_alg_name(enum mica_digest_alg alg);

/* The digits alone, at most max of them and a NUL. */
void mica_digest_hex(const struct mica_digest *digest, size_t max, char *out);

bool mica_digest_equal(const struct mica_digest *a, const struct mica_digest *b);

struct mica_hasher; /* one running hash; one thread at a time */

int mica_hasher_new(enum mica_digest_alg alg, struct mica_hasher **out, struct mica_err *err);
/* A failure inside the library is kept until mica_hasher_end(). */
void mica_hasher_add(struct mica_hasher *h, const void *buf, size_t len);
/* Once. */
int mica_hasher_end(struct mica_hasher *h, struct mica_digest *out, struct mica_err *err);
void mica_hasher_free(struct mica_hasher *h);

static inline void mica_cleanup_hasher(struct mica_hasher **h)
{
	mica_hasher_free(*h);
}
#define cleanup_hasher cleanup(mica_cleanup_hasher)

/* That buf has the digest; what names it in the error: "blob". */
int mica_digest_check(const struct mica_digest *want, const char *what, const void *buf, size_t len,
		      struct mica_err *err);

/* The one error of content that is not what its digest says. */
int mica_digest_mismatch(const struct mica_digest *want, const struct mica_digest *got,
			 const char *what, struct mica_err *err);

#endif
