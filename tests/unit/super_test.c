/* SPDX-License-Identifier: MIT */
#include "../../formats/erofs_super.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "disk.h"

#define FIELD(name) EROFS_SUPER_OFFSET + offsetof(struct erofs_super_disk, name)

static struct disk disk;

static int super_read(size_t size, bool skip_checksum, struct mica_super *sb, struct mica_err *err)
{
	struct mica_io *io = NULL;
	int ret;

	assert_int_equal(mica_io_open_mem("disk", disk.data, size, &io, err), 0);
	ret = mica_super_read(io, skip_checksum, sb, err);
	mica_io_free(io);
	return ret;
}

static void good_superblock_becomes_native(void **state)
{
	struct erofs_super_disk *d = disk_super(&disk);
	struct mica_err err = {0};
	struct mica_super sb;

	(void)state;
	disk_init(&disk);
	d->feature_compat = le32_make(EROFS_COMPAT_XATTR_FILTER);
	d->inos = le64_make(77);
	d->epoch = le64_make((uint64_t)-5);
	d->fixed_nsec = le32_make(999999999);
	d->xattr_blkaddr = le32_make(3);
	d->algs = le16_make(65535);
	memset(d->volume_name, 'v', sizeof(d->volume_name));
	d->packed_nid = le64_make(9); /* not without the feature */
	d->extra_devices = le16_make(9);
	assert_int_equal(super_read(sizeof(disk), false, &sb, &err), 0);
	assert_int_equal(sb.blkbits, 12);
	assert_int_equal(sb.block_size, 4096);
	assert_int_equal(sb.sb_size, 128);
	assert_int_equal(sb.root_nid, DISK_ROOT);
	assert_int_equal(sb.inos, 77);
	assert_int_equal(sb.blocks, DISK_BLOCKS);
	assert_true(sb.epoch == -5);
	assert_int_equal(sb.fixed_nsec, 999999999);
	assert_int_equal(sb.meta_off, 4096);
	assert_int_equal(sb.xattr_off, 3 * 4096);
	assert_int_equal(sb.algs, 1 << EROFS_ALG_LZ4);
	assert_int_equal(sb.lz4_max_distance, 65535);
	assert_int_equal(sb.lz4_max_pclusterblks, 1);
	assert_string_equal(sb.volume_name, "vvvvvvvvvvvvvvvv");
	assert_int_equal(sb.packed_nid, 0);
	assert_int_equal(sb.extra_devices, 0);
	assert_true(sb.xattr_filter);
	d->xattr_filter_reserved = 1;
	assert_int_equal(super_read(sizeof(disk), false, &sb, &err), 0);
	assert_false(sb.xattr_filter);
}

static void wide_fields_need_48bit(void **state)
{
	struct erofs_super_disk *d = disk_super(&disk);
	struct mica_err err = {0};
	struct mica_super sb;

	(void)state;
	disk_init(&disk);
	d->rootnid_2b = le16_make(7);
	d->rootnid_8b = le64_make(1ULL << 40);
	assert_int_equal(super_read(sizeof(disk), false, &sb, &err), 0);
	assert_int_equal(sb.root_nid, 7);
	assert_int_equal(sb.blocks, DISK_BLOCKS);
	d->feature_incompat = le32_make(EROFS_INCOMPAT_48BIT);
	assert_int_equal(super_read(sizeof(disk), false, &sb, &err), 0);
	assert_true(sb.root_nid == 1ULL << 40);
	assert_true(sb.blocks == (7ULL << 32 | DISK_BLOCKS));
	d->rootnid_8b = le64_make(0);
	assert_int_equal(super_read(sizeof(disk), false, &sb, &err), 0);
	assert_int_equal(sb.root_nid, 7);
}

static void checksum_is_verified(void **state)
{
	struct erofs_super_disk *d = disk_super(&disk);
	struct mica_err err = {0};
	struct mica_super sb;

	(void)state;
	disk_init(&disk);
	d->feature_compat = le32_make(EROFS_COMPAT_SB_CHKSUM);
	d->checksum = le32_make(erofs_super_sum(d, erofs_super_sum_len(12)));
	assert_int_equal(super_read(sizeof(disk), false, &sb, &err), 0);
	assert_int_equal(sb.checksum, le32_get(d->checksum));
	disk.data[4095] ^= 1; /* the last byte that it covers */
	disk_expect(super_read(sizeof(disk), false, &sb, &err), MICA_E_CORRUPT, &err,
		    "does not match its block");
	assert_int_equal(super_read(sizeof(disk), true, &sb, &err), 0);
	disk.data[4095] ^= 1;
	disk.data[4096] ^= 1;
	disk.data[1023] ^= 1; /* a boot sector is nobody's business */
	assert_int_equal(super_read(sizeof(disk), false, &sb, &err), 0);
	assert_int_equal(erofs_super_sum_len(9), 512);
	assert_int_equal(erofs_super_sum_len(10), 1024);
	assert_int_equal(erofs_super_sum_len(16), 64512);
}

