#include "config/config_file.h"

#include <errno.h>
#include <yaml.h>

#include "base/assert.h"
#include "base/status.h"

/*
 * The document is at most two mappings deep, so it is walked, not recursed into: an alias that
 * refers to its own mapping cannot loop us.
 */
enum {
	FILE_BYTES_MAX = 1 << 20,
	KEYS_MAX = 512, /* in one mapping; each is compared with all before it */
};

struct reader {
	struct es_flags *flags;
	yaml_document_t *document;
	const char *path;
	char *errmsg;
	size_t errmsg_size;
};

/* Keys of the nested mappings, and the flag that each stands for. */
struct nested {
	const char *mapping;
	const char *key;
	const char *flag;
};

static const struct nested nested_keys[] = {
	{"client-transport-security", "cert-file", "cert-file"},
	{"client-transport-security", "key-file", "key-file"},
	{"client-transport-security", "client-cert-file", "client-cert-file"},
	{"client-transport-security", "client-key-file", "client-key-file"},
	{"client-transport-security", "client-cert-auth", "client-cert-auth"},
	{"client-transport-security", "trusted-ca-file", "trusted-ca-file"},
	{"client-transport-security", "auto-tls", "auto-tls"},
	{"client-transport-security", "allowed-hostname", "client-cert-allowed-hostname"},
	{"peer-transport-security", "cert-file", "peer-cert-file"},
	{"peer-transport-security", "key-file", "peer-key-file"},
	{"peer-transport-security", "client-cert-file", "peer-client-cert-file"},
	{"peer-transport-security", "client-key-file", "peer-client-key-file"},
	{"peer-transport-security", "client-cert-auth", "peer-client-cert-auth"},
	{"peer-transport-security", "trusted-ca-file", "peer-trusted-ca-file"},
	{"peer-transport-security", "auto-tls", "peer-auto-tls"},
	{"peer-transport-security", "allowed-cn", "peer-cert-allowed-cn"},
	{"peer-transport-security", "allowed-hostname", "peer-cert-allowed-hostname"},
	{"peer-transport-security", "skip-client-san-verification",
	 "peer-skip-client-san-verification"},
	{"socket-options", "reuse-port", "socket-reuse-port"},
	{"socket-options", "reuse-address", "socket-reuse-address"},
	{"discovery-config", "token", "discovery-token"},
};

static int refuse(const struct reader *r, const yaml_mark_t *mark, const char *what,
		  const char *which)
{
	(void)snprintf(r->errmsg, r->errmsg_size, "%s:%zu: %s%s", r->path, mark->line + 1, which,
		       what);
	return ES_EINVAL;
}

/* Would a start without it put data elsewhere, serve somebody else, or make another cluster? */
static bool is_critical(const struct es_flag *flag)
{
	return flag->status == ES_FLAG_LATER || strcmp(flag->name, "data-dir") == 0 ||
	       strncmp(flag->name, "listen-", 7) == 0 || strncmp(flag->name, "initial-", 8) == 0 ||
	       strncmp(flag->name, "tls-", 4) == 0 || strcmp(flag->name, "cipher-suites") == 0;
}

static const char *scalar(const yaml_node_t *node)
{
	return (const char *)node->data.scalar.value;
}

/* A scalar without NUL bytes inside, which would end it early. */
static bool is_text(const yaml_node_t *node)
{
	return node->type == YAML_SCALAR_NODE && strlen(scalar(node)) == node->data.scalar.length;
}

/* Nothing behind the colon, ~, null, or an empty string. */
static bool is_empty(const yaml_node_t *node)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};

	if (node->type != YAML_SCALAR_NODE)
		return false;
	if (node->data.scalar.length == 0)
		return true;
	for (size_t i = 0; i < ES_ARRAY_LEN(nulls); i++)
		if (node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
		    strcmp(scalar(node), nulls[i]) == 0)
			return true;
	return false;
}

/* YAML's other words for the two truths. */
static const char *boolean_word(const char *text)
{
	static const char *const yes[] = {"yes", "Yes", "YES", "on", "On", "ON", "y", "Y"};
	static const char *const no[] = {"no", "No", "NO", "off", "Off", "OFF", "n", "N"};

	for (size_t i = 0; i < ES_ARRAY_LEN(yes); i++) {
		if (strcmp(text, yes[i]) == 0)
			return "true";
		if (strcmp(text, no[i]) == 0)
			return "false";
	}
	return text;
}

