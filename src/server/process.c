#include "server/process.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/status.h"

/* The whole of a small file of /proc as text; "" when it cannot be read. */
static void read_text(const char *path, char *out, size_t size)
{
	FILE *file = fopen(path, "re");
	size_t len = 0;

	if (file != NULL) {
		len = fread(out, 1, size - 1, file);
		(void)fclose(file);
	}
	out[len] = '\0';
}

static double boot_time(void)
{
	char text[8192];
	const char *line;

	read_text("/proc/stat", text, sizeof(text));
	line = strstr(text, "\nbtime ");
	return line == NULL ? 0 : strtod(line + 7, NULL);
}

/* The n-th field (from 1) of /proc/self/stat behind the name, which may itself hold spaces and
 * parentheses. */
static uint64_t stat_field(const char *text, int n)
{
	const char *p = strrchr(text, ')');

	for (int field = 2; p != NULL && field < n; field++) {
		p = strchr(p, ' ');
		if (p != NULL)
			p++;
	}
	return p == NULL ? 0 : strtoull(p, NULL, 10);
}

static uint64_t count_fds(void)
{
	DIR *folder = opendir("/proc/self/fd");
	uint64_t count = 0;

	if (folder == NULL)
		return 0;
	while (readdir(folder) != NULL)
		count++;
	(void)closedir(folder);
	return count > 3 ? count - 3 : 0; /* ".", ".." and the folder itself */
}

static uint64_t limit_of(__rlimit_resource_t resource)
{
	struct rlimit limit;

	return getrlimit(resource, &limit) == 0 ? (uint64_t)limit.rlim_cur : 0;
}

void es_process_stats(struct es_process_stats *ret_stats)
{
	double ticks = (double)sysconf(_SC_CLK_TCK);
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	char text[4096];

	read_text("/proc/self/stat", text, sizeof(text));
	*ret_stats = (struct es_process_stats){
		.cpu_seconds = (double)(stat_field(text, 14) + stat_field(text, 15)) / ticks,
		.start_time_seconds = boot_time() + (double)stat_field(text, 22) / ticks,
		.virtual_bytes = stat_field(text, 23),
		.resident_bytes = stat_field(text, 24) * page,
		.virtual_bytes_max = limit_of(RLIMIT_AS),
		.fds_open = count_fds(),
		.fds_max = limit_of(RLIMIT_NOFILE),
	};
}

uint64_t es_process_raise_fd_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 0;
	if (limit.rlim_cur < limit.rlim_max) {
		struct rlimit raised = {limit.rlim_max, limit.rlim_max};

		if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
			limit = raised;
	}
	return (uint64_t)limit.rlim_cur;
}

int es_process_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t len = path == NULL ? 0 : strlen(path);
	socklen_t to_len;
	ssize_t sent;
	int fd;

	if (len == 0)
		return 0;
	if ((path[0] != '/' && path[0] != '@') || len >= sizeof(to.sun_path))
		return ES_EIO;
	memcpy(to.sun_path, path, len);
	if (path[0] == '@')
		to.sun_path[0] = '\0'; /* an abstract name */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return ES_EIO;
	to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	sent = sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&to, to_len);
	(void)close(fd);
	return sent == (ssize_t)strlen(state) ? 1 : ES_EIO;
}
