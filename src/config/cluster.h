#ifndef ES_CONFIG_CLUSTER_H
#define ES_CONFIG_CLUSTER_H

#include "config/config.h"

/*
 * The members that --initial-cluster names, and the ids that follow: the first eight bytes of a
 * SHA-1 over sorted peer URLs and the token (a member), and over all member ids in order (the
 * cluster). They are the same that etcd would give.
 */
struct es_cluster_ids {
	uint64_t member_id;
	uint64_t cluster_id;
};

/*
 * For the first start: checks --initial-cluster against the name and the advertised peer URLs
 * and derives the ids. ES_EINVAL with etcd's text; ES_EUNIMPLEMENTED ("not supported yet") for more
 * than one member and for joining an existing cluster; ES_ENOMEM.
 */
int es_cluster_bootstrap(const struct es_config *config, struct es_arena *arena,
			 struct es_cluster_ids *ret_ids, char *errmsg, size_t errmsg_size);

uint64_t es_cluster_member_id(const struct es_url_list *peer_urls, const char *token);
/* `member_ids` in ascending order. */
uint64_t es_cluster_id(const uint64_t *member_ids, size_t count);

#endif
