/*
 * A load generator for stores that speak etcd's gRPC API over plain HTTP/2: one thread, N
 * connections, M requests in flight, each answered one replaced at once (a closed loop). One
 * operation per run; the result is one line of JSON.
 *
 * It depends on no part of the store, so that it measures any of them alike. Requests are a few
 * protobuf fields written by hand; of an answer only what the next request needs is read. A request
 * that fails is counted, never repeated.
 *
 *   I1  A slot has exactly one request in flight, or is idle because all requests were handed out.
 *   I2  What a slot sends stays unchanged until its stream is closed.
 *   I3  Keys of a transaction belong to one slot: its compare holds unless something else writes.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* The last three are of engenho.v1.ResourceStore: config maps of --value-bytes of JSON. */
enum op {
	OP_PUT,
	OP_GET,
	OP_TXN,
	OP_PAGE,
	OP_COUNT,
	OP_WATCH,
	OP_RESOURCE_PUT,
	OP_RESOURCE_PATCH,
	OP_RESOURCE_PAGE,
};

static const struct {
	const char *name, *path;
} ops[] = {
	{"put", "/etcdserverpb.KV/Put"},
	{"get", "/etcdserverpb.KV/Range"},
	{"txn", "/etcdserverpb.KV/Txn"},
	{"page", "/etcdserverpb.KV/Range"},
	{"count", "/etcdserverpb.KV/Range"},
	{"watch", "/etcdserverpb.KV/Put"},
	{"resource-put", "/engenho.v1.ResourceStore/Put"},
	{"resource-patch", "/engenho.v1.ResourceStore/Patch"},
	{"resource-page", "/engenho.v1.ResourceStore/List"},
};

static struct {
	enum op op;
	const char *host;
	int port;
	size_t connections, in_flight, watchers;
	uint64_t requests, keys;
	double seconds_max;
	const char *prefix;
	size_t key_bytes, value_bytes;
	int64_t limit;
	bool serializable, random, keys_only;
} opt = {
	.host = "127.0.0.1",
	.port = 2379,
	.connections = 1,
	.in_flight = 1,
	.requests = 10000,
	.keys = 10000,
	.seconds_max = 600,
	.prefix = "/registry/bench/",
	.key_bytes = 33,
	.value_bytes = 256,
	.limit = 500,
};

#define REQUEST_BYTES_MAX (64 << 10)
#define KEY_BYTES_MAX     1024

/* One request in flight, or one watch. */
struct slot {
	struct conn *conn;
	int32_t stream;
	bool is_watch;
	uint64_t begin_ns;
	uint64_t key;      /* its number */
	uint64_t next_key; /* txn: the slot's own keys are first, first + in_flight, ... */
	uint8_t *request;  /* with the 5 bytes of the gRPC frame */
	size_t request_len, request_sent;
	uint8_t *answer;
	size_t answer_len, answer_cap;
	bool ok; /* trailers said grpc-status 0 */
	/* Paging. */
	uint8_t last_key[KEY_BYTES_MAX];
	size_t last_key_len;
	int64_t revision;
};

struct conn {
	int fd;
	nghttp2_session *session;
	uint8_t *out; /* what the socket did not take */
	size_t out_len, out_cap;
	bool want_write;
};

static struct conn *conns;
static struct slot *slots, *watches;
static int64_t *mod_revisions; /* txn: of each key, 0 when absent */
static uint8_t *value;
static int epoll_fd;

static uint64_t issued, completed, failed, bytes_received;
static uint64_t watches_created, events_seen;
static uint64_t listed_keys;
static uint32_t *latencies; /* microseconds */
static size_t latency_count, latency_cap;
static uint64_t begin_ns, last_ns;
static uint64_t rng = 0x9e3779b97f4a7c15;

static void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

