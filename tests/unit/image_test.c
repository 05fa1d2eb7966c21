/* SPDX-License-Identifier: MIT */
/* Inodes, directories, flat and chunk layouts: what is good, and each rule broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "../../lib/util.h"
#include "disk.h"

static struct disk disk;

/* mica_image_inode() of the file must fail. */
static void inode_fails(int code, const char *want)
{
	cleanup_image struct mica_image *img = disk_image(&disk);
	struct mica_inode inode = {.nid = 99};
	struct mica_err err = {0};

	disk_expect(mica_image_inode(img, DISK_FILE, &inode, &err), code, &err, want);
	assert_int_equal(inode.nid, 99); /* nothing is published */
}

static void inode_reads(struct mica_inode *inode)
{
	cleanup_image struct mica_image *img = disk_image(&disk);
	struct mica_err err = {0};

	if (mica_image_inode(img, DISK_FILE, inode, &err))
		fail_msg("%s", err.msg);
}

static void extended_inodes_become_native(void **state)
{
	struct erofs_inode_extended_disk *d = disk_inode_at(&disk, DISK_FILE);
	struct mica_inode inode;

	(void)state;
	disk_init(&disk);
	disk_inode(&disk, DISK_FILE, EROFS_LAYOUT_FLAT_PLAIN, S_IFREG | 06755, 5000, 9);
	d->nb = le16_make(3);
	d->uid = le32_make(70000);
	d->gid = le32_make(80000);
	d->mtime = le64_make((uint64_t)-7);
	d->mtime_nsec = le32_make(5);
	d->nlink = le32_make(100000);
	d->ino = le32_make(4);
	inode_reads(&inode);
	assert_int_equal(inode.nid, DISK_FILE);
	assert_int_equal(inode.off, 4096 + DISK_FILE * 32);
	assert_true(inode.extended && !inode.in_metabox);
	assert_int_equal(inode.mode, S_IFREG | 06755);
	assert_int_equal(inode.size, 5000);
	assert_true(inode.startblk == (3ULL << 32 | 9));
	assert_int_equal(inode.uid, 70000);
	assert_int_equal(inode.gid, 80000);
	assert_true(inode.mtime == -7);
	assert_int_equal(inode.mtime_nsec, 5);
	assert_int_equal(inode.nlink, 100000);
	assert_int_equal(inode.ino, 4);
	d->u = le32_make(UINT32_MAX);
	inode_reads(&inode);
	assert_true(inode.startblk == (3ULL << 32 | UINT32_MAX));
	d->nb = le16_make(UINT16_MAX);
	inode_reads(&inode);
	assert_true(inode.startblk == UINT64_MAX);
	disk_inode(&disk, DISK_FILE, EROFS_LAYOUT_FLAT_PLAIN, S_IFCHR, 0, 0x12345678);
	inode_reads(&inode);
	assert_int_equal(mica_rdev_major(inode.rdev), 0x456);
	assert_int_equal(mica_rdev_minor(inode.rdev), 0x12378);
}

static void compact_inodes_become_native(void **state)
{
	struct erofs_inode_compact_disk *d =
		(struct erofs_inode_compact_disk *)disk_inode_at(&disk, DISK_FILE);
	struct mica_inode inode;

	(void)state;
	disk_init(&disk);
	disk_super(&disk)->epoch = le64_make(1000);
	disk_super(&disk)->fixed_nsec = le32_make(8);
	*d = (struct erofs_inode_compact_disk){
		.mode = le16_make(S_IFREG | 0600),
		.nb = le16_make(65535),
		.size = le32_make(0),
		.mtime = le32_make(UINT32_MAX),
		.u = le32_make(7),
		.uid = le16_make(1),
		.gid = le16_make(2),
	};
	inode_reads(&inode);
	assert_false(inode.extended);
	assert_int_equal(inode.nlink, 65535);
	assert_int_equal(inode.startblk, 7);
	assert_true(inode.mtime == 1000LL + UINT32_MAX);
	assert_int_equal(inode.mtime_nsec, 8);
	assert_int_equal(inode.uid, 1);
	assert_int_equal(inode.gid, 2);
	/* bit 4: one link, and the field holds address bits instead */
	d->format = le16_make(EROFS_FORMAT_BIT4);
	inode_reads(&inode);
	assert_int_equal(inode.nlink, 1);
	assert_true(inode.startblk == (65535ULL << 32 | 7));
	d->format = le16_make(0);
	d->u = le32_make(UINT32_MAX);
	inode_reads(&inode);
	assert_true(inode.startblk == UINT64_MAX);
	disk_super(&disk)->epoch = le64_make(INT64_MAX - 5);
	inode_fails(MICA_E_CORRUPT, "mtime 4294967295 after the epoch 9223372036854775802 is out "
				    "of range");
}

