#ifndef ES_RESOURCE_SCHEMA_TABLE_H
#define ES_RESOURCE_SCHEMA_TABLE_H

#include "resource/schema.h"

/* The form of the generated table. Names are offsets into es_schema_names; offset 0 is the empty one, for "none". */
enum {
	ES_SCHEMA_ATOMIC_MAP = 1 << 0,
	ES_SCHEMA_MERGES = 1 << 1,
	ES_SCHEMA_REPLACES = 1 << 2,
	ES_SCHEMA_RETAINS_KEYS = 1 << 3,
};
#define ES_SCHEMA_KEYS_MAX 4

struct es_schema {
	uint16_t members, member_count; /* in es_schema_members */
	uint16_t items;                 /* in es_schema_nodes, + 1; 0: none */
	uint16_t merge_key, default_value;
	uint8_t keys;      /* in es_schema_key_lists */
	uint8_t list_type; /* enum es_schema_list */
	uint8_t flags;
};

/* A node's members are sorted by name. */
struct es_schema_member {
	uint16_t name, node;
};

/* Sorted by group, version and kind. */
struct es_schema_root {
	uint16_t group, version, kind, node;
};

#define SHORT(...) ((const char *const[]){__VA_ARGS__, NULL})

extern const char es_schema_table_version[];
extern const char es_schema_names[];
extern const struct es_schema es_schema_nodes[];
extern const struct es_schema_member es_schema_members[];
extern const size_t es_schema_root_count;
extern const struct es_schema_root es_schema_roots[];
extern const char *const es_schema_key_lists[][ES_SCHEMA_KEYS_MAX + 1];
extern const size_t es_schema_kind_count;
extern const struct es_schema_kind es_schema_kind_table[];

#endif
