/* SPDX-License-Identifier: MIT */
#include "ids.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../../lib/util.h"

#define OVERFLOW_ID 65534

/* A number that a colon or the end follows. */
static int number(const char **text, uint32_t *out, struct mica_err *err)
{
	char *end;
	unsigned long long n;

	errno = 0;
	n = strtoull(*text, &end, 10);
	if (end == *text || **text == '-' || errno || n > UINT32_MAX || (*end && *end != ':'))
		return mica_err_set(err, MICA_E_USAGE, "'%s' is not a list of STORED:SHOWN:COUNT",
				    *text);
	*out = (uint32_t)n;
	*text = *end ? end + 1 : end;
	return 0;
}

int mica_ids_parse(struct mica_idmap *map, const char *text, struct mica_err *err)
{
	/* podman begins with a colon */
	text += *text == ':';
	while (*text) {
		struct mica_idrange r, *more;

		if (number(&text, &r.stored, err) || number(&text, &r.shown, err) ||
		    number(&text, &r.count, err))
			return err->code;
		if (r.count > UINT32_MAX - r.stored || r.count > UINT32_MAX - r.shown)
			return mica_err_set(err, MICA_E_USAGE,
					    "%" PRIu32 " ids from %" PRIu32 " and %" PRIu32
					    " on exceed %" PRIu32,
					    r.count, r.stored, r.shown, UINT32_MAX);
		if (map->count == MICA_IDS_RANGES_MAX)
			return mica_err_set(err, MICA_E_LIMIT, "more than %d ranges of ids",
					    MICA_IDS_RANGES_MAX);
		more = realloc(map->ranges, (map->count + 1) * sizeof(*more));
		if (!more)
			return mica_err_nomem(err);
		map->ranges = more;
		map->ranges[map->count++] = r;
	}
	return 0;
}

void mica_ids_clear(struct mica_ids *ids)
{
	free(ids->uids.ranges);
	free(ids->gids.ranges);
	*ids = (struct mica_ids){0};
}

static uint32_t show(const struct mica_idmap *map, uint32_t id)
{
	if (map->squash)
		return map->squash_to;
	for (unsigned int i = 0; i < map->count; i++)
		if (id - map->ranges[i].stored < map->ranges[i].count)
			return id - map->ranges[i].stored + map->ranges[i].shown;
	return map->count ? OVERFLOW_ID : id;
}

void mica_ids_show(const struct mica_ids *ids, struct stat *st)
{
	st->st_uid = show(&ids->uids, st->st_uid);
	st->st_gid = show(&ids->gids, st->st_gid);
}

int mica_ids_store(const struct mica_idmap *map, uint32_t own, uint32_t *id)
{
	if (map->squash) {
		*id = own;
		return 0;
	}
	for (unsigned int i = 0; i < map->count; i++) {
		if (*id - map->ranges[i].shown < map->ranges[i].count) {
			*id = *id - map->ranges[i].shown + map->ranges[i].stored;
			return 0;
		}
	}
	return map->count ? -EINVAL : 0;
}
