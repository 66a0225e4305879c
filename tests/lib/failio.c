/*
 * LD_PRELOAD: a disk that fails on command. While the file named by FAILIO_TRIGGER exists, the
 * calls that make data durable fail as its first word says:
 *
 *   sync     fsync and fdatasync return EIO
 *   write    a write handed to the kernel's asynchronous I/O (what libraft's log uses) comes back
 *            with EIO
 *   submit   handing one over returns EIO
 *   nospace  it comes back with ENOSPC
 *   destroy  nothing fails, but to destroy a context of that I/O takes two seconds
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool triggered(const char *word)
{
	const char *path = getenv("FAILIO_TRIGGER");
	char text[16] = "";
	int file = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;

	if (file < 0)
		return false;
	if (read(file, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(file);
	return strncmp(text, word, strlen(word)) == 0;
}

int fsync(int file)
{
	int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");

	if (triggered("sync")) {
		errno = EIO;
		return -1;
	}
	return next(file);
}

int fdatasync(int file)
{
	int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");

	if (triggered("sync")) {
		errno = EIO;
		return -1;
	}
	return next(file);
}

long syscall(long number, ...)
{
	long (*next)(long, ...) = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	long a[6], done;
	va_list args;

	va_start(args, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	if (number == SYS_io_submit && triggered("submit")) {
		errno = EIO;
		return -1;
	}
	if (number == SYS_io_destroy && triggered("destroy"))
		sleep(2);
	done = next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (number == SYS_io_getevents && done > 0 &&
	    (triggered("write") || triggered("nospace"))) {
		struct io_event *events = (struct io_event *)a[3];

		for (long i = 0; i < done; i++) {
			if (events[i].res >= 0)
				events[i].res = triggered("nospace") ? -ENOSPC : -EIO;
		}
	}
	return done;
}
