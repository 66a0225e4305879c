#ifndef ES_CONSENSUS_BATCH_H
#define ES_CONSENSUS_BATCH_H

#include "base/buf.h"
#include "base/status.h"

/*
 * The bytes of one log entry: a batch of commands (docs/formats/log-entry.md).
 *
 *   0  u8   format, 1
 *   1  u8   flags, 0
 *   2  u16  0
 *   4  u32  number of commands; 0 is an entry that changes nothing
 *   8  u64  index of the entry
 *  16  for each command: u32 length, bytes
 *      zero bytes up to a multiple of 8
 *
 * All numbers are little-endian.
 */
#define ES_BATCH_FORMAT        1
#define ES_BATCH_HEADER_BYTES  16
#define ES_BATCH_COMMAND_BYTES 4 /* in front of each command */

/* The header into `ret_header`. */
void es_batch_header(uint8_t ret_header[ES_BATCH_HEADER_BYTES], uint32_t count, uint64_t index);

/* The index that an entry claims, if it looks like one of ours at all; else 0. */
uint64_t es_batch_index(struct es_slice entry);

struct es_batch_reader {
	struct es_slice rest;
	uint32_t count; /* commands still to come */
};

/*
 * Check an entry that came from a disk or a peer, all of it, and start reading its commands.
 * ES_EFORMAT: a format or flag that this program does not know; ES_ETRUNCATED: a length beyond the
 * end; ES_ECORRUPT: anything else, among it another index than `index`.
 */
int es_batch_open(struct es_slice entry, uint64_t index, struct es_batch_reader *ret_reader);

/* The next command; false at the end. The slice points into the entry. */
bool es_batch_next(struct es_batch_reader *reader, struct es_slice *ret_command);

#endif