static void die(const char *format, ...)
{
	va_list args;

	fputs("load: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

static void *grow(void *pointer, size_t size)
{
	void *grown = realloc(pointer, size);

	if (grown == NULL)
		die("out of memory");
	return grown;
}

static void *zeroed(size_t count, size_t size)
{
	void *made = calloc(count, size);

	if (made == NULL)
		die("out of memory");
	return made;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t next_random(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng;
}

static void record(uint64_t ns)
{
	if (latency_count == latency_cap) {
		latency_cap = latency_cap == 0 ? 1 << 16 : latency_cap * 2;
		latencies = grow(latencies, latency_cap * sizeof(*latencies));
	}
	latencies[latency_count++] = (uint32_t)(ns / 1000);
}

/* ---- protobuf -------------------------------------------------------------------------------- */

struct out {
	uint8_t *p;
};

static void put_varint(struct out *o, uint64_t v)
{
	while (v >= 0x80) {
		*o->p++ = (uint8_t)(v | 0x80);
		v >>= 7;
	}
	*o->p++ = (uint8_t)v;
}

static void put_number(struct out *o, unsigned field, uint64_t v)
{
	if (v != 0) {
		put_varint(o, field << 3);
		put_varint(o, v);
	}
}

static void put_bytes(struct out *o, unsigned field, const void *data, size_t len)
{
	put_varint(o, field << 3 | 2);
	put_varint(o, len);
	memcpy(o->p, data, len);
	o->p += len;
}

/* The next field; false at the end or when the message is broken. Bytes are returned by reference.
 */
static bool next_field(const uint8_t **p, const uint8_t *end, unsigned *field, uint64_t *number,
		       const uint8_t **data)
{
	uint64_t parts[2] = {0, 0};

	for (int i = 0; i < 2; i++) {
		unsigned shift = 0;

		do {
			if (*p >= end || shift > 63)
				return false;
			parts[i] |= (uint64_t)(**p & 0x7f) << shift;
			shift += 7;
		} while ((*(*p)++ & 0x80) != 0);
	}
	*field = (unsigned)(parts[0] >> 3);
	*number = parts[1];
	*data = NULL;
	if ((parts[0] & 7) == 2) {
		if (parts[1] > (uint64_t)(end - *p))
			return false;
		*data = *p;
		*p += parts[1];
	}
	return true;
}

/* The first occurrence of a field: true when it is there. */
static bool find_field(const uint8_t *p, size_t len, unsigned wanted, uint64_t *number,
		       const uint8_t **data)
{
	const uint8_t *end = p + len;
	unsigned field;

	while (next_field(&p, end, &field, number, data)) {
		if (field == wanted)
			return true;
	}
	return false;
}

/* ---- requests -------------------------------------------------------------------------------- */

static size_t write_key(uint8_t *out, uint64_t number)
{
	size_t prefix = strlen(opt.prefix);
	int digits = (int)(opt.key_bytes - prefix);
	char text[40];

	memcpy(out, opt.prefix, prefix);
	snprintf(text, sizeof(text), "%0*" PRIu64, digits, number);
	memcpy(out + prefix, text, (size_t)digits);
	return opt.key_bytes;
}

static size_t prefix_end(uint8_t *out)
{
	size_t len = strlen(opt.prefix);

	memcpy(out, opt.prefix, len);
	out[len - 1]++;
	return len;
}

static void write_put(struct out *o, const uint8_t *key, size_t key_len)
{
	uint64_t now = now_ns();

	memcpy(value, &now, opt.value_bytes < 8 ? opt.value_bytes : 8);
	put_bytes(o, 1, key, key_len);
	put_bytes(o, 2, value, opt.value_bytes);
}

/* What kube-apiserver sends for a create or update: if the key is as I know it, put it, else tell
 * me what it is. */
static void write_txn(struct out *o, const uint8_t *key, size_t key_len, int64_t revision)
{
	static uint8_t inner[REQUEST_BYTES_MAX / 2], outer[REQUEST_BYTES_MAX / 2];
	struct out compare = {inner}, put, op;

	put_number(&compare, 2, 2); /* MOD */
	put_bytes(&compare, 3, key, key_len);
	put_varint(&compare, 6 << 3);
	put_varint(&compare, (uint64_t)revision);
	put_bytes(o, 1, inner, (size_t)(compare.p - inner));

	put.p = inner;
	write_put(&put, key, key_len);
	op.p = outer;
	put_bytes(&op, 2, inner, (size_t)(put.p - inner));
	put_bytes(o, 2, outer, (size_t)(op.p - outer));

	put.p = inner;
	put_bytes(&put, 1, key, key_len);
	op.p = outer;
	put_bytes(&op, 1, inner, (size_t)(put.p - inner));
	put_bytes(o, 3, outer, (size_t)(op.p - outer));
}

static void write_range(struct out *o, const struct slot *s, const uint8_t *key, size_t key_len)
{
	uint8_t end[KEY_BYTES_MAX];

	put_bytes(o, 1, key, key_len);
	if (opt.op == OP_PAGE || opt.op == OP_COUNT)
		put_bytes(o, 2, end, prefix_end(end));
	if (opt.op == OP_PAGE) {
		put_number(o, 3, (uint64_t)opt.limit);
		put_number(o, 4, (uint64_t)s->revision);
	}
	put_number(o, 7, opt.serializable);
	put_number(o, 8, opt.keys_only);
	put_number(o, 9, opt.op == OP_COUNT);
}

static void write_watch(struct out *o)
{
	uint8_t end[KEY_BYTES_MAX], create[2 * KEY_BYTES_MAX];
	struct out inner = {create};

	put_bytes(&inner, 1, opt.prefix, strlen(opt.prefix));
	put_bytes(&inner, 2, end, prefix_end(end));
	put_bytes(o, 1, create, (size_t)(inner.p - create));
}

/* The key of a config map, or its first fields, which are those of a list, too. */
static void write_kind(struct out *o)
{
	put_bytes(o, 2, "v1", 2);
	put_bytes(o, 3, "ConfigMap", 9);
}

static void write_resource(struct out *o, uint64_t number)
{
	uint8_t key[128];
	struct out inner = {key};
	char name[32];
	int len = snprintf(name, sizeof(name), "n%015" PRIu64, number);

	write_kind(&inner);
	put_bytes(&inner, 4, "default", 7);
	put_bytes(&inner, 5, name, (size_t)len);
	put_bytes(o, 1, key, (size_t)(inner.p - key));
	/* No two are alike: a put of what is there changes nothing. */
	len = snprintf((char *)value, opt.value_bytes + 64, "{\"data\":{\"n\":\"%" PRIu64 "\"",
		       begin_ns + issued);
	if (opt.op == OP_RESOURCE_PUT && (size_t)len + 9 <= opt.value_bytes) {
		memcpy(value + len, ",\"p\":\"", 6);
		memset(value + len + 6, 'x', opt.value_bytes - (size_t)len - 9);
		memcpy(value + opt.value_bytes - 3, "\"}}", 3);
		len = (int)opt.value_bytes;
	} else {
		memcpy(value + len, "}}", 2);
		len += 2;
	}
	put_bytes(o, 2, value, (size_t)len);
}

static void write_list(struct out *o, const struct slot *s)
{
	write_kind(o);
	put_number(o, 7, (uint64_t)opt.limit);
	if (s->last_key_len > 0)
		put_bytes(o, 8, s->last_key, s->last_key_len);
}

static void write_request(struct slot *s)
{
	struct out o = {s->request + 5};
	uint8_t key[KEY_BYTES_MAX];
	size_t len;

	if (s->is_watch) {
		write_watch(&o);
	} else if (opt.op == OP_RESOURCE_PAGE) {
		write_list(&o, s);
	} else if (opt.op == OP_RESOURCE_PUT || opt.op == OP_RESOURCE_PATCH) {
		write_resource(&o, opt.random ? next_random() % opt.keys : issued % opt.keys);
	} else if (opt.op == OP_PAGE || opt.op == OP_COUNT) {
		if (s->last_key_len != 0)
			write_range(&o, s, s->last_key, s->last_key_len);
		else
			write_range(&o, s, (const uint8_t *)opt.prefix, strlen(opt.prefix));
	} else {
		s->key = opt.random ? next_random() % opt.keys : issued % opt.keys;
		if (opt.op == OP_TXN) {
			s->key = s->next_key;
			s->next_key += opt.in_flight;
			if (s->next_key >= opt.keys)
				s->next_key %= opt.in_flight;
		}
		len = write_key(key, s->key);
		if (opt.op == OP_GET)
			write_range(&o, s, key, len);
		else if (opt.op == OP_TXN)
			write_txn(&o, key, len, mod_revisions[s->key]);
		else
			write_put(&o, key, len);
	}
	s->request_len = (size_t)(o.p - s->request);
	len = s->request_len - 5;
	s->request[0] = 0;
	for (int i = 0; i < 4; i++)
		s->request[1 + i] = (uint8_t)(len >> (24 - 8 * i));
	s->request_sent = 0;
}

/* ---- answers --------------------------------------------------------------------------------- */

static int64_t header_revision(const uint8_t *message, size_t len)
{
	const uint8_t *data, *ignored;
	uint64_t number, revision;

	if (!find_field(message, len, 1, &number, &data) || data == NULL ||
	    !find_field(data, number, 3, &revision, &ignored))
		return 0;
	return (int64_t)revision;
}

/* A page of a list of resources: its token asks for the next one. */
static bool take_list(struct slot *s, const uint8_t *message, size_t len)
{
	const uint8_t *p = message, *end = message + len, *data;
	uint64_t number;
	unsigned field;

	s->last_key_len = 0;
	while (next_field(&p, end, &field, &number, &data)) {
		listed_keys += field == 1;
		if (field == 3 && data != NULL && number <= KEY_BYTES_MAX) {
			memcpy(s->last_key, data, number);
			s->last_key_len = number;
		}
	}
	return s->last_key_len > 0;
}

/* Learns what the next request of this slot needs. Returns true when the answer asks for another
 * one at once (a page). */
static bool take_answer(struct slot *s, const uint8_t *message, size_t len)
{
	const uint8_t *p = message, *end = message + len, *data, *last = NULL;
	uint64_t number, last_len = 0;
	unsigned field;
	bool more = false, succeeded = false;

	if (opt.op == OP_TXN) {
		succeeded = find_field(message, len, 2, &number, &data);
		if (!succeeded)
			failed++;
		else
			mod_revisions[s->key] = header_revision(message, len);
		return false;
	}
	if (opt.op == OP_RESOURCE_PAGE)
		return take_list(s, message, len);
	if ((opt.op == OP_RESOURCE_PUT || opt.op == OP_RESOURCE_PATCH) &&
	    find_field(message, len, 1, &number, &data) && number > 2)
		failed++; /* no Created, Replaced or Patched */
	if (opt.op != OP_PAGE)
		return false;
	while (next_field(&p, end, &field, &number, &data)) {
		if (field == 2 && data != NULL) {
			listed_keys++;
			last = data;
			last_len = number;
		} else if (field == 3) {
			more = number != 0;
		}
	}
	if (s->revision == 0)
		s->revision = header_revision(message, len);
	if (!more || last == NULL || !find_field(last, last_len, 1, &number, &data) ||
	    number + 1 > KEY_BYTES_MAX)
		return false;
	memcpy(s->last_key, data, number);
	s->last_key[number] = 0; /* the smallest key behind it */
	s->last_key_len = number + 1;
	return true;
}

static void take_watch_message(const uint8_t *message, size_t len)
{
	const uint8_t *p = message, *end = message + len, *data, *kv, *v;
	uint64_t number, kv_len, v_len, sent;
	unsigned field;

	while (next_field(&p, end, &field, &number, &data)) {
		if (field == 3 && number != 0)
			watches_created++;
		if (field != 11 || data == NULL)
			continue;
		events_seen++;
		if (find_field(data, number, 2, &kv_len, &kv) &&
		    find_field(kv, kv_len, 5, &v_len, &v) && v_len >= 8) {
			memcpy(&sent, v, 8);
			last_ns = now_ns();
			record(last_ns - sent);
		}
	}
}

/* All whole messages of a watch stream; what is left waits for more bytes. */
static void take_watch_bytes(struct slot *s)
{
	size_t at = 0;

	while (s->answer_len - at >= 5) {
		const uint8_t *h = s->answer + at;
		size_t len = (size_t)h[1] << 24 | (size_t)h[2] << 16 | (size_t)h[3] << 8 | h[4];

		if (s->answer_len - at - 5 < len)
			break;
		take_watch_message(h + 5, len);
		at += 5 + len;
	}
	memmove(s->answer, s->answer + at, s->answer_len - at);
	s->answer_len -= at;
}

/* ---- HTTP/2 ---------------------------------------------------------------------------------- */

static ssize_t read_request(nghttp2_session *session, int32_t stream, uint8_t *buf, size_t len,
			    uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	struct slot *s = source->ptr;
	size_t left = s->request_len - s->request_sent;

	(void)session, (void)stream, (void)arg;
	if (left == 0) /* only watches come here again: their stream stays open */
		return NGHTTP2_ERR_DEFERRED;
	if (len > left)
		len = left;
	memcpy(buf, s->request + s->request_sent, len);
	s->request_sent += len;
	if (s->request_sent == s->request_len && !s->is_watch)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)len;
}

#define HEADER(name, value)                                                         \
	{                                                                           \
		(uint8_t *)(name), (uint8_t *)(value), strlen(name), strlen(value), \
			NGHTTP2_NV_FLAG_NONE                                        \
	}

static void submit(struct slot *s)
{
	const char *path = s->is_watch ? "/etcdserverpb.Watch/Watch" : ops[opt.op].path;
	nghttp2_nv headers[] = {
		HEADER(":method", "POST"),
		HEADER(":scheme", "http"),
		HEADER(":path", path),
		HEADER(":authority", opt.host),
		HEADER("content-type", "application/grpc"),
		HEADER("te", "trailers"),
	};
	nghttp2_data_provider body = {.source.ptr = s, .read_callback = read_request};

	write_request(s);
	s->answer_len = 0;
	s->ok = false;
	s->begin_ns = now_ns();
	s->stream = nghttp2_submit_request(s->conn->session, NULL, headers,
					   sizeof(headers) / sizeof(headers[0]), &body, s);
	if (s->stream < 0)
		die("submit: %s", nghttp2_strerror(s->stream));
}

static bool may_issue(void)
{
	return issued < opt.requests && (double)(now_ns() - begin_ns) < opt.seconds_max * 1e9;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_len, const uint8_t *text, size_t len, uint8_t flags, void *arg)
{
	struct slot *s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

	(void)flags, (void)arg;
	if (s != NULL && name_len == 11 && memcmp(name, "grpc-status", 11) == 0)
		s->ok = len == 1 && text[0] == '0';
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data,
		   size_t len, void *arg)
{
	struct slot *s = nghttp2_session_get_stream_user_data(session, stream);

	(void)flags, (void)arg;
	bytes_received += len;
	if (s == NULL)
		return 0;
	if (s->answer_len + len > s->answer_cap) {
		s->answer_cap = 2 * (s->answer_len + len);
		s->answer = grow(s->answer, s->answer_cap);
	}
	memcpy(s->answer + s->answer_len, data, len);
	s->answer_len += len;
	if (s->is_watch)
		take_watch_bytes(s);
	return 0;
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t error, void *arg)
{
	struct slot *s = nghttp2_session_get_stream_user_data(session, stream);
	bool again = false;

	(void)error, (void)arg;
	if (s == NULL)
		return 0;
	if (s->is_watch)
		die("a watch was ended by the server");
	if (opt.op != OP_WATCH) {
		last_ns = now_ns();
		record(last_ns - s->begin_ns);
	}
	completed++;
	if (!s->ok || s->answer_len < 5)
		failed++;
	else
		again = take_answer(s, s->answer + 5, s->answer_len - 5);
	if (opt.op == OP_PAGE && !again)
		s->last_key_len = 0, s->revision = 0;
	if (again)
		opt.requests++; /* a list that was begun is finished */
	if (again || may_issue()) {
		issued++;
		submit(s);
	}
	return 0;
}

static void conn_open(struct conn *c)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)opt.port)};
	nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 16 << 20},
					     {NGHTTP2_SETTINGS_ENABLE_PUSH, 0}};
	nghttp2_session_callbacks *callbacks;
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
	int one = 1;

	if (inet_pton(AF_INET, opt.host, &address.sin_addr) != 1)
		die("%s is no IPv4 address", opt.host);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		die("connect to %s:%d: %s", opt.host, opt.port, strerror(errno));
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	fcntl(c->fd, F_SETFL, O_NONBLOCK);
	if (nghttp2_session_callbacks_new(&callbacks) != 0)
		die("out of memory");
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
	if (nghttp2_session_client_new(&c->session, callbacks, c) != 0)
		die("out of memory");
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, settings, 2);
	nghttp2_session_set_local_window_size(c->session, NGHTTP2_FLAG_NONE, 0, 256 << 20);
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event) != 0)
		die("epoll: %s", strerror(errno));
}

