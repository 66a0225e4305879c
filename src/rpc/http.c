/*
 * Plain HTTP requests, whatever carries them: which handler is meant, and what handlers ask of a
 * request. Texts of refusals are those of Go's net/http, which people know from etcd.
 */
#include "rpc/internal.h"

#include <stdio.h>
#include <time.h>

static int hex(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Undo %XX, and '+' in a query. ES_EINVAL for half an escape; ES_ENOMEM. */
static int decode(struct es_arena *arena, struct es_slice text, bool is_query,
		  struct es_slice *ret_text)
{
	uint8_t *out = es_arena_alloc(arena, text.len);
	size_t len = 0;

	if (out == NULL)
		return ES_ENOMEM;
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];

		if (c == '%') {
			if (text.len - i < 3 || hex(text.data[i + 1]) < 0 ||
			    hex(text.data[i + 2]) < 0)
				return ES_EINVAL;
			c = (uint8_t)(hex(text.data[i + 1]) << 4 | hex(text.data[i + 2]));
			i += 2;
		} else if (c == '+' && is_query) {
			c = ' ';
		}
		out[len++] = c;
	}
	*ret_text = es_slice(out, len);
	return 0;
}

static struct es_slice from(struct es_slice text, size_t at)
{
	return es_slice(text.data + at, text.len - at);
}

static struct es_slice until(struct es_slice text, char stop, struct es_slice *ret_rest)
{
	const uint8_t *at = text.len == 0 ? NULL : memchr(text.data, stop, text.len);
	size_t len = at == NULL ? text.len : (size_t)(at - text.data);

	*ret_rest = at == NULL ? es_slice(NULL, 0) : from(text, len + 1);
	return es_slice(text.data, len);
}

/* "http://host/path" is as good as "/path". */
static struct es_slice strip_origin(struct es_slice target)
{
	static const char *const schemes[] = {"http://", "https://"};

	for (size_t i = 0; i < ES_ARRAY_LEN(schemes); i++) {
		size_t len = strlen(schemes[i]);
		const uint8_t *slash;

		if (target.len < len || memcmp(target.data, schemes[i], len) != 0)
			continue;
		slash = target.len == len ? NULL : memchr(target.data + len, '/', target.len - len);
		return slash == NULL ? ES_SLICE("/") : from(target, (size_t)(slash - target.data));
	}
	return target;
}

static size_t count_params(struct es_slice query)
{
	size_t count = 0;

	while (query.len > 0)
		count += until(query, '&', &query).len > 0;
	return count;
}

/* Once for a request: handlers may ask for its parameters as often as they like. As Go does, those
 * with half an escape are passed over. */
static int decode_query(struct es_http_request *request, struct es_slice query)
{
	size_t count = count_params(query);

	if (count == 0)
		return 0;
	if (count > ES_HTTP_PARAMS_MAX)
		return ES_EINVAL;
	request->params = es_arena_calloc(request->arena, count, sizeof(*request->params));
	if (request->params == NULL)
		return ES_ENOMEM;
	while (query.len > 0) {
		struct es_http_param *param = &request->params[request->param_count];
		struct es_slice text = until(query, '&', &query);
		struct es_slice value;
		int rc;

		if (text.len == 0)
			continue;
		rc = decode(request->arena, until(text, '=', &value), true, &param->name);
		if (rc == 0)
			rc = decode(request->arena, value, true, &param->value);
		if (rc == ES_ENOMEM)
			return rc;
		if (rc == 0)
			request->param_count++;
	}
	return 0;
}

/* The path is left as it came when it cannot be decoded. */
static int split_target(struct es_http_request *request, struct es_slice target)
{
	struct es_slice query;
	int rc;

	request->path = until(strip_origin(target), '?', &query);
	if (request->path.len == 0 || request->path.data[0] != '/')
		return ES_EINVAL;
	rc = decode(request->arena, request->path, false, &request->path);
	return rc < 0 ? rc : decode_query(request, query);
}

static bool matches(const struct es_http_handler *handler, struct es_slice path)
{
	size_t len = strlen(handler->path);

	if (path.len < len || memcmp(path.data, handler->path, len) != 0)
		return false;
	if (path.len == len)
		return true;
	return handler->prefix &&
	       (path.data[len] == '/' || (len > 0 && handler->path[len - 1] == '/'));
}

static bool is_shown(const struct es_rpc_face *face, const char *path)
{
	if ((face->faces & ES_RPC_FACE_HTTP) == 0)
		return false;
	if (face->http_paths == NULL)
		return true;
	for (const char *const *p = face->http_paths; *p != NULL; p++) {
		if (strcmp(*p, path) == 0)
			return true;
	}
	return false;
}

/* The longest path wins. */
static const struct es_http_entry *find_handler(const struct es_http_request *request)
{
	const struct es_http_entry *best = NULL;

	for (const struct es_http_entry *entry = request->server->handlers; entry != NULL;
	     entry = entry->next) {
		const struct es_http_handler *handler = entry->handler;

		if (!matches(handler, request->path) || !is_shown(request->face, handler->path))
			continue;
		if (best == NULL || strlen(handler->path) > strlen(best->handler->path))
			best = entry;
	}
	return best;
}

