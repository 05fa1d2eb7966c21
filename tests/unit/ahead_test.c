/* SPDX-License-Identifier: MIT */
/* Reading ahead: several at once within a bound, ends and errors in order, stopping at any time. */
#include "../../mkimage/ahead.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../lib/util.h"
#include "packed.h"

#define STREAMS 6

static struct mica_err err;

struct one {
	int fd;
	struct mica_blob *blob;
	struct mica_ahead *a;
};

static struct mica_digest digest_of(const void *p, size_t len)
{
	struct mica_hasher *h;
	struct mica_digest d;

	assert_int_equal(mica_hasher_new(MICA_DIGEST_SHA256, &h, &err), 0);
	mica_hasher_add(h, p, len);
	assert_int_equal(mica_hasher_end(h, &d, &err), 0);
	mica_hasher_free(h);
	return d;
}

/* fd: taken over */
static void start(struct one *o, struct mica_ahead_pool *pool, int fd,
		  const struct mica_digest *digest, uint64_t len, const struct mica_digest *diff_id,
		  enum mica_unpack_kind kind)
{
	struct mica_blob_spec spec = {.fd = fd, .window = digest != NULL, .len = len};
	struct mica_unpack *u;

	spec.digest = digest;
	o->fd = fd;
	assert_int_equal(mica_blob_new(&spec, &o->blob, &err), 0);
	assert_int_equal(mica_unpack_new(o->blob, kind, &u, &err), 0);
	assert_int_equal(mica_ahead_new(pool, o->blob, u, diff_id, &o->a, &err), 0);
}

static void end(struct one *o)
{
	mica_ahead_free(o->a);
	close(o->fd);
}

/* All that is left of it: 0 and it is plain, or the error. */
static int drain(struct one *o, const struct packed *plain)
{
	const unsigned char *p;
	size_t at = 0, len;
	int ret;

	memset(&err, 0, sizeof(err));
	while ((ret = mica_ahead_next(o->a, &p, &len, &err)) > 0) {
		assert_true(len <= plain->len - at);
		assert_memory_equal(p, plain->p + at, len);
		at += len;
	}
	if (!ret)
		assert_int_equal(at, plain->len);
	/* it stays so */
	assert_int_equal(mica_ahead_next(o->a, &p, &len, &err), ret);
	return ret;
}

static void test_many_in_turn(void **state)
{
	/* no room at all, and some: nobody waits for another one forever */
	static const uint64_t rooms[] = {0, 256 << 10, 3 << 20, 64 << 20};

	(void)state;
	for (size_t r = 0; r < sizeof(rooms) / sizeof(rooms[0]); r++) {
		struct mica_ahead_pool *pool;
		struct packed plain[STREAMS];
		struct one o[STREAMS];

		assert_int_equal(mica_ahead_pool_new(rooms[r], STREAMS, &pool, &err), 0);
		for (unsigned int i = 0; i < STREAMS; i++) {
			struct packed in;
			struct mica_digest digest, diff_id;

			plain[i] = packed_plain(3000000 + i * 1234567 % 4000000, i);
			in = i % 2 ? packed_gzip(plain[i].p, plain[i].len)
				   : packed_zstd(plain[i].p, plain[i].len, 0);
			digest = digest_of(in.p, in.len);
			diff_id = digest_of(plain[i].p, plain[i].len);
			start(&o[i], pool, packed_fd(&in), &digest, in.len, &diff_id,
			      i % 2 ? MICA_UNPACK_GZIP : MICA_UNPACK_ZSTD);
			packed_free(&in);
		}
		for (unsigned int i = 0; i < STREAMS; i++) {
			assert_int_equal(drain(&o[i], &plain[i]), 0);
			end(&o[i]);
			packed_free(&plain[i]);
		}
		mica_ahead_pool_free(pool);
	}
}

static void test_room(void **state)
{
	struct packed plain = packed_plain(8 << 20, 1);
	struct mica_ahead_pool *pool;
	struct one o[2];

	(void)state;
	assert_int_equal(mica_ahead_pool_new(64 << 20, 2, &pool, &err), 0);
	assert_true(mica_ahead_pool_has_room(pool));
	start(&o[0], pool, packed_fd(&plain), NULL, 0, NULL, MICA_UNPACK_NONE);
	start(&o[1], pool, packed_fd(&plain), NULL, 0, NULL, MICA_UNPACK_NONE);
	/* its thread may be through, or not: but then there is a thread for one more */
	assert_int_equal(drain(&o[0], &plain), 0);
	assert_int_equal(drain(&o[1], &plain), 0);
	assert_true(mica_ahead_pool_has_room(pool));
	end(&o[0]);
	end(&o[1]);
	mica_ahead_pool_free(pool);
	packed_free(&plain);
}