/* Linux starts behind magic and checksum, with the constant that these two give. */
static void checksum_is_the_one_of_the_field(void **state)
{
	struct erofs_super_disk d = {.magic = le32_make(EROFS_MAGIC)};

	(void)state;
	assert_int_equal(erofs_super_sum(&d, 8), 0x5045b54a);
	d.checksum = le32_make(0x12345678); /* counts as zero */
	assert_int_equal(erofs_super_sum(&d, 8), 0x5045b54a);
}

static void every_rule_is_enforced(void **state)
{
	static const struct {
		size_t off;
		int width;
		uint64_t value;
		uint32_t incompat;
		int code;
		const char *want;
	} cases[] = {
		{FIELD(magic), 4, 0x12345678, 0, MICA_E_CORRUPT,
		 "superblock at 1024: magic 0x12345678 is not 0xe0f5e1e2"},
		{FIELD(blkszbits), 1, 8, 0, MICA_E_CORRUPT, "blkszbits 8 is not within 9..16"},
		{FIELD(blkszbits), 1, 17, 0, MICA_E_CORRUPT, "blkszbits 17 is not within 9..16"},
		{FIELD(feature_incompat), 4, 0x201, 0, MICA_E_UNSUPPORTED,
		 "feature_incompat 0x201 has unknown bits 0x200"},
		{FIELD(dirblkbits), 1, 1, 0, MICA_E_UNSUPPORTED, "dirblkbits 1 is not 0"},
		{FIELD(sb_extslots), 1, 185, 0, MICA_E_CORRUPT,
		 "sb_extslots 185 make 3088 bytes, more than 3072"},
		{FIELD(fixed_nsec), 4, 1000000000, 0, MICA_E_CORRUPT,
		 "fixed_nsec 1000000000 exceeds 999999999"},
		{FIELD(algs), 2, 0x11, EROFS_INCOMPAT_COMPR_CFGS, MICA_E_UNSUPPORTED,
		 "available_compr_algs 0x11 has unknown bits 0x10"},
		{FIELD(packed_nid), 8, 1ULL << 63, EROFS_INCOMPAT_FRAGMENTS, MICA_E_CORRUPT,
		 "packed_nid 0x8000000000000000 lies in the metabox"},
		{FIELD(inos), 8, 1, EROFS_INCOMPAT_METABOX, MICA_E_CORRUPT,
		 "sb_extslots 0 leaves no room for metabox_nid"},
	};
	struct mica_err err = {0};
	struct mica_super sb;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		disk_init(&disk);
		disk_super(&disk)->feature_incompat = le32_make(cases[i].incompat);
		for (int b = 0; b < cases[i].width; b++)
			disk.data[cases[i].off + (size_t)b] = (uint8_t)(cases[i].value >> (8 * b));
		disk_expect(super_read(sizeof(disk), false, &sb, &err), cases[i].code, &err,
			    cases[i].want);
	}
	disk_init(&disk);
	disk_super(&disk)->feature_incompat = le32_make(EROFS_INCOMPAT_METABOX);
	disk_super(&disk)->sb_extslots = 1;
	disk_super(&disk)->metabox_nid = le64_make(1ULL << 63 | 5);
	disk_expect(super_read(sizeof(disk), false, &sb, &err), MICA_E_CORRUPT, &err,
		    "metabox_nid 0x8000000000000005 lies in the metabox");
	disk_super(&disk)->metabox_nid = le64_make(5);
	assert_int_equal(super_read(sizeof(disk), false, &sb, &err), 0);
	assert_int_equal(sb.metabox_nid, 5);
	assert_int_equal(sb.sb_size, 144);
	disk_expect(super_read(1100, false, &sb, &err), MICA_E_CORRUPT, &err, "truncated");
	disk_expect(super_read(1024 + 130, false, &sb, &err), MICA_E_CORRUPT, &err, "truncated");
	disk_expect(super_read(0, false, &sb, &err), MICA_E_CORRUPT, &err, "truncated");
}

/* All four configurations behind the superblock, each 4-aligned; returns where they begin. */
static uint8_t *put_cfgs(uint8_t *at[EROFS_ALG_MAX])
{
	static const uint16_t lens[] = {14, 14, 6, 6};
	uint8_t *p = disk.data + EROFS_SUPER_OFFSET + EROFS_SUPER_SIZE;

	disk_init(&disk);
	disk_super(&disk)->feature_incompat = le32_make(EROFS_INCOMPAT_COMPR_CFGS);
	disk_super(&disk)->algs = le16_make(15);
	for (int i = 0; i < EROFS_ALG_MAX; i++) {
		put16(p, lens[i]);
		at[i] = p + 2;
		p += 2 + lens[i];
	}
	put16(at[0], 4096);	/* lz4: distance */
	put16(at[0] + 2, 16);	/* and largest pcluster */
	put32(at[1], 1u << 20); /* lzma: dictionary */
	at[2][0] = 15;		/* deflate: window bits */
	at[3][1] = 10;		/* zstd: window log */
	return at[0] - 2;
}