static void conn_flush(struct conn *c)
{
	const uint8_t *data;
	ssize_t len;
	bool blocked = false;

	while (!blocked) {
		while (c->out_len < 256 << 10 &&
		       (len = nghttp2_session_mem_send(c->session, &data)) > 0) {
			if (c->out_len + (size_t)len > c->out_cap) {
				c->out_cap = 2 * (c->out_len + (size_t)len);
				c->out = grow(c->out, c->out_cap);
			}
			memcpy(c->out + c->out_len, data, (size_t)len);
			c->out_len += (size_t)len;
		}
		if (c->out_len == 0)
			break;
		len = write(c->fd, c->out, c->out_len);
		if (len < 0 && errno != EAGAIN)
			die("write: %s", strerror(errno));
		blocked = len < (ssize_t)c->out_len;
		if (len > 0) {
			memmove(c->out, c->out + len, c->out_len - (size_t)len);
			c->out_len -= (size_t)len;
		}
	}
	if (blocked != c->want_write) {
		struct epoll_event event = {.events = blocked ? EPOLLIN | EPOLLOUT : EPOLLIN,
					    .data.ptr = c};

		epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &event);
		c->want_write = blocked;
	}
}

static void conn_read(struct conn *c)
{
	static uint8_t buf[256 << 10];
	ssize_t len = read(c->fd, buf, sizeof(buf));

	if (len == 0 || (len < 0 && errno != EAGAIN))
		die("the server closed the connection");
	if (len > 0 && nghttp2_session_mem_recv(c->session, buf, (size_t)len) < 0)
		die("the server broke the protocol");
}

