/* SPDX-License-Identifier: MIT */
/*
 * Files for the packer's tests: what is given to it, and whether what it stored
 * is the same. One packer at a time, which writes into memory.
 */
#ifndef MICA_TESTS_PACKER_FILES_H
#define MICA_TESTS_PACKER_FILES_H

#include "../../mkimage/build.h"
#include "../../mkimage/packer.h"
#include "content.h"
#include "fake_outfile.h"

#define K	  1024ull
#define M	  (1024 * K)
#define T	  (1024 * 1024 * M)
#define FILES_MAX 64
#define COUNT(a)  (sizeof(a) / sizeof((a)[0]))

extern struct mica_build_opts opts;
extern struct mica_outfile out;
extern struct mica_spool *spool;
extern struct mica_packer *packer;
extern struct mica_packer_stats stats;
extern struct mica_err err;

/* What was given, to be compared with what was stored. */
struct file {
	struct mica_tinode inode;
	const struct span *spans;
	size_t count;
};
extern struct file files[FILES_MAX];
extern size_t file_count;

/* A packer whose image begins at base; its end. */
void start_image_at(const char *codec, uint32_t cluster, const char *compat, uint64_t base);
void start_image(const char *codec, uint32_t cluster, const char *compat);
void end_image(void);

/* One file into the packer: its code, or no failure allowed. */
int give_spans(const struct span *spans, size_t count);
int give_runs(const struct span *spans, size_t count, const struct mica_run *runs,
	      size_t run_count);
void give(const struct span *spans, size_t count);
void give_sparse(const struct span *spans, size_t count);

#define GIVE(...)                                                                                  \
	do {                                                                                       \
		static const struct span spans_[] = {__VA_ARGS__};                                 \
		give(spans_, COUNT(spans_));                                                       \
	} while (0)

/* How a file is stored, as text, after its bytes were compared. */
const char *stored_as(const struct file *f);
/* Everything out. */
void finish(void);
/* stored_as() of a file is text. */
void expect(size_t i, const char *text);

/* The inline tail, all of it. */
void tail_read(const struct mica_data *data, unsigned char *buf);

#endif
