#ifndef ES_CONFIG_URLS_H
#define ES_CONFIG_URLS_H

#include "base/mem.h"

/*
 * Lists of URLs as --listen-client-urls and its like have them: http, https, unix and unixs,
 * sorted by their text, each once. Everything is allocated from an arena.
 */
enum es_url_scheme { ES_URL_HTTP, ES_URL_HTTPS, ES_URL_UNIX, ES_URL_UNIXS };

struct es_url {
	enum es_url_scheme scheme;
	const char *text; /* as given, with a lower-case scheme */
	const char *host; /* without brackets; "" for unix */
	uint16_t port;
	const char *path; /* of a unix socket, else NULL */
};

struct es_url_list {
	const struct es_url *urls;
	size_t count;
};

/*
 * Comma-separated; "" is an empty list. http and https need host:port (port 0 is allowed) and
 * may have no path. ES_EINVAL with etcd's text in `errmsg`; ES_ENOMEM.
 */
int es_urls_parse(struct es_arena *arena, const char *text, struct es_url_list *ret_list,
		  char *errmsg, size_t errmsg_size);
/* The texts joined by commas. NULL: no memory. */
const char *es_urls_join(struct es_arena *arena, const struct es_url_list *list);
/* The texts, NULL behind the last. NULL: no memory. */
const char *const *es_urls_texts(struct es_arena *arena, const struct es_url_list *list);

/* To listen on: the host is "localhost" or a numeric address. ES_EINVAL with etcd's text. */
int es_urls_check_bind(const struct es_url_list *list, char *errmsg, size_t errmsg_size);
/* To advertise: there is a host. ES_EINVAL with etcd's text. */
int es_urls_check_advertise(const struct es_url_list *list, char *errmsg, size_t errmsg_size);

/* `url` with another host and port. ES_ENOMEM. */
int es_url_rewrite(struct es_arena *arena, const struct es_url *url, const char *host,
		   uint16_t port, struct es_url *ret_url);

#endif
