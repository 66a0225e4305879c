#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>

/*
 * libraft destroys an asynchronous I/O context with each segment of its log that is full, on the
 * thread of the loop, and the kernel's io_destroy(2) waits for an RCU grace period: 30 to 40 ms in
 * which nobody is served, some times a second under load. libraft makes the call through libc's
 * syscall(2) function. This definition comes before libc's in the program: that one call goes to a
 * thread of its own, all others on to libc. Nothing is under way in the context any more when
 * libraft destroys it. The figures are in docs/decisions/0015-io-destroy-beside-the-loop.md.
 */
typedef long syscall_fn(long number, ...);

static syscall_fn *libc_syscall(void)
{
	static syscall_fn *found; /* the same for every thread that looks */
	syscall_fn *function = __atomic_load_n(&found, __ATOMIC_RELAXED);
	void *symbol;

	if (function == NULL) {
		symbol = dlsym(RTLD_NEXT, "syscall");
		memcpy(&function, &symbol, sizeof(function));
		__atomic_store_n(&found, function, __ATOMIC_RELAXED);
	}
	return function;
}

static void *destroy(void *context)
{
	(void)libc_syscall()(SYS_io_destroy, context);
	return NULL;
}

static bool destroy_beside(void *context)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int rc = pthread_attr_init(&attributes);

	if (rc != 0)
		return false;
	(void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	rc = pthread_create(&thread, &attributes, destroy, context);
	(void)pthread_attr_destroy(&attributes);
	return rc == 0;
}

/* Named for the linker: the header's declaration has attributes that are libc's business. */
long es_hooks_syscall(long number, ...) __asm__("syscall");

long es_hooks_syscall(long number, ...)
{
	long argument[6];
	va_list arguments;

	/* As libc's: all six, whether they were given or not. */
	va_start(arguments, number);
	for (int i = 0; i < 6; i++)
		argument[i] = va_arg(arguments, long);
	va_end(arguments);
	if (number == SYS_io_destroy && destroy_beside((void *)argument[0]))
		return 0;
	return libc_syscall()(number, argument[0], argument[1], argument[2], argument[3],
			      argument[4], argument[5]);
}
