/*
 * Server reflection, versions v1 and v1alpha, which differ in nothing but the name of the package.
 * The descriptors are those of wire/descriptors.h, the services those that the server has.
 */
#include "rpc/internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "wire/descriptors.h"
#include "wire/pb.h"

#define FILES_MAX    32
#define SERVICES_MAX 64

/* Fields of ServerReflectionRequest. */
enum {
	REQUEST_HOST = 1,
	REQUEST_FILE_BY_FILENAME = 3,
	REQUEST_FILE_CONTAINING_SYMBOL = 4,
	REQUEST_FILE_CONTAINING_EXTENSION = 5,
	REQUEST_ALL_EXTENSION_NUMBERS_OF_TYPE = 6,
	REQUEST_LIST_SERVICES = 7,
};

/* Fields of ServerReflectionResponse, and of the messages in it. */
enum {
	RESPONSE_VALID_HOST = 1,
	RESPONSE_ORIGINAL_REQUEST = 2,
	RESPONSE_FILE_DESCRIPTOR = 4,
	RESPONSE_EXTENSION_NUMBERS = 5,
	RESPONSE_LIST_SERVICES = 6,
	RESPONSE_ERROR = 7,
	FILE_DESCRIPTOR_PROTO = 1,
	EXTENSION_BASE_TYPE_NAME = 1,
	LIST_SERVICE = 1,
	SERVICE_NAME = 1,
	ERROR_CODE = 1,
	ERROR_MESSAGE = 2,
};

struct question {
	struct es_slice raw;
	struct es_slice host;
	uint32_t kind; /* the number of the field that asks; 0: none */
	struct es_slice name;
};

static int read_question(struct es_slice bytes, struct question *ret_question)
{
	struct es_pb_reader reader = es_pb_reader(bytes);
	struct es_pb_field field;
	int rc;

	*ret_question = (struct question){.raw = bytes};
	while ((rc = es_pb_next(&reader, &field)) > 0) {
		uint32_t number = field.key >> 3;

		if ((field.key & 7) != ES_PB_BYTES)
			continue;
		if (number == REQUEST_HOST) {
			ret_question->host = field.bytes;
		} else if (number >= REQUEST_FILE_BY_FILENAME && number <= REQUEST_LIST_SERVICES) {
			ret_question->kind = number; /* of a oneof the last counts */
			ret_question->name = field.bytes;
		}
	}
	return rc;
}

/* An answer whose one varying part, `field`, holds `len` bytes. Returns where those go, or NULL. */
static uint8_t *begin_answer(struct es_rpc_call *call, const struct question *question,
			     uint32_t field, size_t len)
{
	size_t size = es_pb_bytes_size(RESPONSE_VALID_HOST, question->host) +
		      es_pb_len_size(RESPONSE_ORIGINAL_REQUEST, question->raw.len) +
		      es_pb_len_size(field, len);
	uint8_t *out = es_rpc_send(call, size);

	if (out == NULL)
		return NULL;
	out = es_pb_write_bytes(out, RESPONSE_VALID_HOST, question->host);
	out = es_pb_write_len(out, RESPONSE_ORIGINAL_REQUEST, question->raw.len);
	if (question->raw.len > 0)
		memcpy(out, question->raw.data, question->raw.len);
	return es_pb_write_len(out + question->raw.len, field, len);
}

static void answer_error(struct es_rpc_call *call, const struct question *question,
			 enum es_grpc_code code, const char *what)
{
	char text[200];
	size_t shown = question->name.len < 100 ? question->name.len : 100;
	struct es_slice message;
	uint8_t *out;

	snprintf(text, sizeof(text), "%s: %.*s", what, (int)shown,
		 (const char *)question->name.data);
	message = es_slice_str(text);
	out = begin_answer(call, question, RESPONSE_ERROR,
			   es_pb_int_size(ERROR_CODE, code) +
				   es_pb_bytes_size(ERROR_MESSAGE, message));
	if (out == NULL)
		return;
	out = es_pb_write_int(out, ERROR_CODE, code);
	es_pb_write_bytes(out, ERROR_MESSAGE, message);
}

/* The file and all that it imports, each once. */
static size_t with_imports(struct es_slice file, struct es_slice files[FILES_MAX])
{
	struct es_slice name;
	size_t count = 1;

	files[0] = file;
	for (size_t i = 0; i < count; i++) {
		for (size_t n = 0; es_wire_file_import(files[i], n, &name); n++) {
			struct es_slice import = es_wire_file_by_name(name);
			bool known = import.len == 0;

			for (size_t k = 0; k < count; k++)
				known |= files[k].data == import.data;
			if (!known && count < FILES_MAX)
				files[count++] = import;
		}
	}
	return count;
}

