/* SPDX-License-Identifier: MIT */
/* The compression configurations behind the superblock. */
#ifndef MICA_LIB_ALGCFG_H
#define MICA_LIB_ALGCFG_H

#include <stdint.h>

#include "err.h"
#include "image.h"

struct mica_algcfg {
	enum erofs_alg alg;
	uint64_t off;	  /* of the length field, byte offset in the image */
	uint32_t len;	  /* bytes of the body */
	uint8_t body[16]; /* its start */
};

struct mica_algcfgs {
	unsigned int count;
	uint64_t end; /* first byte behind the last one */
	struct mica_algcfg list[EROFS_ALG_MAX];
};

/* None (count 0) when the image has no COMPR_CFGS feature: then it may hold LZ4. */
int mica_algcfg_read(struct mica_io *io, const struct mica_super *sb, struct mica_algcfgs *out,
		     struct mica_err *err);

/* The configuration that an image of LZ4 without COMPR_CFGS would have. */
void mica_algcfg_plain_lz4(const struct mica_super *sb, struct mica_algcfgs *out);

/*
 * What an image must say that holds the data of both: all algorithms, of each the
 * larger windows and pclusters. *to stays sorted by algorithm.
 */
void mica_algcfgs_join(struct mica_algcfgs *to, const struct mica_algcfgs *from);

/* "windowlog 17" and the like; "" when the algorithm has nothing to say. len >= 64 */
void mica_algcfg_describe(const struct mica_algcfg *cfg, char *buf, size_t len);

#endif
