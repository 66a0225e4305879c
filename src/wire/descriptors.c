/*
 * The field numbers are those of google/protobuf/descriptor.proto. What is read is what protoc
 * wrote when this was built, so bytes that do not decode are a mistake of ours.
 */
#include "wire/descriptors.h"

#include <stdio.h>

#include "base/assert.h"
#include "wire/pb.h"

/* Made by embed.py: a FileDescriptorSet. */
extern const unsigned char es_wire_descriptor_set[];
extern const size_t es_wire_descriptor_set_len;

enum { SET_FILE = 1 };
enum { NAME = 1 }; /* in all of them */
enum { FILE_PACKAGE = 2, FILE_DEPENDENCY = 3, FILE_MESSAGE = 4, FILE_ENUM = 5, FILE_SERVICE = 6 };
enum { MESSAGE_FIELD = 2, MESSAGE_NESTED = 3, MESSAGE_ENUM = 4, MESSAGE_ONEOF = 8 };
enum { ENUM_VALUE = 2 };
enum { SERVICE_METHOD = 2 };

enum kind { KIND_FILE, KIND_MESSAGE, KIND_ENUM, KIND_SERVICE, KIND_LEAF };

/* The next field `number` of those that are strings or messages. */
static bool next_of(struct es_pb_reader *reader, uint32_t number, struct es_slice *ret_bytes)
{
	struct es_pb_field field;
	int rc;

	while ((rc = es_pb_next(reader, &field)) > 0)
		if (field.key == ES_PB_KEY(number, ES_PB_BYTES)) {
			*ret_bytes = field.bytes;
			return true;
		}
	ES_ASSERT(rc == 0);
	return false;
}

static bool nth_of(struct es_slice message, uint32_t number, size_t index,
		   struct es_slice *ret_bytes)
{
	struct es_pb_reader reader = es_pb_reader(message);

	while (next_of(&reader, number, ret_bytes))
		if (index-- == 0)
			return true;
	return false;
}

static struct es_slice string_of(struct es_slice message, uint32_t number)
{
	struct es_slice text = {NULL, 0};

	(void)nth_of(message, number, 0, &text);
	return text;
}

static struct es_pb_reader files(void)
{
	return es_pb_reader(es_slice(es_wire_descriptor_set, es_wire_descriptor_set_len));
}

/* `*name` without "prefix." before it. */
static bool strip(struct es_slice prefix, struct es_slice *name)
{
	if (name->len <= prefix.len || name->data[prefix.len] != '.' ||
	    !es_slice_eq(es_slice(name->data, prefix.len), prefix))
		return false;
	*name = es_slice(name->data + prefix.len + 1, name->len - prefix.len - 1);
	return true;
}

static enum kind child_kind(enum kind kind, uint32_t number)
{
	if (kind == KIND_FILE && number == FILE_SERVICE)
		return KIND_SERVICE;
	if ((kind == KIND_FILE && number == FILE_MESSAGE) ||
	    (kind == KIND_MESSAGE && number == MESSAGE_NESTED))
		return KIND_MESSAGE;
	if ((kind == KIND_FILE && number == FILE_ENUM) ||
	    (kind == KIND_MESSAGE && number == MESSAGE_ENUM))
		return KIND_ENUM;
	return KIND_LEAF;
}

static bool declares(struct es_slice message, enum kind kind, struct es_slice name);

static bool child_declares(struct es_slice child, enum kind kind, struct es_slice name)
{
	struct es_slice child_name = string_of(child, NAME);

	if (es_slice_eq(child_name, name))
		return true;
	if (kind == KIND_LEAF)
		return false;
	/* Enum values are named as if they stood beside their enum. */
	return (kind == KIND_ENUM || strip(child_name, &name)) && declares(child, kind, name);
}

/* Does something in `message` have this name, relative to it? */
static bool declares(struct es_slice message, enum kind kind, struct es_slice name)
{
	static const uint32_t children[][4] = {
		[KIND_FILE] = {FILE_MESSAGE, FILE_ENUM, FILE_SERVICE},
		[KIND_MESSAGE] = {MESSAGE_FIELD, MESSAGE_NESTED, MESSAGE_ENUM, MESSAGE_ONEOF},
		[KIND_ENUM] = {ENUM_VALUE},
		[KIND_SERVICE] = {SERVICE_METHOD},
	};
	struct es_slice child;

	for (size_t i = 0; i < ES_ARRAY_LEN(children[kind]) && children[kind][i] != 0; i++) {
		struct es_pb_reader reader = es_pb_reader(message);

		while (next_of(&reader, children[kind][i], &child))
			if (child_declares(child, child_kind(kind, children[kind][i]), name))
				return true;
	}
	return false;
}

struct es_slice es_wire_file_by_name(struct es_slice name)
{
	struct es_pb_reader reader = files();
	struct es_slice file;

	while (next_of(&reader, SET_FILE, &file))
		if (es_slice_eq(string_of(file, NAME), name))
			return file;
	return (struct es_slice){NULL, 0};
}

struct es_slice es_wire_file_by_symbol(struct es_slice symbol)
{
	struct es_pb_reader reader = files();
	struct es_slice file;

	while (next_of(&reader, SET_FILE, &file)) {
		struct es_slice name = symbol;

		if (strip(string_of(file, FILE_PACKAGE), &name) && declares(file, KIND_FILE, name))
			return file;
	}
	return (struct es_slice){NULL, 0};
}

struct es_slice es_wire_file_name(struct es_slice file)
{
	return string_of(file, NAME);
}

bool es_wire_file_import(struct es_slice file, size_t index, struct es_slice *ret_name)
{
	return nth_of(file, FILE_DEPENDENCY, index, ret_name);
}

bool es_wire_service_name(size_t index, char ret_name[ES_WIRE_SERVICE_NAME_MAX])
{
	struct es_pb_reader reader = files();
	struct es_slice file;
	struct es_slice service;

	while (next_of(&reader, SET_FILE, &file)) {
		struct es_slice package = string_of(file, FILE_PACKAGE);
		struct es_pb_reader services = es_pb_reader(file);

		while (next_of(&services, FILE_SERVICE, &service)) {
			struct es_slice name = string_of(service, NAME);
			int len;

			if (index-- > 0)
				continue;
			len = snprintf(ret_name, ES_WIRE_SERVICE_NAME_MAX, "%.*s.%.*s",
				       (int)package.len, (const char *)package.data, (int)name.len,
				       (const char *)name.data);
			ES_ASSERT(len > 0);
			ES_ASSERT(len < ES_WIRE_SERVICE_NAME_MAX);
			return true;
		}
	}
	return false;
}
