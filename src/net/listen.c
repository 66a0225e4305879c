/* Listeners: addresses, names, sockets. */
#include "net/internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 4096

static int fail(char *errmsg, size_t size, int status, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static int fail(char *errmsg, size_t size, int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(errmsg, size, format, args);
	va_end(args);
	return status;
}

static int status_of_uv(int rc)
{
	switch (rc) {
	case UV_EADDRINUSE: return ES_EBUSY;
	case UV_ENOMEM: return ES_ENOMEM;
	case UV_EADDRNOTAVAIL: return ES_EINVAL;
	default: return ES_EIO;
	}
}

static bool is_any(const char *host)
{
	return host == NULL || host[0] == '\0' || strcmp(host, "0.0.0.0") == 0 ||
	       strcmp(host, "::") == 0;
}

/* A numeric address, or the first that the name has, IPv4 before IPv6. */
static int resolve(const char *host, uint16_t port, struct sockaddr_storage *ret_address)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	struct addrinfo *found;
	struct addrinfo *best;
	char service[8];
	int rc;

	snprintf(service, sizeof(service), "%u", port);
	rc = getaddrinfo(host, service, &hints, &found);
	if (rc != 0)
		return rc;
	best = found;
	for (struct addrinfo *ai = found; ai != NULL; ai = ai->ai_next) {
		if (ai->ai_family == AF_INET) {
			best = ai;
			break;
		}
	}
	memset(ret_address, 0, sizeof(*ret_address));
	memcpy(ret_address, best->ai_addr, best->ai_addrlen);
	freeaddrinfo(found);
	return 0;
}

static void any_address(int family, uint16_t port, struct sockaddr_storage *ret_address)
{
	memset(ret_address, 0, sizeof(*ret_address));
	if (family == AF_INET6)
		*(struct sockaddr_in6 *)ret_address = (struct sockaddr_in6){
			.sin6_family = AF_INET6, .sin6_port = htons(port)};
	else
		*(struct sockaddr_in *)ret_address = (struct sockaddr_in){.sin_family = AF_INET,
									  .sin_port = htons(port)};
}

static void on_listener_closed(uv_handle_t *handle)
{
	struct es_net_listener *listener = handle->data;
	struct es_net *net = listener->net;

	es_free(net->mem, listener);
	es_net_handle_closed(net);
}

void es_net_listener_close(struct es_net_listener *listener)
{
	es_queue_remove(&listener->link);
	uv_close(&listener->h.handle, on_listener_closed);
}

static void on_connection(uv_stream_t *stream, int status)
{
	struct es_net_listener *listener = stream->data;

	if (status < 0 || listener->waiting)
		return;
	listener->waiting = es_net_conn_accept(listener) < 0;
}

static struct es_net_listener *new_listener(struct es_net *net, bool is_unix,
					    void (*accepted)(void *ctx, struct es_net_conn *conn),
					    void *ctx)
{
	struct es_net_listener *listener = es_calloc(net->mem, 1, sizeof(*listener));

	if (listener == NULL)
		return NULL;
	listener->net = net;
	listener->is_unix = is_unix;
	listener->accepted = accepted;
	listener->ctx = ctx;
	es_queue_init(&listener->link);
	return listener;
}

/* From here on the listener has a handle, which must be closed. */
static void adopt(struct es_net_listener *listener)
{
	listener->h.handle.data = listener;
	listener->net->handles_open++;
	es_queue_push(&listener->net->listeners, &listener->link);
}

static int bind_tcp(struct es_net_listener *listener, const struct sockaddr_storage *address,
		    bool reuse_port)
{
	int one = 1;
	uv_os_fd_t fd;
	int rc = uv_tcp_init_ex(listener->net->loop, &listener->h.tcp, address->ss_family);

	if (rc < 0)
		return rc;
	adopt(listener);
	rc = uv_fileno(&listener->h.handle, &fd);
	if (rc == 0 && reuse_port &&
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) < 0)
		rc = uv_translate_sys_error(errno);
	if (rc == 0) /* sets SO_REUSEADDR as well */
		rc = uv_tcp_bind(&listener->h.tcp, (const struct sockaddr *)address, 0);
	if (rc == 0)
		rc = uv_listen(&listener->h.stream, BACKLOG, on_connection);
	if (rc < 0)
		es_net_listener_close(listener);
	return rc;
}

static uint16_t bound_port(const struct es_net_listener *listener)
{
	struct sockaddr_storage address;
	int len = sizeof(address);

	if (uv_tcp_getsockname(&listener->h.tcp, (struct sockaddr *)&address, &len) < 0)
		return 0;
	if (address.ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)&address)->sin6_port);
	return ntohs(((const struct sockaddr_in *)&address)->sin_port);
}