static void every_inode_rule_is_enforced(void **state)
{
	struct erofs_inode_extended_disk *d = disk_inode_at(&disk, DISK_FILE);
	struct mica_image *img;
	struct mica_inode inode;
	struct mica_err err = {0};

	(void)state;
	disk_init(&disk);
	d->format = le16_make(0x21);
	inode_fails(MICA_E_UNSUPPORTED, "inode 8 at 4352: format 0x21 has unknown bits 0x20");
	d->format = le16_make(EROFS_FORMAT_EXTENDED | 5 << 1);
	inode_fails(MICA_E_UNSUPPORTED, "data layout 5 is not within 0..4");
	disk_init(&disk);
	d->mode = le16_make(0030644);
	inode_fails(MICA_E_CORRUPT, "mode 030644 has no known file type");
	disk_init(&disk);
	d->size = le64_make(1ULL << 63);
	inode_fails(MICA_E_CORRUPT, "size 9223372036854775808 exceeds 9223372036854775807");
	disk_init(&disk);
	d->mtime_nsec = le32_make(1000000000);
	inode_fails(MICA_E_CORRUPT, "mtime_nsec 1000000000 exceeds 999999999");
	disk_init(&disk);
	d->xattr_icount = le16_make(65535);
	inode_fails(MICA_E_CORRUPT, "262148 bytes of xattrs reach over the end at 262144");
	disk_inode(&disk, DISK_FILE, EROFS_LAYOUT_CHUNK, S_IFREG, 10, 0x80);
	inode_fails(MICA_E_UNSUPPORTED, "chunk format 0x80 has unknown bits 0x80");

	disk_init(&disk);
	img = disk_image(&disk);
	disk_expect(mica_image_inode(img, 1ULL << 40, &inode, &err), MICA_E_CORRUPT, &err,
		    "truncated: 32 bytes");
	disk_expect(mica_image_inode(img, (1ULL << 63) - 1, &inode, &err), MICA_E_CORRUPT, &err,
		    "lies behind the end");
	disk_expect(mica_image_inode(img, 1ULL << 63 | 3, &inode, &err), MICA_E_CORRUPT, &err,
		    "in the metabox, which is not there");
	mica_image_free(img);
}

static void the_root_must_be_a_directory(void **state)
{
	struct mica_image *img = NULL;
	struct mica_err err = {0};

	(void)state;
	disk_init(&disk);
	disk_inode_at(&disk, DISK_ROOT)->mode = le16_make(S_IFREG);
	disk_expect(disk_open(&disk, &img, &err), MICA_E_CORRUPT, &err,
		    "disk: root inode: inode 2 at 4160 has the type 0100000, not 040000");
	assert_null(img);
}

/* The root becomes a directory of one block that is not inline. */
static uint8_t *root_block(uint64_t size)
{
	disk_init(&disk);
	disk_inode(&disk, DISK_ROOT, EROFS_LAYOUT_FLAT_PLAIN, S_IFDIR | 0755, size, DISK_DATA);
	return disk_block(&disk, DISK_DATA);
}

static void dirent(uint8_t *block, unsigned int i, unsigned int nameoff)
{
	struct erofs_dirent_disk e = {
		.nid = le64_make(DISK_FILE + i),
		.nameoff = le16_make((uint16_t)nameoff),
		.file_type = EROFS_FT_REG,
	};

	memcpy(block + i * sizeof(e), &e, sizeof(e));
}

