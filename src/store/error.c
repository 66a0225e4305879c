#include <stdio.h>
#include <string.h>

#include "store/internal.h"

static const char *const kinds[] = {
	[ENGENHO_OK] = "ok",
	[ENGENHO_INVALID] = "invalid",
	[ENGENHO_NOT_FOUND] = "not_found",
	[ENGENHO_EXISTS] = "exists",
	[ENGENHO_COMPACTED] = "compacted",
	[ENGENHO_FUTURE] = "future",
	[ENGENHO_TIMEOUT] = "timeout",
	[ENGENHO_UNAVAILABLE] = "unavailable",
	[ENGENHO_NO_SPACE] = "no_space",
	[ENGENHO_TOO_LARGE] = "too_large",
	[ENGENHO_NO_MEMORY] = "no_memory",
	[ENGENHO_IO] = "io",
	[ENGENHO_CORRUPT] = "corrupt",
	[ENGENHO_LOCKED] = "locked",
	[ENGENHO_UNSUPPORTED] = "unsupported",
	[ENGENHO_CATALOG] = "catalog",
	[ENGENHO_END] = "end",
	[ENGENHO_INTERNAL] = "internal",
	[ENGENHO_BUSY] = "busy",
};

const char *engenho_code_kind(engenho_code code)
{
	return (size_t)code < ES_ARRAY_LEN(kinds) ? kinds[code] : "internal";
}

const char *engenho_version(void)
{
	return ENGENHO_VERSION;
}

engenho_code es_store_code(int status)
{
	switch (status) {
	case 0: return ENGENHO_OK;
	case ES_ENOMEM: return ENGENHO_NO_MEMORY;
	case ES_EIO: return ENGENHO_IO;
	case ES_ENOSPC:
	case ES_ENOSPACE: return ENGENHO_NO_SPACE;
	case ES_EINVAL:
	case ES_EDECODE:
	case ES_EEMPTY_KEY:
	case ES_EKEY_NOT_FOUND:
	case ES_EVALUE_PROVIDED:
	case ES_ELEASE_PROVIDED:
	case ES_ETOO_MANY_OPS:
	case ES_EDUPLICATE_KEY:
	case ES_EINVALID_SORT:
	case ES_ELEASE_TTL_TOO_LARGE: return ENGENHO_INVALID;
	case ES_EEXIST:
	case ES_ELEASE_EXIST: return ENGENHO_EXISTS;
	case ES_ENOENT:
	case ES_ELEASE_NOT_FOUND: return ENGENHO_NOT_FOUND;
	case ES_EBUSY: return ENGENHO_LOCKED;
	case ES_ECOMPACTED: return ENGENHO_COMPACTED;
	case ES_EFUTURE_REV: return ENGENHO_FUTURE;
	case ES_ETOO_LARGE: return ENGENHO_TOO_LARGE;
	case ES_ETIMEOUT: return ENGENHO_TIMEOUT;
	case ES_ETOO_MANY_REQUESTS: return ENGENHO_BUSY;
	case ES_ECANCELED:
	case ES_ENO_LEADER:
	case ES_ENOT_LEADER:
	case ES_ELEADER_CHANGED:
	case ES_ESTOPPED: return ENGENHO_UNAVAILABLE;
	case ES_ECORRUPT:
	case ES_ECORRUPT_MEMBER:
	case ES_ETRUNCATED: return ENGENHO_CORRUPT;
	case ES_EUNIMPLEMENTED:
	case ES_EFORMAT: return ENGENHO_UNSUPPORTED;
	default: return ENGENHO_INTERNAL;
	}
}

engenho_code es_store_fail_as(engenho_error *error, engenho_code code, const char *text)
{
	if (error == NULL)
		return code;
	memset(error->reserved, 0, sizeof(error->reserved));
	error->code = code;
	error->kind = engenho_code_kind(code);
	if (text != error->message)
		(void)snprintf(error->message, sizeof(error->message), "%s", text);
	return code;
}

/* Who speaks is for clients on a wire. */
static const char *without_prefix(const char *text)
{
	static const char *const prefixes[] = {"etcdserver: ", "mvcc: ", "grpc: ", "engenho: "};

	for (size_t i = 0; i < ES_ARRAY_LEN(prefixes); i++) {
		size_t len = strlen(prefixes[i]);

		if (strncmp(text, prefixes[i], len) == 0)
			text += len;
	}
	return text;
}

engenho_code es_store_fail(engenho_error *error, int status, const char *text)
{
	return es_store_fail_as(error, es_store_code(status),
				without_prefix(text != NULL ? text : es_status_text(status)));
}

engenho_code es_store_give_error(engenho_error *error, const engenho_error *from)
{
	if (error != NULL && from->code != ENGENHO_OK)
		*error = *from;
	return from->code;
}
