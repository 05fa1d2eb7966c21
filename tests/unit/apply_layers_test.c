/* SPDX-License-Identifier: MIT */
/* What several sources become together. */
#include "layers.h"

/* Layers */

static void test_upper_hides_lower(void **state)
{
	(void)state;
	EXPECT("/ a=new b=keep c->new ", "a=old b=keep c=old", "a=new c->new");
	expect_stored("new new keep ");
}

static void test_directories_merge(void **state)
{
	(void)state;
	EXPECT("/ d/%700^2 d/e/^5 d/e/h=3 d/f=1 d/g=2 ", "d/^1{user.a=1} d/g=2 d/e/^5 d/e/h=3",
	       "d/%700^2 d/f=1 d/e/h=3");
	/* xattrs of the lower directory are not even interned */
	assert_int_equal(xattrs.count, 0);
}

static void test_implied_directory_takes_lower_attributes(void **state)
{
	(void)state;
	EXPECT("/^3 d/%700^1{user.a=1} d/e/%711 d/e/f=x ", "./^3 d/%700^1{user.a=1} d/e/%711", "",
	       "d/e/f=x");
	again();
	/* of the topmost layer that names it */
	EXPECT("/ d/^2 d/f=x ", "d/^1", "d/^2", "d/f=x");
}

static void test_root_attributes(void **state)
{
	(void)state;
	EXPECT("/%711^2 f=x ", ".%700^1", "./%711^2", "f=x");
}

static void test_file_over_directory(void **state)
{
	(void)state;
	EXPECT("/ d=x ", "d/ d/f=old d/e/g=old", "d=x");
	expect_stored("x ");
}

#define ABOVE(path) path ": becomes a directory, since an entry of an upper layer lies below it\n"

static void test_directory_over_file(void **state)
{
	(void)state;
	EXPECT("/ d/ d/f=x ", "d=old", "d/ d/f=x");
	expect_stored("x ");
	again();
	EXPECT_WARNING(ABOVE("d"), "/ d/ d/f=x ", "d=old", "d/f=x");
	again();
	/* one that a whiteout takes away is meant to go */
	EXPECT("/ d/ d/f=x ", "d=old", "d/f=x .wh.d=");
	again();
	/* the classic: the archive counted on a symlink */
	EXPECT_WARNING(ABOVE("usr/lib"), "/ usr/ usr/lib/ usr/lib/f=x usr/x/ usr/x/g=y ",
		       "usr/lib->x usr/x/g=y", "usr/lib/f=x");
}

/* A file between two directories cuts them apart. */
static void test_file_between_directories(void **state)
{
	(void)state;
	EXPECT_WARNING(ABOVE("d"), "/ d/ d/top=3 ", "d/%700^9 d/bottom=1", "d=2", "d/top=3");
	expect_stored("3 ");
	again();
	EXPECT("/ ", "d/ d/bottom=1", "d=2", ".wh.d=");
}

static void test_whiteout(void **state)
{
	(void)state;
	EXPECT("/ d/ d/g=2 ", "d/f=1 d/g=2 e/ e/x=3", ".wh.e= d/.wh.f=");
	expect_stored("2 ");
	again();
	/* of nothing */
	EXPECT("/ f=1 ", "f=1", ".wh.g=");
	again();
	/* the middle layer's comes back */
	EXPECT("/ f=3 ", "f=1", ".wh.f=", "f=3");
}

static void test_whiteout_spares_its_own_layer(void **state)
{
	(void)state;
	EXPECT("/ f=new ", "f=old", "f=new .wh.f=");
	again();
	EXPECT("/ f=new ", "f=old", ".wh.f= f=new");
	again();
	/* the directory is another one than that below: content and attributes */
	EXPECT("/ d/ d/new=2 ", "d/%700^1 d/old=1", ".wh.d= d/new=2");
	again();
	EXPECT("/ d/ d/new=2 ", "d/%700^1 d/old=1", "d/new=2 .wh.d=");
	again();
	EXPECT("/ d/^5 d/new=2 ", "d/%700^1 d/old=1", "d/^5 d/new=2 .wh.d=");
}