static void answer_file(struct es_rpc_call *call, const struct question *question,
			struct es_slice file)
{
	struct es_slice files[FILES_MAX];
	size_t count;
	size_t size = 0;
	uint8_t *out;

	if (file.len == 0) {
		answer_error(call, question, ES_GRPC_NOT_FOUND, "not found");
		return;
	}
	count = with_imports(file, files);
	for (size_t i = 0; i < count; i++)
		size += es_pb_bytes_size(FILE_DESCRIPTOR_PROTO, files[i]);
	out = begin_answer(call, question, RESPONSE_FILE_DESCRIPTOR, size);
	for (size_t i = 0; out != NULL && i < count; i++)
		out = es_pb_write_bytes(out, FILE_DESCRIPTOR_PROTO, files[i]);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static size_t services_of(const struct es_rpc_server *server, const char *names[SERVICES_MAX])
{
	size_t count = 0;

	for (const struct es_rpc_entries *block = server->method_blocks; block != NULL;
	     block = block->next) {
		for (size_t i = 0; i < block->count; i++) {
			const char *name = block->entries[i].method->service;
			bool known = false;

			for (size_t k = 0; k < count; k++)
				known |= strcmp(names[k], name) == 0;
			if (!known && count < SERVICES_MAX)
				names[count++] = name;
		}
	}
	qsort(names, count, sizeof(*names), by_text);
	return count;
}

static size_t service_size(const char *name)
{
	return es_pb_bytes_size(SERVICE_NAME, es_slice_str(name));
}

static void answer_services(struct es_rpc_call *call, const struct question *question)
{
	const char *names[SERVICES_MAX];
	size_t count = services_of(es_rpc_call_ctx(call), names);
	size_t size = 0;
	uint8_t *out;

	for (size_t i = 0; i < count; i++)
		size += es_pb_len_size(LIST_SERVICE, service_size(names[i]));
	out = begin_answer(call, question, RESPONSE_LIST_SERVICES, size);
	for (size_t i = 0; out != NULL && i < count; i++) {
		out = es_pb_write_len(out, LIST_SERVICE, service_size(names[i]));
		out = es_pb_write_bytes(out, SERVICE_NAME, es_slice_str(names[i]));
	}
}

/* None of our messages has extensions. */
static void answer_extensions(struct es_rpc_call *call, const struct question *question)
{
	uint8_t *out;

	if (es_wire_file_by_symbol(question->name).len == 0) {
		answer_error(call, question, ES_GRPC_NOT_FOUND, "not found");
		return;
	}
	out = begin_answer(call, question, RESPONSE_EXTENSION_NUMBERS,
			   es_pb_bytes_size(EXTENSION_BASE_TYPE_NAME, question->name));
	if (out != NULL)
		es_pb_write_bytes(out, EXTENSION_BASE_TYPE_NAME, question->name);
}

static void on_message(struct es_rpc_call *call, struct es_slice request)
{
	struct question question;

	if (read_question(request, &question) < 0) {
		es_rpc_finish_status(call, ES_EDECODE);
		return;
	}
	switch (question.kind) {
	case REQUEST_FILE_BY_FILENAME:
		answer_file(call, &question, es_wire_file_by_name(question.name));
		break;
	case REQUEST_FILE_CONTAINING_SYMBOL:
		answer_file(call, &question, es_wire_file_by_symbol(question.name));
		break;
	case REQUEST_FILE_CONTAINING_EXTENSION:
		question.name = es_slice(NULL, 0); /* a message, and not for people */
		answer_error(call, &question, ES_GRPC_NOT_FOUND, "no such extension");
		break;
	case REQUEST_ALL_EXTENSION_NUMBERS_OF_TYPE: answer_extensions(call, &question); break;
	case REQUEST_LIST_SERVICES: answer_services(call, &question); break;
	default: es_rpc_finish(call, ES_GRPC_INVALID_ARGUMENT, "invalid MessageRequest"); break;
	}
}

static void on_half_closed(struct es_rpc_call *call)
{
	es_rpc_finish(call, ES_GRPC_OK, NULL);
}

#define REFLECTION(version)                                                                 \
	{                                                                                   \
		.service = "grpc.reflection." version ".ServerReflection",                  \
		.name = "ServerReflectionInfo", .kind = ES_RPC_BIDI, .message = on_message, \
		.half_closed = on_half_closed                                               \
	}

static const struct es_rpc_method methods[] = {REFLECTION("v1"), REFLECTION("v1alpha")};

int es_rpc_register_reflection(struct es_rpc_server *server)
{
	return es_rpc_register(server, methods, ES_ARRAY_LEN(methods), server);
}