static void turn(void)
{
	struct epoll_event events[64];
	int count = epoll_wait(epoll_fd, events, 64, 1000);

	for (int i = 0; i < count; i++) {
		struct conn *c = events[i].data.ptr;

		if ((events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
			conn_read(c);
	}
	/* An answer on one connection never makes a request on another, so only those need a flush.
	 */
	for (int i = 0; i < count; i++)
		conn_flush(events[i].data.ptr);
}

/* ---- a run ----------------------------------------------------------------------------------- */

static struct slot *make_slots(size_t count, bool is_watch, size_t first_conn)
{
	struct slot *made = zeroed(count, sizeof(*made));

	for (size_t i = 0; i < count; i++) {
		made[i].conn = &conns[first_conn + i % (opt.connections - first_conn)];
		made[i].is_watch = is_watch;
		made[i].next_key = i;
		made[i].request = zeroed(1, is_watch ? 4 * KEY_BYTES_MAX
						     : 2 * opt.value_bytes + 8 * KEY_BYTES_MAX);
	}
	return made;
}

static void flush_all(void)
{
	for (size_t i = 0; i < opt.connections; i++)
		conn_flush(&conns[i]);
}

static void start_watches(void)
{
	watches = make_slots(opt.watchers, true, 1);
	for (size_t i = 0; i < opt.watchers; i++)
		submit(&watches[i]);
	flush_all();
	while (watches_created < opt.watchers)
		turn();
}

static bool finished(void)
{
	if (completed < issued)
		return false;
	return opt.op != OP_WATCH || events_seen >= (completed - failed) * opt.watchers;
}

static void run(void)
{
	size_t slot_count = opt.in_flight;

	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	conns = zeroed(opt.connections, sizeof(*conns));
	for (size_t i = 0; i < opt.connections; i++)
		conn_open(&conns[i]);
	value = zeroed(1, opt.value_bytes + 64); /* as much as an empty resource needs */
	for (size_t i = 0; i < opt.value_bytes; i++)
		value[i] = (uint8_t)next_random();
	mod_revisions = zeroed(opt.keys, sizeof(*mod_revisions));
	if (opt.op == OP_WATCH)
		start_watches();
	slots = make_slots(slot_count, false, 0);
	for (size_t i = 0; opt.op == OP_WATCH && i < slot_count; i++)
		slots[i].conn = &conns[0];
	begin_ns = last_ns = now_ns();
	for (size_t i = 0; i < slot_count && may_issue(); i++) {
		issued++;
		submit(&slots[i]);
	}
	flush_all();
	while (!finished()) {
		turn();
		/* Events that never come are told as missing, not waited for. */
		if ((double)(now_ns() - begin_ns) > (opt.seconds_max + 60) * 1e9)
			break;
	}
}

static int compare_latency(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static double percentile(double part)
{
	size_t at;

	if (latency_count == 0)
		return 0;
	at = (size_t)(part * (double)latency_count);
	return latencies[at < latency_count ? at : latency_count - 1];
}

static void print_result(void)
{
	double seconds = (double)(last_ns - begin_ns) / 1e9, sum = 0;
	uint64_t done = opt.op == OP_WATCH ? events_seen : completed;

	qsort(latencies, latency_count, sizeof(*latencies), compare_latency);
	for (size_t i = 0; i < latency_count; i++)
		sum += latencies[i];
	printf("{\"op\":\"%s\",\"requests\":%" PRIu64 ",\"failed\":%" PRIu64
	       ",\"seconds\":%.6f,\"per_second\":%.1f,"
	       "\"mean_us\":%.1f,\"p50_us\":%.0f,\"p90_us\":%.0f,\"p99_us\":%.0f,\"p999_us\":%.0f,"
	       "\"max_us\":%.0f,"
	       "\"bytes\":%" PRIu64 ",\"keys\":%" PRIu64 ",\"events\":%" PRIu64 "}\n",
	       ops[opt.op].name, completed, failed, seconds,
	       seconds > 0 ? (double)done / seconds : 0,
	       latency_count > 0 ? sum / (double)latency_count : 0, percentile(0.5),
	       percentile(0.9), percentile(0.99), percentile(0.999), percentile(1), bytes_received,
	       listed_keys, events_seen);
}

static void usage(void)
{
	puts("usage: load [options]\n"
	     "  --op OP          put, get, txn (compare mod revision, put, else get), page, count, "
	     "watch,\n"
	     "                   resource-put, resource-patch, resource-page\n"
	     "  --port N         of 127.0.0.1 (2379)\n"
	     "  --connections N  (1)\n"
	     "  --in-flight N    requests under way at a time, over all connections (1)\n"
	     "  --requests N     in all; for page: lists in all (10000)\n"
	     "  --seconds N      hand out no request after so long (600)\n"
	     "  --prefix TEXT    of all keys (/registry/bench/)\n"
	     "  --keys N         different keys (10000)\n"
	     "  --key-bytes N    (33)\n"
	     "  --value-bytes N  (256)\n"
	     "  --random         keys in random order\n"
	     "  --serializable   reads without asking for the newest state\n"
	     "  --keys-only\n"
	     "  --limit N        keys in a page (500)\n"
	     "  --watchers N     watch: streams that follow the prefix; the requests are puts by "
	     "one connection more");
}

static void parse(int argc, char **argv)
{
	static const struct option options[] = {
		{"op", 1, NULL, 'o'},
		{"port", 1, NULL, 'p'},
		{"connections", 1, NULL, 'c'},
		{"in-flight", 1, NULL, 'm'},
		{"requests", 1, NULL, 'n'},
		{"seconds", 1, NULL, 's'},
		{"prefix", 1, NULL, 'x'},
		{"keys", 1, NULL, 'k'},
		{"key-bytes", 1, NULL, 'K'},
		{"value-bytes", 1, NULL, 'V'},
		{"random", 0, NULL, 'r'},
		{"serializable", 0, NULL, 'S'},
		{"keys-only", 0, NULL, 'O'},
		{"limit", 1, NULL, 'l'},
		{"watchers", 1, NULL, 'w'},
		{"help", 0, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		unsigned long long number = optarg != NULL ? strtoull(optarg, NULL, 10) : 0;

		switch (c) {
		case 'o':
			opt.op = 0;
			while (opt.op <= OP_RESOURCE_PAGE && strcmp(optarg, ops[opt.op].name) != 0)
				opt.op++;
			if (opt.op > OP_RESOURCE_PAGE)
				die("unknown operation %s", optarg);
			break;
		case 'p': opt.port = (int)number; break;
		case 'c': opt.connections = number; break;
		case 'm': opt.in_flight = number; break;
		case 'n': opt.requests = number; break;
		case 's': opt.seconds_max = (double)number; break;
		case 'x': opt.prefix = optarg; break;
		case 'k': opt.keys = number; break;
		case 'K': opt.key_bytes = number; break;
		case 'V': opt.value_bytes = number; break;
		case 'r': opt.random = true; break;
		case 'S': opt.serializable = true; break;
		case 'O': opt.keys_only = true; break;
		case 'l': opt.limit = (int64_t)number; break;
		case 'w': opt.watchers = number; break;
		case 'h': usage(); exit(0);
		default: exit(2);
		}
	}
	if (opt.connections == 0 || opt.in_flight == 0 || opt.keys == 0 || strlen(opt.prefix) == 0)
		die("connections, in-flight, keys and prefix may not be 0");
	if (opt.key_bytes <= strlen(opt.prefix) || opt.key_bytes > strlen(opt.prefix) + 30)
		die("key-bytes must leave 1 to 30 digits behind the prefix");
	if (opt.value_bytes > REQUEST_BYTES_MAX / 4 ||
	    opt.keys < (opt.op == OP_TXN ? opt.in_flight : 1))
		die("value-bytes is too large, or there are fewer keys than requests in flight");
	if (opt.op == OP_WATCH)
		opt.connections++; /* the first one writes */
}

int main(int argc, char **argv)
{
	parse(argc, argv);
	run();
	print_result();
	return failed == 0 ? 0 : 1;
}
