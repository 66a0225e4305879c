#include "ctl/client.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/buf.h"
#include "wire/grpc_frame.h"
#include "wire/grpc_text.h"

/*
 * nghttp2 turns bytes into frames; this file moves the bytes between it and a socket until the
 * call that is under way has ended or its time is over. There is one call at a time, so its
 * state is the client's.
 */
enum {
	RECEIVE_BYTES = 64 << 10,
	WINDOW_BYTES = 16 << 20,
	BODY_BYTES_MAX = 1 << 20,
};

struct call {
	struct es_slice request; /* what is left of it, behind the prefix */
	uint8_t prefix[ES_GRPC_PREFIX_BYTES];
	size_t prefix_sent;
	struct es_grpc_frame frame;
	int (*message)(void *arg, struct es_slice message);
	void *arg;
	int32_t stream;
	int status;    /* of `message` and of the frames */
	bool ended;    /* the stream is closed */
	bool has_code; /* trailers came */
	int http_status;
	struct es_client_result *result;
};

struct es_client {
	const struct es_mem *mem;
	int fd;
	char authority[256];
	nghttp2_session *session;
	struct call *call;
};

uint64_t es_client_now_ms(void)
{
	struct timespec t = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint64_t es_client_share_ms(uint64_t deadline_ms, size_t left)
{
	uint64_t now = es_client_now_ms();

	return now >= deadline_ms || left == 0 ? 0 : (deadline_ms - now) / left;
}

static void tell(char *text, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void tell(char *text, size_t size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, size, format, args);
	va_end(args);
}

/* ---- sockets --------------------------------------------------------------------------------- */

struct endpoint {
	char host[256]; /* or the path of a unix socket */
	char port[8];
	bool is_unix;
};

static int parse_endpoint(const char *text, struct endpoint *ret_endpoint)
{
	struct endpoint e = {.port = "2379"};
	const char *colon;
	size_t len;

	for (const char *c = text; *c != '\0'; c++)
		if ((unsigned char)*c <= ' ')
			return ES_EINVAL;
	if (strncmp(text, "unix:", 5) == 0) {
		text += strncmp(text, "unix://", 7) == 0 ? 7 : 5;
		e.is_unix = true;
		len = strlen(text);
	} else {
		if (strncmp(text, "http://", 7) == 0)
			text += 7;
		else if (strstr(text, "://") != NULL)
			return ES_EINVAL;
		len = strcspn(text, "/");
		if (text[len] == '/' && text[len + 1] != '\0')
			return ES_EINVAL;
		colon = memrchr(text, ':', len);
		if (colon != NULL && memchr(colon, ']', len - (size_t)(colon - text)) == NULL) {
			size_t port_len = len - (size_t)(colon + 1 - text);

			if (port_len == 0 || port_len >= sizeof(e.port) ||
			    strspn(colon + 1, "0123456789") < port_len ||
			    strtoul(colon + 1, NULL, 10) == 0 ||
			    strtoul(colon + 1, NULL, 10) > UINT16_MAX)
				return ES_EINVAL;
			memcpy(e.port, colon + 1, port_len);
			e.port[port_len] = '\0';
			len = (size_t)(colon - text);
		}
		if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
			text++;
			len -= 2;
		} else if (memchr(text, ':', len) != NULL) {
			return ES_EINVAL; /* IPv6 without brackets */
		}
	}
	if (len == 0 || len >= sizeof(e.host))
		return ES_EINVAL;
	memcpy(e.host, text, len);
	*ret_endpoint = e;
	return 0;
}

static int wait_fd(int fd, short events, uint64_t deadline_ms)
{
	for (;;) {
		struct pollfd p = {.fd = fd, .events = events};
		uint64_t now = es_client_now_ms();
		int rc;

		if (now >= deadline_ms)
			return ES_ETIMEOUT;
		rc = poll(&p, 1, deadline_ms - now > 60000 ? 60000 : (int)(deadline_ms - now));
		if (rc > 0)
			return 0;
		if (rc < 0 && errno != EINTR)
			return ES_EIO;
	}
}

