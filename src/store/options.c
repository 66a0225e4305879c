#include "store/resource_result.h"

/* What callers fill in, checked. */

const char *es_store_adopt(void *to, size_t size, const void *from)
{
	size_t given, known;

	memcpy(&given, from, sizeof(given));
	known = given < size ? given : size;
	if (given < sizeof(given))
		return "size is not set (ENGENHO_INIT sets it)";
	if (!es_store_is_zero((const char *)from + known, given - known))
		return "a member is set that this version of the library does not know";
	memset(to, 0, size);
	memcpy(to, from, known);
	return NULL;
}

const char *es_store_scope(const char *group, const char *version, const char *kind, const char *ns,
			   struct es_resource_scope *ret_scope)
{
	if (kind == NULL && (group != NULL || version != NULL || ns != NULL))
		return "without a kind it is of every resource: group, version and ns must be NULL";
	if (kind != NULL && version == NULL)
		return "a kind needs its version";
	*ret_scope = (struct es_resource_scope){
		.group = es_store_text(group),
		.version = es_store_text(version),
		.kind = es_store_text(kind),
		.ns = es_store_text(ns),
		.all_namespaces = ns == NULL,
	};
	return NULL;
}