static const struct es_flag *flag_of(const char *name)
{
	for (size_t i = 0; i < es_flag_count; i++)
		if (es_flag_table[i].name != NULL && strcmp(es_flag_table[i].name, name) == 0)
			return &es_flag_table[i];
	return NULL;
}

/* The elements of a sequence joined by commas. */
static int join(const struct reader *r, const yaml_node_t *node, const char *name,
		struct es_buf *out)
{
	int rc = 0;

	for (const yaml_node_item_t *item = node->data.sequence.items.start;
	     rc == 0 && item < node->data.sequence.items.top; item++) {
		const yaml_node_t *element = yaml_document_get_node(r->document, *item);

		if (!is_text(element))
			return refuse(r, &element->start_mark, " is a list of texts", name);
		if (out->len > 0)
			rc = es_buf_append_str(out, ",");
		if (rc == 0)
			rc = es_buf_append_str(out, scalar(element));
	}
	return rc == 0 ? es_buf_append(out, "", 1) : rc;
}

/* `nearest` may be NULL; with `critical` it is a slip that must not be passed over. */
static int unknown_key(const struct reader *r, const yaml_node_t *key, const char *nearest,
		       bool critical)
{
	char text[512];

	if (nearest != NULL && critical) {
		(void)snprintf(r->errmsg, r->errmsg_size,
			       "%s:%zu: unknown key: %s (did you mean %s?)", r->path,
			       key->start_mark.line + 1, scalar(key), nearest);
		return ES_EINVAL;
	}
	if (nearest != NULL)
		(void)snprintf(text, sizeof(text),
			       "%s:%zu: unknown key is ignored: %s (did you mean %s?)", r->path,
			       key->start_mark.line + 1, scalar(key), nearest);
	else
		(void)snprintf(text, sizeof(text), "%s:%zu: unknown key is ignored: %s", r->path,
			       key->start_mark.line + 1, scalar(key));
	return es_flags_notice(r->flags, ES_LOG_WARN, text, NULL, NULL);
}

static int set_scalar(const struct reader *r, const yaml_node_t *key, const yaml_node_t *node,
		      const struct es_flag *flag)
{
	const char *text = scalar(node);
	char where[512];
	char nanoseconds[64];
	int64_t ns;

	if (!is_text(node))
		return refuse(r, &node->start_mark, " holds a NUL byte", flag->name);
	if (flag->type == ES_FLAG_BOOL)
		text = boolean_word(text);
	if (flag->type == ES_FLAG_DURATION && es_value_int(text, &ns) == 0) {
		(void)snprintf(nanoseconds, sizeof(nanoseconds), "%lldns", (long long)ns);
		text = nanoseconds;
	}
	(void)snprintf(where, sizeof(where), "%s:%zu: ", r->path, key->start_mark.line + 1);
	return es_flags_set(r->flags, flag->name, text, where, r->errmsg, r->errmsg_size);
}

/* The nearest name of a nested mapping, or, with `mapping`, of a key in it; NULL when none is near.
 * *ret_distance tells how near. */
static const char *nearest_nested(const char *name, const char *mapping, size_t *ret_distance)
{
	size_t best = es_value_edit_distance_far(name);
	const char *nearest = NULL;

	for (size_t i = 0; i < ES_ARRAY_LEN(nested_keys); i++) {
		const struct nested *n = &nested_keys[i];
		const char *other = mapping == NULL ? n->mapping : n->key;
		size_t distance;

		if (mapping != NULL && strcmp(n->mapping, mapping) != 0)
			continue;
		distance = es_value_edit_distance(name, other);
		if (distance < best) {
			best = distance;
			nearest = other;
		}
	}
	*ret_distance = best;
	return nearest;
}

static bool is_security(const char *mapping)
{
	return strstr(mapping, "-transport-security") != NULL;
}

static int unknown_top(const struct reader *r, const yaml_node_t *key, const char *name)
{
	const char *flag = es_flags_nearest(name);
	size_t distance;
	const char *mapping = nearest_nested(name, NULL, &distance);

	if (mapping != NULL && (flag == NULL || distance < es_value_edit_distance(name, flag)))
		return unknown_key(r, key, mapping, is_security(mapping));
	return unknown_key(r, key, flag, flag != NULL && is_critical(flag_of(flag)));
}

