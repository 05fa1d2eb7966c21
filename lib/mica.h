/* SPDX-License-Identifier: MIT */
/*
 * libmica: reads EROFS images, those of mica and of mkfs.erofs, without mounting them.
 * See libmica(3). It is the reader of mica itself: what "mica fsck" proves and
 * "mica mount" shows is what this library returns.
 *
 * An image is an object of its own: there is no global state, so a process may open
 * as many as it likes. All functions may be called by many threads on one image at the
 * same time; only mica_close() must be the last call on it, and a struct mica_dir belongs
 * to one thread at a time.
 *
 * No image is trusted: whatever its bytes are, a call returns what the image says or an
 * error that names the place. The library never prints, never ends the process, and
 * neither sets signal handlers nor starts threads.
 *
 * Functions that can fail return 0 or a count, or a negative enum mica_code. Their last
 * argument, which may be NULL, then says what was wrong; after a success it is as it was.
 * Out-parameters are set by a success only.
 */
#ifndef MICA_H
#define MICA_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define MICA_API __attribute__((visibility("default")))
#else
#define MICA_API
#endif

/* Of this header. While the major number is 0, a new minor one may change the ABI and the soname. */
#define MICA_VERSION_MAJOR 0
#define MICA_VERSION_MINOR 1
#define MICA_VERSION_PATCH 0
#define MICA_VERSION_NUMBER                                                                        \
	(MICA_VERSION_MAJOR << 16 | MICA_VERSION_MINOR << 8 | MICA_VERSION_PATCH)

/* Of the library that is in use: "0.1.0", and as MICA_VERSION_NUMBER. */
MICA_API const char *mica_version(void);
MICA_API uint32_t mica_version_number(void);

/* --- errors --- */

enum mica_code {
	MICA_E_SYS = -1,	 /* a system call failed; .sys holds errno */
	MICA_E_CORRUPT = -2,	 /* the image breaks a rule of its format */
	MICA_E_UNSUPPORTED = -3, /* valid, but a feature that mica does not read or write */
	MICA_E_USAGE = -4,	 /* the caller's or user's request makes no sense */
	MICA_E_NOMEM = -5,
	MICA_E_LIMIT = -6, /* a budget was exceeded; a buffer is too small */
	MICA_E_NOENT = -7, /* no such name, xattr, extent */
	MICA_E_INPUT = -8, /* a source (tar, directory, layer) is broken; not from this library */
};

#define MICA_ERR_MSG_MAX 1024

struct mica_err {
	int code;		    /* enum mica_code */
	int sys;		    /* errno with MICA_E_SYS, else 0 */
	char msg[MICA_ERR_MSG_MAX]; /* one line, without a full stop or newline */
};

/* The errno that a file system should answer: EIO for MICA_E_CORRUPT, and so on. */
MICA_API int mica_err_errno(const struct mica_err *err);

/* --- opening --- */

struct mica_image;

enum mica_storage_kind {
	MICA_STORAGE_PATH = 0, /* the file or block device .name */
	MICA_STORAGE_FD,       /* .fd, which is duplicated and read with pread(2) only */
	MICA_STORAGE_MEMORY,   /* .length bytes at .data */
	MICA_STORAGE_CALLS,    /* .length bytes, read by .read */
};

/*
 * Where the bytes of an image, or of a device of it, come from. The struct and the name
 * need to live for the call only; what .data and .ctx point to, until mica_close().
 * Start from zeros, and set .struct_size.
 */
struct mica_storage {
	size_t struct_size; /* sizeof(struct mica_storage) */
	uint32_t kind;	    /* enum mica_storage_kind */
	int fd;
	const char *name; /* of a path; else a name for messages, or NULL */
	/*
	 * The image's first byte. 0: the image is the whole, or what a footer at its end says
	 * ("mica mkimage --append").
	 */
	uint64_t offset;
	uint64_t length; /* bytes, without regard to offset */
	const void *data;
	void *ctx; /* for the calls, which come from any thread and several at a time */
	/* All of these bytes, which lie within length. Returns 0 or an errno. */
	int (*read)(void *ctx, void *buf, size_t len, uint64_t off);
	/* They will soon be read. May be NULL. */
	void (*ahead)(void *ctx, uint64_t off, uint64_t len);
	/* Where they are in memory until mica_close(), or NULL. May be NULL itself. */
	const void *(*map)(void *ctx, uint64_t off, uint64_t len);
};

/* Start from zeros, and set .struct_size. */
struct mica_options {
	size_t struct_size;   /* sizeof(struct mica_options) */
	uint64_t cache_bytes; /* of decoded data that the image may keep, 0: 64 MiB */
	/*
	 * The other files of the image's device table, in its order. None: what the table
	 * names is expected joined to the image, behind it.
	 */
	const struct mica_storage *const *devices;
	uint32_t device_count;
	uint32_t flags; /* 0 */
};

/*
 * Opens an image; the work does not depend on its size. options may be NULL. *out is for
 * mica_close().
 */
MICA_API int mica_open(const char *path, const struct mica_options *options,
		       struct mica_image **out, struct mica_err *err);
