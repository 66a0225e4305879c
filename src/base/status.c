#include "base/status.h"

const char *es_status_text(int status)
{
	switch (status) {
	case ES_OK: return "ok";
#define X(name, number, grpc, text) \
	case ES_##name: return text;
		ES_STATUS_MAP(X)
#undef X
	}
	return "engenho: unknown error";
}

const char *es_status_name(int status)
{
	switch (status) {
	case ES_OK: return "OK";
#define X(name, number, grpc, text) \
	case ES_##name: return #name;
		ES_STATUS_MAP(X)
#undef X
	}
	return "UNKNOWN";
}

enum es_grpc_code es_status_grpc(int status)
{
	switch (status) {
	case ES_OK: return ES_GRPC_OK;
#define X(name, number, grpc, text) \
	case ES_##name: return ES_GRPC_##grpc;
		ES_STATUS_MAP(X)
#undef X
	}
	return ES_GRPC_UNKNOWN;
}
