/* SPDX-License-Identifier: MIT */
/* The public interface (lib/mica.h): each kind of storage, each call, each refusal. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../lib/mica.h"
#include "../../lib/util.h"
#include "disk.h"

#define LINK_NID   20u
#define INLINE_NID 30u
#define CHUNK_NID  40u
#define NODE_NID   50u
#define FILE_SIZE  (2 * DISK_BLOCK + 100)
#define FILE_BLOCK 10u
#define ROUNDS	   3000u

static struct disk disk;

/* A plain file of three blocks, a symlink, an inline file with an attribute, chunks, a device. */
static void disk_fill(void)
{
	uint8_t *p;

	disk_init(&disk);
	disk_inode(&disk, DISK_FILE, EROFS_LAYOUT_FLAT_PLAIN, S_IFREG | 0640, FILE_SIZE,
		   FILE_BLOCK);
	disk_inode_at(&disk, DISK_FILE)->uid = le32_make(7);
	disk_inode_at(&disk, DISK_FILE)->gid = le32_make(8);
	disk_inode_at(&disk, DISK_FILE)->mtime = le64_make(1234567);
	for (unsigned int i = 0; i < FILE_SIZE; i++)
		disk_block(&disk, FILE_BLOCK)[i] = (uint8_t)(i * 7 + i / 256);
	p = disk_inode(&disk, LINK_NID, EROFS_LAYOUT_FLAT_INLINE, S_IFLNK | 0777, 4, 0);
	memcpy(p, "file", 4);
	p = disk_inode(&disk, INLINE_NID, EROFS_LAYOUT_FLAT_INLINE, S_IFREG | 0600, 5, 0);
	/* header of 12 bytes, then user.a=bcd in 8, padded to 12 */
	disk_inode_at(&disk, INLINE_NID)->xattr_icount = le16_make(3);
	p += sizeof(struct erofs_xattr_ibody_disk);
	p[0] = 1;
	p[1] = 1;
	put16(p + 2, 3);
	memcpy(p + 4, "abcd", 4);
	memcpy(p + 8, "tail!", 5);
	/* blocks 10, 11, a hole, 20 */
	p = disk_inode(&disk, CHUNK_NID, EROFS_LAYOUT_CHUNK, S_IFREG | 0600, 4 * DISK_BLOCK, 0);
	put32(p, FILE_BLOCK);
	put32(p + 4, FILE_BLOCK + 1);
	put32(p + 8, UINT32_MAX);
	put32(p + 12, 20);
	memset(disk_block(&disk, 20), 's', DISK_BLOCK);
	disk_inode(&disk, NODE_NID, EROFS_LAYOUT_FLAT_PLAIN, S_IFCHR | 0600, 0, 5 << 8 | 6);
}

static struct mica_storage memory(void)
{
	return (struct mica_storage){
		.struct_size = sizeof(struct mica_storage),
		.kind = MICA_STORAGE_MEMORY,
		.length = sizeof(disk.data),
		.data = disk.data,
	};
}

static struct mica_image *image_of(const struct mica_storage *s)
{
	struct mica_image *image = NULL;
	struct mica_err err = {0};

	if (mica_open_storage(s, NULL, &image, &err))
		fail_msg("%s", err.msg);
	return image;
}

static struct mica_image *image_in_memory(void)
{
	struct mica_storage s = memory();

	disk_fill();
	return image_of(&s);
}

