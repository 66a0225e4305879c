#ifndef ES_CTL_CATALOG_OUT_H
#define ES_CTL_CATALOG_OUT_H

#include <stdbool.h>

#include "disk/fs.h"

/*
 * Where a catalog goes to: a file, which is replaced as a whole; or standard output for "-", a FIFO or a character
 * device, which are written into.
 */
struct es_ctl_catalog_out {
	const char *path;               /* as it was named */
	bool is_stdout, is_stream;      /* is_stream: standard output as well */
	char target[ES_PATH_BYTES_MAX]; /* of a file: links are followed */
};

/* What can be told beforehand: nothing is opened or made. ES_CTL_OK, or the exit status after a complaint. */
int es_ctl_catalog_out_check(const char *path, struct es_ctl_catalog_out *ret_out);
/* Write all of it. ES_CTL_OK, or the exit status after a complaint. Of a FIFO it waits for a reader. */
int es_ctl_catalog_out_write(const struct es_ctl_catalog_out *out, struct es_slice file);

#endif
