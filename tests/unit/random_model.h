/* SPDX-License-Identifier: MIT */
/* Models of file trees from a seed. */
#ifndef MICA_TESTS_RANDOM_MODEL_H
#define MICA_TESTS_RANDOM_MODEL_H

#include "maker.h"

/* Up to `entries` entries; sizes gather around those of clusters. For random_model_free(). */
struct model random_model(uint64_t seed, size_t entries, uint32_t cluster);
void random_model_free(struct model *m);

#endif
