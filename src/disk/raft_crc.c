#include "disk/raft_crc.h"

#include <pthread.h>

/*
 * Eight bytes at a step: row k of the table holds what a byte contributes when k more bytes follow
 * it. The table is made at the first use; every thread that asks waits for that.
 */
static uint32_t table[8][256];
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static void make_table(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i << 24;

		for (int bit = 0; bit < 8; bit++)
			crc = crc << 1 ^ ((crc & 0x80000000u) != 0 ? 0x04c11db7u : 0);
		table[0][i] = crc;
	}
	for (uint32_t i = 0; i < 256; i++) {
		for (int k = 1; k < 8; k++)
			table[k][i] = table[k - 1][i] << 8 ^ table[0][table[k - 1][i] >> 24];
	}
}

uint32_t es_raft_crc(uint32_t crc, struct es_slice bytes)
{
	const uint8_t *p = bytes.data;
	size_t len = bytes.len;

	pthread_once(&table_once, make_table);
	for (; len >= 8; p += 8, len -= 8)
		crc = table[7][p[0] ^ crc >> 24] ^ table[6][p[1] ^ (crc >> 16 & 0xff)] ^
		      table[5][p[2] ^ (crc >> 8 & 0xff)] ^ table[4][p[3] ^ (crc & 0xff)] ^
		      table[3][p[4]] ^ table[2][p[5]] ^ table[1][p[6]] ^ table[0][p[7]];
	for (; len > 0; p++, len--)
		crc = crc << 8 ^ table[0][crc >> 24 ^ *p];
	return crc;
}