static void dir_fails(const char *want)
{
	cleanup_image struct mica_image *img = disk_image(&disk);
	cleanup_dir struct mica_dir *dir = NULL;
	struct mica_dirent entry;
	struct mica_inode root;
	struct mica_err err = {0};
	uint64_t nid;
	uint8_t type;
	int ret;

	assert_int_equal(mica_image_inode(img, DISK_ROOT, &root, &err), 0);
	assert_int_equal(mica_dir_open(img, &root, &dir, &err), 0);
	while ((ret = mica_dir_next(dir, &entry, &err)) > 0)
		;
	disk_expect(ret, MICA_E_CORRUPT, &err, want);
	disk_expect(mica_dir_lookup(img, &root, "b", 1, &nid, &type, &err), MICA_E_CORRUPT, &err,
		    want);
}

static void every_dirent_rule_is_enforced(void **state)
{
	uint8_t *b;

	(void)state;
	root_block(11);
	dir_fails("directory 2, block at 0: 11 bytes hold no entry of 12");
	dirent(root_block(100), 0, 0);
	dir_fails("first name at 0: not a multiple of 12 within 12..100");
	dirent(root_block(100), 0, 13);
	dir_fails("first name at 13: not a multiple");
	dirent(root_block(100), 0, 108);
	dir_fails("first name at 108: not a multiple");
	b = root_block(100); /* names that overlap, go backwards, or lie outside */
	dirent(b, 0, 24);
	dirent(b, 1, 24);
	memcpy(b + 24, "ab", 2);
	dir_fails("entry 0: name at 24..24 is not within 24..100");
	dirent(b, 1, 20);
	dir_fails("entry 0: name at 24..20");
	dirent(b, 1, 101);
	dir_fails("entry 0: name at 24..101");
	dirent(b, 1, 100);
	memset(b + 24, 'a', 76);
	dir_fails("entry 1: name at 100..100 is not within 24..100");
	b = root_block(100);
	dirent(b, 0, 12);
	dir_fails("entry 0: name of 0 bytes is not within 1..255");
	b = root_block(12 + 256);
	dirent(b, 0, 12);
	memset(b + 12, 'a', 256);
	dir_fails("entry 0: name of 256 bytes is not within 1..255");
	b = root_block(100);
	dirent(b, 0, 12);
	memcpy(b + 12, "a/b", 3);
	dir_fails("entry 0: name holds a '/' or a NUL");
	b = root_block(100);
	dirent(b, 0, 24);
	dirent(b, 1, 27);
	memcpy(b + 24, "a\0cd", 4);
	dir_fails("entry 0: name holds a '/' or a NUL");
}

/* Two full blocks, entries a00.. in the first and b00.. in the second. */
static void lookups_find_what_is_there(void **state)
{
	uint8_t *b = root_block(2 * DISK_BLOCK);
	struct mica_image *img;
	struct mica_inode root, file;
	struct mica_err err = {0};
	char name[32];
	uint64_t nid;
	uint8_t type;

	(void)state;
	for (unsigned int block = 0; block < 2; block++, b += DISK_BLOCK)
		for (unsigned int i = 0; i < 50; i++) {
			dirent(b, i, 50 * 12 + i * 3);
			snprintf(name, sizeof(name), "%c%02u", 'a' + block, i);
			memcpy(b + 50 * 12 + i * 3, name, 3);
		}
	img = disk_image(&disk);
	assert_int_equal(mica_image_inode(img, DISK_ROOT, &root, &err), 0);
	for (unsigned int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "%c%02u", 'a' + i / 50, i % 50);
		assert_int_equal(mica_dir_lookup(img, &root, name, 3, &nid, &type, &err), 0);
		assert_int_equal(nid, DISK_FILE + i % 50);
		assert_int_equal(type, EROFS_FT_REG);
	}
	static const char *const absent[] = {"a", "a0", "a000", "a99", "b", "b50", "z", "A", "."};
	for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++)
		assert_int_equal(mica_dir_lookup(img, &root, absent[i], strlen(absent[i]), &nid,
						 &type, &err),
				 MICA_E_NOENT);
	assert_int_equal(mica_image_walk(img, "//a00//", &file, &err), 0);
	assert_int_equal(file.nid, DISK_FILE);
	assert_int_equal(mica_image_walk(img, "", &file, &err), 0);
	assert_int_equal(file.nid, DISK_ROOT);
	disk_expect(mica_image_walk(img, "/a00/x", &file, &err), MICA_E_NOENT, &err,
		    "'/a00/' is not a directory");
	disk_expect(mica_image_walk(img, "x/y", &file, &err), MICA_E_NOENT, &err,
		    "no 'x' in the image");
	mica_image_free(img);
}

