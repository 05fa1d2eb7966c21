/* SPDX-License-Identifier: MIT */
#include "json_in.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "util.h"

/*
 * Objects and lists take up to seventy times their bytes in memory; a document
 * of nothing else would need 300 MB.
 */
#define NODES_MAX 100000

struct mica_json_doc {
	json_t *root;
};

/* The parts of a document are jansson's own values under another name. */
static const json_t *value_json(const struct mica_json_value *value)
{
	return (const json_t *)value;
}

static int doc_check_size(const char *p, size_t len, struct mica_err *err)
{
	size_t nodes = 0;

	if (len > MICA_JSON_IN_MAX)
		return mica_err_set(err, MICA_E_LIMIT, "JSON: %zu bytes exceed %zu", len,
				    MICA_JSON_IN_MAX);
	for (size_t i = 0; i < len; i++)
		nodes += p[i] == '{' || p[i] == '[';
	if (nodes > NODES_MAX)
		return mica_err_set(err, MICA_E_LIMIT, "JSON: %zu objects and lists exceed %d",
				    nodes, NODES_MAX);
	return 0;
}

int mica_json_doc_parse(const void *buf, size_t len, struct mica_json_doc **out,
			struct mica_err *err)
{
	struct mica_json_doc *doc;
	json_error_t why;
	json_t *root;
	int ret = doc_check_size(buf, len, err);

	if (ret)
		return ret;
	root = json_loadb(buf, len, JSON_REJECT_DUPLICATES, &why);
	if (!root && json_error_code(&why) == json_error_out_of_memory)
		return mica_err_nomem(err);
	if (!root) {
		/* the text quotes the input: bytes that speak to a terminal stay out */
		for (char *c = why.text; *c; c++)
			if ((unsigned char)*c < ' ' || (unsigned char)*c >= 0x7f)
				*c = '?';
		return mica_err_set(err, MICA_E_INPUT, "JSON: line %d, column %d: %s", why.line,
				    why.column, why.text);
	}
	doc = calloc(1, sizeof(*doc));
	if (!doc) {
		json_decref(root);
		return mica_err_nomem(err);
	}
	doc->root = root;
	*out = doc;
	return 0;
}

void mica_json_doc_free(struct mica_json_doc *doc)
{
	if (!doc)
		return;
	json_decref(doc->root);
	free(doc);
}

const struct mica_json_value *mica_json_doc_root(const struct mica_json_doc *doc)
{
	return (const struct mica_json_value *)doc->root;
}

/* *out NULL: not there. what: "text" */
static int object_member(const struct mica_json_value *object, const char *key, json_type type,
			 const char *what, const json_t **out, struct mica_err *err)
{
	const json_t *v = json_object_get(value_json(object), key);

	if (!json_is_object(value_json(object)))
		return mica_err_set(err, MICA_E_INPUT, "'%s': what should have it is no object",
				    key);
	if (json_is_null(v))
		v = NULL;
	if (v && json_typeof(v) != type)
		return mica_err_set(err, MICA_E_INPUT, "'%s' is no %s", key, what);
	*out = v;
	return 0;
}

int mica_json_get_text(const struct mica_json_value *object, const char *key, const char **out,
		       struct mica_err *err)
{
	const json_t *v = NULL;
	int ret = object_member(object, key, JSON_STRING, "text", &v, err);

	if (!ret)
		*out = json_string_value(v);
	return ret;
}

int mica_json_get_object(const struct mica_json_value *object, const char *key,
			 const struct mica_json_value **out, struct mica_err *err)
{
	const json_t *v = NULL;
	int ret = object_member(object, key, JSON_OBJECT, "object", &v, err);

	if (!ret)
		*out = (const struct mica_json_value *)v;
	return ret;
}

int mica_json_get_list(const struct mica_json_value *object, const char *key,
		       const struct mica_json_value **out, struct mica_err *err)
{
	const json_t *v = NULL;
	int ret = object_member(object, key, JSON_ARRAY, "list", &v, err);

	if (!ret)
		*out = (const struct mica_json_value *)v;
	return ret;
}

int mica_json_get_u64(const struct mica_json_value *object, const char *key, uint64_t *out,
		      struct mica_err *err)
{
	const json_t *v = NULL;
	int ret = object_member(object, key, JSON_INTEGER, "whole number", &v, err);

	if (ret)
		return ret;
	if (!v)
		return mica_err_set(err, MICA_E_INPUT, "'%s' is missing", key);
	if (json_integer_value(v) < 0)
		return mica_err_set(err, MICA_E_INPUT, "'%s': %" JSON_INTEGER_FORMAT " is negative",
				    key, json_integer_value(v));
	*out = (uint64_t)json_integer_value(v);
	return 0;
}

size_t mica_json_list_len(const struct mica_json_value *list)
{
	return json_array_size(value_json(list));
}

const struct mica_json_value *mica_json_list_at(const struct mica_json_value *list, size_t i)
{
	return (const struct mica_json_value *)json_array_get(value_json(list), i);
}

const char *mica_json_text(const struct mica_json_value *value)
{
	return json_string_value(value_json(value));
}
