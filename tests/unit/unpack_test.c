/* SPDX-License-Identifier: MIT */
/* Streams of gzip and zstd: one behind the other, cut off, with too much behind them. */
#include "../../mkimage/unpack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../lib/util.h"
#include "packed.h"

static struct mica_err err;

/* Decompresses it in steps of step bytes; -1: the error is in err. Up to cap bytes go to out. */
static int64_t unpack(const struct packed *in, size_t step, unsigned char *out, size_t cap)
{
	int fd = packed_fd(in);
	struct mica_blob_spec spec = {.fd = fd};
	struct mica_unpack *u = NULL;
	struct mica_blob *b;
	const unsigned char *head;
	unsigned char *buf = malloc(step);
	int64_t total = 0;
	size_t len, got;
	int ret;

	memset(&err, 0, sizeof(err));
	assert_non_null(buf);
	assert_int_equal(mica_blob_new(&spec, &b, &err), 0);
	assert_int_equal(mica_blob_head(b, &head, &len, &err), 0);
	ret = mica_unpack_new(b, mica_unpack_detect(head, len), &u, &err);
	do {
		if (!ret)
			ret = mica_unpack_read(u, buf, step, &got, &err);
		if (ret)
			break;
		if ((uint64_t)total + got <= cap)
			memcpy(out + total, buf, got);
		total += (int64_t)got;
	} while (got == step);
	mica_unpack_free(u);
	mica_blob_free(b);
	close(fd);
	free(buf);
	return ret ? -1 : total;
}

static void expect_plain(struct packed in, const struct packed *plain)
{
	static const size_t steps[] = {1 << 20, 65536, 4097};
	unsigned char *out = malloc(plain->len + 1);

	assert_non_null(out);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		int64_t len = unpack(&in, steps[i], out, plain->len);

		if (len < 0)
			fail_msg("%s", err.msg);
		assert_int_equal(len, plain->len);
		assert_memory_equal(out, plain->p, plain->len);
	}
	free(out);
	packed_free(&in);
}

static void expect_error(struct packed in, int code, const char *text)
{
	assert_int_equal(unpack(&in, 65536, NULL, 0), -1);
	assert_int_equal(err.code, code);
	if (!strstr(err.msg, text))
		fail_msg("'%s' is not in '%s'", text, err.msg);
	packed_free(&in);
}

#define BYTES(s) packed_copy(s, sizeof(s) - 1)

static void test_one(void **state)
{
	static const size_t sizes[] = {0, 1, 4096, 65536, 1000000, 3000001};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct packed plain = packed_plain(sizes[i], 1);

		expect_plain(packed_gzip(plain.p, plain.len), &plain);
		expect_plain(packed_zstd(plain.p, plain.len, 0), &plain);
		packed_free(&plain);
	}
}

static void test_several(void **state)
{
	struct packed plain = packed_plain(700000, 1), gz = {0}, zs = {0};
	size_t at = 0;

	(void)state;
	/* pieces of 0, 1, 2, 4, ... bytes */
	for (size_t n = 0; at < plain.len; n = n ? 2 * n : 1) {
		size_t len = (size_t)mica_min(n, plain.len - at);

		gz = packed_join(gz, packed_gzip(plain.p + at, len));
		zs = packed_join(zs, packed_zstd(plain.p + at, len, 0));
		/* a frame to be skipped, as zstd:chunked has them */
		zs = packed_join(zs,
				 BYTES("\x5e\x2a\x4d\x18\x05\0\0\0.....\x50\x2a\x4d\x18\0\0\0\0"));
		at += len;
	}
	expect_plain(gz, &plain);
	expect_plain(packed_join(BYTES("\x50\x2a\x4d\x18\x02\0\0\0.."), zs), &plain);
	packed_free(&plain);
}

static void test_zeros_behind(void **state)
{
	static const char zeros[600000];
	struct packed plain = packed_plain(100000, 2);

	(void)state;
	expect_plain(packed_join(packed_gzip(plain.p, plain.len), packed_copy(zeros, 1)), &plain);
	expect_plain(packed_join(packed_gzip(plain.p, plain.len), packed_copy(zeros, 600000)),
		     &plain);
	expect_plain(packed_join(packed_zstd(plain.p, plain.len, 0), packed_copy(zeros, 600000)),
		     &plain);
	packed_free(&plain);
}

static void test_garbage_behind(void **state)
{
	struct packed plain = packed_plain(100000, 3);

	(void)state;
	expect_error(packed_join(packed_gzip(plain.p, plain.len), BYTES("garbage")), MICA_E_INPUT,
		     "gzip: ");
	expect_error(packed_join(packed_gzip(plain.p, plain.len), BYTES("\0\0\0x")), MICA_E_INPUT,
		     "gzip: data follows the end");
	expect_error(packed_join(packed_gzip(plain.p, plain.len), BYTES("\x1f")), MICA_E_INPUT,
		     "gzip: truncated");
	expect_error(packed_join(packed_zstd(plain.p, plain.len, 0), BYTES("garbage")),
		     MICA_E_INPUT, "zstd: ");
	expect_error(packed_join(packed_zstd(plain.p, plain.len, 0), BYTES("\0\0\0x")),
		     MICA_E_INPUT, "zstd: data follows the end");
	expect_error(packed_join(packed_zstd(plain.p, plain.len, 0), BYTES("\x28\xb5")),
		     MICA_E_INPUT, "zstd: truncated");
	/* one format behind the other */
	expect_error(packed_join(packed_gzip(plain.p, plain.len), packed_zstd(plain.p, 10, 0)),
		     MICA_E_INPUT, "gzip: ");
	packed_free(&plain);
}