static void configurations_are_checked(void **state)
{
	uint8_t *at[EROFS_ALG_MAX], *first;
	struct mica_err err = {0};
	struct mica_super sb;

	(void)state;
	put_cfgs(at);
	assert_int_equal(super_read(sizeof(disk), false, &sb, &err), 0);
	assert_int_equal(sb.algs, 15);
	assert_int_equal(sb.lz4_max_distance, 4096);
	assert_int_equal(sb.lz4_max_pclusterblks, 16);
	put16(at[0] + 2, 0);
	assert_int_equal(super_read(sizeof(disk), false, &sb, &err), 0);
	assert_int_equal(sb.lz4_max_pclusterblks, 1);
	put16(at[0] + 2, 257);
	disk_expect(super_read(sizeof(disk), false, &sb, &err), MICA_E_CORRUPT, &err,
		    "lz4 configuration: max_pclusterblks 257 exceeds 256");
	put_cfgs(at);
	put32(at[1], 4095);
	disk_expect(super_read(sizeof(disk), false, &sb, &err), MICA_E_CORRUPT, &err,
		    "lzma configuration: dict_size 4095 is not within 4096..8388608");
	put_cfgs(at);
	put16(at[1] + 4, 1);
	disk_expect(super_read(sizeof(disk), false, &sb, &err), MICA_E_UNSUPPORTED, &err,
		    "lzma configuration: format 1 is not 0");
	put_cfgs(at);
	at[2][0] = 16;
	disk_expect(super_read(sizeof(disk), false, &sb, &err), MICA_E_CORRUPT, &err,
		    "deflate configuration: windowbits 16 exceeds 15");
	put_cfgs(at);
	at[3][0] = 1;
	disk_expect(super_read(sizeof(disk), false, &sb, &err), MICA_E_UNSUPPORTED, &err,
		    "zstd configuration: format 1 is not 0");
	put_cfgs(at);
	at[3][1] = 11;
	disk_expect(super_read(sizeof(disk), false, &sb, &err), MICA_E_CORRUPT, &err,
		    "zstd configuration: windowlog 11 exceeds 10");
	first = put_cfgs(at);
	put16(first, 13);
	disk_expect(super_read(sizeof(disk), false, &sb, &err), MICA_E_CORRUPT, &err,
		    "lz4 configuration: 13 bytes, fewer than 14");
}

static void features_tell_the_oldest_kernel(void **state)
{
	static const struct {
		uint32_t incompat;
		uint16_t algs;
		uint32_t block_size;
		unsigned int want;
	} cases[] = {
		{0, 1, 4096, 5004},
		{EROFS_INCOMPAT_ZERO_PADDING, 1, 4096, 5004},
		{EROFS_INCOMPAT_COMPR_CFGS, 1, 4096, 5013},
		{EROFS_INCOMPAT_CHUNKED_FILE, 1, 4096, 5015},
		{EROFS_INCOMPAT_DEVICE_TABLE, 1, 4096, 5016},
		{EROFS_INCOMPAT_COMPR_CFGS, 2, 4096, 5016},
		{EROFS_INCOMPAT_ZTAILPACKING, 1, 4096, 5017},
		{EROFS_INCOMPAT_FRAGMENTS | EROFS_INCOMPAT_CHUNKED_FILE, 1, 4096, 6001},
		{EROFS_INCOMPAT_XATTR_PREFIXES, 1, 4096, 6004},
		{0, 1, 512, 6004},
		{EROFS_INCOMPAT_COMPR_CFGS, 4, 4096, 6006},
		{EROFS_INCOMPAT_ZERO_PADDING, 1, 1024, 6008},
		{EROFS_INCOMPAT_COMPR_CFGS, 9, 4096, 6010},
		{EROFS_INCOMPAT_48BIT, 1, 4096, 6015},
		{EROFS_INCOMPAT_ALL, 15, 4096, 6017},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mica_super sb = {
			.feature_incompat = cases[i].incompat,
			.algs = cases[i].algs,
			.block_size = cases[i].block_size,
		};

		assert_int_equal(mica_super_min_kernel(&sb), cases[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_superblock_becomes_native),
		cmocka_unit_test(wide_fields_need_48bit),
		cmocka_unit_test(checksum_is_verified),
		cmocka_unit_test(checksum_is_the_one_of_the_field),
		cmocka_unit_test(every_rule_is_enforced),
		cmocka_unit_test(configurations_are_checked),
		cmocka_unit_test(features_tell_the_oldest_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
