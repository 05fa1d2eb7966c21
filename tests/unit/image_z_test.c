/* SPDX-License-Identifier: MIT */
/* Compressed layouts: index, encoded extents, decoding and its cache; each rule broken. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../lib/codec.h"
#include "../../lib/util.h"
#include "disk.h"

#define TEXT_LEN 10000u
#define BIG	 (EROFS_ADVISE_BIG_PCLUSTER_1 | EROFS_ADVISE_BIG_PCLUSTER_2)

static struct disk disk;
static uint8_t text[256 << 10];

static void text_fill(void)
{
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)("abcdefgh"[i % 7] + (i >> 9) % 11);
}

/* Compress text[0, len) to the end of the block (or to its start); returns the bytes. */
static uint32_t encode(const char *codec, size_t len, unsigned int block, bool at_end)
{
	struct mica_codec_spec spec;
	struct mica_codec *c = NULL;
	struct mica_err err = {0};
	uint8_t buf[DISK_BLOCK];
	long n;

	assert_int_equal(mica_codec_spec_parse(codec, &spec, &err), 0);
	assert_int_equal(mica_compressor_new(&spec, len, &c, &err), 0);
	n = mica_compress(c, buf, sizeof(buf), text, len, &err);
	assert_true(n > 0);
	memset(disk_block(&disk, block), 0, DISK_BLOCK);
	memcpy(disk_block(&disk, block) + (at_end ? DISK_BLOCK - n : 0), buf, (size_t)n);
	mica_codec_free(c);
	return (uint32_t)n;
}

/* The file as a compressed one; returns its map header. */
static uint8_t *zfile(enum erofs_layout layout, uint64_t size, unsigned int advise)
{
	uint8_t *h;

	disk_init(&disk);
	disk_super(&disk)->feature_incompat = le32_make(
		EROFS_INCOMPAT_ZERO_PADDING | EROFS_INCOMPAT_COMPR_CFGS | EROFS_INCOMPAT_48BIT);
	disk_super(&disk)->algs =
		le16_make(1 << EROFS_ALG_LZ4 | 1 << EROFS_ALG_ZSTD | 1 << EROFS_ALG_LZMA);
	put16(disk.data + 1152, 14);
	put16(disk.data + 1168, 14);
	put32(disk.data + 1170, 4096);
	put16(disk.data + 1184, 6);
	h = disk_inode(&disk, DISK_FILE, layout, S_IFREG, size, 1);
	put16(h + 4, (uint16_t)advise);
	return h;
}

static void head(uint8_t *h, unsigned int lcn, unsigned int type, unsigned int clusterofs,
		 uint32_t blk)
{
	uint8_t *p = h + 16 + 8 * lcn;

	put16(p, (uint16_t)type);
	put16(p + 2, (uint16_t)clusterofs);
	put32(p + 4, blk);
}

static void nonhead(uint8_t *h, unsigned int lcn, unsigned int back, unsigned int ahead)
{
	uint8_t *p = h + 16 + 8 * lcn;

	put16(p, EROFS_LCLUSTER_NONHEAD);
	put16(p + 2, 0);
	put16(p + 4, (uint16_t)back);
	put16(p + 6, (uint16_t)ahead);
}

/* A good file of one extent in a full index. */
static uint8_t *index_file(unsigned int advise)
{
	uint8_t *h = zfile(EROFS_LAYOUT_COMPRESSED_FULL, TEXT_LEN, advise);

	encode("lz4", TEXT_LEN, DISK_DATA, true);
	head(h, 0, EROFS_LCLUSTER_HEAD1, 0, DISK_DATA);
	nonhead(h, 1, 1, 2);
	nonhead(h, 2, 2, 1);
	return h;
}

static void file_reads(const void *want, size_t len)
{
	cleanup_image struct mica_image *img = disk_image(&disk);
	cleanup_free uint8_t *buf = malloc(len + 1);
	struct mica_inode inode;
	struct mica_err err = {0};

	if (mica_image_inode(img, DISK_FILE, &inode, &err))
		fail_msg("%s", err.msg);
	if (mica_image_read(img, &inode, buf, len + 1, 0, &err) != (long)len)
		fail_msg("%s", err.msg);
	assert_memory_equal(buf, want, len);
	for (size_t off = 0; off < len; off += 777) {
		size_t n = mica_min(777, len - off);

		assert_int_equal(mica_image_read(img, &inode, buf, 777, off, &err), n);
		assert_memory_equal(buf, (const uint8_t *)want + off, n);
	}
}

