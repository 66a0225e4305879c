/* The config file: any bytes are a configuration, or an error that begins with file and line. */
#include "base/assert.h"
#include "base/status.h"
#include "config/config.h"
#include "config/config_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct es_arena arena;
	struct es_flags *flags;
	struct es_config config;
	char errmsg[256] = "";
	int rc;

	es_arena_init(&arena, es_mem_default(), 4096);
	rc = es_flags_new(&arena, &flags);
	ES_ASSERT(rc == 0);
	rc = es_config_file_parse(flags, "x.yaml", es_slice(data, size), errmsg, sizeof(errmsg));
	ES_ASSERT(rc == 0 || (rc == ES_EINVAL && strncmp(errmsg, "x.yaml:", 7) == 0));
	if (rc == 0) {
		rc = es_config_load(flags, &arena, &config, errmsg, sizeof(errmsg));
		ES_ASSERT(rc == 0 || (rc == ES_EINVAL && errmsg[0] != '\0'));
	}
	es_arena_close(&arena);
	return 0;
}