static void an_omitted_dot_is_put_back(void **state)
{
	struct erofs_inode_extended_disk *d = disk_inode_at(&disk, DISK_ROOT);
	static const char *const want[] = {"..", "file", "."};
	struct mica_dir *dir = NULL;
	struct mica_image *img;
	struct mica_dirent entry;
	struct mica_inode root;
	struct mica_err err = {0};
	uint64_t nid;
	uint8_t type, *b = root_block(30);

	(void)state;
	d->format = le16_make(le16_get(d->format) | EROFS_FORMAT_BIT4);
	dirent(b, 0, 24);
	dirent(b, 1, 26);
	memcpy(b + 24, "..file", 6);
	img = disk_image(&disk);
	assert_int_equal(mica_image_inode(img, DISK_ROOT, &root, &err), 0);
	assert_true(root.dot_omitted);
	assert_int_equal(mica_dir_open(img, &root, &dir, &err), 0);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 3; i++) {
			assert_int_equal(mica_dir_next(dir, &entry, &err), 1);
			assert_string_equal(entry.name, want[i]);
		}
		assert_int_equal(entry.nid, DISK_ROOT);
		assert_int_equal(mica_dir_next(dir, &entry, &err), 0);
		assert_int_equal(mica_dir_next(dir, &entry, &err), 0);
		mica_dir_seek(dir, 0);
	}
	assert_int_equal(mica_dir_lookup(img, &root, ".", 1, &nid, &type, &err), 0);
	assert_int_equal(nid, DISK_ROOT);
	assert_int_equal(type, EROFS_FT_DIR);
	mica_dir_free(dir);
	assert_int_equal(mica_image_inode(img, DISK_FILE, &root, &err), 0);
	disk_expect(mica_dir_open(img, &root, &dir, &err), MICA_E_USAGE, &err, "not a directory");
	mica_image_free(img);
}

static void read_fails(uint64_t off, int code, const char *want)
{
	cleanup_image struct mica_image *img = disk_image(&disk);
	struct mica_inode inode;
	struct mica_extent e;
	struct mica_err err = {0};
	char buf[100];

	assert_int_equal(mica_image_inode(img, DISK_FILE, &inode, &err), 0);
	disk_expect(mica_image_map(img, &inode, off, &e, &err), code, &err, want);
	disk_expect((int)mica_image_read(img, &inode, buf, sizeof(buf), off, &err), code, &err,
		    want);
}