/* Either the inode or reading byte off of it must fail. */
static void file_fails(uint64_t off, int code, const char *want)
{
	cleanup_image struct mica_image *img = disk_image(&disk);
	struct mica_inode inode;
	struct mica_err err = {0};
	char c;
	int ret = mica_image_inode(img, DISK_FILE, &inode, &err);

	/* the first small read may decode less than the cluster, the second does not */
	for (int i = 0; i < 2 && ret >= 0; i++)
		ret = (int)mica_image_read(img, &inode, &c, 1, off, &err);
	disk_expect(ret, code, &err, want);
}

static void an_index_leads_to_the_extent(void **state)
{
	uint8_t *h = index_file(0);
	struct mica_image *img;
	struct mica_inode inode;
	struct mica_extent e;
	struct mica_err err = {0};
	uint64_t off;

	(void)state;
	file_reads(text, TEXT_LEN);
	img = disk_image(&disk);
	assert_int_equal(mica_image_inode(img, DISK_FILE, &inode, &err), 0);
	for (uint64_t la = 0; la < TEXT_LEN; la += 999) {
		assert_int_equal(mica_image_map(img, &inode, la, &e, &err), 0);
		assert_int_equal(e.kind, MICA_EXTENT_ENCODED);
		assert_int_equal(e.la, 0);
		assert_int_equal(e.llen, TEXT_LEN);
		assert_int_equal(e.pa, DISK_DATA * DISK_BLOCK);
		assert_int_equal(e.plen, DISK_BLOCK);
		assert_int_equal(e.alg, EROFS_ALG_LZ4);
	}
	assert_int_equal(mica_image_seek(img, &inode, 5, true, &off, &err), 0);
	assert_int_equal(off, TEXT_LEN);
	assert_int_equal(mica_image_seek(img, &inode, 5, false, &off, &err), 0);
	assert_int_equal(off, 5);
	mica_image_free(img);
	/* a plain pcluster in the second half of the last lcluster: data as it is */
	nonhead(h, 1, 1, 1);
	head(h, 2, EROFS_LCLUSTER_PLAIN, 100, DISK_DATA + 1);
	encode("lz4", 8292, DISK_DATA, true);
	memset(disk_block(&disk, DISK_DATA + 1), 'p', DISK_BLOCK);
	uint8_t want[TEXT_LEN];
	memcpy(want, text, 8292);
	memset(want + 8292, 'p', TEXT_LEN - 8292);
	file_reads(want, TEXT_LEN);
	/* old writers left the distance ahead 0 */
	nonhead(h, 1, 1, 0);
	file_reads(want, TEXT_LEN);
}

/* Each head says which of the file's two algorithms, and which bit its length, belong to it. */
static void heads_are_of_two_kinds(void **state)
{
	uint8_t *h = index_file(EROFS_ADVISE_BIG_PCLUSTER_2);
	struct mica_image *img;
	struct mica_inode inode;
	struct mica_extent e;
	struct mica_err err = {0};

	(void)state;
	h[6] = EROFS_ALG_LZ4 | EROFS_ALG_ZSTD << 4;
	file_reads(text, TEXT_LEN);
	encode("zstd", TEXT_LEN, DISK_DATA, true);
	head(h, 0, EROFS_LCLUSTER_HEAD2, 0, DISK_DATA);
	file_reads(text, TEXT_LEN);
	nonhead(h, 1, 0x802, 2);
	img = disk_image(&disk);
	assert_int_equal(mica_image_inode(img, DISK_FILE, &inode, &err), 0);
	assert_int_equal(mica_image_map(img, &inode, 5000, &e, &err), 0);
	assert_int_equal(e.alg, EROFS_ALG_ZSTD);
	assert_int_equal(e.plen, 2 * DISK_BLOCK);
	head(h, 0, EROFS_LCLUSTER_HEAD1, 0, DISK_DATA);
	mica_image_free(img);
	img = disk_image(&disk);
	assert_int_equal(mica_image_map(img, &inode, 5000, &e, &err), 0);
	assert_int_equal(e.alg, EROFS_ALG_LZ4);
	assert_int_equal(e.plen, DISK_BLOCK);
	mica_image_free(img);
}