static void test_whiteout_and_layers_above(void **state)
{
	(void)state;
	EXPECT("/ d/^3 d/top=3 ", "d/%700 d/bottom=1", ".wh.d=", "d/^3 d/top=3");
	expect_stored("3 ");
	again();
	/* implied above the whiteout: the directory below it is another one */
	EXPECT("/ d/ d/top=3 ", "d/%700 d/bottom=1", ".wh.d=", "d/top=3");
	again();
	EXPECT("/ d/%700 d/mid=2 d/top=3 ", "d/bottom=1 d/%711",
	       "d/%700 d/mid=2 .wh.d=", "d/top=3");
}

static void test_opaque(void **state)
{
	(void)state;
	EXPECT("/ d/%700^1 d/new=2 ", "d/%700^1 d/old=1 d/e/f=1", "d/new=2 d/.wh..wh..opq=");
	expect_stored("2 ");
	again();
	EXPECT("/ d/^5 ", "d/old=1", "d/^5 d/.wh..wh..opq=");
	again();
	/* before its content */
	EXPECT("/ d/ d/new=2 ", "d/old=1", "d/.wh..wh..opq= d/new=2");
	again();
	/* of the root */
	EXPECT("/%700 new=2 ", "./%700 old=1", ".wh..wh..opq= new=2");
	again();
	/* layers above it merge */
	EXPECT("/ d/ d/mid=2 d/top=3 ", "d/old=1", "d/.wh..wh..opq= d/mid=2", "d/top=3");
	again();
	EXPECT("/ d/ d/e/ d/e/top=3 ", "d/e/old=1", "d/.wh..wh..opq=", "d/e/top=3");
}

static void test_opaque_over_file(void **state)
{
	(void)state;
	EXPECT("/ d/ ", "d=file", "d/.wh..wh..opq=");
}

static void test_marks_in_hidden_places(void **state)
{
	(void)state;
	EXPECT("/ d=x ", "d/e/f=1", "d/.wh.e= d/.wh..wh..opq=", "d=x");
	again();
	EXPECT("/ d/ ", "d/e/f=1", "d/e/.wh.f=", "d/.wh..wh..opq=");
}

static void test_same_path_in_many_layers(void **state)
{
	(void)state;
	EXPECT("/ f=5 ", "f=1", "f=2", "f=3", "f=4", "f=5");
	expect_stored("5 ");
}

static void test_directory_kept_by_upper_content(void **state)
{
	(void)state;
	/* in its own layer the directory ends as a file: what was in it goes, what is above stays */
	EXPECT_WARNING(ABOVE("d"), "/ d/ d/top=3 ", "d/bottom=1", "d/ d/mid=2 d=file", "d/top=3");
	again();
	/* and as a directory again */
	EXPECT_WARNING("d: becomes a directory, since an entry lies below it\n",
		       "/ d/ d/late=2 d/top=3 ", "d/bottom=1", "d/mid=2 d=file d/late=2",
		       "d/top=3");
}

/* Hard links and layers */

static void test_link_across_layers(void **state)
{
	(void)state;
	EXPECT("/ f=x{user.a=1}*2 l@f ", "f=x{user.a=1}", "l@f");
	expect_stored("x ");
	again();
	EXPECT("/ f=x*3 k@f l@f ", "f=x", "k@f l@k");
	again();
	/* over layers that do not have it */
	EXPECT("/ a/ a/f=x*2 l@a/f ", "a/f=x", "a/g=y .wh.q=", "l@a/f a/.wh.g=");
}

