/*
 * The main function of a fuzz target where libFuzzer is not: runs the target over files, and over
 * damaged copies of them. The damage is the same each time. When the target aborts, the input it
 * was given is in the file that is named.
 *
 *   fuzz_x [-mutations=N] FILE|FOLDER...      N damaged copies in all (default 5000)
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mutate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define GROWTH_MAX 256 /* bytes that damage may add */

struct input {
	uint8_t *data;
	size_t len;
};

static struct input *inputs;
static size_t input_count;
static struct input current; /* what the target has now; read by on_abort */
static char failed_name[256];

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(2);
}

/* Only calls that a signal handler may make. */
static void on_abort(int signal_number)
{
	int fd = open(failed_name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	ssize_t rc = -1;

	if (fd >= 0)
		rc = write(fd, current.data, current.len);
	if (rc >= 0) {
		rc = write(STDERR_FILENO, "the input is in ", 16);
		rc = write(STDERR_FILENO, failed_name, strlen(failed_name));
		rc = write(STDERR_FILENO, "\n", 1);
	}
	(void)rc;
	signal(signal_number, SIG_DFL);
	raise(signal_number);
}

static void add_input(uint8_t *data, size_t len)
{
	inputs = realloc(inputs, (input_count + 1) * sizeof(*inputs));
	if (inputs == NULL)
		die("inputs");
	inputs[input_count++] = (struct input){data, len};
}

static void add_file(const char *path, size_t size)
{
	uint8_t *data = malloc(size + 1);
	FILE *file = fopen(path, "rb");

	if (data == NULL || file == NULL || fread(data, 1, size, file) != size)
		die(path);
	fclose(file);
	add_input(data, size);
}

static void add_path(const char *path);

static void add_folder(const char *path)
{
	struct dirent **entries;
	int n = scandir(path, &entries, NULL, alphasort);

	if (n < 0)
		die(path);
	for (int i = 0; i < n; i++) {
		char name[1024];

		snprintf(name, sizeof(name), "%s/%s", path, entries[i]->d_name);
		if (entries[i]->d_name[0] != '.')
			add_path(name);
		free(entries[i]);
	}
	free(entries);
}

static void add_path(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		die(path);
	if (S_ISDIR(st.st_mode))
		add_folder(path);
	else
		add_file(path, (size_t)st.st_size);
}

/* In a block of just that size, so that a sanitizer sees the first byte that is read behind it. */
static void run(const uint8_t *data, size_t len)
{
	current = (struct input){malloc(len == 0 ? 1 : len), len};
	if (current.data == NULL)
		die("input");
	if (len > 0)
		memcpy(current.data, data, len);
	(void)LLVMFuzzerTestOneInput(current.data, len);
	free(current.data);
}

static void run_damaged(uint64_t seed)
{
	const struct input *input = &inputs[seed % input_count];
	size_t len = input->len;
	uint8_t *data = malloc(len + GROWTH_MAX);
	struct es_rng rng;

	if (data == NULL)
		die("input");
	memcpy(data, input->data, len);
	es_rng_init(&rng, seed);
	mutate(&rng, data, &len, len + GROWTH_MAX);
	run(data, len);
	free(data);
}

int main(int argc, char **argv)
{
	uint64_t mutations = 5000;
	const char *name = strrchr(argv[0], '/');

	snprintf(failed_name, sizeof(failed_name), "%s-failed-input",
		 name == NULL ? argv[0] : name + 1);
	signal(SIGABRT, on_abort);
	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], "-mutations=", 11) == 0)
			mutations = strtoull(argv[i] + 11, NULL, 10);
		else
			add_path(argv[i]);
	}
	if (input_count == 0) {
		fprintf(stderr, "no input\n");
		return 2;
	}
	run(NULL, 0);
	for (size_t i = 0; i < input_count; i++)
		run(inputs[i].data, inputs[i].len);
	for (uint64_t seed = 0; seed < mutations; seed++)
		run_damaged(seed);
	printf("%zu inputs, %llu damaged\n", input_count, (unsigned long long)mutations);
	for (size_t i = 0; i < input_count; i++)
		free(inputs[i].data);
	free(inputs);
	return 0;
}