static void every_index_rule_is_enforced(void **state)
{
	uint8_t *h;

	(void)state;
	h = index_file(0);
	nonhead(h, 2, 3, 1);
	file_fails(9000, MICA_E_CORRUPT,
		   "inode 8, byte 9000: lcluster 2 of the byte points back 3 "
		   "from lcluster 2 to no head");
	nonhead(h, 2, 0, 1);
	file_fails(9000, MICA_E_CORRUPT, "points back 0 from lcluster 2 to no head");
	nonhead(h, 0, 0, 1);
	file_fails(0, MICA_E_CORRUPT, "to no head");
	h = index_file(0);
	head(h, 0, EROFS_LCLUSTER_HEAD1, 1, DISK_DATA);
	file_fails(0, MICA_E_CORRUPT, "lcluster 0 of the byte points back 1");
	head(h, 0, EROFS_LCLUSTER_HEAD1, 4096, DISK_DATA);
	file_fails(0, MICA_E_CORRUPT, "lcluster 0: clusterofs 4096 is not below 4096");
	h = index_file(0);
	nonhead(h, 1, 0x801, 2);
	file_fails(5000, MICA_E_CORRUPT, "lcluster 1 counts blocks without big pclusters");
	h = index_file(BIG);
	nonhead(h, 1, 2, 2);
	file_fails(0, MICA_E_CORRUPT, "lcluster 1 behind a head points back 2, not 1");
	h = index_file(BIG);
	nonhead(h, 1, 0x800 | 257, 2);
	file_fails(0, MICA_E_CORRUPT, "pcluster of 1052672 bytes exceeds 1048576");
	nonhead(h, 1, 0x800 | 60, 2);
	file_fails(0, MICA_E_CORRUPT, "245760 bytes at 32768 reach over the end of the image");
	h = index_file(0);
	head(h, 0, EROFS_LCLUSTER_PLAIN, 0, DISK_DATA);
	file_fails(0, MICA_E_CORRUPT, "extent at 0: 10000 bytes in a plain pcluster of 4096");
	h = index_file(0);
	head(h, 1, EROFS_LCLUSTER_HEAD1, 0, DISK_DATA);
	file_fails(9000, MICA_E_CORRUPT, "extent at 0 ends at 4096, before the byte");
	h = index_file(0);
	h[6] = EROFS_ALG_DEFLATE;
	file_fails(0, MICA_E_CORRUPT,
		   "extent at 0: algorithm deflate is not among the superblock's 0xb");
	h[6] = 7;
	file_fails(0, MICA_E_UNSUPPORTED, "extent at 0: algorithm 7 is not within 0..3");
}

static void every_map_header_rule_is_enforced(void **state)
{
	uint8_t *h;

	(void)state;
	index_file(BIG);
	disk_super(&disk)->feature_incompat = le32_make(EROFS_INCOMPAT_ZERO_PADDING);
	file_fails(0, MICA_E_CORRUPT, "inode 8 at 4352: map header: advise 0x6 has big pclusters");
	zfile(EROFS_LAYOUT_COMPRESSED_COMPACT, TEXT_LEN, EROFS_ADVISE_BIG_PCLUSTER_1);
	file_fails(0, MICA_E_CORRUPT,
		   "advise 0x2 has one kind of big pclusters in a compact index");
	h = zfile(EROFS_LAYOUT_COMPRESSED_COMPACT, TEXT_LEN, 0);
	h[7] = 3;
	file_fails(0, MICA_E_UNSUPPORTED, "lclusters of 2^15 bytes in a compact index exceed 2^14");
	h = zfile(EROFS_LAYOUT_COMPRESSED_COMPACT, 1 << 20, EROFS_ADVISE_COMPACTED_2B);
	h[7] = 1;
	file_fails(400 << 10, MICA_E_UNSUPPORTED, "2-byte index entries with lclusters of 2^13");
	index_file(0);
	disk_inode_at(&disk, DISK_FILE)->size = le64_make(1ULL << 40);
	file_fails(0, MICA_E_CORRUPT,
		   "index of 268435456 lclusters at 4432 reaches over the end at 262144");
	disk_inode_at(&disk, DISK_FILE)->size = le64_make(INT64_MAX);
	file_fails(0, MICA_E_CORRUPT, "reaches over the end at 262144");
}

