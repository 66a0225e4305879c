#include "ctl/kinds.h"

#include <strings.h>

static bool equal_any_case(struct es_slice text, const char *name)
{
	return text.len == strlen(name) &&
	       strncasecmp((const char *)text.data, name, text.len) == 0;
}

static bool equal(struct es_slice text, const char *name)
{
	return es_slice_eq(text, es_slice_str(name));
}

/* "v1", "v2beta1". */
static bool is_version(struct es_slice text)
{
	static const char *const stages[] = {"alpha", "beta"};
	size_t i = 1;

	if (text.len < 2 || text.data[0] != 'v')
		return false;
	while (i < text.len && text.data[i] >= '0' && text.data[i] <= '9')
		i++;
	if (i == 1)
		return false;
	for (size_t s = 0; s < 2; s++) {
		size_t len = strlen(stages[s]);

		if (text.len - i > len && memcmp(text.data + i, stages[s], len) == 0) {
			i += len;
			break;
		}
	}
	while (i < text.len && text.data[i] >= '0' && text.data[i] <= '9')
		i++;
	return i == text.len;
}

/* What stands before the first `separator`, and what behind it. False: there is none. */
static bool split(struct es_slice text, uint8_t separator, struct es_slice *ret_head,
		  struct es_slice *ret_tail)
{
	const uint8_t *at = text.len == 0 ? NULL : memchr(text.data, separator, text.len);

	if (at == NULL)
		return false;
	*ret_head = es_slice(text.data, (size_t)(at - text.data));
	*ret_tail = es_slice(at + 1, text.len - ret_head->len - 1);
	return true;
}

static bool has_name(const struct es_schema_kind *kind, struct es_slice name)
{
	if (equal_any_case(name, kind->plural) || equal_any_case(name, kind->singular) ||
	    equal_any_case(name, kind->kind))
		return true;
	for (const char *const *s = kind->short_names; *s != NULL; s++)
		if (equal_any_case(name, *s))
			return true;
	return false;
}

/* The first of the table with that name and group (NULL: any). */
static const struct es_schema_kind *find_name(struct es_slice name, const struct es_slice *group)
{
	size_t count;
	const struct es_schema_kind *kinds = es_schema_kinds(&count);

	for (size_t i = 0; i < count; i++)
		if ((group == NULL || equal(*group, kinds[i].group)) && has_name(&kinds[i], name))
			return &kinds[i];
	return NULL;
}

const struct es_schema_kind *es_ctl_kind_find(struct es_slice group, struct es_slice kind)
{
	size_t count;
	const struct es_schema_kind *kinds = es_schema_kinds(&count);

	for (size_t i = 0; i < count; i++)
		if (equal(group, kinds[i].group) && equal(kind, kinds[i].kind))
			return &kinds[i];
	return NULL;
}

static bool give_built_in(const struct es_schema_kind *built_in, struct es_slice version,
			  struct es_ctl_kind *ret_kind)
{
	if (built_in == NULL)
		return false;
	*ret_kind = (struct es_ctl_kind){es_slice_str(built_in->group), version,
					 es_slice_str(built_in->kind), built_in};
	if (version.len == 0)
		ret_kind->version = es_slice_str(built_in->version);
	return true;
}

static bool give(struct es_slice group, struct es_slice version, struct es_slice kind,
		 struct es_ctl_kind *ret_kind)
{
	if (version.len == 0 || kind.len == 0)
		return false;
	*ret_kind = (struct es_ctl_kind){group, version, kind, es_ctl_kind_find(group, kind)};
	return true;
}

/* "pods", "deployments.apps", "deployments.v1.apps" */
static bool parse_word(struct es_slice text, struct es_ctl_kind *ret_kind)
{
	struct es_slice none = es_slice("", 0), name, rest, version;

	if (!split(text, '.', &name, &rest))
		return text.len > 0 && give_built_in(find_name(text, NULL), none, ret_kind);
	if (give_built_in(find_name(name, &rest), none, ret_kind))
		return true;
	if (is_version(rest)) /* "pods.v1" is of the core group */
		return give_built_in(find_name(name, &none), rest, ret_kind);
	return split(rest, '.', &version, &rest) && is_version(version) &&
	       give_built_in(find_name(name, &rest), version, ret_kind);
}

bool es_ctl_kind_parse(struct es_slice text, struct es_ctl_kind *ret_kind)
{
	struct es_slice first, second, rest;

	if (!split(text, '/', &first, &rest))
		return parse_word(text, ret_kind);
	if (!split(rest, '/', &second, &rest))
		return is_version(first) && give(es_slice("", 0), first, rest, ret_kind);
	/* "v1/Pod/a" is the core Pod a, and no kind "a" of the group v1. */
	if (memchr(rest.data, '/', rest.len) != NULL || first.len == 0 ||
	    (is_version(first) && !is_version(second)))
		return false;
	return give(first, second, rest, ret_kind);
}

bool es_ctl_kind_parse_named(struct es_slice text, struct es_ctl_kind *ret_kind,
			     struct es_slice *ret_name)
{
	const uint8_t *slash = text.len == 0 ? NULL : memrchr(text.data, '/', text.len);
	struct es_slice head;

	if (slash == NULL)
		return false;
	head = es_slice(text.data, (size_t)(slash - text.data));
	*ret_name = es_slice(slash + 1, text.len - head.len - 1);
	return ret_name->len > 0 && es_ctl_kind_parse(head, ret_kind);
}

bool es_ctl_kind_of(struct es_slice api_version, struct es_slice kind, struct es_ctl_kind *ret_kind)
{
	struct es_slice group = es_slice("", 0), version = api_version;

	if (split(api_version, '/', &group, &version) && group.len == 0)
		return false;
	if (version.len > 0 && memchr(version.data, '/', version.len) != NULL)
		return false;
	return give(group, version, kind, ret_kind);
}

bool es_ctl_same_kind(const struct es_resource_key *a, const struct es_resource_key *b)
{
	return es_slice_eq(a->group, b->group) && es_slice_eq(a->version, b->version) &&
	       es_slice_eq(a->kind, b->kind);
}

int es_ctl_kind_write(struct es_buf *buf, struct es_slice group, struct es_slice kind)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < kind.len; i++) {
		uint8_t c = kind.data[i];

		rc = es_buf_append_u8(buf, c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c);
	}
	if (rc == 0 && group.len > 0)
		rc = es_buf_append_u8(buf, '.');
	return rc == 0 ? es_buf_append_slice(buf, group) : rc;
}
