#ifndef ES_SERVER_VERSION_H
#define ES_SERVER_VERSION_H

/* ENGENHO_VERSION comes from the build. The version of etcd whose API this is: clients judge by
 * it what they may ask for. */
#define ES_ETCD_VERSION         "3.7.3"
#define ES_ETCD_CLUSTER_VERSION "3.7.0"
#define ES_ETCD_CLUSTER_MINOR   "3.7"

#endif