static void extents_have_a_decoded_limit(void **state)
{
	uint8_t *h = zfile(EROFS_LAYOUT_COMPRESSED_FULL, 14u << 20, 0);

	(void)state;
	h[7] = 8; /* lclusters of 1 MiB */
	head(h, 0, EROFS_LCLUSTER_HEAD1, 0, DISK_DATA);
	for (unsigned int i = 1; i < 14; i++)
		nonhead(h, i, i, 14 - i);
	file_fails(0, MICA_E_UNSUPPORTED, "extent at 0 decodes to more than 12582912 bytes");
	file_fails((14u << 20) - 1, MICA_E_CORRUPT, "to no head within 12582912 bytes");
	for (unsigned int i = 1; i < 14; i++)
		nonhead(h, i, 1, 1);
	file_fails(0, MICA_E_UNSUPPORTED, "extent at 0 decodes to more than");
	file_fails((14u << 20) - 1, MICA_E_CORRUPT, "to no head within 12582912 bytes");
}

static void inline_pclusters_end_the_index(void **state)
{
	uint8_t *h = index_file(EROFS_ADVISE_INLINE_PCLUSTER);
	uint32_t n;

	(void)state;
	n = encode("lz4", TEXT_LEN, DISK_DATA, false);
	memcpy(h + 16 + 3 * 8, disk_block(&disk, DISK_DATA), n);
	put16(h + 2, (uint16_t)n);
	head(h, 0, EROFS_LCLUSTER_HEAD1, 0, 0);
	file_reads(text, TEXT_LEN);
	put16(h + 2, 4000);
	file_fails(0, MICA_E_CORRUPT, "inline pcluster of 4000 bytes at 4456 crosses a block");
	put16(h + 2, (uint16_t)(n - 1));
	file_fails(0, MICA_E_CORRUPT, "lz4:");
}

/* The packed inode holds text as a flat file; the file is in it from byte 100 on. */
static uint8_t *fragment_file(void)
{
	uint8_t *h = zfile(EROFS_LAYOUT_COMPRESSED_COMPACT, 500, 0);

	disk_super(&disk)->feature_incompat =
		le32_make(EROFS_INCOMPAT_ZERO_PADDING | EROFS_INCOMPAT_FRAGMENTS);
	disk_super(&disk)->packed_nid = le64_make(20);
	disk_inode(&disk, 20, EROFS_LAYOUT_FLAT_PLAIN, S_IFREG, 600, DISK_DATA);
	memcpy(disk_block(&disk, DISK_DATA), text, 600);
	put64(h, 1ULL << 63 | 100);
	return h;
}

static void fragments_lie_in_the_packed_inode(void **state)
{
	uint8_t *h = fragment_file();
	struct mica_image *img;
	struct mica_err err = {0};

	(void)state;
	file_reads(text + 100, 500);
	put64(h, 1ULL << 63 | 101);
	file_fails(0, MICA_E_CORRUPT,
		   "fragment of 500 bytes at 101 reaches over the end of the "
		   "packed inode at 600");
	put64(h, UINT64_MAX);
	file_fails(0, MICA_E_CORRUPT, "fragment of 500 bytes at 9223372036854775807");
	fragment_file();
	disk_super(&disk)->packed_nid = le64_make(0);
	file_fails(0, MICA_E_CORRUPT, "fragment in an image without them");
	fragment_file();
	disk_super(&disk)->packed_nid = le64_make(DISK_FILE);
	disk_expect(disk_open(&disk, &img, &err), MICA_E_CORRUPT, &err,
		    "packed inode: inode 8 at 4352: the packed inode has a fragment itself");
	fragment_file();
	disk_super(&disk)->packed_nid = le64_make(DISK_ROOT);
	disk_expect(disk_open(&disk, &img, &err), MICA_E_CORRUPT, &err,
		    "packed inode: inode 2 at 4160 has the type 040000, not 0100000");
	/* as the tail of an index, with the high half of its offset in the head */
	h = zfile(EROFS_LAYOUT_COMPRESSED_FULL, TEXT_LEN, EROFS_ADVISE_FRAGMENT);
	disk_super(&disk)->feature_incompat =
		le32_make(EROFS_INCOMPAT_ZERO_PADDING | EROFS_INCOMPAT_FRAGMENTS);
	disk_super(&disk)->packed_nid = le64_make(20);
	disk_inode(&disk, 20, EROFS_LAYOUT_FLAT_PLAIN, S_IFREG, 2000, DISK_DATA + 1);
	memcpy(disk_block(&disk, DISK_DATA + 1), text + 8192, TEXT_LEN - 8192);
	encode("lz4", 8192, DISK_DATA, true);
	head(h, 0, EROFS_LCLUSTER_HEAD1, 0, DISK_DATA);
	nonhead(h, 1, 1, 1);
	head(h, 2, EROFS_LCLUSTER_HEAD1, 0, 0);
	file_reads(text, TEXT_LEN);
	head(h, 2, EROFS_LCLUSTER_HEAD1, 0, 1);
	file_fails(0, MICA_E_CORRUPT, "fragment of 1808 bytes at 4294967296 reaches over");
}

