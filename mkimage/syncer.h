/* SPDX-License-Identifier: MIT */
/*
 * Brings what was written to the disk while more is made: a thread that syncs the file when it
 * is told to. Else the sync at the end waits for the disk's own cache, for a tenth of the time
 * that an image takes.
 */
#ifndef MICA_MKIMAGE_SYNCER_H
#define MICA_MKIMAGE_SYNCER_H

struct mica_syncer;

/* fd is borrowed. NULL: there can be none; all is left to the sync at the end. */
struct mica_syncer *mica_syncer_new(int fd);

/* What has been written so far is to be synced; does not wait. */
void mica_syncer_tell(struct mica_syncer *s);

/*
 * Waits for a sync that is under way, and ends the thread. Returns the error number of the
 * first sync that failed, which no later one will tell again, or 0. s may be NULL.
 */
int mica_syncer_end(struct mica_syncer *s);

#endif
