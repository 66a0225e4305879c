#include <errno.h>
#include <stddef.h>
#include <sys/types.h>
#include <unistd.h>

/*
 * libraft allots each segment of its log with posix_fallocate(3), which on ext4 and xfs leaves
 * "unwritten" extents: the first write to each block then has to change the file's map as well,
 * through the file system's journal, before it is durable. This definition takes the place of
 * libc's in the program (nothing else of ours calls it; what POSIX promises of it still holds) and writes
 * the zeros, ahead of time and in libraft's own worker, so that a log write is a plain overwrite. The figures are in
 * docs/decisions/0013-segments-are-written-ahead.md.
 *
 * The descriptor was opened with O_DSYNC: when this returns the blocks are on disk.
 */
#define STEP_BYTES (1 << 20)

/* Named for the linker: with large-file support the header gives the C name to another symbol. */
int es_hooks_preallocate(int fd, off_t offset, off_t len) __asm__("posix_fallocate");

int es_hooks_preallocate(int fd, off_t offset, off_t len)
{
	static const char zeros[STEP_BYTES];

	if (offset < 0 || len <= 0)
		return EINVAL;
	while (len > 0) {
		ssize_t written = pwrite(fd, zeros, len < STEP_BYTES ? (size_t)len : STEP_BYTES, offset);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return errno;
		offset += written;
		len -= written;
	}
	return 0;
}