static void check_error(struct packed in, const struct packed *plain,
			const struct mica_digest *digest, const struct mica_digest *diff_id,
			const char *text)
{
	struct mica_ahead_pool *pool;
	struct one o;

	assert_int_equal(mica_ahead_pool_new(1 << 20, 1, &pool, &err), 0);
	start(&o, pool, packed_fd(&in), digest, in.len, diff_id, MICA_UNPACK_GZIP);
	assert_int_equal(drain(&o, plain), MICA_E_INPUT);
	if (!strstr(err.msg, text))
		fail_msg("'%s' is not in '%s'", text, err.msg);
	end(&o);
	mica_ahead_pool_free(pool);
	packed_free(&in);
}

static void test_errors(void **state)
{
	struct packed plain = packed_plain(2000000, 2), gz = packed_gzip(plain.p, plain.len);
	struct mica_digest digest = digest_of(gz.p, gz.len);
	struct mica_digest diff_id = digest_of(plain.p, plain.len);
	struct mica_digest wrong = digest_of("", 0);

	(void)state;
	check_error(packed_copy(gz.p, gz.len), &plain, &wrong, &diff_id, "wrong digest");
	check_error(packed_copy(gz.p, gz.len), &plain, &digest, &wrong,
		    "decompressed layer (diff_id): wrong digest");
	/* the blob's own digest goes first, also before what damage does to the decompressor */
	check_error(packed_copy(gz.p, gz.len), &plain, &wrong, &wrong, "blob of ");
	check_error(packed_copy(gz.p, gz.len - 1000), &plain, &digest, &diff_id, "blob of ");
	check_error(packed_copy(gz.p, gz.len - 1000), &plain, NULL, &diff_id, "gzip: truncated");
	packed_free(&gz);
	packed_free(&plain);
}

static void test_blame(void **state)
{
	struct packed plain = packed_plain(9000000, 3), gz = packed_gzip(plain.p, plain.len);
	struct mica_digest digest = digest_of(gz.p, gz.len), wrong = digest_of("", 0);
	const unsigned char *p;
	size_t len;

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct mica_ahead_pool *pool;
		struct mica_err own = {0};
		struct one o;

		assert_int_equal(mica_ahead_pool_new(0, 1, &pool, &err), 0);
		start(&o, pool, packed_fd(&gz), i ? &wrong : &digest, gz.len, NULL,
		      MICA_UNPACK_GZIP);
		assert_int_equal(mica_ahead_next(o.a, &p, &len, &err), 1);
		mica_ahead_blame(o.a, &own);
		assert_int_equal(own.code, i ? MICA_E_INPUT : 0);
		end(&o);
		mica_ahead_pool_free(pool);
	}
	packed_free(&gz);
	packed_free(&plain);
}

static void test_stop(void **state)
{
	struct packed plain = packed_plain(20000000, 4);
	struct mica_digest diff_id = digest_of(plain.p, plain.len);
	const unsigned char *p;
	size_t len;

	(void)state;
	/* at once, after some, with a full ring */
	for (unsigned int taken = 0; taken < 40; taken += 13) {
		struct mica_ahead_pool *pool;
		struct one o;

		assert_int_equal(mica_ahead_pool_new(1 << 20, 1, &pool, &err), 0);
		start(&o, pool, packed_fd(&plain), NULL, 0, &diff_id, MICA_UNPACK_NONE);
		for (unsigned int i = 0; i < taken; i++)
			assert_int_equal(mica_ahead_next(o.a, &p, &len, &err), 1);
		end(&o);
		mica_ahead_pool_free(pool);
	}
	packed_free(&plain);
}

/* A pipe from which nothing comes must not keep anybody. */
static void test_stop_waiting(void **state)
{
	struct mica_ahead_pool *pool;
	struct one o;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(mica_ahead_pool_new(0, 1, &pool, &err), 0);
	start(&o, pool, fds[0], NULL, 0, NULL, MICA_UNPACK_NONE);
	assert_int_equal(write(fds[1], "x", 1), 1);
	usleep(20000);
	end(&o);
	mica_ahead_pool_free(pool);
	close(fds[1]);
}

/* A large window has to wait until its stream is the first one, but not forever. */
static void test_large_window(void **state)
{
	struct packed plain = packed_plain(3000000, 5);
	struct packed zs = packed_zstd(plain.p, plain.len, 26);
	struct mica_ahead_pool *pool;
	struct one o[3];

	(void)state;
	assert_int_equal(mica_ahead_pool_new(1 << 20, 3, &pool, &err), 0);
	for (unsigned int i = 0; i < 3; i++)
		start(&o[i], pool, packed_fd(&zs), NULL, 0, NULL, MICA_UNPACK_ZSTD);
	/* one is ended while it waits */
	end(&o[2]);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(drain(&o[i], &plain), 0);
		end(&o[i]);
	}
	mica_ahead_pool_free(pool);
	packed_free(&zs);
	packed_free(&plain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many_in_turn), cmocka_unit_test(test_room),
		cmocka_unit_test(test_errors),	     cmocka_unit_test(test_blame),
		cmocka_unit_test(test_stop),	     cmocka_unit_test(test_stop_waiting),
		cmocka_unit_test(test_large_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
