#include "config/urls.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/assert.h"
#include "base/status.h"
#include "config/value.h"

static const struct {
	const char *name;
	enum es_url_scheme scheme;
} schemes[] = {
	{"http", ES_URL_HTTP},
	{"https", ES_URL_HTTPS},
	{"unix", ES_URL_UNIX},
	{"unixs", ES_URL_UNIXS},
};

static char *copy(struct es_arena *arena, const char *text, size_t len)
{
	char *out = es_arena_alloc(arena, len + 1);

	if (out == NULL)
		return NULL;
	memcpy(out, text, len);
	out[len] = '\0';
	return out;
}

static int refuse(char *errmsg, size_t errmsg_size, const char *what, const char *text)
{
	(void)snprintf(errmsg, errmsg_size, "%s: %s", what, text);
	return ES_EINVAL;
}

static bool has_bad_bytes(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text <= ' ' || *text == 0x7f)
			return true;
	return false;
}

/* "host:port" or "[v6]:port" in `text`, of which `len` bytes count. */
static int parse_host_port(struct es_arena *arena, const char *text, size_t len, struct es_url *url,
			   char *errmsg, size_t errmsg_size)
{
	const char *colon = memrchr(text, ':', len);
	const char *host = text;
	size_t host_len;
	uint64_t port = 0;
	char digits[8];

	if (colon == NULL)
		return refuse(errmsg, errmsg_size,
			      "URL address does not have the form \"host:port\"", url->text);
	host_len = (size_t)(colon - text);
	if (host_len > 0 && host[0] == '[') {
		if (host[host_len - 1] != ']')
			return refuse(errmsg, errmsg_size,
				      "URL address does not have the form \"host:port\"",
				      url->text);
		host++;
		host_len -= 2;
	} else if (memchr(host, ':', host_len) != NULL) {
		return refuse(errmsg, errmsg_size,
			      "URL address does not have the form \"host:port\"", url->text);
	}
	len -= (size_t)(colon + 1 - text);
	if (len >= sizeof(digits))
		return refuse(errmsg, errmsg_size, "invalid port in URL", url->text);
	memcpy(digits, colon + 1, len);
	digits[len] = '\0';
	if (len == 0 || strspn(digits, "0123456789") != len ||
	    strtoul(digits, NULL, 10) > UINT16_MAX)
		return refuse(errmsg, errmsg_size, "invalid port in URL", url->text);
	port = strtoul(digits, NULL, 10);
	url->host = copy(arena, host, host_len);
	url->port = (uint16_t)port;
	return url->host == NULL ? ES_ENOMEM : 0;
}

static int parse_one(struct es_arena *arena, const char *text, size_t len, struct es_url *url,
		     char *errmsg, size_t errmsg_size)
{
	char *own;
	const char *rest;
	size_t scheme_len, host_len;
	size_t i;

	while (len > 0 && isspace((unsigned char)text[0]))
		text++, len--;
	while (len > 0 && isspace((unsigned char)text[len - 1]))
		len--;
	own = copy(arena, text, len);
	if (own == NULL)
		return ES_ENOMEM;
	*url = (struct es_url){.text = own, .host = ""};
	scheme_len = strcspn(own, ":/?#");
	for (i = 0; i < ES_ARRAY_LEN(schemes); i++)
		if (own[scheme_len] == ':' && strlen(schemes[i].name) == scheme_len &&
		    strncasecmp(own, schemes[i].name, scheme_len) == 0)
			break;
	if (i == ES_ARRAY_LEN(schemes))
		return refuse(errmsg, errmsg_size, "URL scheme must be http, https, unix, or unixs",
			      own);
	if (has_bad_bytes(own))
		return refuse(errmsg, errmsg_size,
			      "URL must not contain spaces or control characters", own);
	memcpy(own, schemes[i].name, scheme_len);
	url->scheme = schemes[i].scheme;
	rest = own + scheme_len + 1;
	if (strncmp(rest, "//", 2) == 0)
		rest += 2;
	else if (url->scheme == ES_URL_HTTP || url->scheme == ES_URL_HTTPS)
		return refuse(errmsg, errmsg_size,
			      "URL address does not have the form \"host:port\"", own);
	if (url->scheme == ES_URL_UNIX || url->scheme == ES_URL_UNIXS) {
		url->path = rest;
		return *rest == '\0' ? refuse(errmsg, errmsg_size, "URL names no socket", own) : 0;
	}
	if (strpbrk(rest, "@?#") != NULL)
		return refuse(errmsg, errmsg_size, "URL must be a scheme and host:port only", own);
	host_len = strcspn(rest, "/");
	if (rest[host_len] != '\0')
		return refuse(errmsg, errmsg_size, "URL must not contain a path", own);
	return parse_host_port(arena, rest, host_len, url, errmsg, errmsg_size);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(((const struct es_url *)a)->text, ((const struct es_url *)b)->text);
}

