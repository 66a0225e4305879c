#ifndef ES_WIRE_DESCRIPTORS_H
#define ES_WIRE_DESCRIPTORS_H

#include "base/slice.h"

/*
 * The descriptors of the files in proto/, for server reflection. A file is its serialized
 * google.protobuf.FileDescriptorProto; slices are static. Lookups walk the descriptors: some
 * microseconds each.
 */

/* By name, such as "rpc.proto"; empty when there is none. */
struct es_slice es_wire_file_by_name(struct es_slice name);

/* The file that declares `symbol`: the full name of a service, method, message, field, oneof, enum
 * or enum value, such as "etcdserverpb.KV.Range". Empty when there is none. */
struct es_slice es_wire_file_by_symbol(struct es_slice symbol);

/* The name of the file, and of the index-th file that it imports (false: there are fewer). */
struct es_slice es_wire_file_name(struct es_slice file);
bool es_wire_file_import(struct es_slice file, size_t index, struct es_slice *ret_name);

/* The full name of the index-th service of all files, with a NUL behind it; false: there are fewer.
 * Which of them the server has is not known here. */
#define ES_WIRE_SERVICE_NAME_MAX 64
bool es_wire_service_name(size_t index, char ret_name[ES_WIRE_SERVICE_NAME_MAX]);

#endif