static void file_is_right(struct mica_image *image)
{
	uint8_t buf[FILE_SIZE + 1];
	struct mica_stat st;
	struct mica_err err = {0};

	if (mica_walk(image, "/file", &st, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(mica_read(image, st.nid, buf, sizeof(buf), 0, &err), FILE_SIZE);
	assert_memory_equal(buf, disk_block(&disk, FILE_BLOCK), FILE_SIZE);
	assert_int_equal(mica_read(image, st.nid, buf, 200, FILE_SIZE - 100, &err), 100);
	assert_memory_equal(buf, disk_block(&disk, FILE_BLOCK) + FILE_SIZE - 100, 100);
	assert_int_equal(mica_read(image, st.nid, buf, 200, FILE_SIZE, &err), 0);
}

static void versions_agree(void **state)
{
	char text[32];

	(void)state;
	snprintf(text, sizeof(text), "%d.%d.%d", MICA_VERSION_MAJOR, MICA_VERSION_MINOR,
		 MICA_VERSION_PATCH);
	assert_string_equal(text, MICA_VERSION);
	assert_string_equal(text, mica_version());
	assert_int_equal(mica_version_number(), MICA_VERSION_NUMBER);
}

/* No signature has these enums, so that a comparison of interfaces does not see them. */
static void numbers_stay(void **state)
{
	(void)state;
	assert_int_equal(MICA_E_SYS, -1);
	assert_int_equal(MICA_E_CORRUPT, -2);
	assert_int_equal(MICA_E_UNSUPPORTED, -3);
	assert_int_equal(MICA_E_USAGE, -4);
	assert_int_equal(MICA_E_NOMEM, -5);
	assert_int_equal(MICA_E_LIMIT, -6);
	assert_int_equal(MICA_E_NOENT, -7);
	assert_int_equal(MICA_E_INPUT, -8);
	assert_int_equal(MICA_STORAGE_PATH, 0);
	assert_int_equal(MICA_STORAGE_FD, 1);
	assert_int_equal(MICA_STORAGE_MEMORY, 2);
	assert_int_equal(MICA_STORAGE_CALLS, 3);
}

/* The image, at a place in a file that has no name. */
static int disk_file(uint64_t offset)
{
	char path[] = "/tmp/api_test.XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(pwrite(fd, disk.data, sizeof(disk.data), (off_t)offset),
			 sizeof(disk.data));
	return fd;
}

static void from_paths_and_descriptors(void **state)
{
	struct mica_storage s = {.struct_size = sizeof(s)};
	struct mica_image *image;
	char path[64];

	(void)state;
	disk_fill();
	for (uint64_t offset = 0; offset <= 3 * DISK_BLOCK; offset += 3 * DISK_BLOCK) {
		int fd = disk_file(offset);

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		s = (struct mica_storage){.struct_size = sizeof(s), .name = path, .offset = offset};
		image = image_of(&s);
		file_is_right(image);
		mica_close(image);
		s = (struct mica_storage){.struct_size = sizeof(s),
					  .kind = MICA_STORAGE_FD,
					  .fd = fd,
					  .offset = offset};
		image = image_of(&s);
		/* it is the caller's, who has not moved and may close it */
		assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
		assert_int_equal(close(fd), 0);
		file_is_right(image);
		mica_close(image);
	}
}

static void from_memory(void **state)
{
	struct mica_image *one = image_in_memory(), *two = image_in_memory();

	(void)state;
	file_is_right(one);
	mica_close(one);
	file_is_right(two);
	mica_close(two);
	mica_close(NULL);
}

struct calls {
	unsigned int reads, hints;
	int fail; /* errno of all reads */
};

static int calls_read(void *ctx, void *buf, size_t len, uint64_t off)
{
	struct calls *c = ctx;

	c->reads++;
	assert_true(mica_range_in(off, len, sizeof(disk.data)));
	if (!c->fail)
		memcpy(buf, disk.data + off, len);
	return c->fail;
}

static void calls_ahead(void *ctx, uint64_t off, uint64_t len)
{
	struct calls *c = ctx;

	assert_true(mica_range_in(off, len, sizeof(disk.data)));
	c->hints++;
}

static const void *calls_map(void *ctx, uint64_t off, uint64_t len)
{
	(void)ctx;
	assert_true(mica_range_in(off, len, sizeof(disk.data)));
	return disk.data + off;
}

static void from_functions(void **state)
{
	struct calls calls = {0};
	struct mica_storage s = {.struct_size = sizeof(s),
				 .kind = MICA_STORAGE_CALLS,
				 .name = "store",
				 .length = sizeof(disk.data),
				 .ctx = &calls,
				 .read = calls_read};
	struct mica_image *image;
	struct mica_err err = {0};
	const void *data;
	uint64_t got;
	char buf[8];

	(void)state;
	disk_fill();
	image = image_of(&s);
	file_is_right(image);
	assert_true(calls.reads > 1);
	/* neither hints nor mappings are needed */
	assert_int_equal(mica_ahead(image, DISK_FILE, 0, 100, &err), 0);
	assert_int_equal(mica_map(image, DISK_FILE, 0, 100, &data, &got, &err), 0);
	calls.fail = ENETDOWN;
	disk_expect((int)mica_read(image, DISK_FILE, buf, sizeof(buf), 0, &err), MICA_E_SYS, &err,
		    "store: read 8 bytes at 40960: Network is down");
	assert_int_equal(err.sys, ENETDOWN);
	assert_int_equal(mica_err_errno(&err), ENETDOWN);
	calls.fail = 0;
	mica_close(image);
	s.ahead = calls_ahead;
	s.map = calls_map;
	image = image_of(&s);
	assert_int_equal(mica_ahead(image, DISK_FILE, 0, 100, &err), 0);
	assert_int_equal(calls.hints, 1);
	assert_int_equal(mica_map(image, DISK_FILE, 0, 100, &data, &got, &err), 1);
	assert_ptr_equal(data, disk_block(&disk, FILE_BLOCK));
	mica_close(image);
}

static void attributes(void **state)
{
	struct mica_image *image = image_in_memory();
	struct mica_info info;
	struct mica_stat st;
	struct mica_err err;

	(void)state;
	mica_info(image, &info);
	assert_int_equal(info.root, DISK_ROOT);
	assert_int_equal(info.blocks, DISK_BLOCKS);
	assert_int_equal(info.block_size, DISK_BLOCK);
	assert_int_equal(mica_stat(image, DISK_FILE, &st, &err), 0);
	assert_int_equal(st.nid, DISK_FILE);
	assert_int_equal(st.ino, DISK_FILE);
	assert_int_equal(st.mode, S_IFREG | 0640);
	assert_int_equal(st.size, FILE_SIZE);
	assert_int_equal(st.blocks, 3 * DISK_BLOCK / 512);
	assert_int_equal(st.uid, 7);
	assert_int_equal(st.gid, 8);
	assert_int_equal(st.nlink, 1);
	assert_int_equal(st.mtime, 1234567);
	assert_int_equal(st.block_size, DISK_BLOCK);
	assert_int_equal(mica_stat(image, NODE_NID, &st, &err), 0);
	assert_int_equal(st.rdev_major, 5);
	assert_int_equal(st.rdev_minor, 6);
	disk_expect(mica_stat(image, 1u << 30, &st, &err), MICA_E_CORRUPT, &err, "");
	assert_int_equal(mica_err_errno(&err), EIO);
	/* what was wrong need not be asked */
	assert_int_equal(mica_stat(image, 1u << 30, &st, NULL), MICA_E_CORRUPT);
	mica_close(image);
}

static void names(void **state)
{
	struct mica_image *image = image_in_memory();
	struct mica_dir *dir;
	struct mica_name name;
	struct mica_stat st;
	struct mica_err err;
	uint64_t second;
	char buf[8];

	(void)state;
	assert_int_equal(mica_lookup(image, DISK_ROOT, "file", &st, &err), 0);
	assert_int_equal(st.nid, DISK_FILE);
	disk_expect(mica_lookup(image, DISK_ROOT, "absent", &st, &err), MICA_E_NOENT, &err,
		    "no 'absent'");
	disk_expect(mica_lookup(image, DISK_FILE, "file", &st, &err), MICA_E_USAGE, &err,
		    "not a directory");
	assert_int_equal(mica_walk(image, "", &st, &err), 0);
	assert_int_equal(st.nid, DISK_ROOT);
	disk_expect(mica_walk(image, "file/x", &st, &err), MICA_E_NOENT, &err, "not a directory");
	disk_expect(mica_opendir(image, DISK_FILE, &dir, &err), MICA_E_USAGE, &err,
		    "not a directory");
	assert_int_equal(mica_opendir(image, DISK_ROOT, &dir, &err), 0);
	assert_int_equal(mica_readdir(dir, &name, &err), 1);
	assert_string_equal(name.name, ".");
	second = name.next;
	assert_int_equal(mica_readdir(dir, &name, &err), 1);
	assert_int_equal(mica_readdir(dir, &name, &err), 1);
	assert_string_equal(name.name, "file");
	assert_int_equal(name.name_len, 4);
	assert_int_equal(name.nid, DISK_FILE);
	assert_int_equal(name.ino, DISK_FILE);
	assert_int_equal(name.type, S_IFREG);
	assert_int_equal(mica_readdir(dir, &name, &err), 0);
	mica_seekdir(dir, second);
	assert_int_equal(mica_readdir(dir, &name, &err), 1);
	assert_string_equal(name.name, "..");
	mica_closedir(dir);
	assert_int_equal(mica_readlink(image, LINK_NID, NULL, 0, &err), 4);
	assert_int_equal(mica_readlink(image, LINK_NID, buf, 5, &err), 4);
	assert_string_equal(buf, "file");
	disk_expect((int)mica_readlink(image, LINK_NID, buf, 4, &err), MICA_E_LIMIT, &err,
		    "do not fit into 4");
	disk_expect((int)mica_readlink(image, DISK_FILE, buf, 8, &err), MICA_E_USAGE, &err,
		    "not a symlink");
	mica_close(image);
}

static void xattrs(void **state)
{
	struct mica_image *image = image_in_memory();
	struct mica_err err;
	char buf[16];

	(void)state;
	assert_int_equal(mica_getxattr(image, INLINE_NID, "user.a", NULL, 0, &err), 3);
	assert_int_equal(mica_getxattr(image, INLINE_NID, "user.a", buf, sizeof(buf), &err), 3);
	assert_memory_equal(buf, "bcd", 3);
	disk_expect((int)mica_getxattr(image, INLINE_NID, "user.a", buf, 2, &err), MICA_E_LIMIT,
		    &err, "does not fit");
	disk_expect((int)mica_getxattr(image, INLINE_NID, "user.b", buf, 2, &err), MICA_E_NOENT,
		    &err, "no xattr 'user.b'");
	assert_int_equal(mica_listxattr(image, INLINE_NID, NULL, 0, &err), 7);
	assert_int_equal(mica_listxattr(image, INLINE_NID, buf, sizeof(buf), &err), 7);
	assert_memory_equal(buf, "user.a", 7);
	disk_expect((int)mica_listxattr(image, INLINE_NID, buf, 6, &err), MICA_E_LIMIT, &err,
		    "do not fit");
	assert_int_equal(mica_listxattr(image, DISK_FILE, buf, sizeof(buf), &err), 0);
	mica_close(image);
}

static void mapped_is(struct mica_image *image, uint64_t nid, uint64_t off, uint64_t len,
		      const void *at, uint64_t bytes)
{
	struct mica_err err = {0};
	const void *data = NULL;
	uint64_t got = 0;

	assert_int_equal(mica_map(image, nid, off, len, &data, &got, &err), at ? 1 : 0);
	assert_ptr_equal(data, at);
	assert_int_equal(got, bytes);
}

static void bytes_where_they_lie(void **state)
{
	struct mica_image *image = image_in_memory();
	const uint8_t *file = disk_block(&disk, FILE_BLOCK);
	struct mica_err err;
	const void *data;
	uint64_t got;

	(void)state;
	mapped_is(image, DISK_FILE, 0, UINT64_MAX, file, FILE_SIZE);
	mapped_is(image, DISK_FILE, 5000, 17, file + 5000, 17);
	mapped_is(image, DISK_FILE, FILE_SIZE, 17, NULL, 0);
	mapped_is(image, DISK_FILE, 0, 0, NULL, 0);
	mapped_is(image, INLINE_NID, 1, 100,
		  disk_block(&disk, 1) + INLINE_NID * 32 + 64 + 12 + 8 + 1, 4);
	/* as far as they follow on each other; a hole has none */
	mapped_is(image, CHUNK_NID, 100, UINT64_MAX, file + 100, 2 * DISK_BLOCK - 100);
	mapped_is(image, CHUNK_NID, 2 * DISK_BLOCK, UINT64_MAX, NULL, 0);
	mapped_is(image, CHUNK_NID, 3 * DISK_BLOCK, 10, disk_block(&disk, 20), 10);
	disk_expect(mica_map(image, LINK_NID, 0, 1, &data, &got, &err), MICA_E_USAGE, &err,
		    "not a regular file");
	mica_close(image);
}

static void holes(void **state)
{
	struct mica_image *image = image_in_memory();
	struct mica_err err;
	uint64_t to;
	char buf[8];

	(void)state;
	assert_int_equal(mica_seek(image, CHUNK_NID, 0, 1, &to, &err), 0);
	assert_int_equal(to, 2 * DISK_BLOCK);
	assert_int_equal(mica_seek(image, CHUNK_NID, to, 0, &to, &err), 0);
	assert_int_equal(to, 3 * DISK_BLOCK);
	assert_int_equal(mica_read(image, CHUNK_NID, buf, 8, 3 * DISK_BLOCK - 4, &err), 8);
	assert_memory_equal(buf, "\0\0\0\0ssss", 8);
	disk_expect((int)mica_read(image, DISK_ROOT, buf, 8, 0, &err), MICA_E_USAGE, &err,
		    "not a regular file");
	mica_close(image);
}

/* From an open file: the same pointer each time, and it holds what the file does. */
static void a_file_is_mapped_once(void **state)
{
	struct mica_storage s = {.struct_size = sizeof(s), .kind = MICA_STORAGE_FD, .offset = 1536};
	struct mica_image *image;
	const void *one, *two;
	struct mica_err err;
	uint64_t got;

	(void)state;
	disk_fill();
	s.fd = disk_file(s.offset);
	image = image_of(&s);
	close(s.fd);
	assert_int_equal(mica_map(image, DISK_FILE, 10, 5000, &one, &got, &err), 1);
	assert_int_equal(got, 5000);
	assert_memory_equal(one, disk_block(&disk, FILE_BLOCK) + 10, 5000);
	assert_int_equal(mica_map(image, DISK_FILE, 10, 5000, &two, &got, &err), 1);
	assert_ptr_equal(one, two);
	mica_close(image);
}

static void refused(const struct mica_storage *s, const struct mica_options *o, int code,
		    const char *text)
{
	struct mica_image *image = NULL;
	struct mica_err err = {0};

	disk_expect(mica_open_storage(s, o, &image, &err), code, &err, text);
	assert_null(image);
	assert_int_equal(mica_open_storage(s, o, &image, NULL), code);
}

static void what_makes_no_sense_is_refused(void **state)
{
	struct mica_storage good = memory(), s = good;
	const struct mica_storage *devices[] = {&good};
	struct mica_options o = {.struct_size = sizeof(o)};
	struct {
		struct mica_storage s;
		uint64_t later;
	} newer = {good, 0};

	(void)state;
	disk_fill();
	refused(NULL, NULL, MICA_E_USAGE, "a storage is needed");
	s.struct_size = 8;
	refused(&s, NULL, MICA_E_USAGE, "struct mica_storage.struct_size is 8, less than");
	newer.s.struct_size = sizeof(newer);
	mica_close(image_of(&newer.s));
	newer.later = 1;
	refused(&newer.s, NULL, MICA_E_UNSUPPORTED, "does not know");
	s = good;
	s.kind = 9;
	refused(&s, NULL, MICA_E_USAGE, "no kind 9");
	s.kind = MICA_STORAGE_PATH;
	refused(&s, NULL, MICA_E_USAGE, "a path is needed");
	s.name = "/nonexistent/image";
	refused(&s, NULL, MICA_E_SYS, "/nonexistent/image: open: No such file");
	s.kind = MICA_STORAGE_FD;
	s.fd = -1;
	refused(&s, NULL, MICA_E_SYS, "Bad file descriptor");
	s.kind = MICA_STORAGE_CALLS;
	refused(&s, NULL, MICA_E_USAGE, "no function");
	s = good;
	s.data = NULL;
	refused(&s, NULL, MICA_E_USAGE, "there are no");
	s = good;
	s.offset = sizeof(disk.data) + 1;
	refused(&s, NULL, MICA_E_USAGE, "behind the end");
	s = good;
	s.length = 1100;
	refused(&s, NULL, MICA_E_CORRUPT, "truncated");
	o.flags = 1;
	refused(&good, &o, MICA_E_UNSUPPORTED, "flags 0x1");
	o.flags = 0;
	o.device_count = 1;
	refused(&good, &o, MICA_E_USAGE, "1 devices cannot be given");
	o.devices = devices;
	refused(&good, &o, MICA_E_USAGE, "1 devices are given, the image has 0");
	o.struct_size = 3;
	refused(&good, &o, MICA_E_USAGE, "struct mica_options.struct_size is 3");
}

static uint64_t rnd_state = 1;

static uint64_t rnd(uint64_t below)
{
	rnd_state ^= rnd_state << 13;
	rnd_state ^= rnd_state >> 7;
	rnd_state ^= rnd_state << 17;
	return (rnd_state >> 11) % below;
}

static void all_calls(struct mica_image *image, uint64_t nid)
{
	static uint8_t buf[4 * DISK_BLOCK];
	struct mica_dir *dir;
	struct mica_name name;
	struct mica_stat st;
	const void *data;
	uint64_t n;

	if (mica_stat(image, nid, &st, NULL))
		return;
	mica_readlink(image, nid, (char *)buf, sizeof(buf), NULL);
	mica_listxattr(image, nid, (char *)buf, sizeof(buf), NULL);
	mica_getxattr(image, nid, "user.a", buf, sizeof(buf), NULL);
	mica_read(image, nid, buf, sizeof(buf), rnd(st.size + 1), NULL);
	mica_seek(image, nid, rnd(st.size + 1), (int)rnd(2), &n, NULL);
	mica_ahead(image, nid, rnd(st.size + 1), 1000, NULL);
	/* what is handed out is within the image */
	if (mica_map(image, nid, rnd(st.size + 1), UINT64_MAX, &data, &n, NULL) == 1)
		assert_true((const uint8_t *)data >= disk.data &&
			    n <= (uint64_t)(disk.data + sizeof(disk.data) - (const uint8_t *)data));
	mica_lookup(image, nid, "file", &st, NULL);
	if (mica_opendir(image, nid, &dir, NULL))
		return;
	for (int i = 0; i < 100 && mica_readdir(dir, &name, NULL) == 1; i++)
		assert_int_equal(strlen(name.name), name.name_len);
	mica_closedir(dir);
}

static void broken_images_do_no_harm(void **state)
{
	static const uint64_t nids[] = {DISK_ROOT,  DISK_FILE, LINK_NID,
					INLINE_NID, CHUNK_NID, NODE_NID};
	struct mica_storage s = memory();
	unsigned int opened = 0;

	(void)state;
	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct mica_image *image;

		disk_fill();
		for (uint64_t n = 1 + rnd(12); n; n--) {
			uint64_t nid = nids[rnd(6)], at = DISK_BLOCK + nid * 32 + rnd(100);

			if (!rnd(8))
				at = EROFS_SUPER_OFFSET + rnd(128);
			disk.data[at] = rnd(2) ? (uint8_t)rnd(256)
					       : (uint8_t)(disk.data[at] ^ 1u << rnd(8));
		}
		if (mica_open_storage(&s, NULL, &image, NULL))
			continue;
		opened++;
		for (size_t k = 0; k < sizeof(nids) / sizeof(nids[0]); k++)
			all_calls(image, nids[k]);
		mica_close(image);
	}
	assert_true(opened > ROUNDS / 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(versions_agree),
		cmocka_unit_test(numbers_stay),
		cmocka_unit_test(from_paths_and_descriptors),
		cmocka_unit_test(from_memory),
		cmocka_unit_test(from_functions),
		cmocka_unit_test(attributes),
		cmocka_unit_test(names),
		cmocka_unit_test(xattrs),
		cmocka_unit_test(bytes_where_they_lie),
		cmocka_unit_test(holes),
		cmocka_unit_test(a_file_is_mapped_once),
		cmocka_unit_test(what_makes_no_sense_is_refused),
		cmocka_unit_test(broken_images_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
