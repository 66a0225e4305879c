#ifndef ES_CTL_YAML_JSON_H
#define ES_CTL_YAML_JSON_H

#include "base/json.h"

/*
 * YAML as Kubernetes' tools read and write it: to and from JSON values. Unquoted words are what YAML 1.1 says: yes, no,
 * on, off, y and n are booleans too, 010 is 8; a number without a fraction that is not too large for it is an integer
 * even when it is written 1.0, unless !!float stands before it. Times stay texts. `<<` merges. A key that stands twice
 * in a mapping is an error.
 */
struct es_ctl_yaml_document {
	struct es_json value;
	size_t number; /* from 1, empty ones counted */
	size_t line;   /* where it begins, from 1 */
};

/*
 * All documents of a text that are not empty, in `arena`; nothing points into the text. ES_EDECODE with `errmsg`
 * ("line 3, column 5: the key \"a\" stands here twice"); ES_ENOMEM. What aliases stand for is bounded: the values
 * together are not much larger than the text and ES_CTL_YAML_ALIAS_BYTES_MAX.
 */
#define ES_CTL_YAML_ALIAS_BYTES_MAX (16 << 20)
int es_ctl_yaml_parse(struct es_slice text, struct es_arena *arena,
		      struct es_ctl_yaml_document **ret_documents, size_t *ret_count, char *errmsg,
		      size_t errmsg_size);

/* What an unquoted word is. A string stays one: `word` is borrowed. ES_EDECODE: infinity or not a number. */
int es_ctl_yaml_resolve(struct es_slice word, struct es_arena *arena, struct es_json *ret_value);

/* Append a value as a block of lines; es_ctl_yaml_parse reads the very same from it. ES_ENOMEM. */
int es_ctl_yaml_write(struct es_buf *buf, const struct es_json *value);

#endif