static void decoding_is_strict(void **state)
{
	uint8_t *h, *b = disk_block(&disk, DISK_DATA);

	(void)state;
	index_file(0);
	memset(b, 0, DISK_BLOCK);
	file_fails(0, MICA_E_CORRUPT,
		   "inode 8, extent at 0: pcluster of 4096 bytes at 32768: its "
		   "first 4096 bytes are zeros");
	h = index_file(BIG); /* only the first block's zeros are padding */
	nonhead(h, 1, 0x802, 2);
	memcpy(b + DISK_BLOCK, b, DISK_BLOCK);
	memset(b, 0, DISK_BLOCK);
	file_fails(0, MICA_E_CORRUPT, "pcluster of 8192 bytes at 32768: its first 4096 bytes are");
	h = index_file(0);
	h[6] = EROFS_ALG_LZMA;
	file_fails(0, MICA_E_CORRUPT, "pcluster of 4096 bytes at 32768: lzma:");
	h[6] = EROFS_ALG_ZSTD;
	file_fails(0, MICA_E_CORRUPT, "pcluster of 4096 bytes at 32768: zstd: no frame");
	index_file(0);
	disk_inode_at(&disk, DISK_FILE)->size = le64_make(TEXT_LEN - 1);
	file_fails(0, MICA_E_CORRUPT, "lz4:");
	/* a pcluster that other files share may hold more */
	h = index_file(0);
	disk_inode_at(&disk, DISK_FILE)->size = le64_make(TEXT_LEN - 1);
	head(h, 0, EROFS_LCLUSTER_HEAD1 | EROFS_LI_PARTIAL_REF, 0, DISK_DATA);
	file_reads(text, TEXT_LEN - 1);
	/* and so may any of an image from before the padding, where data comes first */
	index_file(0);
	disk_super(&disk)->feature_incompat = le32_make(0);
	disk_inode_at(&disk, DISK_FILE)->size = le64_make(TEXT_LEN - 1);
	encode("lz4", TEXT_LEN, DISK_DATA, false);
	file_reads(text, TEXT_LEN - 1);
}

static void interlaced_blocks_are_rotated(void **state)
{
	uint8_t *h = index_file(EROFS_ADVISE_INTERLACED), *b = disk_block(&disk, DISK_DATA + 1);
	uint8_t want[TEXT_LEN];

	(void)state;
	/* plain from byte 4196 on: bytes 100.. of the block first, then 0..99 */
	encode("lz4", 4196, DISK_DATA, true);
	head(h, 1, EROFS_LCLUSTER_PLAIN, 100, DISK_DATA + 1);
	head(h, 2, EROFS_LCLUSTER_PLAIN, 100, DISK_DATA + 2);
	memcpy(want, text, 4196);
	memset(want + 4196, 'x', 3996);
	memset(want + 8192, 'y', 100);
	memset(want + 8292, 'z', TEXT_LEN - 8292);
	memset(b, 'y', 100);
	memset(b + 100, 'x', 3996);
	memset(b + DISK_BLOCK, '-', DISK_BLOCK);
	memset(b + DISK_BLOCK + 100, 'z', TEXT_LEN - 8292);
	file_reads(want, TEXT_LEN);
}

/* A file of encoded extents: records of size bytes, at the table's place. */
static uint8_t *extent_file(uint64_t size, unsigned int record, unsigned int advise, uint32_t count)
{
	unsigned int bits = record == 4 ? 0 : record == 8 ? 1 : record == 16 ? 2 : 3;
	uint8_t *h = zfile(EROFS_LAYOUT_COMPRESSED_FULL, size,
			   EROFS_ADVISE_EXTENTS | bits << 1 | advise);
	uint64_t off = mica_round_up((uint64_t)(h - disk.data) + 8, record);

	if (record > 8)
		put32(h, count);
	return disk.data + off;
}

