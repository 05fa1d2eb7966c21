/* SPDX-License-Identifier: MIT */
/*
 * What the tests of layer application share. Layers are written as words, one for each tar entry:
 *
 *   d/  f=data  l->target  h@target  p|  c:1,3     directory, file, symlink, hard link, FIFO, device
 *   %700 ^99 ~5 {user.a=1}                         behind them: mode, mtime, uid, xattr
 *
 * and trees come back in the same form, as one line of words in order of
 * paths, with "*N" for N links and "@first" for further names of a file.
 */
#ifndef MICA_TESTS_LAYERS_H
#define MICA_TESTS_LAYERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../lib/util.h"
#include "../../mkimage/apply.h"
#include "fake_packer.h"
#include "tarball.h"

/* Of the running test. */
extern struct mica_tree *tree;
extern struct mica_packer packer;
extern struct mica_xattrs xattrs;
extern struct mica_apply_opts opts; /* to be set before layers are applied */
extern struct mica_apply *apply;
extern struct mica_report report;
extern struct mica_err err;
extern char warnings[65536];
extern unsigned ticks;

int layers_setup(void **state);
int layers_teardown(void **state);

/* A fresh start within a test. */
void again(void);

/* The next layer below, to the apply object that is there. */
int apply_tarball(struct tarball *t);
int apply_layer(const char *words);

/* Layers from bottom to top, NULL at the end; the first error is in err. */
int layers_apply(const char *const *layers);

void expect_tree(const char *expected, const char *const *layers);

/* What went to the packer, in order: nothing hidden may be among it. */
void expect_stored(const char *expected);

#define LAYERS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* The layers become this tree, without a warning. */
#define EXPECT(expected, ...)                                                                      \
	do {                                                                                       \
		expect_tree(expected, LAYERS(__VA_ARGS__));                                        \
		assert_string_equal(warnings, "");                                                 \
	} while (0)

#define EXPECT_WARNING(warning, expected, ...)                                                     \
	do {                                                                                       \
		expect_tree(expected, LAYERS(__VA_ARGS__));                                        \
		assert_string_equal(warnings, warning);                                            \
	} while (0)

#define EXPECT_ERROR(code, text, ...)                                                              \
	do {                                                                                       \
		assert_int_equal(layers_apply(LAYERS(__VA_ARGS__)), code);                         \
		if (!strstr(err.msg, text))                                                        \
			fail_msg("'%s' is not in '%s'", text, err.msg);                            \
	} while (0)

#define LAYERS_TEST(f) cmocka_unit_test_setup_teardown(f, layers_setup, layers_teardown)

#endif
