/* SPDX-License-Identifier: MIT */
/* What one source becomes, and what options make of it. */
#include "layers.h"

/* One source */

static void test_empty(void **state)
{
	(void)state;
	EXPECT("/ ", "");
	assert_true(mica_tree_root(tree)->inode->implicit);
	again();
	EXPECT("/ ", "", "", "");
}

static void test_plain(void **state)
{
	(void)state;
	EXPECT("/%700^5 d/^1 d/c:1,3 d/f=data%755~70000 l->../x p| ",
	       "./%700^5 d/^1 d/f=data%755~70000 l->../x p| d/c:1,3");
	expect_stored("data ../x ");
	assert_int_equal(ticks, 6);
}

static void test_missing_parents(void **state)
{
	(void)state;
	EXPECT("/ a/ a/b/ a/b/f=x c/ c/d/^7 ", "a/b/f=x c/d/^7");
	again();
	/* named later */
	EXPECT("/ a/^9 a/f=x ", "a/f=x a/^9");
}

static void test_last_wins(void **state)
{
	(void)state;
	EXPECT("/ d/%700^2 f=two^2 ", "f=one^1 d/^1{user.a=1} d/%700^2 f=two^2");
	expect_stored("one two ");
}

static void test_types_replaced(void **state)
{
	(void)state;
	EXPECT("/ a=x b/ c->y d| ", "a/ b=x c=x d->y a=x b/ c->y d|");
}

static void test_file_becomes_directory(void **state)
{
	(void)state;
	EXPECT_WARNING("a: becomes a directory, since an entry lies below it\n",
		       "/ a/ a/b/ a/b/f=y ", "a=x a/b/f=y");
	again();
	/* said so: no warning */
	EXPECT("/ a/^3 a/f=y ", "a=x a/^3 a/f=y");
	again();
	EXPECT_WARNING("b/l: becomes a directory, since an entry lies below it\n",
		       "/ b/ b/l/ b/l/f=y t/ ", "t/ b/l->../t b/l/f=y");
}

static void test_directory_becomes_file(void **state)
{
	(void)state;
	EXPECT("/ a=z ", "a/ a/b/ a/b/f=x a/g=y a=z");
	again();
	EXPECT_WARNING("a: becomes a directory, since an entry lies below it\n", "/ a/ a/h=w ",
		       "a/ a/b/ a/b/f=x a=z a/h=w");
	again();
	/* a hard link into it stays */
	EXPECT("/ a=z l=x ", "a/ a/f=x l@a/f a=z");
}

static void test_root_refused_as_file(void **state)
{
	(void)state;
	EXPECT_ERROR(MICA_E_INPUT, "the root is not a directory", ".=x");
	again();
	EXPECT_ERROR(MICA_E_INPUT, "the root is not a directory", "f=x .@f");
}

static void test_hardlinks(void **state)
{
	(void)state;
	EXPECT("/ a=x*3 b@a d/ d/c@a l->t*2 m@l p|*2 q@p ", "a=x b@a d/c@b l->t m@l p| q@p");
	expect_stored("x t ");
}

static void test_hardlink_target_replaced(void **state)
{
	(void)state;
	/* b stays with the first a, c gets the second one */
	EXPECT("/ a=two*2 b=one c@a ", "a=one b@a a=two c@a");
	again();
	EXPECT("/ a->x b=one ", "a=one b@a a->x");
	again();
	EXPECT("/ a=one*2 b@a ", "a=one b=two b@a");
}

static void test_hardlink_to_itself(void **state)
{
	(void)state;
	EXPECT("/ a=x ", "a=x a@a a@./a");
	again();
	EXPECT_ERROR(
		MICA_E_INPUT,
		"'a': hard link to 'a', which is neither before it in its layer nor in a layer "
		"below",
		"a@a");
}

static void test_hardlink_takes_the_place_of_its_targets_directory(void **state)
{
	(void)state;
	EXPECT("/ d=x ", "d/ d/f=x d@d/f");
	again();
	EXPECT_WARNING("t: becomes a directory, since an entry lies below it\n", "/ t/ t/x=data ",
		       "t=data t/x@t");
}

static void test_hardlink_errors(void **state)
{
	(void)state;
	EXPECT_ERROR(MICA_E_INPUT,
		     "'x/l': hard link to 'd/f', which is neither before it in its layer nor in a "
		     "layer below",
		     "x/l@d/f");
	again();
	EXPECT_ERROR(MICA_E_INPUT, "'l': hard link to 'd', which is a directory", "d/ l@d");
	again();
	EXPECT_ERROR(MICA_E_INPUT, "neither before it", "l@f f=x");
	again();
	EXPECT_ERROR(MICA_E_INPUT, "neither before it", "f=x l@f/g");
}

