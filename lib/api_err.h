/* SPDX-License-Identifier: MIT */
/* Callers of the public interface may do without an error; the code must be right all the same. */
#ifndef MICA_LIB_API_ERR_H
#define MICA_LIB_API_ERR_H

#include "err.h"

/* err = API_ERR(err), first in a function: what it points to lives as long as the call */
#define API_ERR(err) ((err) ? (err) : &(struct mica_err){0})

#endif