MICA_API int mica_open_storage(const struct mica_storage *storage,
			       const struct mica_options *options, struct mica_image **out,
			       struct mica_err *err);

/* Ends what mica_map() returned. image may be NULL. */
MICA_API void mica_close(struct mica_image *image);

/* What the superblock says. */
struct mica_info {
	uint64_t root; /* nid */
	uint64_t inodes;
	uint64_t blocks;
	int64_t epoch; /* seconds since 1970 */
	uint32_t block_size;
	uint32_t device_count; /* in the device table */
	uint8_t uuid[16];
	char volume_name[24];
	uint64_t reserved[4]; /* 0 */
};

MICA_API void mica_info(const struct mica_image *image, struct mica_info *out);

/* --- inodes: named by their nid, which holds for the image's life and from run to run --- */

struct mica_stat {
	uint64_t nid;
	uint64_t ino; /* as the kernel shows it */
	uint64_t size;
	uint64_t blocks; /* of 512 bytes */
	int64_t mtime;	 /* EROFS has no other time */
	uint32_t mtime_nsec;
	uint32_t mode; /* type and permissions, as st_mode */
	uint32_t nlink;
	uint32_t uid;
	uint32_t gid;
	uint32_t rdev_major; /* of a device node */
	uint32_t rdev_minor;
	uint32_t block_size;
	uint64_t reserved[4]; /* 0 */
};

MICA_API int mica_stat(struct mica_image *image, uint64_t nid, struct mica_stat *out,
		       struct mica_err *err);

/* A name in a directory; MICA_E_NOENT when it is not there. */
MICA_API int mica_lookup(struct mica_image *image, uint64_t dir, const char *name,
			 struct mica_stat *out, struct mica_err *err);

/* A path from the root, parts separated by '/'. Symlinks are not followed, also not within it. */
MICA_API int mica_walk(struct mica_image *image, const char *path, struct mica_stat *out,
		       struct mica_err *err);

/* The target with a NUL. Returns its length; cap 0: that alone. MICA_E_LIMIT: cap is too small. */
MICA_API long mica_readlink(struct mica_image *image, uint64_t nid, char *buf, size_t cap,
			    struct mica_err *err);

/* --- directories --- */

struct mica_name {
	uint64_t nid;
	uint64_t ino;	   /* as the kernel shows it */
	uint64_t next;	   /* for mica_seekdir(): the entry behind this one */
	uint32_t type;	   /* S_IFREG and so on; 0: the image does not say */
	uint32_t name_len; /* 1..255 */
	char name[256];	   /* with a NUL */
};

struct mica_dir;

/* The image must stay open until mica_closedir(). */
MICA_API int mica_opendir(struct mica_image *image, uint64_t nid, struct mica_dir **out,
			  struct mica_err *err);

/* Entries in stored order, "." and ".." among them. 1: an entry; 0: there are no more */
MICA_API int mica_readdir(struct mica_dir *dir, struct mica_name *out, struct mica_err *err);

/* cookie: 0 or a .next; it holds also for another struct mica_dir of the same directory */
MICA_API void mica_seekdir(struct mica_dir *dir, uint64_t cookie);
MICA_API void mica_closedir(struct mica_dir *dir);

/* --- contents of regular files --- */

/* Returns the bytes read: len of them, fewer only at the end of the file. */
MICA_API long mica_read(struct mica_image *image, uint64_t nid, void *buf, size_t len, uint64_t off,
			struct mica_err *err);

/*
 * Where the bytes from off on lie in memory, as they are and without a copy: as many as
 * follow on each other, at most len. 1: *data and *got are set; 0: the bytes at off are
 * encoded, a hole, behind the end, or not to be mapped: mica_read() has them. Valid until
 * mica_close(). They are those of the storage: if it is a file that is made shorter,
 * touching them raises SIGBUS.
 */
MICA_API int mica_map(struct mica_image *image, uint64_t nid, uint64_t off, uint64_t len,
		      const void **data, uint64_t *got, struct mica_err *err);

/* The next data or (hole: not 0) the next hole at or behind off; the file's size: there is none. */
MICA_API int mica_seek(struct mica_image *image, uint64_t nid, uint64_t off, int hole,
		       uint64_t *out, struct mica_err *err);

/*
 * Decodes these bytes into the cache, as far as they are encoded, so that they are at hand
 * when they are read: for a thread of the caller's that works ahead.
 */
MICA_API int mica_ahead(struct mica_image *image, uint64_t nid, uint64_t off, uint64_t len,
			struct mica_err *err);

/* --- extended attributes --- */

/*
 * A value by its full name ("user.x"). Returns its length; cap 0: that alone. MICA_E_NOENT;
 * MICA_E_LIMIT: cap is too small.
 */
MICA_API long mica_getxattr(struct mica_image *image, uint64_t nid, const char *name, void *buf,
			    size_t cap, struct mica_err *err);

/* All names, each with a NUL, as listxattr(2). Returns the bytes; cap 0: that alone. */
MICA_API long mica_listxattr(struct mica_image *image, uint64_t nid, char *buf, size_t cap,
			     struct mica_err *err);

#ifdef __cplusplus
}
#endif

#endif
