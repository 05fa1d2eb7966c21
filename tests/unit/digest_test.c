/* SPDX-License-Identifier: MIT */
#include "../../lib/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../lib/util.h"

#define EMPTY "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ABC   "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define ABC512                                                                                     \
	"sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"                  \
	"2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"

static void check(const char *digest, const char *text, int code)
{
	struct mica_digest want;
	struct mica_err err = {0};

	assert_int_equal(mica_digest_parse(digest, &want, &err), 0);
	assert_int_equal(mica_digest_check(&want, "it", text, strlen(text), &err), code);
}

static void test_known_values(void **state)
{
	(void)state;
	check(EMPTY, "", 0);
	check(ABC, "abc", 0);
	check(ABC512, "abc", 0);
	check(ABC, "abd", MICA_E_INPUT);
	check(ABC512, "", MICA_E_INPUT);
}

static void test_mismatch_names_both(void **state)
{
	struct mica_digest want;
	struct mica_err err = {0};

	(void)state;
	assert_int_equal(mica_digest_parse(ABC, &want, &err), 0);
	assert_int_equal(mica_digest_check(&want, "blob", "", 0, &err), MICA_E_INPUT);
	assert_string_equal(err.msg, "blob: wrong digest: expected " ABC ", got " EMPTY);
}

static void test_pieces(void **state)
{
	struct mica_hasher *h cleanup_hasher = NULL;
	struct mica_digest want, got;
	struct mica_err err = {0};

	(void)state;
	assert_int_equal(mica_digest_parse(ABC512, &want, &err), 0);
	assert_int_equal(mica_hasher_new(MICA_DIGEST_SHA512, &h, &err), 0);
	mica_hasher_add(h, "a", 1);
	mica_hasher_add(h, "", 0);
	mica_hasher_add(h, "bc", 2);
	assert_int_equal(mica_hasher_end(h, &got, &err), 0);
	assert_true(mica_digest_equal(&want, &got));
}

static void test_text(void **state)
{
	char text[MICA_DIGEST_TEXT], hex[13];
	struct mica_digest d;
	struct mica_err err = {0};

	(void)state;
	assert_int_equal(mica_digest_parse(ABC512, &d, &err), 0);
	mica_digest_format(&d, text);
	assert_string_equal(text, ABC512);
	assert_string_equal(mica_digest_alg_name(d.alg), "sha512");
	assert_int_equal(mica_digest_parse(ABC, &d, &err), 0);
	mica_digest_format(&d, text);
	assert_string_equal(text, ABC);
	mica_digest_hex(&d, 12, hex);
	assert_string_equal(hex, "ba7816bf8f01");
}

static void test_not_equal(void **state)
{
	struct mica_digest a = {.alg = MICA_DIGEST_SHA256}, b = {.alg = MICA_DIGEST_SHA512};

	(void)state;
	assert_false(mica_digest_equal(&a, &b));
	assert_true(mica_digest_equal(&a, &a));
	b = a;
	b.bytes[31] = 1;
	assert_false(mica_digest_equal(&a, &b));
}

static void test_refused(void **state)
{
	static const char *const bad[] = {
		"",
		":",
		"sha256",
		"sha256:",
		"sha256:../../etc/passwd",
		"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85",
		EMPTY "0",
		"sha256:E3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"sha256:/3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85g",
		"sha256 :e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709",
		"sha512:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"/sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	};
	struct mica_digest d = {.bytes = {7}};
	struct mica_err err;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int ret = mica_digest_parse(bad[i], &d, &err);

		if (ret != MICA_E_INPUT && ret != MICA_E_UNSUPPORTED)
			fail_msg("'%s' was taken", bad[i]);
	}
	/* out-parameters are left alone */
	assert_int_equal(d.bytes[0], 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_values), cmocka_unit_test(test_mismatch_names_both),
		cmocka_unit_test(test_pieces),	     cmocka_unit_test(test_text),
		cmocka_unit_test(test_not_equal),    cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
