#include "config/cluster.h"

#include <openssl/evp.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/status.h"

enum { SHA1_BYTES = 20 };

static uint64_t first_eight(const uint8_t digest[SHA1_BYTES])
{
	uint64_t id = 0;

	for (int i = 0; i < 8; i++)
		id = id << 8 | digest[i];
	return id;
}

uint64_t es_cluster_member_id(const struct es_url_list *peer_urls, const char *token)
{
	EVP_MD_CTX *sha = EVP_MD_CTX_new();
	uint8_t digest[SHA1_BYTES] = {0};
	int ok = sha != NULL && EVP_DigestInit_ex(sha, EVP_sha1(), NULL);

	for (size_t i = 0; ok && i < peer_urls->count; i++)
		ok = EVP_DigestUpdate(sha, peer_urls->urls[i].text,
				      strlen(peer_urls->urls[i].text));
	ok = ok && EVP_DigestUpdate(sha, token, strlen(token)) &&
	     EVP_DigestFinal_ex(sha, digest, NULL);
	EVP_MD_CTX_free(sha);
	ES_ASSERT(ok); /* only without memory, at the first start of a member */
	return first_eight(digest);
}

uint64_t es_cluster_id(const uint64_t *member_ids, size_t count)
{
	EVP_MD_CTX *sha = EVP_MD_CTX_new();
	uint8_t digest[SHA1_BYTES] = {0};
	int ok = sha != NULL && EVP_DigestInit_ex(sha, EVP_sha1(), NULL);

	for (size_t i = 0; ok && i < count; i++) {
		uint8_t bytes[8];

		es_store_u64be(bytes, member_ids[i]);
		ok = EVP_DigestUpdate(sha, bytes, sizeof(bytes));
	}
	ok = ok && EVP_DigestFinal_ex(sha, digest, NULL);
	EVP_MD_CTX_free(sha);
	ES_ASSERT(ok);
	return first_eight(digest);
}

/* ---- --initial-cluster ----------------------------------------------------------------------- */

struct parsed {
	struct es_buf own; /* URLs of this member, comma-separated */
	bool others;       /* it names another member */
	const char *other;
	size_t other_len;
};

static int add_own(struct parsed *parsed, const char *url, size_t len)
{
	int rc = parsed->own.len > 0 ? es_buf_append_str(&parsed->own, ",") : 0;

	return rc < 0 ? rc : es_buf_append(&parsed->own, url, len);
}

/* "name=url,name=url": etcd skips empty pieces. */
static int parse(const struct es_config *config, struct parsed *parsed)
{
	const char *text = config->initial_cluster;
	size_t name_len = strlen(config->name);
	int rc = 0;

	while (rc == 0 && *text != '\0') {
		size_t len = strcspn(text, ",");
		size_t key = strcspn(text, "=,");
		const char *url = text + key + (key < len);

		if (len > 0 && key == name_len && memcmp(text, config->name, key) == 0) {
			rc = add_own(parsed, url, len - (size_t)(url - text));
		} else if (len > 0) {
			parsed->others = true;
			parsed->other = text;
			parsed->other_len = key;
		}
		text += len + (text[len] == ',');
	}
	return rc < 0 ? rc : es_buf_append(&parsed->own, "", 1);
}

static bool contains(const struct es_url_list *list, const struct es_url *url)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->urls[i].text, url->text) == 0)
			return true;
	return false;
}

/* Comma-separated in `out`: what `list` has and `of` has not. */
static int missing(const struct es_url_list *list, const struct es_url_list *of, const char *prefix,
		   struct es_buf *out)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < list->count; i++)
		if (!contains(of, &list->urls[i]))
			rc = es_buf_printf(out, "%s%s%s", out->len > 0 ? "," : "", prefix,
					   list->urls[i].text);
	return rc;
}

static int match_advertised(const struct es_config *config, struct es_arena *arena,
			    const struct es_url_list *own, char *errmsg, size_t errmsg_size)
{
	const char *advertised = es_urls_join(arena, &config->advertise_peer);
	struct es_buf text, prefix;
	int rc;

	es_buf_init(&text, es_mem_default());
	es_buf_init(&prefix, es_mem_default());
	rc = advertised == NULL ? ES_ENOMEM : es_buf_printf(&prefix, "%s=", config->name);
	if (rc == 0)
		rc = es_buf_append(&prefix, "", 1);
	if (rc == 0)
		rc = missing(own, &config->advertise_peer, (const char *)prefix.data, &text);
	if (rc == 0 && text.len > 0) {
		(void)snprintf(errmsg, errmsg_size,
			       "--initial-cluster has %.*s but missing from "
			       "--initial-advertise-peer-urls=%s",
			       (int)text.len, (const char *)text.data, advertised);
		rc = ES_EINVAL;
	}
	if (rc == 0)
		rc = missing(&config->advertise_peer, own, "", &text);
	if (rc == 0 && text.len > 0) {
		(void)snprintf(errmsg, errmsg_size,
			       "--initial-advertise-peer-urls has %.*s but missing from "
			       "--initial-cluster=%s",
			       (int)text.len, (const char *)text.data, config->initial_cluster);
		rc = ES_EINVAL;
	}
	es_buf_close(&text);
	es_buf_close(&prefix);
	return rc;
}

static int check(const struct es_config *config, struct es_arena *arena,
		 const struct parsed *parsed, struct es_url_list *ret_own, char *errmsg,
		 size_t errmsg_size)
{
	char why[256];
	int rc;

	if (parsed->own.len <= 1) {
		(void)snprintf(
			errmsg, errmsg_size,
			"couldn't find local name \"%s\" in the initial cluster configuration",
			config->name);
		return ES_EINVAL;
	}
	if (parsed->others) {
		(void)snprintf(errmsg, errmsg_size,
			       "not supported yet: more than one member (--initial-cluster names "
			       "\"%.*s\" beside \"%s\")",
			       (int)parsed->other_len, parsed->other, config->name);
		return ES_EUNIMPLEMENTED;
	}
	rc = es_urls_parse(arena, (const char *)parsed->own.data, ret_own, why, sizeof(why));
	if (rc == ES_EINVAL)
		(void)snprintf(errmsg, errmsg_size, "error setting up initial cluster: %s", why);
	return rc < 0 ? rc : match_advertised(config, arena, ret_own, errmsg, errmsg_size);
}

int es_cluster_bootstrap(const struct es_config *config, struct es_arena *arena,
			 struct es_cluster_ids *ret_ids, char *errmsg, size_t errmsg_size)
{
	struct parsed parsed = {0};
	struct es_url_list own;
	int rc;

	if (!config->cluster_is_new) {
		(void)snprintf(errmsg, errmsg_size,
			       "not supported yet: joining a cluster "
			       "(--initial-cluster-state=existing, and %s holds no "
			       "data of a member)",
			       config->data_dir);
		return ES_EUNIMPLEMENTED;
	}
	es_buf_init(&parsed.own, es_mem_default());
	rc = parse(config, &parsed);
	if (rc == 0)
		rc = check(config, arena, &parsed, &own, errmsg, errmsg_size);
	if (rc == 0) {
		ret_ids->member_id = es_cluster_member_id(&own, config->initial_cluster_token);
		ret_ids->cluster_id = es_cluster_id(&ret_ids->member_id, 1);
	}
	es_buf_close(&parsed.own);
	return rc;
}
