/* SPDX-License-Identifier: MIT */
/* What the tests of the tar source share: an archive, and what is expected of it. */
#ifndef MICA_TESTS_SOURCE_EXPECT_H
#define MICA_TESTS_SOURCE_EXPECT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../lib/err.h"
#include "../../lib/util.h"
#include "../../mkimage/source.h"
#include "source_dump.h"
#include "tarball.h"

extern struct tarball t;
extern struct source_dump d;

int source_teardown(void **state);

/* What the archive delivers, into d. */
void source_dump_now(void);

/* The archive gets its end mark, is fine and delivers these entries without a warning. */
void expect(const char *entries);
void expect_warning(const char *entries, const char *warning);

/* The archive as it is now fails with a message that contains text. */
void expect_error(int code, const char *text);

#define SOURCE_TEST(f) cmocka_unit_test_teardown(f, source_teardown)

#endif
