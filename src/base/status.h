#ifndef ES_BASE_STATUS_H
#define ES_BASE_STATUS_H

/*
 * Status codes. 0 is success, every failure is negative; functions that return a count or a size say so.
 * The bands tell what a caller may do about a failure:
 *
 *   -1   .. -99    our surroundings: memory, disk, clock, shutdown
 *   -100 .. -199   the request: refused, nothing changed, the client must change it
 *   -200 .. -299   not now: the same request may succeed later
 *   -300 .. -399   corrupt: data on disk or from a peer is not what was written
 *
 * The texts of the request and not-now bands are those that etcd's clients know
 * (go.etcd.io/etcd/api/v3, v3rpc/rpctypes); the gRPC code beside each is sent with it.
 */
enum es_grpc_code {
	ES_GRPC_OK = 0,
	ES_GRPC_CANCELLED = 1,
	ES_GRPC_UNKNOWN = 2,
	ES_GRPC_INVALID_ARGUMENT = 3,
	ES_GRPC_DEADLINE_EXCEEDED = 4,
	ES_GRPC_NOT_FOUND = 5,
	ES_GRPC_ALREADY_EXISTS = 6,
	ES_GRPC_PERMISSION_DENIED = 7,
	ES_GRPC_RESOURCE_EXHAUSTED = 8,
	ES_GRPC_FAILED_PRECONDITION = 9,
	ES_GRPC_ABORTED = 10,
	ES_GRPC_OUT_OF_RANGE = 11,
	ES_GRPC_UNIMPLEMENTED = 12,
	ES_GRPC_INTERNAL = 13,
	ES_GRPC_UNAVAILABLE = 14,
	ES_GRPC_DATA_LOSS = 15,
	ES_GRPC_UNAUTHENTICATED = 16,
};