static void record_put(uint8_t *p, unsigned int size, uint32_t plen, uint64_t pa, uint64_t la)
{
	put32(p, plen);
	if (size > 4)
		put32(p + 4, (uint32_t)pa);
	if (size > 8) {
		put32(p + 8, (uint32_t)(pa >> 32));
		put32(p + 12, (uint32_t)la);
	}
	if (size > 16)
		put32(p + 16, (uint32_t)(la >> 32));
}

#define FMT(alg) ((uint32_t)((alg) + 1) << EROFS_EXT_FMT_SHIFT)

static void extents_of_all_sizes_are_found(void **state)
{
	static const unsigned int sizes[] = {4, 8, 16, 32};
	const uint64_t start = DISK_DATA * DISK_BLOCK + 5; /* anywhere */

	(void)state;
	for (size_t s = 0; s < 4; s++) {
		unsigned int size = sizes[s];
		uint8_t *p = extent_file(TEXT_LEN, size, 0, 3), want[TEXT_LEN];
		uint32_t n;

		if (size == 4) {
			put64(p, start);
			p += 8;
		}
		n = encode("zstd", 4096, DISK_DATA, false);
		memmove(disk.data + start, disk.data + DISK_DATA * DISK_BLOCK, n);
		memcpy(disk.data + start + n, text + 8192, TEXT_LEN - 8192);
		record_put(p, size, FMT(EROFS_ALG_ZSTD) | n, start, 0);
		record_put(p + size, size, 0, 0, 4096); /* a hole */
		record_put(p + 2 * size, size, TEXT_LEN - 8192, start + n, 8192);
		memcpy(want, text, TEXT_LEN);
		memset(want + 4096, 0, 4096);
		file_reads(want, TEXT_LEN);
	}
}

static void extents_of_huge_files_are_found(void **state)
{
	const uint64_t size = (5ULL << 30) + 100, last = 5ULL << 30;
	uint8_t *p = extent_file(size, 32, 0, 2);
	struct mica_image *img;
	struct mica_inode inode;
	struct mica_err err = {0};
	uint64_t off;
	char buf[100];

	(void)state;
	record_put(p, 32, 5, DISK_DATA * DISK_BLOCK, last);
	record_put(p + 32, 32, 95, DISK_DATA * DISK_BLOCK + 5, last + 5);
	memcpy(disk_block(&disk, DISK_DATA), text, 100);
	img = disk_image(&disk);
	assert_int_equal(mica_image_inode(img, DISK_FILE, &inode, &err), 0);
	assert_int_equal(mica_image_read(img, &inode, buf, 100, last, &err), 100);
	assert_memory_equal(buf, text, 100);
	/* before the first record lies a hole, however long */
	assert_int_equal(mica_image_seek(img, &inode, 0, false, &off, &err), 0);
	assert_true(off == last);
	assert_int_equal(mica_image_seek(img, &inode, 77, true, &off, &err), 0);
	assert_int_equal(off, 77);
	mica_image_free(img);
}