static void test_link_to_hidden_file(void **state)
{
	(void)state;
	/* replaced above */
	EXPECT("/ f=new l=old{user.a=1} ", "f=old{user.a=1}", "l@f", "f=new");
	expect_stored("new old ");
	again();
	/* what the link sees is what the layers below it are together */
	EXPECT("/ f=new*2 l@f ", "f=old", "f=new", "l@f");
	expect_stored("new ");
	again();
	/* removed above */
	EXPECT("/ l=old ", "f=old", "l@f .wh.f=");
	again();
	EXPECT("/ l=old ", "f=old", "l@f", ".wh.f=");
	again();
	/* a symlink, a device, a FIFO */
	EXPECT("/ a->t b:1,3 c| ", "l->t d:1,3 p| g->no",
	       "a@l b@d c@p .wh.l= .wh.d= .wh.p= .wh.g=");
	expect_stored("t ");
}

static void test_scratch_space_that_forgets(void **state)
{
	(void)state;
	packer.scratch_forgets = true;
	EXPECT_ERROR(MICA_E_SYS, "scratch space does not give back what was put there", "f=low h@f",
		     "f=top");
}

static void test_link_in_one_layer_to_hidden_file(void **state)
{
	(void)state;
	EXPECT("/ f=new l=old*2 m@l ", "f=old l@f g=gone m@f", "f=new .wh.g=");
	expect_stored("new old ");
	again();
	/* no name is seen: nothing is stored */
	EXPECT("/ f=new l=new2 ", "f=old l@f", "f=new l=new2");
	expect_stored("new new2 ");
	again();
	/* the target was replaced in its layer before it was hidden */
	EXPECT("/ f=new l=old1 ", "f=old1 l@f f=old2", "f=new");
	expect_stored("new old1 ");
}

static void test_link_to_link(void **state)
{
	(void)state;
	EXPECT("/ a=x*3 b@a c@a ", "a=x", "b@a", "c@b");
	expect_stored("x ");
	again();
	/* to its own layer's: what is below counts for nothing */
	EXPECT("/ a=x b=y*2 c@b ", "a=x", "b@a", "b=y c@b");
}

static void test_link_to_link_hidden_above(void **state)
{
	(void)state;
	EXPECT("/ a=x*2 b=top c@a ", "a=x", "b@a", "c@b", "b=top");
	again();
	EXPECT("/ b=top c=x ", "a=x", "b@a", "c@b", "b=top .wh.a=");
	expect_stored("top x ");
	again();
	/* the first one is of the layer itself */
	EXPECT("/ a=x*2 c@a ", "a=x b@a", "c@b", ".wh.b=");
}

static void test_link_hidden_itself(void **state)
{
	(void)state;
	EXPECT("/ l=top ", "g=x", "l@f .wh.g=", "l=top");
	again();
	/* a broken link that nobody sees breaks nothing */
	EXPECT("/ f=x ", "f=x", "l@nowhere", ".wh.l=");
}

static void test_link_replaced_in_its_layer(void **state)
{
	(void)state;
	EXPECT("/ f=x l=own ", "f=x", "l@f l=own");
	again();
	EXPECT("/ f=x*2 l@f ", "f=x", "l=own l@f");
}

static void test_link_target_cut(void **state)
{
	(void)state;
	EXPECT_ERROR(MICA_E_INPUT, "'l': hard link to 'd/f', which a layer below removes", "d/f=x",
		     "d/.wh.f=", "l@d/f");
	again();
	EXPECT_ERROR(MICA_E_INPUT, "which a layer below removes", "d/f=x",
		     "d/.wh..wh..opq=", "l@d/f");
	again();
	EXPECT_ERROR(MICA_E_INPUT, "which a layer below removes", "d/f=x", ".wh.d=", "l@d/f");
	again();
	EXPECT_ERROR(MICA_E_INPUT, "which a layer below removes", "d/f=x", "d=file", "l@d/f");
	again();
	EXPECT_ERROR(MICA_E_INPUT, "'l': hard link to 'd', which is a directory", "d/f=x", "l@d");
	again();
	EXPECT_ERROR(MICA_E_INPUT, "'l': hard link to 'nowhere', which is neither", "f=x",
		     "l@nowhere");
}

static void test_link_target_in_cutting_layer(void **state)
{
	(void)state;
	EXPECT("/ d/ d/f=2*2 l@d/f ", "d/f=1", "d/.wh..wh..opq= d/f=2", "l@d/f");
}

