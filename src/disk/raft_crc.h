#ifndef ES_DISK_RAFT_CRC_H
#define ES_DISK_RAFT_CRC_H

#include "base/slice.h"

/* The checksum in libraft's files: polynomial 0x04c11db7, most significant bit first, starting from
 * 0, nothing inverted at the end (not zlib's CRC-32). Continued from `crc`, 0 to begin. */
uint32_t es_raft_crc(uint32_t crc, struct es_slice bytes);

#endif