static void every_extent_rule_is_enforced(void **state)
{
	const uint64_t pa = DISK_DATA * DISK_BLOCK;
	uint8_t *p;

	(void)state;
	p = extent_file(TEXT_LEN, 16, 0, 3);
	record_put(p, 16, FMT(0) | 10, pa, 0);
	record_put(p + 16, 16, FMT(0) | 10, pa, 9000);
	record_put(p + 32, 16, FMT(0) | 10, pa, 4096);
	file_fails(9500, MICA_E_CORRUPT, "extent record 2: start 4096 is not within 9000..10000");
	record_put(p + 16, 16, FMT(0) | 10, pa, 12000);
	file_fails(0, MICA_E_CORRUPT, "extent record 1: start 12000 is not within 0..10000");
	p = extent_file(TEXT_LEN, 16, 0, 1);
	record_put(p, 16, FMT(4) | 10, pa, 0);
	file_fails(0, MICA_E_UNSUPPORTED, "extent at 0: algorithm 4 is not within 0..3");
	record_put(p, 16, FMT(0) | 0x100001, pa, 0);
	file_fails(0, MICA_E_CORRUPT, "pcluster of 1048577 bytes exceeds 1048576");
	record_put(p, 16, FMT(0) | 10, 1ULL << 63, 0);
	file_fails(0, MICA_E_CORRUPT, "10 bytes at 9223372036854775808 reach over the end");
	record_put(p, 16, 9999, pa, 0);
	file_fails(0, MICA_E_CORRUPT, "extent at 0: 10000 bytes in a plain pcluster of 9999");
	p = extent_file(13u << 20, 16, 0, 1);
	record_put(p, 16, FMT(0) | 10, pa, 0);
	file_fails(0, MICA_E_UNSUPPORTED, "extent at 0: 13631488 decoded bytes exceed 12582912");
	extent_file(TEXT_LEN, 16, 0, 1u << 31);
	file_fails(0, MICA_E_CORRUPT, "2147483648 extents of 16 bytes at 4432 reach over the end");
	extent_file(1ULL << 50, 8, 0, 0);
	file_fails(0, MICA_E_CORRUPT, "extents of 8 bytes at 4424 reach over the end");
	extent_file(TEXT_LEN, 16, EROFS_ADVISE_FRAGMENT, 0);
	file_fails(0, MICA_E_CORRUPT, "fragment without an extent");
	p = extent_file(TEXT_LEN, 16, EROFS_ADVISE_FRAGMENT, 1);
	record_put(p, 16, 0, 0, TEXT_LEN + 1);
	file_fails(0, MICA_E_CORRUPT, "fragment begins at 10001, the file ends at 10000");
}

static void a_fragment_can_be_the_last_extent(void **state)
{
	static const unsigned int sizes[] = {8, 16};

	(void)state;
	for (size_t s = 0; s < 2; s++) {
		uint8_t *p = extent_file(TEXT_LEN, sizes[s], EROFS_ADVISE_FRAGMENT, 3);

		disk_super(&disk)->feature_incompat =
			le32_make(EROFS_INCOMPAT_48BIT | EROFS_INCOMPAT_FRAGMENTS);
		disk_super(&disk)->packed_nid = le64_make(20);
		disk_inode(&disk, 20, EROFS_LAYOUT_FLAT_PLAIN, S_IFREG, 3000, DISK_DATA + 2);
		memcpy(disk_block(&disk, DISK_DATA), text, 8192);
		memcpy(disk_block(&disk, DISK_DATA + 2) + 50, text + 8192, TEXT_LEN - 8192);
		record_put(p, sizes[s], 4096, DISK_DATA * DISK_BLOCK, 0);
		record_put(p + sizes[s], sizes[s], 4096, (DISK_DATA + 1) * DISK_BLOCK, 4096);
		record_put(p + 2 * sizes[s], sizes[s], 50, 0, 8192);
		file_reads(text, TEXT_LEN);
	}
}

/* An io that counts how often the pcluster is read, and takes its time. */
static unsigned int counted;

static int slow_read(struct mica_io *io, void *buf, size_t len, uint64_t off, struct mica_err *err)
{
	(void)io;
	(void)err;
	if (off == DISK_DATA * DISK_BLOCK) {
		__atomic_add_fetch(&counted, 1, __ATOMIC_RELAXED);
		usleep(20000);
	}
	memcpy(buf, disk.data + off, len);
	return 0;
}

static const struct mica_io_ops slow_ops = {.read_at = slow_read};

static struct mica_image *cluster_image(uint64_t cache_bytes)
{
	const struct mica_image_opts opts = {.cache_bytes = cache_bytes, .skip_checksum = true};
	struct mica_io *io = calloc(1, sizeof(*io));
	struct mica_image *img = NULL;
	struct mica_err err = {0};
	uint8_t *p = extent_file(sizeof(text), 16, 0, 1);

	record_put(p, 16, FMT(EROFS_ALG_ZSTD) | encode("zstd", sizeof(text), DISK_DATA, false),
		   DISK_DATA * DISK_BLOCK, 0);
	*io = (struct mica_io){&slow_ops, sizeof(disk.data), strdup("slow")};
	if (mica_image_open(io, &opts, &img, &err))
		fail_msg("%s", err.msg);
	counted = 0;
	return img;
}

static void read_in_pieces(struct mica_image *img, size_t piece)
{
	cleanup_free uint8_t *buf = malloc(piece);
	struct mica_inode inode;
	struct mica_err err = {0};

	assert_int_equal(mica_image_inode(img, DISK_FILE, &inode, &err), 0);
	for (size_t off = 0; off < sizeof(text); off += piece) {
		assert_int_equal(mica_image_read(img, &inode, buf, piece, off, &err), piece);
		assert_memory_equal(buf, text + off, piece);
	}
}