static bool is_head(const struct es_http_request *request)
{
	return es_slice_eq(request->method, ES_SLICE("HEAD"));
}

void es_http_dispatch(struct es_http_request *request, struct es_slice target)
{
	const struct es_http_entry *entry;
	bool allowed;
	int rc;

	if (target.len > ES_HTTP_TARGET_BYTES_MAX) {
		es_http_refuse_target(request, target, 414);
		return;
	}
	rc = split_target(request, target);
	if (rc < 0) {
		es_http_refuse(request, rc == ES_ENOMEM ? 503 : 400, NULL);
		return;
	}
	entry = find_handler(request);
	if (entry == NULL) {
		es_http_refuse(request, 404, NULL);
		return;
	}
	if (entry->handler->any)
		allowed = true;
	else if (entry->handler->post)
		allowed = es_slice_eq(request->method, ES_SLICE("POST"));
	else
		allowed = is_head(request) || es_slice_eq(request->method, ES_SLICE("GET"));
	if (allowed)
		entry->handler->handle(entry->ctx, request);
	else
		es_http_refuse(request, 405, entry->handler->post ? "POST" : "GET, HEAD");
}

void es_http_answer(struct es_http_request *request, const struct es_http_answer *answer)
{
	struct es_http_answer whole = *answer;

	ES_ASSERT(!request->answered);
	request->answered = true;
	whole.head = is_head(request);
	request->carrier->answer(request, &whole);
}

void es_http_refuse(struct es_http_request *request, int status, const char *allow)
{
	const struct es_http_entry *entry = find_handler(request);
	char text[64];

	if (entry != NULL && entry->handler->refuse != NULL) {
		entry->handler->refuse(entry->ctx, request, status);
		return;
	}
	if (status == 404)
		snprintf(text, sizeof(text), "404 page not found\n");
	else
		snprintf(text, sizeof(text), "%s\n", es_http_reason(status));
	es_http_answer(request, &(struct es_http_answer){
					.status = status,
					.content_type = "text/plain; charset=utf-8",
					.allow = allow,
					.body = es_slice_str(text),
				});
}

void es_http_refuse_target(struct es_http_request *request, struct es_slice target, int status)
{
	struct es_slice query;

	request->path = until(strip_origin(target), '?', &query);
	es_http_refuse(request, status, NULL);
}

void es_http_respond(struct es_http_request *request, int status, const char *content_type,
		     struct es_slice body)
{
	es_http_answer(request,
		       &(struct es_http_answer){
			       .status = status,
			       .content_type = content_type != NULL ? content_type
								    : "text/plain; charset=utf-8",
			       .body = body,
		       });
}

struct es_slice es_http_path(const struct es_http_request *request)
{
	return request->path;
}

bool es_http_query(const struct es_http_request *request, const char *name, size_t n,
		   struct es_slice *ret_value)
{
	for (size_t i = 0; i < request->param_count; i++) {
		const struct es_http_param *param = &request->params[i];

		if (!es_slice_eq(param->name, es_slice_str(name)) || n-- > 0)
			continue;
		*ret_value = param->value;
		return true;
	}
	return false;
}

bool es_http_header(const struct es_http_request *request, const char *name,
		    struct es_slice *ret_value)
{
	return request->carrier->header(request, es_slice_str(name), ret_value);
}

struct es_slice es_http_body(const struct es_http_request *request)
{
	return request->body;
}

struct es_arena *es_http_arena(struct es_http_request *request)
{
	return request->arena;
}

const char *es_http_reason(int status)
{
	switch (status) {
	case 200: return "OK";
	case 400: return "Bad Request";
	case 401: return "Unauthorized";
	case 403: return "Forbidden";
	case 404: return "Not Found";
	case 405: return "Method Not Allowed";
	case 408: return "Request Timeout";
	case 409: return "Conflict";
	case 412: return "Precondition Failed";
	case 413: return "Request Entity Too Large";
	case 414: return "Request URI Too Long";
	case 415: return "Unsupported Media Type";
	case 417: return "Expectation Failed";
	case 499: return "Client Closed Request";
	case 429: return "Too Many Requests";
	case 431: return "Request Header Fields Too Large";
	case 500: return "Internal Server Error";
	case 501: return "Not Implemented";
	case 503: return "Service Unavailable";
	case 504: return "Gateway Timeout";
	case 505: return "HTTP Version Not Supported";
	default: return "Unknown";
	}
}

void es_http_date(const struct es_rpc_server *server, char ret_date[ES_HTTP_DATE_BYTES])
{
	const struct es_env *env = server->config.env;
	time_t seconds = (time_t)(env->wall_ms(env->ctx) / 1000);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(ret_date, ES_HTTP_DATE_BYTES, "%a, %d %b %Y %H:%M:%S GMT", &tm);
}
