/* SPDX-License-Identifier: MIT */
/*
 * The verbs that are in a module of their own, which the program loads when one of them is
 * asked for. They need libraries whose loading takes longer than all else that
 * "mica mount" does, and which it has no use for.
 */
#ifndef MICA_VERBS_H
#define MICA_VERBS_H

#include "lib/opt.h"

#define MICA_MODULE_VERBS_MAX 16

struct mica_module {
	const char *version; /* that of the program, else they do not belong together */
	const struct mica_verb *verbs[MICA_MODULE_VERBS_MAX]; /* ends with NULL */
};

/* The name is looked up in what was loaded. */
#define MICA_MODULE_SYMBOL "mica_module"
extern const struct mica_module mica_module;

#endif
