#include "rpc/internal.h"

/*
 * What a request's header fields must be (RFC 9113, section 8). nghttp2 would check it too, but it
 * refuses an :authority that is no host, and etcdctl 3.4 and other clients built on old versions of
 * grpc-go send the whole endpoint there, "http://127.0.0.1:2379", or the path of a unix socket. etcd
 * takes them, and nobody reads the field here. So nghttp2's checks are off, and these are ours: the
 * same but for that.
 *
 * A pseudo field that is wrong, twice there or behind a regular one makes the request malformed, as
 * do fields that belong to one connection. Other fields that are wrong are passed over.
 */
enum {
	METHOD = 1 << 0,
	SCHEME = 1 << 1,
	AUTHORITY = 1 << 2,
	PATH = 1 << 3,
	REGULAR = 1 << 4,
};

static bool is_name(struct es_slice name, const char *text)
{
	return es_slice_eq(name, es_slice_str(text));
}

static bool is_printable(struct es_slice value)
{
	for (size_t i = 0; i < value.len; i++) {
		if (value.data[i] <= 0x20 || value.data[i] >= 0x7f)
			return false;
	}
	return true;
}

static enum es_field_check check_pseudo(unsigned *seen, struct es_slice name, struct es_slice value)
{
	unsigned bit;
	bool good;

	if (is_name(name, ":method")) {
		bit = METHOD;
		good = nghttp2_check_method(value.data, value.len) != 0;
	} else if (is_name(name, ":scheme")) {
		bit = SCHEME;
		good = value.len > 0 && is_printable(value);
	} else if (is_name(name, ":authority")) {
		bit = AUTHORITY;
		good = is_printable(value);
	} else if (is_name(name, ":path")) {
		bit = PATH;
		good = value.len > 0 && nghttp2_check_path(value.data, value.len) != 0;
	} else {
		return ES_FIELD_MALFORMED;
	}
	if (!good || (*seen & (bit | REGULAR)) != 0)
		return ES_FIELD_MALFORMED;
	*seen |= bit;
	return ES_FIELD_GOOD;
}

static bool is_of_connection(struct es_slice name)
{
	static const char *const names[] = {"connection", "keep-alive", "proxy-connection",
					    "transfer-encoding", "upgrade"};

	for (size_t i = 0; i < ES_ARRAY_LEN(names); i++) {
		if (is_name(name, names[i]))
			return true;
	}
	return false;
}

static bool is_length(struct es_slice value)
{
	for (size_t i = 0; i < value.len; i++) {
		if (value.data[i] < '0' || value.data[i] > '9')
			return false;
	}
	return value.len > 0 && value.len < 20;
}

enum es_field_check es_field_check(unsigned *seen, struct es_slice name, struct es_slice value)
{
	if (name.len > 0 && name.data[0] == ':')
		return check_pseudo(seen, name, value);
	*seen |= REGULAR;
	if (nghttp2_check_header_name(name.data, name.len) == 0 ||
	    nghttp2_check_header_value(value.data, value.len) == 0)
		return ES_FIELD_IGNORED;
	if (is_of_connection(name) ||
	    (is_name(name, "te") && !es_slice_eq(value, ES_SLICE("trailers"))) ||
	    (is_name(name, "content-length") && !is_length(value)))
		return ES_FIELD_MALFORMED;
	return ES_FIELD_GOOD;
}

bool es_fields_are_complete(unsigned seen)
{
	return (seen & (METHOD | SCHEME | PATH)) == (METHOD | SCHEME | PATH);
}
