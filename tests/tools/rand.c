/* SPDX-License-Identifier: MIT */
#include "rand.h"

uint64_t rng_next(struct rng *rng)
{
	uint64_t z = rng->state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

uint64_t rng_range(struct rng *rng, uint64_t lo, uint64_t hi)
{
	return lo + rng_next(rng) % (hi - lo + 1);
}

bool rng_percent(struct rng *rng, unsigned int n)
{
	return rng_range(rng, 0, 99) < n;
}