static int listen_tcp(struct es_net *net, const struct es_net_address *address,
		      struct sockaddr_storage *where,
		      void (*accepted)(void *ctx, struct es_net_conn *conn), void *ctx,
		      struct es_net_listener **ret_listener)
{
	struct es_net_listener *listener = new_listener(net, false, accepted, ctx);
	int rc;

	if (listener == NULL)
		return UV_ENOMEM;
	rc = bind_tcp(listener, where, address->reuse_port);
	if (rc == 0)
		*ret_listener = listener;
	else if (listener->h.handle.data == NULL)
		es_free(net->mem, listener); /* it never got its handle */
	return rc;
}

/* A socket that nobody serves is left over from a process that died. Anything else that is there
 * (UV_ENOTSOCK) is not ours to remove. */
static int clear_abandoned(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat found;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int rc;

	if (fd < 0)
		return uv_translate_sys_error(errno);
	memcpy(address.sun_path, path, strlen(path));
	rc = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 ? 0 : errno;
	close(fd);
	if (rc == 0 || rc == EAGAIN)
		return UV_EADDRINUSE;
	if (rc != ECONNREFUSED)
		return 0;
	if (lstat(path, &found) == 0 && !S_ISSOCK(found.st_mode))
		return UV_ENOTSOCK;
	return unlink(path) < 0 && errno != ENOENT ? uv_translate_sys_error(errno) : 0;
}

static int bind_unix(struct es_net_listener *listener, const char *path)
{
	int rc = uv_pipe_init(listener->net->loop, &listener->h.pipe, 0);

	ES_ASSERT(rc == 0);
	adopt(listener);
	rc = clear_abandoned(path);
	if (rc == 0)
		rc = uv_pipe_bind(&listener->h.pipe, path);
	if (rc == 0)
		rc = uv_listen(&listener->h.stream, BACKLOG, on_connection);
	if (rc < 0)
		es_net_listener_close(listener);
	return rc;
}

static int listen_unix(struct es_net *net, const char *path,
		       void (*accepted)(void *ctx, struct es_net_conn *conn), void *ctx,
		       struct es_net_listener **ret_listener, char *errmsg, size_t errmsg_size)
{
	struct es_net_listener *listener;
	int rc;

	if (path[0] == '\0' || strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return fail(errmsg, errmsg_size, ES_EINVAL,
			    "cannot listen on unix socket %s: bad length of the path", path);
	listener = new_listener(net, true, accepted, ctx);
	if (listener == NULL)
		return fail(errmsg, errmsg_size, ES_ENOMEM,
			    "cannot listen on unix socket %s: out of memory", path);
	rc = bind_unix(listener, path);
	if (rc < 0)
		return fail(errmsg, errmsg_size, status_of_uv(rc),
			    "cannot listen on unix socket %s: %s", path,
			    rc == UV_ENOTSOCK ? "what is there is not a socket" : uv_strerror(rc));
	*ret_listener = listener;
	return 0;
}

int es_net_listen(struct es_net *net, const struct es_net_address *address,
		  void (*accepted)(void *ctx, struct es_net_conn *conn), void *ctx,
		  struct es_net_listener **ret_listener, uint16_t *ret_port, char *errmsg,
		  size_t errmsg_size)
{
	struct sockaddr_storage where;
	int rc;

	*ret_port = 0;
	if (address->unix_path != NULL)
		return listen_unix(net, address->unix_path, accepted, ctx, ret_listener, errmsg,
				   errmsg_size);
	if (is_any(address->host)) {
		any_address(AF_INET6, address->port, &where); /* serves IPv4 as well */
		rc = listen_tcp(net, address, &where, accepted, ctx, ret_listener);
		if (rc == UV_EAFNOSUPPORT || rc == UV_EADDRNOTAVAIL) {
			any_address(AF_INET, address->port, &where);
			rc = listen_tcp(net, address, &where, accepted, ctx, ret_listener);
		}
	} else {
		rc = resolve(address->host, address->port, &where);
		if (rc != 0)
			return fail(errmsg, errmsg_size, ES_EINVAL, "cannot listen on %s:%u: %s",
				    address->host, address->port, gai_strerror(rc));
		rc = listen_tcp(net, address, &where, accepted, ctx, ret_listener);
	}
	if (rc < 0)
		return fail(errmsg, errmsg_size, status_of_uv(rc), "cannot listen on %s:%u: %s",
			    is_any(address->host) ? "*" : address->host, address->port,
			    uv_strerror(rc));
	*ret_port = bound_port(*ret_listener);
	return 0;
}
