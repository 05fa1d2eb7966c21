/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../lib/err.h"
#include "../../lib/util.h"
#include "../../mkimage/source.h"
#include "source_dump.h"

static char top[64];
static struct source_dump d;

static void run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A shell command in the directory. */
static void run(const char *fmt, ...)
{
	char cmd[4096];
	size_t n = (size_t)snprintf(cmd, sizeof(cmd), "cd %s/src && ", top);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd + n, sizeof(cmd) - n, fmt, ap);
	va_end(ap);
	assert_int_equal(system(cmd), 0);
}

static int setup(void **state)
{
	(void)state;
	strcpy(top, "/tmp/mica-source-XXXXXX");
	if (!mkdtemp(top))
		return -1;
	strcat(top, "/src");
	mkdir(top, 0755);
	top[strlen(top) - 4] = '\0';
	return 0;
}

static int teardown(void **state)
{
	char cmd[256];

	(void)state;
	source_dump_free(&d);
	snprintf(cmd, sizeof(cmd), "chmod -R u+rwx %s; rm -rf %s", top, top);
	return system(cmd);
}

static void dump(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/src", top);
	source_dump(&d, path);
}

/* The directory delivers what GNU tar's archive of it does. */
static void expect_same_as_tar(void)
{
	struct source_dump tar;
	char path[128];

	run("tar --sort=name --format=posix --xattrs --acls -S -C . -cf ../t.tar . 2>../tar.log");
	snprintf(path, sizeof(path), "%s/t.tar", top);
	source_dump(&tar, path);
	dump();
	assert_string_equal(d.error, "");
	assert_string_equal(tar.error, "");
	assert_string_equal(d.entries, tar.entries);
	assert_string_equal(d.warnings, "");
	source_dump_free(&tar);
}

static void expect_line(const char *text)
{
	if (!strstr(d.entries, text))
		fail_msg("'%s' is not in '%s'", text, d.entries);
}

static void expect_error(int code, const char *text)
{
	dump();
	if (!strstr(d.error, text))
		fail_msg("'%s' is not in '%s'", text, d.error);
	assert_int_equal(d.code, code);
}

static void test_empty(void **state)
{
	(void)state;
	run("chmod 1750 . && touch -d @5.5 .");
	dump();
	assert_string_equal(d.error, "");
	assert_string_equal(d.entries, "d 1750 0:0 5.500000000 .\n");
}

static void test_order(void **state)
{
	(void)state;
	run("mkdir -p a/b a.d A && touch a/x a/b/y a-b a.d/z b \"$(printf '\\377')\" 'sp ace' ._x");
	expect_same_as_tar();
	expect_line(" a/b/y size=0 \n");
}

static void test_types(void **state)
{
	(void)state;
	run("mkfifo -m 620 p && ln -s '../no where' l && mknod c c 4095 1048575 && "
	    "mknod b b 7 300 && touch -d '@-1.5' old && touch -d '@5000000000.000000001' new && "
	    "echo hi > f && chown 70000:4000000000 f && chmod 6711 f && chown -h 5:6 l");
	expect_same_as_tar();
	expect_line("rdev=0xffffffff");
	expect_line("f 6711 70000:4000000000");
	expect_line(" -2.500000000 old ");
}

static void make_socket(const char *name)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/src/%s", top, name);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	close(fd);
}

static void test_sockets_kept(void **state)
{
	(void)state;
	make_socket("sock");
	run("chmod 640 sock && touch -d @7 sock .");
	dump();
	assert_string_equal(d.error, "");
	assert_string_equal(d.entries, "d 0755 0:0 7 .\ns 0640 0:0 7 sock\n");
}

static void test_hardlinks(void **state)
{
	(void)state;
	run("mkdir d e && echo x > d/one && ln d/one a && ln d/one e/two && ln -s t l && ln l e/l "
	    "&& "
	    "touch alone");
	expect_same_as_tar();
	expect_line(" d/one => a\n");
	expect_line(" l => e/l\n");
}

