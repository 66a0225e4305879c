#include "ctl/endpoints.h"

#include <string.h>

#include "ctl/args.h"

int es_ctl_next_endpoint(const char **text, char out[ES_CLIENT_ENDPOINT_MAX])
{
	while (**text != '\0') {
		const char *begin = *text + strspn(*text, " \t");
		size_t len = strcspn(begin, ",");

		*text = begin + len + (begin[len] == ',');
		while (len > 0 && (begin[len - 1] == ' ' || begin[len - 1] == '\t'))
			len--;
		if (len >= ES_CLIENT_ENDPOINT_MAX)
			return ES_EINVAL;
		memcpy(out, begin, len);
		out[len] = '\0';
		if (len > 0)
			return 1;
	}
	return 0;
}

bool es_ctl_check_endpoints(const char *text)
{
	char endpoint[ES_CLIENT_ENDPOINT_MAX];
	size_t count = 0;
	int rc;

	while ((rc = es_ctl_next_endpoint(&text, endpoint)) > 0) {
		count++;
		if (strncmp(endpoint, "https:", 6) == 0) {
			(void)es_ctl_fail("TLS is not there yet: %s", endpoint);
			return false;
		}
		if (es_client_is_endpoint(endpoint))
			continue;
		(void)es_ctl_fail(
			"not an endpoint: %s (write host:port, http://host:port or unix:///path)",
			endpoint);
		return false;
	}
	if (rc < 0)
		(void)es_ctl_fail("an endpoint is too long");
	else if (count == 0)
		(void)es_ctl_fail("--endpoints names no member");
	return rc == 0 && count > 0;
}