static void test_link_large_hidden_file(void **state)
{
	struct tarball t = {0};
	size_t len = 1000000;
	char *data = malloc(len + 1);
	const struct fake_item *item;
	struct mica_tnode *l;

	(void)state;
	for (size_t i = 0; i < len; i++)
		data[i] = (char)('a' + i % 23);
	data[len] = '\0';
	assert_int_equal(mica_apply_new(tree, &packer, &xattrs, &report, &opts, &apply, &err), 0);
	assert_int_equal(apply_layer("f=new"), 0);
	PAX(&t, "SCHILY.xattr.user.a", "1");
	PAX(&t, "GNU.sparse.size", "5000000");
	PAX(&t, "GNU.sparse.map", "1000,500000,4000000,500000");
	TAR(&t, .name = "f", .data = data, .len = len);
	TAR(&t, .name = "l", .type = '1', .link = "f");
	tarball_end(&t);
	assert_int_equal(apply_tarball(&t), 0);
	tarball_free(&t);
	assert_int_equal(mica_apply_finish(apply, &err), 0);
	l = mica_tree_find(tree, mica_tree_root(tree), "l", 1);
	item = fake_packer_find(&packer, l->inode);
	assert_int_equal(packer.count, 2);
	assert_int_equal(item->size, 5000000);
	assert_int_equal(item->run_count, 2);
	assert_memory_equal(item->bytes + 1000, data, 500000);
	assert_memory_equal(item->bytes + 4000000, data + 500000, 500000);
	assert_int_equal(item->bytes[999], '~');
	assert_int_equal(item->bytes[501000], '~');
	assert_int_equal(item->bytes[4999999], '~');
	assert_string_equal(xattrs.sets[l->inode->xattrs - 1], "user.a=1");
	free(data);
}

/* What overlayfs left */

static void test_overlay_xattrs_escaped(void **state)
{
	(void)state;
	EXPECT("/ d/{trusted.overlay.overlay.opaque=y} d/f=1 "
	       "d/g=2{user.overlay.overlay.redirect=/x} "
	       "h=3{trusted.overlay.overlay.overlay.a=b,user.overlayx=1} ",
	       "d/f=1",
	       "d/{trusted.overlay.opaque=y} d/g=2{user.overlay.redirect=/x} "
	       "h=3{trusted.overlay.overlay.a=b}{user.overlayx=1}");
}

static void test_overlay_device_refused(void **state)
{
	(void)state;
	EXPECT_ERROR(MICA_E_INPUT,
		     "'d/f': a device 0:0 would hide files under overlayfs; "
		     "--overlay-input",
		     "d/f:0,0");
	again();
	EXPECT("/ d/ d/f:0,1 ", "d/f:0,1");
}

static void test_overlay_input(void **state)
{
	(void)state;
	opts.overlay_input = true;
	EXPECT("/ d/^1{user.keep=1} d/new=2 f=1 ", "a=1 f=1 d/old=1 x/y=1 w=1",
	       "a:0,0 d/^1{trusted.overlay.opaque=y}{user.keep=1}{trusted.overlay.origin=zz}"
	       "{user.overlay.impure=y} d/new=2 x:0,0 w={trusted.overlay.whiteout=}");
	again();
	opts.overlay_input = true;
	EXPECT("/ d/ d/new=2 ", "d/old=1", "d/{user.overlay.opaque=y} d/new=2");
	again();
	/* no mark, or one that is none */
	opts.overlay_input = true;
	EXPECT("/ d/ d/new=2 d/old=1 ", "d/old=1", "d/{trusted.overlay.opaque=x} d/new=2");
	again();
	/* in one source they hide nothing and leave nothing */
	opts.overlay_input = true;
	EXPECT("/ d/ ", "a:0,0 d/{trusted.overlay.opaque=y}");
}