static void test_whiteouts_in_one_source(void **state)
{
	(void)state;
	EXPECT("/ d/ d/e/ d/e/x=2 d/f=1 ", ".wh.g= d/f=1 d/.wh.f= d/.wh..wh..opq= d/e/x=2 .wh.d=");
}

static void test_whiteout_errors(void **state)
{
	static const char *const bad[] = {
		".wh.=", "d/.wh..=", "d/.wh...=", ".wh.d/", ".wh.d/f=x", ".wh..wh..opq/"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		again();
		EXPECT_ERROR(MICA_E_INPUT, "': whiteout ", bad[i]);
	}
}

static void test_whiteout_content_reported(void **state)
{
	(void)state;
	EXPECT_WARNING("d/.wh.f: the content of a whiteout is left out\n", "/ d/ ", "d/f=x",
		       "d/.wh.f=data");
}

static void test_aufs_books(void **state)
{
	(void)state;
	/* hard links of aufs lead through its own directory */
	EXPECT_WARNING(".wh..wh.aufs: left out: aufs keeps its own books there\n"
		       ".wh..wh.plnk: left out: aufs keeps its own books there\n"
		       ".wh..wh.plnk/12.34: left out: aufs keeps its own books there\n"
		       ".wh..wh.plnk/56.78: left out: aufs keeps its own books there\n",
		       "/ a=content*2 b@a ",
		       ".wh..wh.aufs= .wh..wh.plnk/ .wh..wh.plnk/12.34=content "
		       ".wh..wh.plnk/56.78=unused a@.wh..wh.plnk/12.34 b@a .wh.gone@.wh..wh.aufs");
	expect_stored("content ");
}

static void test_names_too_long(void **state)
{
	char name[257], words[1200], warning[600];

	(void)state;
	memset(name, 'n', 256);
	name[256] = '\0';
	snprintf(words, sizeof(words), "%s=x d/%s/f=y %s=z", name, name, name + 1);
	snprintf(warning, sizeof(warning), "%s: left out: a name of 256 bytes exceeds 255\n", name);
	layers_apply(LAYERS(words));
	assert_memory_equal(warnings, warning, strlen(warning));
	assert_non_null(strstr(warnings + strlen(warning), "/f: left out: a name of 256 bytes"));
	expect_stored("z ");
}

static void test_symlink_targets(void **state)
{
	char words[5000] = "l->", warning[200];

	(void)state;
	memset(words + 3, 'x', 4096);
	strcpy(words + 3 + 4096, " e-> f=x");
	snprintf(warning, sizeof(warning),
		 "l: left out: a symlink target of 4096 bytes is not 1 to "
		 "4095\ne: left out: a symlink target of 0 bytes is not 1");
	layers_apply(LAYERS(words));
	assert_memory_equal(warnings, warning, strlen(warning));
	expect_stored("x ");
	again();
	words[3 + 4095] = '\0';
	assert_int_equal(layers_apply(LAYERS(words)), 0);
	assert_int_equal(packer.items[0].size, 4095);
}

static void test_xattrs(void **state)
{
	(void)state;
	EXPECT("/ d/{user.a=1,user.b=2} f=x{user.a=1} g=y{user.a=1} ",
	       "d/{user.b=2}{user.a=1} f=x{user.a=1} g=y{user.a=1}");
	assert_int_equal(xattrs.count, 2);
}

static void test_xattrs_refused(void **state)
{
	(void)state;
	EXPECT_WARNING("f: xattr bad.name is left out: unknown prefix\n"
		       "h: its 1 xattrs are left out: more than a file can have\n",
		       "/ f=x{user.a=1} g=x h=x ",
		       "f=x{bad.name=1}{user.a=1} g=x h=x{user.toomany=1}");
}

static void test_sparse(void **state)
{
	struct tarball t = {0};

	(void)state;
	assert_int_equal(mica_apply_new(tree, &packer, &xattrs, &report, &opts, &apply, &err), 0);
	PAX(&t, "GNU.sparse.size", "12");
	PAX(&t, "GNU.sparse.map", "2,2,8,2");
	TAR(&t, .name = "f", .data = "abcd");
	TAR(&t, .name = "g", .data = "x");
	tarball_end(&t);
	assert_int_equal(apply_tarball(&t), 0);
	tarball_free(&t);
	expect_stored("~~ab~~~~cd~~ x ");
	assert_true(packer.items[0].has_runs);
	assert_int_equal(packer.items[0].run_count, 2);
	assert_false(packer.items[1].has_runs);
}

/* Options */

static void test_owner_and_time(void **state)
{
	(void)state;
	opts.uid = 7;
	opts.set_time = true;
	opts.time = 100;
	EXPECT("/^100~7 a/^100~7 a/d/^100~7 a/d/f=x%600^100~7 ", "a/d/f=x%600^5~3");
}

