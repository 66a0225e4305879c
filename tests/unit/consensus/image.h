#ifndef ES_TESTS_UNIT_CONSENSUS_IMAGE_H
#define ES_TESTS_UNIT_CONSENSUS_IMAGE_H

#include "harness.h"

#include <dirent.h>
#include <sys/stat.h>

/* A data folder in memory: what a crash (or an operator) would leave on disk at some moment. */
struct image_file {
	char path[160]; /* below the data folder */
	uint8_t *data;  /* up to the last byte that is not zero */
	size_t len;
	size_t size;
};

struct image {
	struct image_file files[64];
	size_t count;
};

static inline void image_join(char *out, size_t size, const char *folder, const char *name)
{
	int n = snprintf(out, size, "%s%s%s", folder, folder[0] != '\0' ? "/" : "", name);

	assert_true(n > 0 && (size_t)n < size);
}

static inline void image_take_file(struct image *image, const char *folder, const char *path)
{
	struct image_file *file = &image->files[image->count++];
	char full[512];
	struct stat st;
	FILE *f;

	assert_true(image->count <= 64);
	image_join(file->path, sizeof(file->path), "", path);
	image_join(full, sizeof(full), folder, path);
	f = fopen(full, "rb");
	assert_non_null(f);
	assert_int_equal(fstat(fileno(f), &st), 0);
	file->size = (size_t)st.st_size;
	file->data = malloc(file->size + 1);
	assert_non_null(file->data);
	assert_int_equal(fread(file->data, 1, file->size, f), file->size);
	fclose(f);
	file->len = file->size;
	while (file->len > 0 && file->data[file->len - 1] == 0)
		file->len--;
}

static inline void image_take_folder(struct image *image, const char *folder, const char *below)
{
	char full[512], path[512];
	struct dirent *d;
	DIR *dir;

	image_join(full, sizeof(full), folder, below);
	dir = opendir(full);
	assert_non_null(dir);
	while ((d = readdir(dir)) != NULL) {
		struct stat st;

		if (d->d_name[0] == '.')
			continue;
		image_join(path, sizeof(path), below, d->d_name);
		image_join(full, sizeof(full), folder, path);
		assert_int_equal(stat(full, &st), 0);
		if (S_ISDIR(st.st_mode))
			image_take_folder(image, folder, path);
		else
			image_take_file(image, folder, path);
	}
	closedir(dir);
}

static inline int image_compare(const void *a, const void *b)
{
	return strcmp(((const struct image_file *)a)->path, ((const struct image_file *)b)->path);
}

static inline void image_take(struct image *image, const char *folder)
{
	memset(image, 0, sizeof(*image));
	image_take_folder(image, folder, "");
	qsort(image->files, image->count, sizeof(image->files[0]), image_compare);
}

static inline void image_free(struct image *image)
{
	for (size_t i = 0; i < image->count; i++)
		free(image->files[i].data);
	image->count = 0;
}

static inline void image_put_file(const struct image_file *file, const char *folder)
{
	char full[512];
	FILE *f;

	snprintf(full, sizeof(full), "%s/%s", folder, file->path);
	f = fopen(full, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(file->data, 1, file->len, f), file->len);
	assert_int_equal(fflush(f), 0);
	assert_int_equal(ftruncate(fileno(f), (off_t)file->size), 0);
	fclose(f);
}

/* Replaces what is in `folder`. */
static inline void image_put(const struct image *image, const char *folder)
{
	char full[512];

	h_remove(folder);
	assert_int_equal(mkdir(folder, 0700), 0);
	snprintf(full, sizeof(full), "%s/raft", folder);
	assert_int_equal(mkdir(full, 0700), 0);
	snprintf(full, sizeof(full), "%s/checkpoints", folder);
	assert_int_equal(mkdir(full, 0700), 0);
	for (size_t i = 0; i < image->count; i++)
		image_put_file(&image->files[i], folder);
}

static inline bool image_is(const struct image *image, const char *folder)
{
	struct image now;
	bool same;

	image_take(&now, folder);
	same = now.count == image->count;
	for (size_t i = 0; same && i < now.count; i++)
		same = strcmp(now.files[i].path, image->files[i].path) == 0 &&
		       now.files[i].size == image->files[i].size &&
		       now.files[i].len == image->files[i].len &&
		       memcmp(now.files[i].data, image->files[i].data, now.files[i].len) == 0;
	image_free(&now);
	return same;
}

static inline struct image_file *image_find(struct image *image, const char *path)
{
	for (size_t i = 0; i < image->count; i++) {
		if (strcmp(image->files[i].path, path) == 0)
			return &image->files[i];
	}
	return NULL;
}

static inline void image_drop(struct image *image, const char *path)
{
	struct image_file *file = image_find(image, path);

	assert_non_null(file);
	free(file->data);
	*file = image->files[--image->count];
	qsort(image->files, image->count, sizeof(image->files[0]), image_compare);
}

#endif