static void a_cluster_is_decoded_once(void **state)
{
	struct mica_image *img = cluster_image(0);

	(void)state;
	read_in_pieces(img, 128 << 10);
	assert_int_equal(counted, 1);
	read_in_pieces(img, 4096);
	read_in_pieces(img, sizeof(text)); /* from the cache as well */
	assert_int_equal(counted, 1);
	mica_image_free(img);
	img = cluster_image(0); /* what covers a cluster goes straight to its reader */
	read_in_pieces(img, sizeof(text));
	read_in_pieces(img, sizeof(text));
	assert_int_equal(counted, 2);
	mica_image_free(img);
	img = cluster_image(1000); /* a cache that is too small holds nothing */
	read_in_pieces(img, 128 << 10);
	assert_int_equal(counted, 2);
	mica_image_free(img);
}

/* A small read that stays alone decodes a prefix; the next one fills the cache. */
static void stray_reads_fill_no_cache(void **state)
{
	static const unsigned int want[] = {1, 2, 2, 2};
	struct mica_image *img = cluster_image(0);
	struct mica_inode inode;
	struct mica_err err = {0};
	char buf[1000];

	(void)state;
	assert_int_equal(mica_image_inode(img, DISK_FILE, &inode, &err), 0);
	for (size_t i = 0; i < 4; i++) {
		const size_t off = 45000 * (4 - i) - 7;

		assert_int_equal(mica_image_read(img, &inode, buf, sizeof(buf), off, &err),
				 sizeof(buf));
		assert_memory_equal(buf, text + off, sizeof(buf));
		assert_int_equal(counted, want[i]);
	}
	mica_image_free(img);
}

static pthread_barrier_t barrier;

static void *read_thread(void *img)
{
	pthread_barrier_wait(&barrier);
	read_in_pieces(img, 64 << 10);
	return NULL;
}

static void threads_wait_for_each_other(void **state)
{
	struct mica_image *img = cluster_image(0);
	pthread_t threads[8];

	(void)state;
	pthread_barrier_init(&barrier, NULL, 8);
	for (int i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_thread, img), 0);
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(counted, 1);
	pthread_barrier_destroy(&barrier);
	mica_image_free(img);
}

static void *fail_thread(void *img)
{
	struct mica_inode inode;
	struct mica_err err = {0};
	char c;

	assert_int_equal(mica_image_inode(img, DISK_FILE, &inode, &err), 0);
	pthread_barrier_wait(&barrier);
	assert_int_equal(mica_image_read(img, &inode, &c, 1, 0, &err), MICA_E_CORRUPT);
	assert_non_null(strstr(err.msg, "zstd"));
	return NULL;
}

static void a_broken_cluster_fails_for_all(void **state)
{
	struct mica_image *img = cluster_image(0);
	pthread_t threads[4];

	(void)state;
	memset(disk_block(&disk, DISK_DATA) + 20, 0xff, 200);
	pthread_barrier_init(&barrier, NULL, 4);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, fail_thread, img), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&barrier);
	mica_image_free(img);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_index_leads_to_the_extent),
		cmocka_unit_test(heads_are_of_two_kinds),
		cmocka_unit_test(every_index_rule_is_enforced),
		cmocka_unit_test(every_map_header_rule_is_enforced),
		cmocka_unit_test(extents_have_a_decoded_limit),
		cmocka_unit_test(inline_pclusters_end_the_index),
		cmocka_unit_test(fragments_lie_in_the_packed_inode),
		cmocka_unit_test(decoding_is_strict),
		cmocka_unit_test(interlaced_blocks_are_rotated),
		cmocka_unit_test(extents_of_all_sizes_are_found),
		cmocka_unit_test(extents_of_huge_files_are_found),
		cmocka_unit_test(every_extent_rule_is_enforced),
		cmocka_unit_test(a_fragment_can_be_the_last_extent),
		cmocka_unit_test(a_cluster_is_decoded_once),
		cmocka_unit_test(stray_reads_fill_no_cache),
		cmocka_unit_test(threads_wait_for_each_other),
		cmocka_unit_test(a_broken_cluster_fails_for_all),
	};

	text_fill();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
