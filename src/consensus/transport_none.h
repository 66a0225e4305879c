#ifndef ES_CONSENSUS_TRANSPORT_NONE_H
#define ES_CONSENSUS_TRANSPORT_NONE_H

#include <raft/uv.h>

/* A transport for a cluster of one: nobody connects, and nobody can be connected to. */
void es_transport_none_init(struct raft_uv_transport *ret_transport);

#endif
