/* SPDX-License-Identifier: MIT */
/*
 * The one option table of all verbs: long and short options, their argument
 * and help text in one row, each with its own setter. The same table prints
 * --help, so that documentation and parser cannot drift apart.
 */
#ifndef MICA_LIB_OPT_H
#define MICA_LIB_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

struct mica_opt {
	const char *name; /* long name without dashes; NULL: only a short option */
	char letter;	  /* short option, 0: none */
	const char
		*arg; /* NULL: a flag; "SIZE": needs a value; "[SIZE]": optional, --name=V only */
	const char *help; /* one sentence, without a full stop */
	int (*set)(void *ctx, const char *value, struct mica_err *err);
};

struct mica_verb {
	const char *name;		   /* "mkimage" */
	const char *usage;		   /* "[OPTIONS] IMAGE SOURCE..." */
	const char *summary;		   /* one line for the list of verbs */
	const char *about;		   /* paragraph(s) for --help; NULL: the summary */
	const struct mica_opt *opts;	   /* ends with an all-zero row */
	int (*run)(int argc, char **argv); /* argv[0] is the verb; returns the exit status */
};

/*
 * Parse argv[1..]: options and operands in any order, "--" ends options, "-" is
 * an operand. Operands are moved to the front of argv (from argv[1]) and
 * *operands is their number. --help is for the caller: *help is set.
 */
int mica_opt_parse(const struct mica_opt *opts, void *ctx, int argc, char **argv, int *operands,
		   bool *help, struct mica_err *err);

/*
 * The whole --help text of a verb, at most 80 columns wide; malloc'd, NULL when
 * out of memory.
 */
char *mica_opt_help(const struct mica_verb *verb);

/* The values of an option that may be repeated, in their order; all zeros: none. */
struct mica_opt_list {
	const char **v; /* borrowed strings */
	unsigned int count;
};

int mica_opt_list_add(struct mica_opt_list *list, const char *value, struct mica_err *err);
void mica_opt_list_free(struct mica_opt_list *list);

/* Values: "64K", "1M", "3G" (powers of 1024) in bytes; decimal numbers with limits. */
int mica_opt_size(const char *text, uint64_t min, uint64_t max, uint64_t *out,
		  struct mica_err *err);
int mica_opt_uint(const char *text, uint64_t min, uint64_t max, uint64_t *out,
		  struct mica_err *err);
int mica_opt_int(const char *text, int64_t min, int64_t max, int64_t *out, struct mica_err *err);

#endif
