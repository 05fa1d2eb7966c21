/* SPDX-License-Identifier: MIT */
/* The keyed hash, CRC-32C. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../formats/crc32c.h"
#include "../../lib/keyhash.h"
#include "../../lib/util.h"

static void hex(const uint8_t *bytes, size_t len, char *out)
{
	for (size_t i = 0; i < len; i++) {
		*out++ = "0123456789abcdef"[bytes[i] >> 4];
		*out++ = "0123456789abcdef"[bytes[i] & 15];
	}
	*out = 0;
}

/* FIPS 180-2, appendix B */
static void keyhash(struct mica_keyhash *h, const void *buf, size_t len, size_t step,
		    uint8_t out[MICA_KEYHASH_LEN])
{
	const unsigned char *p = buf;
	struct mica_err err = {0};

	mica_keyhash_begin(h);
	for (size_t n; len; p += n, len -= n) {
		n = mica_min(len, step);
		mica_keyhash_add(h, p, n);
	}
	assert_int_equal(mica_keyhash_end(h, out, &err), 0);
}

/* GMAC with a zero key and nonce: tags of NIST's GCM test vectors 1 (no data at all). */
static void keyhash_is_gmac(void **state)
{
	static const uint8_t key[MICA_KEYHASH_KEY];
	struct mica_keyhash *h = NULL;
	struct mica_err err = {0};
	uint8_t tag[MICA_KEYHASH_LEN];
	char shown[2 * MICA_KEYHASH_LEN + 1];

	(void)state;
	assert_int_equal(mica_keyhash_new(key, &h, &err), 0);
	keyhash(h, "", 0, 1, tag);
	hex(tag, sizeof(tag), shown);
	assert_string_equal(shown, "58e2fccefa7e3061367f1d57a4e7455a");
	mica_keyhash_free(h);
	mica_keyhash_free(NULL);
}

static void keyhash_depends_on_content_and_key_only(void **state)
{
	static unsigned char buf[100000];
	uint8_t key[MICA_KEYHASH_KEY], other[MICA_KEYHASH_KEY];
	uint8_t whole[MICA_KEYHASH_LEN], tag[MICA_KEYHASH_LEN];
	struct mica_keyhash *a = NULL, *b = NULL, *c = NULL;
	struct mica_err err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (unsigned char)(i * i >> 3);
	assert_int_equal(mica_keyhash_key(key, &err), 0);
	assert_int_equal(mica_keyhash_key(other, &err), 0);
	assert_memory_not_equal(key, other, sizeof(key));
	assert_int_equal(mica_keyhash_new(key, &a, &err), 0);
	assert_int_equal(mica_keyhash_new(key, &b, &err), 0);
	assert_int_equal(mica_keyhash_new(other, &c, &err), 0);
	keyhash(a, buf, sizeof(buf), sizeof(buf), whole);
	/* again, in another object, cut otherwise: the same */
	keyhash(a, buf, sizeof(buf), 4096, tag);
	assert_memory_equal(tag, whole, sizeof(tag));
	keyhash(b, buf, sizeof(buf), 7, tag);
	assert_memory_equal(tag, whole, sizeof(tag));
	/* another key, another length, another bit: different */
	keyhash(c, buf, sizeof(buf), sizeof(buf), tag);
	assert_memory_not_equal(tag, whole, sizeof(tag));
	keyhash(a, buf, sizeof(buf) - 1, sizeof(buf), tag);
	assert_memory_not_equal(tag, whole, sizeof(tag));
	buf[50000] ^= 1;
	keyhash(a, buf, sizeof(buf), sizeof(buf), tag);
	assert_memory_not_equal(tag, whole, sizeof(tag));
	mica_keyhash_free(a);
	mica_keyhash_free(b);
	mica_keyhash_free(c);
}

/* Zeros at the end are no padding: GHASH pads with them, its length block tells them apart. */
static void keyhash_tells_zeros_apart(void **state)
{
	static const unsigned char zeros[64];
	uint8_t key[MICA_KEYHASH_KEY], tags[65][MICA_KEYHASH_LEN];
	struct mica_keyhash *h = NULL;
	struct mica_err err = {0};

	(void)state;
	assert_int_equal(mica_keyhash_key(key, &err), 0);
	assert_int_equal(mica_keyhash_new(key, &h, &err), 0);
	for (size_t n = 0; n <= 64; n++) {
		keyhash(h, zeros, n, 64, tags[n]);
		for (size_t k = 0; k < n; k++)
			assert_memory_not_equal(tags[n], tags[k], MICA_KEYHASH_LEN);
	}
	mica_keyhash_free(h);
}

static void crc32c_of_the_standard(void **state)
{
	static const char digits[] = "123456789";
	unsigned char zeros[32] = {0};

	(void)state;
	/* RFC 3720, B.4 and the usual check value; those invert the result, EROFS does not */
	assert_int_equal(~mica_crc32c(~0u, digits, 9), 0xe3069283);
	assert_int_equal(~mica_crc32c(~0u, zeros, 32), 0x8a9136aa);
	memset(zeros, 0xff, sizeof(zeros));
	assert_int_equal(~mica_crc32c(~0u, zeros, 32), 0x62a8ab43);
	assert_int_equal(mica_crc32c(mica_crc32c(~0u, digits, 4), digits + 4, 5),
			 mica_crc32c(~0u, digits, 9));
	assert_int_equal(mica_crc32c(123, digits, 0), 123);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keyhash_is_gmac),
		cmocka_unit_test(keyhash_depends_on_content_and_key_only),
		cmocka_unit_test(keyhash_tells_zeros_apart),
		cmocka_unit_test(crc32c_of_the_standard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