static int connect_to(const struct sockaddr *address, socklen_t len, uint64_t deadline_ms,
		      int *ret_fd)
{
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int error = 0, one = 1, rc = 0;
	socklen_t error_len = sizeof(error);

	if (fd < 0)
		return ES_EIO;
	if (connect(fd, address, len) < 0) {
		rc = errno == EINPROGRESS ? wait_fd(fd, POLLOUT, deadline_ms) : ES_EIO;
		if (rc == 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_len) == 0 &&
		    error != 0) {
			errno = error;
			rc = ES_EIO;
		}
	}
	if (rc < 0) {
		error = errno;
		(void)close(fd);
		errno = error;
		return rc;
	}
	if (address->sa_family != AF_UNIX)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	*ret_fd = fd;
	return 0;
}

static int connect_unix(const struct endpoint *e, uint64_t deadline_ms, int *ret_fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(e->host) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return ES_EIO;
	}
	memcpy(address.sun_path, e->host, strlen(e->host));
	return connect_to((const struct sockaddr *)&address, sizeof(address), deadline_ms, ret_fd);
}

static int connect_any(const struct addrinfo *addresses, uint64_t deadline_ms, int *ret_fd)
{
	size_t left = 0;
	int rc = ES_EIO;

	for (const struct addrinfo *a = addresses; a != NULL; a = a->ai_next)
		left++;
	for (const struct addrinfo *a = addresses; a != NULL && rc < 0; a = a->ai_next, left--)
		rc = connect_to(a->ai_addr, a->ai_addrlen,
				es_client_now_ms() + es_client_share_ms(deadline_ms, left), ret_fd);
	return rc;
}

static int dial(const struct endpoint *e, uint64_t deadline_ms, int *ret_fd, char *errmsg,
		size_t errmsg_size)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	int rc;

	if (e->is_unix) {
		rc = connect_unix(e, deadline_ms, ret_fd);
	} else {
		rc = getaddrinfo(e->host, e->port, &hints, &found);
		if (rc != 0) {
			tell(errmsg, errmsg_size, "%s: %s", e->host, gai_strerror(rc));
			return ES_EIO;
		}
		rc = connect_any(found, deadline_ms, ret_fd);
		if (found != NULL)
			freeaddrinfo(found);
	}
	if (rc == ES_ETIMEOUT)
		tell(errmsg, errmsg_size, "cannot connect: no answer in time");
	else if (rc < 0)
		tell(errmsg, errmsg_size, "cannot connect: %s", strerror(errno));
	return rc;
}

static int send_all(int fd, const uint8_t *data, size_t len, uint64_t deadline_ms)
{
	while (len > 0) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			int rc = errno == EINTR ? 0 : wait_fd(fd, POLLOUT, deadline_ms);

			if (rc < 0)
				return rc;
			continue;
		}
		if (n < 0)
			return ES_EIO;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

/* 0 bytes: the peer closed. */
static int receive_some(int fd, uint8_t *data, size_t size, uint64_t deadline_ms, size_t *ret_len)
{
	for (;;) {
		ssize_t n = recv(fd, data, size, 0);

		if (n >= 0) {
			*ret_len = (size_t)n;
			return 0;
		}
		if (errno == EAGAIN) {
			int rc = wait_fd(fd, POLLIN, deadline_ms);

			if (rc < 0)
				return rc;
		} else if (errno != EINTR) {
			return ES_EIO;
		}
	}
}

/* ---- HTTP/2 callbacks ------------------------------------------------------------------------ */