static void flat_files_lie_in_the_image(void **state)
{
	struct mica_image *img;
	struct mica_inode inode;
	struct mica_extent e;
	struct mica_err err = {0};
	char buf[64];

	(void)state;
	disk_init(&disk);
	disk_inode(&disk, DISK_FILE, EROFS_LAYOUT_FLAT_PLAIN, S_IFREG, 4097, DISK_BLOCKS - 1);
	read_fails(0, MICA_E_CORRUPT,
		   "inode 8, byte 0: 4097 bytes at 258048 reach over the end "
		   "of the image at 262144");
	disk_inode(&disk, DISK_FILE, EROFS_LAYOUT_FLAT_PLAIN, S_IFREG, 10, UINT32_MAX);
	read_fails(0, MICA_E_CORRUPT, "reach over the end");
	/* the tail of 3,900 bytes begins in the middle of a block */
	disk_inode(&disk, DISK_FILE, EROFS_LAYOUT_FLAT_INLINE, S_IFREG, 3900, 0);
	read_fails(0, MICA_E_CORRUPT, "inline tail of 3900 bytes at 4416 crosses a block");
	memcpy(disk_inode(&disk, DISK_FILE, EROFS_LAYOUT_FLAT_INLINE, S_IFREG, 4100, DISK_DATA),
	       "tail", 4);
	memset(disk_block(&disk, DISK_DATA), 'd', DISK_BLOCK);
	img = disk_image(&disk);
	assert_int_equal(mica_image_inode(img, DISK_FILE, &inode, &err), 0);
	assert_int_equal(mica_image_read(img, &inode, buf, sizeof(buf), 4090, &err), 10);
	assert_memory_equal(buf, "ddddddtail", 10);
	assert_int_equal(mica_image_read(img, &inode, buf, sizeof(buf), 4100, &err), 0);
	assert_int_equal(mica_image_map(img, &inode, 4099, &e, &err), 0);
	assert_int_equal(e.kind, MICA_EXTENT_INLINE);
	assert_int_equal(e.la, 4096);
	assert_int_equal(e.llen, 4);
	disk_expect(mica_image_map(img, &inode, 4100, &e, &err), MICA_E_USAGE, &err,
		    "no byte 4100 in 4100 bytes");
	mica_image_free(img);
}

static void flat_files_may_have_no_blocks(void **state)
{
	struct erofs_inode_extended_disk *d = disk_inode_at(&disk, DISK_FILE);
	struct mica_image *img;
	struct mica_inode inode;
	struct mica_err err = {0};
	uint64_t off;
	char buf[8];

	(void)state;
	disk_init(&disk);
	disk_inode(&disk, DISK_FILE, EROFS_LAYOUT_FLAT_PLAIN, S_IFREG, INT64_MAX, UINT32_MAX);
	d->nb = le16_make(UINT16_MAX);
	img = disk_image(&disk);
	assert_int_equal(mica_image_inode(img, DISK_FILE, &inode, &err), 0);
	memset(buf, 1, sizeof(buf));
	assert_int_equal(mica_image_read(img, &inode, buf, sizeof(buf), 1ULL << 62, &err), 8);
	assert_memory_equal(buf, "\0\0\0\0\0\0\0\0", 8);
	assert_int_equal(mica_image_seek(img, &inode, 5, false, &off, &err), 0);
	assert_true(off == INT64_MAX);
	assert_int_equal(mica_image_seek(img, &inode, 5, true, &off, &err), 0);
	assert_int_equal(off, 5);
	mica_image_free(img);
}

/* Chunks of one block: data, hole, data behind it in the image, data elsewhere. */
static uint8_t *chunk_file(unsigned int format)
{
	static const uint32_t blocks[] = {DISK_DATA, EROFS_NULL_BLK, DISK_DATA + 1, DISK_DATA + 2,
					  DISK_DATA};
	uint8_t *map;

	disk_init(&disk);
	map = disk_inode(&disk, DISK_FILE, EROFS_LAYOUT_CHUNK, S_IFREG, 4 * DISK_BLOCK + 5, format);
	for (unsigned int i = 0; i < 5; i++) {
		if (format & EROFS_CHUNK_INDEXES) {
			put16(map + i * 8, blocks[i] == EROFS_NULL_BLK ? UINT16_MAX : 0);
			put32(map + i * 8 + 4, blocks[i]);
		} else {
			put32(map + i * 4, blocks[i]);
		}
		memset(disk_block(&disk, DISK_DATA + i), 'A' + (int)i, DISK_BLOCK);
	}
	return map;
}

