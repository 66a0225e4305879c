#include "rpc/internal.h"

static int http1_open(struct es_rpc_conn *conn, void **ret_state)
{
	(void)conn;
	(void)ret_state;
	return ES_EUNIMPLEMENTED;
}

const struct es_rpc_protocol es_rpc_http1 = {.open = http1_open};