static void test_truncated(void **state)
{
	struct packed plain = packed_plain(400000, 4);
	struct packed gz = packed_gzip(plain.p, plain.len), zs = packed_zstd(plain.p, plain.len, 0);

	(void)state;
	for (unsigned int i = 1; i < 40; i++) {
		/* more of them near the ends */
		size_t cut = i < 20 ? i : 1u << (i - 20);

		if (cut >= 4 && cut < gz.len) {
			expect_error(packed_copy(gz.p, cut), MICA_E_INPUT, "gzip: truncated");
			expect_error(packed_copy(gz.p, gz.len - cut), MICA_E_INPUT,
				     "gzip: truncated");
		}
		if (cut >= 4 && cut < zs.len) {
			expect_error(packed_copy(zs.p, cut), MICA_E_INPUT, "zstd: truncated");
			expect_error(packed_copy(zs.p, zs.len - cut), MICA_E_INPUT,
				     "zstd: truncated");
		}
	}
	packed_free(&gz);
	packed_free(&zs);
	packed_free(&plain);
}

static void test_checksums(void **state)
{
	struct packed plain = packed_plain(50000, 5), gz = packed_gzip(plain.p, plain.len);

	(void)state;
	/* the CRC, then the length */
	gz.p[gz.len - 8] ^= 1;
	expect_error(packed_copy(gz.p, gz.len), MICA_E_INPUT, "gzip: incorrect data check");
	gz.p[gz.len - 8] ^= 1;
	gz.p[gz.len - 4] ^= 1;
	expect_error(packed_copy(gz.p, gz.len), MICA_E_INPUT, "gzip: incorrect length check");
	packed_free(&gz);
	packed_free(&plain);
}

static void test_window(void **state)
{
	struct packed plain = packed_plain(300000, 6);
	struct packed zs;

	(void)state;
	expect_plain(packed_zstd(plain.p, plain.len, 27), &plain);
	zs = packed_zstd(plain.p, plain.len, 28);
	assert_int_equal(zs.p[5] >> 3, 28 - 10);
	expect_error(zs, MICA_E_LIMIT, "zstd: a window of 268435456 bytes exceeds 134217728");
	packed_free(&plain);
}

/* What a budget was asked for; more than the limit is refused. */
struct budget {
	uint64_t asked, limit;
	unsigned int calls;
};

static int budget_take(void *ctx, uint64_t bytes, struct mica_err *e)
{
	struct budget *b = ctx;

	b->asked = bytes;
	b->calls++;
	return bytes > b->limit ? mica_err_set(e, MICA_E_LIMIT, "too much") : 0;
}

static void test_budget(void **state)
{
	struct packed plain = packed_plain(1000, 7);
	struct packed in = packed_join(
		packed_zstd(plain.p, 1000, 12),
		packed_join(packed_zstd(plain.p, 1000, 20), packed_zstd(plain.p, 1000, 16)));
	struct mica_blob_spec spec = {.fd = packed_fd(&in)};
	unsigned char out[4000];
	size_t got;

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct budget b = {.limit = i ? 1 << 20 : 1 << 19};
		struct mica_unpack_budget budget = {.take = budget_take, .ctx = &b};
		struct mica_unpack *u;
		struct mica_blob *blob;

		lseek(spec.fd, 0, SEEK_SET);
		assert_int_equal(mica_blob_new(&spec, &blob, &err), 0);
		assert_int_equal(mica_unpack_new(blob, MICA_UNPACK_ZSTD, &u, &err), 0);
		mica_unpack_limit(u, &budget);
		assert_int_equal(mica_unpack_read(u, out, sizeof(out), &got, &err),
				 i ? 0 : MICA_E_LIMIT);
		/* only when it grows */
		assert_int_equal(b.calls, 2);
		assert_int_equal(b.asked, 1 << 20);
		assert_int_equal(got, i ? 3000 : 1000);
		mica_unpack_free(u);
		mica_blob_free(blob);
	}
	close(spec.fd);
	packed_free(&in);
	packed_free(&plain);
}

/* Any byte may be anything: an error or another content, within memory. */
static void test_flipped(void **state)
{
	struct packed plain = packed_plain(20000, 8);
	struct packed in[] = {packed_gzip(plain.p, plain.len), packed_zstd(plain.p, plain.len, 0)};

	(void)state;
	for (size_t k = 0; k < 2; k++) {
		for (size_t i = 0; i < in[k].len; i += i < 64 ? 1 : 97) {
			in[k].p[i] ^= (unsigned char)(1 << i % 8);
			unpack(&in[k], 65536, NULL, 0);
			in[k].p[i] ^= (unsigned char)(1 << i % 8);
		}
		packed_free(&in[k]);
	}
	packed_free(&plain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one),	     cmocka_unit_test(test_several),
		cmocka_unit_test(test_zeros_behind), cmocka_unit_test(test_garbage_behind),
		cmocka_unit_test(test_truncated),    cmocka_unit_test(test_checksums),
		cmocka_unit_test(test_window),	     cmocka_unit_test(test_budget),
		cmocka_unit_test(test_flipped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