static void chunks_are_found(void **state)
{
	static const unsigned int formats[] = {0, EROFS_CHUNK_INDEXES,
					       EROFS_CHUNK_INDEXES | EROFS_CHUNK_48BIT};
	(void)state;
	for (size_t f = 0; f < 3; f++) {
		struct mica_image *img;
		struct mica_inode inode;
		struct mica_extent e;
		struct mica_err err = {0};
		char buf[5 * DISK_BLOCK];
		uint64_t off;

		chunk_file(formats[f]);
		img = disk_image(&disk);
		assert_int_equal(mica_image_inode(img, DISK_FILE, &inode, &err), 0);
		assert_int_equal(mica_image_read(img, &inode, buf, sizeof(buf), 0, &err),
				 4 * DISK_BLOCK + 5);
		for (unsigned int i = 0; i < 5; i++)
			assert_int_equal(buf[i * DISK_BLOCK + 4], "A\0BCA"[i]);
		assert_int_equal(mica_image_map(img, &inode, 2 * DISK_BLOCK + 7, &e, &err), 0);
		assert_int_equal(e.la, 2 * DISK_BLOCK); /* two chunks in a row are one extent */
		assert_int_equal(e.llen, 2 * DISK_BLOCK);
		assert_int_equal(mica_image_seek(img, &inode, 0, true, &off, &err), 0);
		assert_int_equal(off, DISK_BLOCK);
		assert_int_equal(mica_image_seek(img, &inode, off + 9, false, &off, &err), 0);
		assert_int_equal(off, 2 * DISK_BLOCK);
		assert_int_equal(mica_image_seek(img, &inode, off, true, &off, &err), 0);
		assert_int_equal(off, 4 * DISK_BLOCK + 5);
		mica_image_free(img);
	}
}

static void every_chunk_rule_is_enforced(void **state)
{
	struct erofs_inode_extended_disk *d = disk_inode_at(&disk, DISK_FILE);
	uint8_t *map = chunk_file(0);

	(void)state;
	put32(map, 1u << 30);
	read_fails(0, MICA_E_CORRUPT, "inode 8, byte 0: 4096 bytes at 4398046511104 reach over");
	chunk_file(0);
	d->size = le64_make(1ULL << 62);
	read_fails(1ULL << 61, MICA_E_CORRUPT, "chunk map: truncated");
	map = chunk_file(EROFS_CHUNK_INDEXES); /* only 32 bits of an address count */
	put16(map, 77);
	put16(map + 2, 0xfff0);
	put32(map + 4, 1u << 30);
	read_fails(0, MICA_E_CORRUPT, "4096 bytes at 4398046511104 reach over");
}

/* A device table of two slots: one in this file, one that is elsewhere. */
static uint8_t *device_file(void)
{
	uint8_t *map = chunk_file(EROFS_CHUNK_INDEXES);
	struct erofs_device_disk *slot =
		(struct erofs_device_disk *)disk_block(&disk, DISK_DATA - 1);

	disk_super(&disk)->feature_incompat =
		le32_make(EROFS_INCOMPAT_DEVICE_TABLE | EROFS_INCOMPAT_CHUNKED_FILE);
	disk_super(&disk)->extra_devices = le16_make(2);
	disk_super(&disk)->devt_slotoff = le16_make((DISK_DATA - 1) * DISK_BLOCK / 128);
	slot[0].uniaddr_lo = le32_make(DISK_DATA);
	slot[0].blocks_lo = le32_make(8);
	slot[1].uniaddr_lo = le32_make(1000);
	slot[1].blocks_lo = le32_make(8);
	return map;
}

static void devices_are_told_apart(void **state)
{
	uint8_t *map = device_file();
	struct mica_image *img;
	struct mica_inode inode;
	struct mica_extent e;
	struct mica_err err = {0};
	char c;

	(void)state;
	put16(map + 2, 1); /* block 2 of the first device; bits above the id are reserved */
	put32(map + 4, 2);
	put16(map + 2 * 8 + 2, 0xfffc | 1);
	put32(map + 2 * 8 + 4, 3);
	img = disk_image(&disk);
	assert_int_equal(mica_image_inode(img, DISK_FILE, &inode, &err), 0);
	assert_int_equal(mica_image_map(img, &inode, 0, &e, &err), 0);
	assert_int_equal(e.device, 0); /* joined to the image */
	assert_int_equal(e.pa, (DISK_DATA + 2) * DISK_BLOCK);
	assert_int_equal(mica_image_read(img, &inode, &c, 1, 0, &err), 1);
	assert_int_equal(c, 'C');
	assert_int_equal(mica_image_read(img, &inode, &c, 1, 2 * DISK_BLOCK, &err), 1);
	assert_int_equal(c, 'D');
	mica_image_free(img);

	map = device_file();
	put16(map + 2, 2);
	read_fails(0, MICA_E_UNSUPPORTED, "device 2 of 2 is another file, which was not given");
	map = device_file(); /* by its unified address */
	put32(map + 4, 1003);
	read_fails(0, MICA_E_UNSUPPORTED, "device 2 of 2 is another file");
	put32(map + 4, 1008);
	read_fails(0, MICA_E_CORRUPT, "reach over the end of the image");
	map = device_file();
	put16(map + 2, 3);
	read_fails(0, MICA_E_CORRUPT, "chunk on device 3 of 2");
	device_file();
	put32(disk_block(&disk, DISK_DATA - 1) + 68, 0); /* no place in the unified space */
	put16(map + 2, 1);
	read_fails(0, MICA_E_UNSUPPORTED, "device 1 of 2 is another file");
	device_file();
	disk_super(&disk)->extra_devices = le16_make(1 << 12);
	disk_expect(disk_open(&disk, &img, &err), MICA_E_CORRUPT, &err,
		    "device table at 28672: 4096 slots of 128 bytes reach over the end");
}

