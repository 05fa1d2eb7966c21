/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_priv.h"
#include "util.h"

/* Called with the lock held. */
static void finding_tell(struct check *c, const char *structure, uint32_t row, uint64_t offset,
			 const char *message)
{
	char *path cleanup_free = NULL;
	struct mica_check_finding f = {
		.structure = structure,
		.has_offset = offset != CHECK_NO_OFFSET,
		.offset = offset,
		.message = message,
	};

	if (c->res->findings + c->res->troubles > MICA_CHECK_FINDINGS_MAX)
		return;
	if (row != CHECK_NO_ROW) {
		path = mica_check_row_path(c, row);
		f.path = path;
		f.has_nid = true;
		f.nid = c->rows[row].nid;
	}
	c->opts->finding(c->opts->ctx, &f);
}

void mica_check_fail(struct check *c, const char *structure, uint32_t row, uint64_t offset,
		     const char *fmt, ...)
{
	char message[MICA_ERR_MSG_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	pthread_mutex_lock(&c->lock);
	c->res->findings++;
	finding_tell(c, structure, row, offset, message);
	pthread_mutex_unlock(&c->lock);
}

/*
 * What mica cannot read may still be right: another device, a codec that this
 * build lacks. Elsewhere a new feature would show in the superblock, so that
 * an unknown bit means damage.
 */
static bool err_is_trouble(const struct check *c, const char *structure, const struct mica_err *err)
{
	if (err->code == MICA_E_UNSUPPORTED)
		return !c->sb || c->sb->extra_devices || !strcmp(structure, "data");
	return err->code == MICA_E_SYS || err->code == MICA_E_LIMIT;
}

int mica_check_fail_err(struct check *c, const char *structure, uint32_t row, uint64_t offset,
			struct mica_err *err)
{
	if (err->code == MICA_E_NOMEM)
		return err->code;
	pthread_mutex_lock(&c->lock);
	if (err_is_trouble(c, structure, err))
		c->res->troubles++;
	else
		c->res->findings++;
	finding_tell(c, structure, row, offset, err->msg);
	pthread_mutex_unlock(&c->lock);
	return 0;
}