/* GNU tar stores each name of a FIFO or device for itself, so it is done here; sockets it skips. */
static void test_hardlinks_of_specials(void **state)
{
	(void)state;
	run("mkfifo p && ln p q && mknod c c 1 3 && ln c d");
	expect_same_as_tar();
	run("rm -f p q c d");
	make_socket("s");
	run("ln s t && touch -d @7 . s");
	source_dump_free(&d);
	dump();
	assert_string_equal(d.entries, "d 0755 0:0 7 .\ns 0755 0:0 7 s\nh 0755 0:0 7 t => s\n");
}

static void test_hardlink_from_outside(void **state)
{
	(void)state;
	run("echo x > f && ln f ../outside && ln f g");
	expect_same_as_tar();
	expect_line(" g => f\n");
}

static void test_many_hardlinks(void **state)
{
	(void)state;
	run("mkdir d && for i in $(seq 1000); do echo $i > $i; ln $i d/$i; done");
	expect_same_as_tar();
	expect_line(" d/777 => 777\n");
}

static void test_xattrs(void **state)
{
	(void)state;
	run("touch f && mkdir d && ln -s x l && mkfifo p && "
	    "setfattr -n user.a -v 1 f && setfattr -n 'user.=%%3D%%' -v 0x00ff0a f && "
	    "setfattr -n user.empty f && setfattr -n trusted.t -v x d && "
	    "setfattr -h -n trusted.l -v y l && setfattr -n trusted.p -v z p && "
	    "setfattr -n security.foo -v s f && setcap cap_net_raw+ep f");
	expect_same_as_tar();
	expect_line("x trusted.l=y");
	expect_line("trusted.p=z");
	expect_line("security.capability=");
	expect_line("user.=%3D%=\\00\\ff\\0a");
}

static void test_acls(void **state)
{
	(void)state;
	run("touch f g && mkdir d && setfacl -m u:daemon:rwx,u:54321:r,g:mail:--- f && "
	    "setfacl -m u::rwx,g::r,o::- g && setfacl -d -m g:1234:rwx d && setfacl -m m::x,u:1:rw "
	    "d");
	expect_same_as_tar();
	expect_line("system.posix_acl_default=");
	expect_line(" g size=0 \n");
}

static void test_sparse(void **state)
{
	(void)state;
	run("truncate -s 10M hole && truncate -s 1M mid && "
	    "printf abc | dd of=mid bs=1 seek=500000 conv=notrunc status=none && "
	    "printf abc | dd of=tail bs=1 seek=300000 status=none && "
	    "printf abc > head && truncate -s 200001 head && "
	    "dd if=/dev/zero of=zeros bs=1024 count=100 status=none && sync .");
	expect_same_as_tar();
	expect_line("hole runs= size=10485760");
	expect_line("mid runs=499712+4096 size=1048576");
	expect_line("head runs=0+4096 size=200001");
	expect_line("zeros size=102400");
}

static void test_large_file(void **state)
{
	(void)state;
	run("seq 1000000 > f && truncate -s 5G g && echo end >> g");
	expect_same_as_tar();
	expect_line(" size=5368709124 ");
}

static void test_deep(void **state)
{
	(void)state;
	/* deeper than directories are held open, and longer than PATH_MAX */
	run("for i in $(seq 300); do mkdir long-directory-name a && touch z && "
	    "cd -P long-directory-name; done; echo x > bottom");
	expect_same_as_tar();
	expect_line("/long-directory-name/bottom size=2 x\\0a\n");
}

static void test_symlinks_not_followed(void **state)
{
	(void)state;
	run("mkdir ../other && touch ../other/secret && ln -s ../other d && ln -s ../other/secret "
	    "f");
	expect_same_as_tar();
	assert_null(strstr(d.entries, "d/secret"));
}

