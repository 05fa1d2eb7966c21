/* SPDX-License-Identifier: MIT */
/*
 * Which files are compressed how: --compress-rule. The settings of all rules are
 * known before the first file comes; a file then has the number of one of them.
 */
#ifndef MICA_MKIMAGE_RULES_H
#define MICA_MKIMAGE_RULES_H

#include "../lib/codec.h"
#include "compat.h"
#include "globs.h"

#define MICA_COMPRESSIONS_MAX 32u

struct mica_compression {
	struct mica_codec_spec codec;
	uint32_t cluster; /* bytes of input compressed as one; a multiple of 4 KiB */
};

struct mica_rule {
	const char *text;	     /* as given; borrowed */
	struct mica_compression how; /* cluster 0: not said */
	unsigned int number;	     /* of the setting */
};

/* All zeros at first; never moved or changed once a build has begun. */
struct mica_rules {
	struct mica_globs globs; /* one for each rule */
	struct mica_rule *list;
	/* the distinct settings; the first is that of files without a rule */
	struct mica_compression settings[MICA_COMPRESSIONS_MAX];
	unsigned int setting_count;
};

/* "GLOB=ALG[:LEVEL][,cluster=SIZE]"; text must outlive the rules. */
int mica_rules_add(struct mica_rules *r, const char *text, struct mica_err *err);
/* After the last rule: what they leave open is as in usual, which becomes setting 0. */
int mica_rules_finish(struct mica_rules *r, const struct mica_compression *usual,
		      const struct mica_compat *compat, struct mica_err *err);
void mica_rules_free(struct mica_rules *r);

/* The setting of a path's content: that of the last rule that matches. r NULL: 0 */
int mica_rules_find(const struct mica_rules *r, const char *path, unsigned int *number,
		    struct mica_err *err);

/* Clusters up to here can be encoded, or be stored plain, whatever is in them. */
#define MICA_CLUSTER_PLAIN (1u << 20)
#define MICA_CLUSTER_MAX   (8u << 20) /* lzma's window; kernels take 12 MiB */

/* A cluster size: a multiple of 4K, up to 8M. */
int mica_cluster_parse(const char *text, uint32_t *out, struct mica_err *err);

#endif
