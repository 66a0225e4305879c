#ifndef ES_CTL_ENDPOINTS_H
#define ES_CTL_ENDPOINTS_H

#include <stdbool.h>

#include "ctl/client.h"

/* The next of a comma-separated list, without blanks around it: 1, 0 at the end, ES_EINVAL when it is too long. Empty
 * ones are left out. */
int es_ctl_next_endpoint(const char **text, char out[ES_CLIENT_ENDPOINT_MAX]);
/* Whether all of them are endpoints, and there is one. False after a complaint. */
bool es_ctl_check_endpoints(const char *text);

#endif
