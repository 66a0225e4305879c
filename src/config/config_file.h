#ifndef ES_CONFIG_CONFIG_FILE_H
#define ES_CONFIG_CONFIG_FILE_H

#include "config/flags.h"

/*
 * The YAML file of --config-file, with etcd's keys: a flag's name each, sequences for lists,
 * durations as strings or as integer nanoseconds, and the nested client-transport-security,
 * peer-transport-security, socket-options and discovery-config. Empty values count as not given.
 * Unknown keys are noticed (etcd ignores them silently), with the nearest known one; when that one
 * decides where data goes, who is served or how safely, it is an error. That and what has a wrong
 * form is ES_EINVAL with "file:line: what" in `errmsg`. ES_EIO when the file cannot be read, ES_ENOMEM.
 */
int es_config_file_load(struct es_flags *flags, const char *path, char *errmsg, size_t errmsg_size);
/* The same from memory; `path` is for the texts. */
int es_config_file_parse(struct es_flags *flags, const char *path, struct es_slice text,
			 char *errmsg, size_t errmsg_size);

/*
 * After es_flags_arguments: the config file if one is named by flag or variable, which sets
 * everything else aside, and the variables otherwise. A stray argument is refused. Errors as
 * above.
 */
int es_flags_sources(struct es_flags *flags, char *const *envp, char *errmsg, size_t errmsg_size);

#endif
