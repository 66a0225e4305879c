/* Puts the head of a catalog file before standard input: length and hash are right, whatever the payload is. */
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"

static void die(const char *what)
{
	perror(what);
	exit(1);
}

int main(void)
{
	uint8_t digest[ES_BLAKE3_BYTES], length[8], *payload = NULL;
	size_t len = 0, cap = 0, n;

	do {
		if (cap - len < 65536) {
			cap = cap == 0 ? 1 << 20 : cap * 2;
			payload = realloc(payload, cap);
			if (payload == NULL)
				die("realloc");
		}
		n = fread(payload + len, 1, cap - len, stdin);
		len += n;
	} while (n > 0);
	for (int i = 0; i < 8; i++)
		length[i] = (uint8_t)((uint64_t)len >> 8 * i);
	es_blake3(es_slice(payload, len), digest);
	if (fputs("engenho-catalog-snapshot v1\n", stdout) < 0 ||
	    fwrite(length, 8, 1, stdout) != 1 || fwrite(digest, sizeof(digest), 1, stdout) != 1 ||
	    fwrite(payload, 1, len, stdout) != len || fflush(stdout) != 0)
		die("write");
	free(payload);
	return 0;
}