static void test_overlay_input_escaped_kept(void **state)
{
	(void)state;
	opts.overlay_input = true;
	EXPECT_WARNING("f: overlay attribute trusted.overlay.protattr is left out\n",
		       "/ f=x{trusted.overlay.overlay.opaque=y} ",
		       "f=x{trusted.overlay.overlay.opaque=y}{trusted.overlay.protattr=i}");
}

static void test_overlay_input_refused(void **state)
{
	static const char *const names[] = {"trusted.overlay.redirect", "user.overlay.metacopy"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		char word[64];

		again();
		opts.overlay_input = true;
		snprintf(word, sizeof(word), "d/{%s=1}", names[i]);
		EXPECT_ERROR(MICA_E_UNSUPPORTED, "'d': has ", word);
		assert_non_null(strstr(err.msg, names[i]));
	}
}

/* Size */

static void test_deep_tree(void **state)
{
	struct mica_tree_counts counts;
	size_t depth = 5000;
	char *path = malloc(2 * depth + 16);

	(void)state;
	for (size_t i = 0; i < depth; i++)
		memcpy(path + 2 * i, "d/", 2);
	strcpy(path + 2 * depth, "f=x");
	assert_int_equal(layers_apply(LAYERS(path, path, "d/d/d/.wh.x= d/g=y")), 0);
	assert_int_equal(mica_tree_finish(tree, &counts, &err), 0);
	assert_int_equal(counts.dirs, depth + 1);
	assert_int_equal(counts.files, 2);
	free(path);
}

static void test_large_directory(void **state)
{
	struct mica_tree_counts counts;
	struct tarball t = {0};
	char name[32];

	(void)state;
	assert_int_equal(mica_apply_new(tree, &packer, &xattrs, &report, &opts, &apply, &err), 0);
	for (int i = 0; i < 20000; i++) {
		snprintf(name, sizeof(name), "d/%d", i * 7919 % 20000);
		TAR(&t, .name = name, .type = '6');
	}
	tarball_end(&t);
	for (int i = 0; i < 3; i++)
		assert_int_equal(apply_tarball(&t), 0);
	tarball_free(&t);
	assert_int_equal(mica_tree_finish(tree, &counts, &err), 0);
	assert_int_equal(counts.names, 20002);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAYERS_TEST(test_upper_hides_lower),
		LAYERS_TEST(test_directories_merge),
		LAYERS_TEST(test_implied_directory_takes_lower_attributes),
		LAYERS_TEST(test_root_attributes),
		LAYERS_TEST(test_file_over_directory),
		LAYERS_TEST(test_directory_over_file),
		LAYERS_TEST(test_file_between_directories),
		LAYERS_TEST(test_whiteout),
		LAYERS_TEST(test_whiteout_spares_its_own_layer),
		LAYERS_TEST(test_whiteout_and_layers_above),
		LAYERS_TEST(test_opaque),
		LAYERS_TEST(test_opaque_over_file),
		LAYERS_TEST(test_marks_in_hidden_places),
		LAYERS_TEST(test_same_path_in_many_layers),
		LAYERS_TEST(test_directory_kept_by_upper_content),
		LAYERS_TEST(test_link_across_layers),
		LAYERS_TEST(test_link_to_hidden_file),
		LAYERS_TEST(test_scratch_space_that_forgets),
		LAYERS_TEST(test_link_in_one_layer_to_hidden_file),
		LAYERS_TEST(test_link_to_link),
		LAYERS_TEST(test_link_to_link_hidden_above),
		LAYERS_TEST(test_link_hidden_itself),
		LAYERS_TEST(test_link_replaced_in_its_layer),
		LAYERS_TEST(test_link_target_cut),
		LAYERS_TEST(test_link_target_in_cutting_layer),
		LAYERS_TEST(test_link_large_hidden_file),
		LAYERS_TEST(test_overlay_xattrs_escaped),
		LAYERS_TEST(test_overlay_device_refused),
		LAYERS_TEST(test_overlay_input),
		LAYERS_TEST(test_overlay_input_escaped_kept),
		LAYERS_TEST(test_overlay_input_refused),
		LAYERS_TEST(test_deep_tree),
		LAYERS_TEST(test_large_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
