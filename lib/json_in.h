/* SPDX-License-Identifier: MIT */
/*
 * JSON documents from outside. A whole document is parsed, within limits and
 * strictly (UTF-8, no name twice, no NUL, nothing behind it); then its members
 * are asked for by name and type. Errors name the member.
 */
#ifndef MICA_LIB_JSON_IN_H
#define MICA_LIB_JSON_IN_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define MICA_JSON_IN_MAX ((size_t)4 << 20) /* bytes of a document */

struct mica_json_doc;
struct mica_json_value; /* a part of a document; lives as long as that */

/* MICA_E_INPUT: no valid JSON, with line and column; MICA_E_LIMIT: too much of it. */
int mica_json_doc_parse(const void *buf, size_t len, struct mica_json_doc **out,
			struct mica_err *err);
void mica_json_doc_free(struct mica_json_doc *doc);
const struct mica_json_value *mica_json_doc_root(const struct mica_json_doc *doc);

/*
 * Members of an object. One that is not there, or is null, gives NULL (0); one
 * of another type, or an object that is none, is MICA_E_INPUT.
 */
int mica_json_get_text(const struct mica_json_value *object, const char *key, const char **out,
		       struct mica_err *err);
int mica_json_get_object(const struct mica_json_value *object, const char *key,
			 const struct mica_json_value **out, struct mica_err *err);
int mica_json_get_list(const struct mica_json_value *object, const char *key,
		       const struct mica_json_value **out, struct mica_err *err);
/* Must be there; negative ones are refused. */
int mica_json_get_u64(const struct mica_json_value *object, const char *key, uint64_t *out,
		      struct mica_err *err);

/* list NULL, or none: no items */
size_t mica_json_list_len(const struct mica_json_value *list);
const struct mica_json_value *mica_json_list_at(const struct mica_json_value *list, size_t i);

/* NULL: the value is no text */
const char *mica_json_text(const struct mica_json_value *value);

static inline void mica_cleanup_json_doc(struct mica_json_doc **doc)
{
	mica_json_doc_free(*doc);
}
#define cleanup_json_doc cleanup(mica_cleanup_json_doc)

#endif