static bool is_call(const struct es_client *client, int32_t stream)
{
	return client->call != NULL && client->call->stream == stream;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
		     void *user_data)
{
	struct es_client *client = user_data;
	struct es_slice key = es_slice(name, name_len);
	struct call *call = client->call;

	(void)session;
	(void)flags;
	if (!is_call(client, frame->hd.stream_id))
		return 0;
	if (es_slice_eq(key, ES_SLICE(":status")) && value_len == 3) {
		call->http_status = (value[0] - '0') * 100 + (value[1] - '0') * 10 +
				    (value[2] - '0');
	} else if (es_slice_eq(key, ES_SLICE("grpc-status")) && value_len > 0 && value_len <= 2) {
		int code = value_len == 1 ? value[0] - '0'
					  : (value[0] - '0') * 10 + (value[1] - '0');

		call->result->code = code < 0 || code > ES_GRPC_UNAUTHENTICATED
					     ? ES_GRPC_UNKNOWN
					     : (enum es_grpc_code)code;
		call->has_code = true;
	} else if (es_slice_eq(key, ES_SLICE("grpc-message"))) {
		size_t len = value_len < ES_CLIENT_TEXT_MAX ? value_len : ES_CLIENT_TEXT_MAX - 1;

		len = es_grpc_percent_decode(es_slice(value, len), (uint8_t *)call->result->text);
		call->result->text[len] = '\0';
	}
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data,
		   size_t len, void *user_data)
{
	struct es_client *client = user_data;
	struct es_slice bytes = es_slice(data, len);
	struct call *call = client->call;

	(void)session;
	(void)flags;
	if (!is_call(client, stream))
		return 0;
	while (call->status == 0) {
		struct es_slice message;
		int rc = es_grpc_frame_next(&call->frame, &bytes, &message);

		if (rc == 0)
			break;
		call->status = rc < 0 ? rc : call->message(call->arg, message);
	}
	return 0;
}

static int on_closed(nghttp2_session *session, int32_t stream, uint32_t error, void *user_data)
{
	struct es_client *client = user_data;

	(void)session;
	if (!is_call(client, stream))
		return 0;
	client->call->ended = true;
	if (error != NGHTTP2_NO_ERROR && !client->call->has_code) {
		client->call->status = client->call->status == 0 ? ES_EIO : client->call->status;
		tell(client->call->result->text, ES_CLIENT_TEXT_MAX,
		     "the server reset the call: %s", nghttp2_http2_strerror(error));
	}
	return 0;
}

static ssize_t read_request(nghttp2_session *session, int32_t stream, uint8_t *out, size_t size,
			    uint32_t *flags, nghttp2_data_source *source, void *user_data)
{
	struct call *call = source->ptr;
	size_t n = 0;

	(void)session;
	(void)stream;
	(void)user_data;
	while (call->prefix_sent < ES_GRPC_PREFIX_BYTES && n < size)
		out[n++] = call->prefix[call->prefix_sent++];
	if (call->request.len > 0 && n < size) {
		size_t part = call->request.len < size - n ? call->request.len : size - n;

		memcpy(out + n, call->request.data, part);
		call->request.data += part;
		call->request.len -= part;
		n += part;
	}
	if (call->prefix_sent == ES_GRPC_PREFIX_BYTES && call->request.len == 0)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

static int new_session(struct es_client *client)
{
	const nghttp2_settings_entry settings[] = {
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW_BYTES},
		{NGHTTP2_SETTINGS_ENABLE_PUSH, 0}};
	nghttp2_session_callbacks *callbacks = NULL;
	int rc = nghttp2_session_callbacks_new(&callbacks);

	if (rc != 0)
		return ES_ENOMEM;
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_closed);
	rc = nghttp2_session_client_new(&client->session, callbacks, client);
	nghttp2_session_callbacks_del(callbacks);
	if (rc == 0)
		rc = nghttp2_submit_settings(client->session, NGHTTP2_FLAG_NONE, settings,
					     ES_ARRAY_LEN(settings));
	if (rc == 0)
		rc = nghttp2_session_set_local_window_size(client->session, NGHTTP2_FLAG_NONE, 0,
							   WINDOW_BYTES);
	return rc == 0 ? 0 : ES_ENOMEM;
}

bool es_client_is_endpoint(const char *text)
{
	struct endpoint e;

	return parse_endpoint(text, &e) == 0;
}

/* ---- calls ----------------------------------------------------------------------------------- */

int es_client_open(const struct es_mem *mem, const char *endpoint, uint64_t timeout_ms,
		   struct es_client **ret_client, char *errmsg, size_t errmsg_size)
{
	struct endpoint e;
	struct es_client *client;
	int rc = parse_endpoint(endpoint, &e);

