#ifndef ES_RESOURCE_TOKEN_H
#define ES_RESOURCE_TOKEN_H

#include "base/buf.h"
#include "base/status.h"

/*
 * Continue tokens: where a paged list goes on, and at which revision. Opaque text (base64url without padding) of a
 * version byte, the revision, how much is left, the path of the last object given and a BLAKE3 tag keyed with the
 * cluster's id over all of it and over `query` (scope and selectors; docs/formats/continue-token.md), so a token that
 * was altered, or is used with another list, is found out. Not a secret. Pure.
 */
struct es_token {
	int64_t revision;
	uint64_t remaining; /* objects of the list behind last_path, at that revision */
	struct es_slice last_path;
};

/* Appended; `revision` is above 0 (asserted). ES_ENOMEM. */
int es_token_encode(struct es_buf *buf, const struct es_token *token, uint64_t cluster_id,
		    struct es_slice query);
/* ES_EINVAL: not a token of this list ("invalid continue token"). `arena` backs the path. ES_ENOMEM. */
int es_token_decode(struct es_slice text, uint64_t cluster_id, struct es_slice query,
		    struct es_arena *arena, struct es_token *ret_token);

#endif