static int set(const struct reader *r, const yaml_node_t *key, const yaml_node_t *node,
	       const char *name)
{
	const struct es_flag *flag = flag_of(name);
	struct es_buf joined;
	char where[512];
	int rc;

	if (flag == NULL)
		return unknown_top(r, key, name);
	if (strcmp(name, "version") == 0 || strcmp(name, "config-file") == 0)
		return unknown_key(r, key, NULL, false);
	if (is_empty(node))
		return 0;
	if (node->type == YAML_SCALAR_NODE)
		return set_scalar(r, key, node, flag);
	if (node->type != YAML_SEQUENCE_NODE ||
	    (flag->type != ES_FLAG_LIST && flag->type != ES_FLAG_URLS))
		return refuse(r, &node->start_mark, " takes a single value", name);
	es_buf_init(&joined, es_mem_default());
	rc = join(r, node, name, &joined);
	if (rc == 0) {
		(void)snprintf(where, sizeof(where), "%s:%zu: ", r->path, key->start_mark.line + 1);
		rc = es_flags_set(r->flags, name, (const char *)joined.data, where, r->errmsg,
				  r->errmsg_size);
	}
	es_buf_close(&joined);
	return rc;
}

/* A key that the mapping had before is a mistake that YAML forbids. */
static int check_key(const struct reader *r, const yaml_node_t *mapping,
		     const yaml_node_pair_t *pair)
{
	const yaml_node_t *key = yaml_document_get_node(r->document, pair->key);

	if (!is_text(key))
		return refuse(r, &key->start_mark, "a key is a text", "");
	if (pair - mapping->data.mapping.pairs.start >= KEYS_MAX)
		return refuse(r, &key->start_mark, "too many keys", "");
	for (const yaml_node_pair_t *p = mapping->data.mapping.pairs.start; p < pair; p++) {
		const yaml_node_t *before = yaml_document_get_node(r->document, p->key);

		if (strcmp(scalar(before), scalar(key)) == 0)
			return refuse(r, &key->start_mark, " is given twice", scalar(key));
	}
	return 0;
}

static bool is_nested(const char *mapping)
{
	for (size_t i = 0; i < ES_ARRAY_LEN(nested_keys); i++)
		if (strcmp(nested_keys[i].mapping, mapping) == 0)
			return true;
	return false;
}

static const char *nested_flag(const char *mapping, const char *key)
{
	for (size_t i = 0; i < ES_ARRAY_LEN(nested_keys); i++)
		if (strcmp(nested_keys[i].mapping, mapping) == 0 &&
		    strcmp(nested_keys[i].key, key) == 0)
			return nested_keys[i].flag;
	return NULL;
}

static int unknown_nested(const struct reader *r, const yaml_node_t *key, const char *mapping)
{
	size_t distance;

	return unknown_key(r, key, nearest_nested(scalar(key), mapping, &distance),
			   is_security(mapping));
}

