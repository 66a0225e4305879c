#include <errno.h>
#include <stdio.h>

#include "disk/raft_crc.h"
#include "disk/segments_internal.h"

static int write_new(const struct es_fs *fs, const char *folder, const char *name,
		     struct es_slice content)
{
	char path[ES_PATH_BYTES_MAX];
	int file;
	int rc;
	int closed;

	rc = es_fs_join(folder, name, path);
	if (rc == 0)
		rc = fs->open(fs->ctx, path, ES_FS_CREATE, &file);
	if (rc < 0)
		return rc;
	rc = fs->write_at(fs->ctx, file, content.data, content.len, 0);
	if (rc == 0)
		rc = fs->sync(fs->ctx, file);
	closed = fs->close(fs->ctx, file);
	return rc < 0 ? rc : closed;
}

/* Term 1, no vote. */
static int write_first_metadata(const struct es_fs *fs, const char *folder)
{
	uint8_t metadata[ES_RAFT_METADATA_BYTES] = {0};

	es_store_u64le(metadata, ES_RAFT_FORMAT);
	es_store_u64le(metadata + 8, 1);
	es_store_u64le(metadata + 16, 1);
	return write_new(fs, folder, "metadata1", es_slice(metadata, sizeof(metadata)));
}

static int write_first_segment(const struct es_mem *mem, const struct es_fs *fs, const char *folder,
			       struct es_slice configuration)
{
	uint8_t header[24] = {0}; /* of a batch with one entry */
	struct es_buf segment;
	int rc;

	es_store_u64le(header, 1);
	es_store_u64le(header + 8, 1);
	header[16] = ES_RAFT_CHANGE;
	es_store_u32le(header + 20, (uint32_t)configuration.len);
	es_buf_init(&segment, mem);
	rc = es_buf_append_u64le(&segment, ES_RAFT_FORMAT);
	if (rc == 0)
		rc = es_buf_append_u32le(&segment,
					 es_raft_crc(0, es_slice(header, sizeof(header))));
	if (rc == 0)
		rc = es_buf_append_u32le(&segment, es_raft_crc(0, configuration));
	if (rc == 0)
		rc = es_buf_append(&segment, header, sizeof(header));
	if (rc == 0)
		rc = es_buf_append_slice(&segment, configuration);
	if (rc == 0)
		rc = write_new(fs, folder, "0000000000000001-0000000000000001",
			       es_buf_slice(&segment));
	es_buf_close(&segment);
	return rc;
}

int es_segments_create(const struct es_mem *mem, const struct es_fs *fs, const char *data_dir,
		       struct es_slice configuration, char *errmsg, size_t errmsg_size)
{
	char folder[ES_PATH_BYTES_MAX];
	char temporary[ES_PATH_BYTES_MAX];
	int rc;

	if (configuration.len > ES_SEGMENTS_CONFIGURATION_BYTES_MAX || configuration.len % 8 != 0) {
		snprintf(errmsg, errmsg_size,
			 "%.200s: the configuration of the cluster is too long", data_dir);
		return ES_EINVAL;
	}
	rc = es_fs_join(data_dir, "raft", folder);
	if (rc == 0)
		rc = es_fs_join(data_dir, "raft.tmp", temporary);
	if (rc < 0) {
		snprintf(errmsg, errmsg_size, "%.200s: the path is too long", data_dir);
		return rc;
	}
	rc = fs->mkdir(fs->ctx, temporary);
	if (rc == ES_EEXIST) /* an earlier try; its files are written anew */
		rc = 0;
	if (rc == 0)
		rc = write_first_metadata(fs, temporary);
	if (rc == 0)
		rc = write_first_segment(mem, fs, temporary, configuration);
	if (rc == 0)
		rc = fs->sync_folder(fs->ctx, temporary);
	if (rc == 0)
		rc = fs->rename(fs->ctx, temporary, folder);
	if (rc == 0)
		rc = fs->sync_folder(fs->ctx, data_dir);
	if (rc < 0)
		snprintf(errmsg, errmsg_size, "%s: cannot make the log: %s", folder,
			 rc == ES_ENOMEM ? es_status_text(rc) : strerror(errno));
	return rc;
}