	if (rc < 0) {
		tell(errmsg, errmsg_size,
		     "not an endpoint: write host:port, http://host:port or unix:///path");
		return rc;
	}
	client = es_calloc(mem, 1, sizeof(*client));
	if (client == NULL) {
		tell(errmsg, errmsg_size, "%s", es_status_text(ES_ENOMEM));
		return ES_ENOMEM;
	}
	client->mem = mem;
	client->fd = -1;
	tell(client->authority, sizeof(client->authority), "%s", e.is_unix ? "localhost" : e.host);
	rc = dial(&e, es_client_now_ms() + timeout_ms, &client->fd, errmsg, errmsg_size);
	if (rc == 0) {
		rc = new_session(client);
		if (rc < 0)
			tell(errmsg, errmsg_size, "%s", es_status_text(rc));
	}
	if (rc < 0) {
		es_client_close(client);
		return rc;
	}
	*ret_client = client;
	return 0;
}

void es_client_close(struct es_client *client)
{
	if (client == NULL)
		return;
	nghttp2_session_del(client->session);
	if (client->fd >= 0)
		(void)close(client->fd);
	es_free(client->mem, client);
}

static int send_frames(struct es_client *client, uint64_t deadline_ms)
{
	for (;;) {
		const uint8_t *data;
		ssize_t len = nghttp2_session_mem_send(client->session, &data);
		int rc;

		if (len < 0)
			return ES_EIO;
		if (len == 0)
			return 0;
		rc = send_all(client->fd, data, (size_t)len, deadline_ms);
		if (rc < 0)
			return rc;
	}
}

/* `silence_ms`: what comes moves the deadline so far away; 0: it stays. */
static int run(struct es_client *client, uint64_t deadline_ms, uint64_t silence_ms)
{
	uint8_t *bytes = es_alloc(client->mem, RECEIVE_BYTES);
	int rc = bytes == NULL ? ES_ENOMEM : 0;

	while (rc == 0) {
		size_t len;

		rc = send_frames(client, deadline_ms);
		if (rc < 0 || client->call->ended || client->call->status < 0)
			break;
		rc = receive_some(client->fd, bytes, RECEIVE_BYTES, deadline_ms, &len);
		if (rc == 0 && len == 0)
			rc = ES_EIO;
		if (silence_ms > 0)
			deadline_ms = es_client_now_ms() + silence_ms;
		if (rc == 0 && nghttp2_session_mem_recv(client->session, bytes, len) < 0)
			rc = ES_EDECODE;
	}
	es_free(client->mem, bytes);
	return rc;
}

static int submit(struct es_client *client, struct call *call, const char *method)
{
#define HEADER(key, text)                                                               \
	{                                                                               \
		(uint8_t *)(uintptr_t)(key), (uint8_t *)(uintptr_t)(text), strlen(key), \
			strlen(text), NGHTTP2_NV_FLAG_NONE                              \
	}
	const nghttp2_nv headers[] = {
		HEADER(":method", "POST"),
		HEADER(":scheme", "http"),
		HEADER(":path", method),
		HEADER(":authority", client->authority),
		HEADER("content-type", "application/grpc"),
		HEADER("user-agent", "engenhoctl"),
		HEADER("te", "trailers"),
	};
	nghttp2_data_provider body = {.source.ptr = call, .read_callback = read_request};

	call->stream = nghttp2_submit_request(client->session, NULL, headers, ES_ARRAY_LEN(headers),
					      &body, NULL);
	return call->stream < 0 ? ES_EIO : 0;
}

/* What the transport met, in words, unless there are some already. */
static void explain(const struct call *call, int status)
{
	if (call->result->text[0] != '\0')
		return;
	if (status == ES_ETIMEOUT)
		tell(call->result->text, ES_CLIENT_TEXT_MAX, "no answer in time");
	else if (call->http_status != 0 && call->http_status != 200)
		tell(call->result->text, ES_CLIENT_TEXT_MAX, "HTTP status %d", call->http_status);
	else if (status == ES_EIO)
		tell(call->result->text, ES_CLIENT_TEXT_MAX, "the connection broke");
	else
		tell(call->result->text, ES_CLIENT_TEXT_MAX, "%s", es_status_text(status));
}

