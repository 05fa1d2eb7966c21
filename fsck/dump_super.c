/* SPDX-License-Identifier: MIT */
/* The superblock: fields, features by name, compression configurations. */
#include "dump.h"

#include <string.h>

#include "../lib/algcfg.h"
#include "../lib/codec.h"
#include "../lib/uuid.h"
#include "show.h"

struct feature {
	uint32_t bit;
	const char *name;
};

static const struct feature compat_features[] = {
	{EROFS_COMPAT_SB_CHKSUM, "sb_chksum"},
	{EROFS_COMPAT_MTIME, "mtime"},
	{EROFS_COMPAT_XATTR_FILTER, "xattr_filter"},
	{EROFS_COMPAT_SHARED_EA_IN_METABOX, "shared_ea_in_metabox"},
	{EROFS_COMPAT_PLAIN_XATTR_PFX, "plain_xattr_pfx"},
	{EROFS_COMPAT_ISHARE_XATTRS, "ishare_xattrs"},
	{0, NULL},
};

/* Some bits stand for two features that came with the same kernel. */
static const struct feature incompat_features[] = {
	{EROFS_INCOMPAT_ZERO_PADDING, "zero_padding"},
	{EROFS_INCOMPAT_COMPR_CFGS, "compr_cfgs+big_pcluster"},
	{EROFS_INCOMPAT_CHUNKED_FILE, "chunked_file"},
	{EROFS_INCOMPAT_DEVICE_TABLE, "device_table+compr_head2"},
	{EROFS_INCOMPAT_ZTAILPACKING, "ztailpacking"},
	{EROFS_INCOMPAT_FRAGMENTS, "fragments+dedupe"},
	{EROFS_INCOMPAT_XATTR_PREFIXES, "xattr_prefixes"},
	{EROFS_INCOMPAT_48BIT, "48bit"},
	{EROFS_INCOMPAT_METABOX, "metabox"},
	{0, NULL},
};

static void dump_features(struct mica_dump *d, const char *label, const char *key, uint32_t bits,
			  const struct feature *known)
{
	char text[256] = "";
	char rest[16];

	if (d->json)
		mica_json_array(&d->j, key);
	for (const struct feature *f = known; f->name; f++) {
		if (!(bits & f->bit))
			continue;
		bits &= ~f->bit;
		if (d->json)
			mica_json_str(&d->j, NULL, f->name);
		else
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
				 text[0] ? " " : "", f->name);
	}
	snprintf(rest, sizeof(rest), "0x%x", bits);
	if (d->json && bits)
		mica_json_str(&d->j, NULL, rest);
	if (d->json) {
		mica_json_array_end(&d->j);
		return;
	}
	if (bits)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
			 text[0] ? " " : "", rest);
	mica_dump_str(d, label, key, text[0] ? text : "none");
}

static void dump_uuid(struct mica_dump *d, const uint8_t uuid[16])
{
	char text[MICA_UUID_TEXT];

	mica_uuid_format(uuid, text);
	mica_dump_str(d, "UUID", "uuid", text);
}

static void dump_algorithms(struct mica_dump *d, const struct mica_super *sb,
			    const struct mica_algcfgs *cfgs)
{
	char text[96];

	for (unsigned int i = 0; i < cfgs->count; i++) {
		char label[32];

		mica_algcfg_describe(&cfgs->list[i], text, sizeof(text));
		snprintf(label, sizeof(label), "Algorithm %s",
			 mica_codec_alg_name(cfgs->list[i].alg));
		mica_dump_str(d, label, mica_codec_alg_name(cfgs->list[i].alg), text);
	}
	if (!cfgs->count && (sb->feature_incompat & EROFS_INCOMPAT_ZERO_PADDING)) {
		snprintf(text, sizeof(text), "max distance %u", sb->lz4_max_distance);
		mica_dump_str(d, "Algorithm lz4", "lz4", text);
	}
}