static void test_clamped_time(void **state)
{
	(void)state;
	opts.clamp_time = true;
	opts.time = 100;
	EXPECT("/ a=x^99 b=x^100 c=x^100 d=x^-5 ", "a=x^99 b=x^100 c=x^101 d=x^-5");
	again();
	opts.clamp_time = true;
	opts.time = -10;
	EXPECT("/^-10 a/^-10 a/f=x^-10 ", "a/f=x^-9");
}

static void test_clamped_nanoseconds(void **state)
{
	struct tarball t = {0};
	struct mica_tnode *f;

	(void)state;
	opts.clamp_time = true;
	opts.time = 100;
	assert_int_equal(mica_apply_new(tree, &packer, &xattrs, &report, &opts, &apply, &err), 0);
	PAX(&t, "mtime", "100.5");
	TAR(&t, .name = "f");
	PAX(&t, "mtime", "99.5");
	TAR(&t, .name = "g");
	tarball_end(&t);
	assert_int_equal(apply_tarball(&t), 0);
	tarball_free(&t);
	f = mica_tree_find(tree, mica_tree_root(tree), "f", 1);
	assert_int_equal(f->inode->mtime, 100);
	assert_int_equal(f->inode->mtime_nsec, 0);
	f = mica_tree_find(tree, mica_tree_root(tree), "g", 1);
	assert_int_equal(f->inode->mtime, 99);
	assert_int_equal(f->inode->mtime_nsec, 500000000);
}

static void test_excludes(void **state)
{
	static const char *const globs[] = {"*.o", "a/b", "/top", "./x/*/z", "tmp/", NULL};

	(void)state;
	opts.excludes = globs;
	EXPECT("/ a/ a/bb=1 a/c/ a/c/b=2 d/ d/top=3 x/ x/y/ x/y/v/ x/y/v/z=5 x/y/w=4 ",
	       "f.o=- d/g.o=- dir.o/ dir.o/f=- a/b/ a/b/f=- a/bb=1 a/c/b=2 top/ top/f=- d/top=3 "
	       "x/y/z=- x/y/w=4 x/y/v/z=5 tmp/f=- tmp->-");
	expect_stored("1 2 3 4 5 ");
}

static void test_excluded_all(void **state)
{
	static const char *const globs[] = {"*", NULL};

	(void)state;
	opts.excludes = globs;
	EXPECT("/^5 ", ".^5 a/ a/b=x .wh.c= c@a/b");
	expect_stored("");
}

static void test_excluded_link_target(void **state)
{
	static const char *const globs[] = {"hidden", NULL};

	(void)state;
	opts.excludes = globs;
	EXPECT("/ a=x{user.a=1}*2 b@a l->t ",
	       "hidden/f=x{user.a=1} hidden/g=y a@hidden/f hidden/l->t l@hidden/l b@hidden/f");
	expect_stored("x t ");
	again();
	/* in a layer below */
	opts.excludes = globs;
	EXPECT("/ a=x ", "hidden=x", "a@hidden");
}

static void test_excluded_whiteout(void **state)
{
	static const char *const globs[] = {".wh.*", NULL};
	static const char *const names[] = {"f", NULL};

	(void)state;
	opts.excludes = globs;
	EXPECT("/ d/ d/f=x f=x ", "f=x d/f=x", ".wh.f= d/.wh..wh..opq=");
	again();
	opts.excludes = names;
	EXPECT("/ d/ ", "f=x d/ d/f=x", ".wh.f= d/.wh.f=");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAYERS_TEST(test_empty),
		LAYERS_TEST(test_plain),
		LAYERS_TEST(test_missing_parents),
		LAYERS_TEST(test_last_wins),
		LAYERS_TEST(test_types_replaced),
		LAYERS_TEST(test_file_becomes_directory),
		LAYERS_TEST(test_directory_becomes_file),
		LAYERS_TEST(test_root_refused_as_file),
		LAYERS_TEST(test_hardlinks),
		LAYERS_TEST(test_hardlink_target_replaced),
		LAYERS_TEST(test_hardlink_to_itself),
		LAYERS_TEST(test_hardlink_takes_the_place_of_its_targets_directory),
		LAYERS_TEST(test_hardlink_errors),
		LAYERS_TEST(test_whiteouts_in_one_source),
		LAYERS_TEST(test_whiteout_errors),
		LAYERS_TEST(test_whiteout_content_reported),
		LAYERS_TEST(test_aufs_books),
		LAYERS_TEST(test_names_too_long),
		LAYERS_TEST(test_symlink_targets),
		LAYERS_TEST(test_xattrs),
		LAYERS_TEST(test_xattrs_refused),
		LAYERS_TEST(test_sparse),
		LAYERS_TEST(test_owner_and_time),
		LAYERS_TEST(test_clamped_time),
		LAYERS_TEST(test_clamped_nanoseconds),
		LAYERS_TEST(test_excludes),
		LAYERS_TEST(test_excluded_all),
		LAYERS_TEST(test_excluded_link_target),
		LAYERS_TEST(test_excluded_whiteout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