static void test_names_are_bytes(void **state)
{
	(void)state;
	run("touch \"$(printf '\\001\\377\\nx')\" && mkdir \"$(printf '\\303\\244')\" && "
	    "ln -s \"$(printf '\\376')\" \"$(printf '\\303\\244/l')\"");
	expect_same_as_tar();
	expect_line(" \\01\\ff\\0ax size=0");
	expect_line(" \\c3\\a4/l -> \\fe");
}

static void test_other_mounts_included(void **state)
{
	(void)state;
	run("mkdir m && mount -t tmpfs none m && echo x > m/f");
	dump();
	run("umount m");
	assert_string_equal(d.error, "");
	expect_line(" m/f size=2 x\\0a\n");
}

static void test_unreadable(void **state)
{
	(void)state;
	run("mkdir d && touch d/f && chmod 0 d/f && chmod 755 ..");
	assert_int_equal(seteuid(65534), 0);
	expect_error(MICA_E_SYS, "'d/f': open: Permission denied");
	source_dump_free(&d);
	assert_int_equal(seteuid(0), 0);
	run("chmod 700 d");
	assert_int_equal(seteuid(65534), 0);
	expect_error(MICA_E_SYS, "'d': open: Permission denied");
	assert_int_equal(seteuid(0), 0);
}

/* The file is changed by action between its entry and the end of its data. */
static void expect_changed(const char *action, const char *text)
{
	const struct mica_entry *e;
	struct mica_report report = {0};
	struct mica_source *src;
	struct mica_err err;
	const void *buf;
	uint64_t off;
	char path[128];
	size_t len;
	int ret;

	run("seq 1000000 > f");
	snprintf(path, sizeof(path), "%s/src", top);
	assert_int_equal(mica_source_open(path, &report, &src, &err), 0);
	assert_int_equal(mica_source_next(src, &e, &err), 1);
	assert_int_equal(mica_source_next(src, &e, &err), 1);
	assert_int_equal(mica_source_read(src, &buf, &len, &off, &err), 1);
	run("%s", action);
	while ((ret = mica_source_read(src, &buf, &len, &off, &err)) > 0)
		;
	assert_int_equal(ret, MICA_E_INPUT);
	assert_non_null(strstr(err.msg, text));
	mica_source_free(src);
}

static void test_changing_file(void **state)
{
	(void)state;
	expect_changed("echo more >> f",
		       "'f': changed while it was read: it had 6888896 bytes and has");
	expect_changed("echo x | dd of=f conv=notrunc bs=1 2> /dev/null",
		       "'f': changed while it was read: it was written to");
	expect_changed("truncate -s 100 f",
		       "'f': changed while it was read: it had 6888896 bytes and ends");
}

static void test_vanishing_file(void **state)
{
	const struct mica_entry *e;
	struct mica_report report = {0};
	struct mica_source *src;
	struct mica_err err;
	char path[128];

	(void)state;
	run("touch f");
	snprintf(path, sizeof(path), "%s/src", top);
	assert_int_equal(mica_source_open(path, &report, &src, &err), 0);
	assert_int_equal(mica_source_next(src, &e, &err), 1);
	run("rm f");
	assert_int_equal(mica_source_next(src, &e, &err), MICA_E_SYS);
	assert_non_null(strstr(err.msg, "'f': stat: No such file"));
	mica_source_free(src);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_empty),
		T(test_order),
		T(test_types),
		T(test_sockets_kept),
		T(test_hardlinks),
		T(test_hardlinks_of_specials),
		T(test_hardlink_from_outside),
		T(test_many_hardlinks),
		T(test_xattrs),
		T(test_acls),
		T(test_sparse),
		T(test_large_file),
		T(test_deep),
		T(test_symlinks_not_followed),
		T(test_names_are_bytes),
		T(test_other_mounts_included),
		T(test_unreadable),
		T(test_changing_file),
		T(test_vanishing_file),
	};

	if (geteuid()) {
		puts("owners and devices need root");
		return 77;
	}
	umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
