/* SPDX-License-Identifier: MIT */
/*
 * Small files and tails that wait for each other: when enough of them are there,
 * they are laid out so that like lies beside like, and leave for the packed
 * inode. How much waits depends on the stream alone, so that the same input
 * gives the same image.
 */
#ifndef MICA_MKIMAGE_HOARD_H
#define MICA_MKIMAGE_HOARD_H

#include <stdbool.h>

#include "../lib/err.h"
#include "../lib/tree.h"
#include "dedupe.h"
#include "gear.h"

struct mica_hoard_file {
	struct mica_tinode *inode;
	const struct mica_tinode *twin; /* has the same content; NULL: none */
	uint64_t off;			/* in data, or in the spool */
	uint32_t number;		/* files on disk: how many came before */
	uint32_t len;
	uint32_t next;	 /* in the order of storage */
	uint32_t last;	 /* of a group's first one: the group's last one */
	uint32_t group;	 /* first file of its group */
	uint8_t setting; /* how it is compressed */
	uint8_t kind;	 /* files on disk: enum mica_kind */
	uint8_t digest[MICA_DIGEST];
	struct mica_sketch sketch;
};

#define MICA_HOARD_END UINT32_MAX

struct mica_hoard {
	unsigned char *data; /* cap bytes; NULL: they are on disk */
	uint64_t cap, used;
	struct mica_hoard_file *files;
	uint32_t file_cap, count;
	/* hash table of sketches' values: 1 + file that has it, 0: free; NULL: on disk */
	uint32_t *features;
	uint32_t feature_mask;
};

/* cap: bytes, below 2 GiB */
int mica_hoard_init(struct mica_hoard *h, uint32_t cap, struct mica_err *err);
/* For bytes on disk, and so many files. */
int mica_hoard_init_disk(struct mica_hoard *h, uint32_t files, struct mica_err *err);
void mica_hoard_free(struct mica_hoard *h);

/* Whether a file of len bytes fits in. */
bool mica_hoard_fits(const struct mica_hoard *h, uint64_t len);

/*
 * Chain the files that have no twin, ->next by ->next, and return the first one
 * (MICA_HOARD_END: none). They keep the order in which they came, but for those
 * that are like an earlier one: they follow it.
 */
uint32_t mica_hoard_order(struct mica_hoard *h);

/* The same in the order in which they came, whatever they are like. */
uint32_t mica_hoard_chain(struct mica_hoard *h);

/* Files on disk: those of a kind come together, in the order in which they came. */
void mica_hoard_sort(struct mica_hoard *h);

void mica_hoard_clear(struct mica_hoard *h);

#endif