static int perform(struct es_client *client, const char *method, struct call *call,
		   uint64_t timeout_ms, uint64_t silence_ms)
{
	int rc;

	ES_ASSERT(client->call == NULL && call->request.len <= UINT32_MAX);
	*call->result = (struct es_client_result){.code = ES_GRPC_UNKNOWN};
	(void)es_grpc_frame_write(call->prefix, (uint32_t)call->request.len);
	es_grpc_frame_init(&call->frame, client->mem, SIZE_MAX);
	client->call = call;
	rc = submit(client, call, method);
	if (rc == 0)
		rc = run(client, es_client_now_ms() + timeout_ms, silence_ms);
	if (call->status < 0)
		rc = call->status;
	if (rc == 0 && !call->has_code)
		rc = ES_EDECODE;
	if (rc < 0)
		explain(call, rc);
	client->call = NULL;
	es_grpc_frame_close(&call->frame);
	return rc;
}

int es_client_call(struct es_client *client, const char *method, struct es_slice request,
		   uint64_t timeout_ms, int (*message)(void *arg, struct es_slice message),
		   void *arg, struct es_client_result *ret_result)
{
	struct call call = {
		.request = request, .message = message, .arg = arg, .result = ret_result};

	return perform(client, method, &call, timeout_ms, 0);
}

int es_client_stream(struct es_client *client, const char *method, struct es_slice request,
		     uint64_t silence_ms, int (*message)(void *arg, struct es_slice message),
		     void *arg, struct es_client_result *ret_result)
{
	struct call call = {
		.request = request, .message = message, .arg = arg, .result = ret_result};

	return perform(client, method, &call, silence_ms, silence_ms);
}

/* ---- HTTP/1.1 -------------------------------------------------------------------------------- */

static int receive_all(int fd, uint64_t deadline_ms, struct es_buf *out)
{
	for (;;) {
		size_t len;
		int rc = es_buf_reserve(out, 4096);

		if (rc == 0)
			rc = receive_some(fd, out->data + out->len, 4096, deadline_ms, &len);
		if (rc < 0 || len == 0)
			return rc;
		out->len += len;
		if (out->len > BODY_BYTES_MAX)
			return ES_ETOO_LARGE;
	}
}

/* "HTTP/1.1 200 OK", headers, an empty line, the body up to the end. */
static int split_answer(const struct es_buf *answer, int *ret_status, struct es_buf *ret_body)
{
	static const char blank[] = "\r\n\r\n";
	const uint8_t *end = answer->len == 0 ? NULL : memmem(answer->data, answer->len, blank, 4);
	const uint8_t *p = answer->data;

	if (end == NULL || answer->len < 12 || memcmp(p, "HTTP/1.", 7) != 0 || p[8] != ' ')
		return ES_EDECODE;
	for (int i = 9; i < 12; i++)
		if (p[i] < '0' || p[i] > '9')
			return ES_EDECODE;
	*ret_status = (p[9] - '0') * 100 + (p[10] - '0') * 10 + (p[11] - '0');
	end += 4;
	return es_buf_append(ret_body, end, answer->len - (size_t)(end - answer->data));
}

int es_client_get(const struct es_mem *mem, const char *endpoint, const char *path,
		  uint64_t timeout_ms, int *ret_status, struct es_buf *ret_body)
{
	uint64_t deadline_ms = es_client_now_ms() + timeout_ms;
	struct es_buf request, answer;
	struct endpoint e;
	char errmsg[ES_CLIENT_TEXT_MAX];
	int fd;
	int rc = parse_endpoint(endpoint, &e);

	if (rc == 0)
		rc = dial(&e, deadline_ms, &fd, errmsg, sizeof(errmsg));
	if (rc < 0)
		return rc;
	es_buf_init(&request, mem);
	es_buf_init(&answer, mem);
	rc = es_buf_printf(&request, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n",
			   path, e.is_unix ? "localhost" : e.host);
	if (rc == 0)
		rc = send_all(fd, request.data, request.len, deadline_ms);
	if (rc == 0)
		rc = receive_all(fd, deadline_ms, &answer);
	if (rc == 0)
		rc = split_answer(&answer, ret_status, ret_body);
	(void)close(fd);
	es_buf_close(&request);
	es_buf_close(&answer);
	return rc;
}
