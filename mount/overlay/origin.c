/* SPDX-License-Identifier: MIT */
#include "origin.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../nodes.h"
#include "layer_impl.h"

/* The fixed part of struct ovl_fb; integers of the handle are in the CPU's order. */
#define HEAD_SIZE  21
#define VERSION	   0
#define MAGIC	   0xfb
#define FLAG_BIG   1
#define AT_VERSION 0
#define AT_MAGIC   1
#define AT_LEN	   2
#define AT_FLAGS   3
#define AT_TYPE	   4
#define AT_UUID	   5
#define UUID_SIZE  16
#define TYPE_INO32 0x01 /* inode and generation, 32 bits each */
#define TYPE_BTRFS 0x4d
#define TYPE_INO64 0x81 /* XFS: inode, generation; EROFS: inode, its high half first */
#define HANDLE_MAX (MICA_ORIGIN_MAX - HEAD_SIZE)
#define FLAG_CPU   (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? FLAG_BIG : 0)

uint64_t mica_ovl_number(const struct mica_ovl_layer *layer, uint64_t ino)
{
	/* an inode number that large keeps most of what tells it from its neighbours */
	ino ^= ino >> MICA_OVL_INO_BITS;
	return (uint64_t)layer->fs << MICA_OVL_INO_BITS | (ino & ((1ULL << MICA_OVL_INO_BITS) - 1));
}

static void fill(struct mica_origin *out, const uint8_t *uuid, int type, const void *handle,
		 size_t len)
{
	memset(out, 0, sizeof(*out));
	out->len = HEAD_SIZE + len;
	out->bytes[AT_VERSION] = VERSION;
	out->bytes[AT_MAGIC] = MAGIC;
	out->bytes[AT_LEN] = (uint8_t)out->len;
	out->bytes[AT_FLAGS] = FLAG_CPU;
	out->bytes[AT_TYPE] = (uint8_t)type;
	memcpy(out->bytes + AT_UUID, uuid, UUID_SIZE);
	memcpy(out->bytes + HEAD_SIZE, handle, len);
}

static void of_directory(const struct mica_place *at, struct mica_origin *out)
{
	struct {
		struct file_handle h;
		uint8_t room[MAX_HANDLE_SZ];
	} handle = {.h = {.handle_bytes = MAX_HANDLE_SZ}};
	cleanup_fd int fd = mica_in_dir_open_path(at);
	int mount_id;

	if (fd < 0 || name_to_handle_at(fd, "", &handle.h, &mount_id, AT_EMPTY_PATH) < 0 ||
	    handle.h.handle_bytes > HANDLE_MAX)
		return;
	fill(out, at->layer->uuid, handle.h.handle_type, handle.h.f_handle, handle.h.handle_bytes);
}

void mica_origin_make(const struct mica_place *at, struct mica_origin *out)
{
	uint64_t ino;
	uint32_t handle[3] = {0};

	out->len = 0;
	if (!at->layer->image) {
		of_directory(at, out);
		return;
	}
	ino = at->nid;
	handle[0] = (uint32_t)(ino >> 32);
	handle[1] = (uint32_t)ino;
	fill(out, at->layer->uuid, TYPE_INO64, handle, sizeof(handle));
}

static uint64_t join(uint32_t high, uint32_t low)
{
	return (uint64_t)high << 32 | low;
}

/* The inode number in a handle, for the file systems that put it there; 0: not known. */
static uint64_t inode_in(const struct mica_ovl_layer *layer, const struct mica_origin *o)
{
	size_t len = o->len - HEAD_SIZE;
	uint32_t word[3] = {0};
	uint64_t first;

	if (len < 2 * sizeof(word[0]))
		return 0;
	memcpy(word, o->bytes + HEAD_SIZE, mica_min(len, sizeof(word)));
	memcpy(&first, word, sizeof(first));
	switch (o->bytes[AT_TYPE]) {
	case TYPE_INO32:
		/* tmpfs begins with the generation, and has the high half of the inode */
		return len == sizeof(word) ? join(word[2], word[1]) : word[0];
	case TYPE_INO64:
		return layer->image ? mica_super_ino(layer->sb, join(word[0], word[1])) : first;
	case TYPE_BTRFS:
		return first;
	default:
		return 0;
	}
}

uint64_t mica_origin_number(const struct mica_ovl *ovl, const struct mica_origin *o)
{
	const struct mica_ovl_layer *match = NULL;
	uint64_t ino;

	if (o->len < HEAD_SIZE || o->bytes[AT_VERSION] != VERSION || o->bytes[AT_MAGIC] != MAGIC ||
	    (o->bytes[AT_FLAGS] & FLAG_BIG) != FLAG_CPU)
		return 0;
	for (unsigned int i = 0; i < ovl->lower_count; i++) {
		const struct mica_ovl_layer *layer = &ovl->lowers[i];

		if (memcmp(o->bytes + AT_UUID, layer->uuid, UUID_SIZE))
			continue;
		if (match && match->fs != layer->fs)
			return 0; /* two file systems of one UUID, or without any */
		match = layer;
	}
	ino = match ? inode_in(match, o) : 0;
	return ino ? mica_ovl_number(match, ino) : 0;
}