int es_urls_parse(struct es_arena *arena, const char *text, struct es_url_list *ret_list,
		  char *errmsg, size_t errmsg_size)
{
	size_t count = 1, unique = 0;
	struct es_url *urls;
	const char *p = text;

	if (*text == '\0') {
		*ret_list = (struct es_url_list){NULL, 0};
		return 0;
	}
	for (const char *c = text; *c != '\0'; c++)
		count += *c == ',';
	urls = es_arena_calloc(arena, count, sizeof(*urls));
	if (urls == NULL)
		return ES_ENOMEM;
	for (size_t i = 0; i < count; i++) {
		size_t len = strcspn(p, ",");
		int rc = parse_one(arena, p, len, &urls[i], errmsg, errmsg_size);

		if (rc < 0)
			return rc;
		p += len + 1;
	}
	qsort(urls, count, sizeof(*urls), by_text);
	for (size_t i = 0; i < count; i++)
		if (unique == 0 || by_text(&urls[unique - 1], &urls[i]) != 0)
			urls[unique++] = urls[i];
	*ret_list = (struct es_url_list){urls, unique};
	return 0;
}

const char *es_urls_join(struct es_arena *arena, const struct es_url_list *list)
{
	size_t size = 1, at = 0;
	char *out;

	for (size_t i = 0; i < list->count; i++)
		size += strlen(list->urls[i].text) + 1;
	out = es_arena_alloc(arena, size);
	if (out == NULL)
		return NULL;
	*out = '\0';
	for (size_t i = 0; i < list->count; i++)
		at += (size_t)snprintf(out + at, size - at, "%s%s", i > 0 ? "," : "",
				       list->urls[i].text);
	return out;
}

const char *const *es_urls_texts(struct es_arena *arena, const struct es_url_list *list)
{
	const char **texts = es_arena_calloc(arena, list->count + 1, sizeof(*texts));

	if (texts == NULL)
		return NULL;
	for (size_t i = 0; i < list->count; i++)
		texts[i] = list->urls[i].text;
	return texts;
}

static bool is_tcp(const struct es_url *url)
{
	return url->scheme == ES_URL_HTTP || url->scheme == ES_URL_HTTPS;
}

static bool is_address(const char *host)
{
	struct in6_addr address;

	return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
}

int es_urls_check_bind(const struct es_url_list *list, char *errmsg, size_t errmsg_size)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct es_url *url = &list->urls[i];

		if (!is_tcp(url) || strcmp(url->host, "localhost") == 0 || is_address(url->host))
			continue;
		(void)snprintf(errmsg, errmsg_size, "expected IP in URL for binding (%s)",
			       url->text);
		return ES_EINVAL;
	}
	return 0;
}

int es_urls_check_advertise(const struct es_url_list *list, char *errmsg, size_t errmsg_size)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct es_url *url = &list->urls[i];

		if (!is_tcp(url) || *url->host != '\0')
			continue;
		(void)snprintf(errmsg, errmsg_size, "unexpected empty host (%s)", url->text);
		return ES_EINVAL;
	}
	return 0;
}

int es_url_rewrite(struct es_arena *arena, const struct es_url *url, const char *host,
		   uint16_t port, struct es_url *ret_url)
{
	bool v6 = strchr(host, ':') != NULL;
	size_t size = strlen("https://[]:65535") + strlen(host) + 1;
	char *own_host = copy(arena, host, strlen(host));
	char *text = es_arena_alloc(arena, size);

	ES_ASSERT(is_tcp(url));
	if (own_host == NULL || text == NULL)
		return ES_ENOMEM;
	(void)snprintf(text, size, "%s://%s%s%s:%u", url->scheme == ES_URL_HTTP ? "http" : "https",
		       v6 ? "[" : "", host, v6 ? "]" : "", port);
	*ret_url = (struct es_url){
		.scheme = url->scheme, .text = text, .host = own_host, .port = port};
	return 0;
}
