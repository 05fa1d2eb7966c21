/* SPDX-License-Identifier: MIT */
#include "tally.h"

#include <stdbool.h>
#include <stddef.h>

static bool entry_is(const struct mica_tally_entry *e, int64_t sec, uint32_t nsec)
{
	return e->count && e->sec == sec && e->nsec == nsec;
}

/* A newcomer without a place takes one from each of those that have one. */
void mica_tally_add(struct mica_tally *t, int64_t sec, uint32_t nsec)
{
	unsigned int unused = MICA_TALLY;

	if (entry_is(&t->v[t->last], sec, nsec)) {
		t->v[t->last].count++;
		return;
	}
	for (unsigned int i = 0; i < MICA_TALLY; i++) {
		if (entry_is(&t->v[i], sec, nsec)) {
			t->v[i].count++;
			t->last = i;
			return;
		}
		if (!t->v[i].count)
			unused = i;
	}
	if (unused < MICA_TALLY) {
		t->v[unused] = (struct mica_tally_entry){sec, nsec, 1};
		t->last = unused;
		return;
	}
	for (unsigned int i = 0; i < MICA_TALLY; i++)
		t->v[i].count--;
}

struct mica_tally_entry mica_tally_best(const struct mica_tally *t)
{
	struct mica_tally_entry best = {0};

	for (unsigned int i = 0; i < MICA_TALLY; i++)
		if (t->v[i].count > best.count)
			best = t->v[i];
	return best;
}