static int read_nested(const struct reader *r, const char *name, const yaml_node_t *mapping)
{
	if (is_empty(mapping))
		return 0;
	if (mapping->type != YAML_MAPPING_NODE)
		return refuse(r, &mapping->start_mark, " holds keys of its own", name);
	for (const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
	     pair < mapping->data.mapping.pairs.top; pair++) {
		const yaml_node_t *key = yaml_document_get_node(r->document, pair->key);
		const yaml_node_t *value = yaml_document_get_node(r->document, pair->value);
		const char *flag;
		int rc = check_key(r, mapping, pair);

		if (rc < 0)
			return rc;
		flag = nested_flag(name, scalar(key));
		rc = flag == NULL ? unknown_nested(r, key, name) : set(r, key, value, flag);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int read_document(const struct reader *r)
{
	const yaml_node_t *root = yaml_document_get_root_node(r->document);

	if (root == NULL || is_empty(root))
		return 0; /* an empty file: all defaults */
	if (root->type != YAML_MAPPING_NODE)
		return refuse(r, &root->start_mark, "the file is not a mapping of keys to values",
			      "");
	for (const yaml_node_pair_t *pair = root->data.mapping.pairs.start;
	     pair < root->data.mapping.pairs.top; pair++) {
		const yaml_node_t *key = yaml_document_get_node(r->document, pair->key);
		const yaml_node_t *value = yaml_document_get_node(r->document, pair->value);
		int rc = check_key(r, root, pair);

		if (rc < 0)
			return rc;
		if (is_nested(scalar(key)))
			rc = read_nested(r, scalar(key), value);
		else
			rc = set(r, key, value, scalar(key));
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int syntax_error(const yaml_parser_t *parser, const char *path, char *errmsg,
			size_t errmsg_size)
{
	if (parser->error == YAML_MEMORY_ERROR)
		return ES_ENOMEM;
	/* Errors of the encoding come without a mark. */
	(void)snprintf(errmsg, errmsg_size, "%s:%zu: %s", path,
		       parser->error == YAML_READER_ERROR ? parser->mark.line + 1
							  : parser->problem_mark.line + 1,
		       parser->problem == NULL ? "not YAML" : parser->problem);
	return ES_EINVAL;
}

int es_config_file_parse(struct es_flags *flags, const char *path, struct es_slice text,
			 char *errmsg, size_t errmsg_size)
{
	yaml_parser_t parser;
	yaml_document_t document;
	struct reader r = {flags, &document, path, errmsg, errmsg_size};
	int rc;

	if (!yaml_parser_initialize(&parser))
		return ES_ENOMEM;
	yaml_parser_set_input_string(&parser, text.len == 0 ? (const unsigned char *)"" : text.data,
				     text.len);
	if (!yaml_parser_load(&parser, &document)) {
		rc = syntax_error(&parser, path, errmsg, errmsg_size);
	} else {
		rc = read_document(&r);
		yaml_document_delete(&document);
	}
	yaml_parser_delete(&parser);
	return rc;
}

static int read_file(FILE *file, struct es_buf *buf)
{
	size_t got;

	do {
		int rc = es_buf_reserve(buf, 4096);

		if (rc < 0)
			return rc;
		got = fread(buf->data + buf->len, 1, 4096, file);
		buf->len += got;
	} while (got > 0 && buf->len <= FILE_BYTES_MAX);
	return ferror(file) != 0 ? ES_EIO : 0;
}

int es_config_file_load(struct es_flags *flags, const char *path, char *errmsg, size_t errmsg_size)
{
	struct es_buf buf;
	FILE *file = fopen(path, "re");
	int rc;

	if (file == NULL) {
		(void)snprintf(errmsg, errmsg_size, "cannot read the configuration file %s: %s",
			       path, strerror(errno));
		return ES_EIO;
	}
	es_buf_init(&buf, es_mem_default());
	rc = read_file(file, &buf);
	if (rc == ES_EIO) {
		(void)snprintf(errmsg, errmsg_size, "cannot read the configuration file %s: %s",
			       path, strerror(errno));
	} else if (rc == 0 && buf.len > FILE_BYTES_MAX) {
		(void)snprintf(errmsg, errmsg_size,
			       "the configuration file %s is larger than 1 MiB", path);
		rc = ES_EINVAL;
	} else if (rc == 0) {
		rc = es_config_file_parse(flags, path, es_buf_slice(&buf), errmsg, errmsg_size);
	}
	(void)fclose(file);
	es_buf_close(&buf);
	return rc;
}

/* ---- file or variables ----------------------------------------------------------------------- */

static const char *config_file_variable(char *const *envp)
{
	static const char name[] = "ETCD_CONFIG_FILE=";

	for (; *envp != NULL; envp++)
		if (strncmp(*envp, name, sizeof(name) - 1) == 0)
			return *envp + sizeof(name) - 1;
	return "";
}

int es_flags_sources(struct es_flags *flags, char *const *envp, char *errmsg, size_t errmsg_size)
{
	const char *path = es_flags_text(flags, "config-file");
	int rc;

	if (es_flags_stray(flags) != NULL) {
		(void)snprintf(errmsg, errmsg_size, "\"%s\" is not a valid flag",
			       es_flags_stray(flags));
		return ES_EINVAL;
	}
	if (*path == '\0')
		path = config_file_variable(envp);
	if (*path == '\0')
		return es_flags_environment(flags, envp, errmsg, errmsg_size);
	es_flags_reset(flags);
	rc = es_flags_set(flags, "config-file", path, "", errmsg, errmsg_size);
	if (rc == 0)
		rc = es_config_file_load(flags, path, errmsg, errmsg_size);
	if (rc < 0)
		return rc;
	return es_flags_notice(flags, ES_LOG_INFO,
			       "loaded server configuration, other configuration command line "
			       "flags and environment "
			       "variables will be ignored if provided",
			       "path", path);
}
