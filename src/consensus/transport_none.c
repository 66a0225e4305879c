#include "consensus/transport_none.h"

static int none_init(struct raft_uv_transport *transport, raft_id id, const char *address)
{
	(void)transport;
	(void)id;
	(void)address;
	return 0;
}

static int none_listen(struct raft_uv_transport *transport, raft_uv_accept_cb accept)
{
	(void)transport;
	(void)accept;
	return 0;
}

static int none_connect(struct raft_uv_transport *transport, struct raft_uv_connect *request,
			raft_id id, const char *address, raft_uv_connect_cb connected)
{
	(void)transport;
	(void)request;
	(void)id;
	(void)address;
	(void)connected;
	return RAFT_NOCONNECTION;
}

/* libraft allows the answer from inside the call. */
static void none_close(struct raft_uv_transport *transport, raft_uv_transport_close_cb closed)
{
	closed(transport);
}

void es_transport_none_init(struct raft_uv_transport *ret_transport)
{
	*ret_transport = (struct raft_uv_transport){
		.init = none_init,
		.listen = none_listen,
		.connect = none_connect,
		.close = none_close,
	};
}