/* Opens the disk with other files of memory, which are freed whatever happens. */
static int open_with(struct mica_io *const *devices, unsigned int count, struct mica_image **img,
		     struct mica_err *err)
{
	const struct mica_image_opts opts = {
		.skip_checksum = true,
		.devices = devices,
		.device_count = count,
	};
	struct mica_io *io;
	int ret;

	assert_int_equal(mica_io_open_mem("disk", disk.data, sizeof(disk.data), &io, err), 0);
	ret = mica_image_open(io, &opts, img, err);
	if (!ret)
		return 0;
	mica_io_free(io);
	for (unsigned int i = 0; i < count; i++)
		mica_io_free(devices[i]);
	return ret;
}

static struct mica_io *device_of(const void *data, size_t len)
{
	struct mica_err err = {0};
	struct mica_io *io;

	assert_int_equal(mica_io_open_mem("other", data, len, &io, &err), 0);
	return io;
}

static void devices_are_other_files(void **state)
{
	static char one[9 * DISK_BLOCK], two[8 * DISK_BLOCK];
	struct mica_io *both[2];
	uint8_t *map = device_file();
	struct mica_image *img;
	struct mica_inode inode;
	struct mica_extent e;
	struct mica_err err = {0};
	char c;

	(void)state;
	memset(one, '1', sizeof(one));
	memset(two, '2', sizeof(two));
	one[8 * DISK_BLOCK - 1] = '*';
	put16(map + 2, 1); /* the last block of the first device, by its id */
	put32(map + 4, 7);
	put32(map + 2 * 8 + 4, 1000); /* the first one of the second, by its unified address */
	both[0] = device_of(one, sizeof(one));
	both[1] = device_of(two, sizeof(two));
	assert_int_equal(open_with(both, 2, &img, &err), 0);
	assert_int_equal(mica_image_inode(img, DISK_FILE, &inode, &err), 0);
	assert_int_equal(mica_image_map(img, &inode, 0, &e, &err), 0);
	assert_int_equal(e.device, 1);
	assert_int_equal(e.pa, 7 * DISK_BLOCK);
	assert_int_equal(mica_image_read(img, &inode, &c, 1, DISK_BLOCK - 1, &err), 1);
	assert_int_equal(c, '*');
	assert_int_equal(mica_image_map(img, &inode, 2 * DISK_BLOCK, &e, &err), 0);
	assert_int_equal(e.device, 2);
	assert_int_equal(e.pa, 0);
	assert_int_equal(mica_image_read(img, &inode, &c, 1, 2 * DISK_BLOCK, &err), 1);
	assert_int_equal(c, '2');
	mica_image_free(img);

	put32(map + 4, 9);
	both[0] = device_of(one, sizeof(one));
	both[1] = device_of(two, sizeof(two));
	assert_int_equal(open_with(both, 2, &img, &err), 0);
	assert_int_equal(mica_image_inode(img, DISK_FILE, &inode, &err), 0);
	disk_expect(mica_image_map(img, &inode, 0, &e, &err), MICA_E_CORRUPT, &err,
		    "bytes at 36864 reach over the end of other at 36864");
	mica_image_free(img);
}

