#ifndef ES_RESOURCE_POD_H
#define ES_RESOURCE_POD_H

#include "resource/key.h"

/*
 * What the creation of a Pod fills in, as Kubernetes' API server does it: status.phase and
 * status.qosClass, when they are absent. Other kinds, and values that are no objects, stay as they
 * are. Pure. ES_ENOMEM.
 */
int es_resource_pod_created(const struct es_resource_key *key, struct es_arena *arena,
			    struct es_json *object);

/* "Guaranteed", "Burstable" or "BestEffort", by the requests and limits of CPU and memory of all containers
 * (kubernetes.io/docs: Pod Quality of Service Classes). Static. */
const char *es_resource_pod_qos(const struct es_json *pod);

#endif