/* X(name, number, gRPC code, text) */
/* clang-format off */
#define ES_STATUS_MAP(X)                                                                                        \
	X(ENOMEM, -1, RESOURCE_EXHAUSTED, "engenho: out of memory")                                             \
	X(EIO, -2, UNAVAILABLE, "engenho: input/output error")                                                  \
	X(ENOSPC, -3, RESOURCE_EXHAUSTED, "engenho: no space left on the disk of the data folder")              \
	X(EINVAL, -4, INVALID_ARGUMENT, "engenho: invalid argument")                                            \
	X(EEXIST, -5, ALREADY_EXISTS, "engenho: already exists")                                                \
	X(ENOENT, -6, NOT_FOUND, "engenho: not found")                                                          \
	X(EBUSY, -7, UNAVAILABLE, "engenho: in use")                                                            \
	X(ECANCELED, -8, CANCELLED, "engenho: cancelled")                                                       \
	X(EINTERNAL, -9, INTERNAL, "engenho: internal error")                                                   \
	X(EDECODE, -100, INTERNAL, "grpc: error unmarshalling request")                                         \
	X(EEMPTY_KEY, -101, INVALID_ARGUMENT, "etcdserver: key is not provided")                                \
	X(EKEY_NOT_FOUND, -102, INVALID_ARGUMENT, "etcdserver: key not found")                                  \
	X(EVALUE_PROVIDED, -103, INVALID_ARGUMENT, "etcdserver: value is provided")                             \
	X(ELEASE_PROVIDED, -104, INVALID_ARGUMENT, "etcdserver: lease is provided")                             \
	X(ETOO_MANY_OPS, -105, INVALID_ARGUMENT, "etcdserver: too many operations in txn request")              \
	X(EDUPLICATE_KEY, -106, INVALID_ARGUMENT, "etcdserver: duplicate key given in txn request")             \
	X(EINVALID_SORT, -107, INVALID_ARGUMENT, "etcdserver: invalid sort option")                             \
	X(ECOMPACTED, -108, OUT_OF_RANGE, "etcdserver: mvcc: required revision has been compacted")             \
	X(EFUTURE_REV, -109, OUT_OF_RANGE, "etcdserver: mvcc: required revision is a future revision")          \
	X(ELEASE_NOT_FOUND, -110, NOT_FOUND, "etcdserver: requested lease not found")                           \
	X(ELEASE_EXIST, -111, FAILED_PRECONDITION, "etcdserver: lease already exists")                          \
	X(ELEASE_TTL_TOO_LARGE, -112, OUT_OF_RANGE, "etcdserver: too large lease TTL")                          \
	X(ETOO_LARGE, -113, INVALID_ARGUMENT, "etcdserver: request is too large")                               \
	X(EUNIMPLEMENTED, -114, UNIMPLEMENTED, "engenho: not implemented")                                      \
	X(EMEMBER_NOT_FOUND, -115, NOT_FOUND, "etcdserver: member not found")                                   \
	X(EPEER_URL_EXIST, -116, FAILED_PRECONDITION, "etcdserver: Peer URLs already exists")                   \
	X(EBAD_LEADER_TRANSFEREE, -117, FAILED_PRECONDITION, "etcdserver: bad leader transferee")               \
	X(EAUTH_NOT_ENABLED, -118, FAILED_PRECONDITION, "etcdserver: authentication is not enabled")            \
	X(EMEMBER_BAD_URLS, -119, INVALID_ARGUMENT, "etcdserver: given member URLs are invalid")                \
	X(EMEMBER_NOT_LEARNER, -120, FAILED_PRECONDITION, "etcdserver: can only promote a learner member")      \
	X(EUSER_EMPTY, -121, INVALID_ARGUMENT, "etcdserver: user name is empty")                                \
	X(EUSER_NOT_FOUND, -122, FAILED_PRECONDITION, "etcdserver: user name not found")                        \
	X(EROLE_EMPTY, -123, INVALID_ARGUMENT, "etcdserver: role name is empty")                                \
	X(EROLE_NOT_FOUND, -124, FAILED_PRECONDITION, "etcdserver: role name not found")                        \
	X(EROOT_USER_NOT_EXIST, -125, FAILED_PRECONDITION, "etcdserver: root user does not exist")              \
	X(EPERMISSION_NOT_GIVEN, -126, INVALID_ARGUMENT, "etcdserver: permission not given")                    \
	X(EINVALID_AUTH_MGMT, -127, INVALID_ARGUMENT, "etcdserver: invalid auth management")                    \
	X(ENOSPACE, -200, RESOURCE_EXHAUSTED, "etcdserver: mvcc: database space exceeded")                      \
	X(ETOO_MANY_REQUESTS, -201, RESOURCE_EXHAUSTED, "etcdserver: too many requests")                        \
	X(ENO_LEADER, -202, UNAVAILABLE, "etcdserver: no leader")                                               \
	X(ENOT_LEADER, -203, FAILED_PRECONDITION, "etcdserver: not leader")                                     \
	X(ELEADER_CHANGED, -204, UNAVAILABLE, "etcdserver: leader changed")                                     \
	X(ESTOPPED, -205, UNAVAILABLE, "etcdserver: server stopped")                                            \
	X(ETIMEOUT, -206, UNAVAILABLE, "etcdserver: request timed out")                                         \
	X(ECORRUPT_MEMBER, -207, DATA_LOSS, "etcdserver: corrupt cluster")                                      \
	X(ECORRUPT, -300, DATA_LOSS, "engenho: data is corrupt")                                                \
	X(ETRUNCATED, -301, DATA_LOSS, "engenho: data is truncated")                                            \
	X(EFORMAT, -302, DATA_LOSS, "engenho: unknown format version")
/* clang-format on */

enum es_status {
	ES_OK = 0,
#define X(name, number, grpc, text) ES_##name = (number),
	ES_STATUS_MAP(X)
#undef X
};

/* The text of a status, never NULL; static. */
const char *es_status_text(int status);

/* The short stable name ("ENOMEM"), never NULL; static. For logs and tests. */
const char *es_status_name(int status);

/* The gRPC code that travels with the text. An unknown status is ES_GRPC_UNKNOWN. */
enum es_grpc_code es_status_grpc(int status);

#endif