/* Chunks side by side in the unified address space, the first on one device, the next on another. */
static void runs_of_chunks_end_with_their_device(void **state)
{
	static char one[8 * DISK_BLOCK], two[8 * DISK_BLOCK];
	struct mica_io *both[2];
	uint8_t *map = device_file();
	uint8_t *table = disk_block(&disk, DISK_DATA - 1);
	struct mica_image *img;
	struct mica_inode inode;
	struct mica_extent e;
	struct mica_err err = {0};

	(void)state;
	put32(table + 68, 992);
	put32(map + 4, 999);
	put32(map + 8 + 4, 1000);
	both[0] = device_of(one, sizeof(one));
	both[1] = device_of(two, sizeof(two));
	assert_int_equal(open_with(both, 2, &img, &err), 0);
	assert_int_equal(mica_image_inode(img, DISK_FILE, &inode, &err), 0);
	assert_int_equal(mica_image_map(img, &inode, 0, &e, &err), 0);
	assert_int_equal(e.device, 1);
	assert_int_equal(e.llen, DISK_BLOCK);
	assert_int_equal(mica_image_map(img, &inode, DISK_BLOCK, &e, &err), 0);
	assert_int_equal(e.device, 2);
	assert_int_equal(e.pa, 0);
	mica_image_free(img);
}

static void wrong_devices_are_refused(void **state)
{
	static char small[8 * DISK_BLOCK - 1], enough[8 * DISK_BLOCK];
	struct mica_io *both[2];
	struct mica_image *img;
	struct mica_err err = {0};
	uint8_t *table;

	(void)state;
	device_file();
	table = disk_block(&disk, DISK_DATA - 1);
	both[0] = device_of(enough, sizeof(enough));
	disk_expect(open_with(both, 1, &img, &err), MICA_E_USAGE, &err,
		    "disk: 1 devices are given, the image has 2");
	both[0] = device_of(enough, sizeof(enough));
	both[1] = device_of(small, sizeof(small));
	disk_expect(open_with(both, 2, &img, &err), MICA_E_USAGE, &err,
		    "device 2 of 2: other: it has 32767 bytes, fewer than 32768");
	memcpy(table + 128, "01234567-89ab-cdef-0123-456789abcdef", 36);
	both[0] = device_of(enough, sizeof(enough));
	both[1] = device_of(enough, sizeof(enough));
	disk_expect(open_with(both, 2, &img, &err), MICA_E_CORRUPT, &err,
		    "device 2 of 2: other: superblock at 1024: magic");
	both[0] = device_of(enough, sizeof(enough));
	both[1] = device_of(disk.data, sizeof(disk.data));
	disk_expect(open_with(both, 2, &img, &err), MICA_E_USAGE, &err,
		    "its UUID is 00000000-0000-0000-0000-000000000000, not 01234567-89ab-cdef-");
	memcpy(disk_super(&disk)->uuid,
	       "\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef", 16);
	both[0] = device_of(enough, sizeof(enough));
	both[1] = device_of(disk.data, sizeof(disk.data));
	assert_int_equal(open_with(both, 2, &img, &err), 0);
	mica_image_free(img);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(extended_inodes_become_native),
		cmocka_unit_test(compact_inodes_become_native),
		cmocka_unit_test(every_inode_rule_is_enforced),
		cmocka_unit_test(the_root_must_be_a_directory),
		cmocka_unit_test(every_dirent_rule_is_enforced),
		cmocka_unit_test(lookups_find_what_is_there),
		cmocka_unit_test(an_omitted_dot_is_put_back),
		cmocka_unit_test(flat_files_lie_in_the_image),
		cmocka_unit_test(flat_files_may_have_no_blocks),
		cmocka_unit_test(chunks_are_found),
		cmocka_unit_test(every_chunk_rule_is_enforced),
		cmocka_unit_test(devices_are_told_apart),
		cmocka_unit_test(devices_are_other_files),
		cmocka_unit_test(runs_of_chunks_end_with_their_device),
		cmocka_unit_test(wrong_devices_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