int mica_dump_super(struct mica_dump *d, struct mica_io *io, const struct mica_super *sb,
		    struct mica_err *err)
{
	unsigned int kernel = mica_super_min_kernel(sb);
	struct mica_algcfgs cfgs;
	char text[MICA_SHOW_TIME_LEN];
	int ret = mica_algcfg_read(io, sb, &cfgs, err);

	if (ret)
		return ret;
	mica_dump_u64(d, "Image bytes", "image_bytes", io->size);
	mica_dump_str(d, "Volume name", "volume_name", sb->volume_name);
	dump_uuid(d, sb->uuid);
	mica_dump_hex(d, "Checksum", "checksum", sb->checksum);
	dump_features(d, "Compatible features", "feature_compat", sb->feature_compat,
		      compat_features);
	dump_features(d, "Incompatible features", "feature_incompat", sb->feature_incompat,
		      incompat_features);
	snprintf(text, sizeof(text), "%u.%u", kernel / 1000, kernel % 1000);
	mica_dump_str(d, "Oldest kernel", "oldest_kernel", text);
	mica_dump_u64(d, "Block size", "block_size", sb->block_size);
	mica_dump_u64(d, "Blocks", "blocks", sb->blocks);
	mica_dump_u64(d, "Inodes", "inos", sb->inos);
	mica_dump_u64(d, "Root nid", "root_nid", sb->root_nid);
	mica_dump_u64(d, "Superblock bytes", "sb_size", sb->sb_size);
	mica_show_time(sb->epoch, sb->fixed_nsec, text);
	if (d->json) {
		mica_json_i64(&d->j, "epoch", sb->epoch);
		mica_json_u64(&d->j, "fixed_nsec", sb->fixed_nsec);
		mica_json_u64(&d->j, "build_time", sb->build_time);
	} else {
		mica_dump_str(d, "Epoch", NULL, text);
		mica_dump_u64(d, "Build time", NULL, sb->build_time);
	}
	mica_dump_hex(d, "Inodes start at", "meta_off", sb->meta_off);
	mica_dump_hex(d, "Shared xattrs start at", "xattr_off", sb->xattr_off);
	if (sb->packed_nid)
		mica_dump_u64(d, "Packed nid", "packed_nid", sb->packed_nid);
	if (sb->metabox_nid)
		mica_dump_u64(d, "Metabox nid", "metabox_nid", sb->metabox_nid);
	mica_dump_u64(d, "Extra devices", "extra_devices", sb->extra_devices);
	mica_dump_u64(d, "Long xattr prefixes", "xattr_prefix_count", sb->xattr_prefix_count);
	if (d->json)
		mica_json_object(&d->j, "algorithms");
	dump_algorithms(d, sb, &cfgs);
	if (d->json)
		mica_json_object_end(&d->j);
	return 0;
}

static void dump_device(struct mica_dump *d, unsigned int id)
{
	const struct mica_device *dev = mica_image_device(d->img, id);
	char label[32];

	if (d->json) {
		mica_json_object(&d->j, NULL);
		mica_json_bytes(&d->j, "tag", dev->tag, strlen(dev->tag));
		mica_json_u64(&d->j, "bytes", dev->size);
		mica_json_u64(&d->j, "start", dev->start);
		mica_json_object_end(&d->j);
		return;
	}
	snprintf(label, sizeof(label), "Device %u", id);
	mica_dump_str(d, label, NULL, *dev->tag ? dev->tag : "(no tag)");
	mica_dump_u64(d, "  bytes", NULL, dev->size);
	mica_dump_hex(d, "  start", NULL, dev->start);
}

void mica_dump_devices(struct mica_dump *d)
{
	const struct mica_super *sb = mica_image_super(d->img);

	if (!sb->extra_devices)
		return;
	if (d->json)
		mica_json_array(&d->j, "devices");
	for (unsigned int id = 1; id <= sb->extra_devices; id++)
		dump_device(d, id);
	if (d->json)
		mica_json_array_end(&d->j);
}
